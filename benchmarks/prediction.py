"""One measurement of prediction: ``python -m benchmarks.prediction LIBRARY CASE``.

Every library has the same network (ReLU, softmax) with weights of no meaning, and the same float32
rows; printed are the median seconds of a call that returns the probabilities, and nan where others
print a loss. ``estimator`` is chainrule through its classifier, which checks the rows first.
"""

from __future__ import annotations

import statistics
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

CALLS = 5  # at least, and as many as fit in the time
SECONDS = 1.0
SIZES = (64, 100, 10)


@dataclass(frozen=True)
class Case:
    """A number of rows."""

    rows: int

    @property
    def name(self) -> str:
        """What it is called on the command line."""
        return f"{'-'.join(map(str, SIZES))} {self.rows} {'row' if self.rows == 1 else 'rows'}"

    def data(self) -> np.ndarray:
        """Return the rows to predict for."""
        generator = np.random.default_rng(0)
        return generator.normal(size=(self.rows, SIZES[0])).astype(np.float32)


CASES = {case.name: case for case in map(Case, (1, 10_000, 1_000_000))}


def examples() -> tuple[np.ndarray, np.ndarray]:
    """Return what estimators are fitted to for an epoch, so that they have weights."""
    generator = np.random.default_rng(1)
    X = generator.normal(size=(200, SIZES[0])).astype(np.float32)
    return X, np.arange(200) % SIZES[-1]


def chainrule_call(case: Case) -> Callable[[], object]:
    """Return a call of the network."""
    from chainrule.networks import network, propagate

    X = case.data()
    net = network(SIZES, ("relu", "softmax"), "categorical_cross_entropy", dtype=np.float32, rng=0)
    return lambda: propagate(net, X)


def estimator_call(case: Case) -> Callable[[], object]:
    """Return a call of the classifier."""
    from chainrule import FeedforwardClassifier

    X = case.data()
    model = FeedforwardClassifier(SIZES[1:-1], max_iter=1).fit(*examples())
    return lambda: model.predict_proba(X)


def sklearn_call(case: Case) -> Callable[[], object]:
    """Return a call of scikit-learn's classifier."""
    from sklearn.neural_network import MLPClassifier

    X = case.data()
    model = MLPClassifier(SIZES[1:-1], max_iter=1).fit(*examples())
    return lambda: model.predict_proba(X)


def torch_call(case: Case) -> Callable[[], object]:
    """Return an eager call in inference mode."""
    import torch
    from torch import nn

    X = torch.from_numpy(case.data())
    inputs, hidden, outputs = SIZES
    model = nn.Sequential(
        nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, outputs), nn.Softmax(dim=1)
    ).eval()

    def call() -> object:
        with torch.inference_mode():
            return model(X)

    return call


def jax_call(case: Case) -> Callable[[], object]:
    """Return a call under jit."""
    import jax
    import jax.numpy as jnp

    X = jnp.asarray(case.data())
    inputs, hidden, outputs = SIZES
    first = jax.random.normal(jax.random.PRNGKey(0), (inputs, hidden))
    second = jax.random.normal(jax.random.PRNGKey(1), (hidden, outputs))

    @jax.jit
    def predict(X: jax.Array) -> jax.Array:
        return jax.nn.softmax(jax.nn.relu(X @ first + jnp.zeros(hidden)) @ second)

    return lambda: predict(X).block_until_ready()


def product_call(case: Case) -> Callable[[], object]:
    """Return the matrix products alone, with OpenBLAS."""
    X = case.data()
    inputs, hidden, outputs = SIZES
    first, second = np.ones((inputs, hidden), np.float32), np.ones((hidden, outputs), np.float32)
    between, out = np.empty((case.rows, hidden), np.float32), np.empty((case.rows, outputs), "f4")

    def call() -> object:
        return np.dot(np.dot(X, first, out=between), second, out=out)

    return call


LIBRARIES: dict[str, Callable[[Case], Callable[[], object]]] = {
    "chainrule": chainrule_call,
    "estimator": estimator_call,
    "sklearn": sklearn_call,
    "torch": torch_call,
    "jax": jax_call,
    "products": product_call,
}


def main() -> None:
    """Measure what the command line names."""
    warnings.simplefilter("ignore")
    library, name = sys.argv[1:]
    call = LIBRARIES[library](CASES[name])
    for _ in range(3):
        call()
    times: list[float] = []
    while len(times) < CALLS or sum(times) < SECONDS:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    print(statistics.median(times), float("nan"))


if __name__ == "__main__":
    main()
