"""The sign that all terms of a polynomial in bounded generators have."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice, product
from typing import Any

import sympy

from chainrule.derivations.algebra._field import Generator

_BOUNDED = ("tanh", "erf")
_MOST_BOUNDS = 9
_NOWHERE_AN_END = ("exp", "z", "log")  # of their ranges

Range = tuple[Any, Any]


def sign_of_terms(
    factor: Any, used: Sequence[Generator], ranges: Sequence[Range], strict: bool
) -> int:
    """Return the sign that all terms of a polynomial have, else 0.

    A generator may have its distance from a bound in place of itself: ``1 + erf(z) > 0``.

    Parameters
    ----------
    factor : sympy.Expr
        A polynomial in the generators.
    used : sequence of Generator
    ranges : sequence of pair
        Between what their values lie.
    strict : bool
        Whether the polynomial must be shown to vanish nowhere.
    """
    bounds = [
        [None, *(end for end in ends if end.is_finite and end != 0 and g.kind in _BOUNDED)]
        for g, ends in zip(used, ranges, strict=True)
    ]
    for ends in islice(product(*bounds), _MOST_BOUNDS):
        written, within = factor, list(ranges)
        for k, (g, end) in enumerate(zip(used, ends, strict=True)):
            if end is not None:
                low, high = ranges[k]
                side = 1 if end == low else -1
                written = written.subs(g.symbol, end + side * g.symbol)
                within[k] = (sympy.Integer(0), high - low)
        sign = _common_sign(sympy.expand(written), used, within, strict)
        if sign:
            return sign
    return 0


def _common_sign(
    factor: Any, used: Sequence[Generator], ranges: Sequence[Range], strict: bool
) -> int:
    signs, vanishes = [], True
    for powers, coefficient in sympy.Poly(factor, *(g.symbol for g in used)).terms():
        sign = int(sympy.sign(sympy.N(coefficient, 30)))
        for power, (low, high) in zip(powers, ranges, strict=True):
            if power % 2:
                sign *= 1 if low >= 0 else -1 if high <= 0 else 0
        signs.append(sign)
        vanishes = vanishes and any(
            power and low <= 0 <= high and g.kind not in _NOWHERE_AN_END
            for power, (low, high), g in zip(powers, ranges, used, strict=True)
        )
    return 0 if (strict and vanishes) or len(set(signs)) > 1 else signs[0]
