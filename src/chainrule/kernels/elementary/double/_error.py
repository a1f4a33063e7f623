"""The error function and its complement: exponentials of polynomials."""

from __future__ import annotations

import math
from collections.abc import Callable

from chainrule.kernels.elementary._words import fma, inlined, polynomial, with_sign_of
from chainrule.kernels.elementary.double._constants import (
    ERF,
    ERF_LAST,
    ERF_SLOPE_HIGH,
    ERF_SLOPE_LOW,
    ERFC,
    ERFC_CENTRE,
    ERFC_CONSTANT_LOW,
    ERFC_LAST,
    ERFC_SLOPE,
    ERFCX,
    ERFCX_CONSTANT_LOW,
    INVERSE_SQRT_PI,
)
from chainrule.kernels.elementary.double._exponential import (
    exponential_tail,
    power_of_two,
    reduce_exponent,
    scale,
    scaled_expm1,
)

INFINITY = math.inf
# From here on, erfcx(x) is 1 / (sqrt(pi) x) to the last place.
ERFCX_FAR = 1e9

_erf_tail = polynomial(ERF, chains=4)  # (log(erfc(x)) + 2 x / sqrt(pi)) / x**2
# (F(t) - F(0)) / t, where F = (1 + 1.5 x) exp(x**2) erfc(x)
_erfc_tail = polynomial(ERFC[1:], chains=4)
_erfcx_tail = polynomial(ERFCX[1:], chains=4)  # the same up to infinity


@inlined
def erf(x: float) -> float:
    """Return the error function.

    1 - exp(q(|x|)), where q = log(erfc) by one polynomial of degree 25 on [0, 5.93]: no division.
    Its error counts in proportion to erfc, so one interval suffices. Worst measured: 1.2 ulp.
    """
    magnitude = abs(x)
    bounded = ERF_LAST if magnitude > ERF_LAST else magnitude
    linear = ERF_SLOPE_HIGH * bounded
    linear_low = fma(ERF_SLOPE_LOW, bounded, fma(ERF_SLOPE_HIGH, bounded, -linear))
    curved = bounded * bounded * _erf_tail(bounded)
    exponent = linear + curved
    shifted, r, r_low = reduce_exponent(exponent, ((linear - exponent) + curved) + linear_low)
    high, low = scaled_expm1(power_of_two(shifted, 0), 1.0, r, r_low)
    return with_sign_of(abs(high + low), x)


@inlined
def _over_slope(
    a: float, tail: Callable[[float], float], constant: float, constant_low: float
) -> tuple[float, float]:
    """Return F(t) / (1 + 1.5 a) in two parts, where F is a polynomial with a tail of its own.

    Both quotients share one division; t = (a - 3.75) / (a + 3.75).
    """
    denominator = fma(ERFC_SLOPE, a, 1.0)
    denominator_low = fma(ERFC_SLOPE, a, 1.0 - denominator)
    centred = a + ERFC_CENTRE
    shared = 1.0 / (denominator * centred)
    t = fma(2.0 * a, denominator * shared, -1.0)
    reciprocal = centred * shared
    curved = t * tail(t)
    numerator = constant + curved
    numerator_low = ((constant - numerator) + curved) + constant_low
    quotient = numerator * reciprocal
    remainder = fma(-quotient, denominator, numerator) + fma(
        -quotient, denominator_low, numerator_low
    )
    return quotient, remainder * reciprocal


@inlined
def erfc(x: float) -> float:
    """Return the complementary error function.

    exp(-x**2) F(t) / (1 + 1.5 |x|), where F is a polynomial of degree 22 in
    t = (|x| - 3.75) / (|x| + 3.75) and x**2 is carried in two parts; 2 - erfc(|x|) for negative x.
    Worst measured: 1.3 ulp.
    """
    magnitude = abs(x)
    a = ERFC_LAST if magnitude > ERFC_LAST else magnitude
    square = a * a
    shifted, r, r_low = reduce_exponent(-square, -fma(a, a, -square))
    growth = fma(r * r, exponential_tail(r), r_low)
    quotient, quotient_low = _over_slope(a, _erfc_tail, ERFC[0], ERFC_CONSTANT_LOW)
    grown_low = fma(quotient_low, r, quotient_low)
    change = fma(quotient, r, fma(quotient, growth, grown_low))
    result = scale(quotient + change, shifted)
    reflected = 2.0 - result
    return result if x >= 0.0 else reflected


@inlined
def erfcx(x: float) -> float:
    """Return exp(x**2) erfc(x), which neither vanishes nor overflows for positive x.

    F(t) / (1 + 1.5 |x|) as in erfc, with a polynomial up to infinity, of degree 26;
    1 / (sqrt(pi) x) far out, and 2 exp(x**2) - erfcx(|x|) for negative x.
    """
    magnitude = abs(x)
    a = ERFCX_FAR if magnitude > ERFCX_FAR else magnitude
    quotient, quotient_low = _over_slope(a, _erfcx_tail, ERFCX[0], ERFCX_CONSTANT_LOW)
    far = INVERSE_SQRT_PI / magnitude
    beyond = far if magnitude > ERFCX_FAR else quotient + quotient_low
    b = ERFC_LAST if magnitude > ERFC_LAST else magnitude
    square = b * b
    shifted, r, r_low = reduce_exponent(square, fma(b, b, -square))
    high = 1.0 + r
    low = ((1.0 - high) + r) + fma(r * r, exponential_tail(r), r_low)
    grown = scale(2.0 * high, shifted)
    total = grown - quotient
    lost = ((grown - total) - quotient) + (scale(2.0 * low, shifted) - quotient_low)
    reflected = total + lost if total < INFINITY else total
    return beyond if x >= 0.0 else reflected
