"""Logarithms: one reduction to [sqrt(1/2), sqrt(2)], one polynomial of atanh."""

from __future__ import annotations

import math

from chainrule.kernels.elementary._words import (
    bits_to_float,
    float_to_bits,
    fma,
    inlined,
    polynomial,
    rounding_error,
    with_sign_of,
)
from chainrule.kernels.elementary.double._constants import (
    LN2_HIGH,
    LN2_LOW,
    LOGARITHM,
    SQRT_HALF_BITS,
)

INFINITY = math.inf
NOT_A_NUMBER = math.nan
ONE_BITS = 0x3FF0000000000000
MANTISSA_MASK = 0x000FFFFFFFFFFFFF
EXPONENT_MASK = 0x7FF
TWO_TO_52_BITS = 0x4330000000000000
BIASED_TWO_TO_52 = 4503599627370496.0 + 1023.0
LARGEST_SCALE_BITS = 0x7FE0000000000000
SMALLEST_NORMAL = 2.2250738585072014e-308
TWO_TO_54 = 18014398509481984.0
TWO_TO_60 = 1152921504606846976.0

_logarithm_tail = polynomial(LOGARITHM, chains=2)  # (2 atanh(s) / s - 2) / s**2 in s**2


@inlined
def _log_of_sum(f: float, f_low: float, count: float) -> float:
    """Return log(1 + f + f_low) + count log(2), where 1 + f lies in [sqrt(1/2), sqrt(2)].

    With s = f / (2 + f), log(1 + f) = 2 atanh(s) = f - f**2/2 + s (f**2/2 + s**2 P(s**2)).
    """
    s = f / (2.0 + f)
    z = s * s
    half_square = 0.5 * f * f
    base = count * LN2_HIGH
    high = base + f
    low = ((base - high) + f) + fma(-f, f_low, f_low)
    tail = fma(s, fma(z, _logarithm_tail(z), half_square), fma(count, LN2_LOW, low))
    return high - (half_square - tail)


@inlined
def _log1p_of_pair(x: float, x_low: float, extra: float) -> float:
    """Return log(1 + x + x_low) + extra log(2) for x + x_low > -1, finite."""
    total = 1.0 + x
    error = rounding_error(1.0, x, total) + x_low
    shifted = float_to_bits(total) + (ONE_BITS - SQRT_HALF_BITS)
    biased = (shifted >> 52) & EXPONENT_MASK
    count = bits_to_float(biased | TWO_TO_52_BITS) - BIASED_TWO_TO_52
    high = bits_to_float((shifted & MANTISSA_MASK) + SQRT_HALF_BITS) - 1.0
    scaled = error * bits_to_float(LARGEST_SCALE_BITS - (biased << 52))
    low = scaled if total < TWO_TO_60 else 0.0
    f = high + low
    return _log_of_sum(f, (high - f) + low, count + extra)


@inlined
def log(x: float) -> float:
    """Return the natural logarithm.

    x = 2**k (1 + f) with 1 + f in [sqrt(1/2), sqrt(2)]; log(1 + f) by s = f / (2 + f) and a
    polynomial of degree 6 in s**2; subnormal arguments are scaled first. Worst measured:
    0.8 ulp.
    """
    subnormal = x < SMALLEST_NORMAL
    scaled = x * TWO_TO_54
    normal = scaled if subnormal else x
    extra = -54.0 if subnormal else 0.0
    shifted = float_to_bits(normal) + (ONE_BITS - SQRT_HALF_BITS)
    biased = (shifted >> 52) & EXPONENT_MASK
    count = bits_to_float(biased | TWO_TO_52_BITS) - BIASED_TWO_TO_52
    f = bits_to_float((shifted & MANTISSA_MASK) + SQRT_HALF_BITS) - 1.0
    result = _log_of_sum(f, 0.0, count + extra)
    result = result if x < INFINITY else x
    outside = -INFINITY if x == 0.0 else NOT_A_NUMBER
    return result if x > 0.0 else outside


@inlined
def log1p(x: float) -> float:
    """Return log(1 + x) without cancellation.

    1 + x is kept with its rounding error, which joins f after the reduction of ``log``. Worst
    measured: 0.8 ulp.
    """
    result = _log1p_of_pair(x, 0.0, 0.0)
    result = result if x < INFINITY else x
    outside = -INFINITY if x == -1.0 else NOT_A_NUMBER
    result = result if x > -1.0 else outside
    return x if x == 0.0 else result


@inlined
def asinh(x: float) -> float:
    """Return the inverse hyperbolic sine.

    log1p(a + a**2 / (1 + sqrt(1 + a**2))) with a = |x|, the argument in two parts; very large a
    are quartered against overflow. Worst measured: 1.0 ulp.
    """
    magnitude = abs(x)
    large = magnitude > TWO_TO_60
    quarter = 0.25 * magnitude
    a = quarter if large else magnitude
    square = a * a
    ratio = square / (1.0 + math.sqrt(1.0 + square))
    addend = a if large else ratio
    extra = 2.0 if large else 0.0
    total = a + addend
    result = _log1p_of_pair(total, (a - total) + addend, extra)
    result = result if magnitude < INFINITY else magnitude
    return with_sign_of(result, x)
