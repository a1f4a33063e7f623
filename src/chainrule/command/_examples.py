"""A table as examples to train on: inputs, what is learned of them, rows held out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from chainrule.command._arguments import TrainingOptions
from chainrule.command._learning import learn, standard
from chainrule.command._messages import CommandError, counted, listed, quoted
from chainrule.command._options import Impute, Task
from chainrule.command._reading import Content, content_of, is_ornate, numbers, texts
from chainrule.command._table import Encoding, Target, listed_counts, missing_counts
from chainrule.networks import NetworkError, validation_split

_MOST_CATEGORIES = 1_000
_MOST_INTEGER_CLASSES = 20
_ROWS_PER_INTEGER_CLASS = 5
_TASKS = (Task.REGRESSION, Task.CLASSIFICATION)
_LARGEST_LABEL = 2**53
_ORNATE = "which looks like a number\nWrite digits, a point and a sign alone"
# A year first or last, perhaps a time of day behind it.
_DATE = r"^(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4})([T ][\d:.+Z-]+)?$"


@dataclass(frozen=True, eq=False)
class Examples:
    """What a network is trained and tested with.

    Parameters
    ----------
    encoding : Encoding
    reasons : tuple of str
        Why the task of each target is what it is.
    inputs, targets, held_inputs, held_targets : ndarray
        Inputs and targets of the rows to train on, and of those held out. Targets are labels, or
        numbers in the units of the table; of several targets in columns.
    unknown : dict of str to int
        Categories that occur in held-out rows only, counted by column.
    """

    encoding: Encoding
    reasons: tuple[str, ...]
    inputs: NDArray[np.float64]
    targets: NDArray[Any]
    held_inputs: NDArray[np.float64]
    held_targets: NDArray[Any]
    unknown: dict[str, int]


@dataclass(frozen=True, eq=False)
class Prepared:
    """A table that can be trained on, before anything is learned from its rows.

    Parameters
    ----------
    typed : polars.DataFrame
        The columns of the inputs, as numbers and text.
    contents : dict of str to Content
        What each column holds.
    targets : tuple of str
    task : Task
    reasons : tuple of str
        Why the task of each target is what it is.
    goals : ndarray
        Labels, or numbers in the units of the table; of several targets in columns.
    missing : tuple of str
        Texts that stand for a missing value.
    impute : Impute
    """

    typed: pl.DataFrame
    contents: dict[str, Content]
    targets: tuple[str, ...]
    task: Task
    reasons: tuple[str, ...]
    goals: NDArray[Any]
    missing: tuple[str, ...]
    impute: Impute

    @property
    def labels(self) -> NDArray[Any] | None:
        """What to stratify by: the labels, where there are classes of one target."""
        of_one = self.task is Task.CLASSIFICATION and len(self.targets) == 1
        return self.goals if of_one else None


def prepared(frame: pl.DataFrame, options: TrainingOptions) -> Prepared:
    """Choose the task and the columns of a table; refuse what cannot be trained on."""
    targets, drop = _targets(options.target, frame.columns), options.drop or []
    for name in (*targets, *drop):
        if name not in frame.columns:
            raise CommandError(
                f"there is no column {quoted(name)}\n"
                f"The columns are {listed(map(quoted, frame.columns))}."
            )
    for target in targets:
        if target in drop:
            raise CommandError(f"{quoted(target)} is the target and cannot be left out")
    used = frame.drop(*targets, *drop)
    if used.width == 0:
        raise CommandError(
            f"no column is left to predict {listed(map(quoted, targets))} from\n"
            "Give a table with further columns, or drop fewer."
        )
    found = [_goals(frame[target], options.task) for target in targets]
    tasks, reasons, columns = zip(*found, strict=True)
    if len(set(tasks)) > 1:
        kinds = (
            f"{quoted(t)}: {task}, {why}"
            for t, task, why in zip(targets, tasks, reasons, strict=True)
        )
        raise CommandError(
            f"one network cannot classify some targets and regress others\n{'; '.join(kinds)}\n"
            "Give --task for all of them, or train a network for each kind."
        )
    goals = columns[0]
    if len(targets) > 1:
        kind = object if tasks[0] is Task.CLASSIFICATION else float
        goals = np.column_stack([column.astype(kind) for column in columns])
    contents = _contents(used)
    typed = pl.DataFrame([
        texts(used[name])
        if content is Content.TEXT
        else numbers(used[name], boolean=content is Content.BOOLEAN)
        for name, content in contents.items()
    ])  # fmt: skip
    _check_categories(typed, contents)
    _check_missing(used, typed, options.impute)
    return Prepared(
        typed, contents, targets, tasks[0], reasons, goals, tuple(options.missing or ()),
        options.impute,
    )  # fmt: skip


def _targets(text: str, columns: Sequence[str]) -> tuple[str, ...]:
    """Return the columns that are named: a name with a comma in it goes before two names."""
    names = (text,) if text in columns else tuple(part.strip() for part in text.split(","))
    if len(set(names)) < len(names):
        raise CommandError(f"--target {quoted(text)} names a column twice\nName each once.")
    return names


def split(made: Prepared, test_size: float, seed: int) -> Examples:
    """Hold a share of the rows out for a test."""
    rows, held = _split(len(made.goals), test_size, seed, made.labels)
    return held_out(made, rows, held)


def held_out(made: Prepared, rows: NDArray[np.intp], held: NDArray[np.intp]) -> Examples:
    """Make examples of rows; everything is learned from the rows to train on alone."""
    columns = learn(made.typed[rows], made.contents, made.impute)
    goals, targets = made.goals, []
    for name, of_one in zip(made.targets, in_columns(goals), strict=True):
        mean, scale = 0.0, 1.0
        if made.task is Task.REGRESSION:
            _check_varies(of_one, rows, held, name)
            mean, scale = standard(pl.Series(name, of_one[rows]), name)
        targets.append(Target(name, made.task, mean, scale))
    encoding = Encoding(columns, tuple(targets), made.missing)
    inputs, _ = encoding.encode(made.typed[rows])
    held_inputs, unknown = encoding.encode(made.typed[held])
    return Examples(encoding, made.reasons, inputs, goals[rows], held_inputs, goals[held], unknown)


def in_columns(values: NDArray[Any]) -> list[NDArray[Any]]:
    """Return the values of each target."""
    return list(values.reshape(len(values), -1).T)


def _goals(series: pl.Series, task: Task) -> tuple[Task, str, NDArray[Any]]:
    """Return the task, why it was chosen, and labels or numbers."""
    name, content = quoted(series.name), content_of(series)
    if content in (Content.EMPTY, Content.OTHER):
        found = "no values" if content is Content.EMPTY else f"values of type {series.dtype}"
        raise CommandError(f"the target {name} holds {found}\nExpected text, numbers or booleans.")
    boolean = content is Content.BOOLEAN
    values = texts(series) if content is Content.TEXT else numbers(series, boolean=boolean)
    if absent := values.null_count():
        raise CommandError(
            f"the target {name} is missing in {absent:,} of {counted(len(values), 'row')}\n"
            "Remove these rows: what is to be predicted cannot be imputed."
        )
    distinct = values.n_unique()
    taken, reason = _chosen(content, distinct, len(values), task)
    if distinct == 1:
        raise CommandError(
            f"the target {name} is {quoted(values[0])} in every row: there is nothing to learn\n"
            "Give rows of at least two classes, or with different values, or another --target."
        )
    is_taken_for_classes = content is Content.TEXT and task is Task.AUTO
    if is_taken_for_classes and is_ornate(values) and not _are_few(distinct, len(values)):
        raise CommandError(
            f"the target {name} holds text such as {quoted(values[0])}, {_ORNATE}, or give "
            "--task classification."
        )
    if taken is Task.REGRESSION:
        if content is Content.TEXT:
            raise CommandError(
                f"the target {name} holds text, which cannot be a target of regression\n"
                "Leave --task away to classify, or correct what is not a number: "
                f"{listed(map(quoted, _not_numbers(values)))}."
            )
        return taken, reason, values.to_numpy()
    if content is Content.TEXT:
        return taken, reason, np.array(values.to_list(), dtype=np.str_)
    given = values.to_numpy()
    if boolean:
        return taken, reason, given.astype(bool)
    if (given != np.round(given)).any() or (np.abs(given) > _LARGEST_LABEL).any():
        raise CommandError(
            f"the target {name} holds numbers that are no labels, such as "
            f"{given[(given != np.round(given)) | (np.abs(given) > _LARGEST_LABEL)][0]:g}\n"
            "Labels are text, booleans or whole numbers; or choose --task regression."
        )
    return taken, reason, given.astype(np.int64)


def _chosen(content: Content, distinct: int, rows: int, task: Task) -> tuple[Task, str]:
    if task is not Task.AUTO:
        return task, "as asked"
    if content is Content.TEXT:
        return Task.CLASSIFICATION, "since it holds text"
    regress, classify = (f"; --task {other} changes that" for other in _TASKS)
    if content is Content.BOOLEAN:
        return Task.CLASSIFICATION, f"since it holds booleans{regress}"
    if content is Content.NUMBER:
        return Task.REGRESSION, "since it holds numbers with fractions"
    if _are_few(distinct, rows):
        return (
            Task.CLASSIFICATION,
            f"since it holds whole numbers with few distinct values{regress}",
        )
    return Task.REGRESSION, f"since it holds whole numbers with many distinct values{classify}"


def _are_few(distinct: int, rows: int) -> bool:
    return distinct <= min(_MOST_INTEGER_CLASSES, rows / _ROWS_PER_INTEGER_CLASS)


def _not_numbers(values: pl.Series) -> list[str]:
    wrong = values.filter(values.cast(pl.Float64, strict=False).is_null())
    return wrong.unique(maintain_order=True).to_list()


def _contents(used: pl.DataFrame) -> dict[str, Content]:
    """Return what each column holds; refuse what cannot be an input."""
    contents = {series.name: content_of(series) for series in used}
    for series in used:
        content, name = contents[series.name], quoted(series.name)
        remedy = f"Leave it out: --drop {name}."
        if not series.name:
            raise CommandError(
                "a column has no name\nName it in the header; if it only numbers the rows, leave "
                "it out: --drop ''."
            )
        if content is Content.EMPTY:
            raise CommandError(f"column {name} has no values\n{remedy}")
        if content is Content.OTHER:
            raise CommandError(
                f"column {name} holds values of type {series.dtype}; expected numbers, booleans or "
                f"text\nTurn it into one of these before, or leave it out: --drop {name}."
            )
    return contents


def _check_missing(used: pl.DataFrame, typed: pl.DataFrame, impute: Impute) -> None:
    counts = missing_counts(typed)
    if counts and impute is Impute.NONE:
        marked = [used[name].filter(typed[name].is_null()).drop_nulls() for name in counts]
        marks = dict.fromkeys(mark for column in marked for mark in column)
        named = f", {listed(map(quoted, marks))} among numbers" if marks else ""
        raise CommandError(
            f"missing values in {listed_counts(counts)} of {counted(typed.height, 'row')}{named}\n"
            "Fill them with --impute mean, median or most-frequent, remove the rows, or leave "
            "columns out with --drop."
        )


def _check_categories(typed: pl.DataFrame, contents: dict[str, Content]) -> None:
    for name, content in contents.items():
        if content is not Content.TEXT:
            continue
        present = typed[name].drop_nulls()
        distinct = present.n_unique()
        if len(present) > 1 and distinct == len(present):
            if is_ornate(present):
                raise CommandError(
                    f"column {quoted(name)} holds text such as {quoted(present[0])}, {_ORNATE}, or "
                    f"leave it out: --drop {quoted(name)}."
                )
            raise CommandError(
                f"column {quoted(name)} holds a different text in every row: it names the rows, "
                f"and nothing can be learned from it\nLeave it out: --drop {quoted(name)}."
            )
        if distinct > _MOST_CATEGORIES:
            raise CommandError(
                f"column {quoted(name)} has {distinct:,} categories; at most "
                f"{_MOST_CATEGORIES:,} are taken\nGroup them, or leave it out: "
                f"--drop {quoted(name)}."
            )


def _split(
    count: int, share: float, seed: int, labels: NDArray[Any] | None
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    try:
        return validation_split(count, share, np.random.default_rng(seed), labels)
    except NetworkError:
        raise CommandError(
            f"{counted(count, 'row')} are too few to hold a share of {share:g} out for the test\n"
            "Give more rows, or another --test-size."
        ) from None


def _check_varies(
    goals: NDArray[Any], rows: NDArray[np.intp], held: NDArray[np.intp], target: str
) -> None:
    for part, name in ((rows, "to train on"), (held, "held out")):
        if np.ptp(goals[part]) == 0.0:
            raise CommandError(
                f"the target {quoted(target)} has one value in the {counted(part.size, 'row')} "
                f"{name}\nGive more rows, hold out more of them, or change --seed."
            )


def notes_on(frame: pl.DataFrame, encoding: Encoding) -> list[str]:
    """Return what looks like a slip in the table, though it can be trained on."""
    notes = []
    if pl.Series(frame.columns).cast(pl.Float64, strict=False).null_count() == 0:
        notes.append(
            f"the header holds numbers alone: {listed(map(quoted, frame.columns))}. If they are a "
            "row of the table, put a line with the columns' names before it."
        )
    for column in encoding.columns:
        values = frame[column.name]
        if values.dtype != pl.String or content_of(values) is not Content.TEXT:
            continue
        present = values.drop_nulls()
        wrong = _not_numbers(present)
        if 2 * present.is_in(wrong).sum() < len(present):
            notes.append(
                f"column {quoted(column.name)} is taken as categories since not all of it is "
                f"numbers: {listed(map(quoted, wrong))}. If these stand for missing values, give "
                f"--missing {quoted(wrong[0])}."
            )
        elif is_ornate(present):
            remedy = _ORNATE.replace("\n", ". ")
            notes.append(
                f"column {quoted(column.name)} is taken as {column.width:,} categories such as "
                f"{quoted(present[0])}, {remedy}."
            )
        elif present.str.contains(_DATE).all():
            notes.append(
                f"column {quoted(column.name)} holds dates, taken as {column.width:,} categories: "
                "a day that was not there counts as none of them. Turn it into numbers, such as "
                f"days and months, or leave it out: --drop {quoted(column.name)}."
            )
    return notes
