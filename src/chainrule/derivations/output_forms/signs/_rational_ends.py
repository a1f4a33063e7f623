"""Rational ends of stretches, and of the values that exponentials have over them."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import mpmath
import sympy

_LARGEST_EXPONENT = 1000


def rational(x: float) -> Any:
    """Return a number as SymPy has it, exactly."""
    return sympy.Rational(Fraction(x)) if mpmath.isfinite(x) else sympy.oo * (1 if x > 0 else -1)


def exponential(argument: Any, side: int) -> Any:
    """Return a rational number on the outer side of an exponential, as near as 25 digits."""
    if argument == 0 or not argument.is_finite:
        return sympy.exp(argument)
    # Written out, a larger exponential keeps the process busy, and nothing interrupts that.
    if abs(argument) > _LARGEST_EXPONENT:
        if (argument > 0) == (side > 0):
            return sympy.oo if side > 0 else sympy.Integer(0)
        argument = _LARGEST_EXPONENT * sympy.sign(argument)
    return sympy.Rational(str(sympy.N(sympy.exp(argument) * (1 + side * sympy.Float("1e-25")), 30)))


def inside(low: Any, high: Any) -> Any:
    """Return a number between two others."""
    if low == -sympy.oo and high == sympy.oo:
        return sympy.Integer(0)
    if low == -sympy.oo:
        return high - 1
    return low + 1 if high == sympy.oo else (low + high) / 2
