"""The complementary error function, as in ``wide``."""

from __future__ import annotations

import numpy as np

from chainrule.kernels.elementary._words import fma, inlined, polynomial
from chainrule.kernels.elementary.narrow._constants import ERFC, ERFC_CENTRE, ERFC_LAST
from chainrule.kernels.elementary.narrow._exponential import growth
from chainrule.kernels.elementary.wide._exponential import reduce_exponent, scale

_ONE = np.float32(1.0)
_erfc_scaled = polynomial(ERFC, chains=2)  # (x + ERFC_CENTRE) exp(x**2) erfc(x) in t


@inlined
def _reciprocal(x: float) -> float:
    """Return 1 / x for x well inside float32: a float32 quotient and one step of Newton's."""
    r = np.float64(_ONE / np.float32(x))
    return fma(r, fma(-x, r, 1.0), r)


@inlined
def erfc(x: float) -> float:
    """Return the complementary error function; 0 from erfc(14) on. Worst measured: 2**-27."""
    magnitude = abs(x)
    a = ERFC_LAST if magnitude > ERFC_LAST else magnitude
    reciprocal = _reciprocal(a + ERFC_CENTRE)
    shifted, r = reduce_exponent(-(a * a))
    quotient = _erfc_scaled((a - ERFC_CENTRE) * reciprocal) * reciprocal
    result = scale(fma(quotient, growth(r), quotient), shifted)
    result = 0.0 if magnitude > ERFC_LAST else result
    reflected = 2.0 - result
    return result if x >= 0.0 else reflected
