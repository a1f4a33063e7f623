"""Polynomials on a few intervals for a function of one float32, from its true values.

Where no formula in float32 is exact enough, these are. True values of many digits are taken once,
at Chebyshev's nodes of intervals that double in length; everything else is fitted to their series.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any

import mpmath
import numpy as np

from chainrule.derivations import (
    TimeLimitError,
    TooManyPiecesError,
    smooth_pieces,
    time_limit,
)
from chainrule.formulas import Formula
from chainrule.kernels.elementary import tables
from chainrule.kernels.elementary.tables import MOST
from chainrule.kernels.fitting._judge import Judge
from chainrule.kernels.fitting._pieces import LEAST_WORK, Decay, InPieces, Piece, Side
from chainrule.kernels.fitting._polynomials import (
    Array,
    Series,
    Target,
    Truth,
    exactly,
    in_one,
    shortest,
)
from chainrule.references import FORMATS

_SECONDS = 4.0
_SMALLEST = 2.0**-152  # what is less rounds to 0
_SETTLED = 2.0**-26
_NEXT_TO_ZERO = 2.0**-60
_FAR = (128.0, 2.0**21, 2.0**40)  # from the first on, what vanishes like an exponential is gone
_LARGEST_POWER = 3
_MOST_ZEROS = 2
_SCALES = (1.0, 2.0, 3.0, 4.0)
_FIRST_EDGE = 0.25
_SHAPES = ((1,), (2,), (1, 3), (1, 2), (1, 2, 3))  # powers of t in an exponent
_SHORT = 2.0**8  # of the mantissas of an exponent's coefficients: products stay short
_CLOSE = 0.02
_PLACES = ("0.1129", "0.7291", "1.6183", "2.9512")


@lru_cache(maxsize=16)
def in_pieces(formula: Formula, *, slope: bool, most: float = math.inf) -> InPieces | None:
    """Return the value or the slope of a function in pieces, or None where none are found.

    Parameters
    ----------
    formula : Formula
        Of one unit. The polynomials are those of the values that its parameters have.
    slope : bool
    most : float
        How many operations they may take.
    """
    if formula.is_layer_coupled:
        return None
    judge = Judge(formula, FORMATS["float64"], slope=slope)
    try:
        if any(float(b.place) != 0.0 for b in smooth_pieces(formula).breakpoints):
            return None
        with time_limit(_SECONDS), mpmath.workdps(40), np.errstate(all="ignore"):
            found = _both_sides(judge, most)
    except (TimeLimitError, TooManyPiecesError, ArithmeticError, ValueError, TypeError):
        return None
    return found if found is not None and found.work <= most else None


def _both_sides(judge: Judge, most: float) -> InPieces | None:
    def on_left(t: Any) -> Any:
        return judge(-mpmath.mpf(t))

    tails = _tail(on_left), _tail(judge)
    sign = _relation(judge, on_left, (0.0, 0.0))
    if sign:
        side = _side(judge, tails[1], most, MOST)
        return None if side is None else InPieces(None, side, (0.0, 0.0, sign))
    for own, truth, other in ((0, on_left, judge), (1, judge, on_left)):
        line = tails[1 - own]
        if tails[own] != "vanishes" or not isinstance(line, tuple):
            continue
        sign = _relation(truth, other, line)
        if sign:
            side = _side(truth, tails[own], most, MOST)
            left, right = (side, None) if own == 0 else (None, side)
            return None if side is None else InPieces(left, right, (*line, sign))
    left = _side(on_left, tails[0], most, MOST // 2)
    right = None if left is None else _side(judge, tails[1], most, MOST // 2)
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
    slope = (far[1] - far[0]) / (_FAR[2] - _FAR[1])
    constant = far[0] - slope * _FAR[1]
    wanted = slope * _FAR[0] + constant
    line = _short(slope), _short(constant)
    if any(line) and abs(near - wanted) < 2.0**-60 * abs(wanted):
        return line
    power = mpmath.log(abs(far[1] / far[0])) / mpmath.log(_FAR[2] / _FAR[1])
    nearest = int(mpmath.nint(power))
    return nearest if abs(power - nearest) < 1e-4 and abs(nearest) <= _LARGEST_POWER else None


def _short(value: Any) -> float:
    """Return a number as a float, the nearest one of few digits where that is as near as can be."""
    few = float(mpmath.nint(value * 2**20)) / 2**20
    return few if abs(few - value) < 2.0**-36 * (1 + abs(value)) else float(value)


def _side(truth: Truth, tail: Any, most: float, room: int) -> Side | None:
    if tail is None:
        return None
    if tail == "vanishes":
        return _vanishing(truth, most, room)
    if isinstance(tail, tuple):
        return _settling(truth, tail, most, room)
    return _algebraic(truth, tail, most, room)


def _vanishing(truth: Truth, most: float, room: int) -> Side | None:
    end = _bisected(lambda t: abs(truth(t)) < _SMALLEST)
    found = _phase(truth, end)
    if found is None:
        return None
    phase, growth = found

    def raised(t: Any) -> Any:
        return truth(t) * mpmath.exp(mpmath.fsum(c * mpmath.mpf(t) ** k for k, c in phase))

    series = Series(raised, _doubling(end))
    if len(series.zeros) > _MOST_ZEROS or not series.is_resolved:
        return None
    zeros = [float(zero) for zero in series.zeros]
    parts = tuple(_in_two_parts(zero) for zero in series.zeros)
    lowest, growth = _power_at_zero(truth), max(growth - len(zeros), 0)
    sides = []
    scales = [math.inf] if len(phase) == 1 and tables.is_quick() else []
    scales += _SCALES if growth <= lowest else ()
    for scale in scales:
        powers = (0, 0) if math.isinf(scale) else (growth, lowest - growth)

        def exact(y: Any, scale: float = scale, powers: tuple[int, int] = powers) -> Any:
            t = y if math.isinf(scale) else scale * y / (1 - y)
            distances = mpmath.fprod(t - zero for zero in series.zeros)
            return raised(t) / (t ** powers[0] * y ** powers[1] * distances)

        def rest(y: Array, scale: float = scale, powers: tuple[int, int] = powers) -> Array:
            t = y if math.isinf(scale) else scale * y / (1.0 - y)
            result = series(t) / (t ** powers[0] * y ** powers[1])
            for zero in zeros:
                result /= t - zero
            return result

        decay = Decay(phase, end, scale, powers, parts)
        target = Target(rest, exact, decay.last)
        if math.isinf(scale) and lowest:
            place = mpmath.mpf(2) ** -70
            start = float(exact(place) / place**lowest)
            target = replace(target, power=lowest, start=start, is_from_zero=True)
        pieces = shortest(target, room, most - LEAST_WORK - decay.work)
        if pieces is not None:
            sides.append((Side(pieces, decay), target))
    if not sides:
        return None
    side, target = min(sides, key=lambda pair: pair[0].work)
    if side.work > most:
        return None
    pieces = exactly(target, side.pieces)
    return replace(side, pieces=tuple(map(_without_factor, pieces)))


def _without_factor(piece: Piece) -> Piece:
    """Return a piece, expanded at 0, whose factor ``t**k`` is one of its polynomial."""
    if not piece.power:
        return piece
    zeros = (0.0,) * piece.power
    return replace(piece, power=0, coefficients=(*zeros, *piece.coefficients), low=0.0)


def _in_two_parts(value: Any) -> tuple[float, float]:
    high = float(np.float32(float(value)))
    return high, float(value - high)


def _settling(truth: Truth, line: tuple[float, float], most: float, room: int) -> Side | None:
    def is_there(t: float) -> bool:
        wanted = line[0] * mpmath.mpf(t) + line[1]
        return bool(abs(truth(t) - wanted) < _SETTLED * abs(wanted))

    pieces = _near_zero(truth, _bisected(is_there), most, room)
    return Side(pieces, None, line) if pieces else None  # a mere line has its formula


def _algebraic(truth: Truth, power: int, most: float, room: int) -> Side | None:
    def of_inverse(v: Any) -> Any:
        """Return f(t) / t**power at t = 1/v."""
        t = 1 / mpmath.mpf(v)
        return truth(t) / t**power

    for end in (1.0, 2.0, 4.0, 8.0):
        series = Series(of_inverse, _doubling(1 / end))
        target = Target(series, of_inverse, 1 / end, start=float(of_inverse(2.0**-60)))
        far = in_one(target)
        if far is None or not series.is_resolved:
            continue
        near = _near_zero(truth, end, most, room - 1)
        if near is not None:
            made = target.exactly(far, 0.0)
            return Side((*near, replace(made, end=np.inf, power=power, is_far=True)))
    return None


def _near_zero(truth: Truth, end: float, most: float, room: int) -> tuple[Piece, ...] | None:
    """Return pieces from 0 to an end."""
    series, power = Series(truth, _doubling(end)), _power_at_zero(truth)
    if not series.is_resolved:
        return None
    start = float(truth(2.0**-70) / mpmath.mpf(2.0**-70) ** power) if power else None
    zeros = {}
    for zero in series.zeros:
        centre = _in_two_parts(zero)[0]
        zeros[centre] = float(truth(centre))
    target = Target(series, truth, end, power, start, zeros)
    found = []
    for one in (target, replace(target, throughout=True))[: 2 if power > 0 else 1]:
        pieces = shortest(one, room, most - LEAST_WORK)
        if pieces is not None:
            found.append((one, pieces))
    if not found:
        return None
    target, pieces = min(found, key=lambda pair: Side(pair[1]).work)
    return exactly(target, pieces) if Side(pieces).work <= most else None


def _bisected(holds: Callable[[float], bool]) -> float:
    """Return about the least place from which on something holds; 0 where it always does."""
    low, high = 0.0, _FAR[0]
    while high - low > 2.0**-6 * high:
        if high < _NEXT_TO_ZERO:
            return 0.0
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
    if not np.isfinite(logarithms).all():  # it is 0 there
        return None
    for shape in _SHAPES:
        with np.errstate(over="ignore"):
            matrix = np.stack([*(places**k for k in shape), *others], axis=1)
        if not np.isfinite(matrix).all():  # LAPACK may search on for ever
            continue
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
