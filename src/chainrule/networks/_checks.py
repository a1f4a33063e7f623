"""What people give to networks and training: numbers, sizes, rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chainrule.formulas import Formula
from chainrule.networks._errors import NetworkError
from chainrule.networks._layout import NORMALISATIONS


def check_count(name: str, value: Any) -> None:
    """Refuse what is no whole number of at least 1."""
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 1:
        raise NetworkError(f"{name} must be a whole number of at least 1, got {value!r:.60}")


def check_number(name: str, value: Any) -> None:
    """Refuse what is no number of at least 0."""
    is_number = isinstance(value, int | float | np.integer | np.floating)
    if not is_number or isinstance(value, bool) or not value >= 0:
        raise NetworkError(f"{name} must be a number of at least 0, got {value!r:.60}")


def check_architecture(sizes: tuple[int, ...], activations: tuple[Formula, ...]) -> None:
    """Refuse sizes that are not positive integers, and a wrong number of activations."""
    whole = all(isinstance(size, int) and not isinstance(size, bool) for size in sizes)
    if not whole or len(sizes) < 2 or min(sizes) < 1:
        raise NetworkError(
            f"sizes must be two or more positive integers, inputs first, got {sizes!r}"
        )
    if len(activations) != len(sizes) - 1:
        raise NetworkError(
            f"{len(sizes) - 1} layers need as many activations, got {len(activations)}"
        )


def check_normalisations(kinds: tuple[str, ...], layers: int) -> None:
    """Refuse unknown normalisations, too few or too many of them, and one of the output layer."""
    if len(kinds) != layers or any(kind not in NORMALISATIONS for kind in kinds) or kinds[-1]:
        raise NetworkError(
            'normalisation must be "", "layer" or "batch", or one of these for each of the '
            f"{layers - 1} hidden layers; got {', '.join(repr(kind) for kind in kinds[:-1])}"
        )


def overflow_remedy(X: NDArray[Any], Y: NDArray[Any], dtype: np.dtype[Any]) -> str:
    """Return what to do where entries are so large that a dtype does not hold their squares."""
    limit = np.sqrt(np.finfo(dtype).max)
    inputs, targets = (float(np.abs(part).max(initial=0.0)) for part in (X, Y))
    advice = []
    if inputs > limit:
        advice.append(f"divide X by its size (its largest entry is {inputs:.3g})")
    if targets > limit:
        advice.append(f"divide the targets by their spread (the largest is {targets:.3g})")
    if not advice:
        return ""
    return f"{dtype.name} does not hold squares of such numbers: {' and '.join(advice)}."


def as_rows(values: ArrayLike, columns: int, dtype: np.dtype[Any], what: str) -> NDArray[Any]:
    """Return values as a read-only C-contiguous array (examples, columns) of a dtype.

    Read-only, because the compiled functions are specialised to it: then one specialisation serves
    a person's arrays, memory maps and our own alike.
    """
    array = np.ascontiguousarray(values, dtype)
    if array.ndim != 2 or array.shape[1] != columns:
        raise NetworkError(f"{what} must have shape (examples, {columns}), got {np.shape(values)}")
    view = array.view()
    view.flags.writeable = False
    return view
