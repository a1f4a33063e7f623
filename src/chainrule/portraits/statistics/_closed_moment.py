"""Moments under a normal distribution in closed form: formulas in the variance.

For z of mean 0 and variance ν, a density times ``exp(s*z)`` is ``exp(s**2*ν/2)`` times the density
of mean ``s*ν``, for complex s too. So a sum of terms ``c * z**i * exp(s*z)``, to which sines and
cosines belong, has moments that are sums of the same kind in ν; between two places the error
function joins them, for real s.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sympy

from chainrule.derivations import time_limit
from chainrule.derivations.algebra._sympy import FAILURES, Translation, is_short_exponential
from chainrule.derivations.pieces._pieces import differentiate
from chainrule.formulas import Expression, Variable
from chainrule.portraits._statement import Bounds
from chainrule.portraits.axes._domain import Edge
from chainrule.portraits.enclosures._interval import Array, Interval, Program
from chainrule.portraits.far_out import _tail

_SECONDS = 1.0
_MOST_TERMS = 40
_MOST_DEGREE = 60
_VARIANCE = sympy.Dummy("z", positive=True)
_Term = tuple[Any, int, Any]  # the coefficient, the power of z, the rate of the exponential


@dataclass(frozen=True)
class ClosedMoment:
    """``E f(z)**power`` and its derivative as formulas in the variance of z, of mean 0."""

    value: Program
    slope: Program

    def __call__(self, variance: Interval) -> tuple[Interval, Interval]:
        """Return bounds of the moment and of its derivative over intervals of the variance."""
        return self.value(variance), self.slope(variance)

    def at_one(self) -> Bounds:
        """Return the moment for a standard normal variable."""
        return self.value.at(1.0)


@dataclass(frozen=True)
class ClosedFunction:
    """A function given piece by piece, of sums of powers times exponentials, sines and cosines.

    Parameters
    ----------
    pieces : tuple of tuple
        Each one's terms.
    places : tuple of object
        Where pieces meet, in SymPy's terms.
    """

    pieces: tuple[tuple[_Term, ...], ...]
    places: tuple[Any, ...]

    def moments(
        self, centres: Array | None = None, powers: Sequence[int] = (1, 2)
    ) -> tuple[ClosedMoment, ...] | None:
        """Return its moments, the same for all centres; None where they are not found."""
        try:
            with time_limit(_SECONDS):
                found = tuple(self._moment(power) for power in powers)
        except FAILURES:
            return None
        is_known = all(math.isfinite(end) for moment in found for end in moment.at_one())
        return found if is_known else None

    def _moment(self, power: int) -> ClosedMoment:
        ends = [-sympy.oo, *self.places, sympy.oo]
        total = sympy.Integer(0)
        for terms, low, high in zip(self.pieces, ends[:-1], ends[1:], strict=True):
            for c, degree, rate in _raised(terms, power):
                beyond = [_beyond(degree, rate, end) for end in (low, high)]
                total += c * sympy.exp(rate**2 * _VARIANCE / 2) * (beyond[0] - beyond[1])
        real = sympy.expand(sympy.re(sympy.expand(total, complex=True)))
        translation = Translation({}, {_VARIANCE: Variable("z")})
        value = translation.to_expression(real)
        return ClosedMoment(Program(value, {}), Program(differentiate(value), {}))


def closed_function(
    expressions: Sequence[Expression], edges: Sequence[Edge], parameters: Mapping[str, float]
) -> ClosedFunction | None:
    """Return a function whose moments have a closed form, or None.

    Parameters
    ----------
    expressions : sequence of Expression
        The pieces, from left to right.
    edges : sequence of Edge
        Where two of them meet.
    parameters : mapping of str to float
    """
    if any(edge.is_rounded for edge in edges):
        return None
    try:
        with time_limit(_SECONDS):
            pieces = tuple(
                _terms(_tail.exact_sympy(e, parameters, 1, positive=False)) for e in expressions
            )
    except FAILURES:
        return None
    places = tuple(edge.exact for edge in edges)
    rates = {rate for terms in pieces for _, _, rate in terms}
    if places and any(rate.has(sympy.I) for rate in rates):
        return None
    if not all(is_short_exponential(place * rate) for place in places for rate in rates):
        return None
    return ClosedFunction(pieces, places)


def _terms(form: Any) -> tuple[_Term, ...]:
    """Write a form in z as a sum of terms.

    Raises
    ------
    NotImplementedError
        Where it is none.
    """
    z = _tail.REAL
    waves = (sympy.sin, sympy.cos, sympy.sinh, sympy.cosh, sympy.exp)
    if not all(isinstance(part, waves) for part in form.atoms(sympy.Function) if part.has(z)):
        raise NotImplementedError
    found: dict[tuple[int, Any], Any] = {}
    for part in sympy.Add.make_args(sympy.expand(form.rewrite(sympy.exp))):
        coefficient, degree, exponent = sympy.Integer(1), 0, sympy.Integer(0)
        for factor in sympy.Mul.make_args(part):
            base, power = factor.as_base_exp()
            if not factor.has(z):
                coefficient *= factor
            elif base == z and power.is_Integer and 0 < power <= _MOST_DEGREE:
                degree += int(power)
            elif base.is_positive and not base.has(z):
                exponent += power * sympy.log(base)
            else:
                raise NotImplementedError
        exponent = sympy.expand(exponent)
        if sympy.degree(exponent, z) > 1 if exponent.has(z) else False:
            raise NotImplementedError
        rate = exponent.coeff(z, 1)
        key = degree, rate
        free = sympy.exp(exponent - rate * z)
        found[key] = found.get(key, sympy.Integer(0)) + coefficient * free
    if len(found) > _MOST_TERMS:
        raise NotImplementedError
    return tuple((c, degree, rate) for (degree, rate), c in found.items())


def _raised(terms: tuple[_Term, ...], power: int) -> list[_Term]:
    found: dict[tuple[int, Any], Any] = {(0, sympy.Integer(0)): sympy.Integer(1)}
    for _ in range(power):
        products: dict[tuple[int, Any], Any] = {}
        for (i, s), c in found.items():
            for d, j, t in terms:
                key = i + j, sympy.expand(s + t)
                products[key] = sympy.expand(products.get(key, sympy.Integer(0)) + c * d)
        found = products
    return [(c, degree, rate) for (degree, rate), c in found.items() if c != 0]


def _beyond(degree: int, rate: Any, place: Any) -> Any:
    """Return ``E z**degree`` for z beyond a place, of mean ``rate*ν`` and variance ν."""
    if place == sympy.oo:
        return sympy.Integer(0)
    v = _VARIANCE
    mean = rate * v
    share, density = sympy.Integer(1), sympy.Integer(0)
    if place != -sympy.oo:
        share = (1 + sympy.erf((mean - place) / sympy.sqrt(2 * v))) / 2
        density = v * sympy.exp(-((place - mean) ** 2) / (2 * v)) / sympy.sqrt(2 * sympy.pi * v)
    before, result = sympy.Integer(0), share
    for k in range(degree):
        edge = place**k * density if density != 0 else sympy.Integer(0)
        before, result = result, mean * result + k * v * before + edge
    return sympy.expand(result)
