"""``chainrule predict``: a model file and a table become predictions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
from numpy.typing import NDArray

from chainrule.command._examples import in_columns
from chainrule.command._messages import CommandError, counted, note, printable, say
from chainrule.command._options import Task, check_destination
from chainrule.command._reading import read_table
from chainrule.command._table import Encoding, listed_counts
from chainrule.command._train import TABLE, Estimator
from chainrule.estimators import FeedforwardClassifier, FeedforwardRegressor, load
from chainrule.networks import ModelFileError, load_network


def predict(model: Path, data: Path, output: Path | None, probabilities: bool) -> None:
    """Print or write a prediction for every row of a table."""
    if output is not None:
        check_destination(output, model, data)
    estimator, encoding = open_model(model)
    if probabilities and not isinstance(estimator, FeedforwardClassifier):
        raise CommandError(
            f"{model} predicts a number, which has no probabilities\nLeave --probabilities away."
        )
    X, unknown = encoding.encode(encoding.typed(read_table(data, encoding.missing)))
    if unknown:
        note(
            f"values that were not there in training count as no category: {listed_counts(unknown)}"
        )
    table = _predictions(estimator, encoding, X, probabilities)
    if output is None:
        say(table.write_csv().removesuffix("\n"))
        return
    table.write_csv(output)
    note(f"wrote {counted(table.height, 'prediction')} of {encoding.title} to {output}")


def open_model(path: Path) -> tuple[Estimator, Encoding]:
    """Read a model that ``chainrule train`` wrote."""
    estimator = load(path)
    _, extra = load_network(path)
    if TABLE not in extra:
        raise ModelFileError(
            f"{path} is a model, but it does not say how a table becomes its inputs\n"
            "Expected a file that `chainrule train` wrote; this one is used from Python, with "
            "chainrule.load()."
        )
    try:
        encoding = Encoding.from_json(extra[TABLE])
    except ModelFileError as error:
        raise ModelFileError(f"{path} is damaged: {error}\nTrain it again.") from None
    classifies = encoding.task is Task.CLASSIFICATION
    kind = FeedforwardClassifier if classifies else FeedforwardRegressor
    if not (
        isinstance(estimator, kind)
        and encoding.width == estimator.n_features_in_
        and len(encoding.targets) == _outputs(estimator)
    ):
        raise ModelFileError(
            f"{path} is damaged: its table does not fit its network\nTrain it again."
        )
    return estimator, encoding


def _predictions(
    estimator: Estimator, encoding: Encoding, X: NDArray[Any], probabilities: bool
) -> pl.DataFrame:
    predicted = estimator.predict(X)
    if encoding.task is Task.REGRESSION:
        predicted = encoding.in_units(predicted)
    shares = _probabilities(estimator, X) if probabilities else [()] * len(encoding.targets)
    several = len(encoding.targets) > 1
    columns = []
    for goal, values, of_classes in zip(
        encoding.targets, in_columns(predicted), shares, strict=True
    ):
        ending = f"_{goal.name}" if several else ""
        columns.append(pl.Series(f"prediction{ending}", values.tolist()))
        columns += [
            pl.Series(f"probability{ending}_{printable(str(label))}", share)
            for label, share in of_classes
        ]
    return pl.DataFrame(columns)


def _probabilities(estimator: Estimator, X: NDArray[Any]) -> list[Any]:
    """Return the classes of each target with their probabilities."""
    assert isinstance(estimator, FeedforwardClassifier)
    classes, shares = estimator.classes_, estimator.predict_proba(X)
    of_each = (
        zip(classes, shares, strict=True) if isinstance(classes, list) else [(classes, shares)]
    )
    return [list(zip(labels, matrix.T, strict=True)) for labels, matrix in of_each]


def _outputs(estimator: Any) -> int:
    """Return how many columns are predicted."""
    if isinstance(estimator, FeedforwardClassifier):
        return len(estimator.classes_) if isinstance(estimator.classes_, list) else 1
    outputs: int = estimator.n_outputs_
    return outputs
