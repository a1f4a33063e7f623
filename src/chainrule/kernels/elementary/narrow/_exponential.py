"""The exponential: a reduction by multiples of log(2), a short polynomial."""

from __future__ import annotations

from chainrule.kernels.elementary._words import fma, inlined, polynomial
from chainrule.kernels.elementary.narrow._constants import EXPONENTIAL
from chainrule.kernels.elementary.wide._exponential import EXP_FIRST, reduce_exponent, scale

EXP_LAST = 709.0

_exponential_tail = polynomial(EXPONENTIAL, chains=2)  # (exp(r) - 1 - r) / r**2


@inlined
def growth(r: float) -> float:
    """Return exp(r) - 1."""
    return fma(r * r, _exponential_tail(r), r)


@inlined
def exp(x: float) -> float:
    """Return the exponential, at least exp(-708) and at most exp(709). Worst measured: 2**-31."""
    bounded = EXP_LAST if x > EXP_LAST else x
    bounded = EXP_FIRST if bounded < EXP_FIRST else bounded
    shifted, r = reduce_exponent(bounded)
    return scale(1.0 + growth(r), shifted)
