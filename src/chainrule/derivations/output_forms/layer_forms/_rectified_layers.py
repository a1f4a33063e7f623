"""Layers ``a_j = max(h(z_j) - t(T), 0)`` with one ``T = R(u(z))``: off, or told by what is on.

Where ``h <= t`` for any layer, all outputs are 0, and so is the derivative.

Let h rise, and R be the largest u, with u that rises, or the smallest, with u that falls: T is that
of the largest unit, which is on if any is, and gives out ``f(z) = h(z) - t(u(z))``. Where f rises
strictly wherever it is more than 0, the largest output tells the largest unit, that tells T, and T
all other units that are on. The derivative is made of these: units that are off pass nothing on,
and have a part in T only where u is level up to the largest unit, and its slope 0. Without a unit
that is on it is 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from math import inf, isfinite

import numpy as np

from chainrule.derivations.algebra._arithmetic import ZERO, negate, rebuilt, subtract
from chainrule.derivations.algebra._sympy import attempt
from chainrule.derivations.output_forms._layers import exchanged
from chainrule.derivations.output_forms.rising._named_total import (
    TOTAL,
    is_nothing,
    separated,
    with_total_named,
)
from chainrule.derivations.output_forms.rising._rising_layers import NEGLIGIBLE, Rising, number_of
from chainrule.derivations.output_forms.rising._shared_ranges import (
    PLACES,
    places_between,
    range_of,
    sampled,
    with_ends,
)
from chainrule.derivations.output_forms.signs._signs import proved_sign
from chainrule.derivations.pieces._pieces import TooManyPiecesError, smooth_pieces
from chainrule.formulas import Apply, Constant, Expression, Formula, Variable

PROOF = (
    "{} = max(h(z_j) - t, 0) with one t for all units; the largest unit is on if any is, its "
    "output tells t, and t all units that are on"
)
_Z = Variable("z")
_ZERO_SECONDS, _ROUNDING = 0.1, 1e-9
_Parts = tuple[Expression, Expression, Expression, str]


def is_never_on(e: Expression, values: Mapping[str, float]) -> bool:
    """Tell whether all outputs of a layer as above are 0, whatever the units are."""
    parts = _parts(e)
    try:
        return parts is not None and _is_never_more(*parts, values)
    except TooManyPiecesError:
        return False


def _is_never_more(
    h: Expression, t: Expression, u: Expression, reduction: str, values: Mapping[str, float]
) -> bool:
    """Tell whether h is nowhere more than t."""
    low, high = range_of(u, reduction, values)
    of_h, of_t = (
        sampled(smooth_pieces(Formula(x, tuple(values.items()))), values, places)[0]
        for x, places in ((h, PLACES), (t, places_between(low, high)))
    )
    most, least = of_h[np.isfinite(of_h)].max(initial=-inf), of_t.min(initial=inf)
    if most <= least + _ROUNDING and isfinite(most):
        between = _between(float(most), float(least))
        if _is_above(subtract(between, h), -inf, inf, values):
            return _is_above(subtract(t, between), low, high, values)
    own = rebuilt(subtract(exchanged(t, _Z, u), h))
    way = -1 if reduction == "min" else 1
    is_at_least_own = reduction in ("max", "min") or (reduction == "sum" and low >= 0)
    return (
        is_at_least_own
        and _seems_above(own, values)
        and _is_nowhere_negative(own, values)
        and Rising(values, way).rises(t, low)
        and (low == -inf or Rising(values, way).begins(t, low))
    )


def _seems_above(e: Expression, values: Mapping[str, float]) -> bool:
    found = sampled(smooth_pieces(Formula(e, tuple(values.items()))), values, PLACES)[0]
    return not (found < -_ROUNDING * (1 + np.abs(PLACES))).any()


def _is_nowhere_negative(e: Expression, values: Mapping[str, float]) -> bool:
    nothing = attempt(_ZERO_SECONDS, lambda: is_nothing(e), False)
    return nothing or _is_above(e, -inf, inf, values)


def _between(most: float, least: float) -> Expression:
    """Return a short number between what h is at most and t is at least, as it seems."""
    middle = (most + least) / 2
    ways = (Fraction(middle).limit_denominator(k) for k in (1, 4, 64))
    near = (x for x in ways if most - _ROUNDING <= x <= least + _ROUNDING)
    return Constant(next(near, Fraction(middle)))


def _is_above(e: Expression, low: float, high: float, values: Mapping[str, float]) -> bool:
    """Tell whether an expression is nowhere negative between two ends, these included."""
    cut = smooth_pieces(Formula(rebuilt(e), tuple(values.items())))
    places: list[Expression] = [Constant(Fraction(end)) for end in (low, high) if isfinite(end)]
    places += [b.location for b in cut.breakpoints if low < b.place < high]
    return all(
        piece.expression == ZERO
        or proved_sign(piece.expression, values, max(low, left), min(right, high)) > 0
        for piece, left, right in with_ends(cut)
        if left < high and right > low
    ) and all(number_of(exchanged(e, _Z, place), values) >= -NEGLIGIBLE for place in places)


def is_told_by_those_on(e: Expression, values: Mapping[str, float]) -> bool:
    """Tell whether the units that are on tell the derivative of a layer as above."""
    parts = _parts(e)
    if parts is None:
        return False
    h, t, u, reduction = parts
    turned = (rebuilt(exchanged(x, _Z, negate(_Z))) for x in (h, u))
    ways = ((h, u), tuple(turned))
    try:
        return any(_is_told(own, t, inner, reduction, values) for own, inner in ways)
    except TooManyPiecesError:
        return False


def _is_told(
    h: Expression, t: Expression, u: Expression, reduction: str, values: Mapping[str, float]
) -> bool:
    way = {"max": 1, "min": -1}.get(reduction, 0)
    upwards = Rising(values, 1)
    if not way or not upwards.rises(h) or not Rising(values, way).rises(u):
        return False
    of_own = rebuilt(exchanged(t, _Z, u))
    f = rebuilt(subtract(h, of_own))
    low = _where_on(f, values)
    # A unit below that place is off, unless t falls as others grow: then h has to tell it too.
    is_off_below = low < inf and upwards.rises(of_own)
    return (
        low < inf
        and upwards.rises(f, low, strictly=True)
        and upwards.rises(h, low if is_off_below else -inf, strictly=True)
        and (low == -inf or _is_above(negate(f), -inf, low, values))
    )


def _where_on(f: Expression, values: Mapping[str, float]) -> float:
    """Return a place below which f seems to be nowhere more than 0, and beyond which it rises."""
    value, slope = sampled(smooth_pieces(Formula(f, tuple(values.items()))), values, PLACES)
    falls = PLACES[~(slope > 0) & (np.abs(PLACES) < 9)]
    on = PLACES[value > 0]
    if not len(falls):
        return -inf
    if not len(on) or on.min() <= falls.max():
        return inf
    return float(Fraction((on.min() + 3 * falls.max()) / 4).limit_denominator(64))


def _parts(e: Expression) -> _Parts | None:
    """Return h, t, u and the reduction, where t is in z."""
    match e:
        case Apply("maximum", (x, Constant(value))) if value == 0:
            pass
        case _:
            return None
    named = with_total_named(x)
    if named is None:
        return None
    inner, total = named
    for own, common, is_product in separated(inner):
        if not is_product:
            t = exchanged(negate(common), TOTAL, _Z)
            return rebuilt(own), rebuilt(t), rebuilt(total.arguments[0]), total.operation
    return None
