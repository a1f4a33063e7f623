"""Where a smooth function is positive, zero and negative, proved by interval arithmetic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from chainrule.derivations import is_time_up
from chainrule.portraits.enclosures._interval import Array, Interval

_START = 192
_LEVELS = 44
_COARSE_LEVELS = 8
_STEPS = 12
_MOST = 3000
_MOST_ZEROS = 64  # more of them, as a periodic function has, are no longer told apart
_UNEVEN = 0.4871  # halves would put the zeros of odd functions on an end


@dataclass(frozen=True)
class Stretch:
    """An interval on which the sign is one: 1, -1, 0 (identically), or None: not settled."""

    low: float
    high: float
    sign: int | None


@dataclass(frozen=True)
class Zero:
    """An interval that holds exactly one zero; the sign changes where its multiplicity is odd."""

    low: float
    high: float
    multiplicity: int = 1


@dataclass(frozen=True)
class Signs:
    """Stretches from left to right; zeros lie between them."""

    stretches: tuple[Stretch, ...]
    zeros: tuple[Zero, ...]

    @property
    def settled(self) -> bool:
        """Whether the sign is known everywhere."""
        return all(stretch.sign is not None for stretch in self.stretches)


class Bounded(Protocol):
    """A function of one variable of which bounds over intervals can be had."""

    def __call__(self, z: Interval, /) -> Interval:
        """Return bounds of the values over each interval."""
        ...

    def at(self, place: float, /) -> tuple[float, float]:
        """Return bounds of the value at one double."""
        ...

    def over(self, low: float, high: float, /) -> tuple[float, float]:
        """Return bounds of the values over one interval."""
        ...


def signs_between(
    function: Bounded, slope: Bounded, low: float, high: float,
    at_ends: tuple[int | None, int | None] = (None, None), *, coarsest: float = 0.0,
) -> Signs:  # fmt: skip
    """Return the signs on a finite interval; what is not settled in time stays so.

    Parameters
    ----------
    function, slope : Bounded
        The function and its derivative.
    low, high : float
    at_ends : pair of int or None
        The function's signs at the two ends where they are known otherwise (0 where it vanishes).
    coarsest : float
        Zeros need not be enclosed in less than this.
    """
    if low >= high:
        return Signs((), ())
    edges = np.linspace(low, high, _START + 1)
    edges[1:-1] += (0.5 - _UNEVEN) * (high - low) / _START
    left, right = edges[:-1], edges[1:]
    settled: list[tuple[Array, Array, Array]] = []
    for level in range(_LEVELS):
        lower, upper, steady = bounds(function, slope, left, right)
        sign = np.where(lower > 0, 1, np.where(upper < 0, -1, 0))
        done = sign != 0
        settled.append((left[done], right[done], sign[done]))
        left, right, steady = left[~done], right[~done], steady[~done]
        # Where the slope keeps its sign, Newton's method is faster.
        narrow = right - left < np.maximum(1e-10 * (1e-3 + np.abs(left)), coarsest)
        narrow |= steady & (level >= _COARSE_LEVELS)
        if not left.size or narrow.all() or left.size > _MOST or is_time_up():
            break
        middle = left + _UNEVEN * (right - left)
        kept = ~narrow
        left, right = (
            np.concatenate([left[~kept], left[kept], middle[kept]]),
            np.concatenate([right[~kept], middle[kept], right[kept]]),
        )
    settled.append((left, right, np.full(left.size, 9)))
    lefts, rights, signs = (np.concatenate([part[k] for part in settled]) for k in range(3))
    return _joined(function, slope, lefts, rights, signs, at_ends, coarsest)


def bounds(
    function: Bounded, slope: Bounded, left: Array, right: Array
) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Return bounds over intervals, by the natural and by the mean value form, and monotony."""
    lower, upper = function((left, right))
    middle = 0.5 * (left + right)
    at_middle = function((middle, middle))
    steepest = slope((left, right))
    with np.errstate(all="ignore"):
        reach = np.maximum(np.abs(steepest[0]), np.abs(steepest[1]))
        reach = reach * (0.5 * (right - left)) * (1 + 1e-12)
        # Two roundings of the middle, which the width of the interval dwarfs otherwise.
        reach = reach + np.abs(at_middle[0]) * 1e-15 + 1e-300
        low, high = at_middle[0] - reach, at_middle[1] + reach
    steady = (steepest[0] > 0) | (steepest[1] < 0)
    return np.fmax(lower, low), np.fmin(upper, high), steady


def sign_at(function: Bounded, place: float) -> int:
    """Return the sign at a double, 0 where it is not settled."""
    low, high = function.at(place)
    return 1 if low > 0 else -1 if high < 0 else 0


def _joined(
    function: Bounded, slope: Bounded, lefts: Array, rights: Array, signs: Array,
    at_ends: tuple[int | None, int | None], coarsest: float,
) -> Signs:  # fmt: skip
    order = np.argsort(lefts)
    runs: list[list[float]] = []
    for k in order:
        if runs and runs[-1][2] == signs[k]:
            runs[-1][1] = rights[k]
        else:
            runs.append([float(lefts[k]), float(rights[k]), int(signs[k])])
    stretches: list[Stretch] = []
    zeros: list[Zero] = []
    if sum(sign == 9 for _, _, sign in runs) > _MOST_ZEROS:
        return Signs((Stretch(float(lefts.min()), float(rights.max()), None),), ())
    for k, (low, high, sign) in enumerate(runs):
        if sign != 9:
            _append(stretches, Stretch(float(low), float(high), int(sign)))
            continue
        first = at_ends[0] if k == 0 else int(runs[k - 1][2])
        last = at_ends[1] if k == len(runs) - 1 else int(runs[k + 1][2])
        for part in _doubtful(function, slope, (low, high), (first, last), coarsest):
            if isinstance(part, Zero):
                zeros.append(part)
            else:
                _append(stretches, part)
    return Signs(tuple(stretches), tuple(zeros))


def _append(stretches: list[Stretch], new: Stretch) -> None:
    if stretches and stretches[-1].sign == new.sign:
        stretches[-1] = Stretch(stretches[-1].low, new.high, new.sign)
    else:
        stretches.append(new)


def _doubtful(
    function: Bounded, slope: Bounded, between: tuple[float, float],
    at_ends: tuple[int | None, int | None], coarsest: float,
) -> list[Stretch | Zero]:  # fmt: skip
    """Settle a small interval: where the slope keeps its sign there is at most one zero."""
    (low, high), (first, last) = between, at_ends
    steep = slope.over(low, high)
    first = first if first is not None else sign_at(function, low) or None
    last = last if last is not None else sign_at(function, high) or None
    monotone = 1 if steep[0] > 0 else -1 if steep[1] < 0 else 0
    if not monotone or first is None or last is None:
        return [Stretch(low, high, None)]
    if first * last < 0:
        wide = high - low > coarsest
        zero = narrowed(function, slope, low, high) if wide else Zero(low, high)
        return [Stretch(low, zero.low, first), zero, Stretch(zero.high, high, last)]
    # Monotone and zero at one end at most: the sign is that of the other end.
    return [Stretch(low, high, first or last)]


def narrowed(function: Bounded, slope: Bounded, low: float, high: float) -> Zero:
    """Enclose the zero of a function of known slope by Newton's method in intervals."""
    for _ in range(_STEPS):
        middle = low + _UNEVEN * (high - low)
        value, rise = function.at(middle), slope.over(low, high)
        if rise[0] <= 0 <= rise[1]:
            break
        ways = [v / s for v in value for s in rise]
        slack = 1e-15 * abs(middle) + 1e-300
        nearer = max(low, middle - max(ways) - slack), min(high, middle - min(ways) + slack)
        if not nearer[0] <= nearer[1] or nearer[1] - nearer[0] > 0.9 * (high - low):
            break
        low, high = nearer
    return Zero(low, high)
