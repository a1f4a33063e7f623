"""Quarter turns in a number of any size: 2/pi times powers of two, modulo what turns drop.

A number is m * 2**e, and m * 2**bits an integer; so 2/pi * 2**e may be taken modulo
4 * 2**bits before it is multiplied with m. A table holds that for every e, in several parts.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.kernels.elementary._two_over_pi import BITS, TWO_OVER_PI
from chainrule.kernels.elementary._words import bits_to_float, float_to_bits, inlined

ONE_BITS = 0x3FF0000000000000
MANTISSA_MASK = 0x000FFFFFFFFFFFFF
SIGN_BIT = -0x8000000000000000
BIAS = 1023
# Below this, functions named near_… need no table.
LAST_NEAR = 768.0
# A rounded sum with 1.5 * 2**52 holds an integer in its lowest bits.
ROUNDER = 6755399441055744.0


def _table(mantissa_bits: int, exponents: int, parts: int) -> NDArray[np.float64]:
    """Return 2/pi * 2**e for e from 0, modulo 4 * 2**mantissa_bits, each a sum of float64.

    One more column holds NaN, for infinities and NaN to find.
    """
    columns = []
    for exponent in range(exponents):
        rest = (TWO_OVER_PI << exponent) % (1 << (BITS + mantissa_bits + 2))
        column = []
        for _ in range(parts):
            column.append(rest / (1 << BITS))
            numerator, denominator = column[-1].as_integer_ratio()
            rest -= numerator * (1 << BITS) // denominator
        columns.append(column)
    columns.append([math.nan] * parts)
    return np.array(columns).T.copy()


TURNS_0, TURNS_1, TURNS_2, TURNS_3 = _table(52, 1024, 4)
SINGLE_TURNS_0, SINGLE_TURNS_1 = _table(23, 128, 2)


@inlined
def split_exponent(magnitude: float, last: int) -> tuple[float, Any]:
    """Write |x| as m * 2**e with e >= 0, and m < 2; return m and e, at most ``last``."""
    bits = float_to_bits(magnitude)
    exponent = (bits >> 52) - BIAS
    mantissa = bits_to_float((bits & MANTISSA_MASK) | ONE_BITS)
    large = exponent > 0
    bounded = exponent if exponent < last else last
    return mantissa if large else magnitude, np.uint64(bounded if large else 0)


@inlined
def sine_after(turns: int, sine: float, cosine: float, x: float) -> float:
    """Return sin(x) from the quarter turns of |x|, and sine and cosine of what is left."""
    chosen = sine if turns & 1 == 0 else cosine
    sign = ((turns & 2) << 62) ^ (float_to_bits(x) & SIGN_BIT)
    return bits_to_float(float_to_bits(chosen) ^ sign)


@inlined
def cosine_after(turns: int, sine: float, cosine: float) -> float:
    """Return cos(x) from the quarter turns of |x|, and sine and cosine of what is left."""
    chosen = cosine if turns & 1 == 0 else sine
    return bits_to_float(float_to_bits(chosen) ^ (((turns + 1) & 2) << 62))
