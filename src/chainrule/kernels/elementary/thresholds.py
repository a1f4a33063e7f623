"""Places that arithmetic in floats need not hold, and the numbers of a format next to them.

A place is a pair ``(high, low)`` of float64 whose sum it is. No number of a format lies between a
place and the largest one up to it: what lies beyond the one lies beyond the other.
"""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np

from chainrule.kernels.elementary._words import (
    bits_to_float,
    float_to_bits,
    fma,
    inlined,
    rounding_error,
)

Place = tuple[Any, Any]
INFINITY, NOT_A_NUMBER = np.inf, np.nan
SINGLE_NAN = np.float32(np.nan)
ONE_BIT, ONE_BIT_OF_SINGLE = np.int64(1), np.int32(1)
SMALLEST, SMALLEST_OF_SINGLE = 5e-324, np.float32(1e-45)


@inlined
def exact(a: float) -> Place:
    """Return a number as a place."""
    return a, 0.0


@inlined
def settled(high: float, low: float) -> Place:
    """Return a sum whose second part is small: all but what float64 holds is in the second."""
    total = high + low
    lost = low - (total - high)
    return (total, lost) if abs(lost) < INFINITY else (high, 0.0)


@inlined
def negate(a: Place) -> Place:
    """Return -a."""
    return -a[0], -a[1]


@inlined
def add(a: Place, b: Place) -> Place:
    """Return a + b."""
    total = a[0] + b[0]
    return settled(total, rounding_error(a[0], b[0], total) + (a[1] + b[1]))


@inlined
def subtract(a: Place, b: Place) -> Place:
    """Return a - b."""
    return add(a, negate(b))


@inlined
def multiply(a: Place, b: Place) -> Place:
    """Return a * b."""
    product = a[0] * b[0]
    return settled(product, fma(a[0], b[0], -product) + (a[0] * b[1] + a[1] * b[0]))


@inlined
def divide(a: Place, b: Place) -> Place:
    """Return a / b."""
    quotient = a[0] / b[0]
    rest = fma(-quotient, b[0], a[0]) + (a[1] - quotient * b[1])
    return settled(quotient, rest / b[0])


@inlined
def square_root(a: Place) -> Place:
    """Return the square root of a."""
    root = sqrt(a[0])
    return settled(root, (fma(-root, root, a[0]) + a[1]) / (2.0 * root))


@inlined
def double_up_to(a: Place) -> float:
    """Return the largest float64 that is not above a place."""
    x = a[0]
    bits = float_to_bits(x)
    below = bits_to_float(bits - ONE_BIT if x > 0.0 else bits + ONE_BIT)
    return (below if x != 0.0 else -SMALLEST) if a[1] < 0.0 else x


@inlined
def double_from(a: Place) -> float:
    """Return the smallest float64 that is not below a place."""
    return -double_up_to(negate(a))


@inlined
def double_at(a: Place) -> float:
    """Return a place if it is a float64, else NaN."""
    return a[0] if a[1] == 0.0 else NOT_A_NUMBER


@inlined
def single_up_to(a: Place) -> Any:
    """Return the largest float32 that is not above a place."""
    x: Any = np.float32(a[0])
    bits = float_to_bits(x)
    step = ONE_BIT_OF_SINGLE if x > 0.0 else -ONE_BIT_OF_SINGLE
    below = bits_to_float(np.int32(bits - step))
    # Between a number and its nearest float32 lie few digits: their difference is exact.
    excess = (np.float64(x) - a[0]) - a[1]
    return (below if x != 0.0 else -SMALLEST_OF_SINGLE) if excess > 0.0 else x


@inlined
def single_from(a: Place) -> Any:
    """Return the smallest float32 that is not below a place."""
    return -single_up_to(negate(a))


@inlined
def single_at(a: Place) -> Any:
    """Return a place if it is a float32, else NaN."""
    x = np.float32(a[0])
    return x if np.float64(x) == a[0] and a[1] == 0.0 else SINGLE_NAN
