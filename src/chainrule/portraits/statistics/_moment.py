"""Moments of a function of a normal variable, with proven bounds.

``E g(z)`` for z of mean 0 and variance ν is analytic in ν, whatever the function: around ν0 it is
``Σ u**k * E g(sqrt(ν0)*x) * (-1)**k * L_k(x**2/2)`` with ``u = ν/ν0 - 1``, standard normal x and
the Laguerre polynomials of index -1/2. The coefficients are integrated by Gauss and Legendre's
rule on panels between the function's kinks, with the remainder bounded through Taylor
coefficients; what is left out of the series is bounded by Cauchy's inequality.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.formulas import Expression
from chainrule.portraits.enclosures._interval import Array, Interval, Program
from chainrule.portraits.enclosures._majorant import majorants, product
from chainrule.portraits.statistics._growth import Growth

RATIO = 1.8  # of the variances of neighbouring centres
_REACH = 12.0
# Panels for each unit of asinh(z), of z, and of z over the standard deviation.
_FINE, _COARSE, _NORMAL = 16.0, 2.0, 4.0
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(5)
_ORDER = 10  # of the remainder: the rule is exact for lower degrees
_TERMS = 12
_GRADE, _NEAREST = 0.86, 1e-15  # of panels towards a place without derivatives
_ROUNDING = 4e-15


@dataclass(frozen=True)
class NormalMoment:
    """``E f(z)**power`` as a function of the variance of a normal z of mean 0.

    Parameters
    ----------
    centres : ndarray
        The variances around which it is expanded, each `RATIO` times the one before it.
    low, high : ndarray of shape (terms, centres)
        Bounds of the coefficients of ``(ν/centre - 1)**k``.
    largest : ndarray
        Bounds of ``E |f|**power`` at `RATIO` times each centre.
    """

    centres: Array
    low: Array
    high: Array
    largest: Array

    def __call__(self, variance: Interval) -> tuple[Interval, Interval]:
        """Return bounds of the moment and of its derivative over intervals of the variance."""
        middle = np.sqrt(variance[0] * variance[1])
        k = np.argmin(np.abs(np.log(middle[:, None] / self.centres)), axis=1)
        centre = self.centres[k]
        low = variance[0] / centre - 1 - 4e-16
        high = variance[1] / centre - 1 + 4e-16
        value = self._left_out(k, low, high, 0)
        slope = self._left_out(k, low, high, 1)
        for n in range(len(self.low) - 1, -1, -1):
            value = _multiplied_and_added(value, (low, high), (self.low[n, k], self.high[n, k]))
            if n:
                own = (n * self.low[n, k], n * self.high[n, k])
                slope = _multiplied_and_added(slope, (low, high), own)
        return value, (
            np.where(slope[0] < 0, slope[0] * (1 + 1e-15), slope[0] * (1 - 1e-15)) / centre,
            np.where(slope[1] < 0, slope[1] * (1 - 1e-15), slope[1] * (1 + 1e-15)) / centre,
        )

    def _left_out(self, k: Array, low: Array, high: Array, order: int) -> Interval:
        """Bound the rest of the series, or of its derivative, over the power that it begins with.

        On the circle of radius R around its centre the density of complex variance is at most
        ``sqrt((1 + R)/(1 - R))`` times that of variance ``(1 + R)*ν0``.
        """
        radius = RATIO - 1
        circle = math.sqrt((1 + radius) / (1 - radius)) * self.largest[k]
        terms = len(self.low)
        ratio = np.maximum(np.abs(low), np.abs(high)) / radius
        with np.errstate(all="ignore"):
            if order == 0:
                rest = circle / radius**terms / (1 - ratio)
            else:
                rest = circle / radius**terms * (terms / (1 - ratio) + ratio / (1 - ratio) ** 2)
        rest = np.where(ratio < 0.95, rest * (1 + 1e-9), np.inf)
        return -rest, rest


def _multiplied_and_added(x: Interval, by: Interval, plus: Interval) -> Interval:
    with np.errstate(all="ignore"):
        products = [a * b for a in x for b in by]
        low, high = np.minimum.reduce(products), np.maximum.reduce(products)
        slack = 4e-16 * (np.maximum(np.abs(low), np.abs(high)) + np.maximum(*np.abs(plus)))
        return low + plus[0] - slack, high + plus[1] + slack


def normal_moments(
    expressions: Sequence[Expression],
    places: Sequence[float],
    parameters: Mapping[str, float],
    growth: Growth,
    centres: Array,
    powers: Sequence[int] = (1, 2),
    *,
    refinement: int = 1,
    near_zero: bool = False,
) -> tuple[NormalMoment, ...] | None:
    """Return the moments of a function given piece by piece, or None where they are not bounded.

    Parameters
    ----------
    expressions : sequence of Expression
        The pieces, from left to right.
    places : sequence of float
        Where two of them meet.
    parameters : mapping of str to float
    growth : Growth
        Beyond `reach` it alone counts, not the pieces.
    centres : ndarray
        Variances, each `RATIO` times the one before.
    powers : sequence of int
    refinement : int
        How many times as many panels as usual.
    near_zero : bool
        Whether panels are ever shorter towards 0, for what changes within a short way of it.
    """
    scales = np.sqrt(np.append(centres, centres[-1] * RATIO))
    stretches: dict[Expression, list[tuple[float, float]]] = {}
    for expression, between in zip(
        expressions, itertools.pairwise([-math.inf, *places, math.inf]), strict=True
    ):
        begin, end = between
        cut = [begin, 0.0, end] if near_zero and begin < 0 < end else [begin, end]
        stretches.setdefault(expression, []).extend(itertools.pairwise(cut))
    low = {p: np.zeros((_TERMS, len(scales))) for p in powers}
    high = {p: np.zeros((_TERMS, len(scales))) for p in powers}
    for expression, within in stretches.items():
        program = Program(expression, parameters)
        panels = _panels(within, scales, refinement, graded=near_zero)
        if panels is None:
            continue
        derivatives = majorants(program, (panels.left, panels.right), _ORDER)
        if not np.isfinite(derivatives).all():
            panels = _panels(within, scales, refinement, graded=True) or panels
            derivatives = majorants(program, (panels.left, panels.right), _ORDER)
        parts = _integrals(program, panels, derivatives, growth, powers)
        for p, part in parts.items():
            low[p] += part[0]
            high[p] += part[1]
    outside = _outside(growth, scales)
    squares = high[2][0] + outside[0] if 2 in powers else growth.squared(scales**2)
    result = []
    for p in powers:
        bounds = low[p] - outside, high[p] + outside
        if not (np.isfinite(bounds[0]).all() and np.isfinite(bounds[1]).all()):
            return None
        largest = (squares if p == 2 else np.sqrt(squares))[1:] * (1 + 1e-9)
        result.append(NormalMoment(scales[:-1] ** 2, bounds[0][:, :-1], bounds[1][:, :-1], largest))
    return tuple(result)


@dataclass(frozen=True)
class _Panels:
    """Intervals of z between which integrals are cut, for every scale: flat arrays."""

    left: Array
    right: Array
    scales: Array
    owner: Any  # the scale's position

    @property
    def scale(self) -> Array:
        result: Array = self.scales[self.owner]
        return result

    def total(self, x: Array) -> Array:
        """Add up what belongs to each scale, row by row."""
        count = len(self.scales)
        return np.stack([np.bincount(self.owner, row, count) for row in np.atleast_2d(x)])


def _panels(
    stretches: Sequence[tuple[float, float]], scales: Array, refinement: int, *, graded: bool
) -> _Panels | None:
    """Cut stretches into intervals, ever shorter ones towards their ends where they are graded."""
    lefts, rights, owners = [], [], []
    for (k, scale), (begin, end) in itertools.product(enumerate(scales), stretches):
        reach = _REACH * scale
        low, high = max(begin, -reach), min(end, reach)
        if low >= high:
            continue
        known = np.union1d(np.sinh(np.linspace(np.arcsinh(low), np.arcsinh(high), 60)), [low, high])
        known = np.clip(known, low, high)
        depth = _FINE * np.arcsinh(known) + known * (_COARSE + _NORMAL / scale)
        count = math.ceil(refinement * (depth[-1] - depth[0]))
        edges = np.interp(np.linspace(depth[0], depth[-1], count + 1), depth, known)
        edges[0], edges[-1] = low, high
        if graded:
            ends = [end for end in (low, high) if abs(end) < reach]
            edges = np.unique(np.clip([*edges, *_near_ends(ends, high - low)], low, high))
            count = len(edges) - 1
        lefts.append(edges[:-1])
        rights.append(edges[1:])
        owners.append(np.full(count, k))
    if not lefts:
        return None
    left, right, owner = (np.concatenate(part) for part in (lefts, rights, owners))
    return _Panels(left, right, scales, owner)


def reach(centres: Array) -> float:
    """Return how far from 0 pieces count in moments around such variances."""
    return _REACH * math.sqrt(float(centres[-1]) * RATIO)


def _near_ends(ends: Sequence[float], width: float) -> list[float]:
    """Return places towards the ends, from each to the next by a part of the distance."""
    steps = width * _GRADE ** np.arange(math.log(_NEAREST) / math.log(_GRADE))
    return [end + side * step for end in ends for side in (-1, 1) for step in steps]


def _integrals(
    program: Program,
    panels: _Panels,
    derivatives: Array,
    growth: Growth,
    powers: Sequence[int],
) -> dict[int, Interval]:
    left, right, scale = panels.left, panels.right, panels.scale
    middle, half = (left + right) / 2, (right - left) / 2
    nodes = middle + half * _NODES[:, None]
    shift = 8 * np.spacing(np.abs(nodes) + half)
    values = program((np.maximum(nodes - shift, left), np.minimum(nodes + shift, right)))
    weights, spread = _laguerre(nodes / scale)
    factor = half / scale * _WEIGHTS[:, None] / math.sqrt(2 * math.pi)
    weights, spread = weights * factor, spread * factor
    with np.errstate(all="ignore"):
        largest = growth.size * (1 + np.maximum(np.abs(left), np.abs(right))) ** growth.power
        own = np.maximum(*np.abs(program((left, right))))
    around = _weight_majorants(left / scale, right / scale, scale)
    result: dict[int, Interval] = {}
    power, raised = values, derivatives
    for p in range(1, max(powers) + 1):
        if p > 1:
            power = _times(power, values)
            raised = product(raised, derivatives)
        if p not in powers:
            continue
        with np.errstate(all="ignore"):
            # What the rule does not integrate exactly counts in the integral and in the rule.
            rest = sum(raised[i] * around[:, _ORDER - i] for i in range(_ORDER + 1))
            rest = 4 * half / scale * half**_ORDER * rest
            ends = [power[0] * weights, power[1] * weights]
            size = np.maximum(np.abs(power[0]), np.abs(power[1])) * spread
            low = (np.minimum(*ends) - size).sum(1) - rest
            high = (np.maximum(*ends) + size).sum(1) + rest
            # Where the derivatives have no bounds, or large ones, the values may be small.
            size_there = np.fmin(np.fmin(raised[0], own**p), largest**p)
            within = 2 * half / scale * size_there * around[:, 0]
            low, high = np.fmax(low, -within), np.fmin(high, within)
            slack = 1e-15 * np.sqrt(len(left)) * panels.total(np.abs(low) + np.abs(high))
        result[p] = (panels.total(low) - slack, panels.total(high) + slack)
    return result


def _times(x: Interval, y: Interval) -> Interval:
    with np.errstate(all="ignore"):
        products = [a * b for a in x for b in y]
        low, high = np.minimum.reduce(products), np.maximum.reduce(products)
        return low - np.abs(low) * 2e-16, high + np.abs(high) * 2e-16


def _laguerre(x: Array) -> tuple[Array, Array]:
    """Return ``(-1)**k * L_k(x**2/2) * exp(-x**2/2)`` and bounds of its rounding errors."""
    t, density = x**2 / 2, np.exp(-(x**2) / 2)
    values, sizes = [np.ones_like(t), 0.5 - t], [np.ones_like(t), 0.5 + t]
    for k in range(1, _TERMS - 1):
        values.append(((2 * k + 0.5 - t) * values[k] - (k - 0.5) * values[k - 1]) / (k + 1))
        sizes.append(((2 * k + 0.5 + t) * sizes[k] + (k - 0.5) * sizes[k - 1]) / (k + 1))
    signs = np.array([(-1.0) ** k for k in range(_TERMS)]).reshape(-1, *([1] * x.ndim))
    rounding = _ROUNDING * (4 + np.arange(_TERMS)).reshape(signs.shape) * (1 + t)
    return signs * np.stack(values) * density, rounding * np.stack(sizes) * density


def _weight_majorants(left: Array, right: Array, scale: Array) -> Array:
    """Bound the weights' Taylor coefficients in z on each panel: by Cauchy, on unit circles."""
    near = np.where(left * right <= 0, 0.0, np.minimum(np.abs(left), np.abs(right)))
    far = np.maximum(np.abs(left), np.abs(right))
    density = np.exp(-(np.maximum(near - 1, 0.0) ** 2 - 1) / 2) / math.sqrt(2 * math.pi)
    sizes = _laguerre_sizes((far + 1) ** 2 / 2) * density
    powers = scale ** -np.arange(_ORDER + 1.0)[:, None]
    result: Array = sizes[:, None] * powers * (1 + 1e-9)
    return result


def _laguerre_sizes(t: Array) -> Array:
    """Return L_k(-t), whose terms are all positive."""
    values = [np.ones_like(t), 0.5 + t]
    for k in range(1, _TERMS - 1):
        values.append(((2 * k + 0.5 + t) * values[k] - (k - 0.5) * values[k - 1]) / (k + 1))
    return np.stack(values)


def _outside(growth: Growth, scales: Array) -> Array:
    """Bound the parts beyond `_REACH` standard deviations, of the power 1 and of the power 2."""
    p = 2 * growth.power
    with np.errstate(over="ignore"):
        ceiling = np.maximum(growth.size, 1.0) ** 2 * (1 + _REACH * scales) ** p
    sizes = _laguerre_sizes(np.full_like(scales, _REACH**2 / 2))
    falls = _REACH - (p + 2 * _TERMS) / _REACH
    density = math.exp(-(_REACH**2) / 2) / math.sqrt(2 * math.pi)
    result: Array = 2.001 * ceiling * sizes * density / falls
    return result
