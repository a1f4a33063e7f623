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

# What added to any number leaves it as it is.
NOTHING = np.float32(-0.0)
# From here on a difference of float32 is exact, or so large that the result vanishes.
FAR = 1024.0


@inlined
def exp_below(x: Any, largest: Any, factor: Any) -> Any:
    """Return exp(x - largest), where x is not larger; 0 below exp(-131).

    The difference itself is never rounded: with largest = n log(2) + s and x = k log(2) + r, the
    result is 2**(k - n) exp(r) exp(-s). What depends on the largest alone is computed once; of
    that ``factor_below`` takes longest.
    """
    taken, rest, count = _split(largest, 1.0)
    return _times_exp(np.float32(factor), x - np.float32(taken), NOTHING, rest, count)


@inlined
def factor_below(extreme: Any, rate: Any) -> Any:
    """Return the factor exp(-s) of all those exponentials; see ``exp_below``."""
    _, rest, count = _split(extreme, rate)
    return np.float32(exp(count * LN2 - rest)) * LOWERED


@inlined
def multiple_of_exp_below(x: Any, largest: Any) -> Any:
    """Return c exp(x - largest), where x is not larger and c = exp(s) with that remainder s.

    As a number near 1 that depends on the largest alone, c cancels in quotients.
    """
    taken, rest, count = _split(largest, 1.0)
    return _times_exp(LOWERED, x - np.float32(taken), NOTHING, rest, count)


@inlined
def scaled_exp_below(x: Any, extreme: Any, factor: Any, rate: Any) -> Any:
    """Return exp(rate * (x - extreme)) of a float64 rate, where that is not above 1."""
    taken, rest, count = _split(extreme, rate)
    high, low = _scaled(x - np.float32(taken), rate)
    return _times_exp(np.float32(factor), high, low, rest, count)


@inlined
def multiple_of_scaled_exp_below(x: Any, extreme: Any, rate: Any) -> Any:
    """Return a multiple of the same, as ``multiple_of_exp_below`` does."""
    taken, rest, count = _split(extreme, rate)
    high, low = _scaled(x - np.float32(taken), rate)
    return _times_exp(LOWERED, high, low, rest, count)


@inlined
def _split(extreme: Any, rate: Any) -> tuple[Any, Any, Any]:
    """Write an extreme as a number to take off at once and a rest; return that times the rate.

    The last result is the rest's multiple of log(2).
    """
    shift = np.float64(extreme)
    taken = shift if abs(shift * rate) > FAR else 0.0
    rest = (shift - taken) * rate
    return taken, rest, nearest_integer(rest * WIDE_INVERSE_LN2)


@inlined
def _scaled(x: Any, rate: Any) -> tuple[Any, Any]:
    """Return a product in two parts."""
    rate_high = np.float32(rate)
    high = x * rate_high
    rate_low = np.float32(rate - np.float64(rate_high))
    return high, fma(x, rate_low, fma(x, rate_high, -high))


@inlined
def _times_exp(factor: Any, x: Any, low: Any, rest: Any, count: Any) -> Any:
    """Return factor * 2**(RAISED_BY + k - n) exp(r) for x + low = k log(2) + r; 0 far below."""
    rounder = RAISED_ROUNDER - np.float32(count)
    first = RAISED_FIRST + np.float32(rest)
    shifted = fma(x, INVERSE_LN2, rounder)
    k = shifted - rounder
    r = fma(-k, LN2_LOW, fma(-k, LN2_HIGH, x)) + low
    result = fma(exp_less_one(r), factor, factor) * power_of_two(shifted, 0)
    return ZERO if x < first else result
