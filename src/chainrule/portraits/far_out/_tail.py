"""Signs and limits far out, proved by the term that outweighs all others.

A function is brought to ``N/D``, both sums of terms ``c * x**i * exp(q(x))`` with polynomial `q`.
Of such a sum the term that grows fastest outweighs the others from some place on: each ratio to
it falls once ``i + x*q'(x) <= 0``, and where the ratios add up to less than one there, they do so
ever after.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import mpmath
import sympy

from chainrule.derivations.algebra._sympy import Translation, is_short_exponential, put_in
from chainrule.formulas import Constant as ExactNumber
from chainrule.formulas import Expression, Parameter, Variable, substitute

X = sympy.Dummy("x", positive=True)
REAL = sympy.Dummy("z", real=True)
_PLACES = tuple(Fraction(p) for p in (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64))
_FAR_PLACES = tuple(Fraction(2) ** k for k in (8, 12, 16, 24, 40, 70))
_NEAR_PLACES = tuple(1 / Fraction(2) ** k for k in (32, 24, 16, 12, 8, 4))
_FAST = 16  # exponentials of so many x have settled what they do before 1
_MOST_TERMS = 120
_MARGIN = mpmath.mpf("0.999")


@dataclass(frozen=True)
class Term:
    """``coefficient * x**degree * exp(exponent)``, the exponent a polynomial in x."""

    coefficient: Any
    degree: Any
    exponent: Any


@dataclass(frozen=True)
class Tail:
    """A quotient of sums of terms, for ``x = side*z > 0``."""

    numerator: tuple[Term, ...]
    denominator: tuple[Term, ...]

    def sign_beyond(self, place: Fraction) -> int | None:
        """Return the sign for every ``x >= place`` where it is proved, else None."""
        if not self.numerator:
            return 0
        signs = [_sign_of_sum(part, place) for part in (self.numerator, self.denominator)]
        return None if None in signs else signs[0] * signs[1]  # type: ignore[operator]

    def limit(self) -> Any:
        """Return the limit at infinity, a SymPy number or ±oo."""
        if not self.numerator:
            return sympy.Integer(0)
        top, bottom = _leading(self.numerator), _leading(self.denominator)
        ratio = Term(
            top.coefficient / bottom.coefficient,
            top.degree - bottom.degree,
            sympy.expand(top.exponent - bottom.exponent),
        )
        growth = _growth(ratio)
        if growth == 0:
            return ratio.coefficient * sympy.exp(ratio.exponent)
        return sympy.Integer(0) if growth < 0 else sympy.oo * sympy.sign(ratio.coefficient)


def exact_sympy(
    expression: Expression, parameters: Mapping[str, float], side: int, *, positive: bool = True
) -> Any:
    """Return the SymPy form in ``x = side*z``, with parameters as the rationals they are.

    Without `positive` it is a form in `REAL`.
    """

    def number(e: Expression) -> Expression | None:
        return ExactNumber(Fraction(parameters[e.name])) if isinstance(e, Parameter) else None

    translation = Translation()
    z = translation.symbol(Variable("z"))
    e = translation.to_sympy(substitute(expression, number))
    return e.subs(z, side * X if positive else REAL)


def near(expression: Expression, parameters: Mapping[str, float], place: Any, side: int) -> Any:
    """Return the SymPy form in x where ``z = place + side/x``: at a place, from one side."""
    return put_in(exact_sympy(expression, parameters, 1, positive=False), REAL, place + side / X)


def tail(e: Any) -> Tail | None:
    """Bring a SymPy form in `X` to a quotient of sums of terms, or return None."""
    e = e.rewrite(sympy.exp) if e.has(sympy.tanh, sympy.sinh, sympy.cosh) else e
    if e.atoms(sympy.Function) - e.atoms(sympy.exp):
        return None
    top, bottom = sympy.fraction(sympy.together(e))
    numerator, denominator = _terms(top), _terms(bottom)
    if numerator is None or not denominator:
        return None
    return Tail(numerator, denominator)


def vanishes(expression: Expression, parameters: Mapping[str, float], place: Any) -> bool:
    """Tell whether an expression is exactly zero at a place, by algebra."""
    value = exact_sympy(expression, parameters, 1, positive=False)
    return is_zero(put_in(value, REAL, place))


def is_zero(value: Any) -> bool:
    """Tell whether algebra shows a SymPy form to be zero."""
    # SymPy writes c*log(b) as log(b**c).
    is_short = all(map(is_short_exponential, value.atoms(sympy.Mul)))
    return is_short and bool(sympy.simplify(value) == 0)


def _terms(e: Any) -> tuple[Term, ...] | None:
    found: dict[tuple[Any, Any], Any] = {}
    parts = sympy.Add.make_args(sympy.expand(sympy.expand(e, power_exp=False)))
    if len(parts) > _MOST_TERMS:
        return None
    for part in parts:
        coefficient, degree, exponent = sympy.Integer(1), sympy.Integer(0), sympy.Integer(0)
        for factor in sympy.Mul.make_args(part):
            base, power = factor.as_base_exp()
            if not factor.has(X):
                coefficient *= factor
            elif base == X and power.is_Rational:
                degree += power
            elif isinstance(factor, sympy.exp):
                exponent += factor.args[0]
            elif isinstance(base, sympy.exp) and power.is_Integer:
                exponent += base.args[0] * power
            elif base == sympy.E:
                exponent += power
            else:
                return None
        exponent = sympy.expand(exponent)
        if not exponent.is_polynomial(X):
            return None
        free = exponent.subs(X, 0)
        key = (degree, exponent - free)
        found[key] = found.get(key, sympy.Integer(0)) + coefficient * sympy.exp(free)
    result = []
    for (degree, exponent), coefficient in found.items():
        if sympy.expand(coefficient) == 0:
            continue
        if not mpmath.mpf(sympy.N(abs(coefficient), 30)) > 1e-25:
            return None
        result.append(Term(coefficient, degree, exponent))
    return tuple(result)


def _growth(ratio: Term) -> int:
    """Return the sign of how a positive ratio behaves at infinity: 1 grows, -1 falls, 0 stays."""
    if ratio.exponent.has(X):
        leading = sympy.Poly(ratio.exponent, X).LC()
        return 1 if leading > 0 else -1
    return int(sympy.sign(ratio.degree))


def _leading(terms: tuple[Term, ...]) -> Term:
    lead = terms[0]
    for term in terms[1:]:
        if _growth(_ratio(term, lead)) > 0:
            lead = term
    return lead


def _ratio(term: Term, lead: Term) -> Term:
    return Term(
        abs(term.coefficient / lead.coefficient),
        term.degree - lead.degree,
        sympy.expand(term.exponent - lead.exponent),
    )


def _sign_of_sum(terms: tuple[Term, ...], place: Fraction) -> int | None:
    signs = {bool(term.coefficient > 0) for term in terms}
    if len(signs) == 1:
        return 1 if signs.pop() else -1
    lead = _leading(terms)
    at = sympy.Rational(place.numerator, place.denominator)
    total = mpmath.mpf(0)
    for term in terms:
        if term is lead:
            continue
        ratio = _ratio(term, lead)
        if not _falls_from(ratio, at):
            return None
        with mpmath.workdps(25):
            coefficient, degree, exponent = (
                mpmath.mpf(sympy.N(part, 25))
                for part in (ratio.coefficient, ratio.degree, ratio.exponent.subs(X, at))
            )
            total += coefficient * mpmath.mpf(sympy.N(at, 25)) ** degree * mpmath.exp(exponent)
    if total >= _MARGIN:
        return None
    return 1 if lead.coefficient > 0 else -1


def _falls_from(ratio: Term, place: Any) -> bool:
    """Tell whether ``x**i * exp(q)`` falls for every x >= place: ``i + x*q' <= 0`` there."""
    rate = sympy.Poly(ratio.degree + sympy.expand(X * sympy.diff(ratio.exponent, X)), X)
    shifted = rate.compose(sympy.Poly(X + place, X))
    return all(coefficient <= 0 for coefficient in shifted.all_coeffs())


def _is_fast(exponent: Any) -> bool:
    return exponent.has(X) and any(
        abs(coefficient) >= _FAST for coefficient in sympy.Poly(exponent, X).all_coeffs()
    )


def first_place(found: Tail, least: float) -> tuple[Fraction, int] | None:
    """Return the first place beyond `least` from which the sign is proved, and the sign."""
    scale = Fraction(1) if least < 1 else Fraction(2) ** (int(least).bit_length())
    near = (*(p for p in _PLACES if p > least), *(p * scale for p in _PLACES))
    terms = (*found.numerator, *found.denominator)
    first = _NEAR_PLACES if any(_is_fast(term.exponent) for term in terms) else ()
    for place in (*first, *near, *(p * scale for p in _FAR_PLACES)):
        if place > least and (sign := found.sign_beyond(place)) is not None:
            return place, sign
    return None
