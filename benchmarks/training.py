"""One measurement of training: ``python -m benchmarks.training LIBRARY CASE``.

A case names the layers, the batch, and the examples: ``784-100-10 batch 200 of 60000``. Every
library trains the same network (ReLU, softmax with cross-entropy) on the same float32 data with
Adam, and prints the seconds of an epoch, the median of several after a warm-up, and the mean cost
that it reached: equal costs say that the same work was done. ``products`` does the matrix products
of the steps alone, with OpenBLAS on buffers laid out once.
"""

from __future__ import annotations

import statistics
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

EPOCHS = 3  # at least, and as many as fit in the time
SECONDS = 2.0


@dataclass(frozen=True)
class Case:
    """A network, a batch size and a number of examples."""

    sizes: tuple[int, ...]
    batch: int
    rows: int

    @property
    def name(self) -> str:
        """What it is called on the command line."""
        return f"{'-'.join(map(str, self.sizes))} batch {self.batch} of {self.rows}"

    def data(self) -> tuple[np.ndarray, np.ndarray]:
        """Return learnable random data."""
        generator = np.random.default_rng(0)
        X = generator.normal(size=(self.rows, self.sizes[0])).astype(np.float32)
        weights = generator.normal(size=(self.sizes[0], self.sizes[-1])).astype(np.float32)
        return X, (X @ weights).argmax(axis=1)


CASES = {
    case.name: case
    for case in (
        Case((4, 32, 16, 4), 16, 4096),
        Case((4, 32, 16, 4), 256, 65536),
        Case((20, 64, 2), 32, 20000),
        Case((20, 64, 64, 2), 128, 20000),
        Case((64, 100, 10), 200, 1797),
        Case((64, 256, 256, 10), 128, 8192),
        Case((784, 100, 10), 200, 60000),
        Case((784, 1024, 10), 256, 20480),
        Case((784, 1024, 1024, 10), 256, 10240),
        Case((784, 1024, 1024, 10), 4096, 20480),
    )
}


def chainrule_epochs(case: Case) -> Iterator[float]:
    """Yield the mean cost of each epoch."""
    from chainrule.networks import Adam, network
    from chainrule.networks.training._run import Run

    X, y = case.data()
    Y = np.eye(case.sizes[-1], dtype=np.float32)[y]
    hidden = ("relu",) * (len(case.sizes) - 2)
    start = network(case.sizes, (*hidden, "softmax"), "categorical_cross_entropy", dtype=np.float32)
    run = Run(start, X, Y, None, Adam(), alpha=0.0, batch_size=case.batch)
    generator = np.random.default_rng(0)
    with run.threads():
        while True:
            order = generator.permutation(len(X))
            yield run.epoch(order, np.full(run.steps_of(order), run.optimiser.learning_rate))


def sklearn_epochs(case: Case) -> Iterator[float]:
    """Yield the mean cost of each epoch."""
    from sklearn.neural_network import MLPClassifier

    X, y = case.data()
    classifier = MLPClassifier(case.sizes[1:-1], batch_size=case.batch, max_iter=1, alpha=0.0,
                               warm_start=True)  # fmt: skip
    while True:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            classifier.fit(X, y)
        yield classifier.loss_


def torch_epochs(case: Case, *, compile_step: bool = False) -> Iterator[float]:
    """Yield the mean cost of each epoch of a usual PyTorch loop."""
    import torch
    from torch import nn

    X, y = case.data()
    inputs, targets = torch.from_numpy(X), torch.from_numpy(y)
    layers: list[nn.Module] = []
    for count, width in pairwise(case.sizes):
        layers += [nn.Linear(count, width), nn.ReLU()]
    network = nn.Sequential(*layers[:-1])
    optimiser = torch.optim.Adam(network.parameters())
    cost = nn.CrossEntropyLoss()

    def loss_of(X: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return cost(network(X), y)

    step_loss = torch.compile(loss_of) if compile_step else loss_of
    while True:
        order = torch.randperm(len(inputs))
        total = 0.0
        for start in range(0, len(inputs), case.batch):
            rows = order[start : start + case.batch]
            optimiser.zero_grad(set_to_none=True)
            loss = step_loss(inputs[rows], targets[rows])
            loss.backward()
            optimiser.step()
            total += loss.detach() * len(rows)
        yield float(total) / len(inputs)


def jax_epochs(case: Case) -> Iterator[float]:
    """Yield the mean cost of each epoch, which is one compiled scan over batches."""
    import jax
    import jax.numpy as jnp

    X, y = (jnp.asarray(values) for values in case.data())
    key = jax.random.PRNGKey(0)
    parameters = []
    for count, width in pairwise(case.sizes):
        key, own = jax.random.split(key)
        weights = jax.random.normal(own, (count, width)) * (2.0 / count) ** 0.5
        parameters.append((weights, jnp.zeros(width)))

    def loss_of(parameters, X, y):  # type: ignore[no-untyped-def]
        for weights, biases in parameters[:-1]:
            X = jax.nn.relu(X @ weights + biases)
        weights, biases = parameters[-1]
        logarithms = jax.nn.log_softmax(X @ weights + biases)
        return -jnp.take_along_axis(logarithms, y[:, None], axis=1).mean()

    def step(carried, rows):  # type: ignore[no-untyped-def]
        parameters, first, second, number = carried
        loss, slopes = jax.value_and_grad(loss_of)(parameters, X[rows], y[rows])
        number += 1
        first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, slopes)
        second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, second, slopes)
        rate = 1e-3 * jnp.sqrt(1 - 0.999**number) / (1 - 0.9**number)
        parameters = jax.tree.map(
            lambda p, m, v: p - rate * m / (jnp.sqrt(v) + 1e-8), parameters, first, second
        )
        return (parameters, first, second, number), loss

    @jax.jit
    def epoch(carried, key):  # type: ignore[no-untyped-def]
        whole = len(X) // case.batch  # what is left over is one part in some hundreds
        order = jax.random.permutation(key, len(X))[: whole * case.batch]
        return jax.lax.scan(step, carried, order.reshape(whole, case.batch))

    zeros = jax.tree.map(jnp.zeros_like, parameters)
    carried = (parameters, zeros, zeros, 0)
    while True:
        key, own = jax.random.split(key)
        carried, losses = epoch(carried, own)
        yield float(losses.mean())


def product_epochs(case: Case) -> Iterator[float]:
    """Yield nothing of interest after the matrix products of an epoch, done with OpenBLAS."""
    batches = [case.batch] * (case.rows // case.batch)
    generator = np.random.default_rng(0)
    layers = []
    for number, (count, width) in enumerate(pairwise(case.sizes)):
        A = generator.normal(size=(case.batch, count)).astype(np.float32)
        W = generator.normal(size=(count, width)).astype(np.float32)
        layers.append((number, A, W, A @ W, np.empty_like(A), np.empty_like(W)))
    while True:
        for _ in batches:
            for _, A, W, Z, _, _ in layers:
                np.dot(A, W, out=Z)
            for number, A, W, Z, dA, dW in reversed(layers):
                np.dot(A.T, Z, out=dW)
                if number > 0:
                    np.dot(Z, W.T, out=dA)
        yield 0.0


LIBRARIES: dict[str, Callable[[Case], Iterator[float]]] = {
    "chainrule": chainrule_epochs,
    "sklearn": sklearn_epochs,
    "torch": torch_epochs,
    "torch.compile": lambda case: torch_epochs(case, compile_step=True),
    "jax": jax_epochs,
    "products": product_epochs,
}


def main() -> None:
    """Measure what the command line names."""
    library, name = sys.argv[1:]
    epochs = LIBRARIES[library](CASES[name])
    next(epochs)
    times: list[float] = []
    losses: list[float] = []
    while len(times) < EPOCHS or sum(times) < SECONDS:
        start = time.perf_counter()
        losses.append(next(epochs))
        times.append(time.perf_counter() - start)
    print(statistics.median(times), losses[EPOCHS - 1])


if __name__ == "__main__":
    main()
