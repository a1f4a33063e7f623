"""Exponentials: one reduction by multiples of log(2), one or two polynomials."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.kernels.elementary._words import (
    HAS_SCALING,
    bits_to_float,
    float_to_bits,
    fma,
    inlined,
    polynomial,
    times_power_of_two,
    with_sign_of,
)
from chainrule.kernels.elementary.single._constants import (
    COSH,
    EXPONENTIAL,
    INVERSE_LN2,
    LN2_HIGH,
    LN2_LOW,
    SHORT_EXPONENTIAL,
    SINH,
    TANH,
    TANH_SPLIT,
)

ZERO = np.float32(0.0)
HALF = np.float32(0.5)
ONE = np.float32(1.0)
TWO = np.float32(2.0)
INFINITY = np.float32(math.inf)
# Adding 1.5 * 2**23 rounds to an integer, which is then found in the lowest bits of the sum.
ROUNDER = np.float32(12582912.0)
ONE_BITS = 0x3F800000
RAISED_BY = np.float32(64.0)
RAISED_ROUNDER = ROUNDER + RAISED_BY
# What brings a raised exponential down again.
LOWERED = np.float32(2.0 ** -float(RAISED_BY))

# Beyond these arguments the result no longer changes: it has overflowed, vanished or saturated.
EXP_FIRST = np.float32(-150.0)  # exp(-104.0) has vanished, raised it has not
EXP_LAST = np.float32(89.0)
RAISED_FIRST = np.float32(-131.0)  # from here on a raised exponential is a normal number
EXPM1_FIRST = np.float32(-20.0)
SINH_LAST = np.float32(89.5)
TANH_LAST = np.float32(10.0)
# Below this, the function equals its argument to the last place.
EXPM1_TINY = np.float32(1e-8)
# From this exponent on, exp(-x) is lost next to exp(x).
HYPERBOLIC_BALANCE = np.float32(30.0)

exponential_tail = polynomial(EXPONENTIAL)  # (exp(r) - 1 - r) / r**2
_short_tail = polynomial(SHORT_EXPONENTIAL)  # the same, good for results in one part
_sinh_tail = polynomial(SINH)  # (sinh(r) - r) / r**3 in r**2
_cosh_tail = polynomial(COSH)  # (cosh(r) - 1) / r**2 in r**2
_tanh_tail = polynomial(TANH)  # (tanh(x) - x) / x**3 in x**2


@inlined
def power_of_two(shifted: Any, offset: int) -> Any:
    """Return 2**(shifted - ROUNDER + offset)."""
    return bits_to_float(np.int32(((float_to_bits(shifted) + offset) << 23) + ONE_BITS))


@inlined
def reduce_exponent(x: Any, low: Any) -> tuple[Any, Any, Any]:
    """Write x + low as k log(2) + r + r_low; return k + ROUNDER, r and r_low."""
    shifted = fma(x, INVERSE_LN2, ROUNDER)
    count = shifted - ROUNDER
    # Both the product and the difference are exact: LN2_HIGH ends in nine zeros.
    high = fma(-count, LN2_HIGH, x)
    rest = fma(count, LN2_LOW, -low)
    r = high - rest
    return shifted, r, (high - r) - rest


@inlined
def scale(mantissa: Any, shifted: Any) -> Any:
    """Return mantissa * 2**(shifted - ROUNDER), rounded once."""
    if HAS_SCALING:
        return times_power_of_two(mantissa, shifted - ROUNDER)
    return scale_in_steps(mantissa, shifted)


@inlined
def scale_in_steps(mantissa: Any, shifted: Any) -> Any:
    """Do the same in two steps, which reach past both ends of the range."""
    half = fma(shifted - ROUNDER, HALF, ROUNDER)
    rest = float_to_bits(shifted) - float_to_bits(half)
    return mantissa * power_of_two(half, 0) * bits_to_float(np.int32((rest << 23) + ONE_BITS))


@inlined
def exp_near(x: Any) -> tuple[Any, Any]:
    """Return exp(x) as a number near 1 and the power of two to scale it with.

    With x = k log(2) + r, the sum 1 + r is rounded once and what it lost goes into the tail.
    """
    shifted = fma(x, INVERSE_LN2, ROUNDER)
    count = shifted - ROUNDER
    high = fma(-count, LN2_HIGH, x)
    r = fma(-count, LN2_LOW, high)
    total = ONE + high
    low = fma(-count, LN2_LOW, high - (total - ONE))
    return total + fma(r * r, exponential_tail(r), low), shifted


@inlined
def _reduced(x: Any, rounder: Any) -> tuple[Any, Any]:
    """Write x as k log(2) + r; return k + rounder, and r."""
    shifted = fma(x, INVERSE_LN2, rounder)
    count = shifted - rounder
    return shifted, fma(-count, LN2_LOW, fma(-count, LN2_HIGH, x))


@inlined
def _exp_in_one_part(r: Any) -> Any:
    """Return exp(r) of a reduced argument, rounded but once."""
    return fma(fma(r, _short_tail(r), ONE), r, ONE)


@inlined
def exp_less_one(r: Any) -> Any:
    """Return exp(r) - 1 of a reduced argument; what it lacks counts little next to 1."""
    return fma(r, _short_tail(r), ONE) * r


@inlined
def exp(x: Any) -> Any:
    """Return the exponential. Worst over all float32: 0.914 ulp."""
    bounded = EXP_LAST if x > EXP_LAST else x
    bounded = EXP_FIRST if bounded < EXP_FIRST else bounded
    shifted, r = _reduced(bounded, ROUNDER)
    return scale(_exp_in_one_part(r), shifted)


@inlined
def exp_below_one(x: Any) -> Any:
    """Return the exponential of a number that is not positive."""
    return raised_exp_below_one(x) * LOWERED


@inlined
def raised_exp(x: Any) -> Any:
    """Return exp(x) * 2**RAISED_BY, which keeps its digits where exp(x) is subnormal."""
    bounded = EXP_LAST if x > EXP_LAST else x
    bounded = EXP_FIRST if bounded < EXP_FIRST else bounded
    shifted, r = _reduced(bounded, ROUNDER)
    return scale(_exp_in_one_part(r), shifted + RAISED_BY)


@inlined
def raised_exp_below_one(x: Any) -> Any:
    """Return the same for a number that is not positive; 0 below RAISED_FIRST."""
    shifted, r = _reduced(x, RAISED_ROUNDER)
    result = _exp_in_one_part(r) * power_of_two(shifted, 0)
    return ZERO if x < RAISED_FIRST else result


@inlined
def expm1_below_zero(x: Any) -> Any:
    """Return exp(x) - 1 of a number that is not positive."""
    return expm1_below_zero_near(x)[0]


@inlined
def expm1_below_zero_near(x: Any) -> tuple[Any, Any]:
    """Return the same in two parts."""
    shifted, r = _reduced(EXPM1_FIRST if x < EXPM1_FIRST else x, ROUNDER)
    growth = fma(r * r, _short_tail(r), r)
    power = power_of_two(shifted, 0)
    base = power - ONE
    result = fma(power, growth, base)
    # Exact, because |base| >= |power * growth| or base = 0.
    return with_sign_of(result, x), fma(power, growth, base - result)


@inlined
def expm1(x: Any) -> Any:
    """Return exp(x) - 1 without cancellation. Worst over all float32: 0.890 ulp.

    2**k (1 + r) - 1 is summed with its rounding error, and so is 2**k r**2 / 2. Everything is
    halved until the end, because 2**128 overflows.
    """
    bounded = EXP_LAST if x > EXP_LAST else x
    bounded = EXPM1_FIRST if bounded < EXPM1_FIRST else bounded
    shifted, r, r_low = reduce_exponent(bounded, ZERO)
    half = power_of_two(shifted, -1)
    base = half - HALF
    high = fma(half, r, base)
    # Exact, because |base| >= |half * r| or base = 0.
    error = fma(half, r, base - high) + ((half - base) - HALF)
    low = fma(half, fma(r * r, exponential_tail(r), r_low), error)
    result = TWO * (high + low)
    return x if abs(x) < EXPM1_TINY else result


@inlined
def tanh(x: Any) -> Any:
    """Return the hyperbolic tangent. Worst over all float32: 0.949 ulp.

    A polynomial near zero, 1 - 2 / (exp(2|x|) + 1) beyond.
    """
    magnitude = abs(x)
    z = magnitude * magnitude
    near = fma(magnitude * z, _tanh_tail(z), magnitude)
    bounded = TANH_LAST if magnitude > TANH_LAST else magnitude
    mantissa, shifted = exp_near(TWO * bounded)
    far = ONE - TWO / fma(mantissa, power_of_two(shifted, 0), ONE)
    return with_sign_of(near if magnitude < TANH_SPLIT else far, x)


@inlined
def _reduce_hyperbolic(magnitude: Any) -> tuple[Any, Any, Any, Any, Any, Any, Any]:
    """Reduce |x| = k log(2) + r for ``sinh`` and ``cosh``.

    Returns a quarter of 2**k - 2**-k and of 2**k + 2**-k, each followed by its rounding error;
    then r, sinh(r) - r and cosh(r) - 1.
    """
    bounded = SINH_LAST if magnitude > SINH_LAST else magnitude
    shifted, r, r_low = reduce_exponent(bounded, ZERO)
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
def sinh(x: Any) -> Any:
    """Return the hyperbolic sine. Worst over all float32: 0.934 ulp.

    sinh(k log 2) cosh(r) + cosh(k log 2) sinh(r), halved until the end against overflow.
    """
    magnitude = abs(x)
    difference, difference_low, total, _, r, sine, cosine = _reduce_hyperbolic(magnitude)
    high = fma(total, r, difference)
    error = fma(total, r, difference - high) + difference_low
    result = TWO * (high + (error + fma(difference, cosine, total * sine)))
    return x if magnitude < EXPM1_TINY else with_sign_of(result, x)


@inlined
def cosh(x: Any) -> Any:
    """Return the hyperbolic cosine. Worst over all float32: 0.747 ulp.

    cosh(k log 2) cosh(r) + sinh(k log 2) sinh(r), as in ``sinh``.
    """
    difference, _, total, total_low, r, sine, cosine = _reduce_hyperbolic(abs(x))
    high = fma(difference, r, total)
    error = fma(difference, r, total - high) + total_low
    return TWO * (high + (error + fma(total, cosine, difference * sine)))
