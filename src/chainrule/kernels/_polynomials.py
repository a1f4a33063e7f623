"""Polynomials with coefficients in float32, on as few intervals as a function takes.

They are found quickly, and then made anew in many digits: the same on every machine.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import mpmath
import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray

from chainrule.kernels._pieces import Piece, Side

Array = NDArray[np.float64]
Truth = Callable[[Any], Any]

_DEGREES = (9, 11, 13)
_ALL_DEGREES = range(7, 14)
_MOST_PIECES = 7
_ALLOWED = 2.0**-28  # relative: an eighth of float32's last place at most
_HELD = 2.0**-29
_MOST_ROUNDED = 1.1
_NODES = 30
_RESOLVED = 2.0**-42
_LUCK = 200


class Series:
    """A function as Chebyshev series on intervals, quick to evaluate, and its zeros."""

    def __init__(self, truth: Truth, edges: Array) -> None:
        self.edges = edges
        nodes = chebyshev.chebpts1(_NODES)
        self.parts: list[Array] = []
        self.is_resolved = True
        for a, b in pairwise(edges):
            places = (a + b) / 2 + nodes * (b - a) / 2
            values = np.array([float(truth(mpmath.mpf(float(x)))) for x in places])
            series = chebyshev.chebfit(nodes, values, _NODES - 1)
            self.parts.append(series)
            self.is_resolved &= bool(np.abs(series[-4:]).max() <= _RESOLVED * np.abs(series).max())
        t = np.linspace(edges[0], edges[-1], 2001)[1:]
        signs = np.sign(self(t))
        self.zeros = [
            mpmath.findroot(
                truth, (float(t[k]), float(t[k + 1])), solver="illinois", tol=1e-30, verify=False
            )
            for k in np.flatnonzero(signs[:-1] * signs[1:] < 0)[:_MOST_PIECES]
        ]

    def __call__(self, t: Array) -> Array:
        result = np.empty_like(t)
        which = np.clip(np.searchsorted(self.edges, t, "right") - 1, 0, len(self.parts) - 1)
        for k, series in enumerate(self.parts):
            chosen = which == k
            a, b = self.edges[k], self.edges[k + 1]
            result[chosen] = chebyshev.chebval((2 * t[chosen] - a - b) / (b - a), series)
        return result


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
    """

    values: Callable[[Array], Array]
    exact: Truth
    end: float
    power: int = 0
    start: float | None = None
    zeros: dict[float, float] | None = None
    throughout: bool = False

    def fitted(self, low: float, high: float, degree: int) -> Piece | None:
        """Return the polynomial of a degree on an interval, not rounded, if it is good enough.

        What is decided on does not depend on the last bits, which differ between machines.
        """
        high = float(np.float32(high))
        half = (high - low) / 2
        power = self.power if low == 0 or self.throughout else 0
        found = self.centre(low, high, power) if half > 0 else None
        if found is None:
            return None
        centre, first = found
        rest = _not_held(first)
        nodes = _nodes(low, high, degree)
        values, u = self.values(nodes) / nodes**power, nodes - centre
        known, powers = float(np.float32(first)) + rest, np.arange(1, degree + 1)
        matrix = (u[:, np.newaxis] / half) ** powers / values[:, np.newaxis]
        solution = np.linalg.lstsq(matrix, (values - known) / values, rcond=None)[0]
        others = (solution / half**powers).tolist()
        dense = low + (high - low) * (np.arange(1, 200) / 200)
        wanted, u = self.values(dense) / dense**power, dense - centre
        got = known + sum(c * u**k for k, c in enumerate(others, 1))
        if not np.abs(got / wanted - 1).max() <= _ALLOWED:
            return None
        if not _rounded_by((known, *others), u, wanted) <= _MOST_ROUNDED:
            return None
        return Piece(high, centre, power, (known - rest, *others), low=rest)

    def exactly(self, piece: Piece, low: float) -> Piece:
        """Return a fit made anew in many digits, and rounded: the same on every machine."""
        degree = len(piece.coefficients) - 1
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
        return replace(piece, coefficients=(piece.coefficients[0], *known[1:]), low=low)

    def centre(self, low: float, high: float, power: int) -> tuple[float, float] | None:
        """Return where to expand, and the value there: at a zero, else where a float32 is near."""
        if low == 0 and self.start is not None:
            return 0.0, self.start
        inside = [zero for zero in self.zeros or {} if low < zero < high]
        if inside:
            value = (self.zeros or {})[inside[0]] / inside[0] ** power
            return None if len(inside) > 1 else (inside[0], value)
        middle = np.float32((low + high) / 2)
        places = (middle + np.arange(_LUCK) * np.spacing(middle)).astype(np.float64)
        values = self.values(places) / places**power
        luckiest = int(np.argmin(np.abs(values - values.astype(np.float32).astype(np.float64))))
        return float(places[luckiest]), float(values[luckiest])


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


def shortest(target: Target) -> tuple[Piece, ...] | None:
    """Return the pieces of the degree with which they take the fewest operations."""
    whole = in_one(target)
    if whole is not None:
        return (whole,)
    found = [pieces for degree in _DEGREES if (pieces := _covered(target, degree)) is not None]
    return min(found, key=lambda pieces: Side(pieces).work, default=None)


def in_one(target: Target) -> Piece | None:
    """Return the polynomial of the lowest degree that suffices on the whole interval."""
    fits = (target.fitted(0.0, target.end, degree) for degree in _ALL_DEGREES)
    return next((fit for fit in fits if fit is not None), None)


def exactly(target: Target, pieces: tuple[Piece, ...]) -> tuple[Piece, ...]:
    """Return pieces made anew, each as `Target.exactly` does."""
    lows = (0.0, *(piece.end for piece in pieces))
    return tuple(target.exactly(p, low) for p, low in zip(pieces, lows, strict=False))


def _covered(target: Target, degree: int) -> tuple[Piece, ...] | None:
    """Cover the interval from 0 to an end, each piece as long as a degree allows."""
    result: list[Piece] = []
    place, end = 0.0, target.end
    while place < end:
        best = target.fitted(place, end, degree)
        low, high = place, end
        while (best is None or best.end < end) and high - low > 2.0**-4 * (high - place):
            middle = (low + high) / 2
            piece = target.fitted(place, middle, degree)
            if piece is None:
                high = middle
            else:
                low, best = middle, piece
            if high - place < 2.0**-9 * end:
                break
        if best is None or len(result) == _MOST_PIECES:
            return None
        result.append(best)
        place = best.end
    return tuple(result)
