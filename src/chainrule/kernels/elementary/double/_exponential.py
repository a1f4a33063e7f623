"""Exponentials: one reduction by multiples of log(2), two pairs of polynomials."""

from __future__ import annotations

from chainrule.kernels.elementary._words import (
    HAS_SCALING,
    bits_to_float,
    float_to_bits,
    fma,
    inlined,
    polynomial,
    rounding_error,
    times_power_of_two,
    with_sign_of,
)
from chainrule.kernels.elementary.double._constants import (
    COSH,
    EXPONENTIAL,
    INVERSE_LN2,
    LN2_HIGH,
    LN2_LOW,
    SINH,
)

# Adding 1.5 * 2**52 rounds to an integer, which is then found in the lowest bits of the sum.
ROUNDER = 6755399441055744.0
ONE_BITS = 0x3FF0000000000000

# Beyond these arguments the result no longer changes: it has overflowed, vanished or saturated.
EXP_FIRST = -746.0
EXP_LAST = 710.0
EXPM1_FIRST = -50.0
SINH_LAST = 710.6
TANH_LAST = 20.0
# Below these, the function equals its argument to the last place.
EXPM1_TINY = 1e-17
SINH_TINY = 1e-8
# From this exponent on, exp(-x) is lost next to exp(x).
HYPERBOLIC_BALANCE = 60.0

exponential_tail = polynomial(EXPONENTIAL, chains=2)  # (exp(r) - 1 - r) / r**2
_sinh_tail = polynomial(SINH, chains=2)  # (sinh(r) - r) / r**3 in r**2
_cosh_tail = polynomial(COSH, chains=2)  # (cosh(r) - 1) / r**2 in r**2


@inlined
def power_of_two(shifted: float, offset: int) -> float:
    """Return 2**(shifted - ROUNDER + offset)."""
    return bits_to_float(((float_to_bits(shifted) + offset) << 52) + ONE_BITS)


@inlined
def reduce_exponent(x: float, low: float) -> tuple[float, float, float]:
    """Write x + low as k log(2) + r + r_low; return k + ROUNDER, r and r_low."""
    shifted = fma(x, INVERSE_LN2, ROUNDER)
    count = shifted - ROUNDER
    # Both the product and the difference are exact: LN2_HIGH ends in eleven zeros.
    high = fma(-count, LN2_HIGH, x)
    rest = fma(count, LN2_LOW, -low)
    r = high - rest
    return shifted, r, (high - r) - rest


@inlined
def scale(mantissa: float, shifted: float) -> float:
    """Return mantissa * 2**(shifted - ROUNDER), rounded once."""
    if HAS_SCALING:
        return times_power_of_two(mantissa, shifted - ROUNDER)
    return scale_in_steps(mantissa, shifted)


@inlined
def scale_in_steps(mantissa: float, shifted: float) -> float:
    """Do the same in two steps, which reach past both ends of the range."""
    half = fma(shifted - ROUNDER, 0.5, ROUNDER)
    rest = bits_to_float(((float_to_bits(shifted) - float_to_bits(half)) << 52) + ONE_BITS)
    return mantissa * power_of_two(half, 0) * rest


@inlined
def scaled_expm1(scale: float, offset: float, r: float, r_low: float) -> tuple[float, float]:
    """Return scale * exp(r + r_low) - offset as a leading term and a correction."""
    base = scale - offset
    high = fma(scale, r, base)
    # Exact, because |base| >= |scale * r| or base = 0.
    error = fma(scale, r, base - high)
    return high, fma(scale, fma(r * r, exponential_tail(r), r_low), error)


@inlined
def exp(x: float) -> float:
    """Return the exponential.

    x = k log(2) + r with |r| <= log(2)/2; exp(r) by a polynomial of degree 12; scaled in two
    steps, of which only the second rounds, and only a subnormal result. Worst measured: 1.0 ulp.
    """
    bounded = EXP_LAST if x > EXP_LAST else x
    bounded = EXP_FIRST if bounded < EXP_FIRST else bounded
    shifted = fma(bounded, INVERSE_LN2, ROUNDER)
    count = shifted - ROUNDER
    r = fma(-count, LN2_LOW, fma(-count, LN2_HIGH, bounded))
    return scale(1.0 + fma(r * r, exponential_tail(r), r), shifted)


@inlined
def expm1(x: float) -> float:
    """Return exp(x) - 1 without cancellation.

    The reduction and the polynomial of ``exp``; 2**k (1 + r) - 1 is summed with its rounding
    error. Everything is halved until the end, because 2**1024 overflows. Worst measured:
    1.2 ulp.
    """
    bounded = EXP_LAST if x > EXP_LAST else x
    bounded = EXPM1_FIRST if bounded < EXPM1_FIRST else bounded
    shifted, r, r_low = reduce_exponent(bounded, 0.0)
    high, low = scaled_expm1(power_of_two(shifted, -1), 0.5, r, r_low)
    result = 2.0 * (high + low)
    return x if abs(x) < EXPM1_TINY else result


@inlined
def tanh(x: float) -> float:
    """Return the hyperbolic tangent.

    expm1(2|x|) / (expm1(2|x|) + 2), where numerator and denominator carry their rounding errors
    and the quotient its remainder: one division. Worst measured: 1.0 ulp.
    """
    magnitude = abs(x)
    bounded = TANH_LAST if magnitude > TANH_LAST else magnitude
    shifted, r, r_low = reduce_exponent(2.0 * bounded, 0.0)
    high, low = scaled_expm1(power_of_two(shifted, 0), 1.0, r, r_low)
    numerator = high + low
    numerator_low = (high - numerator) + low
    denominator = numerator + 2.0
    denominator_low = rounding_error(numerator, 2.0, denominator) + numerator_low
    reciprocal = 1.0 / denominator
    quotient = numerator * reciprocal
    remainder = fma(-quotient, denominator, numerator) + fma(
        -quotient, denominator_low, numerator_low
    )
    return with_sign_of(fma(remainder, reciprocal, quotient), x)


@inlined
def _reduce_hyperbolic(
    magnitude: float,
) -> tuple[float, float, float, float, float, float, float]:
    """Reduce |x| = k log(2) + r for ``sinh`` and ``cosh``.

    Returns a quarter of 2**k - 2**-k and of 2**k + 2**-k, each followed by its rounding error;
    then r, sinh(r) - r and cosh(r) - 1.
    """
    bounded = SINH_LAST if magnitude > SINH_LAST else magnitude
    shifted, r, r_low = reduce_exponent(bounded, 0.0)
    count = shifted - ROUNDER
    balanced = HYPERBOLIC_BALANCE if count > HYPERBOLIC_BALANCE else count
    growing = power_of_two(shifted, -2)
    decaying = power_of_two(ROUNDER - balanced, -2)
    difference = growing - decaying
    difference_low = (growing - difference) - decaying
    total = growing + decaying
    total_low = (growing - total) + decaying
    z = r * r
    sine = fma(r * z, _sinh_tail(z), r_low)
    cosine = z * _cosh_tail(z)
    return difference, difference_low, total, total_low, r, sine, cosine


@inlined
def sinh(x: float) -> float:
    """Return the hyperbolic sine.

    sinh(k log 2) cosh(r) + cosh(k log 2) sinh(r), with polynomials of degree 10 and 11 in r and
    no division; halved until the end against overflow. Worst measured: 0.9 ulp.
    """
    magnitude = abs(x)
    difference, difference_low, total, _, r, sine, cosine = _reduce_hyperbolic(magnitude)
    high = fma(total, r, difference)
    error = fma(total, r, difference - high) + difference_low
    result = 2.0 * (high + (error + fma(difference, cosine, total * sine)))
    return x if magnitude < SINH_TINY else with_sign_of(result, x)


@inlined
def cosh(x: float) -> float:
    """Return the hyperbolic cosine.

    cosh(k log 2) cosh(r) + sinh(k log 2) sinh(r), as in ``sinh``. Worst measured: 0.9 ulp.
    """
    difference, _, total, total_low, r, sine, cosine = _reduce_hyperbolic(abs(x))
    high = fma(difference, r, total)
    error = fma(difference, r, total - high) + total_low
    return 2.0 * (high + (error + fma(total, cosine, difference * sine)))
