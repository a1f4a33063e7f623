"""Short polynomials in place of a function where its formula loses digits.

A fit is ``z**k * p(u)`` or ``±exp(p(u))`` with u linear in z or in 1/z, from true values at
Chebyshev's nodes: the first holds zeros and algebraic tails, the second tails that decay. With u
linear in ``log|z|`` they hold what goes like any power of z, or like a logarithm of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import mpmath
import numpy as np
from numpy.polynomial import chebyshev

from chainrule.kernels.source._lines import number

Truth = Callable[[Any], Any]  # from and to mpf; None where nobody knows
_NODES = 40
_LARGEST_POWER = 8
_MOST_TERMS = 30
_SMALLEST = 2.0**-150  # in magnitude, of what a fit by size is told of


@dataclass(frozen=True)
class Fit:
    """A function on an interval, as statements of source and the expression of its value.

    Parameters
    ----------
    low, high : float
        The open interval; an end may be infinite.
    variable : str
        Source of u, in `z`; empty where the function is constant.
    coefficients : tuple of float
        Of the polynomial in u, or of that in u**2 where `is_even`.
    is_even : bool
    power : int
        k of the factor ``(z - centre)**k``.
    sign : int
        0 for a polynomial; the sign of the function where the polynomial is its logarithm.
    centre : float
    """

    low: float
    high: float
    variable: str
    coefficients: tuple[float, ...]
    is_even: bool = False
    power: int = 0
    sign: int = 0
    centre: float = 0.0

    def source(self, name: str) -> tuple[list[str], str]:
        """Return statements and an expression; `name` tells this fit's variables from others."""
        if not self.variable:
            return [], number(self.coefficients[0])
        lines = [f"{name} = {self.variable}"]
        if self.is_even:
            lines.append(f"{name} = {name} * {name}")
        text = number(self.coefficients[-1])
        for coefficient in self.coefficients[-2::-1]:
            text = f"{number(coefficient)} + {name} * ({text})"
        if self.sign:
            return lines, f"{'-' if self.sign < 0 else ''}exp({text})"
        base = f"(z - {number(self.centre)})" if self.centre else "z"
        factor = " * ".join([base] * abs(self.power))
        if self.power > 0:
            return lines, f"({text}) * {factor}" if abs(
                self.power
            ) == 1 else f"({text}) * ({factor})"
        return lines, f"({text})" + f" / {base}" * -self.power if self.power else text

    def condition(self) -> str:
        """Return source that is true on the interval."""
        if self.low == -self.high:
            return f"abs(z) < {number(self.high)}"
        ends = []
        if self.low > -math.inf:
            ends.append(f"z > {number(self.low)}")
        if self.high < math.inf:
            ends.append(f"z < {number(self.high)}")
        return " and ".join(ends)


def fitted(truth: Truth, low: float, high: float, bits: int, centre: float = 0.0) -> Fit | None:
    """Return a fit on an interval that is right to about so many bits, if there is a short one.

    It keeps a zero or a pole at the centre.
    """
    if low <= centre <= high:
        beside = 2.0**-40 if high > centre else -(2.0**-40)
        power = _power(truth, beside, 0.5, centre)
        return None if power is None else _polynomial(truth, low, high, power, bits, centre)
    if math.isinf(low) or math.isinf(high):
        power = power_of_tail(truth, 1 if high > 0 else -1)
        return None if power is None else _polynomial(truth, low, high, power, bits)
    return _polynomial(truth, low, high, 0, bits) or _logarithm(truth, low, high, bits)


def fitted_by_size(
    truth: Truth, low: float, high: float, bits: int, centre: float = 0.0
) -> Fit | None:
    """Return a fit on an interval on one side of 0 as a polynomial in ``log|z|``, if there is one.

    It keeps no zero at a centre. An exponential undoes a logarithm to about `bits` of float32, not
    of float64.
    """
    if low < 0 < high or math.isinf(low) or math.isinf(high):
        return None
    side = -1.0 if low < 0 else 1.0
    ends = sorted(float(mpmath.log(max(abs(end), _SMALLEST))) for end in (low, high))
    if ends[0] == ends[1]:
        return None

    def by_size(size: Any) -> Any:
        return truth(side * mpmath.exp(size))

    inner = f"log(abs(z)) - {number((ends[0] + ends[1]) / 2)}"
    variable = f"({inner}) * {number(2 / (ends[1] - ends[0]))}"
    first, last = ends
    fit = _polynomial(by_size, first, last, 0, bits) or _logarithm(by_size, first, last, bits)
    return None if fit is None else replace(fit, low=low, high=high, variable=variable)


def power_of_tail(truth: Truth, direction: int) -> int | None:
    """Return k where a function goes like ``z**k`` towards plus or minus infinity."""
    return _power(truth, direction * 2.0**70, 2.0)


def _power(truth: Truth, place: float, ratio: float, centre: float = 0.0) -> int | None:
    """Return k where a function goes like ``(z - centre)**k`` towards the centre or infinity."""
    values = [truth(mpmath.mpf(centre) + u) for u in (place, place * ratio)]
    if any(v is None or v == 0 or not mpmath.isfinite(v) for v in values):
        return None
    exponent = mpmath.log(abs(values[1] / values[0])) / mpmath.log(ratio)
    nearest = int(mpmath.nint(exponent))
    return nearest if abs(exponent - nearest) < 1e-5 and abs(nearest) <= _LARGEST_POWER else None


def _polynomial(
    truth: Truth, low: float, high: float, power: int, bits: int, centre: float = 0.0
) -> Fit | None:
    def scaled(z: float) -> Any:
        value = truth(z)
        return None if value is None else value / (mpmath.mpf(z) - centre) ** power

    found = series_of(scaled, low, high)
    if found is None:
        return None
    series, smallest = found
    fit = _shortened(series, smallest * 2.0**-bits, low, high, power=power)
    return None if fit is None else replace(fit, centre=centre)


def _logarithm(truth: Truth, low: float, high: float, bits: int) -> Fit | None:
    sign = int(mpmath.sign(truth((low + high) / 2) or 0))

    def logarithm(z: float) -> Any:
        value = truth(z)
        return mpmath.log(sign * value) if value is not None and sign * value > 0 else None

    found = series_of(logarithm, low, high)
    if found is None or not sign:
        return None
    return _shortened(found[0], 2.0**-bits, low, high, sign=sign)


def series_of(function: Truth, low: float, high: float) -> tuple[Any, float] | None:
    """Return a function's Chebyshev coefficients on an interval, and its smallest magnitude."""
    rows = _cosines(mpmath.mp.prec)
    values = []
    for cosine in rows[1]:
        value = function(_place(cosine, mpmath.mpf(low), mpmath.mpf(high)))
        if value is None or not mpmath.isfinite(value):
            return None
        values.append(value)
    series = [2 * mpmath.fdot(row, values) / _NODES for row in rows]
    series[0] /= 2
    smallest = float(min(map(abs, values)))
    return (np.array([float(c) for c in series]), smallest) if smallest > 0 else None


@cache
def _cosines(precision: int) -> list[list[Any]]:
    """Return Chebyshev's polynomials at his nodes, row after row, in so many bits."""
    with mpmath.workprec(precision):
        angles = [(2 * k + 1) * mpmath.pi / (2 * _NODES) for k in range(_NODES)]
        return [[mpmath.cos(j * angle) for angle in angles] for j in range(_NODES)]


def _place(u: Any, low: Any, high: Any) -> Any:
    if mpmath.isinf(high):
        return 2 * low / (1 + u)
    if mpmath.isinf(low):
        return 2 * high / (1 + u)
    return (low + high) / 2 + u * (high - low) / 2


def _variable(low: float, high: float) -> str:
    if math.isinf(high):
        return f"{number(2 * low)} / z - 1.0"
    if math.isinf(low):
        return f"{number(2 * high)} / z - 1.0"
    if low == -high:
        return f"z * {number(1 / high)}"
    return f"(z - {number((low + high) / 2)}) * {number(2 / (high - low))}"


def terms_that_count(series: Any, allowed: float) -> int:
    """Return how many terms of a series there are before what remains is within bounds."""
    tails = np.cumsum(np.abs(series[::-1]))[::-1]
    return max(int(np.sum(tails >= allowed)), 1)


def _shortened(
    series: Any, allowed: float, low: float, high: float, *, power: int = 0, sign: int = 0
) -> Fit | None:
    """Leave out the terms that do not count; None where too many do."""
    count = terms_that_count(series, allowed)
    if count > _MOST_TERMS:
        return None
    kept = series[:count].copy()
    is_even = low == -high and bool(np.abs(kept[1::2]).sum() < allowed)
    if is_even:
        kept[1::2] = 0.0
    plain = chebyshev.cheb2poly(kept)
    if not np.isfinite(plain).all():
        return None
    coefficients = tuple(map(float, plain[::2] if is_even else plain))
    return Fit(low, high, _variable(low, high), coefficients, is_even, power, sign)
