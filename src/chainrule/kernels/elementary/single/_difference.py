"""The exponential of what is left of a number when another one, of many such, is taken off."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.kernels.elementary._words import fma, inlined, nearest_integer
from chainrule.kernels.elementary.single._constants import INVERSE_LN2, LN2_HIGH, LN2_LOW
from chainrule.kernels.elementary.single._exponential import (
    LOWERED,
    RAISED_FIRST,
    RAISED_ROUNDER,
    ZERO,
    exp_less_one,
    power_of_two,
)
from chainrule.kernels.elementary.wide._constants import INVERSE_LN2 as WIDE_INVERSE_LN2
from chainrule.kernels.elementary.wide._constants import LN2
from chainrule.kernels.elementary.wide._exponential import exp

# From here on a difference of float32 is exact, or so large that the result vanishes.
FAR = 1024.0


@inlined
def exp_below(x: Any, largest: Any) -> Any:
    """Return exp(x - largest), where x is not larger; 0 below exp(-131).

    The difference itself is never rounded: with largest = n log(2) + s and x = k log(2) + r, the
    result is 2**(k - n) exp(r) exp(-s). What depends on the largest alone is computed once.
    """
    taken, rest, count = _split(largest)
    factor = np.float32(exp(count * LN2 - rest)) * LOWERED
    return _times_exp(factor, x, taken, rest, count)


@inlined
def multiple_of_exp_below(x: Any, largest: Any) -> Any:
    """Return c exp(x - largest), where x is not larger and c = exp(s) with that remainder s.

    As a number near 1 that depends on the largest alone, c cancels in quotients.
    """
    taken, rest, count = _split(largest)
    return _times_exp(LOWERED, x, taken, rest, count)


@inlined
def _split(largest: Any) -> tuple[Any, Any, Any]:
    """Write the largest as a number to take off at once and a rest; n is that of the rest."""
    shift = np.float64(largest)
    taken = shift if abs(shift) > FAR else 0.0
    rest = shift - taken
    return taken, rest, nearest_integer(rest * WIDE_INVERSE_LN2)


@inlined
def _times_exp(factor: Any, x: Any, taken: Any, rest: Any, count: Any) -> Any:
    """Return factor * 2**(RAISED_BY + k - n) exp(r), or 0 far below."""
    rounder = RAISED_ROUNDER - np.float32(count)
    first = RAISED_FIRST + np.float32(rest)
    near = x - np.float32(taken)
    shifted = fma(near, INVERSE_LN2, rounder)
    k = shifted - rounder
    r = fma(-k, LN2_LOW, fma(-k, LN2_HIGH, near))
    result = fma(exp_less_one(r), factor, factor) * power_of_two(shifted, 0)
    return ZERO if near < first else result
