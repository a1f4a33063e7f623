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
    shift = np.float64(largest)
    taken = shift if abs(shift) > FAR else 0.0
    rest = shift - taken
    count = nearest_integer(rest * WIDE_INVERSE_LN2)
    factor = np.float32(exp(count * LN2 - rest)) * LOWERED
    rounder = RAISED_ROUNDER - np.float32(count)
    first = RAISED_FIRST + np.float32(rest)
    near = x - np.float32(taken)
    shifted = fma(near, INVERSE_LN2, rounder)
    k = shifted - rounder
    r = fma(-k, LN2_LOW, fma(-k, LN2_HIGH, near))
    result = fma(exp_less_one(r), factor, factor) * power_of_two(shifted, 0)
    return ZERO if near < first else result
