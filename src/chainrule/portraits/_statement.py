"""A statement on a function, and how its numbers are written."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from typing import Any

import numpy as np
import sympy

Bounds = tuple[float, float]
LARGEST = float(np.finfo(np.float64).max)


@dataclass(frozen=True)
class Statement:
    """One property of a function.

    Parameters
    ----------
    subject, text : str
    proved : bool
        Whether it is proved by symbolic algebra or interval arithmetic.
    bounds : tuple of float, optional
        An enclosure of the number it states.
    """

    subject: str
    text: str
    proved: bool
    bounds: Bounds | None = None


def unsettled(subject: str, reason: str = "") -> Statement:
    """Return the statement that nothing is known."""
    return Statement(subject, f"not settled: {reason}" if reason else "not settled", False)


def bounds_of(exact: Any) -> Bounds:
    """Enclose a SymPy number, or ±oo, between doubles."""
    if exact in (sympy.oo, -sympy.oo):
        return (math.inf, math.inf) if exact == sympy.oo else (-math.inf, -math.inf)
    nearest = float(sympy.N(exact, 30))
    if math.isinf(nearest):  # beyond the doubles
        return (LARGEST, math.inf) if nearest > 0 else (-math.inf, -LARGEST)
    if exact == sympy.Rational(nearest):
        return nearest, nearest
    return float(np.nextafter(nearest, -np.inf)), float(np.nextafter(nearest, np.inf))


def enclosed(bounds: Bounds) -> str:
    """Write a number with its enclosure; without, where it is exact."""
    low, high = bounds
    if low == high:
        return f"{low + 0.0:.12g}".replace("inf", "∞")
    return f"{(low + high) / 2 + 0.0:.10g} in {interval(bounds)}"


def interval(bounds: Bounds) -> str:
    """Write an enclosure in eleven digits, rounded outward: it holds as it is written."""
    ways = zip(bounds, (ROUND_FLOOR, ROUND_CEILING), strict=True)
    low, high = (Context(11, way).create_decimal(Decimal(end)) for end, way in ways)
    return f"[{float(low):.12g}, {float(high):.12g}]"


def rounded(bounds: Bounds) -> str:
    """Write the digits of a number that its enclosure settles, at most eight."""
    low, high = bounds
    middle = (low + high) / 2
    if math.isinf(middle):
        return f"{middle}".replace("inf", "∞")
    if low <= 0 <= high:
        return "0" if high - low < 1e-6 else f"{middle:.1g}"
    for digits in range(8, 1, -1):
        unit = 10.0 ** (math.floor(math.log10(abs(middle) or 1.0)) - digits + 1)
        if high - low < unit:
            return f"{round(middle / unit) * unit + 0.0:.{digits}g}"
    return f"{middle + 0.0:.2g}"


def place(number: float) -> str:
    """Write a place on the axis."""
    return f"{number + 0.0:.10g}".replace("inf", "∞")


def number(bounds: Bounds | None) -> str:
    """Write a number as one writes a place, where it is known."""
    if bounds is None:
        return "an unknown number"
    return place(bounds[0] if bounds[0] == bounds[1] else (bounds[0] + bounds[1]) / 2)
