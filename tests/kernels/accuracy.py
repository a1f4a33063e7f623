"""Errors of kernels in units in the last place, against the definitions in mpmath."""

from __future__ import annotations

import math
from typing import Any

import mpmath
import numpy as np
from tests.catalogue.definitions import ELEMENTWISE, FAR, Definition

# Functions that come close to a constant other than 0 need the digits of their distance to it:
# 1 - tanh(z)² at z = 800 needs 700 digits of tanh(z), and 52 at 60.
SATURATING = (
    *("sigmoid", "tanh", "elu", "celu", "selu", "scaled_tanh", "dynamic_tanh", "penalized_tanh"),
    *("arctan", "flattened_swish", "shifted_softplus"),
)
# What is measured in float32 alone: quick_gelu is rounded among subnormal exponentials, smish and
# siren overflow inside at the largest number, the slope of erf needs more digits than that, what a
# rounding of z - mu does to laplace is not what one of z does, and the bend of snake, by which its
# slope is judged, is not known here beyond 800. In bent_identity and phish six roundings add up.
IN_FLOAT32_ONLY = frozenset(
    {"quick_gelu", "smish", "siren", "erf", "laplace", "snake", "bent_identity", "phish"}
)


def sample(dtype: type, kinks: tuple[float, ...] = ()) -> np.ndarray:
    """Return places of every size and sign, and those beside the kinks."""
    rng = np.random.default_rng(20)
    limits = np.finfo(dtype)
    sizes = np.concatenate(
        [
            10.0 ** rng.uniform(-12, 0, 12),
            rng.uniform(0, 4, 20),
            rng.uniform(4, 40, 20),
            rng.uniform(40, 120, 12),
            rng.uniform(120, 760, 6),
            [0.0, 1.0, 3.0, 1e-30, float(limits.tiny), 1e3, 1e5, 1e10, 1e30, float(limits.max)],
        ]
    )
    places = [sizes, -sizes]
    for kink in kinks:
        at = dtype(kink)
        places.append([at, np.nextafter(at, dtype(math.inf)), np.nextafter(at, dtype(-math.inf))])
    return np.unique(np.concatenate(places).astype(dtype))


def truth(name: str, z: float) -> tuple[Any, Any, Any]:
    """Return value, slope and second derivative of a named function, from its definition.

    There is no slope at a kink; the second derivative serves to judge how an error in z shows.
    """
    definition: Definition = ELEMENTWISE[name]
    line = definition.left if z < 0 else definition.right
    if abs(z) > FAR and line is not None:
        slope, constant = line
        return slope * mpmath.mpf(z) + constant, mpmath.mpf(slope), mpmath.mpf(0)
    if abs(z) > FAR:
        return (*far(name, z), mpmath.mpf(0))
    fine = (name in SATURATING and abs(z) > 60) or abs(z) < 1e-60
    with mpmath.workdps(1300 if fine else 250):
        place = mpmath.mpf(z)
        value = definition.function(place)
        if z in definition.kinks:
            return value, None, mpmath.mpf(0)
        step = mpmath.mpf(10) ** (-400 if fine else -70)
        up, down = definition.function(place + step), definition.function(place - step)
        return value, (up - down) / (2 * step), (up - 2 * value + down) / step**2


def far(name: str, z: float) -> tuple[Any, Any]:
    """Return what has no straight line to go by: its limit worked by hand, or many digits."""
    with mpmath.workdps(50):
        place, infinity = mpmath.mpf(z), mpmath.inf
        if name == "exponential":
            return infinity, infinity
        if name == "leaky_relu":
            return place * mpmath.mpf(0.01), mpmath.mpf(0.01)
        if name == "softsign":
            return place / (1 + abs(place)), 1 / (1 + abs(place)) ** 2
        if name == "selu":
            scale, alpha = mpmath.mpf(1.0507009873554805), mpmath.mpf(1.6732632423543772)
            return (place * scale, scale) if z > 0 else (-scale * alpha, mpmath.mpf(0))
    with mpmath.workdps(2500):
        function, place, step = ELEMENTWISE[name].function, mpmath.mpf(z), mpmath.mpf(10) ** -50
        return function(place), (function(place + step) - function(place - step)) / (2 * step)


def error(got: Any, wanted: Any, dtype: type) -> float:
    """Return an error in ulp of the true value; 0 for both infinite or both not numbers."""
    limits = np.finfo(dtype)
    if not math.isfinite(got):
        overflows = abs(wanted) > float(limits.max)
        right = overflows and not math.isnan(got) and (got > 0) == (wanted > 0)
        return 0.0 if right else math.inf
    if abs(wanted) > float(limits.max):
        return math.inf
    with mpmath.workdps(60):
        exponent = mpmath.frexp(abs(wanted))[1] if wanted else -2000
        smallest = int(limits.minexp) - limits.nmant
        ulp = mpmath.ldexp(1, max(exponent - 1 - limits.nmant, smallest))
        return float(abs(mpmath.mpf(float(got)) - wanted) / ulp)
