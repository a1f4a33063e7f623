"""Sums, products and quotients of float32 whose rounding errors are kept beside them.

A pair ``(high, low)`` stands for the sum of its parts: the rounded result, and what the rounding
lost, itself rounded. Errors are then about 2**-46 in place of 2**-24, for a few operations more.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.kernels.elementary._words import (
    bits_to_float,
    float_to_bits,
    fma,
    inlined,
    rounding_error,
)
from chainrule.kernels.elementary.single._error import erfc_near
from chainrule.kernels.elementary.single._exponential import (
    LOWERED as LOWERED,
)
from chainrule.kernels.elementary.single._exponential import (
    ONE,
    RAISED_BY,
    ROUNDER,
    TWO,
    ZERO,
    expm1_below_zero_near,
    exponential_tail,
    reduce_exponent,
    scale,
)
from chainrule.kernels.elementary.single._exponential import exp as single_exp
from chainrule.kernels.elementary.single._exponential import exp_below_one as single_exp_below_one
from chainrule.kernels.elementary.single._exponential import raised_exp as single_raised_exp
from chainrule.kernels.elementary.single._exponential import (
    raised_exp_below_one as single_raised_exp_below_one,
)
from chainrule.kernels.elementary.wide._constants import LN2

Pair = tuple[Any, Any]
# What added to any number leaves it as it is, a zero of either sign too: it costs nothing.
NOTHING = np.float32(-0.0)
RECIPROCAL_BITS = np.int32(0x7EF311C3)
SHORT = np.int32(-512)  # its bits leave 15 of a mantissa: the product with an exponent is exact


@inlined
def lifted(a: Any) -> Pair:
    """Return a number as a pair."""
    return a, NOTHING


@inlined
def parts(constant: float) -> Pair:
    """Return a float64 in two parts."""
    high = np.float32(constant)
    return high, np.float32(constant - np.float64(high))


@inlined
def rounded(a: Pair) -> Any:
    """Return a pair as one number; infinities, and zeros of either sign, are its first part."""
    return a[0] + a[1] if abs(a[1]) > ZERO else a[0]


@inlined
def negate(a: Pair) -> Pair:
    """Return -a."""
    return -a[0], -a[1]


@inlined
def lowered(a: Any, power: Any) -> Any:
    """Return a number times a power of two, which undoes that of a raised exponential."""
    return a * power


@inlined
def lowered_pair(a: Pair, power: Any) -> Pair:
    """Return the same of a pair."""
    return a[0] * power, a[1] * power


@inlined
def add(a: Pair, b: Pair) -> Pair:
    """Return a + b."""
    total = a[0] + b[0]
    return total, rounding_error(a[0], b[0], total) + (a[1] + b[1])


@inlined
def add_smaller(a: Pair, b: Pair) -> Pair:
    """Return a + b, where |b| <= |a|."""
    total = a[0] + b[0]
    return total, (b[0] - (total - a[0])) + (a[1] + b[1])


@inlined
def subtract_smaller(a: Pair, b: Pair) -> Pair:
    """Return a - b, where |b| <= |a|."""
    return add_smaller(a, negate(b))


@inlined
def subtract(a: Pair, b: Pair) -> Pair:
    """Return a - b."""
    return add(a, negate(b))


@inlined
def product(a: Any, b: Any) -> Pair:
    """Return a * b of two numbers, exactly."""
    high = a * b
    return high, fma(a, b, -high)


@inlined
def doubled(a: Pair, power: Any) -> Pair:
    """Return a times a power of two."""
    return a[0] * power, a[1] * power


@inlined
def product_added(a: Any, b: Any, c: Any) -> Pair:
    """Return a + b * c, where |b * c| <= |a|, or a is 0."""
    high = fma(b, c, a)
    return high, fma(b, c, a - high)


@inlined
def scaled(a: Pair, b: Any) -> Pair:
    """Return a * b of a pair and a number."""
    high = a[0] * b
    return high, fma(a[1], b, fma(a[0], b, -high))


@inlined
def multiply(a: Pair, b: Pair) -> Pair:
    """Return a * b."""
    high = a[0] * b[0]
    return high, fma(a[1], b[0], fma(a[0], b[1], fma(a[0], b[0], -high)))


@inlined
def divide(a: Pair, b: Pair) -> Pair:
    """Return a / b: a quotient, and its remainder over the denominator."""
    reciprocal = ONE / b[0]
    quotient = a[0] * reciprocal
    remainder = fma(-quotient, b[0], a[0]) + fma(-quotient, b[1], a[1])
    return quotient, remainder * reciprocal


@inlined
def square_root(a: Pair) -> Pair:
    """Return the square root: the rounded one, and what is left over twice it."""
    root = np.sqrt(a[0])
    low = (fma(-root, root, a[0]) + a[1]) * _nearly_over(root + root)
    return root, low if low == low else NOTHING


@inlined
def _nearly_over(x: Any) -> Any:
    """Return 1 / x to 2**-23 where x is neither tiny nor huge: a processor takes long to divide.

    The bits of 1/x are nearly a number less those of x. From an error of a twentieth one step makes
    its cube, and another one the square of that.
    """
    guess = bits_to_float(np.int32(RECIPROCAL_BITS - float_to_bits(x)))
    error = fma(-x, guess, ONE)
    closer = fma(fma(error, error, error), guess, guess)
    return fma(fma(-x, closer, ONE), closer, closer)


@inlined
def quotient(a: Pair, b: Pair) -> Any:
    """Return a / b as one number."""
    reciprocal = ONE / b[0]
    quotient = a[0] * reciprocal
    remainder = fma(-quotient, b[1], fma(-quotient, b[0], a[0]) + a[1])
    return _corrected(quotient, remainder, reciprocal)


@inlined
def bounded_quotient(a: Pair, b: Pair) -> Any:
    """Return the same of an a that is finite and not negative, over a positive b."""
    quotient, rest = divide(a, b)
    return quotient + rest


@inlined
def _corrected(quotient: Any, remainder: Any, reciprocal: Any) -> Any:
    """Add a remainder's share, which infinite quotients and zeros have not."""
    result = fma(remainder, reciprocal, quotient)
    return result if abs(remainder) > ZERO and result == result else quotient


@inlined
def quotient_of_sum(a: Pair, b: Any, c: Any) -> Any:
    """Return a / (b + c) as one number, for a power of two b and 0 <= c <= b."""
    return _corrected(*_divided_by_sum(a, b, c))


@inlined
def bounded_quotient_of_sum(a: Pair, b: Any, c: Any) -> Any:
    """Return the same of an a that is finite and not negative."""
    quotient, remainder, reciprocal = _divided_by_sum(a, b, c)
    return fma(remainder, reciprocal, quotient)


@inlined
def _divided_by_sum(a: Pair, b: Any, c: Any) -> tuple[Any, Any, Any]:
    """Return a quotient, its remainder, and 1 / (b + c).

    The quotient lies between a / (2 b) and a / b: a less b times the quotient is exact.
    """
    reciprocal = ONE / (b + c)
    quotient = a[0] * reciprocal
    return quotient, fma(-quotient, c, fma(-quotient, b, a[0])) + a[1], reciprocal


@inlined
def _grown(high: Any, low: Any) -> Pair:
    """Return an exponential times exp(low), where low is no number if it is infinite or 0."""
    change = high * low
    return high, change if change == change else NOTHING


@inlined
def exp(a: Pair) -> Pair:
    """Return the exponential of a pair; its own error remains."""
    return _grown(single_exp(a[0]), a[1])


@inlined
def exp_below_one(a: Pair) -> Pair:
    """Return the same of a pair that is not too large."""
    return _grown(single_exp_below_one(a[0]), a[1])


@inlined
def raised_exp(a: Pair) -> Pair:
    """Return the exponential times ``1 / LOWERED``."""
    return _grown(single_raised_exp(a[0]), a[1])


@inlined
def raised_exp_below_one(a: Pair) -> Pair:
    """Return the same of a pair that is not too large."""
    return _grown(single_raised_exp_below_one(a[0]), a[1])


@inlined
def times_exp(a: Pair, b: Pair) -> Any:
    """Return a * exp(b) as one number, where -150 <= b <= 0.

    With exp(b) = 2**k (1 + r + growth) the errors of r and of the growth count less than a third.
    """
    shifted, r, r_low = reduce_exponent(b[0], b[1])
    growth = fma(r * r, exponential_tail(r), r_low)
    low = fma(a[0], growth, fma(a[1], r, a[1]))
    return scale(a[0] + fma(a[0], r, low), shifted)


@inlined
def times_power(a: Pair, x: Any, y: Any, rate: float) -> Any:
    """Return a * exp(-rate * x * y) as one number, where the exponent is from -150 to 0.

    The product of x and y is never rounded: from it, multiples of log(2) over the rate are taken.
    """
    step = LN2 / rate
    nearest: Any = np.float32(step)
    high = bits_to_float(np.int32(float_to_bits(nearest) & SHORT))
    low = np.float32(step - np.float64(high))
    shifted = fma(x * y, np.float32(-1.0 / step), ROUNDER)
    count = shifted - ROUNDER
    rest = fma(count, low, fma(x, y, count * high))
    r = rest * np.float32(-rate)
    growth = fma(r * r, exponential_tail(r), r)
    return scale(a[0] + fma(a[0], growth, a[1]), shifted)


@inlined
def expm1_below_zero(a: Any) -> Pair:
    """Return exp(a) - 1 of a number that is not positive."""
    return expm1_below_zero_near(a)


@inlined
def _erfc_parts(a: Pair, raised_by: Any) -> Pair:
    """Return erfc of a pair; times 2**raised_by, unless the argument is negative."""
    magnitude, is_positive = abs(a[0]), a[0] >= ZERO
    high, low, shifted = erfc_near(magnitude, a[1] if is_positive else -a[1])
    total = high + low
    shifted = shifted + (raised_by if is_positive else ZERO)
    tail, tail_low = scale(total, shifted), scale((high - total) + low, shifted)
    reflected = TWO - tail
    reflected_low = (TWO - reflected) - tail
    return (
        tail if is_positive else reflected,
        tail_low if is_positive else reflected_low - tail_low,
    )


@inlined
def erfc(a: Pair) -> Pair:
    """Return the complementary error function of a pair."""
    return _erfc_parts(a, ZERO)


@inlined
def raised_erfc(a: Pair) -> Pair:
    """Return the same, times ``1 / power_of_erfc(a)``."""
    return _erfc_parts(a, RAISED_BY)


@inlined
def power_of_erfc(a: Pair) -> Any:
    """Return the power of two that undoes ``raised_erfc``: it vanishes on one side alone."""
    return LOWERED if a[0] >= ZERO else ONE


@inlined
def divide_by_constant(a: Pair, constant: float) -> Pair:
    """Return a / constant."""
    return multiply(a, parts(1.0 / constant))
