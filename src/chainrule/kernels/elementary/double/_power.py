"""Powers: the exponential of a multiple of a logarithm in two parts."""

from __future__ import annotations

import math

from chainrule.kernels.elementary._signs import with_sign_of_power
from chainrule.kernels.elementary._words import (
    bits_to_float,
    float_to_bits,
    fma,
    inlined,
    polynomial,
    rounding_error,
)
from chainrule.kernels.elementary.double._constants import (
    LN2_HIGH,
    LN2_LOW,
    LOGARITHM_REST,
    SQRT_HALF_BITS,
    TWO_THIRDS_HIGH,
    TWO_THIRDS_LOW,
)
from chainrule.kernels.elementary.double._exponential import (
    exponential_tail,
    reduce_exponent,
    scale,
)
from chainrule.kernels.elementary.double._logarithm import (
    BIASED_TWO_TO_52,
    EXPONENT_MASK,
    MANTISSA_MASK,
    ONE_BITS,
    SMALLEST_NORMAL,
    TWO_TO_52_BITS,
    TWO_TO_54,
)

INFINITY = math.inf
# Beyond these exponents a power has overflowed or vanished.
LAST, FIRST = 710.0, -746.0

_rest = polynomial(LOGARITHM_REST, chains=2)  # (2 atanh(s) - 2 s - 2/3 s**3) / s**5 in s**2


@inlined
def _log_in_two_parts(a: float) -> tuple[float, float]:
    """Return log(a) of a positive number as a sum, to about 2**-64.

    a = 2**k (1 + f) with 1 + f in [sqrt(1/2), sqrt(2)]; with s = f / (2 + f), log(1 + f) is
    2 s + 2/3 s**3 + s**5 Q(s**2), where the first two terms carry their rounding errors.
    """
    subnormal = a < SMALLEST_NORMAL
    scaled = a * TWO_TO_54
    shifted = float_to_bits(scaled if subnormal else a) + (ONE_BITS - SQRT_HALF_BITS)
    biased = (shifted >> 52) & EXPONENT_MASK
    count = bits_to_float(biased | TWO_TO_52_BITS) - BIASED_TWO_TO_52
    count += -54.0 if subnormal else 0.0
    f = bits_to_float((shifted & MANTISSA_MASK) + SQRT_HALF_BITS) - 1.0
    below = 2.0 + f
    below_low = (2.0 - below) + f
    reciprocal = 1.0 / below
    s = f * reciprocal
    s_low = (fma(-s, below, f) - s * below_low) * reciprocal
    square = s * s
    square_low = fma(s, s, -square) + 2.0 * s * s_low
    cube = square * s
    cube_low = fma(square, s, -cube) + fma(square_low, s, square * s_low)
    term = cube * TWO_THIRDS_HIGH
    term_low = fma(cube, TWO_THIRDS_HIGH, -term) + fma(
        cube, TWO_THIRDS_LOW, cube_low * TWO_THIRDS_HIGH
    )
    base = count * LN2_HIGH
    first = base + 2.0 * s
    total = first + term
    errors = ((base - first) + 2.0 * s) + rounding_error(first, term, total)
    low = errors + fma(2.0, s_low, term_low)
    low += fma(count, LN2_LOW, cube * square * _rest(square))
    high = total + low
    return high, (total - high) + low


@inlined
def power(x: float, y: float) -> float:
    """Return x**y, as IEEE 754 has it: NaN where x < 0 and y is no integer, 1 where y is 0.

    exp(y log(|x|)), where the logarithm and its multiple are sums of two numbers. Worst measured:
    1.0 ulp.
    """
    a = abs(x)
    log_high, log_low = _log_in_two_parts(a)
    log_high = log_high if a < INFINITY else a
    log_high = log_high if a != 0.0 else -INFINITY
    exponent = y * log_high
    rest = fma(y, log_high, -exponent) + y * log_low
    bounded = LAST if exponent > LAST else exponent
    bounded = FIRST if bounded < FIRST else bounded
    shifted, r, r_low = reduce_exponent(bounded, rest if bounded == exponent else 0.0)
    size = scale(1.0 + (fma(r * r, exponential_tail(r), r_low) + r), shifted)
    size = 1.0 if a == 1.0 or y == 0.0 else size
    return with_sign_of_power(size, x, y)
