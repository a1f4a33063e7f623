"""Polynomials on a few intervals for a function of one float32, from its true values.

Where no formula in float32 is exact enough, these are. True values of many digits are taken once,
at Chebyshev's nodes of intervals that double in length; everything else is fitted to their series.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

import mpmath
import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray

from chainrule.derivations import (
    TimeLimitError,
    TooManyPiecesError,
    smooth_pieces,
    time_limit,
)
from chainrule.formulas import Formula
from chainrule.kernels._pieces import Decay, InPieces, Piece, Side
from chainrule.kernels._repair import Judge
from chainrule.references import FORMATS

Array = NDArray[np.float64]
Truth = Callable[[Any], Any]

_SECONDS = 4.0
_DEGREES = (9, 11, 13)
_MOST_PIECES = 7
_ALLOWED = 2.0**-27  # relative: a quarter of float32's last place at most
_MOST_ROUNDED = 1.1
_NODES = 30
_RESOLVED = 2.0**-42
_SMALLEST = 2.0**-152  # what is less rounds to 0
_SETTLED = 2.0**-26
_FAR = (128.0, 2.0**21, 2.0**40)  # from the first on, what vanishes like an exponential is gone
_LARGEST_POWER = 3
_LUCK = 200
_MOST_ZEROS = 2
_SCALES = (1.0, 2.0, 4.0)
_FIRST_EDGE = 0.25
_SHAPES = ((1,), (2,), (1, 3), (1, 2), (1, 2, 3))  # powers of t in an exponent
_SHORT = 2.0**8  # of the mantissas of an exponent's coefficients: products stay short
_CLOSE = 0.02
_PLACES = ("0.1129", "0.7291", "1.6183", "2.9512")


@lru_cache(maxsize=16)
def in_pieces(formula: Formula, *, slope: bool) -> InPieces | None:
    """Return the value or the slope of a function in pieces, or None where none are found.

    Parameters
    ----------
    formula : Formula
        Of one unit. Formulas with parameters have none: the polynomials would be those of one set
        of values.
    slope : bool
    """
    if formula.parameters or formula.is_layer_coupled:
        return None
    judge = Judge(formula, FORMATS["float64"], slope=slope)
    try:
        if any(float(b.place) != 0.0 for b in smooth_pieces(formula).breakpoints):
            return None
        with time_limit(_SECONDS), mpmath.workdps(40), np.errstate(all="ignore"):
            return _both_sides(judge)
    except (TimeLimitError, TooManyPiecesError, ArithmeticError, ValueError, TypeError):
        return None


def _both_sides(judge: Judge) -> InPieces | None:
    def on_left(t: Any) -> Any:
        return judge(-mpmath.mpf(t))

    tails = _tail(on_left), _tail(judge)
    for own, truth, other in ((0, on_left, judge), (1, judge, on_left)):
        line = tails[1 - own]
        if tails[own] != "vanishes" or not isinstance(line, tuple):
            continue
        sign = _relation(truth, other, line)
        side = _side(truth, tails[own]) if sign else None
        if side is not None:
            left, right = (side, None) if own == 0 else (None, side)
            return InPieces(left, right, (*line, sign))
    left = _side(on_left, tails[0])
    right = _side(judge, tails[1]) if left is not None else None
    return None if right is None else InPieces(left, right)


def _relation(truth: Truth, other: Truth, line: tuple[float, float]) -> float:
    """Return ±1 where the other side is a line plus or minus this one, else 0."""
    for sign in (1.0, -1.0):
        rests = [
            other(t) - (line[0] * t + line[1]) - sign * truth(t) for t in map(mpmath.mpf, _PLACES)
        ]
        if max(map(abs, rests)) < mpmath.mpf(10) ** -25:
            return sign
    return 0.0


def _tail(truth: Truth) -> Any:
    """Return "vanishes", the slope and constant of a line, a power of t, or None."""
    near, *far = (truth(t) for t in _FAR)
    if any(v is None or not mpmath.isfinite(v) for v in (near, *far)):
        return None
    if abs(near) < _SMALLEST and abs(far[0]) < _SMALLEST:
        return "vanishes"
    slope = _short((far[1] - far[0]) / (_FAR[2] - _FAR[1]))
    line = slope, _short(far[0] - slope * _FAR[1])
    wanted = line[0] * _FAR[0] + line[1]
    if any(line) and abs(near - wanted) < 2.0**-60 * abs(wanted):
        return line
    power = mpmath.log(abs(far[1] / far[0])) / mpmath.log(_FAR[2] / _FAR[1])
    nearest = int(mpmath.nint(power))
    return nearest if abs(power - nearest) < 1e-4 and abs(nearest) <= _LARGEST_POWER else None


def _short(value: Any) -> float:
    """Return a number as a float, the nearest one of few digits where that is as near as can be."""
    few = float(mpmath.nint(value * 2**20)) / 2**20
    return few if abs(few - value) < 2.0**-36 * (1 + abs(value)) else float(value)


def _side(truth: Truth, tail: Any) -> Side | None:
    if tail is None:
        return None
    if tail == "vanishes":
        return _vanishing(truth)
    if isinstance(tail, tuple):
        return _settling(truth, tail)
    return _algebraic(truth, tail)


def _vanishing(truth: Truth) -> Side | None:
    end = _bisected(lambda t: abs(truth(t)) < _SMALLEST)
    found = _phase(truth, end)
    if found is None:
        return None
    phase, growth = found

    def raised(t: Any) -> Any:
        return truth(t) * mpmath.exp(mpmath.fsum(c * mpmath.mpf(t) ** k for k, c in phase))

    series = _Series(raised, _doubling(end))
    lowest, growth = _power_at_zero(truth), growth - len(series.zeros)
    if len(series.zeros) > _MOST_ZEROS or not 0 <= growth <= lowest:
        return None
    zeros, powers = [float(zero) for zero in series.zeros], (growth, lowest - growth)
    parts = tuple(_in_two_parts(zero) for zero in series.zeros)
    sides = []
    for scale in _SCALES:

        def rest(y: Array, scale: float = scale) -> Array:
            t = scale * y / (1.0 - y)
            result = series(t) / (t ** powers[0] * y ** powers[1])
            for zero in zeros:
                result /= t - zero
            return result

        last = float(np.float32(end / (end + scale)))
        pieces = _shortest(_Target(rest, last)) if series.is_resolved else None
        if pieces is not None:
            sides.append(Side(pieces, Decay(phase, end, scale, powers, parts)))
    return min(sides, key=lambda side: side.work, default=None)


def _in_two_parts(value: Any) -> tuple[float, float]:
    high = float(np.float32(float(value)))
    return high, float(value - high)


def _settling(truth: Truth, line: tuple[float, float]) -> Side | None:
    def is_there(t: float) -> bool:
        wanted = line[0] * mpmath.mpf(t) + line[1]
        return bool(abs(truth(t) - wanted) < _SETTLED * abs(wanted))

    pieces = _near_zero(truth, _bisected(is_there))
    return None if pieces is None else Side(pieces, None, line)


def _algebraic(truth: Truth, power: int) -> Side | None:
    def of_inverse(v: Any) -> Any:
        """Return f(t) / t**power at t = 1/v."""
        t = 1 / mpmath.mpf(v)
        return truth(t) / t**power

    for end in (1.0, 2.0, 4.0, 8.0):
        series = _Series(of_inverse, _doubling(1 / end))
        target = _Target(series, 1 / end, start=float(of_inverse(2.0**-60)))
        fits = (target.fitted(0.0, 1 / end, degree) for degree in _DEGREES)
        far = next((fit for fit in fits if fit is not None), None)
        near = None if far is None or not series.is_resolved else _near_zero(truth, end)
        if far is not None and near is not None:
            return Side((*near, Piece(np.inf, 0.0, power, far.coefficients, is_far=True)))
    return None


def _near_zero(truth: Truth, end: float) -> tuple[Piece, ...] | None:
    """Return pieces from 0 to an end."""
    series, power = _Series(truth, _doubling(end)), _power_at_zero(truth)
    if not series.is_resolved:
        return None
    start = float(truth(2.0**-70) / mpmath.mpf(2.0**-70) ** power) if power else None
    zeros = {}
    for zero in series.zeros:
        centre = _in_two_parts(zero)[0]
        zeros[centre] = float(truth(centre))
    return _shortest(_Target(series, end, power, start, zeros))


def _bisected(holds: Callable[[float], bool]) -> float:
    """Return about the least place from which on something holds."""
    low, high = 0.0, _FAR[0]
    while high - low > 2.0**-6 * high:
        middle = (low + high) / 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return float(np.float32(high))


def _doubling(high: float) -> Array:
    """Return edges of intervals from 0 on that double in length."""
    edges = [high]
    while edges[-1] > _FIRST_EDGE:
        edges.append(edges[-1] / 2)
    return np.array([0.0, *edges[::-1]])


def _phase(truth: Truth, end: float) -> tuple[tuple[tuple[int, float], ...], int] | None:
    """Return the exponent of the exponential and the power of t like which a function vanishes."""
    places = np.linspace(end / 6, end, 12)
    logarithms = np.array([float(-mpmath.log(abs(truth(t)))) for t in places])
    others = [np.log(places), np.ones_like(places), 1 / places]
    for shape in _SHAPES:
        matrix = np.stack([*(places**k for k in shape), *others], axis=1)
        solution = np.linalg.lstsq(matrix, logarithms, rcond=None)[0]
        if np.abs(matrix @ solution - logarithms).max() < _CLOSE:
            phase = tuple((k, _of_few_digits(c)) for k, c in zip(shape, solution, strict=False))
            return phase, -round(float(solution[len(shape)]))
    return None


def _of_few_digits(value: float) -> float:
    mantissa, exponent = np.frexp(value)
    return float(np.ldexp(np.rint(mantissa * _SHORT) / _SHORT, exponent))


def _power_at_zero(truth: Truth) -> int:
    """Return k where a function goes like ``t**k`` towards 0."""
    values = truth(2.0**-60), truth(2.0**-61)
    if any(v is None or v == 0 for v in values):
        return 0
    return int(mpmath.nint(mpmath.log(abs(values[0] / values[1])) / mpmath.log(2)))


class _Series:
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
class _Target:
    """What is fitted, from 0 to an end.

    Parameters
    ----------
    values : callable
        Of many places at once.
    end : float
    power : int
        k of the factor ``x**k`` of the first piece.
    start : float or None
        What goes with this factor at 0, where there is one or the first piece is expanded there.
    zeros : dict of float
        The float32 nearest to each zero, and the value there.
    """

    values: Callable[[Array], Array]
    end: float
    power: int = 0
    start: float | None = None
    zeros: dict[float, float] | None = None

    def fitted(self, low: float, high: float, degree: int) -> Piece | None:
        """Return the polynomial of a degree on an interval, if it is good enough."""
        high = float(np.float32(high))
        half = (high - low) / 2
        found = self.centre(low, high) if half > 0 else None
        if found is None:
            return None
        centre, first = found
        power = 0 if low else self.power
        nodes = (low + high) / 2 + half * chebyshev.chebpts1(3 * (degree + 1))
        values, u = self.values(nodes) / nodes**power, nodes - centre
        coefficients = [float(np.float32(first))]
        # One after the other is rounded, and those that follow make up for it.
        while len(coefficients) <= degree:
            known = sum(c * u**k for k, c in enumerate(coefficients))
            powers = list(range(len(coefficients), degree + 1))
            matrix = np.stack([(u / half) ** k / values for k in powers], axis=1)
            solution = np.linalg.lstsq(matrix, (values - known) / values, rcond=None)[0]
            if not np.isfinite(solution).all():
                return None
            count = 1 if len(coefficients) < 3 else len(powers)
            coefficients += [
                float(np.float32(c / half**k))
                for k, c in zip(powers[:count], solution, strict=False)
            ]
        dense = low + (high - low) * (np.arange(1, 200) / 200)
        wanted, u = self.values(dense) / dense**power, dense - centre
        got = sum(c * u**k for k, c in enumerate(coefficients))
        if not np.abs(got / wanted - 1).max() <= _ALLOWED:
            return None
        if not _rounded_by(coefficients, u, wanted) <= _MOST_ROUNDED:
            return None
        return Piece(high, centre, power, tuple(coefficients))

    def centre(self, low: float, high: float) -> tuple[float, float] | None:
        """Return where to expand, and the value there: at a zero, else where a float32 is near."""
        if low == 0 and self.start is not None:
            return 0.0, self.start
        inside = [zero for zero in self.zeros or {} if low < zero < high]
        if inside:
            return None if len(inside) > 1 else (inside[0], (self.zeros or {})[inside[0]])
        middle = np.float32((low + high) / 2)
        places = (middle + np.arange(_LUCK) * np.spacing(middle)).astype(np.float64)
        values = self.values(places)
        luckiest = int(np.argmin(np.abs(values - values.astype(np.float32).astype(np.float64))))
        return float(places[luckiest]), float(values[luckiest])


def _rounded_by(coefficients: Sequence[float], u: Array, values: Array) -> float:
    """Return the sizes of all sums on the way to a polynomial's values, but these, over these."""
    partial, sizes = np.zeros_like(u), np.zeros_like(u)
    for coefficient in coefficients[:0:-1]:
        partial = (coefficient + partial) * u
        sizes = (sizes * np.abs(u)) + np.abs(partial)
    return float(np.max(sizes / np.abs(values)))


def _shortest(target: _Target) -> tuple[Piece, ...] | None:
    """Return the pieces of the degree with which they take the fewest operations."""
    for degree in _DEGREES:
        whole = target.fitted(0.0, target.end, degree)
        if whole is not None:
            return (whole,)
    found = [pieces for degree in _DEGREES if (pieces := _covered(target, degree)) is not None]
    return min(found, key=lambda pieces: Side(pieces).work, default=None)


def _covered(target: _Target, degree: int) -> tuple[Piece, ...] | None:
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
