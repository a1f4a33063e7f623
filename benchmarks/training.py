"""One measurement of training: ``python -m benchmarks.training LIBRARY CASE``.

Prints the seconds of a fit with Adam, ReLU and cross-entropy for a fixed number of epochs, after
a warm-up fit that compiles and caches.
"""

from __future__ import annotations

import sys
import time
import warnings

import numpy as np

# rows, features, hidden units, classes, batch, epochs
CASES = {
    "20000x20-64-2": (20000, 20, 64, 2, 32, 5),
    "1797x64-100-10": (1797, 64, 100, 10, 200, 30),
    "60000x784-100-10": (60000, 784, 100, 10, 200, 2),
    "20000x784-1024-10": (20000, 784, 1024, 10, 256, 1),
}
LIBRARIES = ("chainrule", "sklearn", "torch")


def data(case: str) -> tuple[np.ndarray, np.ndarray]:
    """Return learnable random data of a case."""
    rows, features, _, classes, _, _ = CASES[case]
    generator = np.random.default_rng(0)
    X = generator.normal(size=(rows, features)).astype(np.float32)
    weights = generator.normal(size=(features, classes)).astype(np.float32)
    return X, (X @ weights).argmax(axis=1)


def fit_estimator(library: str, case: str, epochs: int) -> None:
    """Fit chainrule's or scikit-learn's classifier."""
    X, y = data(case)
    _, _, hidden, _, batch, _ = CASES[case]
    settings = {"hidden_layer_sizes": (hidden,), "batch_size": batch, "max_iter": epochs,
                "random_state": 0, "tol": 0.0, "n_iter_no_change": 10_000}  # fmt: skip
    if library == "chainrule":
        from chainrule import FeedforwardClassifier as Classifier
    else:
        from sklearn.neural_network import MLPClassifier as Classifier
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        Classifier(**settings).fit(X, y)


def fit_torch(case: str, epochs: int) -> None:
    """Fit the same network with a usual PyTorch loop."""
    import torch
    from torch import nn

    X, y = data(case)
    _, features, hidden, classes, batch, _ = CASES[case]
    inputs, targets = torch.from_numpy(X), torch.from_numpy(y)
    network = nn.Sequential(nn.Linear(features, hidden), nn.ReLU(), nn.Linear(hidden, classes))
    optimiser = torch.optim.Adam(network.parameters())
    cost = nn.CrossEntropyLoss()
    for _ in range(epochs):
        order = torch.randperm(len(inputs))
        for start in range(0, len(inputs), batch):
            rows = order[start : start + batch]
            optimiser.zero_grad(set_to_none=True)
            cost(network(inputs[rows]), targets[rows]).backward()
            optimiser.step()


def main() -> None:
    """Measure what the command line names."""
    library, case = sys.argv[1:]
    epochs = CASES[case][-1]

    def fit(number: int) -> None:
        if library == "torch":
            fit_torch(case, number)
        else:
            fit_estimator(library, case, number)

    fit(1)
    start = time.perf_counter()
    fit(epochs)
    print(time.perf_counter() - start)


if __name__ == "__main__":
    main()
