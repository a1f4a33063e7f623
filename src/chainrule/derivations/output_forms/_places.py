"""High-precision checks of a form at places all over a piece: middle, ends and tails."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import mpmath
import sympy

from chainrule.derivations._evaluate import evaluate
from chainrule.derivations.pieces._pieces import Piece
from chainrule.formulas import Expression

DIGITS = 50
WORKING_DIGITS = 240  # what cancels in the tails is kept
NEGLIGIBLE = mpmath.mpf(10) ** (DIGITS - WORKING_DIGITS)
_MORE_DIGITS, _FAR = 5000, 5
_FEWEST = 5
_NEAR = (30, 100, 200, 300)


@dataclass(frozen=True)
class Place:
    """A place of a piece with its output and slope there."""

    z: Any
    output: Any
    slope: Any
    piece: Piece


def places_of(
    piece: Piece, values: Mapping[str, float], stretches: Sequence[tuple[float, float]]
) -> list[Place]:
    """Return places between pairs of ends at which the piece has a value and a slope."""
    with mpmath.workdps(WORKING_DIGITS):
        spread = [z for low, high in stretches for z in _spread(low, high)]
        found = places_at(piece, values, spread)
        if len(found) >= _FEWEST:
            return found
        # What overflows nearly everywhere (exp(1e200*z)) has values near 0.
        near = [z * mpmath.mpf(10) ** -scale for scale in _NEAR for z in spread]
        return places_at(piece, values, [z for z in near if _is_inside(z, stretches)])


def _is_inside(z: Any, stretches: Sequence[tuple[float, float]]) -> bool:
    return any(low < z < high for low, high in stretches)


def places_at(piece: Piece, values: Mapping[str, float], where: Iterable[Any]) -> list[Place]:
    """Return those of some places at which the piece has a value and a slope."""
    found = []
    with mpmath.workdps(max(WORKING_DIGITS, mpmath.mp.dps)):
        for z in where:
            at = {**values, "z": z}
            output, slope = evaluate(piece.expression, at), evaluate(piece.derivative, at)
            if mpmath.isfinite(output) and mpmath.isfinite(slope):
                found.append(Place(z, output, slope, piece))
    return found


def signed_symbol(name: str, numbers: Iterable[Any]) -> Any:
    """Return a real symbol; with its sign, if all numbers have the same one."""
    signs = {int(mpmath.sign(x)) for x in numbers if mpmath.isfinite(x) and x != 0}
    return sympy.Dummy(
        name,
        real=True,
        positive=True if signs == {1} else None,
        negative=True if signs == {-1} else None,
    )


def holds(form: Expression, places: list[Place], values: Mapping[str, float]) -> int:
    """Return at how many places a form in `a` and `z` has the slope; 0 if it fails at one.

    A place is passed over where the output has reached a limit within the working precision.
    """
    checked = 0
    with mpmath.workdps(WORKING_DIGITS):
        for place in places:
            got = evaluate(form, {**values, "a": place.output, "z": place.z})
            if not mpmath.isfinite(got) and (
                abs(place.slope) <= NEGLIGIBLE or abs(place.output) <= NEGLIGIBLE
            ):
                continue
            if not (_agrees(got, place.slope) or _holds_with_more_digits(form, place, values)):
                return 0
            checked += 1
    return checked if checked >= min(_FEWEST, len(places)) else 0


def _agrees(got: Any, slope: Any) -> bool:
    error = abs(got - slope)
    return bool(error <= mpmath.mpf(10) ** -DIGITS * abs(slope) or error <= NEGLIGIBLE)


def _holds_with_more_digits(form: Expression, place: Place, values: Mapping[str, float]) -> bool:
    """Look again at a place far out, where terms cancel that differ by hundreds of digits."""
    if abs(place.z) < _FAR:
        return False
    with mpmath.workdps(_MORE_DIGITS):
        (again,) = places_at(place.piece, values, [place.z]) or (place,)
        got = evaluate(form, {**values, "a": again.output, "z": again.z})
        return bool(mpmath.isfinite(got)) and _agrees(got, again.slope)


def _spread(low: float, high: float) -> list[Any]:
    offsets = [mpmath.mpf(10) ** -k for k in (9, 3)]
    offsets += [mpmath.mpf(x) / 100 for x in (7, 23, 41, 77, 131, 209, 347, 613, 1190, 4100, 90000)]
    if mpmath.isinf(low) and mpmath.isinf(high):
        return [s * x for x in offsets for s in (1, -1)]
    if mpmath.isinf(low):
        return [high - (1 + abs(mpmath.mpf(high)) / 8) * x for x in offsets]
    if mpmath.isinf(high):
        return [low + (1 + abs(mpmath.mpf(low)) / 8) * x for x in offsets]
    shares = (1e-9, 1e-3, 0.07, 0.19, 0.33, 0.46, 0.58, 0.71, 0.84, 0.93, 0.999, 1 - 2**-29)
    start, width = mpmath.mpf(low), mpmath.mpf(high) - mpmath.mpf(low)
    return [start + width * mpmath.mpf(share) for share in shares]
