"""Logarithms: one reduction to [sqrt(1/2), sqrt(2)], one polynomial."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.kernels.elementary._words import (
    bits_to_float,
    float_to_bits,
    fma,
    inlined,
    polynomial,
    rounding_error,
    with_sign_of,
)
from chainrule.kernels.elementary.single._constants import (
    ASINH,
    ASINH_SPLIT,
    LN2_HIGH,
    LN2_LOW,
    LOGARITHM,
    SQRT_HALF_BITS,
)

ZERO = np.float32(0.0)
HALF = np.float32(0.5)
ONE = np.float32(1.0)
INFINITY = np.float32(math.inf)
NOT_A_NUMBER = np.float32(math.nan)
ONE_BITS = 0x3F800000
MANTISSA_MASK = 0x007FFFFF
EXPONENT_MASK = 0xFF
LARGEST_SCALE_BITS = 0x7F000000
BIAS = 127
SMALLEST_NORMAL = np.float32(2.0**-126)
TWO_TO_24 = np.float32(2.0**24)
MINUS_24 = np.float32(-24.0)
TWO_TO_30 = np.float32(2.0**30)

_logarithm_tail = polynomial(LOGARITHM, chains=2)  # (log(1 + f) - f + f**2 / 2) / f**3
_asinh_tail = polynomial(ASINH)  # (asinh(x) - x) / x**3 in x**2


@inlined
def _split(total: Any) -> tuple[Any, Any]:
    """Write a normal number as m * 2**k, m in [sqrt(1/2), sqrt(2)]; return m - 1 and k + 127."""
    shifted = np.int32(float_to_bits(total) + (ONE_BITS - SQRT_HALF_BITS))
    biased = np.int32(np.int32(shifted >> 23) & EXPONENT_MASK)
    return bits_to_float(np.int32((shifted & MANTISSA_MASK) + SQRT_HALF_BITS)) - ONE, biased


@inlined
def _log_of_sum(f: Any, f_low: Any, count: Any) -> Any:
    """Return log(1 + f + f_low) + count log(2), where 1 + f lies in [sqrt(1/2), sqrt(2)]."""
    square = f * f
    half_square = HALF * square
    base = count * LN2_HIGH
    high = base + f
    low = ((base - high) + f) + fma(-f, f_low, f_low)
    tail = fma(f * square, _logarithm_tail(f), fma(count, LN2_LOW, low))
    return high - (half_square - tail)


@inlined
def _log_of_pair(total: Any, error: Any, extra: Any) -> Any:
    """Return log(total + error) + extra log(2), where the error is the rounding of the total."""
    high, biased = _split(total)
    scaled = error * bits_to_float(np.int32(LARGEST_SCALE_BITS - (biased << 23)))
    low = scaled if total < TWO_TO_30 else ZERO
    f = high + low
    return _log_of_sum(f, (high - f) + low, np.float32(np.int32(biased - BIAS)) + extra)


@inlined
def log(x: Any) -> Any:
    """Return the natural logarithm. Worst over all float32: 0.834 ulp."""
    subnormal = x < SMALLEST_NORMAL
    scaled = x * TWO_TO_24
    f, biased = _split(scaled if subnormal else x)
    extra = MINUS_24 if subnormal else ZERO
    result = _log_of_sum(f, ZERO, np.float32(np.int32(biased - BIAS)) + extra)
    result = result if x < INFINITY else x
    outside = -INFINITY if x == ZERO else NOT_A_NUMBER
    return result if x > ZERO else outside


@inlined
def log1p(x: Any) -> Any:
    """Return log(1 + x), with 1 + x in two parts. Worst over all float32: 0.836 ulp."""
    total = ONE + x
    result = _log_of_pair(total, rounding_error(ONE, x, total), ZERO)
    result = result if x < INFINITY else x
    outside = -INFINITY if x == -ONE else NOT_A_NUMBER
    result = result if x > -ONE else outside
    return x if x == ZERO else result


@inlined
def asinh(x: Any) -> Any:
    """Return the inverse hyperbolic sine. Worst over all float32: 0.618 ulp.

    A polynomial near zero; log(a + w) with a = |x| and w = sqrt(1 + a**2) in two parts beyond;
    log(2 a) for very large a.
    """
    a = abs(x)
    square = a * a
    near = fma(a * square, _asinh_tail(square), a)
    radicand = ONE + square
    radicand_low = rounding_error(ONE, square, radicand) + fma(a, a, -square)
    root = math.sqrt(radicand)
    root_low = (fma(-root, root, radicand) + radicand_low) * (HALF / root)
    large = a > TWO_TO_30
    total = a if large else root + a
    error = ZERO if large else ((root - total) + a) + root_low
    far = _log_of_pair(total, error, ONE if large else ZERO)
    far = far if a < INFINITY else a
    return with_sign_of(near if a < ASINH_SPLIT else far, x)
