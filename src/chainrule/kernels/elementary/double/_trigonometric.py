"""Sine, cosine and arc tangent."""

from __future__ import annotations

from chainrule.kernels.elementary._quarter_turns import (
    ROUNDER,
    TURNS_0,
    TURNS_1,
    TURNS_2,
    TURNS_3,
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
    rounding_error,
    with_sign_of,
)
from chainrule.kernels.elementary.double._constants import (
    ARCTANGENT,
    COSINE,
    HALF_PI_HIGH,
    HALF_PI_LAST,
    HALF_PI_LOW,
    SINE,
    TWO_OVER_PI,
)

# The exponent of infinities and NaN.
LAST_EXPONENT = 1024
ATAN_LAST = 1e18
# Below this, the sine equals its argument to the last place.
SIN_TINY = 1e-9

_arctangent_high = polynomial(ARCTANGENT[8:], chains=2)
_sine_tail = polynomial(SINE, chains=2)  # (sin(r) - r) / r**3 in r**2
_cosine_tail = polynomial(COSINE, chains=2)  # (cos(r) - 1 + r**2 / 2) / r**4 in r**2


@inlined
def _arctangent_tail(z: float) -> float:
    """Return (atan(x) - x) / x**3, where z = x**2: the low powers one by one, for accuracy."""
    result = fma(_arctangent_high(z), z, ARCTANGENT[7])
    result = fma(result, z, ARCTANGENT[6])
    result = fma(result, z, ARCTANGENT[5])
    result = fma(result, z, ARCTANGENT[4])
    result = fma(result, z, ARCTANGENT[3])
    result = fma(result, z, ARCTANGENT[2])
    result = fma(result, z, ARCTANGENT[1])
    return fma(result, z, ARCTANGENT[0])


@inlined
def atan(x: float) -> float:
    """Return the arc tangent.

    A polynomial of degree 41 on [0, 1]; pi/2 - atan(1/|x|) beyond, where the quotient carries its
    remainder. Worst measured: 1.4 ulp.
    """
    magnitude = abs(x)
    bounded = ATAN_LAST if magnitude > ATAN_LAST else magnitude
    inverted = bounded > 1.0
    reciprocal = 1.0 / bounded
    t = reciprocal if inverted else bounded
    t_low = fma(-t, bounded, 1.0) * t
    z = t * t
    tail = t * z * _arctangent_tail(z)
    direct = t + tail
    high = HALF_PI_HIGH - t
    low = ((HALF_PI_HIGH - high) - t) + (HALF_PI_LOW - t_low - tail)
    reflected = high + low
    return with_sign_of(reflected if inverted else direct, x)


@inlined
def _added(total: float, low: float, term: float) -> tuple[float, float]:
    """Return total + term, and what its rounding error makes of the low part."""
    following = total + term
    return following, low + rounding_error(total, term, following)


@inlined
def _reduce_turns(magnitude: float) -> tuple[int, float, float]:
    """Write |x| as n quarter turns and r + r_low; return n in the low bits of an integer.

    The mantissa is multiplied with 2/pi * 2**exponent, a sum of four float64; products and sums
    keep their rounding errors, because the leading 60 bits may cancel.
    """
    mantissa, index = split_exponent(magnitude, LAST_EXPONENT)
    product = mantissa * TURNS_0[index]
    product_low = fma(mantissa, TURNS_0[index], -product)
    product = fma(-4.0, nearest_integer(0.25 * product), product)
    second = mantissa * TURNS_1[index]
    second_low = fma(mantissa, TURNS_1[index], -second)
    third = mantissa * TURNS_2[index]
    third_low = fma(mantissa, TURNS_2[index], -third)
    shifted = product + product_low + second + ROUNDER
    total, low = _added(product - (shifted - ROUNDER), 0.0, product_low)
    total, low = _added(total, low, second)
    total, low = _added(total, low, second_low)
    total, low = _added(total, low, third)
    low += fma(mantissa, TURNS_3[index], third_low)
    y = total + low
    y_low = (total - y) + low
    r = HALF_PI_HIGH * y
    r_low = fma(HALF_PI_HIGH, y, -r) + fma(HALF_PI_LOW, y, HALF_PI_HIGH * y_low)
    return float_to_bits(shifted), r, r_low


@inlined
def _reduce_near_turns(magnitude: float) -> tuple[int, float, float]:
    """Return the same of what is near.

    Of pi/2 in three parts, the product with the first leaves |x| without rounding.
    """
    shifted = fma(magnitude, TWO_OVER_PI, ROUNDER)
    turns = shifted - ROUNDER
    rest = fma(-turns, HALF_PI_HIGH, magnitude)
    product = turns * HALF_PI_LOW
    r = rest - product
    product_low = fma(turns, HALF_PI_LAST, fma(turns, HALF_PI_LOW, -product))
    return float_to_bits(shifted), r, rounding_error(rest, -product, r) - product_low


@inlined
def _sine_and_cosine(turns: int, r: float, r_low: float) -> tuple[int, float, float]:
    """Return quarter turns, and sine and cosine of what is left."""
    z = r * r
    half = 0.5 * z
    base = 1.0 - half
    sine = r + fma(r * z, _sine_tail(z), r_low * base)
    cosine = base + (((1.0 - base) - half) + fma(z * z, _cosine_tail(z), -r * r_low))
    return turns, sine, cosine


@inlined
def sin(x: float) -> float:
    """Return the sine.

    Quarter turns by a table of 2/pi times every power of two, then polynomials of degree 13 and
    14 on an eighth of a turn: as fast for huge arguments as for others. Worst measured: 0.8 ulp.
    """
    turns, sine, cosine = _sine_and_cosine(*_reduce_turns(abs(x)))
    return x if abs(x) < SIN_TINY else sine_after(turns, sine, cosine, x)


@inlined
def near_sin(x: float) -> float:
    """Return the sine of what is near: without looking 2/pi up. Worst measured: 0.8 ulp."""
    turns, sine, cosine = _sine_and_cosine(*_reduce_near_turns(abs(x)))
    return x if abs(x) < SIN_TINY else sine_after(turns, sine, cosine, x)


@inlined
def near_cos(x: float) -> float:
    """Return the cosine of what is near, as in ``near_sin``. Worst measured: 0.8 ulp."""
    turns, sine, cosine = _sine_and_cosine(*_reduce_near_turns(abs(x)))
    return cosine_after(turns, sine, cosine)


@inlined
def cos(x: float) -> float:
    """Return the cosine, as in ``sin``. Worst measured: 0.8 ulp."""
    turns, sine, cosine = _sine_and_cosine(*_reduce_turns(abs(x)))
    return cosine_after(turns, sine, cosine)
