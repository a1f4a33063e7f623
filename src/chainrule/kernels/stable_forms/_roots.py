"""Square roots of what grows like a square, without overflow or terms that cancel."""

from __future__ import annotations

import math
from typing import Any

import mpmath
import sympy

from chainrule.derivations import Field
from chainrule.formulas import Parameter

_FAR, _FAR_FOR_EXPONENTIALS = 1000, 20
_SOONEST, _LATEST = 15, 150  # powers of ten from which on squares may overflow, and do
_LOST = 2.0**-60
_DIGITS = 60


def root_where_squares_overflow(field: Field, argument: Any) -> tuple[Any, int] | None:
    """Return c and a k, where the root of ``c x**2 + b`` is ``x sqrt(c)`` from 10**k on."""
    meaning = field.translation.meaning
    known = {field.x, *(symbol for symbol, leaf in meaning.items() if isinstance(leaf, Parameter))}
    if not argument.free_symbols <= known or not argument.is_polynomial(field.x):
        return None
    squares, *rest = sympy.Poly(argument, field.x).all_coeffs()
    if len(rest) != 2 or rest[0] != 0:
        return None
    square, constant = field.number(squares), abs(field.number(rest[1]))
    if not square > 0:
        return None
    far = math.sqrt(constant / (square * _LOST))
    power = max(_SOONEST, math.ceil(math.log10(far)) if far else 0)
    return (squares, power) if power <= _LATEST else None


def without_cancelling_root(field: Field, above: Any, below: Any) -> tuple[Any, Any]:
    """Expand a quotient where a root less what is nearly the same leaves no power of x.

    ``sqrt(x**2 + b) - x`` is b over their sum. Both parts are scaled such that the sum of two
    numbers, halved, stands below, which does not overflow.
    """
    content, _ = sympy.factor_list(below)
    if content.is_Rational and content.p & (content.p - 1) == 0:
        above, below = sympy.expand(above / content), sympy.cancel(below / content)
    for g in field.generators:
        for factor, exponent in sympy.factor_list(above)[1]:
            if exponent != 1 or sympy.degree(factor, g.symbol) != 1:
                continue
            slope, rest = factor.coeff(g.symbol, 1), factor.coeff(g.symbol, 0)
            total = slope * g.symbol - rest
            product = sympy.cancel(slope**2 * g.argument - rest**2)
            if not product.has(field.x) and _cancels(field, factor, total):
                return sympy.cancel(above / factor) * product / 2, below * total / 2
    return above, below


def _cancels(field: Field, difference: Any, total: Any) -> bool:
    """Tell whether large terms cancel in the one, and add up in the other."""
    rate = 0.0 if field.exponential is None else abs(field.number(field.rate))
    far = mpmath.mpf(field.side or 1) * (_FAR_FOR_EXPONENTIALS / rate if rate else _FAR)
    with mpmath.workdps(_DIGITS):
        first, second = (field.tried(e, far) for e in (difference, total))
    return bool(0 < abs(first) < abs(second) / 2)
