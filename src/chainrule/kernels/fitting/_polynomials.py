"""Polynomials with coefficients in float32, on as few intervals as a function takes.

They are found quickly, and then made anew in many digits: the same on every machine.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise, takewhile
from typing import Any

import mpmath
import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray

from chainrule.kernels.fitting._pieces import Piece, Side, polynomial_work

Array = NDArray[np.float64]
Truth = Callable[[Any], Any]
Edges = list[float]

_LOWEST, _HIGHEST = 4, 13
_COUNTS = (1, 2, 3, 4, 6, 7, 8, 12, 15, 16)
_MOST_ZEROS = 7
_ALLOWED = 2.0**-28  # relative: an eighth of float32's last place at most
_HELD, _NOTICED = 2.0**-29, 2.0**-31
_LOST = 2.0**-60  # of a polynomial's terms, next to the largest
_MOST_ROUNDED = 1.1
_NODES, _HALVINGS = 30, 2
_RESOLVED = 2.0**-42
_LUCK = 200


class Series:
    """A function as Chebyshev series on intervals, quick to evaluate, and its zeros."""

    def __init__(self, truth: Truth, edges: Array) -> None:
        ends, self.parts = [edges[0]], list[Array]()
        self.is_resolved = True
        waiting = [(a, b, _HALVINGS) for a, b in reversed(list(pairwise(edges)))]
        while waiting:
            a, b, halvings = waiting.pop()
            series, is_resolved = _series(truth, a, b)
            if not is_resolved and halvings and self.is_resolved:
                middle = (a + b) / 2
                waiting += [(middle, b, halvings - 1), (a, middle, halvings - 1)]
                continue
            self.is_resolved &= is_resolved
            self.parts.append(series)
            ends.append(b)
        self.edges = np.array(ends)
        t = np.linspace(edges[0], edges[-1], 2001)[1:]
        signs = np.sign(self(t))
        self.zeros = [
            mpmath.findroot(
                truth, (float(t[k]), float(t[k + 1])), solver="illinois", tol=1e-30, verify=False
            )
            for k in np.flatnonzero(signs[:-1] * signs[1:] < 0)[:_MOST_ZEROS]
        ]

    def __call__(self, t: Array) -> Array:
        result = np.empty_like(t)
        which = np.clip(np.searchsorted(self.edges, t, "right") - 1, 0, len(self.parts) - 1)
        for k in np.unique(which):  # of many intervals few are asked for
            chosen = which == k
            a, b = self.edges[k], self.edges[k + 1]
            result[chosen] = chebyshev.chebval((2 * t[chosen] - a - b) / (b - a), self.parts[k])
        return result


def _series(truth: Truth, a: float, b: float) -> tuple[Array, bool]:
    """Return a function's Chebyshev series on an interval, and whether no more terms are needed."""
    nodes = chebyshev.chebpts1(_NODES)
    places = (a + b) / 2 + nodes * (b - a) / 2
    values = np.array([float(truth(mpmath.mpf(float(x)))) for x in places])
    series = chebyshev.chebfit(nodes, values, _NODES - 1)
    return series, bool(np.abs(series[-4:]).max() <= _RESOLVED * np.abs(series).max())


@dataclass(frozen=True)
class Target:
    """What is fitted, from 0 to an end.

    Parameters
    ----------
    values : callable
        Of many places at once.
    exact : callable
        Of one place, in many digits.
    end : float
    power : int
        k of the factor ``x**k`` of the first piece.
    start : float or None
        What goes with this factor at 0, where there is one or the first piece is expanded there.
    zeros : dict of float
        The float32 nearest to each zero, and the value there.
    throughout : bool
        Whether the other pieces have the factor as well.
    is_from_zero : bool
        Whether the first piece has to be expanded at 0.
    """

    values: Callable[[Array], Array]
    exact: Truth
    end: float
    power: int = 0
    start: float | None = None
    zeros: dict[float, float] | None = None
    throughout: bool = False
    is_from_zero: bool = False

    def on(self, low: float, high: float) -> _Interval:
        """Return what every fit on an interval needs."""
        high = float(np.float32(high))
        power = self.power if low == 0 or self.throughout else 0
        expansions = tuple(self.centres(low, high, power)) if high > low else ()
        dense = low + (high - low) * (np.arange(1, 200) / 200)
        return _Interval(self.values, low, high, power, expansions, dense, self.values(dense))

    def exactly(self, piece: Piece, low: float) -> Piece:
        """Return a fit made anew in many digits, and rounded: the same on every machine."""
        degree, half = len(piece.coefficients) - 1, (piece.end - low) / 2
        nodes = [mpmath.mpf(float(x)) for x in _nodes(low, piece.end, degree)]
        values = [self.exact(x) / x**piece.power for x in nodes]
        places = [x - piece.centre for x in nodes]

        centre = mpmath.mpf(piece.centre) or nodes[0] * mpmath.mpf(2) ** -60
        first = self.exact(centre) / centre**piece.power
        low = float(np.float32(first - piece.coefficients[0])) if piece.low else 0.0
        known = [piece.coefficients[0] + low]
        while len(known) <= degree:
            powers = range(len(known), degree + 1)
            matrix = mpmath.matrix(
                [[u**k / v for k in powers] for u, v in zip(places, values, strict=True)]
            )
            rest = [
                1 - mpmath.polyval(known[::-1], u) / v for u, v in zip(places, values, strict=True)
            ]
            across = matrix.T
            solution = mpmath.lu_solve(across * matrix, across * mpmath.matrix(rest))
            # The first ones are rounded one by one, and the others make up for that.
            count = 1 if len(known) < 3 else len(powers)
            known += [float(np.float32(float(c))) for c in list(solution)[:count]]
        # Where a function is flat, what is left may be subnormal, and slow a hundred times.
        largest = max(abs(c) * half**k for k, c in enumerate(known))
        known = [c if abs(c) * half**k > _LOST * largest else 0.0 for k, c in enumerate(known)]
        return replace(piece, coefficients=(piece.coefficients[0], *known[1:]), low=low)

    def centres(self, low: float, high: float, power: int) -> Iterator[tuple[float, float]]:
        """Yield where to expand, and the value there: at a zero, else where a float32 is near."""
        if low == 0 and self.start is not None:
            yield 0.0, self.start
            if self.is_from_zero:
                return
        inside = [zero for zero in self.zeros or {} if low < zero < high]
        if len(inside) == 1:
            yield inside[0], (self.zeros or {})[inside[0]] / inside[0] ** power
        if inside:
            return
        middle = np.float32((low + high) / 2)
        places = (middle + np.arange(_LUCK) * np.spacing(middle)).astype(np.float64)
        values = self.values(places) / places**power
        missed = np.abs(values / values.astype(np.float32).astype(np.float64) - 1)
        # Where a function is flat the last bits alone would tell.
        luckiest = int(np.argmin(np.floor(missed / _NOTICED)))
        yield float(places[luckiest]), float(values[luckiest])


@dataclass(frozen=True)
class _Interval:
    """Part of what is fitted.

    Parameters
    ----------
    values : callable
        Of many places at once.
    low, high : float
    power : int
        k of the factor ``x**k`` of a piece.
    expansions : tuple of (float, float)
        Where to expand, and the value there.
    dense, wanted : ndarray
        Places all over it, and the values there.
    """

    values: Callable[[Array], Array]
    low: float
    high: float
    power: int
    expansions: tuple[tuple[float, float], ...]
    dense: Array
    wanted: Array

    def fitted(self, degree: int, *, in_floats: bool = True) -> Piece | None:
        """Return the polynomial of a degree, not rounded, if it is good enough.

        What is decided on does not depend on the last bits, which differ between machines.

        Parameters
        ----------
        degree : int
        in_floats : bool
            Whether it has to be good enough in float32, too.
        """
        fits = (self._expanded(degree, *expansion, in_floats) for expansion in self.expansions)
        return next((piece for piece in fits if piece is not None), None)

    def _expanded(self, degree: int, centre: float, first: float, in_floats: bool) -> Piece | None:
        half, rest = (self.high - self.low) / 2, _not_held(first)
        nodes = _nodes(self.low, self.high, degree)
        values, u = self.values(nodes) / nodes**self.power, nodes - centre
        known, powers = float(np.float32(first)) + rest, np.arange(1, degree + 1)
        matrix = (u[:, np.newaxis] / half) ** powers / values[:, np.newaxis]
        if not np.isfinite(matrix).all():  # LAPACK may search on for ever
            return None
        solution = np.linalg.lstsq(matrix, (values - known) / values, rcond=None)[0]
        others = (solution / half**powers).tolist()
        wanted, u = self.wanted / self.dense**self.power, self.dense - centre
        got = known + sum(c * u**k for k, c in enumerate(others, 1))
        if not np.abs(got / wanted - 1).max() <= _ALLOWED:
            return None
        if in_floats and not _rounded_by((known, *others), u, wanted) <= _MOST_ROUNDED:
            return None
        return Piece(self.high, centre, self.power, (known - rest, *others), low=rest)


def _not_held(value: float) -> float:
    """Return what float32 cannot hold of a coefficient, where that counts."""
    rest = float(np.float32(value - float(np.float32(value))))
    return rest if abs(rest) > _HELD * abs(value) else 0.0


def _nodes(low: float, high: float, degree: int) -> Array:
    return (low + high) / 2 + (high - low) / 2 * chebyshev.chebpts1(3 * (degree + 1))


def _rounded_by(coefficients: Sequence[float], u: Array, values: Array) -> float:
    """Return the sizes of all sums on the way to a polynomial's values, but these, over these."""
    partial, sizes = np.zeros_like(u), np.zeros_like(u)
    for coefficient in coefficients[:0:-1]:
        partial = (coefficient + partial) * u
        sizes = (sizes * np.abs(u)) + np.abs(partial)
    return float(np.max(sizes / np.abs(values)))


def shortest(target: Target, room: int, work: float = math.inf) -> tuple[Piece, ...] | None:
    """Return the pieces that take the least work, not more than `room`, nor much more than `work`.

    Their intervals have one length, or grow: two for each octave from a power of two on.

    Parameters
    ----------
    target : Target
    room : int
    work : float
        Which polynomials may take: where they need more, none is looked for.
    """
    found: list[tuple[Piece, ...]] = []
    for layouts in (_even(target.end, room), _growing(target.end, room)):
        most = _HIGHEST
        for edges in layouts:
            pieces = _covered(target, edges, most, work)
            if pieces is not None:
                most = len(pieces[0].coefficients) - 1
                found.append(pieces)
    return min(found, key=lambda pieces: Side(pieces).work, default=None)


def _even(end: float, room: int) -> Iterator[Edges]:
    for count in _COUNTS:
        if count <= room:
            yield [k * (end / count) for k in range(count + 1)]


def _growing(end: float, room: int) -> Iterator[Edges]:
    """Yield edges whose first interval is shorter each time."""
    for exponent in range(2, -4, -1):
        sizes = (2.0 ** (exponent + k // 2) * (1 + k % 2 / 2) for k in range(room))
        edges = [0.0, *takewhile(lambda edge: edge < end, sizes), end]
        if 3 < len(edges) <= room + 1:
            yield edges


def in_one(target: Target) -> Piece | None:
    """Return the polynomial of the lowest degree that suffices on the whole interval."""
    pieces = _covered(target, [0.0, target.end], _HIGHEST)
    return None if pieces is None else pieces[0]


def exactly(target: Target, pieces: tuple[Piece, ...]) -> tuple[Piece, ...]:
    """Return pieces made anew, each as `Target.exactly` does."""
    lows = (0.0, *(piece.end for piece in pieces))
    return tuple(target.exactly(p, low) for p, low in zip(pieces, lows, strict=False))


def _covered(
    target: Target, edges: Edges, most: int, work: float = math.inf
) -> tuple[Piece, ...] | None:
    """Return a piece between each two edges, all of the lowest degree that suffices."""
    between = cache(target.on)
    ends = list(pairwise(edges))
    degrees = range(_LOWEST, most + 1)
    allowed = [d for d in degrees if polynomial_work(d + 1, len(ends)) <= work]
    # Where the highest degree does not suffice, as mostly, the others need not be tried; next to 0,
    # where values have fewer digits, that is not so.
    if not allowed or not all(between(*own).fitted(most, in_floats=False) for own in ends[1:]):
        return None
    for degree in allowed:
        pieces: list[Piece] = []
        for own in ends:
            piece = between(*own).fitted(degree)
            if piece is None:
                break
            pieces.append(piece)
        else:
            return tuple(pieces)
    return None
