"""Two places with the same output and different slopes: no form through the output exists.

They are searched for in floating point, then proved: an interval around the second place holds a
solution of f(z2) = f(z1) by the intermediate value theorem, and the intervals of the slopes are
apart.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

import mpmath
import numpy as np

from chainrule.derivations._evaluate import evaluate
from chainrule.derivations._scales import scales_of
from chainrule.derivations.output_forms.signs._intervals import (
    NotEnclosedError,
    enclosure,
    interval,
)
from chainrule.derivations.pieces._pieces import Piece

_DIGITS = 40
_SEARCH_DIGITS = 20
_TURNS = 4  # places at which the slope may have the other sign for a moment
_STEPS = 40
_PLAIN = Fraction(1, 50)
_SHARES = tuple(Fraction(k, 10**power) for power in range(2, 7) for k in (1, 2, 5))
_PAIRS = 30  # of stretches whose values overlap that are tried


@dataclass(frozen=True)
class Witness:
    """Two places that share their output and not their slope.

    Parameters
    ----------
    first : Fraction
        A place z1, exact.
    second : tuple of Fraction
        An interval that is proved to hold a z2 with f(z2) = f(z1).
    output : float
        f(z1) = f(z2).
    slopes : tuple of float
        f'(z1) and f'(z2), proved to differ.
    """

    first: Fraction
    second: tuple[Fraction, Fraction]
    output: float
    slopes: tuple[float, float]

    @property
    def is_plain(self) -> bool:
        """Whether it reads well: no place lies close to 0, but is not 0."""
        return self.first == 0 or min(abs(self.first), abs(self.second[0])) >= _PLAIN

    def __str__(self) -> str:
        z1, z2 = float(self.first), float(self.second[0])
        return (
            f"f({z1:.6g}) = f({z2:.6g}) = {self.output:.6g}, "
            f"with slopes {self.slopes[0]:.4g} and {self.slopes[1]:.4g}"
        )


@dataclass(frozen=True)
class Branch:
    """A smooth piece and the places between which it holds."""

    piece: Piece
    low: float
    high: float


@dataclass(frozen=True)
class _Stretch:
    branch: Branch
    places: tuple[Fraction, Fraction]
    outputs: tuple[float, float]
    slopes: tuple[float, float]


def find_witness(branches: Sequence[Branch], values: Mapping[str, float]) -> Witness | None:
    """Search pieces for two places with the same output and different slopes, and prove them."""
    sampled = [(branch, _known(branch, _places_of(branch, values), values)) for branch in branches]
    kept: Witness | None = None
    for places_of in (_as_they_are, _about_turns):
        stretches = [
            stretch
            for branch, known in sampled
            for stretch in _stretches(branch, places_of(branch, known, values))
        ]
        for one, two in _candidates(stretches):
            for first, second in ((one, two), (two, one)):
                found = _proved(first, second, values)
                if found is not None and found.is_plain:
                    return found
                kept = kept or found
    return kept


def sample(low: float, high: float) -> list[Fraction]:
    """Return short decimals, dense where formulas change, inside an open interval."""
    coarse = [Fraction(k, 10) for k in range(-60, 61)]
    far = [
        Fraction(s * k)
        for k in (7, 8, 10, 12, 15, 20, 30, 50, 100, 200, 500, 1000, 2000, 5000)
        for s in (1, -1)
    ]
    fine = [Fraction(s, 10**k) for k in (2, 3, 5) for s in (1, -1)]
    inside = {x for x in (*coarse, *far, *fine) if low < x < high}
    if math.isfinite(low) and math.isfinite(high):
        width = Fraction(high) - Fraction(low)
        inside |= {Fraction(low) + width * Fraction(k, 32) for k in range(1, 32)}
    elif math.isfinite(low) or math.isfinite(high):
        edge, side = (Fraction(low), 1) if math.isfinite(low) else (Fraction(high), -1)
        scale = max(abs(edge), Fraction(1))
        inside |= {edge + side * scale * Fraction(k, 8) for k in (1, 2, 3, 4, 6, 8, 12, 16, 24)}
    return sorted(x for x in inside if low < x < high)


def _places_of(branch: Branch, values: Mapping[str, float]) -> list[Fraction]:
    scales = scales_of(branch.piece.expression, values)
    scaled = {s * Fraction(x) * k / 4 for x in scales for k in range(1, 20) for s in (1, -1)}
    inside = {z for z in scaled if branch.low < z < branch.high}
    return sorted({*sample(branch.low, branch.high), *inside})


_Known = list[tuple[Fraction, Any, Any]]  # places with their outputs and slopes


def _known(branch: Branch, places: list[Fraction], values: Mapping[str, float]) -> _Known:
    found = []
    with mpmath.workdps(_SEARCH_DIGITS):
        for z in places:
            at = {**values, "z": _number(z)}
            output = evaluate(branch.piece.expression, at)
            found.append((z, output, evaluate(branch.piece.derivative, at)))
    return found


def _as_they_are(branch: Branch, known: _Known, values: Mapping[str, float]) -> _Known:
    return known


def _about_turns(branch: Branch, sampled: _Known, values: Mapping[str, float]) -> _Known:
    """Return places about stretches on which the slope has the other sign, however short.

    It may have it for a moment beside a kink, too.
    """

    def slope(z: Any) -> Any:
        return evaluate(branch.piece.derivative, {**values, "z": z})

    found = set(_beside_ends(branch))
    with mpmath.workdps(_SEARCH_DIGITS):
        known = [(_number(z), x) for z, _, x in sampled if mpmath.isfinite(x) and x != 0]
        usual = 1 if sum(x > 0 for _, x in known) * 2 > len(known) else -1
        triples = [
            three
            for three in zip(known, known[1:], known[2:], strict=False)
            if usual * three[1][1] <= min(usual * three[0][1], usual * three[2][1])
        ]
        triples.sort(key=lambda three: usual * three[1][1])
        for (left, at_left), _, (right, at_right) in triples[:_TURNS]:
            lowest = _lowest(lambda z: usual * slope(z), left, right)
            if not usual * slope(lowest) < 0 < min(usual * at_left, usual * at_right):
                continue
            ends = [_bisected(slope, lowest, beyond) for beyond in (left, right)]
            width = ends[1] - ends[0]
            found |= {
                Fraction(mpmath.nstr(ends[0] + width * k / 8, _SEARCH_DIGITS // 2))
                for k in range(-8, 17)
            }
    places = sorted(z for z in found if branch.low < z < branch.high)
    return _known(branch, places, values)


def _beside_ends(branch: Branch) -> Iterator[Fraction]:
    for end, side in ((branch.low, 1), (branch.high, -1)):
        if math.isfinite(end):
            scale = side * max(abs(Fraction(end)), Fraction(1))
            yield from (Fraction(end) + scale * share for share in _SHARES)


def _lowest(function: Callable[[Any], Any], low: Any, high: Any) -> Any:
    """Return where a function is lowest between two places, if it has one valley there."""
    for _ in range(_STEPS):
        one, two = low + (high - low) / 3, high - (high - low) / 3
        if function(one) < function(two):
            high = two
        else:
            low = one
    return (low + high) / 2


def _bisected(function: Callable[[Any], Any], inside: Any, outside: Any) -> Any:
    sign = mpmath.sign(function(inside))
    for _ in range(_STEPS):
        middle = (inside + outside) / 2
        if function(middle) * sign > 0:
            inside = middle
        else:
            outside = middle
    return outside


def _stretches(branch: Branch, known: _Known) -> list[_Stretch]:
    finite = [
        (z, float(output), float(slope))
        if mpmath.isfinite(output) and mpmath.isfinite(slope)
        else None
        for z, output, slope in known
    ]
    return [
        _Stretch(branch, (x[0], y[0]), (x[1], y[1]), (x[2], y[2]))
        for x, y in pairwise(finite)
        if x is not None and y is not None
    ]


def _candidates(stretches: list[_Stretch]) -> Iterator[tuple[_Stretch, _Stretch]]:
    """Yield pairs whose outputs overlap and whose slopes differ, the clearest first."""
    if not stretches:
        return
    outputs, slopes = (
        np.sort([getattr(s, name) for s in stretches], axis=1) for name in ("outputs", "slopes")
    )
    farthest = np.array([float(max(map(abs, s.places))) for s in stretches])
    one, two = np.triu_indices(len(stretches), 1)
    with np.errstate(all="ignore"):
        overlap = np.maximum(outputs[one, 0], outputs[two, 0]) <= np.minimum(
            outputs[one, 1], outputs[two, 1]
        )
        apart = np.maximum(slopes[one, 0] - slopes[two, 1], slopes[two, 0] - slopes[one, 1])
        steepest = np.abs(slopes).max(axis=1)
        largest = np.maximum(steepest[one], steepest[two])
        far = np.maximum(farthest[one], farthest[two])
        (chosen,) = np.nonzero(overlap & (apart > 1e-6 * largest) & (largest < 1e30))
        rank = apart[chosen] / largest[chosen] - np.abs(np.log10(far[chosen]))
    for k in chosen[np.argsort(-rank, kind="stable")[:_PAIRS]]:
        yield stretches[one[k]], stretches[two[k]]


def _proved(one: _Stretch, two: _Stretch, values: Mapping[str, float]) -> Witness | None:
    """Take a short place of the first stretch whose output the second stretch takes too."""
    low, high = sorted(two.outputs)
    (left, right), (at_left, at_right) = one.places, one.outputs
    for step in (0, 10, 5, 3, 7, 1, 9):
        part = Fraction(step, 10)
        guess = at_left + (at_right - at_left) * float(part)
        if not low <= guess <= high:
            continue
        witness = _proof(one.branch, left + (right - left) * part, two, values)
        if witness is not None:
            return witness
    return None


def _proof(
    branch: Branch, first: Fraction, two: _Stretch, values: Mapping[str, float]
) -> Witness | None:
    parameters = {name: interval(value, value) for name, value in values.items()}

    def over(piece: Piece, low: Any, high: Any, *, slope: bool = False) -> Any:
        expression = piece.derivative if slope else piece.expression
        return enclosure(expression, {**parameters, "z": interval(low, high)})

    with mpmath.workdps(_DIGITS):
        at = {**values, "z": _number(first)}
        output = evaluate(branch.piece.expression, at)
        bracket = _bracket(two, output, values)
        if bracket is None:
            return None
        point = _exact(first)
        try:
            target = over(branch.piece, *point)
            signs = [_sign(over(two.branch.piece, *_exact(end)) - target) for end in bracket]
            between = (_exact(bracket[0])[0], _exact(bracket[1])[1])
            over(two.branch.piece, *between)  # defined, hence continuous, in between
            slopes = (
                over(branch.piece, *point, slope=True),
                over(two.branch.piece, *between, slope=True),
            )
        except NotEnclosedError:
            return None
        apart = slopes[0].b < slopes[1].a or slopes[1].b < slopes[0].a
        if signs[0] * signs[1] != -1 or not apart:
            return None
        return Witness(
            first, bracket, float(output),
            (float(mpmath.mpf(slopes[0].mid)), float(mpmath.mpf(slopes[1].mid))),
        )  # fmt: skip


def _bracket(
    stretch: _Stretch, output: Any, values: Mapping[str, float]
) -> tuple[Fraction, Fraction] | None:
    """Return a tiny interval of exact places around which the output is passed."""

    def difference(z: Any) -> Any:
        return evaluate(stretch.branch.piece.expression, {**values, "z": z}) - output

    low, high = map(_number, stretch.places)
    below, above = difference(low), difference(high)
    if below == 0 or above == 0:
        low = high = low if below == 0 else high
    elif not below * above < 0:
        return None
    for _ in range(0 if low == high else 110):
        middle = (low + high) / 2
        value = difference(middle)
        if value == 0:
            low = high = middle
            break
        if not mpmath.isfinite(value):
            return None
        if value * below > 0:
            low = middle
        else:
            high = middle
    margin = mpmath.mpf(10) ** -28 * (1 + abs(low))
    places = [
        Fraction(int(mpmath.floor(x * 2**100)), 2**100) for x in (low - margin, high + margin)
    ]
    inside = stretch.branch.low < places[0] < places[1] < stretch.branch.high
    return (places[0], places[1]) if inside else None


def _number(x: Fraction) -> Any:
    return mpmath.mpf(x.numerator) / x.denominator


def _exact(x: Fraction) -> tuple[Any, Any]:
    """Return numbers on either side of a fraction; the same twice where it is dyadic."""
    down = mpmath.fdiv(x.numerator, x.denominator, rounding="f", dps=60)
    up = mpmath.fdiv(x.numerator, x.denominator, rounding="c", dps=60)
    return down, up


def _sign(x: Any) -> int:
    return 1 if x.a > 0 else -1 if x.b < 0 else 0
