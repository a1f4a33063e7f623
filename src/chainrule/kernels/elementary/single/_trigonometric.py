"""Sine, cosine and arc tangent."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.kernels.elementary import wide
from chainrule.kernels.elementary._words import fma, inlined, polynomial, with_sign_of
from chainrule.kernels.elementary.single._constants import ARCTANGENT, HALF_PI_HIGH, HALF_PI_LOW

ONE = np.float32(1.0)
HALF = np.float32(0.5)
ATAN_LAST = np.float32(1e18)

_arctangent_tail = polynomial(ARCTANGENT)  # (atan(x) - x) / x**3 in x**2

_wide_sin = wide.sin
_wide_cos = wide.cos


@inlined
def sin(x: Any) -> Any:
    """Return the sine, computed in float64. Worst over all float32: 0.00 ulp."""
    return np.float32(_wide_sin(np.float64(x)))


@inlined
def cos(x: Any) -> Any:
    """Return the cosine, computed in float64. Worst over all float32: 0.00 ulp."""
    return np.float32(_wide_cos(np.float64(x)))


@inlined
def atan(x: Any) -> Any:
    """Return the arc tangent. Worst over all float32: 0.00 ulp.

    A polynomial on [0, 1]; pi/2 - atan(1/|x|) beyond, where the quotient carries its remainder.
    """
    magnitude = abs(x)
    bounded = ATAN_LAST if magnitude > ATAN_LAST else magnitude
    inverted = bounded > ONE
    reciprocal = ONE / bounded
    t = reciprocal if inverted else bounded
    z = t * t
    # 1 - z/2 stands for 1 / (1 + z), the slope of the arc tangent.
    t_low = fma(-t, bounded, ONE) * t * fma(-HALF, z, ONE)
    cube = t * z
    tail = _arctangent_tail(z)
    direct = fma(cube, tail, t)
    high = HALF_PI_HIGH - t
    low = ((HALF_PI_HIGH - high) - t) + (HALF_PI_LOW - t_low)
    reflected = high + fma(-cube, tail, low)
    return with_sign_of(reflected if inverted else direct, x)
