"""Sine and cosine of lines in `z`, whose quarter turns are counted before anything is rounded.

A product like ``9/10*z`` has more digits than float64: of a large `z`, what rounding leaves of it
says nothing about the wave. So the table of 2/pi times powers of two that reduces large numbers
(see ``_quarter_turns``) is made for the line's slope, and of ``pi*z`` the turns are whole.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.formulas import Apply, Constant, Expression, Pi, Variable, parse
from chainrule.kernels.elementary._quarter_turns import (
    ROUNDER,
    cosine_after,
    sine_after,
    split_exponent,
)
from chainrule.kernels.elementary._two_over_pi import BITS, TWO_OVER_PI
from chainrule.kernels.elementary._words import (
    float_to_bits,
    fma,
    inlined,
    nearest_integer,
    rounding_error,
    with_sign_of,
)
from chainrule.kernels.elementary.double._constants import HALF_PI_HIGH, HALF_PI_LOW
from chainrule.kernels.elementary.double._trigonometric import _sine_and_cosine

_EXPONENTS, _PARTS = 1024, 4
_OFFSET = _EXPONENTS + 1  # the column of what is added; the one before holds NaN
_SIGN = 2  # the row in that column
_EXACT_BITS = 29  # of a factor, whose product with a float32 is exact
_Terms = dict[tuple[int, int], Fraction]  # powers of z and pi -> number


@dataclass(frozen=True)
class Line:
    """``slope*z + offset``; either of the two may be a multiple of pi.

    Parameters
    ----------
    slope, offset : Fraction
    slope_in_pi, offset_in_pi : bool
        Whether the number is to be multiplied with pi.
    """

    slope: Fraction
    offset: Fraction
    slope_in_pi: bool
    offset_in_pi: bool

    @property
    def is_exact(self) -> bool:
        """Whether float64 holds it for every float32 `z`."""
        numerator, denominator = abs(self.slope).as_integer_ratio()
        is_short = denominator & (denominator - 1) == 0 and numerator < 1 << _EXACT_BITS
        return is_short and not self.slope_in_pi and not self.offset


def line_of(e: Expression) -> Line | None:
    """Return an expression in `z` as a line without parameters, None where it is none."""
    terms = _terms_of(e)
    if terms is None:
        return None
    parts = [[(pi, c) for (z, pi), c in terms.items() if z == k and c] for k in (0, 1)]
    is_line = all(z in (0, 1) and pi in (0, 1) for (z, pi), c in terms.items() if c)
    if not is_line or len(parts[0]) > 1 or len(parts[1]) != 1:
        return None
    (offset_in_pi, offset), (slope_in_pi, slope) = (*parts[0], (0, Fraction(0)))[0], parts[1][0]
    return Line(slope, offset, bool(slope_in_pi), bool(offset_in_pi))


def _terms_of(e: Expression) -> _Terms | None:
    match e:
        case Constant(value):
            return {(0, 0): value}
        case Pi():
            return {(0, 1): Fraction(1)}
        case Variable("z"):
            return {(1, 0): Fraction(1)}
        case Apply("add" | "subtract" | "multiply" | "divide" | "negate" as operation, arguments):
            parts = [_terms_of(argument) for argument in arguments]
            known = [part for part in parts if part is not None]
            return _combined(operation, known) if len(known) == len(parts) else None
    return None


def _combined(operation: str, parts: list[_Terms]) -> _Terms | None:
    if operation == "negate":
        return {power: -c for power, c in parts[0].items()}
    left, right = parts
    if operation == "divide":
        if len(right) != 1 or not all(c and power[0] == 0 for power, c in right.items()):
            return None
        right = {(0, -pi): 1 / c for (_, pi), c in right.items()}
    if operation in ("multiply", "divide"):
        result: _Terms = {}
        for (z, pi), c in left.items():
            for (other_z, other_pi), other in right.items():
                power = z + other_z, pi + other_pi
                result[power] = result.get(power, Fraction(0)) + c * other
        return result
    sign = 1 if operation == "add" else -1
    return {
        power: left.get(power, Fraction(0)) + sign * right.get(power, Fraction(0))
        for power in {**left, **right}
    }


def _quarters(value: Fraction, in_pi: bool) -> tuple[int, int]:
    """Return the quarter turns in a number as a fraction of ``2**-BITS``."""
    factor = 2 << BITS if in_pi else TWO_OVER_PI
    return value.numerator * factor, value.denominator


def _line(text: str) -> Line:
    line = line_of(parse(text).expression)
    assert line is not None
    return line


@lru_cache(maxsize=64)
def wave(text: str) -> NDArray[np.float64]:
    """Return what `sin` and `cos` need of a line in `z`.

    Column e holds the quarter turns in ``slope * 2**e``, modulo what whole turns drop, as a sum of
    four numbers; the last one those of the offset, and the slope's sign.
    """
    line = _line(text)
    above, below = _quarters(abs(line.slope), line.slope_in_pi)
    columns = [
        _in_parts(((above << exponent) // below) % (1 << (BITS + 54)))
        for exponent in range(_EXPONENTS)
    ]
    columns.append([math.nan] * _PARTS)
    above, below = _quarters(line.offset, line.offset_in_pi)
    offset = _in_parts(((above // below + (1 << (BITS + 1))) % (4 << BITS)) - (1 << (BITS + 1)))
    offset[_SIGN] = math.copysign(1.0, line.slope)
    return np.array([*columns, offset]).T.copy()


def _in_parts(rest: int) -> list[float]:
    parts = []
    for _ in range(_PARTS):
        parts.append(rest / (1 << BITS))
        numerator, denominator = parts[-1].as_integer_ratio()
        rest -= numerator * (1 << BITS) // denominator
    return parts


@lru_cache(maxsize=64)
def exactly(name: str, text: str) -> Callable[[Any], Any]:
    """Return ``sin`` or ``cos`` of a line as a function of one float, in whole numbers."""
    line = _line(text)
    slope = _quarters(line.slope, line.slope_in_pi)
    above, below = _quarters(line.offset, line.offset_in_pi)
    offset = above // below

    def value(z: Any) -> Any:
        if not math.isfinite(z):
            return np.float64(math.nan)
        numerator, denominator = float(z).as_integer_ratio()
        turns = slope[0] * numerator // (slope[1] * denominator) + offset
        whole = (turns + (1 << (BITS - 1))) >> BITS
        angle = (turns - (whole << BITS)) / (1 << BITS) * (math.pi / 2)
        whole += name == "cos"
        size = math.cos(angle) if whole & 1 else math.sin(angle)
        sine = -size if whole & 2 else size
        return np.float64(sine or math.copysign(0.0, z * float(line.slope)))

    return value


@inlined
def _added(total: float, low: float, term: float) -> tuple[float, float]:
    """Return total + term, and what its rounding error makes of the low part."""
    following = total + term
    return following, low + rounding_error(total, term, following)


@inlined
def _counted(mantissa: float, index: Any, table: Any) -> tuple[int, float, float]:
    """Return the quarter turns, and sine and cosine of what is left.

    Products and sums keep their rounding errors, because all leading digits may cancel.
    """
    m = mantissa * table[_SIGN, _OFFSET]
    first = m * table[0, index]
    first_low = fma(m, table[0, index], -first)
    first = fma(-4.0, nearest_integer(0.25 * first), first)
    second = m * table[1, index]
    second_low = fma(m, table[1, index], -second)
    third = m * table[2, index]
    third_low = fma(m, table[2, index], -third)
    shifted = first + table[0, _OFFSET] + first_low + second + ROUNDER
    total, low = _added(first, 0.0, ROUNDER - shifted)
    total, low = _added(total, low, table[0, _OFFSET])
    total, low = _added(total, low, first_low)
    total, low = _added(total, low, second)
    total, low = _added(total, low, table[1, _OFFSET])
    total, low = _added(total, low, second_low)
    total, low = _added(total, low, third)
    low += fma(m, table[3, index], third_low)
    y = total + low
    y_low = (total - y) + low
    r = HALF_PI_HIGH * y
    r_low = fma(HALF_PI_HIGH, y, -r) + fma(HALF_PI_LOW, y, HALF_PI_HIGH * y_low)
    turns, sine, cosine = _sine_and_cosine(float_to_bits(shifted), r, r_low)
    return turns, sine, cosine


@inlined
def _far(x: float, table: Any) -> tuple[int, float, float]:
    mantissa, index = split_exponent(abs(x), _EXPONENTS)
    turns, sine, cosine = _counted(with_sign_of(mantissa, x), index, table)
    return turns, sine, cosine


@inlined
def _odd(sine: float, x: Any, table: Any) -> float:
    """Return a sine whose zeros have the sign of the line without its offset."""
    zero = with_sign_of(0.0, np.float64(x) * table[_SIGN, _OFFSET])
    return zero if sine == 0.0 else sine


@inlined
def sin(x: Any, table: Any) -> float:
    """Return the sine of a line, in float64. Worst measured: 1 ulp of that."""
    turns, sine, cosine = _far(np.float64(x), table)
    return _odd(sine_after(turns, sine, cosine, 1.0), x, table)


@inlined
def cos(x: Any, table: Any) -> float:
    """Return the cosine of a line, as in ``sin``."""
    turns, sine, cosine = _far(np.float64(x), table)
    return cosine_after(turns, sine, cosine)


@inlined
def near_sin(x: Any, table: Any) -> float:
    """Return the sine where `x` is near: without looking its power of two up."""
    turns, sine, cosine = _counted(np.float64(x), 0, table)
    return _odd(sine_after(turns, sine, cosine, 1.0), x, table)


@inlined
def near_cos(x: Any, table: Any) -> float:
    """Return the cosine where `x` is near, as in ``near_sin``."""
    turns, sine, cosine = _counted(np.float64(x), 0, table)
    return cosine_after(turns, sine, cosine)
