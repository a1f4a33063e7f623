"""The derivative of a whole formula, all pieces in one expression."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from itertools import pairwise
from math import isfinite
from typing import Any

import mpmath

from chainrule.derivations._chain_rule import derivative_in_variables
from chainrule.derivations._evaluate import evaluate
from chainrule.derivations.algebra._arithmetic import ONE, rebuilt, size
from chainrule.derivations.pieces._pieces import (
    Breakpoint,
    Piece,
    Pieces,
    is_rounded,
    place_between,
)
from chainrule.formulas import (
    Apply,
    Constant,
    Expression,
    Variable,
    constant,
    subexpressions,
    substitute,
    variables_of,
)

_Z = Variable("z")
_DIGITS = 60
_LARGEST_DENOMINATOR = 1000
_MUCH_LONGER = 2  # than the slopes of the pieces


def whole_slope(
    short: Expression, plain: Expression, pieces: Pieces, values: Mapping[str, Any]
) -> Expression:
    """Return the derivative of a whole formula in the shortest way that holds wherever it is taken.

    ``sign(z)**2 -> 1``, where the slope taken at the breakpoints is that of the shorter form. Over
    one denominator a slope may be 0/0 where a unit is off: ``z*sqrt(max(z, 0))`` below 0. And the
    chain rule knows one branch alone at a place where two have the same slope, or that one
    condition singles out: ``where(z == 1, 1, z)`` has the slope 1 everywhere.

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
    ways = (_without_squared_signs(short), short, plain)
    # At places that an equality singles out, its branches may agree, so that no piece ends there.
    amiss = {way: _amiss(way, pieces, values) for way in ways if not _singles_out(way)}
    mended = [_mended(way, places) for way, places in amiss.items() if places is not None]
    found = next((way for way in ways if amiss.get(way) == ()), None)
    plainest = min((by_pieces(pieces, map(_slope, pieces.pieces)), *mended), key=size)
    is_short = found is not None and size(found) <= _MUCH_LONGER * size(plainest)
    return found if found is not None and is_short else plainest


def by_pieces(pieces: Pieces, slopes: Iterable[Expression]) -> Expression:
    """Join the slopes of pieces to one expression, with those taken where the pieces meet."""
    parts = list(slopes)
    result = parts[-1]
    for b, (left, right) in zip(reversed(pieces.breakpoints), _pairs(parts), strict=True):
        if left != right:
            sign = "less_equal" if b.slope_from == "left" else "less"
            result = Apply("where", (Apply(sign, (_Z, b.location)), left, result))
        if b.slope_from == "own" and isfinite(b.slope):
            result = _mended(result, (b,))
    return result


def _pairs(parts: list[Expression]) -> list[tuple[Expression, Expression]]:
    return list(pairwise(parts))[::-1]


def _singles_out(e: Expression) -> bool:
    return any(
        isinstance(part, Apply) and part.operation in ("equal", "not_equal") and variables_of(part)
        for part in subexpressions(e)
    )


def _mended(slope: Expression, places: Iterable[Breakpoint]) -> Expression:
    """Take the slopes of some breakpoints from these."""
    for b in places:
        taken = constant(_exact(b.slope))
        if taken != slope:
            slope = Apply("where", (Apply("equal", (_Z, b.location)), taken, slope))
    return slope


def _slope(piece: Piece) -> Expression:
    return derivative_in_variables(piece.expression)


def _exact(slope: float) -> Fraction:
    short = Fraction(slope).limit_denominator(_LARGEST_DENOMINATOR)
    return short if float(short) == slope else Fraction(slope)


def _without_squared_signs(slope: Expression) -> Expression:
    def shorter(e: Expression) -> Expression | None:
        match e:
            case Apply("power", (Apply("sign", _), Constant(exponent))) if exponent == 2:
                return ONE
        return None

    return rebuilt(substitute(slope, shorter))


def _amiss(
    way: Expression, pieces: Pieces, values: Mapping[str, Any]
) -> tuple[Breakpoint, ...] | None:
    """Return where a slope is not the one taken; None where it is not that of a piece."""
    ends = [mpmath.mpf("-inf"), *(b.place for b in pieces.breakpoints), mpmath.mpf("inf")]

    def is_there(place: Any, wanted: Any, tolerance: Any) -> bool:
        apart = abs(evaluate(way, {**values, "z": place}) - wanted)
        return not mpmath.isfinite(wanted) or bool(apart <= tolerance * (1 + abs(wanted)))

    with mpmath.workdps(_DIGITS):
        for piece, (low, high) in zip(pieces.pieces, pairwise(ends), strict=True):
            place = place_between(low, high)
            wanted = evaluate(piece.derivative, {**values, "z": place})
            if not is_there(place, wanted, mpmath.mpf(10) ** (15 - _DIGITS)):
                return None
        places = [
            (b, evaluate(b.location, values))
            for b in pieces.breakpoints
            if not is_rounded(b.location)
        ]
        return tuple(
            b
            for b, place in places
            if mpmath.isfinite(evaluate(b.value, {**values, "z": place}))
            and not is_there(place, b.slope, mpmath.mpf(10) ** -12)
        )
