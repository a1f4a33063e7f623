"""Bounds of how fast a function grows: by a power of its argument."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import sympy

from chainrule.portraits.axes._axis import Axis
from chainrule.portraits.enclosures._interval import Array, Program
from chainrule.portraits.far_out._series import Series, at, falls

_NEAR = 8.0


@dataclass(frozen=True)
class Growth:
    """``|f(z)| <= size * (1 + |z|)**power`` for every z."""

    size: float
    power: int

    def squared(self, variance: Array) -> Array:
        """Bound ``E f(z)**2`` for z of that variance."""
        p = self.power
        odd = math.prod(range(1, 2 * p, 2))
        return self.size**2 * 2.0 ** max(2 * p - 1, 0) * (1 + odd * variance**p)


def growth(programs: Sequence[Sequence[Program]], places: Sequence[float]) -> Growth | None:
    """Bound a function by its derivatives far out, by the first of them that is bounded there.

    Parameters
    ----------
    programs : sequence of sequences of Program
        Of the function and its derivatives in turn: one for each piece.
    places : sequence of float
        Where pieces meet.
    """
    reach = _reach(places)
    size, power = _largest(programs[0], places), 0
    for side, end in ((-1, 0), (1, -1)):
        sizes: list[float] = []
        for order in range(len(programs)):
            program = programs[order][end]
            beyond = _size(program.over(*sorted((side * reach, side * math.inf))))
            if math.isfinite(beyond):
                # Taylor's formula at the reach, each term against one of (1 + d)**order.
                ways = [x / math.perm(order, i) for i, x in enumerate([*sizes, beyond])]
                size, power = max(size, *ways), max(power, order)
                break
            sizes.append(_size(program.at(side * reach)))
        else:
            return None
    return Growth(size * (1 + 1e-12), power) if math.isfinite(size) else None


def growth_by_expansion(axis: Axis, order: int) -> Growth | None:
    """Bound a derivative far out by the terms of its expansion, where none grows exponentially."""
    places = [line.span.high.place for line in axis.lines[:-1]]
    size, power = _largest([line.program(order) for line in axis.lines], places), 0
    for line, end in ((axis.lines[0], 0), (axis.lines[-1], 1)):
        start = Fraction(_reach(places))
        for logarithmic in (False, True):
            if logarithmic:
                start = Fraction(math.log(start))
            series = line.ends[end].series(order, start, logarithmic=logarithmic)
            found = None if series is None else _of_terms(series, logarithmic=logarithmic)
            if found is not None:
                break
        else:
            return None
        size, power = max(size, found.size), max(power, found.power)
    return Growth(size * (1 + 1e-12), power) if math.isfinite(size) else None


def _of_terms(series: Series, *, logarithmic: bool) -> Growth | None:
    """Add up the sizes of terms against one power of x; in an expansion in log x it is below x."""
    size, power = 0.0, 0
    for (degree, exponent), bound in series.sizes().items():
        if logarithmic and len(exponent) == 1:
            degree, exponent = max(degree, sympy.Integer(0)) + exponent[0], ()
        if not exponent:
            size, power = size + float(bound), max(power, int(sympy.ceiling(degree)))
        elif falls((degree, exponent), series.start):
            size += float(bound * at((degree, exponent), series.start))
        else:
            return None
    return Growth(size * (1 + 1e-12), power)


def _reach(places: Sequence[float]) -> float:
    return max(_NEAR, *(abs(place) + 1 for place in places)) if places else _NEAR


def _largest(programs: Sequence[Program], places: Sequence[float]) -> float:
    """Bound a function given piece by piece within the reach."""
    reach = _reach(places)
    ends = [-reach, *places, reach]
    size = 0.0
    for program, low, high in zip(programs, ends[:-1], ends[1:], strict=True):
        edges = np.linspace(low, high, 257)
        bounds = program((edges[:-1], edges[1:]))
        size = max(size, float(np.abs(bounds).max()))
    return size


def _size(bounds: tuple[float, float]) -> float:
    return max(abs(bounds[0]), abs(bounds[1]))
