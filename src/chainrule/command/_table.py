"""From a table to the inputs of a network: what is learned from columns, kept as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from chainrule.command._json import (
    check_distinct,
    entries,
    list_of,
    mapping,
    number,
    optional,
    text,
    truth,
)
from chainrule.command._messages import CommandError, counted, listed, quoted
from chainrule.command._options import Task
from chainrule.command._reading import numbers, texts
from chainrule.networks import ModelFileError

_VERSION, _OF_SEVERAL = 1, 2  # the second with a list of targets


@dataclass(frozen=True)
class NumericColumn:
    """A column of numbers, or of truth values as 0 and 1; it becomes one standardised input.

    Parameters
    ----------
    name : str
    mean, scale : float
        Of the rows that were trained on.
    fill : float or None
        What takes the place of a missing value; None refuses missing values.
    boolean : bool
    """

    name: str
    mean: float
    scale: float
    fill: float | None = None
    boolean: bool = False

    width = 1

    def typed(self, series: pl.Series) -> pl.Series:
        """Return the column as numbers."""
        return numbers(series, boolean=self.boolean)

    def encode(self, series: pl.Series) -> tuple[NDArray[np.float64], int]:
        """Return the input as a matrix of one column; nothing is ever unknown."""
        values = series.to_numpy()
        with np.errstate(over="ignore", invalid="ignore"):
            encoded = (values - self.mean) / self.scale
        if not np.isfinite(encoded).all():
            row = int(np.flatnonzero(~np.isfinite(encoded))[0])
            raise CommandError(
                f"column {quoted(self.name)}, row {row + 1}: {values[row]:g} is too far from the "
                f"values that were trained on (mean {self.mean:g}, standard deviation "
                f"{self.scale:g})\nCorrect it, or rescale the column."
            )
        return encoded[:, None], 0


@dataclass(frozen=True)
class CategoricalColumn:
    """A column of text; every category becomes an input that is 1 where it stands, else 0.

    Parameters
    ----------
    name : str
    categories : tuple of str
        Those of the rows that were trained on, sorted. Any other becomes all zeros.
    fill : str or None
        What takes the place of a missing value; None refuses missing values.
    """

    name: str
    categories: tuple[str, ...]
    fill: str | None = None

    @property
    def width(self) -> int:
        """The number of inputs."""
        return len(self.categories)

    def typed(self, series: pl.Series) -> pl.Series:
        """Return the column as text."""
        return texts(series)

    def encode(self, series: pl.Series) -> tuple[NDArray[np.float64], int]:
        """Return the inputs, and how many values are of no known category."""
        places = {category: place for place, category in enumerate(self.categories)}
        codes = series.replace_strict(places, default=-1, return_dtype=pl.Int64).to_numpy()
        encoded = np.zeros((len(codes), self.width))
        known = np.flatnonzero(codes >= 0)
        encoded[known, codes[known]] = 1.0
        return encoded, len(codes) - known.size


Column = NumericColumn | CategoricalColumn


@dataclass(frozen=True)
class Target:
    """A column to predict.

    Parameters
    ----------
    name : str
    task : Task
        Classification or regression.
    mean, scale : float
        For regression, of the rows that were trained on: the network predicts
        ``(target - mean)/scale``.
    """

    name: str
    task: Task
    mean: float = 0.0
    scale: float = 1.0


@dataclass(frozen=True)
class Encoding:
    """How rows of a table become inputs of a network; all that prediction needs beside it.

    Parameters
    ----------
    columns : tuple of NumericColumn or CategoricalColumn
        In the order of the inputs.
    targets : tuple of Target
        All of one task.
    missing : tuple of str
        Texts that stand for a missing value.
    """

    columns: tuple[Column, ...]
    targets: tuple[Target, ...]
    missing: tuple[str, ...] = ()

    @property
    def task(self) -> Task:
        """Classification or regression."""
        return self.targets[0].task

    @property
    def title(self) -> str:
        """The names of the targets."""
        return ", ".join(target.name for target in self.targets)

    def standardised(self, goals: NDArray[Any]) -> NDArray[Any]:
        """Return numbers in the units of the table as the network learns them."""
        mean, scale = self._scales()
        found: NDArray[Any] = (goals - mean) / scale
        return found

    def in_units(self, outputs: NDArray[Any]) -> NDArray[Any]:
        """Return what the network predicts in the units of the table."""
        mean, scale = self._scales()
        found: NDArray[Any] = outputs * scale + mean
        return found

    def _scales(self) -> tuple[NDArray[Any], NDArray[Any]]:
        pairs = np.array([(target.mean, target.scale) for target in self.targets])
        return pairs[:, 0].squeeze(), pairs[:, 1].squeeze()

    @property
    def width(self) -> int:
        """The number of inputs."""
        return sum(column.width for column in self.columns)

    def typed(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return the columns that are used, as numbers and text.

        Raises
        ------
        CommandError
            A column is missing, or holds what cannot be read as it was when trained.
        """
        absent = [quoted(column.name) for column in self.columns if column.name not in frame]
        if absent:
            raise CommandError(
                f"the table lacks {counted(len(absent), 'column')} that the model needs: "
                f"{listed(absent)}\nIts columns are {listed(map(quoted, frame.columns))}."
            )
        return pl.DataFrame([column.typed(frame[column.name]) for column in self.columns])

    def encode(self, typed: pl.DataFrame) -> tuple[NDArray[np.float64], dict[str, int]]:
        """Return inputs, and by column how many values are of no known category."""
        fills = {column.name: column.fill for column in self.columns}
        counts = missing_counts(typed)
        refused = {name: count for name, count in counts.items() if fills[name] is None}
        if refused:
            raise CommandError(
                f"missing values in {listed_counts(refused)} of {counted(typed.height, 'row')}\n"
                "The model was trained without --impute: fill them, remove the rows, or train "
                "again with --impute."
            )
        blocks, unknown = [], {}
        for column in self.columns:
            series = typed[column.name]
            block, count = column.encode(
                series if column.fill is None else series.fill_null(column.fill)
            )
            blocks.append(block)
            if count:
                unknown[column.name] = count
        return np.hstack(blocks), unknown

    def to_json(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        targets = [
            {
                "name": target.name,
                "task": target.task.value,
                "mean": target.mean,
                "scale": target.scale,
            }
            for target in self.targets
        ]
        return {
            "version": _VERSION if len(targets) == 1 else _OF_SEVERAL,
            "columns": [_describe(column) for column in self.columns],
            "target": targets[0] if len(targets) == 1 else targets,
            "missing": list(self.missing),
        }

    @staticmethod
    def from_json(value: Any) -> Encoding:
        """Read an encoding from data that nobody vouches for.

        Raises
        ------
        ModelFileError
            Something is missing, to spare, of another type, or out of range.
        """
        data = entries(value, ("version", "columns", "target", "missing"))
        if data["version"] not in (_VERSION, _OF_SEVERAL):
            raise ModelFileError(
                f"its table has version {data['version']!r:.40}, neither {_VERSION} nor "
                f"{_OF_SEVERAL}"
            )
        columns = tuple(_column(entry) for entry in list_of(data["columns"]))
        if not columns:
            raise ModelFileError("its table has no columns")
        goals = data["target"] if data["version"] == _OF_SEVERAL else [data["target"]]
        targets = tuple(_target(goal) for goal in list_of(goals))
        if len({target.task for target in targets}) != 1:
            raise ModelFileError("its targets are none, or of different tasks")
        check_distinct([column.name for column in (*columns, *targets)])
        return Encoding(columns, targets, tuple(text(each) for each in list_of(data["missing"])))


def _describe(column: Column) -> dict[str, Any]:
    if isinstance(column, NumericColumn):
        return {
            "kind": "numeric",
            "name": column.name,
            "mean": column.mean,
            "scale": column.scale,
            "fill": column.fill,
            "boolean": column.boolean,
        }
    return {
        "kind": "categorical",
        "name": column.name,
        "categories": list(column.categories),
        "fill": column.fill,
    }


def _target(value: Any) -> Target:
    goal = entries(value, ("name", "task", "mean", "scale"))
    if goal["task"] not in (Task.CLASSIFICATION.value, Task.REGRESSION.value):
        raise ModelFileError("its task is neither classification nor regression")
    return Target(
        text(goal["name"]), Task(goal["task"]), number(goal["mean"]),
        number(goal["scale"], positive=True),
    )  # fmt: skip


def _column(value: Any) -> Column:
    kind = mapping(value).get("kind")
    if kind == "numeric":
        data = entries(value, ("kind", "name", "mean", "scale", "fill", "boolean"))
        return NumericColumn(
            text(data["name"]),
            number(data["mean"]),
            number(data["scale"], positive=True),
            optional(number, data["fill"]),
            truth(data["boolean"]),
        )
    if kind == "categorical":
        data = entries(value, ("kind", "name", "categories", "fill"))
        categories = tuple(text(each) for each in list_of(data["categories"]))
        check_distinct(categories)
        fill = optional(text, data["fill"])
        if not categories or (fill is not None and fill not in categories):
            raise ModelFileError("a column has no categories, or is filled with none of them")
        return CategoricalColumn(text(data["name"]), categories, fill)
    raise ModelFileError(f"a column is neither numeric nor categorical: {kind!r:.40}")


def missing_counts(typed: pl.DataFrame) -> dict[str, int]:
    """Return the number of missing values of each column that has any."""
    return {series.name: count for series in typed if (count := series.null_count())}


def listed_counts(counts: dict[str, int]) -> str:
    """Return names with counts, the first few where there are many."""
    return listed(f"{quoted(name)} ({count:,})" for name, count in counts.items())
