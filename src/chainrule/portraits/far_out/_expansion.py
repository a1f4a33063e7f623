"""The rules by which an expression becomes a series with a bounded remainder."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from functools import reduce
from typing import Any

import mpmath
import sympy

from chainrule.derivations.algebra._sympy import put_in, with_parts
from chainrule.portraits.far_out._series import (
    COSINE,
    ONE,
    SINE,
    TERMS,
    UP,
    Key,
    NotExpandedError,
    Series,
    growth_of,
    numeric,
    rank,
    swings,
    times,
)
from chainrule.portraits.far_out._tail import X

_MOST_LOGARITHM = 700  # beyond the doubles
STARTS = (2, 4, 8, 64)  # times the least x that is of use
_SUNK: Key = (sympy.Integer(0), (sympy.Integer(0), sympy.Integer(-1)))  # exp(-x**2)


def expansion(form: Any, start: Fraction) -> Series:
    """Expand a SymPy form in `X` for every x from a start on.

    Raises
    ------
    NotExpandedError
    """
    return _Expansion(start, _base_phase(form)).of(form)


def first_place(
    series: Callable[[Fraction], Series | None], least: float
) -> tuple[Fraction, int] | None:
    """Return a place beyond `least` from which the sign is proved, and the sign.

    `series` returns the expansion from a start on, or None where there is none.
    """
    for start in (Fraction(max(least, 1.0)) * by for by in STARTS):
        found = series(start)
        sign = None if found is None else found.sign()
        if sign is not None:
            return start, sign
    return None


def in_logarithm(form: Any) -> Any:
    """Return a form with ``exp(X)`` for `X`: powers become exponentials, logarithms powers."""
    return put_in(without_towers(form).rewrite(sympy.log), X, sympy.exp(X))


def without_towers(form: Any) -> Any:
    """``x**x -> exp(x*log(x))``, and ``log(1/x) -> -log(x)``."""
    return form.replace(_is_tower, lambda e: sympy.exp(e.exp * sympy.expand_log(sympy.log(e.base))))


def has_logarithm(form: Any) -> bool:
    """Tell whether a form grows by a logarithm, which a tower holds too."""
    return form.has(sympy.log, sympy.asinh) or any(map(_is_tower, form.atoms(sympy.Pow)))


def _is_tower(e: Any) -> bool:
    return bool(e.is_Pow and e.base.has(X) and e.exp.has(X))


def limit_by_continuity(form: Any) -> Any:
    """Return the limit that the limits of a form's parts tell, or None: tanh(tanh(x)) -> tanh(1).

    Parameters
    ----------
    form : sympy.Expr
        In x, which goes to ∞.
    """
    if not form.has(X):
        return form
    if form.is_polynomial(X):
        polynomial = sympy.Poly(form, X)
        return sympy.oo * sympy.sign(polynomial.LC())
    is_log = isinstance(form, sympy.log)
    if not (is_log or form.is_Add or form.is_Mul or form.is_Pow or isinstance(form, _CONTINUOUS)):
        return None
    parts = [limit_by_continuity(part) for part in form.args]
    if None in parts or (is_log and not parts[0] > 0):
        return None
    found = with_parts(form, parts)
    known = found in (sympy.oo, -sympy.oo) or (found.is_number and found.is_finite)
    return found if known else None


def limit_of_factors(form: Any, start: Fraction) -> Any:
    """Return the limit of a product whose factors have limits, or None.

    That of an exponential is told by its exponent, however fast that grows.
    """
    result = sympy.Integer(1)
    for factor in sympy.Mul.make_args(sympy.factor(without_towers(form))):
        inner = factor.args[0] if isinstance(factor, sympy.exp) else factor
        found = expansion(in_logarithm(inner), start).limit()
        if found is None:
            return None
        result *= sympy.exp(found) if isinstance(factor, sympy.exp) else found
    return None if result is sympy.nan else result


def first_place_in_logarithm(
    series: Callable[[Fraction], Series | None], least: float
) -> tuple[Fraction, int] | None:
    """Return a place beyond `least` from which the sign is proved, by an expansion in log x."""
    found = first_place(series, math.log(max(least, 1.0)) + 1e-9)
    if found is None or found[0] > _MOST_LOGARITHM:
        return None
    return Fraction(math.exp(found[0]) * (1 + 1e-9)), found[1]


def _number(start: Fraction, value: Any) -> Series:
    return Series(start, {ONE: sympy.sympify(value)} if value != 0 else {}, {})


def _base_phase(form: Any) -> Any:
    """Return the polynomial of which the arguments of all waves are whole multiples, or None."""
    phases = []
    for part in form.atoms(sympy.sin, sympy.cos):
        summands = sympy.Add.make_args(sympy.expand(part.args[0]))
        grows = [term for term in summands if term.is_polynomial(X) and term.has(X)]
        if grows:
            phases.append(sympy.Add(*grows))
    if not phases:
        return None
    ratios = [sympy.cancel(phase / phases[0]) for phase in phases]
    if not all(ratio.is_Rational for ratio in ratios):
        return None
    return sympy.expand(phases[0] * reduce(sympy.gcd, ratios))


class _Expansion:
    """The rules by which expressions become series."""

    def __init__(self, start: Fraction, phase: Any) -> None:
        self.start, self.phase = start, phase
        self.known: dict[Any, Series] = {}

    def of(self, e: Any) -> Series:
        if e not in self.known:
            self.known[e] = self._of(e)
        return self.known[e]

    def _of(self, e: Any) -> Series:
        if not e.has(X):
            return self.number(e)
        if e == X:
            return Series(self.start, {(sympy.Integer(1), ()): sympy.Integer(1)}, {})
        if e.is_Add:
            return reduce(Series.__add__, map(self.of, e.args))
        if e.is_Mul:
            return reduce(Series.__mul__, map(self.of, e.args))
        if isinstance(e, sympy.exp):
            return self.exp(self.of(e.args[0]))
        if e.is_Pow and e.exp.is_Rational:
            return self.power(self.of(e.base), e.exp)
        rule = _RULES.get(type(e))
        if rule is None:
            raise NotExpandedError
        return rule(self, self.of(e.args[0]))

    def number(self, value: Any) -> Series:
        return _number(self.start, value)

    def power(self, u: Series, exponent: Any) -> Series:
        if exponent.is_Integer and exponent > 0:
            return reduce(Series.__mul__, [u] * int(exponent))
        key, coefficient = u.lead()
        if swings(coefficient) or not (coefficient > 0 or exponent.is_Integer):
            raise NotExpandedError
        w = u.beside_lead()
        binomials = [sympy.binomial(exponent, k) for k in range(TERMS + 1)]
        raised = key[0] * exponent, tuple(q * exponent for q in key[1])
        ratio = max(1, (abs(exponent) + TERMS) / (TERMS + 1))
        return self.cut(w, binomials, ratio).scaled(coefficient**exponent, raised)

    def cut(self, w: Series, coefficients: list[Any], ratio: Any) -> Series:
        """Sum a power series; of those left out each is at most `ratio` times the one before."""
        size = w.size() * numeric(sympy.sympify(ratio))
        if size >= mpmath.mpf("0.9"):
            raise NotExpandedError
        *kept, left_out = coefficients
        result = self.number(kept[-1])
        for coefficient in reversed(kept[:-1]):
            result = result * w + self.number(coefficient)
        sizes = Series(self.start, {}, w.merged(w.sizes()))
        rest = reduce(Series.__mul__, [sizes] * len(kept))
        bound = abs(numeric(left_out)) / (1 - size) * UP
        return result + Series(self.start, {}, {k: c * bound for k, c in rest.rest.items()})

    def parts(self, u: Series) -> tuple[dict[Key, Any], Any, Series]:
        """Part a series into what grows, a number, and what goes to zero."""
        grows = {key: c for key, c in u.terms.items() if growth_of(key) > 0}
        small = {key: c for key, c in u.terms.items() if growth_of(key) < 0}
        if any(growth_of(key) >= 0 for key in u.rest):
            raise NotExpandedError
        return grows, u.terms.get(ONE, sympy.Integer(0)), Series(self.start, small, u.rest)

    def exp(self, u: Series) -> Series:
        if self._sinks(u):
            return Series(self.start, {}, {_SUNK: UP})
        grows, number, w = self.parts(u)
        if swings(number):
            raise NotExpandedError
        raised = [sympy.Integer(0)] * 4
        for (degree, exponent), coefficient in grows.items():
            if exponent or not (degree.is_Integer and degree <= 4) or swings(coefficient):
                raise NotExpandedError
            raised[int(degree) - 1] = coefficient
        factorials = [1 / sympy.factorial(k) for k in range(TERMS + 1)]
        return self.cut(w, factorials, sympy.Rational(1, TERMS + 1)).scaled(
            sympy.exp(number), times(ONE, (sympy.Integer(0), tuple(raised)))
        )

    def _sinks(self, u: Series) -> bool:
        """Tell whether ``u <= -x**2`` from the start on, growing faster than any power."""
        key = max(u.terms, key=rank, default=ONE)
        if not key[1] or growth_of(key) <= 0:
            return False
        more = u + Series(self.start, {(sympy.Integer(2), ()): sympy.Integer(1)}, {})
        return more.sign() == -1

    def log(self, u: Series) -> Series:
        key, coefficient = u.lead()
        if swings(coefficient) or key[0] != 0 or not coefficient > 0:
            raise NotExpandedError
        w = u.beside_lead()
        series = [sympy.Integer(0), *(sympy.Rational((-1) ** (k + 1), k) for k in range(1, 9))]
        grows = {(sympy.Integer(k), ()): q for k, q in enumerate(key[1], 1) if q != 0}
        sum_ = self.cut(w, series, 1) + self.number(sympy.log(coefficient))
        return sum_ + Series(self.start, grows, {})

    def tanh(self, u: Series) -> Series:
        if self._tends(u) < 0:
            return self.tanh(u.scaled(-1)).scaled(-1)
        if not self._tends(u):  # tanh(c + w) = T + (1 - T²)·t/(1 + T·t), with T = tanh(c)
            _, number, u = self.parts(u)
            if swings(number):
                raise NotExpandedError
            known, small = sympy.tanh(number), self._tanh(u)
            below = self.number(1) + small.scaled(known)
            part = small * self.power(below, sympy.Integer(-1))
            return self.number(known) + part.scaled(1 - known**2)
        return self._tanh(u)

    def _tanh(self, u: Series) -> Series:
        v = self.exp(u.scaled(-2))
        one = self.number(1)
        return (one + v.scaled(-1)) * self.power(one + v, sympy.Integer(-1))

    def _tends(self, u: Series) -> int:
        key, coefficient = u.lead()
        if swings(coefficient):
            raise NotExpandedError
        return (1 if coefficient > 0 else -1) if growth_of(key) > 0 else 0

    def hyperbolic(self, u: Series, sign: int) -> Series:
        both = self.exp(u) + self.exp(u.scaled(-1)).scaled(sign)
        return both.scaled(sympy.Rational(1, 2))

    def sine(self, u: Series, shift: int = 0) -> Series:
        """Return ``sin(u + shift*π/2)``: what grows is a phase, the rest is expanded."""
        grows, number, w = self.parts(u)
        number += shift * sympy.pi / 2
        phase = sum((c * X ** key[0] for key, c in grows.items() if not key[1]), sympy.Integer(0))
        if any(key[1] for key in grows) or swings(number):
            raise NotExpandedError
        count = sympy.Integer(0)
        if phase != 0:
            count = sympy.cancel(phase / self.phase) if self.phase is not None else None
            if count is None or not count.is_Integer:
                raise NotExpandedError
        half = [sympy.Integer((-1) ** (k // 2)) / sympy.factorial(k) for k in range(TERMS + 1)]
        odd = [c if k % 2 else sympy.Integer(0) for k, c in enumerate(half)]
        even = [sympy.Integer(0) if k % 2 else c for k, c in enumerate(half)]
        odd[-1] = even[-1] = half[-1]
        ratio = sympy.Rational(1, TERMS + 1)
        multiple = abs(count)
        back = 1 if count >= 0 else -1
        wave_sine = (
            back * SINE * sympy.chebyshevu(multiple - 1, COSINE) if multiple else sympy.Integer(0)
        )
        wave_cosine = sympy.chebyshevt(multiple, COSINE)
        at_sine = wave_sine * sympy.cos(number) + wave_cosine * sympy.sin(number)
        at_cosine = wave_cosine * sympy.cos(number) - wave_sine * sympy.sin(number)
        return self.cut(w, even, ratio).scaled(at_sine) + self.cut(w, odd, ratio).scaled(at_cosine)

    def atan(self, u: Series) -> Series:
        tends = self._tends(u)
        if tends:
            turned = self.atan(self.power(u, sympy.Integer(-1))).scaled(-1)
            return turned + self.number(tends * sympy.pi / 2)
        _, number, w = self.parts(u)
        if number != 0:  # atan(c + w) = atan(c) + atan(w/(1 + c² + c·w))
            below = self.number(1 + number**2) + w.scaled(number)
            moved = w * self.power(below, sympy.Integer(-1))
            return self.atan(moved) + self.number(sympy.atan(number))
        series = [sympy.Rational((-1) ** (k // 2) * (k % 2), max(k, 1)) for k in range(TERMS)]
        return self.cut(w, [*series, sympy.Rational(1, TERMS)], 1)

    def asinh(self, u: Series) -> Series:
        square = u * u + self.number(1)
        return self.log(u + self.power(square, sympy.Rational(1, 2)))

    def erf(self, u: Series) -> Series:
        tends = self._tends(u)
        if not tends:
            _, number, w = self.parts(u)
            if number != 0:
                raise NotExpandedError
            series = [
                sympy.Integer((-1) ** (k // 2)) / sympy.factorial(k // 2) / k
                if k % 2
                else sympy.Integer(0)
                for k in range(TERMS + 1)
            ]
            series[-1] = 1 / sympy.factorial(TERMS // 2) / TERMS
            return self.cut(w, series, 1).scaled(2 / sympy.sqrt(sympy.pi))
        u = u.scaled(tends)
        if u.sign() != 1:
            raise NotExpandedError
        # Far out 1 - erf(u) is exp(-u²)/(u√π) times an alternating series that bounds itself.
        square = u * u
        by = self.power(square, sympy.Integer(-1)).scaled(sympy.Rational(-1, 2))
        sum_, term = self.number(1), self.number(1)
        for k in range(1, 4):
            term = (term * by).scaled(2 * k - 1)
            if k < 3:
                sum_ = sum_ + term
        sum_ = sum_ + Series(self.start, {}, term.sizes())
        outer = self.exp(square.scaled(-1)) * self.power(u, sympy.Integer(-1))
        tail = (outer * sum_).scaled(-1 / sympy.sqrt(sympy.pi))
        return (tail + self.number(1)).scaled(tends)


_CONTINUOUS = (sympy.exp, sympy.tanh, sympy.erf, sympy.atan, sympy.asinh)
_RULES: dict[Any, Callable[[_Expansion, Series], Series]] = {
    sympy.log: _Expansion.log,
    sympy.tanh: _Expansion.tanh,
    sympy.sinh: lambda self, u: self.hyperbolic(u, -1),
    sympy.cosh: lambda self, u: self.hyperbolic(u, 1),
    sympy.sin: _Expansion.sine,
    sympy.cos: lambda self, u: self.sine(u, 1),
    sympy.atan: _Expansion.atan,
    sympy.asinh: _Expansion.asinh,
    sympy.erf: _Expansion.erf,
}
