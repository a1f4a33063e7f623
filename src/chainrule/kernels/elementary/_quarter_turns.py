"""Quarter turns in a float64 of any size: 2/pi times powers of two, modulo 4."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.kernels.elementary._two_over_pi import BITS, TWO_OVER_PI
from chainrule.kernels.elementary._words import bits_to_float, float_to_bits, inlined

ONE_BITS = 0x3FF0000000000000
MANTISSA_MASK = 0x000FFFFFFFFFFFFF
LARGEST_EXPONENT = 1023


def _table() -> NDArray[np.float64]:
    """Return 2/pi * 2**exponent modulo 4 for exponents from 0, each a sum of three float64.

    The last column, which infinities and NaN find, holds NaN.
    """
    columns = []
    for exponent in range(LARGEST_EXPONENT + 1):
        rest = (TWO_OVER_PI << exponent) % (4 << BITS)
        parts = []
        for _ in range(3):
            parts.append(rest / (1 << BITS))
            numerator, denominator = parts[-1].as_integer_ratio()
            rest -= numerator * (1 << BITS) // denominator
        columns.append(parts)
    columns.append([math.nan] * 3)
    return np.array(columns).T.copy()


TURNS, TURNS_REST, TURNS_LAST = _table()


@inlined
def split_exponent(magnitude: float) -> tuple[float, Any]:
    """Write |x| as m * 2**e with e >= 0, and m < 2; return m and e."""
    bits = float_to_bits(magnitude)
    exponent = (bits >> 52) - LARGEST_EXPONENT
    mantissa = bits_to_float((bits & MANTISSA_MASK) | ONE_BITS)
    large = exponent > 0
    return mantissa if large else magnitude, np.uint64(exponent if large else 0)
