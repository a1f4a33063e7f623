"""The error function and its complement: exponentials of polynomials."""

from __future__ import annotations

from chainrule.kernels.elementary._words import fma, inlined, polynomial, with_sign_of
from chainrule.kernels.elementary.wide._constants import (
    ERF,
    ERF_LAST,
    ERFC,
    ERFC_CENTRE,
    ERFC_LAST,
    ERFCX,
)
from chainrule.kernels.elementary.wide._exponential import (
    exp,
    growth,
    power_of_two,
    reduce_exponent,
    scale,
)

# Beyond this square, results are below 1e-304.
LARGEST_SQUARE = 700.0
LARGEST = 1.7976931348623157e308

_erf_exponent = polynomial(ERF, chains=4)  # log(erfc(x)) / x
_erfc_scaled = polynomial(ERFC, chains=4)  # (x + ERFC_CENTRE) exp(x**2) erfc(x) in t
_erfcx_scaled = polynomial(ERFCX, chains=4)  # the same up to infinity


@inlined
def erf(x: float) -> float:
    """Return the error function, 1 - exp(q(|x|)) with q = log(erfc). Worst measured: 2**-42."""
    magnitude = abs(x)
    bounded = ERF_LAST if magnitude > ERF_LAST else magnitude
    shifted, r = reduce_exponent(bounded * _erf_exponent(bounded))
    power = power_of_two(shifted, 0)
    return with_sign_of(fma(power, growth(r), power - 1.0), x)


@inlined
def erfc(x: float) -> float:
    """Return the complementary error function.

    exp(-x**2) F(t) / (|x| + 3.75), where F is a polynomial in t = (|x| - 3.75) / (|x| + 3.75);
    2 - erfc(|x|) for negative x. Worst measured: 2**-39.
    """
    magnitude = abs(x)
    a = ERFC_LAST if magnitude > ERFC_LAST else magnitude
    square = a * a
    reciprocal = 1.0 / (a + ERFC_CENTRE)
    shifted, r = reduce_exponent(-square)
    quotient = _erfc_scaled((a - ERFC_CENTRE) * reciprocal) * reciprocal
    result = scale(fma(quotient, growth(r), quotient), shifted)
    result = result if square <= LARGEST_SQUARE else 0.0 * a
    reflected = 2.0 - result
    return result if x >= 0.0 else reflected


@inlined
def erfcx(x: float) -> float:
    """Return exp(x**2) erfc(x), as above; 2 exp(x**2) - erfcx(|x|) for negative x."""
    magnitude = abs(x)
    a = LARGEST if magnitude > LARGEST else magnitude
    reciprocal = 1.0 / (magnitude + ERFC_CENTRE)
    result = _erfcx_scaled((a - ERFC_CENTRE) * reciprocal) * reciprocal
    reflected = 2.0 * exp(x * x) - result
    return result if x >= 0.0 else reflected
