"""Logarithms: one reduction to [sqrt(1/2), sqrt(2)], one polynomial of atanh, one division."""

from __future__ import annotations

import math

from chainrule.kernels.elementary._words import (
    bits_to_float,
    float_to_bits,
    fma,
    inlined,
    polynomial,
    with_sign_of,
)
from chainrule.kernels.elementary.wide._constants import LN2, LOGARITHM, SQRT_HALF_BITS

INFINITY = math.inf
NOT_A_NUMBER = math.nan
ONE_BITS = 0x3FF0000000000000
MANTISSA_MASK = 0x000FFFFFFFFFFFFF
EXPONENT_MASK = 0x7FF
TWO_TO_52_BITS = 0x4330000000000000
BIASED_TWO_TO_52 = 4503599627370496.0 + 1023.0
SMALLEST_NORMAL = 2.2250738585072014e-308
TWO_TO_54 = 18014398509481984.0
TWO_TO_60 = 1152921504606846976.0
# Below this, log(1 + x) equals x.
LOG1P_TINY = 1e-13

_logarithm_tail = polynomial(LOGARITHM)  # (2 atanh(s) / s - 2) / s**2 in s**2


@inlined
def _split(total: float) -> tuple[float, float]:
    """Write a normal number as m * 2**k with m in [sqrt(1/2), sqrt(2)]; return m and k."""
    shifted = float_to_bits(total) + (ONE_BITS - SQRT_HALF_BITS)
    biased = (shifted >> 52) & EXPONENT_MASK
    count = bits_to_float(biased | TWO_TO_52_BITS) - BIASED_TWO_TO_52
    return bits_to_float((shifted & MANTISSA_MASK) + SQRT_HALF_BITS), count


@inlined
def _double_atanh(numerator: float, denominator: float, count: float) -> float:
    """Return 2 atanh(numerator / denominator) + count log(2)."""
    s = numerator / denominator
    z = s * s
    return fma(count, LN2, fma(s * z, _logarithm_tail(z), s + s))


@inlined
def log(x: float) -> float:
    """Return the natural logarithm. Worst measured: 2**-44."""
    subnormal = x < SMALLEST_NORMAL
    scaled = x * TWO_TO_54
    mantissa, count = _split(scaled if subnormal else x)
    extra = -54.0 if subnormal else 0.0
    result = _double_atanh(mantissa - 1.0, mantissa + 1.0, count + extra)
    result = result if x < INFINITY else x
    outside = -INFINITY if x == 0.0 else NOT_A_NUMBER
    return result if x > 0.0 else outside


@inlined
def log1p(x: float) -> float:
    """Return log(1 + x), where 2 atanh(x / (2 + x)) keeps small x. Worst measured: 2**-44."""
    mantissa, count = _split(1.0 + x)
    near = count == 0.0
    numerator = x if near else mantissa - 1.0
    result = _double_atanh(numerator, x + 2.0 if near else mantissa + 1.0, count)
    result = result if x < INFINITY else x
    outside = -INFINITY if x == -1.0 else NOT_A_NUMBER
    result = result if x > -1.0 else outside
    return x if abs(x) < LOG1P_TINY else result


@inlined
def asinh(x: float) -> float:
    """Return the inverse hyperbolic sine.

    2 atanh(a / (1 + w)) with w = sqrt(1 + a**2) for small a = |x|, else log(a + w); very large a
    are taken without w against overflow. Worst measured: 2**-44.
    """
    magnitude = abs(x)
    large = magnitude > TWO_TO_60
    root = math.sqrt(fma(magnitude, magnitude, 1.0))
    mantissa, count = _split(magnitude if large else magnitude + root)
    near = count == 0.0
    numerator = magnitude if near else mantissa - 1.0
    extra = 1.0 if large else 0.0
    result = _double_atanh(numerator, root + 1.0 if near else mantissa + 1.0, count + extra)
    result = result if magnitude < INFINITY else magnitude
    return with_sign_of(result, x)
