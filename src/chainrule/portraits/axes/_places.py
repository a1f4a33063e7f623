"""What holds of an expression at one place of the axis."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import mpmath
import sympy

from chainrule.derivations import evaluate, time_limit
from chainrule.derivations.algebra._sympy import FAILURES, put_in
from chainrule.formulas import Expression, constant
from chainrule.portraits._statement import Bounds
from chainrule.portraits.axes._domain import (
    Edge,
    conditions,
    numbers_have_values,
)
from chainrule.portraits.enclosures._interval import Program
from chainrule.portraits.far_out import _tail

_ZERO = mpmath.mpf(10) ** -40
_SAME = mpmath.mpf(10) ** -20


def exact_value(e: Expression, parameters: Mapping[str, float], place: Any) -> Any:
    """Return an expression's value at a place in SymPy's terms, or None."""
    try:
        with time_limit(0.2):
            form = _tail.exact_sympy(e, parameters, 1, positive=False)
            value = put_in(form, _tail.REAL, place)
            value = sympy.cancel(value) if not value.is_Rational else value
    except FAILURES:
        return None
    return value if value.is_number else None


def is_defined(e: Expression, parameters: Mapping[str, float], edge: Edge, side: int = 0) -> bool:
    """Tell whether an expression is defined at a place, which may be that of a pole.

    A place is rounded, to the `side` given. Where something vanishes, what remains of it changes
    with the number of digits, and so does all that is divided by it.
    """
    if edge.is_rounded:
        return all(map(math.isfinite, near(Program(e, parameters), edge)))
    values = []
    for digits in (60, 100):
        with mpmath.workdps(digits):
            place = mpmath.mpf(str(sympy.N(edge.exact, digits)))
            if not edge.is_double:
                place += side * (abs(place) or 1) * mpmath.mpf(10) ** (5 - digits)
            values.append(evaluate(e, {**parameters, "z": place}))
    if not all(map(mpmath.isfinite, values)):  # undefined, or too large to be had
        return numbers_have_values(e, parameters) and all(
            sign_at(part, parameters, edge) in ((1,) if positive else (1, -1))
            for part, positive in conditions(e, parameters)
        )
    return bool(abs(values[1] - values[0]) <= _SAME * (1 + abs(values[0])))


def sign_at(e: Expression, parameters: Mapping[str, float], edge: Edge) -> int | None:
    """Return the sign at a place; 0 only where algebra shows that it is zero."""
    if edge.is_rounded:
        low, high = near(Program(e, parameters), edge)
        return 1 if low > 0 else -1 if high < 0 else 0 if low == high == 0 else None
    with mpmath.workdps(60):
        place = mpmath.mpf(str(sympy.N(edge.exact, 60)))
        value = evaluate(e, {**parameters, "z": place})
        if mpmath.isnan(value) or (mpmath.isinf(value) and not is_defined(e, parameters, edge)):
            return None
        if abs(value) >= _ZERO:
            return int(mpmath.sign(value))
    return 0 if vanishes(e, parameters, edge.exact) else None


def near(program: Program, edge: Edge) -> Bounds:
    """Return bounds at a place; where it is no double, around the nearest one."""
    if edge.is_double:
        return program.at(edge.place)
    around = math.nextafter(edge.place, -math.inf), math.nextafter(edge.place, math.inf)
    return program.over(*around)


def vanishes(e: Expression, parameters: Mapping[str, float], exact: Any) -> bool:
    """Tell whether digits and algebra show that an expression is zero at an exact place."""
    with mpmath.workdps(60):
        place = mpmath.mpf(str(sympy.N(exact, 60)))
        if not abs(evaluate(e, {**parameters, "z": place})) < _ZERO:
            return False
    try:
        with time_limit(0.2):
            return _tail.vanishes(e, parameters, exact)
    except FAILURES:
        return False


def without_terms_that_cancel(e: Expression, parameters: Mapping[str, float]) -> Expression:
    """Return an expression, or what is left of it where its terms add up to a number."""
    try:
        with time_limit(0.2):
            exact = sympy.expand(_tail.exact_sympy(e, parameters, 1, positive=False))
    except FAILURES:
        return e
    if exact.is_Rational:
        return constant(Fraction(int(exact.p), int(exact.q)))
    return e
