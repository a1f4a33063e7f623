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


def without_squared_signs(
    slope: Expression, pieces: Pieces, values: Mapping[str, Any]
) -> Expression:
    """``sign(z)**2 -> 1``, where the slope taken at the breakpoints is that of the shorter form.

    Parameters
    ----------
    slope : Expression
        The derivative of the whole formula.
    pieces : Pieces
    values : mapping of str to float
        Of the parameters.
    """

    def shorter(e: Expression) -> Expression | None:
        match e:
            case Apply("power", (Apply("sign", _), Constant(exponent))) if exponent == 2:
                return ONE
        return None

    short = rebuilt(substitute(slope, shorter))
    if short == slope:
        return slope
    ends = [mpmath.mpf("-inf"), *(b.place for b in pieces.breakpoints), mpmath.mpf("inf")]
    with mpmath.workdps(_DIGITS):
        wanted = [(b.place, b.slope, mpmath.mpf(10) ** -12) for b in pieces.breakpoints]
        for piece, (low, high) in zip(pieces.pieces, pairwise(ends), strict=True):
            place = place_between(low, high)
            exact = evaluate(piece.derivative, {**values, "z": place})
            wanted.append((place, exact, mpmath.mpf(10) ** (15 - _DIGITS)))
        for place, exact, tolerance in wanted:
            got = evaluate(short, {**values, "z": place})
            if mpmath.isfinite(exact) and not abs(got - exact) <= tolerance * (1 + abs(exact)):
                return slope
    return short
