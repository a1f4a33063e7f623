"""The derivative of a whole formula, all pieces in one expression."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import mpmath

from chainrule.derivations._arithmetic import ONE, rebuilt
from chainrule.derivations._evaluate import evaluate
from chainrule.derivations._pieces import Pieces, place_between
from chainrule.formulas import Apply, Constant, Expression, substitute

_DIGITS = 60


def whole_slope(
    short: Expression, plain: Expression, pieces: Pieces, values: Mapping[str, Any]
) -> Expression:
    """Return the derivative of a whole formula in the shortest way that holds on every piece.

    ``sign(z)**2 -> 1``, where the slope taken at the breakpoints is that of the shorter form. And
    over one denominator a slope may be 0/0 where a unit is off: ``z*sqrt(max(z, 0))`` below 0.

    Parameters
    ----------
    short : Expression
        As simplified.
    plain : Expression
        As the chain rule gives it.
    pieces : Pieces
    values : mapping of str to float
        Of the parameters.
    """
    ways = (_without_squared_signs(short), short)
    return next((way for way in ways if _holds(way, plain, pieces, values)), plain)


def _without_squared_signs(slope: Expression) -> Expression:
    def shorter(e: Expression) -> Expression | None:
        match e:
            case Apply("power", (Apply("sign", _), Constant(exponent))) if exponent == 2:
                return ONE
        return None

    return rebuilt(substitute(slope, shorter))


def _holds(way: Expression, plain: Expression, pieces: Pieces, values: Mapping[str, Any]) -> bool:
    """Compare with the pieces and the breakpoints, wherever the chain rule itself agrees."""
    if way == plain or not pieces.breakpoints:
        return True
    ends = [mpmath.mpf("-inf"), *(b.place for b in pieces.breakpoints), mpmath.mpf("inf")]
    with mpmath.workdps(_DIGITS):
        wanted = [(b.place, b.slope, mpmath.mpf(10) ** -12) for b in pieces.breakpoints]
        for piece, (low, high) in zip(pieces.pieces, pairwise(ends), strict=True):
            place = place_between(low, high)
            exact = evaluate(piece.derivative, {**values, "z": place})
            wanted.append((place, exact, mpmath.mpf(10) ** (15 - _DIGITS)))
        for place, exact, tolerance in wanted:
            if not mpmath.isfinite(exact):
                continue
            apart = [abs(evaluate(e, {**values, "z": place}) - exact) for e in (way, plain)]
            agrees = [bool(x <= tolerance * (1 + abs(exact))) for x in apart]
            if agrees == [False, True]:
                return False
    return True
