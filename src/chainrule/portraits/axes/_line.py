"""A smooth function on one stretch of the axis: its derivatives, their signs and its ends."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

import mpmath
import sympy

from chainrule.derivations import evaluate
from chainrule.derivations.algebra._arithmetic import ZERO
from chainrule.derivations.pieces._pieces import differentiate
from chainrule.formulas import Expression, variables_of
from chainrule.portraits._statement import Bounds, bounds_of
from chainrule.portraits.axes._domain import Edge, Span
from chainrule.portraits.axes._end import End
from chainrule.portraits.axes._places import (
    exact_value,
    is_defined,
    near,
    sign_at,
    vanishes,
    without_terms_that_cancel,
)
from chainrule.portraits.enclosures._interval import Program
from chainrule.portraits.enclosures._signs import Signs, Stretch, Zero, signs_between
from chainrule.portraits.far_out._factors import strict_sign

_SHORT = 1e-2
_MOST_MULTIPLE = 6
_SAME = mpmath.mpf(10) ** -20


class Line:
    """A smooth function on one span, with its derivatives, programs and ends.

    Parameters
    ----------
    span : Span
    expression : Expression
    parameters : mapping of str to float
    """

    def __init__(
        self,
        span: Span,
        expression: Expression,
        parameters: Mapping[str, float],
    ) -> None:
        if variables_of(expression) and differentiate(expression) == ZERO:
            expression = without_terms_that_cancel(expression, parameters)
        self.span, self.expression, self.parameters = span, expression, dict(parameters)
        self._chain = [expression]
        self._programs: dict[int, Program] = {}
        self._known_tails: dict[tuple[int, int], tuple[float, int] | None] = {}
        self._regular: dict[tuple[int, int], bool] = {}
        self.ends = tuple(
            End(self.derivative, parameters, edge, side)
            for edge, side in ((span.low, -1), (span.high, 1))
        )

    def derivative(self, order: int) -> Expression:
        """Return the derivative of an order; the function itself for 0."""
        while len(self._chain) <= order:
            slope = differentiate(self._chain[-1])
            if self._is_zero_here_and_there(slope):
                slope = without_terms_that_cancel(slope, self.parameters)
            self._chain.append(slope)
        return self._chain[order]

    def _is_zero_here_and_there(self, e: Expression) -> bool:
        """Tell whether algebra is worth a look at whether an expression is zero."""
        if not variables_of(e):
            return False
        low, high = (mpmath.mpf(edge.place) for edge in (self.span.low, self.span.high))
        low = low if mpmath.isfinite(low) else min(high, 1) - 7
        high = high if mpmath.isfinite(high) else low + 9
        with mpmath.workdps(60):
            places = (low + (high - low) * mpmath.mpf(share) for share in ("0.31", "0.77"))
            return all(abs(evaluate(e, {**self.parameters, "z": z})) < _SAME for z in places)

    def program(self, order: int) -> Program:
        """Return the derivative of an order as a program."""
        if order not in self._programs:
            self._programs[order] = Program(self.derivative(order), self.parameters)
        return self._programs[order]

    def transformed(self, by: Callable[[Expression], Expression]) -> Line:
        """Return another function on the same span, such as ``f(z) - z``."""
        return Line(self.span, by(self.expression), self.parameters)

    def is_regular(self, side: int, order: int) -> bool:
        """Tell whether a derivative is defined at an end (0 low, 1 high) itself."""
        if (side, order) not in self._regular:
            end = self.ends[side]
            self._regular[side, order] = end.is_finite and is_defined(
                self.derivative(order), self.parameters, end.edge, -end.side
            )
        return self._regular[side, order]

    def value(self, order: int, low: float, high: float) -> Bounds:
        """Return bounds of a derivative over a small interval; exact at one place if rational."""
        if low == high:
            exact = exact_value(self.derivative(order), self.parameters, sympy.Rational(low))
            if exact is not None and exact.is_Rational:
                return bounds_of(exact)
        return self.program(order).over(low, high)

    def at_end(self, side: int, order: int) -> Bounds | None:
        """Return bounds of the limit at an end (0 low, 1 high), or None."""
        end = self.ends[side]
        if self.is_regular(side, order):
            edge = end.edge
            if not edge.is_rounded:
                exact = exact_value(self.derivative(order), self.parameters, end.edge.exact)
                if exact is not None and exact.is_real:
                    return bounds_of(exact)
            bounds = near(self.program(order), end.edge)
            if math.isfinite(bounds[0]) and math.isfinite(bounds[1]):
                return bounds
        limit = end.limit(order)
        return None if limit is None else bounds_of(limit)

    def signs(self, order: int) -> Signs:
        """Return the signs of a derivative on the span; of order 2 at most."""
        low, high = self.span.low, self.span.high
        if not variables_of(self.derivative(order)):
            sign = sign_at(self.derivative(order), self.parameters, Edge(0.0, sympy.Integer(0)))
            return Signs((Stretch(low.place, high.place, sign),), ())
        everywhere = strict_sign(self.program(order), low.place, high.place)
        if everywhere:
            return Signs((Stretch(low.place, high.place, everywhere),), ())
        tails = [self._tail(order, side) for side in (0, 1)]
        (left, first), (right, last) = tails
        if left >= right:  # each end's sign is known beyond the other's: look between them
            inner, outer = min(left, right), max(left, right)
            left = inner - 1 if math.isinf(low.place) else (low.place + inner) / 2
            right = outer + 1 if math.isinf(high.place) else (outer + high.place) / 2
        stretches = [Stretch(low.place, left, first)] if left > low.place else []
        zeros: tuple[Zero, ...] = ()
        if left < right:
            at_ends = (
                first if left > low.place else self._sign_at(order, 0),
                last if right < high.place else self._sign_at(order, 1),
            )
            found = signs_between(
                self.program(order), self.program(order + 1), left, right, at_ends
            )
            clusters = _clustered(found.stretches)
            parts = [self._resolved(order, s) for s in clusters]
            stretches += [s for part in parts for s in part.stretches]
            multiple = tuple(z for part in parts for z in part.zeros)
            unclear = [s for s in clusters if s.sign is None]
            simple = tuple(
                self._exact_zero(order, zero)
                for zero in found.zeros
                if not any(s.low <= zero.low and zero.high <= s.high for s in unclear)
            )
            zeros = multiple + simple
        if right < high.place:
            stretches.append(Stretch(right, high.place, last))
        zeros = tuple(sorted(zeros, key=lambda zero: zero.low))
        return Signs(_closed_up(stretches, zeros), zeros)

    def _exact_zero(self, order: int, zero: Zero) -> Zero:
        """Return the zero as one place, where algebra finds it at a simple number."""
        for exact in _simple_numbers(zero.low, zero.high):
            if vanishes(self.derivative(order), self.parameters, exact):
                return Zero(*bounds_of(exact))
        return zero

    def _resolved(self, order: int, stretch: Stretch) -> Signs:
        """Settle a stretch by lines of a program, or a short one around a zero that algebra finds.

        The first may be cut in two by 0; at the second derivatives may vanish, too.
        """
        low, high = stretch.low, stretch.high
        if stretch.sign is None and low < 0 < high:
            sides = [strict_sign(self.program(order), *ends) for ends in ((low, 0.0), (0.0, high))]
            slope = self.program(order + 1).at(0.0)
            is_simple = sides[0] * sides[1] < 0 and (slope[0] > 0 or slope[1] < 0)
            if is_simple and vanishes(self.derivative(order), self.parameters, sympy.Integer(0)):
                parts = Stretch(low, 0.0, sides[0]), Stretch(0.0, high, sides[1])
                return Signs(parts, (Zero(0.0, 0.0),))
        if stretch.sign is not None:
            return Signs((stretch,), ())
        sign = strict_sign(self.program(order), low, high)
        if sign:
            return Signs((Stretch(low, high, sign),), ())
        if high - low > _SHORT:
            return Signs((stretch,), ())
        for exact in _simple_numbers(low, high):
            for multiplicity in range(_MOST_MULTIPLE + 1):
                bounds = self.program(order + multiplicity).over(low, high)
                if bounds[0] > 0 or bounds[1] < 0:
                    last = 1 if bounds[0] > 0 else -1
                    first = last * (-1) ** multiplicity
                    zero = Zero(*bounds_of(exact), multiplicity)
                    parts = Stretch(low, zero.low, first), Stretch(zero.high, high, last)
                    return Signs(parts, (zero,))
                if not vanishes(self.derivative(order + multiplicity), self.parameters, exact):
                    break
        return Signs((stretch,), ())

    def _settled_tail(self, order: int, side: int) -> tuple[float, int] | None:
        key = (order, side)
        if key not in self._known_tails:
            end, least = self.ends[side], self._least(side)
            regular = end.is_finite and self.is_regular(side, order)
            found = None
            if not regular or order == 0 or end.edge.breakpoint is None:
                found = end.strict_sign(self.program(order), least)
                if found is None and not regular:
                    found = end.sign(order, least)
            falls_to_zero = found is None and end.is_finite and end.limit(order) == 0
            if falls_to_zero and regular:
                found = end.sign(order, least)
            if found is None and order < 2 and (falls_to_zero or not end.is_finite):
                slope = self._settled_tail(order + 1, side)
                found = end.sign_by_slope(order, slope, self.program(order))
            self._known_tails[key] = found
        return self._known_tails[key]

    def _tail(self, order: int, side: int) -> tuple[float, int | None]:
        found = self._settled_tail(order, side)
        if found is not None:
            return found
        end = self.ends[side]
        if end.is_finite and not self.is_regular(side, order):
            return end.inside, None
        return end.unsettled_place(self._least(side)), None

    def _least(self, side: int) -> float:
        """Return the least x towards an end, so that its place lies on the span."""
        end, other = self.ends[side], self.ends[1 - side]
        if end.is_finite:
            width = abs(end.edge.place - other.edge.place)
            return 1 / width if math.isfinite(width) else 0.0
        return max(end.side * other.edge.place, 0.0) if other.is_finite else 0.0

    def _sign_at(self, order: int, side: int) -> int | None:
        if not self.is_regular(side, order):
            return None
        return sign_at(self.derivative(order), self.parameters, self.ends[side].edge)


def _simple_numbers(low: float, high: float) -> list[Any]:
    """Return a fraction, and a fraction of π, of small denominator in an interval."""
    middle = (low + high) / 2
    found = []
    for unit, most in ((sympy.Integer(1), 1000), (sympy.pi, 24)):
        fraction = Fraction(middle / float(unit)).limit_denominator(most)
        exact = sympy.Rational(fraction.numerator, fraction.denominator) * unit
        if low <= bounds_of(exact)[0] and bounds_of(exact)[1] <= high and exact not in found:
            found.append(exact)
    return found


def _clustered(stretches: tuple[Stretch, ...]) -> list[Stretch]:
    """Join unsettled stretches that lie close together: around a multiple zero."""
    result: list[Stretch] = []
    for stretch in stretches:
        if stretch.sign is None:
            k = next((k for k, s in enumerate(result) if s.sign is None
                      and stretch.high - s.low < _SHORT), None)  # fmt: skip
            if k is not None:
                result[k:] = [Stretch(result[k].low, stretch.high, None)]
                continue
        result.append(stretch)
    return result


def _closed_up(stretches: list[Stretch], zeros: tuple[Zero, ...]) -> tuple[Stretch, ...]:
    """Let stretches reach to the zeros between them whose place is exact."""
    exact = {zero.low for zero in zeros if zero.low == zero.high}
    result = []
    for s in stretches:
        if any(z - 1e-9 <= s.low and s.high <= z + 1e-9 for z in exact) and s.low < s.high:
            continue
        low = next((z for z in exact if z < s.low <= z + 1e-9), s.low)
        high = next((z for z in exact if z - 1e-9 <= s.high < z), s.high)
        result.append(replace(s, low=low, high=high) if s.low < s.high else s)
    return tuple(result)
