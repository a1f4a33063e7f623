"""``chainrule train``: a table becomes a model file."""

from __future__ import annotations

import math
import tempfile
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from chainrule.command._arguments import TrainingOptions
from chainrule.command._examples import Examples, in_columns, notes_on, prepared, split
from chainrule.command._layers import layer_formulas, one_for_each
from chainrule.command._messages import CommandError, counted, heading, listed, note, quoted, say
from chainrule.command._options import Task, check_destination
from chainrule.command._reading import read_table
from chainrule.command._table import CategoricalColumn, Encoding, NumericColumn, listed_counts
from chainrule.estimators import FeedforwardClassifier, FeedforwardRegressor
from chainrule.networks import load_network, save_network

TABLE = "table"
_WIDEST_FOR_ONE_THREAD = 512
Estimator = FeedforwardClassifier | FeedforwardRegressor


def train(
    data: Path,
    options: TrainingOptions,
    *,
    activations: Sequence[str],
    test_size: float,
    seed: int,
    output: Path,
    checkpoint: Path | None,
    resume: bool,
) -> None:
    """Train on a table, test on held-out rows, write the model."""
    hidden = options.widths
    check_destination(output, data)
    if checkpoint is not None:
        _check_checkpoint(checkpoint, data, output, resume=resume)
    formulas = layer_formulas(one_for_each(activations, len(hidden)), options.parameters)
    frame = read_table(data, options.missing or ())
    table = prepared(frame, options)
    made = split(table, test_size, seed)
    for slip in notes_on(frame, made.encoding):
        note(slip)
    introduce(data, made)
    shown = " | ".join(dict.fromkeys(str(formula) for formula in formulas))
    heading(f"Training on {counted(len(made.targets), 'row')}, {len(made.held_targets):,} held out")
    say(f"hidden layers of {', '.join(map(str, hidden))} units with {shown}")
    stops = stops_early(table.task, options.early_stopping)
    if stops:
        say("a tenth of the rows to train on is kept aside, to stop early")
    estimator = estimator_of(table.task)(
        hidden_layer_sizes=hidden, activation=list(formulas), random_state=seed, verbose=True,
        early_stopping=stops, **options.settings,
    )  # fmt: skip
    try:
        seconds = fit(estimator, made.inputs, network_targets(made), checkpoint=checkpoint)
    except KeyboardInterrupt:
        if checkpoint is not None:
            note(f"{checkpoint} keeps what was learned; the same command with --resume goes on")
        raise
    epochs = counted(estimator.n_iter_, "epoch")
    say(
        f"{epochs} in {seconds:.1f} s, compiling included; final loss "
        f"{estimator.loss_curve_[-1]:.5f}"
    )
    heading("Held-out rows")
    _report(estimator, made)
    save(estimator, made.encoding, output)
    say(f"\nWrote {output}. Predict with: chainrule predict {output} TABLE")


def estimator_of(task: Task) -> type[Estimator]:
    """Return the estimator of a task."""
    return FeedforwardClassifier if task is Task.CLASSIFICATION else FeedforwardRegressor


def stops_early(task: Task, asked: bool | None) -> bool:
    """Tell whether training keeps rows aside to stop by; without a wish, regression does.

    On small tables the accuracy on a tenth of the rows is too coarse a number to stop by.
    """
    return task is Task.REGRESSION if asked is None else asked


def _check_checkpoint(path: Path, data: Path, output: Path, *, resume: bool) -> None:
    """Refuse a place for a checkpoint before time is spent."""
    check_destination(path, data)
    if path.resolve() == output.resolve():
        raise CommandError(f"{path} is to be the model and the checkpoint\nName another file.")
    if path.exists() and not resume:
        raise CommandError(
            f"there is a file {path} already\nGo on from it with --resume, remove it to begin "
            "anew, or name another checkpoint."
        )


def fit(estimator: Any, X: Any, y: Any, *, all_epochs: bool = False, **options: Any) -> float:
    """Fit, with options of the estimator's own, and return the seconds it took.

    What the estimator warns of becomes a note, unless `all_epochs` says that ending without
    convergence is meant; an interrupt ends the command.
    """
    widths = np.atleast_1d(estimator.hidden_layer_sizes)
    # Threads that wait for one another cost more than they give where matrices are small.
    threads = 1 if widths.max() <= _WIDEST_FOR_ONE_THREAD else None
    begun = time.perf_counter()
    with warnings.catch_warnings(record=True) as caught, threadpool_limits(threads, "blas"):
        warnings.simplefilter("always")
        if all_epochs:
            warnings.simplefilter("ignore", ConvergenceWarning)
        estimator.fit(X, y, **options)
    seconds = time.perf_counter() - begun
    for warning in caught:
        message = str(warning.message)
        if message.startswith("training was interrupted"):
            raise KeyboardInterrupt
        note(message)
    return seconds


def save(estimator: Estimator, encoding: Encoding, path: Path) -> None:
    """Write the model with what was learned of its table; `chainrule.load` reads it as well."""
    with tempfile.TemporaryDirectory() as folder:
        bare = Path(folder) / "model"
        estimator.save(bare)
        network, extra = load_network(bare)
    save_network(network, path, {**extra, TABLE: encoding.to_json()})


def network_targets(made: Examples) -> NDArray[Any]:
    """Return the targets as the network learns them: numbers are standardised."""
    if made.encoding.task is Task.CLASSIFICATION:
        return made.targets
    return made.encoding.standardised(made.targets)


def introduce(data: Path, made: Examples) -> None:
    """Say what the table holds, and what is to be predicted."""
    columns = made.encoding.columns
    rows = len(made.targets) + len(made.held_targets)
    numeric = [c for c in columns if isinstance(c, NumericColumn)]
    kinds = {
        "numeric": sum(not column.boolean for column in numeric),
        "boolean": sum(column.boolean for column in numeric),
        "categorical": sum(isinstance(column, CategoricalColumn) for column in columns),
    }
    parts = ", ".join(f"{count} {kind}" for kind, count in kinds.items() if count)
    say(
        f"{data}: {counted(rows, 'row')}; {counted(len(columns), 'column')} ({parts}) become "
        f"{counted(made.encoding.width, 'input')}"
    )
    for goal, reason, values in zip(
        made.encoding.targets, made.reasons, in_columns(made.targets), strict=True
    ):
        what = "regression"
        if goal.task is Task.CLASSIFICATION:
            classes = np.unique(values)
            what = f"classification into {counted(len(classes), 'class', 'classes')}"
            what += f" ({listed(classes.tolist())})"
        say(f"target {quoted(goal.name)}: {what}, {reason}")


def _report(estimator: Estimator, made: Examples) -> None:
    """Print the score on held-out rows beside that of a constant prediction."""
    if made.unknown:
        note(
            f"categories that only held-out rows have count as none: {listed_counts(made.unknown)}"
        )
    rows = counted(len(made.held_targets), "row")
    several = len(made.encoding.targets) > 1
    for goal, given, true, predicted in zip(
        made.encoding.targets, in_columns(made.targets), in_columns(made.held_targets),
        in_columns(_predicted(estimator, made)), strict=True,
    ):  # fmt: skip
        if several:
            say(f"{quoted(goal.name)}")
        if goal.task is Task.CLASSIFICATION:
            classes, counts = np.unique(given, return_counts=True)
            majority = classes[counts.argmax()]
            say(f"accuracy          {np.mean(true == predicted):.4f}  on {rows}")
            say(f"majority class    {np.mean(true == majority):.4f}  always {majority!s}")
            continue
        score, error = _determination(true, predicted)
        baseline, spread = _determination(true, np.full(len(true), goal.mean))
        say(f"R²                {score:.4f}  on {rows}; root mean square error {error:.4g}")
        say(f"mean of the rest  {baseline:.4f}  always {goal.mean:.4g}; error {spread:.4g}")
    if several:
        what = "all of a row right" if isinstance(estimator, FeedforwardClassifier) else "mean R²"
        say(f"{what:17} {held_score(estimator, made):.4f}")


def held_score(estimator: Estimator, made: Examples) -> float:
    """Return the score on held-out rows.

    To classify, the share of rows whose targets are all right; to regress, the mean R².
    """
    true, predicted = in_columns(made.held_targets), in_columns(_predicted(estimator, made))
    pairs = list(zip(true, predicted, strict=True))
    if made.encoding.task is Task.CLASSIFICATION:
        return float(np.mean(np.all([given == found for given, found in pairs], axis=0)))
    return float(np.mean([_determination(*pair)[0] for pair in pairs]))


def _predicted(estimator: Estimator, made: Examples) -> NDArray[Any]:
    """Return the predictions of held-out rows, numbers in the units of the table."""
    predicted: NDArray[Any] = estimator.predict(made.held_inputs)
    if made.encoding.task is Task.CLASSIFICATION:
        return predicted
    return made.encoding.in_units(predicted)


def _determination(true: NDArray[Any], predicted: NDArray[Any]) -> tuple[float, float]:
    """Return the coefficient of determination and the root mean square error."""
    # Scaled first: squares of large numbers overflow.
    largest = float(np.abs(true).max()) or 1.0
    apart = float(np.mean(((true - predicted) / largest) ** 2))
    spread = float(np.mean(((true - true.mean()) / largest) ** 2))
    return 1.0 - apart / spread, math.sqrt(apart) * largest
