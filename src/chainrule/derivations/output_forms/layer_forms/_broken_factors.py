"""Layers ``a = z t(T)`` in which T is a reduction over z, and t is made of pieces.

That reduction over the outputs is ``T t(T)``. Where this rises or falls all the way it has an
inverse, piece by piece: of ``z*(1 + abs(mean(z)))`` the mean of the outputs tells that of z.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from math import inf

import mpmath

from chainrule.derivations._evaluate import evaluate
from chainrule.derivations.algebra._arithmetic import ONE, multiply, rebuilt
from chainrule.derivations.output_forms._inverses import inverted
from chainrule.derivations.output_forms._layers import exchanged, layers_of
from chainrule.derivations.pieces._pieces import Pieces, TooManyPiecesError, smooth_pieces
from chainrule.formulas import (
    REDUCTIONS,
    Apply,
    Expression,
    Formula,
    Variable,
    is_layer_coupled,
    subexpressions,
    substitute,
)

_A, _Z = Variable("a"), Variable("z")
_DIGITS, _NEAR = 60, mpmath.mpf(10) ** -40


def of_broken_factors(formula: Formula) -> Iterator[tuple[Expression, Expression]]:
    """Yield a reduction over `z` and its value in `a`; not proved.

    Examples
    --------
    >>> from chainrule.formulas import parse, to_text
    >>> ((left, right),) = of_broken_factors(parse("z*max(mean(z), 0) + z"))
    >>> to_text(left), to_text(right)
    ('mean(z)', 'where(mean(a) <= 0, mean(a), sqrt(1 + 4*mean(a))/2 - 1/2)')
    """
    reductions = {part for part in subexpressions(formula.expression) if _is_reduction(part)}
    if len(reductions) != 1:
        return
    (total,) = reductions
    assert isinstance(total, Apply)
    factor = substitute(formula.expression, lambda e: e if e == total else ONE if e == _Z else None)
    own = rebuilt(multiply(_Z, exchanged(factor, total, _Z)))
    of_outputs = exchanged(total, _Z, _A)
    if is_layer_coupled(own):
        return
    try:
        cut = smooth_pieces(Formula(own, formula.parameters))
    except TooManyPiecesError:
        return
    inverse = _inverse(cut, dict(formula.parameters)) if cut.breakpoints else None
    if inverse is not None:
        yield total, exchanged(inverse, _A, of_outputs)


def _is_reduction(e: Expression) -> bool:
    return isinstance(e, Apply) and e.operation in REDUCTIONS and e.arguments == (_Z,)


def _inverse(cut: Pieces, values: Mapping[str, float]) -> Expression | None:
    """Return the inverse of a function that rises or falls, in its output; it may do neither."""
    ends = [-inf, *(b.place for b in cut.breakpoints), inf]
    branches = []
    for piece, (low, high) in zip(cut.pieces, pairwise(ends), strict=True):
        place = mpmath.mpf(_inside(low, high))
        with mpmath.workdps(_DIGITS):
            output = evaluate(piece.expression, {**values, "z": place})
            ways = (
                way
                for way in inverted(layers_of(piece.expression, values), values)
                if abs(evaluate(way, {**values, "a": output}) - place) < _NEAR
            )
            way = next(ways, None)
        if way is None:
            return None
        branches.append((way, output))
    comparison = "less_equal" if branches[0][1] < branches[-1][1] else "greater_equal"
    inverse = branches[-1][0]
    for (way, _), b in reversed(list(zip(branches[:-1], cut.breakpoints, strict=True))):
        put_in: dict[Expression, Expression] = {_Z: b.location}
        beside = Apply(comparison, (_A, rebuilt(substitute(b.value, put_in.get))))
        inverse = Apply("where", (beside, way, inverse))
    return inverse


def _inside(low: float, high: float) -> float:
    if high - low < inf:
        return (low + high) / 2
    return high - 1 if low == -inf else low + 1
