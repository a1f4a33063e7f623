"""Expansions far out whose remainder is bounded: limits, signs and oscillation of compositions.

For every ``x >= start`` a function is a sum of terms ``c * x**i * exp(q(x))``, with polynomial `q`
and a coefficient `c` that is a number or a polynomial in the sine and cosine of one phase, and of
a remainder no larger than a sum of such terms. Each operation keeps that true: the power series of
an elementary function is cut off, and what is left out joins the remainder.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import zip_longest
from math import comb
from typing import Any

import mpmath
import sympy

Key = tuple[Any, tuple[Any, ...]]  # the degree; the exponent's coefficients of x, x**2, …
SINE, COSINE = sympy.symbols("s c", real=True)
ONE: Key = (sympy.Integer(0), ())
TERMS = 8
_DIGITS = 30
UP = 1 + mpmath.mpf(2) ** -48  # times a sum of some terms: more than their rounding errors
_TINY = mpmath.mpf(10) ** -25
_PHASES = 512


class NotExpandedError(ArithmeticError):
    """An expression that has no such expansion, or not from this start on."""


@dataclass(frozen=True)
class Wave:
    """How the leading coefficient swings.

    Parameters
    ----------
    growth : int
        Of what it multiplies: 1 without bound, 0 it is 1, -1 towards zero.
    lowest, highest : tuple of float
        Enclosures of its extreme values.
    is_all : bool
        Whether there is nothing but this term: it vanishes where the coefficient does.
    touches : bool
        Whether the coefficient is exactly zero at a quarter of its phase.
    """

    growth: int
    lowest: tuple[float, float]
    highest: tuple[float, float]
    is_all: bool
    touches: bool

    @property
    def vanishes(self) -> bool:
        """Whether it is zero again and again, changing its sign or not."""
        return self.turns or (self.is_all and self.touches)

    @property
    def turns(self) -> bool:
        """Whether it takes either sign again and again."""
        return self.lowest[1] < 0 < self.highest[0]


@dataclass(frozen=True)
class Series:
    """Terms, and a bound of the remainder, for every ``x >= start``."""

    start: Fraction
    terms: dict[Key, Any]
    rest: dict[Key, Any]

    def __add__(self, other: Series) -> Series:
        terms, rest = dict(self.terms), dict(self.rest)
        for key, coefficient in other.terms.items():
            terms[key] = terms.get(key, 0) + coefficient
        for key, bound in other.rest.items():
            rest[key] = rest.get(key, 0) + bound
        return self._kept(terms, rest)

    def __mul__(self, other: Series) -> Series:
        terms: dict[Key, Any] = {}
        for a, c in self.terms.items():
            for b, d in other.terms.items():
                key = times(a, b)
                terms[key] = terms.get(key, 0) + c * d
        rest: dict[Key, Any] = {}
        for x, y in ((self.rest, other.sizes()), (self.sizes(without_rest=True), other.rest)):
            for a, c in x.items():
                for b, d in y.items():
                    key = times(a, b)
                    rest[key] = rest.get(key, 0) + c * d * UP
        return self._kept(terms, rest)

    def scaled(self, factor: Any, key: Key = ONE) -> Series:
        """Return the product with one term."""
        return self * Series(self.start, {key: sympy.sympify(factor)}, {})

    def sizes(self, *, without_rest: bool = False) -> dict[Key, Any]:
        """Bound the size of each term, and of the remainder."""
        found = {} if without_rest else dict(self.rest)
        for key, coefficient in self.terms.items():
            found[key] = found.get(key, 0) + _size(coefficient)
        return found

    def _kept(self, terms: dict[Key, Any], rest: dict[Key, Any]) -> Series:
        """Keep the terms that count, and join the others to the remainder."""
        rest = {key: bound for key, bound in rest.items() if bound}
        known = {key: _reduced(c) for key, c in terms.items()}
        order = sorted((key for key, c in known.items() if c != 0), key=rank, reverse=True)
        largest = max(map(rank, rest), default=None)
        kept: dict[Key, Any] = {}
        for key in order:
            if len(kept) < TERMS and (largest is None or rank(key) > largest):
                kept[key] = known[key]
            else:
                rest[key] = rest.get(key, 0) + _size(known[key])
        return Series(self.start, kept, self.merged(rest))

    def merged(self, rest: dict[Key, Any]) -> dict[Key, Any]:
        """Bound each part of a remainder by its largest part, where their ratio falls."""
        if len(rest) < 2:
            return rest
        largest = max(rest, key=rank)
        joined = {largest: rest[largest]}
        for key, bound in rest.items():
            ratio = times(key, inverse(largest))
            if key != largest and falls(ratio, self.start):
                joined[largest] += bound * at(ratio, self.start) * UP
            elif key != largest:
                joined[key] = bound
        return joined

    def lead(self) -> tuple[Key, Any]:
        """Return the term that outweighs the others and the remainder in the end."""
        if not self.terms:
            raise NotExpandedError
        key = max(self.terms, key=rank)
        for other in (*self.terms, *self.rest):
            if other != key and growth_of(times(other, inverse(key))) >= 0:
                raise NotExpandedError
        return key, self.terms[key]

    def beside_lead(self) -> Series:
        """Return what is left of the series over its leading term, less 1."""
        key, coefficient = self.lead()
        others = {other: c for other, c in self.terms.items() if other != key}
        return Series(self.start, others, self.rest).scaled(1 / coefficient, inverse(key))

    def size(self) -> Any:
        """Bound the size for every x from the start on."""
        sizes = self.sizes()
        if not all(falls(key, self.start) for key in sizes):
            raise NotExpandedError
        return sum((c * at(key, self.start) for key, c in sizes.items()), mpmath.mpf(0)) * UP

    def sign(self) -> int | None:
        """Return the sign from the start on, or None."""
        if not self.terms and not self.rest:
            return 0
        try:
            key, coefficient = self.lead()
            others = self.scaled(1, inverse(key)) + Series(self.start, {ONE: -coefficient}, {})
            least = others.size()
        except NotExpandedError:
            return None
        wave = _wave(coefficient)
        if wave[0][0] > least:
            return 1
        return -1 if wave[1][1] < -least else None

    def limit(self) -> Any:
        """Return the limit, a SymPy number or ±oo, or None where it swings or is not known."""
        if not self.terms and not self.rest:
            return sympy.Integer(0)
        if all(growth_of(key) < 0 for key in (*self.terms, *self.rest)):
            return sympy.Integer(0)
        key, coefficient = self.lead()
        growth = growth_of(key)
        if growth == 0:
            return None if swings(coefficient) else coefficient
        lowest, highest = _wave(coefficient)
        if lowest[0] > 0:
            return sympy.oo
        return -sympy.oo if highest[1] < 0 else None

    def wave(self) -> Wave | None:
        """Return how it swings for ever, if it does."""
        key, coefficient = self.lead()
        if not swings(coefficient):
            return None
        alone = len(self.terms) == 1 and not self.rest
        quarters = ((0, 1), (1, 0), (0, -1), (-1, 0))
        zero = any(coefficient.subs({SINE: s, COSINE: c}) == 0 for s, c in quarters)
        return Wave(growth_of(key), *_wave(coefficient), alone, zero)


def times(a: Key, b: Key) -> Key:
    """Return the key of a product."""
    exponent = [x + y for x, y in zip_longest(a[1], b[1], fillvalue=sympy.Integer(0))]
    while exponent and exponent[-1] == 0:
        exponent.pop()
    return a[0] + b[0], tuple(exponent)


def inverse(key: Key) -> Key:
    """Return the key of a reciprocal."""
    return -key[0], tuple(-q for q in key[1])


def rank(key: Key) -> tuple[float, ...]:
    """Return what orders keys by their growth."""
    exponent = (*key[1], *[sympy.Integer(0)] * (4 - len(key[1])))
    return (*(float(q) for q in reversed(exponent)), float(key[0]))


def growth_of(key: Key) -> int:
    """Return 1 for what grows without bound, -1 for what goes to zero, else 0."""
    return next((1 if q > 0 else -1 for q in rank(key) if q != 0), 0)


def _upper(number: Any) -> Fraction:
    """Return a fraction no smaller than a SymPy number."""
    if number.is_Rational:
        return Fraction(int(number.p), int(number.q))
    return Fraction(float(sympy.N(number, _DIGITS))) + Fraction(1, 10**12)


def falls(key: Key, start: Fraction) -> bool:
    """Tell whether ``x**i * exp(q)`` nowhere rises from a start on: ``i + x*q' <= 0`` there."""
    rate = [_upper(key[0]), *(k * _upper(q) for k, q in enumerate(key[1], 1))]
    # Its coefficients in x - start.
    return all(
        sum(c * comb(k, n) * start ** (k - n) for k, c in enumerate(rate) if k >= n) <= 0
        for n in range(len(rate))
    )


def at(key: Key, place: Fraction) -> Any:
    """Bound the value of ``x**i * exp(q)`` at a place."""
    with mpmath.workdps(_DIGITS):
        x = mpmath.mpf(place.numerator) / place.denominator
        exponent = sum((numeric(q) * x**k for k, q in enumerate(key[1], 1)), mpmath.mpf(0))
        return x ** numeric(key[0]) * mpmath.exp(exponent) * UP


def numeric(number: Any) -> Any:
    """Return a SymPy number in many digits."""
    if number.is_Rational:
        return mpmath.mpf(int(number.p)) / int(number.q)
    return mpmath.mpf(sympy.N(number, _DIGITS))


def swings(coefficient: Any) -> bool:
    """Tell whether a coefficient depends on the phase."""
    return bool(coefficient.has(SINE, COSINE))


def _reduced(coefficient: Any) -> Any:
    """Expand a coefficient, without higher powers of the sine; decide whether it is zero."""
    coefficient = sympy.expand(coefficient)
    if coefficient.has(SINE):
        coefficient = sympy.expand(
            coefficient.replace(
                lambda e: e.is_Pow and e.base == SINE,
                lambda e: SINE ** (e.exp % 2) * (1 - COSINE**2) ** (e.exp // 2),
            )
        )
    if coefficient.is_Rational:
        return coefficient
    if not swings(coefficient) and not _size(coefficient) > _TINY:
        raise NotExpandedError  # zero or not: not decided
    return coefficient


def _size(coefficient: Any) -> Any:
    """Bound the size of a coefficient, whatever its phase."""
    if not swings(coefficient):
        return abs(numeric(coefficient)) * UP
    parts = sympy.Poly(coefficient, SINE, COSINE).coeffs()
    return sum((abs(numeric(part)) for part in parts), mpmath.mpf(0)) * UP


def _wave(coefficient: Any) -> tuple[tuple[float, float], tuple[float, float]]:
    """Enclose the least and the largest value of a coefficient over its phase."""
    if not swings(coefficient):
        value = float(sympy.N(coefficient, _DIGITS))
        both = value - abs(value) * 1e-15, value + abs(value) * 1e-15
        return both, both
    polynomial = sympy.Poly(coefficient, SINE, COSINE)
    terms = [(i, j, float(c)) for (i, j), c in polynomial.terms()]
    bend = sum((i + j) ** 2 * abs(c) for i, j, c in terms)
    # An extreme lies half a step at most from a place that is looked at; the slope there is 0.
    values = [
        float(sum(c * mpmath.sin(t) ** i * mpmath.cos(t) ** j for i, j, c in terms))
        for t in (2 * mpmath.pi * k / _PHASES for k in range(_PHASES))
    ]
    low, high, rounding = min(values), max(values), 1e-14 * (1 + bend)
    room = bend * (float(mpmath.pi) / _PHASES) ** 2 / 2
    constant = sum(c for i, j, c in terms if i + j == 0)
    if polynomial.total_degree() == 1:  # a + b·sin + c·cos reaches a ± √(b² + c²)
        reach = sum(c * c for i, j, c in terms if i + j) ** 0.5
        low, high, room = constant - reach, constant + reach, 0.0
    return (
        (low - room - rounding, low + rounding),
        (high - rounding, high + room + rounding),
    )
