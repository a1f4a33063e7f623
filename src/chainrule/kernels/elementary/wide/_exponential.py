"""Exponentials: one reduction by multiples of log(2), one or two polynomials."""

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
from chainrule.kernels.elementary.wide._constants import (
    COSH,
    EXPONENTIAL,
    INVERSE_LN2,
    LN2,
    SINH,
)

INFINITY = math.inf
# Adding 1.5 * 2**52 rounds to an integer, which is then found in the lowest bits of the sum.
ROUNDER = 6755399441055744.0
ONE_BITS = 0x3FF0000000000000

# Beyond these arguments the result has overflowed, vanished or saturated.
EXP_FIRST = -708.0
EXP_LAST = 709.782712893384
EXPM1_FIRST = -50.0
SINH_LAST = 710.6
TANH_LAST = 22.0
# Below this, the function equals its argument.
EXPM1_TINY = 1e-13
# From this exponent on, exp(-x) is lost next to exp(x).
HYPERBOLIC_BALANCE = 60.0

_exponential_tail = polynomial(EXPONENTIAL, chains=2)  # (exp(r) - 1 - r) / r**2
_sinh_tail = polynomial(SINH)  # (sinh(r) - r) / r**3 in r**2
_cosh_tail = polynomial(COSH)  # (cosh(r) - 1) / r**2 in r**2


@inlined
def reduce_exponent(x: float) -> tuple[float, float]:
    """Write x as k log(2) + r; return k + ROUNDER and r."""
    shifted = fma(x, INVERSE_LN2, ROUNDER)
    return shifted, fma(ROUNDER - shifted, LN2, x)


@inlined
def power_of_two(shifted: float, offset: int) -> float:
    """Return 2**(shifted - ROUNDER + offset)."""
    return bits_to_float(((float_to_bits(shifted) + offset) << 52) + ONE_BITS)


@inlined
def growth(r: float) -> float:
    """Return exp(r) - 1."""
    return fma(r * r, _exponential_tail(r), r)


@inlined
def scale(mantissa: float, shifted: float) -> float:
    """Return mantissa * 2**(shifted - ROUNDER), unless it is too large or too small."""
    return bits_to_float(float_to_bits(mantissa) + (float_to_bits(shifted) << 52))


@inlined
def exp(x: float) -> float:
    """Return the exponential. Worst measured: 2**-44."""
    shifted, r = reduce_exponent(x)
    result = scale(1.0 + growth(r), shifted)
    result = 0.0 if x < EXP_FIRST else result
    return result if x <= EXP_LAST else x + INFINITY


@inlined
def expm1(x: float) -> float:
    """Return exp(x) - 1 without cancellation. Worst measured: 2**-43.

    Everything is halved until the end, because 2**1024 overflows.
    """
    bounded = EXP_LAST if x > EXP_LAST else x
    bounded = EXPM1_FIRST if bounded < EXPM1_FIRST else bounded
    shifted, r = reduce_exponent(bounded)
    half = power_of_two(shifted, -1)
    result = 2.0 * fma(half, growth(r), half - 0.5)
    result = x if abs(x) < EXPM1_TINY else result
    return INFINITY if x > EXP_LAST else result


@inlined
def tanh(x: float) -> float:
    """Return the hyperbolic tangent, e / (e + 2) with e = exp(2|x|) - 1.

    Worst measured: 2**-43.
    """
    magnitude = abs(x)
    bounded = TANH_LAST if magnitude > TANH_LAST else magnitude
    shifted, r = reduce_exponent(2.0 * bounded)
    power = power_of_two(shifted, 0)
    numerator = fma(power, growth(r), power - 1.0)
    return with_sign_of(numerator / (numerator + 2.0), x)


@inlined
def _reduce_hyperbolic(magnitude: float) -> tuple[float, float, float, float]:
    """Reduce |x| = k log(2) + r for ``sinh`` and ``cosh``.

    Returns a quarter of 2**k - 2**-k and of 2**k + 2**-k, then sinh(r) and cosh(r) - 1.
    """
    bounded = SINH_LAST if magnitude > SINH_LAST else magnitude
    shifted, r = reduce_exponent(bounded)
    count = shifted - ROUNDER
    balanced = HYPERBOLIC_BALANCE if count > HYPERBOLIC_BALANCE else count
    growing = power_of_two(shifted, -2)
    decaying = power_of_two(ROUNDER - balanced, -2)
    z = r * r
    return growing - decaying, growing + decaying, fma(r * z, _sinh_tail(z), r), z * _cosh_tail(z)


@inlined
def sinh(x: float) -> float:
    """Return the hyperbolic sine, sinh(k log 2) cosh(r) + cosh(k log 2) sinh(r).

    Halved until the end against overflow. Worst measured: 2**-44.
    """
    magnitude = abs(x)
    difference, total, sine, cosine = _reduce_hyperbolic(magnitude)
    result = 2.0 * fma(total, sine, fma(difference, cosine, difference))
    return x if magnitude < EXPM1_TINY else with_sign_of(result, x)


@inlined
def cosh(x: float) -> float:
    """Return the hyperbolic cosine, as in ``sinh``. Worst measured: 2**-44."""
    difference, total, sine, cosine = _reduce_hyperbolic(abs(x))
    return 2.0 * fma(difference, sine, fma(total, cosine, total))
