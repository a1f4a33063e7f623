"""Between what numbers lies what a layer shares, and where to look at functions of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from itertools import pairwise
from math import floor, inf, isfinite
from typing import Any

import numpy as np

from chainrule.derivations.algebra._arithmetic import subtract
from chainrule.derivations.output_forms._layer_arrays import Program
from chainrule.derivations.output_forms.rising._rising_in_both import sign_from
from chainrule.derivations.pieces._pieces import Piece, Pieces, smooth_pieces
from chainrule.formulas import Constant, Expression, Formula

_SIDE = np.concatenate(
    [np.geomspace(1e-6, 1e-2, 9), np.linspace(0.02, 8, 200), np.geomspace(9, 40, 6)]
)
PLACES = np.concatenate([-_SIDE[::-1], _SIDE])


def range_of(u: Expression, reduction: str, values: Mapping[str, float]) -> tuple[float, float]:
    """Return between what a reduction of u(z) lies, as proved; infinite where nothing is known."""
    found = sampled(smooth_pieces(Formula(u, tuple(values.items()))), values, PLACES)[0]
    found = found[np.isfinite(found)]
    if not len(found):
        return -inf, inf
    low, high = nice_below(found.min()), -nice_below(-found.max())
    return (
        _bound(u, reduction, values, low, 1),
        _bound(u, reduction, values, high, -1),
    )


def _bound(
    u: Expression, reduction: str, values: Mapping[str, float], bound: float, side: int
) -> float:
    """Return a bound, if u has it; a sum is bounded if what is added up has one sign."""
    if reduction == "sum" and bound * side < 0:
        return -side * inf
    apart = subtract(u, Constant(Fraction(bound)))
    return bound if sign_from(apart, values, -inf, None)[0] == side else -side * inf


def with_ends(cut: Pieces) -> Iterator[tuple[Piece, float, float]]:
    ends = [-inf, *(b.place for b in cut.breakpoints), inf]
    for piece, (left, right) in zip(cut.pieces, pairwise(ends), strict=True):
        yield piece, left, right


def piece_over(cut: Pieces, low: float, high: float) -> Piece:
    return next(piece for piece, left, right in with_ends(cut) if left <= low and high <= right)


def sampled(cut: Pieces, values: Mapping[str, float], places: Any) -> tuple[Any, Any]:
    """Return values and slopes at places, in floating point."""
    shape = (1, len(places))
    known = {**values, "z": places[None, :]}
    chosen = np.searchsorted([b.place for b in cut.breakpoints], places)
    found = []
    for parts in ([p.expression for p in cut.pieces], [p.derivative for p in cut.pieces]):
        rows = np.concatenate([Program.of(part).run(known, shape) for part in parts])
        found.append(rows[chosen, np.arange(len(places))])
    return found[0], found[1]


def places_between(low: float, high: float) -> Any:
    if isfinite(low) and isfinite(high):
        return np.linspace(low, high, 202)[1:-1]
    if isfinite(low):
        return low + np.geomspace(1e-3, 1e4, 200)
    if isfinite(high):
        return high - np.geomspace(1e-3, 1e4, 200)
    return np.sinh(np.linspace(-8, 8, 301))


def nice_below(x: float) -> float:
    """Return a short number that seems to be a lower bound of values of which x is the least."""
    near = round(x * 4) / 4
    return near if abs(near - x) < 1e-3 else floor(x * 16 - 0.5) / 16
