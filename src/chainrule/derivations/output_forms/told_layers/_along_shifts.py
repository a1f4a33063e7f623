"""Layers whose outputs leave one common shift of all units open, and rise or fall along it.

Let ``a_j = h(z_j) + t(T)`` with h strictly rising and ``T = R(u(z))``, a sum, mean or extreme over
the units, and let two layers have the same outputs. Then all ``h(z_j)`` of the one are those of the
other and one number s. Along that shift ``h(z_j)`` grows by ds and the output by
``(1 + t'(T) R') ds``, where R' is the sum or mean of ``r = u'/h'``. Where that has one sign the
output tells s, and with it the layer. Likewise ``a_j = h(z_j) t(T)``, where t keeps its sign: the
shift is of all ``log|h(z_j)|``, with ``r = u' h/h'`` and ``t'/t`` in place of t'; units at the zero
of h stay there.

A line ``r <= α + β u`` bounds R' by ``α + β T``, and ``r**2 <= α + β u`` a mean of r by the root of
that, as its square is at most the mean of squares. And where T is the largest or smallest u(z), the
unit that has it gives out ``f(z) = H(z, u(z))``. What a shift changes the output by is continuous,
and at any time that of one of the units: where f rises strictly, so does it.

Where t is 0 all outputs are. It may be so at an end of what T may be, of which u tells the slope 0:
such layers have no derivative. If h has a zero, T must be that end there, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, partial
from itertools import islice, pairwise, product
from math import inf, isfinite, sqrt
from typing import Any

import mpmath
import numpy as np

from chainrule.derivations.algebra._arithmetic import (
    ONE,
    ZERO,
    add,
    divide,
    multiply,
    negate,
    power,
    rebuilt,
    subtract,
)
from chainrule.derivations.algebra._sympy import attempt
from chainrule.derivations.output_forms._layers import exchanged
from chainrule.derivations.output_forms.rising._lines import Line, bounding_lines
from chainrule.derivations.output_forms.rising._named_total import (
    TOTAL,
    is_nothing,
    separated,
    with_total_named,
)
from chainrule.derivations.output_forms.rising._rising_in_both import sign_from
from chainrule.derivations.output_forms.rising._rising_layers import (
    NEGLIGIBLE,
    Rising,
    number_of,
)
from chainrule.derivations.output_forms.rising._shared_ranges import (
    PLACES,
    piece_over,
    places_between,
    range_of,
    sampled,
    with_ends,
)
from chainrule.derivations.output_forms.signs._domain import domain
from chainrule.derivations.output_forms.signs._signs import proved_sign
from chainrule.derivations.pieces._pieces import Piece, Pieces, TooManyPiecesError, smooth_pieces
from chainrule.formulas import (
    Constant,
    Expression,
    Formula,
    Variable,
    constant,
    substitute,
)

PROOF = (
    "layers with the same {} differ by one shift of all h(z_j), or of all log|h(z_j)|, and along "
    "it the output rises or falls strictly"
)
_Z = Variable("z")
_EXTREMES = ("max", "min")
_MOST_LINES, _LARGEST, _CLOSE = 3, 1e100, 1e-9
_ZERO_SECONDS = 0.1


def is_told_along_shifts(e: Expression, values: Mapping[str, float]) -> bool:
    """Tell whether a layer is ``h(z) + t(T)`` or ``h(z) t(T)`` as above."""
    parts = with_total_named(e)
    if parts is None:
        return False
    named, total = parts
    (inner,) = total.arguments
    for own, common, is_product in separated(named):
        for way in (1, -1):
            if Rising(values, way).rises(own, strictly=True):
                t = exchanged(common, TOTAL, _Z)
                t = rebuilt(t if way > 0 or is_product else negate(t))
                h = rebuilt(own if way > 0 else negate(own))
                try:
                    if _Shift(h, t, inner, total.operation, is_product, values).tells():
                        return True
                except TooManyPiecesError:
                    continue
    return False


@dataclass(frozen=True)
class _Shift:
    """A layer ``h(z) + t(R(u(z)))`` or ``h(z) t(R(u(z)))`` with h strictly rising; t is in z."""

    h: Expression
    t: Expression
    u: Expression
    reduction: str
    is_product: bool
    values: Mapping[str, float]

    def tells(self) -> bool:
        """Tell whether the output rises or falls strictly along a shift of all units."""
        if not self._is_continuous(self._cuts[1], -inf, inf):
            return False
        if self.reduction in _EXTREMES and self._by_one_unit():
            return True
        low, high = self._range
        if not self._is_continuous(self._cuts[2], low, high) or not self._ends_well():
            return False
        sign = self._sign_of_t() if self.is_product else 1
        return sign != 0 and (
            self._by_lines(sign) or (self.reduction == "mean" and self._by_squares(sign))
        )

    def _by_one_unit(self) -> bool:
        upwards, downwards = (Rising(self.values, way) for way in (1, -1))
        t = exchanged(self.t, _Z, self.u)
        if not self.is_product:
            f = add(self.h, t)
            return any(rising.rises(f, strictly=True) for rising in (upwards, downwards))
        sign, is_nowhere_zero = sign_from(t, self.values, -inf, None)
        f = rebuilt(multiply(self.h, t if sign > 0 else negate(t)))
        if is_nowhere_zero:
            has_zero = not sign_from(self.h, self.values, -inf, None)[1]
            return upwards.rises(f, strictly=True) or (
                not has_zero and downwards.rises(f, strictly=True)
            )
        # Outputs are 0 where t is: f is level there, and rises elsewhere.
        return (
            sign != 0
            and upwards.rises(f)
            and all(
                piece.derivative != ZERO or piece.expression == ZERO
                for piece in smooth_pieces(Formula(f, tuple(self.values.items()))).pieces
            )
            and all(abs(self._at(e, ZERO)) < NEGLIGIBLE for e in (self.h, t))
            and self._is_level_at_zero()
        )

    def _is_level_at_zero(self) -> bool:
        """Tell whether what a unit at 0 that has T passes back is 0."""
        place = float(self._at(self.u, ZERO))
        if any(abs(place - end) < NEGLIGIBLE for end in self._range):
            return self._passes_nothing_back(place)
        t = self._cuts[2]
        sides = [
            self._at(piece.derivative, Constant(Fraction(place)))
            for piece, left, right in with_ends(t)
            if left <= place <= right
        ]
        return not any((*sides, *(b.slope for b in t.breakpoints if b.place == place)))

    def _by_lines(self, sign: int) -> bool:
        return any(
            all(map(self._is_bound, lines))
            and all(self._keeps_sign(line, sign * direction) for line in lines)
            for direction in (1, -1)
            for lines in self._lines(direction)
        )

    def _by_squares(self, sign: int) -> bool:
        """Bound the mean of r, on either side of 0, by the root of a line above r²."""
        u, r = self._samples
        if len(u) < 2:
            return False
        lines = bounding_lines(u, r**2, 1, places_between(*self._range), through_origin=False)
        return any(
            line.beta > 0 and self._is_bound(line, 2) and self._keeps_sign_within(line, sign)
            for line in islice(lines, _MOST_LINES)
        )

    def _keeps_sign_within(self, line: Line, sign: int) -> bool:
        """Prove that the output goes one way, with the root of a line for what z is."""
        total = divide(subtract(power(_Z, constant(2)), Constant(line.alpha)), Constant(line.beta))
        for piece, *ends in self._of_t:
            low, high = (sqrt(max(line.at(end), 0.0)) for end in ends)
            base = piece.expression if self.is_product else ONE
            for way in (_Z, negate(_Z)):
                grows = multiply(exchanged(piece.derivative, _Z, total), way)
                along = rebuilt(add(exchanged(base, _Z, total), grows))
                if proved_sign(along, self.values, low, high) != sign:
                    return False
        return True

    def _sign_of_t(self) -> int:
        """Return the sign that t has wherever T may be, its ends excepted; 0 where unknown."""
        low, high = self._range
        signs = {
            proved_sign(piece.expression, self.values, *at, strict=True)
            for piece, *at in self._of_t
        }
        signs |= {
            int(mpmath.sign(self._at(b.value, b.location)))
            for b in self._cuts[2].breakpoints
            if low < b.place < high
        }
        return signs.pop() if len(signs) == 1 else 0

    def _at(self, e: Expression, place: Expression) -> Any:
        put: dict[Expression, Expression] = {_Z: place}
        return number_of(substitute(e, put.get), self.values)

    @cached_property
    def _cuts(self) -> tuple[Pieces, Pieces, Pieces]:
        parameters = tuple(self.values.items())
        h, u, t = (smooth_pieces(Formula(e, parameters)) for e in (self.h, self.u, self.t))
        return h, u, t

    @cached_property
    def _of_t(self) -> list[tuple[Piece, float, float]]:
        """The pieces of t, and between what numbers, as far as T may be there."""
        low, high = self._range
        return [
            (piece, max(left, low), min(right, high))
            for piece, left, right in with_ends(self._cuts[2])
            if left < high and right > low
        ]

    @cached_property
    def _samples(self) -> tuple[Any, Any]:
        """Values of u and of r at many places."""
        (h, h_slope), (u, u_slope) = (sampled(cut, self.values, PLACES) for cut in self._cuts[:2])
        with np.errstate(all="ignore"):
            r = u_slope * (h if self.is_product else 1.0) / h_slope
        usable = np.isfinite(r) & np.isfinite(u) & (np.abs(h_slope) > 1e-100)
        return u[usable], r[usable]

    @cached_property
    def _range(self) -> tuple[float, float]:
        return range_of(self.u, self.reduction, self.values)

    def _is_continuous(self, cut: Pieces, low: float, high: float) -> bool:
        for piece, left, right in with_ends(cut):
            left, right = max(left, low), min(right, high)
            if left < right:
                stretches = domain(piece.expression, self.values, left, right)
                if stretches is None or [(s.low, s.high) for s in stretches] != [(left, right)]:
                    return False
        return all(
            abs(self._at(beside.expression, b.location) - self._at(b.value, b.location))
            < NEGLIGIBLE
            for sides, b in zip(pairwise(cut.pieces), cut.breakpoints, strict=True)
            for beside in sides
            if low < b.place < high
        )

    def _ends_well(self) -> bool:
        """Tell whether t goes on to the ends of what T may be, and is 0 only without a slope."""
        for k, end in zip((0, -1), self._range, strict=True):
            if not isfinite(end) or not self._of_t:
                continue
            place = Constant(Fraction(end))
            value, beside = (self._at(e, place) for e in (self.t, self._of_t[k][0].expression))
            if mpmath.isnan(value):
                continue  # no layer has an output there
            if not abs(value - beside) < NEGLIGIBLE:
                return False
            if self.is_product and abs(value) < NEGLIGIBLE and not self._is_lost_at(end):
                return False
        return True

    def _is_lost_at(self, end: float) -> bool:
        """Tell whether layers with outputs of 0 are those where T is at an end, or one layer."""
        is_zero_there = all(
            abs(self._at(e, ZERO)) < NEGLIGIBLE
            for e in (self.h, subtract(self.u, Constant(Fraction(end))))
        )
        is_somewhere_zero = not sign_from(self.h, self.values, -inf, None)[1]
        return (is_zero_there or not is_somewhere_zero) and self._passes_nothing_back(end)

    def _passes_nothing_back(self, end: float) -> bool:
        """Tell whether u has the slope 0 wherever it is at an end of its values, and t one there.

        Beside its breakpoints u is smooth.
        """
        u, t = self._cuts[1:]
        slopes = [
            self._at(self._piece_at(t, end).derivative, Constant(Fraction(end))),
            *(b.slope for b in t.breakpoints if b.place == end),
        ]
        return all(map(mpmath.isfinite, slopes)) and all(
            b.slope == 0 for b in u.breakpoints if abs(self._at(b.value, b.location) - end) < _CLOSE
        )

    def _piece_at(self, cut: Pieces, end: float) -> Piece:
        """Return the piece beside an end of what T may be, inside of it."""
        is_low = end < self._samples[0].mean()
        return next(
            piece
            for piece, left, right in with_ends(cut)
            if (left <= end < right if is_low else left < end <= right)
        )

    def _lines(self, direction: int) -> Iterator[tuple[Line, ...]]:
        """Yield lines by which the output seems to go one way along a shift.

        Lines above are of use where t falls, if the output is to rise, and lines below where t
        rises; where t does both it takes one of either.
        """
        places = places_between(*self._range)
        value, slope = sampled(self._cuts[2], self.values, places)
        with np.errstate(all="ignore"):
            slope = slope / value if self.is_product else slope
        usable = np.isfinite(slope) & (np.abs(slope) < _LARGEST)
        places, slope = places[usable], slope[usable]
        u, r = self._samples
        if not len(places) or len(u) < 2:
            return
        needed: list[list[Line]] = []
        for side in (1, -1):
            counts = slope * side * direction < 0
            if not counts.any():
                continue
            within = places[counts]
            hardest = within[np.argsort(-np.abs(slope[counts]))]
            lines = bounding_lines(u, r, side, hardest, through_origin=self.reduction == "sum")
            along = ((line, direction * (1 + slope * line.at(places))) for line in lines)
            ways = (line for line, rates in along if (rates[counts] >= 0).all())
            needed.append(list(islice(ways, _MOST_LINES)))
        if len(needed) == 1 and not self._goes_one_way(int(np.sign(slope.sum()))):
            return
        yield from product(*needed)

    def _goes_one_way(self, way: int) -> bool:
        """Tell whether t, or its logarithm, goes one way."""
        signs = {
            proved_sign(piece.derivative, self.values, *at)
            for piece, *at in self._of_t
            if piece.derivative != ZERO
        }
        if self.is_product:
            way *= self._sign_of_t()
        return signs == {way}

    def _is_bound(self, line: Line, times: int = 1) -> bool:
        """Prove that a line is above, or below, a power of r for all z."""
        h, u = self._cuts[:2]
        edges = sorted({b.place for cut in (h, u) for b in cut.breakpoints})
        for low, high in pairwise([-inf, *edges, inf]):
            own, inner = (piece_over(cut, low, high) for cut in (h, u))
            grows = multiply(inner.derivative, own.expression if self.is_product else ONE)
            over, whole = line.over(inner.expression), constant(times)
            apart = subtract(multiply(over, power(own.derivative, whole)), power(grows, whole))
            if attempt(_ZERO_SECONDS, partial(is_nothing, apart), False):
                continue
            if proved_sign(rebuilt(apart), self.values, low, high) != line.side:
                return False
        return True

    def _keeps_sign(self, line: Line, sign: int) -> bool:
        """Prove that the output goes one way for any T, as far as the line bounds it."""
        for piece, low, high in self._of_t:
            base = piece.expression if self.is_product else ONE
            along = rebuilt(add(base, multiply(piece.derivative, line.over(_Z))))
            if proved_sign(along, self.values, low, high) != sign:
                return False
        return True
