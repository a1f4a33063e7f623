"""What is true of a formula at places of every size, and by how much a result may differ there."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import mpmath
import numpy as np
from mpmath import libmp

from chainrule.formulas import Formula
from chainrule.kernels.fitting._gaps import around, filled_places
from chainrule.references import Format, Reference, Truth

# In units of the format's last place: what is mended.
_TOLERATED = {"float32": 0.02, "float64": 3.0}
# Of the reference: where more are needed, nothing is mended.
_MOST_BITS = {"float32": 600, "float64": 2600}


@dataclass(frozen=True)
class Place:
    """What is true at one place, and by how much a result may differ."""

    z: float
    value: Any
    allowed: float

    @property
    def is_visible(self) -> bool:
        """Whether the truth is more than what may be lost of it."""
        return bool(abs(self.value) > self.allowed)

    def excess(self, computed: float) -> float:
        """Return an error in units of what is allowed."""
        if not math.isfinite(computed):
            return 0.0 if as_float(self.value) == computed else math.inf
        if not mpmath.isfinite(self.value):
            return math.inf
        return float(min(abs(mpmath.mpf(computed) - self.value) / self.allowed, 1e300))


class Judge:
    """True values or slopes of a formula in a format."""

    def __init__(self, formula: Formula, form: Format, *, slope: bool) -> None:
        self.formula, self.form, self.slope = formula, form, slope
        self.reference, self.known = _reference(formula, form)

    def __call__(self, z: Any) -> Any:
        """Return the true value, or None where it is not known or not a number."""
        raw = mpmath.mpf(z)._mpf_
        if not self.slope:
            found = self.reference.value(raw, _MOST_BITS[self.form.name])
        else:
            truth = self.reference.at(raw, _MOST_BITS[self.form.name])
            found = None if truth.is_kink else truth.left
        return None if found is None or found == libmp.fnan else mpmath.make_mpf(found)

    def at(self, z: float) -> Place | None:
        """Return what is known of a place."""
        if z not in self.known:
            self.known[z] = self.reference.at(libmp.from_float(z), _MOST_BITS[self.form.name])
        truth = self.known[z]
        found = (None if truth.is_kink else truth.left) if self.slope else truth.value
        if found is None or found == libmp.fnan:
            return None
        value = mpmath.make_mpf(found)
        change = truth.derivative_change if self.slope else truth.value_change
        if not mpmath.isfinite(value):
            return Place(z, value, 1.0)
        distance = min((abs(z - gap) for gap in self.gaps if gap != z), default=math.inf)
        if 0.0 < distance < abs(z):
            # What is written at a gap is exact, and so is the distance from it.
            change += math.frexp(distance)[1] - math.frexp(z)[1]
        size = max(int(mpmath.mag(value)) if value else change, change - 1)
        # Results of subnormal exponentials have no more digits than those.
        unit = max(self.form.spacing_exponent(size), -1060)
        return Place(z, value, _TOLERATED[self.form.name] * 2.0**unit)

    def is_undefined(self, z: float) -> bool:
        """Tell whether a place that was asked for has no value."""
        return z in self.known and self.known[z].value == libmp.fnan

    def fills(self, z: float) -> bool:
        """Tell whether the formula has no value at a place, and its sides have a limit there."""
        return self.at(z) is not None and self.known[z].is_limit

    @cached_property
    def gaps(self) -> list[float]:
        """The places away from 0 that it fills: beside them more digits cancel than elsewhere."""
        return [z for z in filled_places(self.formula, self.form) if z]

    def limit(self, direction: int) -> float | None:
        """Return the limit at plus or minus infinity, where there is one and it is known."""
        found = self.reference.limits(direction)[self.slope]
        return None if found is None or found == libmp.fnan else as_float(mpmath.make_mpf(found))


@lru_cache(maxsize=2)
def _reference(formula: Formula, form: Format) -> tuple[Reference, dict[float, Truth]]:
    """Return the reference and what it has told: value and slope are asked for in turn."""
    return Reference(formula, form), {}


def places_between(judge: Judge, low: float, high: float) -> list[float]:
    """Return numbers of a format between two ends: of every size, and dense where things bend.

    Next to gaps they are at every distance.
    """
    form = judge.form
    random = np.random.default_rng(5)
    first, last = form.smallest_exponent, form.largest_exponent
    sizes = sorted({*range(-30, 31), *range(first, last, 1 + (last - first) // 32), last - 1})
    powers = np.ldexp(random.uniform(1.0, 1.99, len(sizes)), sizes)
    widest = math.log(2.0) * (last + form.precision)
    found = np.concatenate(
        [
            powers,
            -powers,
            np.linspace(-16, 16, 97),
            np.linspace(-widest, widest, 41),
            around(judge.gaps, form),
        ]
    )
    rounded = np.unique((found + 0.0).astype(form.dtype).astype(np.float64))
    return [float(z) for z in rounded if low < z < high and z and math.isfinite(z)]


def more_places(judge: Judge, low: float, high: float) -> list[float]:
    """Return other numbers of every size: two of every third octave, one of them its end."""
    form = judge.form
    sizes = np.arange(form.smallest_exponent, form.largest_exponent, 3)
    random = np.random.default_rng(7)
    found = np.ldexp([np.ones(sizes.size), random.uniform(1.0, 1.99, sizes.size)], sizes)
    rounded = np.unique(np.concatenate([found, -found]).astype(form.dtype).astype(np.float64))
    return [float(z) for z in rounded if low < z < high and z]


def domains(
    judge: Judge, low: float, high: float, sample: Callable[[Judge, float, float], list[float]]
) -> Iterator[tuple[float, float, list[Place]]]:
    """Yield intervals on which a function has values, and what is known of places there."""
    start, places, last = low, list[Place](), low
    for z in [*sample(judge, low, high), high]:
        place = judge.at(z) if z < high else None
        if place is not None:
            places.append(place)
        elif z == high or judge.is_undefined(z):
            if places:
                yield start, 0.0 if last < 0 < z < high else z, places
            start, places = z, []
        if len(places) == 1 and low < start < 0 < places[0].z:
            start = 0.0
        last = z


def as_float(value: Any) -> float:
    """Return the nearest float; infinite beyond the largest."""
    try:
        return float(value)
    except OverflowError:
        return math.copysign(math.inf, value)
