"""The error function and its complement: polynomials and exponentials of polynomials."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.kernels.elementary._words import fma, inlined, polynomial, with_sign_of
from chainrule.kernels.elementary.single._constants import (
    ERF,
    ERF_CENTRE,
    ERF_LAST,
    ERF_REST,
    ERF_SPLIT,
    ERFC,
    ERFC_CENTRE,
    ERFC_CONSTANT_LOW,
    ERFC_SLOPE,
)
from chainrule.kernels.elementary.single._exponential import (
    ONE,
    TWO,
    ZERO,
    exponential_tail,
    reduce_exponent,
    scale,
)
from chainrule.kernels.elementary.wide import _error as wide

# Beyond erfc(10.1) results have vanished; from here on they have even when raised.
ERFC_LAST = np.float32(13.5)
ERFC_CONSTANT = np.float32(ERFC[0])

_erf_excess = polynomial(ERF)  # erf(x) / x - 1 in x**2
_erf_rest = polynomial(ERF_REST, chains=2)  # sqrt(erfc(x)) in x - ERF_CENTRE
# (F(t) - F(0)) / t, where F = (1 + 1.203125 x) exp(x**2) erfc(x)
_erfc_tail = polynomial(ERFC[1:])


@inlined
def erf(x: Any) -> Any:
    """Return the error function. Worst over all float32: 0.992 ulp.

    x + x P(x**2) near zero, 1 - Q(|x|)**2 beyond, with polynomials P and Q.
    """
    magnitude = abs(x)
    near = fma(magnitude, _erf_excess(magnitude * magnitude), magnitude)
    bounded = ERF_LAST if magnitude > ERF_LAST else magnitude
    root = _erf_rest(bounded - ERF_CENTRE)
    far = fma(-root, root, ONE)
    return with_sign_of(near if magnitude < ERF_SPLIT else far, x)


@inlined
def erfc_near(magnitude: Any, low: Any) -> tuple[Any, Any, Any]:
    """Return erfc(magnitude + low) in two parts, and the power of two to scale them with.

    exp(-x**2) F(t) / (1 + 1.203125 x), where F is a polynomial in t = (x - 3.75) / (x + 3.75),
    x**2 is carried in two parts, and both quotients share one division and get their remainders.
    """
    a = ERFC_LAST if magnitude > ERFC_LAST else magnitude
    low = ZERO if magnitude > ERFC_LAST else low
    square = a * a
    square_low = fma(TWO * a, low, fma(a, a, -square))
    shifted, r, r_low = reduce_exponent(-square, -square_low)
    growth = fma(r * r, exponential_tail(r), r_low)
    denominator = fma(ERFC_SLOPE, a, ONE)
    denominator_low = fma(ERFC_SLOPE, a, ONE - denominator) + ERFC_SLOPE * low
    centred = a + ERFC_CENTRE
    shared = ONE / (denominator * centred)
    inverse_centred = denominator * shared
    t = fma(TWO * a, inverse_centred, -ONE)
    t = fma(fma(-t, a, fma(-ERFC_CENTRE, t + ONE, a)), inverse_centred, t)
    curved = t * _erfc_tail(t)
    numerator = ERFC_CONSTANT + curved
    numerator_low = ((ERFC_CONSTANT - numerator) + curved) + ERFC_CONSTANT_LOW
    reciprocal = centred * shared
    quotient = numerator * reciprocal
    remainder = fma(-quotient, denominator, numerator) + fma(
        -quotient, denominator_low, numerator_low
    )
    quotient_low = remainder * reciprocal
    high = fma(quotient, r, quotient)
    error = fma(quotient, r, quotient - high) + fma(quotient_low, r, quotient_low)
    return high, fma(quotient, growth, error), shifted


@inlined
def erfc(x: Any) -> Any:
    """Return the complementary error function. Worst over all float32: 0.992 ulp.

    2 - erfc(|x|) for negative x.
    """
    high, low, shifted = erfc_near(abs(x), ZERO)
    result = scale(high + low, shifted)
    reflected = TWO - result
    return result if x >= ZERO else reflected


@inlined
def erfcx(x: Any) -> Any:
    """Return exp(x**2) erfc(x), in float64: its exponential takes more digits than float32 has."""
    return np.float32(wide.erfcx(np.float64(x)))
