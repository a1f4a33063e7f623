"""How a layer carries on mean and variance: fixed points, enclosed, and whether they attract.

A unit sums many inputs of mean μ and variance ν with weights whose sum is 0 and whose squares add
up to 1, so that z is normal with mean 0 and variance ν. The map is (μ, ν) → (E f(z), Var f(z));
without subtracting the mean it is q → E f(z)² for z of variance q.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from chainrule.formulas import Expression
from chainrule.portraits.enclosures._interval import Array, Interval
from chainrule.portraits.enclosures._signs import Signs, Stretch, narrowed, signs_between
from chainrule.portraits.statistics._closed_moment import ClosedFunction, ClosedMoment
from chainrule.portraits.statistics._growth import Growth
from chainrule.portraits.statistics._moment import RATIO, NormalMoment, normal_moments

LEAST, MOST = 0.01, 100.0  # the variances searched
CENTRES = RATIO ** np.arange(-8.0, 9.0)
_ONE = 8  # the place of 1 among the centres
_REFINEMENTS = ((1, False), (5, False), (1, True))  # and whether panels are short near 0
_CLOSE, _SMALL = 1e-4, 1e-3
_COARSEST = 1e-4  # of the logarithm of a variance, before Newton's method

Bounds = tuple[float, float]
Moment = NormalMoment | ClosedMoment


@dataclass(frozen=True)
class PiecewiseFunction:
    """A function given piece by piece, with a bound of its size.

    Parameters
    ----------
    expressions : tuple of Expression
    places : tuple of float
        Where pieces meet.
    parameters : mapping of str to float
    growth : Growth
    """

    expressions: tuple[Expression, ...]
    places: tuple[float, ...]
    parameters: Mapping[str, float]
    growth: Growth

    def moments(
        self, centres: Array = CENTRES, powers: Sequence[int] = (1, 2)
    ) -> tuple[NormalMoment, ...] | None:
        """Return its moments around each variance, close at the first; None where unbounded."""
        usable = None
        for refinement, near_zero in _REFINEMENTS:
            found = normal_moments(
                self.expressions, self.places, self.parameters, self.growth, centres, powers,
                refinement=refinement, near_zero=near_zero,
            )  # fmt: skip
            if found is None:
                return usable
            one = min(_ONE, len(centres) - 1)
            width = max(m.high[0, one] - m.low[0, one] for m in found)
            largest = float(found[-1].high[0, one])
            if width < _CLOSE * min(largest, math.sqrt(largest)):
                return found
            if usable is None and width < _CLOSE * max(_SMALL, largest):
                usable = found
        return usable


KnownFunction = PiecewiseFunction | ClosedFunction


@dataclass(frozen=True)
class FixedPoint:
    """A fixed point of the map.

    Parameters
    ----------
    variance : tuple of float
        Of the variance, or of the second moment.
    mean : tuple of float
        Of the mean.
    slope : tuple of float
        How the variance's image changes with it: the map attracts where it is within ±1.
    norm : tuple of float
        The largest singular value of the map's Jacobian.
    """

    variance: Bounds
    mean: Bounds
    slope: Bounds
    norm: Bounds


@dataclass(frozen=True)
class FixedPoints:
    """All fixed points with a variance between `LEAST` and `MOST`.

    Parameters
    ----------
    points : tuple of FixedPoint
    settled : bool
        Whether it is proved that there are no others.
    growing : tuple of int
        On each stretch between them 1 where the variance grows, -1 where it shrinks.
    """

    points: tuple[FixedPoint, ...]
    settled: bool
    growing: tuple[int | None, ...]


def at_one(moment: Moment) -> Bounds:
    """Return the moment for a standard normal variable."""
    if isinstance(moment, ClosedMoment):
        return moment.at_one()
    return float(moment.low[0, _ONE]), float(moment.high[0, _ONE])


def fixed_points(
    function: KnownFunction, moments: Sequence[Moment], *, centred: bool
) -> FixedPoints:
    """Enclose all fixed points between `LEAST` and `MOST`.

    Parameters
    ----------
    function : PiecewiseFunction or ClosedFunction
    moments : pair of NormalMoment or ClosedMoment
        Its first and second moments.
    centred : bool
        Whether the mean is subtracted: mean and variance, or the second moment.
    """
    rate = _Growth(moments[0], moments[1], centred)
    found = _with_more_centres(
        signs_between(rate, rate.slope, math.log(LEAST), math.log(MOST), coarsest=_COARSEST),
        function,
        centred,
    )
    points = []
    for zero in found.zeros:
        centre = np.array([math.exp((zero.low + zero.high) / 2)])
        closer: Sequence[Moment] = function.moments(centre) or moments
        rate = _Growth(closer[0], closer[1], centred)
        nearer = narrowed(rate, rate.slope, zero.low, zero.high)
        points.append(_point(closer, centred, nearer.low, nearer.high))
    growing = tuple(s.sign for s in found.stretches if s.low < s.high)
    return FixedPoints(tuple(points), found.settled, growing)


def _with_more_centres(found: Signs, function: KnownFunction, centred: bool) -> Signs:
    """Look again at what is not settled, with moments expanded around its own middle."""
    stretches: list[Stretch] = []
    zeros = list(found.zeros)
    for stretch in found.stretches:
        centre = np.array([math.exp((stretch.low + stretch.high) / 2)])
        closer = function.moments(centre) if stretch.sign is None else None
        if closer is None:
            stretches.append(stretch)
            continue
        rate = _Growth(closer[0], closer[1], centred)
        part = signs_between(rate, rate.slope, stretch.low, stretch.high, coarsest=_COARSEST)
        stretches += part.stretches
        zeros += part.zeros
    merged: list[Stretch] = []
    for stretch in stretches:
        last = merged[-1] if merged else None
        if last and last.sign == stretch.sign and last.high == stretch.low:
            merged[-1] = Stretch(last.low, stretch.high, stretch.sign)
        else:
            merged.append(stretch)
    return Signs(tuple(merged), tuple(sorted(zeros, key=lambda zero: zero.low)))


def _point(moments: Sequence[Moment], centred: bool, low: float, high: float) -> FixedPoint:
    variance = _exp(np.array([low]), np.array([high]))
    _, slope = _image(moments[0], moments[1], centred, variance)
    mean, drift = moments[0](variance)
    if centred:
        sizes = [np.abs(drift), np.abs(slope)]
        holds = [(x[0] < 0) & (x[1] > 0) for x in (drift, slope)]
        least = [np.where(h, 0.0, np.min(x, axis=0)) for h, x in zip(holds, sizes, strict=True)]
        norm = (np.hypot(*least), np.hypot(*(np.max(x, axis=0) for x in sizes)))
    else:
        norm = slope
    return FixedPoint(*(_pair(x) for x in (variance, mean, slope, norm)))


def _pair(x: Interval) -> Bounds:
    return float(x[0][0]), float(x[1][0])


def _image(
    first: Moment, second: Moment, centred: bool, variance: Interval
) -> tuple[Interval, Interval]:
    """Return bounds of the variance's image and of its derivative."""
    value, slope = second(variance)
    if not centred:
        return value, slope
    mean, drift = first(variance)
    return _less(value, _product(mean, mean)), _less(slope, _product(_product(mean, drift), 2.0))


def _product(x: Interval, y: Interval | float) -> Interval:
    other = y if isinstance(y, tuple) else (np.float64(y), np.float64(y))
    products = [a * b for a in x for b in other]
    low, high = np.minimum.reduce(products), np.maximum.reduce(products)
    return low - np.abs(low) * 3e-16, high + np.abs(high) * 3e-16


def _less(x: Interval, y: Interval) -> Interval:
    low, high = x[0] - y[1], x[1] - y[0]
    slack = 3e-16 * (np.abs(x[0]) + np.abs(x[1]) + np.abs(y[0]) + np.abs(y[1]))
    return low - slack, high + slack


def _exp(low: Array, high: Array) -> Interval:
    return np.exp(low) * (1 - 1e-15), np.exp(high) * (1 + 1e-15)


@dataclass(frozen=True)
class _Growth:
    """By which part the variance grows in one step, ``image/ν - 1``, as a function of log ν."""

    first: Moment
    second: Moment
    centred: bool
    derivative: bool = False

    def __call__(self, logarithm: Interval) -> Interval:
        with np.errstate(all="ignore"):
            variance = _exp(*logarithm)
            value, slope = _image(self.first, self.second, self.centred, variance)
            part = _product(value, (1 / variance[1] * (1 - 1e-15), 1 / variance[0] * (1 + 1e-15)))
            one = np.ones_like(part[0])
            low, high = _less(slope, part) if self.derivative else _less(part, (one, one))
            # Beyond the doubles nothing is known.
            unknown = np.isnan(low) | np.isnan(high)
        return np.where(unknown, -np.inf, low), np.where(unknown, np.inf, high)

    @property
    def slope(self) -> _Growth:
        return replace(self, derivative=True)

    def at(self, place: float) -> Bounds:
        return self.over(place, place)

    def over(self, low: float, high: float) -> Bounds:
        return _pair(self((np.array([low]), np.array([high]))))
