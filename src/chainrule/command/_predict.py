"""``chainrule predict``: a model file and a table become predictions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
from numpy.typing import NDArray

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
    note(f"wrote {counted(table.height, 'prediction')} of {encoding.target.name} to {output}")


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
    classifies = encoding.target.task is Task.CLASSIFICATION
    kind = FeedforwardClassifier if classifies else FeedforwardRegressor
    if not isinstance(estimator, kind) or encoding.width != estimator.n_features_in_:
        raise ModelFileError(
            f"{path} is damaged: its table does not fit its network\nTrain it again."
        )
    return estimator, encoding


def _predictions(
    estimator: Estimator, encoding: Encoding, X: NDArray[Any], probabilities: bool
) -> pl.DataFrame:
    predicted = estimator.predict(X)
    if not isinstance(estimator, FeedforwardClassifier):
        goal = encoding.target
        return pl.DataFrame({"prediction": predicted * goal.scale + goal.mean})
    columns = [pl.Series("prediction", predicted.tolist())]
    if probabilities:
        shares = estimator.predict_proba(X)
        columns += [
            pl.Series(f"probability_{printable(str(label))}", shares[:, place])
            for place, label in enumerate(estimator.classes_)
        ]
    return pl.DataFrame(columns)
