"""What a power is of numbers below zero, and of 0 and 1."""

from __future__ import annotations

import math

from chainrule.kernels.elementary._words import inlined, nearest_integer, with_sign_of

INFINITY = math.inf
NOT_A_NUMBER = math.nan


@inlined
def with_sign_of_power(size: float, x: float, y: float) -> float:
    """Return x**y, where size is |x|**y."""
    half = 0.5 * y
    is_odd = y == nearest_integer(y) and half != nearest_integer(half)
    signed = with_sign_of(size, x) if is_odd else size
    is_undefined = x < 0.0 and y != nearest_integer(y) and x > -INFINITY
    return NOT_A_NUMBER if is_undefined else signed
