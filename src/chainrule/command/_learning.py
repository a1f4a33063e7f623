"""What is learned from the columns of the rows to train on: scales, categories, fills."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from chainrule.command._messages import CommandError, quoted
from chainrule.command._options import Impute
from chainrule.command._reading import Content
from chainrule.command._table import CategoricalColumn, Column, NumericColumn


def learn(rows: pl.DataFrame, contents: dict[str, Content], impute: Impute) -> tuple[Column, ...]:
    """Learn scales, categories and fills.

    Parameters
    ----------
    rows : polars.DataFrame
        The rows to train on, typed.
    contents : dict
        What each column holds.
    impute : Impute
        Where it is not ``none``, every column learns a fill, whether or not values are missing in
        these rows. Text and truth values are always filled with the most frequent.
    """
    return tuple(_learn_column(rows[name], content, impute) for name, content in contents.items())


def _learn_column(series: pl.Series, content: Content, impute: Impute) -> Column:
    present = series.drop_nulls()
    if present.is_empty():
        raise CommandError(
            f"column {quoted(series.name)} has no value in the rows to train on\n"
            f"Leave it out: --drop {quoted(series.name)}."
        )
    if content is Content.TEXT:
        commonest = None if impute is Impute.NONE else most_frequent(present)
        return CategoricalColumn(series.name, tuple(present.unique().sort()), commonest)
    boolean = content is Content.BOOLEAN
    filling = Impute.MOST_FREQUENT if boolean and impute is not Impute.NONE else impute
    mean, scale = standard(present, series.name)
    fill = None
    if filling is Impute.MEAN:
        fill = mean
    elif filling is Impute.MEDIAN:
        fill = float(np.median(present.to_numpy()))
    elif filling is Impute.MOST_FREQUENT:
        fill = float(most_frequent(present))
    return NumericColumn(series.name, mean, scale, fill, boolean)


def standard(values: pl.Series, name: str) -> tuple[float, float]:
    """Return mean and standard deviation; 1 stands for the deviation of a constant."""
    given = values.to_numpy()
    # Within [-1, 1], squares cannot overflow.
    largest = float(np.abs(given).max()) or 1.0
    mean = float((given / largest).mean() * largest)
    scale = float((given / largest).std() * largest)
    if given.min() == given.max() or scale == 0.0:
        return mean, 1.0
    if not np.isfinite([mean, scale, 1.0 / scale]).all():
        raise CommandError(
            f"the numbers in column {quoted(name)} are too large or too close together to be "
            "standardised\nRescale the column, or leave it out with --drop."
        )
    return mean, scale


def most_frequent(present: pl.Series) -> Any:
    """Return the most frequent value; of several, the smallest."""
    return present.mode().min()
