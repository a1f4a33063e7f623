"""Statements on a layer's statistics: gain, slope moment, fixed points of mean and variance."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import sympy

from chainrule.portraits._statement import Bounds, Statement, enclosed, interval, rounded, unsettled
from chainrule.portraits._symmetry import homogeneous_slopes
from chainrule.portraits.axes._axis import Axis
from chainrule.portraits.axes._domain import Edge
from chainrule.portraits.axes._line import Line
from chainrule.portraits.axes._places import is_defined
from chainrule.portraits.enclosures._interval import Program
from chainrule.portraits.statistics._closed_moment import closed_function
from chainrule.portraits.statistics._fixed_points import (
    LEAST,
    MOST,
    FixedPoint,
    KnownFunction,
    Moment,
    PiecewiseFunction,
    at_one,
    fixed_points,
)
from chainrule.portraits.statistics._growth import Growth, growth, growth_by_expansion

_DERIVATIVES = 4
_CENTRED = "fixed point of mean and variance"
_SECOND = "fixed point of E f(z)²"
STATISTICS = ("gain", _CENTRED, _SECOND)
_CLOSER = "values lie no farther apart than their z, some of them closer"
_AREA = f"{LEAST:g} ≤ ν ≤ {MOST:g}"

Known = tuple[KnownFunction, tuple[Moment, ...]]


def statistics(axis: Axis, steepest: Bounds | None, *, jumps: bool) -> list[Statement]:
    """State what a layer with this activation does to normally distributed pre-activations.

    Parameters
    ----------
    axis : Axis
    steepest : tuple of float, optional
        An enclosure of the largest slope.
    jumps : bool
        Whether the function may jump.
    """
    if not axis.is_almost_everywhere:
        reason = "the function is not defined for every z"
        return [unsettled(s, reason) for s in STATISTICS]
    jumps = jumps or not all(map(_goes_on, axis.lines, axis.lines[1:]))
    known = _known(axis, 0, _growth(axis, steepest, jumps=jumps), (1, 2))
    slopes = None
    if known is not None and not jumps:
        whole = Growth(steepest[1], 0) if steepest and math.isfinite(steepest[1]) else None
        slopes = _known(axis, 1, whole or _steepness(axis), (2,))
    contracts = steepest is not None and steepest[1] <= 1 and not jumps and flattens(axis)
    linear, at_zero = homogeneous_slopes(axis), contracts and _is_zero_at_zero(axis)
    return stated(known, slopes, linear=linear, contracts=contracts, is_zero_at_zero=at_zero)


def stated(
    known: Known | None,
    slopes: Known | None,
    *,
    linear: tuple[Fraction, Fraction] | None,
    contracts: bool,
    is_zero_at_zero: bool,
) -> list[Statement]:
    """State what the moments of a function and of its slope tell.

    Parameters
    ----------
    known, slopes : pair of function and moments, optional
        The function's first and second moments; the slope's second.
    linear : pair of Fraction, optional
        The slopes left and right of 0 of a function that keeps positive factors.
    contracts : bool
        Whether values lie no farther apart than their z, some of them closer.
    is_zero_at_zero : bool
    """
    if known is None:
        return [unsettled(s) for s in STATISTICS]
    function, moments = known
    result = [_gain(moments[1])]
    if slopes is not None:
        bounds = at_one(slopes[1][0])
        text = f"E f'(z)² = {enclosed(bounds)} for z ~ N(0, 1)"
        result.append(Statement("slope moment", text, True, bounds))
    for centred in (True, False):
        steep = slopes[0] if slopes else None
        closer = contracts and (centred or is_zero_at_zero)
        if linear is not None and _keeps(linear, centred=centred):
            text = f"every {'ν' if centred else 'q'}: f keeps it"
            result.append(Statement(_CENTRED if centred else _SECOND, text, True))
        elif closer:
            text = f"none with {'ν' if centred else 'q'} > 0: {_CLOSER}"
            result.append(Statement(_CENTRED if centred else _SECOND, text, True))
        else:
            result += _fixed(function, moments, steep, centred=centred)
    return result


def _goes_on(before: Line, after: Line) -> bool:
    """Tell whether a function that is left out between two lines has one limit there."""
    if before.span.high.breakpoint is not None and before.is_regular(1, 0):
        return True  # whether it jumps there is known
    left, right = before.ends[1].limit(0), after.ends[0].limit(0)
    return left is not None and bool(left.is_finite) and left == right


def _places(axis: Axis) -> list[float]:
    return [line.span.high.place for line in axis.lines[:-1]]


def _programs(axis: Axis, order: int) -> list[list[Program]]:
    return [[line.program(order + k) for line in axis.lines] for k in range(_DERIVATIVES)]


def _growth(axis: Axis, steepest: Bounds | None, *, jumps: bool) -> Growth | None:
    found = growth(_programs(axis, 0), _places(axis))
    if found is None or found.power > 1:
        size = steepest[1] if steepest is not None else math.inf
        size = max(size, _largest_at_zero(axis, size, jumps=jumps))
        if math.isfinite(size):
            return Growth(size, 1)
    return found or growth_by_expansion(axis, 0)


def _steepness(axis: Axis) -> Growth | None:
    return growth(_programs(axis, 1), _places(axis)) or growth_by_expansion(axis, 1)


def _largest_at_zero(axis: Axis, steepest: float, *, jumps: bool) -> float:
    """Bound the function at 0 as each of its lines would go on to there."""
    at_zero = max(abs(x) for x in _value_at_zero(axis))
    if math.isfinite(at_zero) and not jumps:
        return at_zero
    sizes = []
    for line in axis.lines:
        low, high = line.span.low.place, line.span.high.place
        ways = (0.0, low + 1, high - 1, (low + high) / 2, 2 * low, 2 * high)  # 1e30 + 1 is 1e30
        place = next((x for x in ways if low < x < high), None)
        if place is None:
            return math.inf
        sizes.append(max(abs(x) for x in line.program(0).at(place)) + steepest * abs(place))
    return max(sizes) * (1 + 1e-12)


def _value_at_zero(axis: Axis) -> Bounds:
    for line in axis.lines:
        if line.span.low.place <= 0 <= line.span.high.place and is_defined(
            line.expression, axis.parameters, Edge(0.0, sympy.Integer(0))
        ):
            return line.program(0).at(0.0)
    return -math.inf, math.inf


def _known(axis: Axis, order: int, bound: Growth | None, powers: tuple[int, ...]) -> Known | None:
    """Return a derivative and its moments, in closed form or by integration."""
    expressions = tuple(line.derivative(order) for line in axis.lines)
    places = tuple(_places(axis))

    def integrated() -> PiecewiseFunction | None:
        return PiecewiseFunction(expressions, places, axis.parameters, bound) if bound else None

    ways: list[Callable[[], KnownFunction | None]] = [
        lambda: closed_function(expressions, axis.edges, axis.parameters),
        integrated,
    ]
    for way in ways if len(expressions) == 1 else reversed(ways):
        function = way()
        moments = function.moments(powers=powers) if function else None
        if function and moments:
            return function, moments
    return None


def _gain(moment: Moment) -> Statement:
    low, high = at_one(moment)
    if not low > 0:
        return unsettled("gain")
    gain = (1 / math.sqrt(high) * (1 - 1e-15), 1 / math.sqrt(low) * (1 + 1e-15))
    return Statement("gain", f"1/sqrt(E f(z)²) = {enclosed(gain)} for z ~ N(0, 1)", True, gain)


def flattens(axis: Axis) -> bool:
    """Tell whether the slope is somewhere proved to be less than 1 in size."""
    for line in axis.lines:
        for place in (-2.0, -0.5, 0.25, 1.5, 3.0, 8.0):
            if line.span.low.place < place < line.span.high.place:
                low, high = line.program(1).at(place)
                if low > -1 and high < 1:
                    return True
    return False


def _fixed(
    function: KnownFunction, moments: tuple[Moment, ...],
    slopes: KnownFunction | None, *, centred: bool,
) -> list[Statement]:  # fmt: skip
    subject = _CENTRED if centred else _SECOND
    found = fixed_points(function, moments, centred=centred)
    area = _AREA if centred else _AREA.replace("ν", "q")
    result = []
    for point in found.points:
        result.append(
            Statement(subject, _text(point, slopes, centred=centred), True, point.variance)
        )
    if not found.settled:
        result.append(
            unsettled(subject, f"whether there are {'others' if result else 'any'} with {area}")
        )
    elif not result:
        name = "variance" if centred else "second moment"
        does = "grows" if found.growing and found.growing[0] == 1 else "shrinks"
        result.append(Statement(subject, f"none with {area}: there the {name} {does}", True))
    else:
        others = f"no other{'' if len(result) == 1 else 's'} with {area}"
        result.append(Statement(subject, others, True))
    return result


def _keeps(slopes: tuple[Fraction, Fraction], *, centred: bool) -> bool:
    left, right = slopes
    if centred:
        return left == right and abs(left) == 1
    return left**2 + right**2 == 2


def _is_zero_at_zero(axis: Axis) -> bool:
    return _value_at_zero(axis) == (0.0, 0.0) or any(
        zero.low == zero.high == 0 for zero in axis.signs(0).zeros
    )


def _text(point: FixedPoint, slopes: KnownFunction | None, *, centred: bool) -> str:
    if centred:
        where = f"(μ, ν) = ({rounded(point.mean)}, {rounded(point.variance)})"
    else:
        where = f"q = {rounded(point.variance)}"
    name = "ν" if centred else "q"
    text = f"{where}, {name} in {interval(point.variance)}: "
    low, high = point.slope
    if low > -1 and high < 1:
        text += "attracting"
    elif low > 1 or high < -1:
        text += "repelling"
    else:
        text += "attracting or not is not settled"
    text += f", slope {rounded(point.slope)}"
    if centred:
        text += f", largest singular value of the Jacobian {rounded(point.norm)}"
        return text
    middle = math.sqrt(point.variance[0] * point.variance[1])
    found = slopes.moments(np.array([middle]), powers=(2,)) if slopes else None
    if found is not None:
        ends = np.array([point.variance[0]]), np.array([point.variance[1]])
        (low_, high_), _ = found[0](ends)
        text += f", χ = E f'(z)² = {rounded((float(low_[0]), float(high_[0])))} there"
    return text
