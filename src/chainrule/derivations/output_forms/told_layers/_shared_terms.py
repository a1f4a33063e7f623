"""Layers to whose units one number is added, the same for all of them.

Let ``a_j = h(z_j) + t(z)`` with h that rises, and two layers z and w have the same outputs. Then
all ``h(z_j)`` lie as far above ``h(w_j)`` as t(w) above t(z), say by c >= 0, and no z_j is below
w_j. If t rises with every unit, t(z) >= t(w), c is 0 and the layers are one. The same follows where
t falls as ``-mean(u(z))`` and ``-max(u(z))`` do, and ``h(z) - u(z)`` rises too: means and extremes
grow by no more than u does at some unit j, so that c is at most ``u(z_j) - u(w_j)``, but it is
``h(z_j) - h(w_j)``. And they grow by no less than u does at some unit: it follows too where
``u(z) - h(z)`` rises.

Where ``h(z) - u(z)``, or ``u(z) - h(z)``, rises and is level on some stretches, c may be more than
0: a mean grows by c only if u does so at every unit, so that ``h(z) - u(z)`` is the same all the
way from w_j to z_j. Layers then have one derivative if h has one slope all along such a stretch,
and u with it: ``where(z > 0, z, exp(z) - 1) - mean(z)``.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from itertools import pairwise
from math import inf

from chainrule.derivations.algebra._arithmetic import ZERO, add, multiply, negate, rebuilt
from chainrule.derivations.output_forms.rising._rising_in_both import sign_from
from chainrule.derivations.output_forms.rising._rising_layers import Rising, number_of, terms_of
from chainrule.derivations.pieces._pieces import (
    Pieces,
    TooManyPiecesError,
    differentiate,
    smooth_pieces,
)
from chainrule.formulas import (
    REDUCTIONS,
    Apply,
    Constant,
    Expression,
    Formula,
    is_layer_coupled,
    variables_of,
)

PROOF = "{} = h(z_j) + t with one t for all units, and t never falls by just as much as h rises"
_RISE = ("exp", "expm1", "log", "log1p", "sqrt", "tanh", "sinh", "atan", "asinh", "erf")
_EXTREMES = ("max", "min")
_AVERAGES = ("mean", *_EXTREMES)


def is_moved_less(e: Expression, rising: Rising) -> bool:
    """Tell whether a layer is ``h(z) + t(z)`` as above: its output then determines it."""
    own: Expression = ZERO
    falling: list[Expression] = []
    rises_too = is_mean = has_offset = False
    for factor, term in terms_of(e):
        if not is_layer_coupled(term):
            own = add(own, multiply(factor, term))
        elif rising.side(factor) * _direction(term, rising) <= 0:
            term, offset = _without_offset(term)
            has_offset = has_offset or offset
            averaged = _averaged(term, rising.values)
            if averaged is None:
                return False
            falling.append(multiply(factor, averaged))
            is_mean = not (isinstance(term, Apply) and term.operation in _EXTREMES)
        else:
            rises_too = True
    if len(falling) > 1 and any(variables_of(differentiate(u)) for u in falling):
        return False  # each may grow at another unit
    if not rising.rises(own, strictly=True):
        return False
    less = reduce(add, falling, own)
    if rising.rises(less, strictly=True):
        return True
    if len(falling) != 1 or rises_too or has_offset:
        return False
    return rising.rises(negate(less), strictly=True) or (
        is_mean
        and any(rising.rises(e) for e in (less, negate(less)))
        and _has_one_slope_where_level(own, less, rising.values)
    )


def _has_one_slope_where_level(h: Expression, e: Expression, values: Mapping[str, float]) -> bool:
    """Tell whether h is a straight line, its ends included, on each stretch on which e is level."""
    try:
        cuts = [smooth_pieces(Formula(rebuilt(x), tuple(values.items()))) for x in (h, e)]
    except TooManyPiecesError:
        return False
    own, level = cuts
    for piece, (low, high) in zip(level.pieces, _ends(level), strict=True):
        if piece.derivative != ZERO:
            continue
        slopes: set[float | None] = {
            None if variables_of(part.derivative) else float(number_of(part.derivative, values))
            for part, (left, right) in zip(own.pieces, _ends(own), strict=True)
            if left < high and right > low
        }
        slopes |= {b.slope for b in own.breakpoints if low <= b.place <= high}
        if len(slopes) > 1 or None in slopes:
            return False
    return True


def _ends(cut: Pieces) -> list[tuple[float, float]]:
    """Return between which places the pieces lie."""
    return list(pairwise([-inf, *(b.place for b in cut.breakpoints), inf]))


def _direction(e: Expression, rising: Rising) -> int:
    """Return 1 or -1 where what units share rises or falls with each of them, else 0."""
    upwards = Rising(rising.values, 1)
    directions = set()
    for factor, term in terms_of(e):
        match term:
            case Apply(operation, (inner,)) if operation in REDUCTIONS:
                if is_layer_coupled(inner):
                    return 0
                falling = Rising(rising.values, -1)
                own = 1 if upwards.rises(inner) else -int(falling.rises(inner))
            case Apply(operation, (inner,)) if operation in _RISE and is_layer_coupled(inner):
                own = _direction(inner, rising)
            case _ if not variables_of(term):
                continue
            case _:
                return 0
        directions.add(own * upwards.side(factor))
    return directions.pop() if len(directions) == 1 else 0


def _averaged(e: Expression, values: Mapping[str, float]) -> Expression | None:
    """Return u where a shared value grows by no more than u does at some unit, and no less."""
    match e:
        case Apply(operation, (inner,)) if operation in _AVERAGES:
            pass
        case Apply("log", (Apply("sum" | "mean", (Apply("exp", (inner,)),)),)):
            pass
        case Apply("log", (Apply("sum" | "mean", (positive,)),)):
            if is_layer_coupled(positive) or sign_from(positive, values, -inf, None) != (1, True):
                return None
            inner = Apply("log", (positive,))
        case _:
            return None
    return None if is_layer_coupled(inner) else inner


def _without_offset(e: Expression) -> tuple[Expression, bool]:
    """Return ``log(sum(f))`` for ``log(1 + sum(f))``, which grows by no more where it grows."""
    match e:
        case Apply("log", (Apply("add", (Constant(value), Apply("sum" | "mean") as total)),)):
            if value >= 0:
                return Apply("log", (total,)), True
    return e, False
