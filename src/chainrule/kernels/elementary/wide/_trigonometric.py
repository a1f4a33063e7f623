"""Sine, cosine and arc tangent."""

from __future__ import annotations

from chainrule.kernels.elementary._quarter_turns import (
    ROUNDER,
    TURNS_0,
    TURNS_1,
    TURNS_2,
    cosine_after,
    sine_after,
    split_exponent,
)
from chainrule.kernels.elementary._words import (
    float_to_bits,
    fma,
    inlined,
    nearest_integer,
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

# The exponent of infinities and NaN.
LAST_EXPONENT = 1024

_arctangent_tail = polynomial(ARCTANGENT)  # (atan(t) - t) / t**3 in t**2
_sine_ratio = polynomial(SINE)  # sin(pi/2 y) / y in y**2
_cosine = polynomial(COSINE)  # cos(pi/2 y) in y**2


@inlined
def sine_and_cosine(y: float) -> tuple[float, float]:
    """Return sine and cosine of y quarter turns, |y| <= 1/2."""
    z = y * y
    return y * _sine_ratio(z), _cosine(z)


@inlined
def _reduce_turns(magnitude: float) -> tuple[int, float]:
    """Write |x| as n + y quarter turns; return n in the low bits of an integer, and y.

    The mantissa is multiplied with 2/pi * 2**exponent, a sum of three float64.
    """
    mantissa, index = split_exponent(magnitude, LAST_EXPONENT)
    product = mantissa * TURNS_0[index]
    product_low = fma(mantissa, TURNS_0[index], -product)
    product = fma(-4.0, nearest_integer(0.25 * product), product)
    second = mantissa * TURNS_1[index]
    second_low = fma(mantissa, TURNS_1[index], -second)
    shifted = product + product_low + second + ROUNDER
    total = ((product - (shifted - ROUNDER)) + product_low) + second
    return float_to_bits(shifted), total + fma(mantissa, TURNS_2[index], second_low)


@inlined
def sin(x: float) -> float:
    """Return the sine. Worst measured: 2**-43."""
    turns, y = _reduce_turns(abs(x))
    sine, cosine = sine_and_cosine(y)
    return sine_after(turns, sine, cosine, x)


@inlined
def cos(x: float) -> float:
    """Return the cosine. Worst measured: 2**-43."""
    turns, y = _reduce_turns(abs(x))
    sine, cosine = sine_and_cosine(y)
    return cosine_after(turns, sine, cosine)


@inlined
def _near_turns(magnitude: float) -> tuple[int, float]:
    """Return the same of what is near, with 2/pi in two parts."""
    shifted = fma(magnitude, TURNS_0[0], ROUNDER)
    rest = fma(magnitude, TURNS_0[0], ROUNDER - shifted)
    return float_to_bits(shifted), fma(magnitude, TURNS_1[0], rest)


@inlined
def near_sin(x: float) -> float:
    """Return the sine of what is near: without looking 2/pi up. Worst measured: 2**-43."""
    turns, y = _near_turns(abs(x))
    sine, cosine = sine_and_cosine(y)
    return sine_after(turns, sine, cosine, x)


@inlined
def near_cos(x: float) -> float:
    """Return the cosine of what is near. Worst measured: 2**-43."""
    turns, y = _near_turns(abs(x))
    sine, cosine = sine_and_cosine(y)
    return cosine_after(turns, sine, cosine)


@inlined
def atan(x: float) -> float:
    """Return the arc tangent.

    Turned by no, an eighth or a quarter of a turn to at most a sixteenth, with one division.
    Worst measured: 2**-40.
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
