"""Distances of float32 results from float64 ones, in units in the last place of the former."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def of_elements(got: Array, wanted: Array) -> float:
    """Return the largest distance of float32 results from float64 ones, in ulp of the former."""
    return float(in_ulp(got, wanted).max())


def in_ulp(got: Array, wanted: Array) -> Array:
    """Return the distance of each result; infinity where one is no number and the other is."""
    with np.errstate(all="ignore"):
        rounded = wanted.astype(np.float32)
        unit = np.spacing(np.abs(rounded)).astype(np.float64)
        apart = np.abs(got.astype(np.float64) - wanted) / unit
    ends = ~np.isfinite(rounded)
    agree = (got == rounded) | (np.isnan(got) & np.isnan(rounded))
    apart[ends] = np.where(agree[ends], 0.0, np.inf)
    apart[np.isnan(apart)] = np.inf
    errors: Array = apart
    return errors


def farthest(parts: Iterable[tuple[Array, Array]], count: int) -> tuple[float, Array]:
    """Return the largest distance, and the places of the largest finite ones; of equal the first.

    Parameters
    ----------
    parts : iterable of (ndarray, ndarray)
        Places and the distances there.
    count : int
        How many places.
    """
    largest, found, places = 0.0, np.empty(0), np.empty(0, np.float32)
    for z, errors in parts:
        largest = max(largest, float(errors.max()))
        finite = np.where(np.isfinite(errors), errors, 0.0)
        if found.size < count or finite.max() > found[-1]:
            found, places = np.concatenate([found, finite]), np.concatenate([places, z])
            order = np.argsort(-found, kind="stable")[:count]
            found, places = found[order], places[order]
    return largest, places


def of_rows(got: Array, wanted: Array) -> float:
    """Return the largest distance in ulp of the largest result of each row."""
    with np.errstate(all="ignore"):
        largest = np.fmax.reduce(np.abs(wanted), axis=-1, keepdims=True).astype(np.float32)
        apart = np.abs(got.astype(np.float64) - wanted) / np.spacing(largest)
    apart[np.isnan(wanted) & np.isnan(got)] = 0.0
    apart[np.isnan(apart)] = np.inf
    return float(apart.max())
