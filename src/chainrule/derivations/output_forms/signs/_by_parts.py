"""The sign of an expression by interval arithmetic over shorter and shorter parts."""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from itertools import pairwise
from typing import Any, TypeGuard

import mpmath
import sympy

from chainrule.derivations.algebra._sympy import Translation
from chainrule.derivations.output_forms.signs._intervals import (
    NotEnclosedError,
    enclosure,
    interval,
)
from chainrule.derivations.pieces._pieces import differentiate
from chainrule.formulas import Apply, Expression, subexpressions, variables_of

_MOST_PARTS = 120
_MORE = 1.01  # than a period


def sign_by_parts(expression: Expression, low: float, high: float, strict: bool) -> int:
    """Bound an expression over parts of an interval, halving those that are not settled."""
    parts = _first_parts(low, high)
    derivative = differentiate(expression)
    found = 0
    for _ in range(_MOST_PARTS):
        if not parts:
            return found
        left, right = parts.pop()
        sign = _sign_over(expression, left, right, strict)
        sign = sign or _sign_by_mean_value(expression, derivative, left, right)
        if sign == 0:
            parts += _halves(left, right)
        elif found in (0, sign):
            found = sign
        else:
            return 0
    return 0


def sign_over_period(expression: Expression, strict: bool) -> int:
    """Bound what repeats itself, as ``exp(sin(z))*cos(z) + 2`` does, over a little more than once.

    0 for everything else.
    """
    translation = Translation()
    rates = [translation.to_sympy(rate) for rate in _rates(expression)]
    if not rates or any("z" in variables_of(e) for e in _without_angles(expression)):
        return 0
    ratios = [sympy.cancel(rate / rates[0]) for rate in rates]
    if not all(ratio.is_Rational and ratio for ratio in ratios):
        return 0
    rate = abs(rates[0] * reduce(sympy.gcd, map(abs, ratios)))
    return sign_by_parts(expression, 0.0, float(_MORE * 2 * sympy.pi / rate), strict)


def _rates(e: Expression) -> Iterator[Expression]:
    for part in subexpressions(e):
        if _is_angle(part):
            yield differentiate(part.arguments[0])


def _without_angles(e: Expression) -> Iterator[Expression]:
    """Yield the leaves of an expression, the sines and cosines of angles among them left out."""
    if not isinstance(e, Apply):
        yield e
    elif not _is_angle(e):
        for part in e.arguments:
            yield from _without_angles(part)


def _is_angle(e: Expression) -> TypeGuard[Apply]:
    """Tell a sine or cosine of what rises or falls evenly with z."""
    match e:
        case Apply("sin" | "cos", (x,)):
            return "z" in variables_of(x) and not variables_of(differentiate(x))
    return False


def _sign_over(expression: Expression, low: Any, high: Any, strict: bool) -> int:
    try:
        bounds = enclosure(expression, {"z": interval(low, high)}, bounded=False)
    except NotEnclosedError:
        return 0
    if strict and 0 in bounds:
        return 0
    if bounds.a >= 0 and bounds.b > 0:
        return 1
    return -1 if bounds.b <= 0 and bounds.a < 0 else 0


def _sign_by_mean_value(expression: Expression, derivative: Expression, low: Any, high: Any) -> int:
    """Bound f over a short part by ``f(middle) + f' (z - middle)``."""
    if mpmath.isinf(low) or mpmath.isinf(high) or high - low > 1:
        return 0
    part, middle = interval(low, high), (low + high) / 2
    point = interval(middle, middle)
    try:
        slope = enclosure(derivative, {"z": part})
        bounds = enclosure(expression, {"z": point}) + slope * (part - point)
    except NotEnclosedError:
        return 0
    return 1 if bounds.a > 0 else -1 if bounds.b < 0 else 0


def _first_parts(low: float, high: float) -> list[tuple[Any, Any]]:
    inner = [x for x in (-16.0, -4.0, -1.0, 0.0, 1.0, 4.0, 16.0) if low < x < high]
    edges = [low, *inner, high]
    return list(pairwise(edges))


def _halves(low: float, high: float) -> list[tuple[float, float]]:
    if mpmath.isinf(low):
        middle = 4 * min(high, -1.0)
    elif mpmath.isinf(high):
        middle = 4 * max(low, 1.0)
    else:
        middle = (low + high) / 2
    return [(low, middle), (middle, high)] if low < middle < high else []
