"""``chainrule compare``: activations on the same folds of a table, from the same seeds."""

from __future__ import annotations

import hashlib
import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import KFold, StratifiedKFold

from chainrule import __version__
from chainrule.command._arguments import TrainingOptions
from chainrule.command._examples import (
    Examples,
    Prepared,
    held_out,
    in_columns,
    notes_on,
    prepared,
)
from chainrule.command._layers import layer_formulas
from chainrule.command._messages import CommandError, console, counted, heading, note, say
from chainrule.command._options import Against, Task
from chainrule.command._reading import read_table
from chainrule.command._train import (
    estimator_of,
    fit,
    held_score,
    introduce,
    network_targets,
    stops_early,
)
from chainrule.command.compare._report import report
from chainrule.command.compare._results import Comparison, reference_of, scored_fits, tested
from chainrule.command.compare._state import Fit, Key, keep, name_of, open_state
from chainrule.formulas import Formula
from chainrule.networks import DivergenceError, gain
from chainrule.networks.files._locks import alone

STATE = "fits.jsonl"


@dataclass(frozen=True, eq=False)
class Plan:
    """All that a fit depends on besides its activation and its fold."""

    table: Prepared
    hidden: tuple[int, ...]
    early_stopping: bool
    settings: dict[str, Any]

    def estimator(self, formula: Formula, seed: int, **changed: Any) -> Any:
        """Return an estimator with an activation on all hidden layers.

        All train by the same recipe: scikit-learn's is for a few activations alone.
        """
        return estimator_of(self.table.task)(
            hidden_layer_sizes=self.hidden, activation=formula, random_state=seed,
            early_stopping=self.early_stopping, recipe="own", **{**self.settings, **changed},
        )  # fmt: skip


def compare(
    data: Path,
    options: TrainingOptions,
    *,
    activations: Sequence[str],
    folds: int,
    repeats: int,
    against: Against,
    seed: int,
    output: Path,
) -> None:
    """Score every activation on every fold, keep what is finished, and report.

    Parameters
    ----------
    output : Path
        The folder of the comparison; the same command goes on where it was cut off.
    """
    hidden, settings = options.widths, options.settings
    formulas = _distinct(layer_formulas(activations, options.parameters))
    for formula in formulas:
        gain(formula)  # refuses what is no number at common pre-activations
    frame = read_table(data, options.missing or ())
    table = prepared(frame, options)
    splits = _splits(table, folds, repeats, seed)
    plan = Plan(table, hidden, stops_early(table.task, options.early_stopping), settings)
    first = held_out(table, *splits[0][0])
    for slip in notes_on(frame, first.encoding):
        note(slip)
    introduce(data, first)
    output.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256(data.read_bytes()).hexdigest()
    described = {
        "table": digest, "target": options.target, "hidden": list(hidden), "folds": folds,
        "repeats": repeats, "seed": seed, "task": table.task.value,
        "impute": options.impute.value, "missing": list(options.missing or ()),
        "drop": list(options.drop or ()), "early_stopping": plan.early_stopping,
        **settings, "chainrule": __version__,
    }  # fmt: skip
    with alone(output / STATE) as is_alone:
        if not is_alone:
            raise CommandError(
                f"another comparison is writing to {output}\n"
                "Wait until it has ended, or give another --output."
            )
        kept = open_state(output / STATE, described)
        _run(plan, formulas, splits, seed, kept, output / STATE)
    scored = scored_fits(formulas, kept, folds, repeats)
    reference = reference_of(scored, against)
    result = Comparison(
        data, len(table.goals), table.targets, table.task, described, against,
        tested(scored, reference, folds), reference, _baseline(table, splits),
    )  # fmt: skip
    report(result, output)


def _distinct(formulas: Sequence[Formula]) -> tuple[Formula, ...]:
    keys = list(map(name_of, formulas))
    for place, key in enumerate(keys):
        if key in keys[:place]:
            raise CommandError(
                f"{formulas[place].title} is given twice: as {formulas[keys.index(key)].title} "
                "and again\nGive every activation once."
            )
    return tuple(formulas)


def _splits(
    table: Prepared, folds: int, repeats: int, seed: int
) -> list[list[tuple[NDArray[np.intp], NDArray[np.intp]]]]:
    """Return, for every repeat, the rows to train on and the rows held out of every fold."""
    count, labels = len(table.goals), table.labels
    least = folds if labels is not None else 2 * folds  # one row tells no R²
    if count < least:
        raise CommandError(
            f"{counted(count, 'row')} are too few for {folds} folds\n"
            f"Give at least {least} rows, or fewer --folds."
        )
    if labels is not None:
        classes, counts = np.unique(labels, return_counts=True)
        if counts.max() < folds:
            raise CommandError(
                f"no class has as many rows as there are folds ({folds})\n"
                f"Give more rows of each class, or at most --folds {max(counts.max(), 2)}."
            )
        if counts.min() < folds:
            rare = classes[counts.argmin()]
            note(f"class {rare!s} has {counted(counts.min(), 'row')} for {folds} folds")
    kind = KFold if labels is None else StratifiedKFold
    found = []
    for repeat in range(repeats):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # rare classes: said above
            split = kind(folds, shuffle=True, random_state=seed + repeat).split(
                np.zeros(count), labels
            )
            found.append(list(split))
    if labels is not None and any(
        len(np.unique(labels[rows])) < 2 for each in found for rows, _ in each
    ):
        raise CommandError(
            "the rows to train on of a fold are all of one class\nGive more rows of the rare class."
        )
    return found


def _run(
    plan: Plan,
    formulas: tuple[Formula, ...],
    splits: list[list[tuple[NDArray[np.intp], NDArray[np.intp]]]],
    seed: int,
    kept: dict[Key, Fit],
    state: Path,
) -> None:
    """Do the fits that are not kept yet, fold after fold, every activation in turn."""
    due = [
        (repeat, fold, formula)
        for repeat, folds in enumerate(splits)
        for fold in range(len(folds))
        for formula in formulas
        if (name_of(formula), repeat, fold) not in kept
    ]
    total = len(formulas) * sum(map(len, splits))
    activations = counted(len(formulas), "activation")
    heading(f"{counted(total, 'fit')}: {activations} on the same folds and seeds")
    if len(due) < total:
        say(f"{total - len(due):,} of them are kept in {state}")
    if not due:
        return
    _warm_up(plan, held_out(plan.table, *splits[0][0]), [f for f in formulas if any(
        f is formula for _, _, formula in due
    )])  # fmt: skip
    done = total - len(due)
    at, examples = (-1, -1), None
    try:
        with _progress(total) as show:
            for repeat, fold, formula in due:
                show(done, f"{formula.title:.32}, fold {fold + 1} of repeat {repeat + 1}")
                if at != (repeat, fold) or examples is None:
                    at, examples = (repeat, fold), held_out(plan.table, *splits[repeat][fold])
                network_seed = seed + 1000 * repeat + fold
                finished = _fit(plan, formula, examples, network_seed, repeat, fold)
                keep(state, finished)
                kept[finished.key] = finished
                done += 1
    except KeyboardInterrupt:
        note(f"{done:,} of {counted(total, 'fit')} are kept in {state}; the same command goes on")
        raise


def _warm_up(plan: Plan, examples: Examples, formulas: Sequence[Formula]) -> None:
    """Fit an epoch with every activation, so that no time below holds its compiling."""
    targets = network_targets(examples)
    for formula in formulas:
        # What diverges at once is told with the fold in which it does.
        try:
            fit(plan.estimator(formula, 0, max_iter=1), examples.inputs, targets, all_epochs=True)
        except DivergenceError:
            continue


def _fit(
    plan: Plan, formula: Formula, examples: Examples, seed: int, repeat: int, fold: int
) -> Fit:
    estimator = plan.estimator(formula, seed)
    try:
        seconds = fit(estimator, examples.inputs, network_targets(examples), all_epochs=True)
    except DivergenceError as error:
        problem = str(error).splitlines()[0]
        return Fit(name_of(formula), repeat, fold, 0.0, 0.0, 0, False, problem)
    score = held_score(estimator, examples)
    problem = "" if math.isfinite(score) else "the predictions are no finite numbers"
    return Fit(
        name_of(formula), repeat, fold, score if not problem else 0.0, seconds,
        int(estimator.n_iter_), int(estimator.n_iter_) < plan.settings["max_iter"], problem,
    )  # fmt: skip


def _baseline(
    table: Prepared, splits: list[list[tuple[NDArray[np.intp], NDArray[np.intp]]]]
) -> float | None:
    """Return the accuracy of always the commonest classes; without classes it says nothing."""
    if table.task is not Task.CLASSIFICATION:
        return None
    shares = []
    for rows, held in (split for folds in splits for split in folds):
        right = np.ones(len(held), bool)
        for labels in in_columns(table.goals):
            classes, counts = np.unique(labels[rows], return_counts=True)
            right &= labels[held] == classes[counts.argmax()]
        shares.append(float(np.mean(right)))
    return float(np.mean(shares))


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int, str], None]]:
    """Yield a function that shows how many fits are done and what is on, in a terminal."""
    shown = console(error=True)
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (MofNCompleteColumn(), BarColumn(24), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=shown, transient=True, disable=not shown.is_terminal) as bar:
        task = bar.add_task("", total=total)
        yield lambda done, what: bar.update(task, completed=done, description=what)
