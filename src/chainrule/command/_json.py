"""Strict readers of plain data out of files that nobody vouches for."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from chainrule.networks import ModelFileError

_LONGEST_TEXT = 100_000
_MOST_ENTRIES = 1_000_000
Value = TypeVar("Value")


def mapping(value: Any) -> dict[str, Any]:
    """Return a mapping."""
    if not isinstance(value, dict):
        raise ModelFileError(f"expected a mapping, found {type(value).__name__}")
    return value


def entries(value: Any, names: Sequence[str]) -> dict[str, Any]:
    """Return a mapping with exactly these names."""
    data = mapping(value)
    if data.keys() != set(names):
        wrong = sorted(data.keys() ^ set(names))[:3]
        raise ModelFileError(f"entries are missing or to spare: {', '.join(map(ascii, wrong))}")
    return data


def list_of(value: Any) -> list[Any]:
    """Return a list of bounded length."""
    if not isinstance(value, list) or len(value) > _MOST_ENTRIES:
        raise ModelFileError(f"expected a list, found {type(value).__name__}")
    return value


def text(value: Any) -> str:
    """Return a text of bounded length."""
    if not isinstance(value, str) or len(value) > _LONGEST_TEXT:
        raise ModelFileError(f"expected a text, found {type(value).__name__}")
    return value


def truth(value: Any) -> bool:
    """Return a truth value."""
    if not isinstance(value, bool):
        raise ModelFileError(f"expected true or false, found {type(value).__name__}")
    return value


def number(value: Any, *, positive: bool = False) -> float:
    """Return a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ModelFileError(f"expected a number, found {type(value).__name__}")
    try:
        result = float(value)
    except OverflowError:
        result = math.inf
    if not math.isfinite(result) or (positive and result <= 0.0):
        raise ModelFileError(
            f"expected a finite{' positive' * positive} number, found {value!r:.40}"
        )
    return result


def optional(read: Callable[[Any], Value], value: Any) -> Value | None:
    """Return None, or what a reader makes of the value."""
    return None if value is None else read(value)


def check_distinct(names: Sequence[str]) -> None:
    """Refuse a name that occurs twice."""
    if len(set(names)) != len(names):
        raise ModelFileError("a name occurs twice")
