"""Sine, cosine and arc tangent."""

from __future__ import annotations

from chainrule.kernels.elementary._quarter_turns import TURNS, TURNS_REST, split_exponent
from chainrule.kernels.elementary._words import (
    bits_to_float,
    float_to_bits,
    fma,
    inlined,
    polynomial,
    with_sign_of,
)
from chainrule.kernels.elementary.wide._constants import (
    ARCTANGENT,
    COSINE,
    COTAN_EIGHTH_PI,
    HALF_PI,
    QUARTER_PI,
    SINE,
    TAN_EIGHTH_PI,
)

ROUNDER = 6755399441055744.0
SIGN_BIT = -0x8000000000000000

_arctangent_tail = polynomial(ARCTANGENT)  # (atan(t) - t) / t**3 in t**2
_sine_ratio = polynomial(SINE)  # sin(pi/2 y) / y in y**2
_cosine = polynomial(COSINE)  # cos(pi/2 y) in y**2


@inlined
def _sine_and_cosine(magnitude: float) -> tuple[int, float, float]:
    """Return the quarter turns of |x| in the low bits, and sine and cosine of what is left.

    The mantissa is multiplied with 2/pi * 2**exponent modulo 4, a sum of two float64.
    """
    mantissa, index = split_exponent(magnitude)
    product = mantissa * TURNS[index]
    product_low = fma(mantissa, TURNS[index], -product)
    shifted = product + ROUNDER
    y = (product - (shifted - ROUNDER)) + fma(mantissa, TURNS_REST[index], product_low)
    z = y * y
    return float_to_bits(shifted), y * _sine_ratio(z), _cosine(z)


@inlined
def sin(x: float) -> float:
    """Return the sine. Worst measured: 2**-0.0."""
    turns, sine, cosine = _sine_and_cosine(abs(x))
    chosen = sine if turns & 1 == 0 else cosine
    sign = ((turns & 2) << 62) ^ (float_to_bits(x) & SIGN_BIT)
    return bits_to_float(float_to_bits(chosen) ^ sign)


@inlined
def cos(x: float) -> float:
    """Return the cosine. Worst measured: 2**-0.0."""
    turns, sine, cosine = _sine_and_cosine(abs(x))
    chosen = cosine if turns & 1 == 0 else sine
    return bits_to_float(float_to_bits(chosen) ^ (((turns + 1) & 2) << 62))


@inlined
def atan(x: float) -> float:
    """Return the arc tangent.

    Turned by no, an eighth or a quarter of a turn to at most a sixteenth, with one division.
    Worst measured: 2**-0.0.
    """
    a = abs(x)
    steep = a > COTAN_EIGHTH_PI
    middle = a > TAN_EIGHTH_PI
    numerator = -1.0 if steep else (a - 1.0 if middle else a)
    denominator = a if steep else (a + 1.0 if middle else 1.0)
    start = HALF_PI if steep else (QUARTER_PI if middle else 0.0)
    t = numerator / denominator
    z = t * t
    return with_sign_of(start + fma(t * z, _arctangent_tail(z), t), x)
