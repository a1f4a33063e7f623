"""Signs of products, from those of their factors."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import sympy

from chainrule.portraits.enclosures._interval import Program
from chainrule.portraits.far_out import _tail
from chainrule.portraits.far_out._expansion import expansion, first_place
from chainrule.portraits.far_out._series import NotExpandedError, Series

_KEEPS_SIGN = ("reciprocal", "tanh", "sinh", "atan", "asinh", "erf", "expm1", "log1p")
_WITHIN_ONE = (sympy.tanh, sympy.erf)  # their values lie between -1 and 1
_POSITIVE = ("exp", "cosh", "sqrt", "power")


def sign_of_factors(form: Any, least: float) -> tuple[Fraction, int] | None:
    """Return a place and the sign of a SymPy form in x beyond it, where it is settled.

    Parameters
    ----------
    form : object
    least : float
        The least place that is of use.
    """
    place, sign = Fraction(max(least, 1.0)), 1
    for factor, power in sympy.factor(sympy.together(form)).as_powers_dict().items():
        found = _sign_of_factor(factor, least)
        if found is None:
            return None
        even = power.is_Integer and power % 2 == 0
        place, sign = max(place, found[0]), sign * (1 if even else found[1])
    return place, sign


def _expanded(factor: Any, start: Fraction) -> Series | None:
    try:
        return expansion(factor, start)
    except NotExpandedError:
        return None


def _sign_of_factor(factor: Any, least: float) -> tuple[Fraction, int] | None:
    factor = sympy.expand(factor)
    number, curve = factor.as_coeff_Add()
    if number in (1, -1) and (curve if curve.is_Function else -curve).func in _WITHIN_ONE:
        return Fraction(0), int(number)
    if factor.is_positive or factor.is_negative:
        return Fraction(0), 1 if factor.is_positive else -1
    quotient = _tail.tail(factor)
    found = _tail.first_place(quotient, least) if quotient is not None else None
    if found is None and quotient is None:
        found = first_place(lambda start: _expanded(factor, start), least)
    if found is not None or not (factor.is_Add and len(factor.args) == 2):
        return found
    # Of two terms of opposite sign the one with the larger square decides.
    first, second = factor.args
    if second.is_positive:
        first, second = second, first
    if not (first.is_positive and second.is_negative):
        return None
    difference = sympy.expand(first**2 - second**2)
    if difference.is_positive or difference.is_negative:
        return Fraction(0), 1 if difference.is_positive else -1
    quotient = _tail.tail(difference)
    return _tail.first_place(quotient, least) if quotient is not None else None


def strict_sign(program: Program, low: float, high: float) -> int:
    """Return the sign of an expression inside an interval on which it is defined, 0 if unknown.

    Parameters
    ----------
    program : Program
    low, high : float
        Ends that do not belong to the interval; they may be infinite.
    """
    values = program.trace((np.array([low]), np.array([high])))
    signs: list[int] = []
    for (operation, of), value in zip(program.lines, values, strict=True):
        sign = int(np.all(value[0] > 0)) - int(np.all(value[1] < 0))
        if operation == "given":
            sign = 1 if low >= 0 else -1 if high <= 0 else 0
        elif sign == 0 and operation != "number":
            below_one = operation == "subtract" and _is_one_less_a_square(program, of)
            sign = 1 if below_one else _sign_of(operation, of, signs)
        signs.append(sign)
    return signs[program.output]


def _is_one_less_a_square(program: Program, of: tuple[int, ...]) -> bool:
    """Tell whether a difference is ``1 - tanh(u)**2``, or that of another even power."""
    (first, number), (second, power) = (program.lines[k] for k in of)
    if first != "number" or number != (1.0, 1.0) or second != "whole_power":
        return False
    base, exponent = power
    return bool(exponent % 2 == 0 and program.lines[base][0] in ("tanh", "erf"))


def _sign_of(operation: str, of: tuple[int, ...], signs: list[int]) -> int:
    if operation == "whole_power":
        odd = of[1] % 2 == 1
        return signs[of[0]] if odd else abs(signs[of[0]])
    if operation in _POSITIVE:  # inside the domain, roots and powers have positive arguments
        return 1
    first = signs[of[0]]
    if operation == "negate":
        return -first
    if operation in _KEEPS_SIGN:
        return first
    second = signs[of[1]] if len(of) > 1 else 0
    if operation in ("multiply", "divide"):
        return first * second
    if operation == "add":
        return first if first == second else 0
    if operation == "subtract":
        return first if first == -second else 0
    return 0
