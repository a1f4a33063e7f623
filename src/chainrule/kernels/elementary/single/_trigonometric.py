"""Sine, cosine and arc tangent.

``near_sin`` and ``near_cos`` are for arguments below ``LAST_NEAR``, and in float32 throughout.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.kernels.elementary._quarter_turns import (
    ROUNDER,
    SINGLE_TURNS_0,
    SINGLE_TURNS_1,
    cosine_after,
    sine_after,
    split_exponent,
)
from chainrule.kernels.elementary._words import (
    bits_to_float,
    float_to_bits,
    fma,
    inlined,
    polynomial,
    with_sign_of,
)
from chainrule.kernels.elementary.single._constants import (
    ARCTANGENT,
    COSINE,
    HALF_PI_HIGH,
    HALF_PI_LAST,
    HALF_PI_LOW,
    SINE,
    TWO_OVER_PI,
)
from chainrule.kernels.elementary.wide._trigonometric import sine_and_cosine

# The exponent of infinities and NaN.
LAST_EXPONENT = 128
ONE = np.float32(1.0)
HALF = np.float32(0.5)
SIGN_BIT = np.int32(-0x80000000)
ATAN_LAST = np.float32(1e18)

# A rounded sum with 1.5 * 2**23 holds an integer in its lowest bits.
SINGLE_ROUNDER = np.float32(12582912.0)

_arctangent_tail = polynomial(ARCTANGENT)  # (atan(x) - x) / x**3 in x**2
_sine_tail = polynomial(SINE)  # (sin(r) - r) / r**3 in r**2
_cosine_tail = polynomial(COSINE)  # (cos(r) - 1 + r**2 / 2) / r**4 in r**2


@inlined
def _reduce_turns(magnitude: float) -> tuple[int, float]:
    """Write |x| as n + y quarter turns; return n in the low bits of an integer, and y.

    The mantissa is multiplied with 2/pi * 2**exponent, a sum of two float64.
    """
    mantissa, index = split_exponent(magnitude, LAST_EXPONENT)
    product = mantissa * SINGLE_TURNS_0[index]
    product_low = fma(mantissa, SINGLE_TURNS_0[index], -product)
    shifted = product + ROUNDER
    rest = fma(mantissa, SINGLE_TURNS_1[index], product_low)
    return float_to_bits(shifted), (product - (shifted - ROUNDER)) + rest


@inlined
def sin(x: Any) -> Any:
    """Return the sine, computed in float64. Worst over all float32: 0.500 ulp."""
    wide = np.float64(x)
    turns, y = _reduce_turns(abs(wide))
    sine, cosine = sine_and_cosine(y)
    return np.float32(sine_after(turns, sine, cosine, wide))


@inlined
def cos(x: Any) -> Any:
    """Return the cosine, computed in float64. Worst over all float32: 0.500 ulp."""
    turns, y = _reduce_turns(abs(np.float64(x)))
    sine, cosine = sine_and_cosine(y)
    return np.float32(cosine_after(turns, sine, cosine))


@inlined
def _near_sine_and_cosine(magnitude: Any) -> tuple[int, Any, Any]:
    """Return the quarter turns of |x|, and sine and cosine of what is left, r + r_low.

    Of pi/2 in three parts, the product with the first leaves |x| without rounding, and the
    second has so few digits that the product with it is exact.
    """
    shifted = fma(magnitude, TWO_OVER_PI, SINGLE_ROUNDER)
    turns = shifted - SINGLE_ROUNDER
    rest = fma(-turns, HALF_PI_HIGH, magnitude)
    r = fma(-turns, HALF_PI_LOW, rest)
    # The first two steps are exact: the rest is a multiple of the last place of what it loses.
    r_low = fma(-turns, HALF_PI_LAST, fma(-turns, HALF_PI_LOW, rest - r))
    z = r * r
    base = fma(-HALF, z, ONE)
    sine = r + fma(r * z, _sine_tail(z), r_low * base)
    lost = fma(-r, r_low, fma(-HALF, z, ONE - base))
    cosine = base + fma(z * z, _cosine_tail(z), lost)
    return float_to_bits(shifted), sine, cosine


@inlined
def near_sin(x: Any) -> Any:
    """Return the sine of what is near. Worst over all float32 there: 0.782 ulp."""
    turns, sine, cosine = _near_sine_and_cosine(abs(x))
    chosen = sine if turns & 1 == 0 else cosine
    sign = (np.int32(turns << 30) ^ float_to_bits(x)) & SIGN_BIT
    return bits_to_float(np.int32(float_to_bits(chosen) ^ sign))


@inlined
def near_cos(x: Any) -> Any:
    """Return the cosine of what is near. Worst over all float32 there: 0.782 ulp."""
    turns, sine, cosine = _near_sine_and_cosine(abs(x))
    chosen = cosine if turns & 1 == 0 else sine
    sign = np.int32((turns + 1) << 30) & SIGN_BIT
    return bits_to_float(np.int32(float_to_bits(chosen) ^ sign))


@inlined
def atan(x: Any) -> Any:
    """Return the arc tangent. Worst over all float32: 0.996 ulp.

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
