"""The sign of a smooth expression between two places, proved.

Over the generators of `z` an expression is a quotient of products of polynomials. A polynomial in
one generator has its roots counted exactly (Sturm), over the values that the generator takes; one
in several is bounded term by term, and at last by interval arithmetic over shorter and shorter
parts, the infinite ones included.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import mpmath
import sympy

from chainrule.derivations._evaluate import evaluate
from chainrule.derivations.algebra._arithmetic import multiply, negate, rebuilt
from chainrule.derivations.algebra._field import Field, Generator, NotInFieldError
from chainrule.derivations.algebra._sympy import Translation, attempt
from chainrule.derivations.output_forms.signs._by_parts import sign_by_parts, sign_over_period
from chainrule.derivations.output_forms.signs._far_out import far_sign
from chainrule.derivations.output_forms.signs._of_terms import sign_of_terms
from chainrule.derivations.output_forms.signs._rational_ends import exponential, inside, rational
from chainrule.derivations.pieces._pieces import differentiate
from chainrule.formulas import (
    Apply,
    Constant,
    Expression,
    Parameter,
    Variable,
    constant,
    substitute,
)

_FAR = (4.0, 16.0, 64.0, 256.0)  # where one term may outweigh the others
_SECONDS = 0.4
_SLOPES = 3  # how many times what is not settled is differentiated
_DIGITS = 60
_WITH_ARGUMENT = ("tanh", "erf", "atan", "sinh", "asinh")  # which have its sign
_EVERYWHERE = ("z", "exp", "sqrt", "erf", "tanh", "sinh", "cosh", "atan", "asinh", "sin", "cos")
_RANGES = {
    "exp": (0, sympy.oo), "sqrt": (0, sympy.oo), "cosh": (1, sympy.oo), "tanh": (-1, 1),
    "erf": (-1, 1), "atan": (-2, 2), "sin": (-1, 1), "cos": (-1, 1),
}  # fmt: skip


def proved_sign(
    expression: Expression,
    values: Mapping[str, float],
    low: float,
    high: float,
    *,
    strict: bool = False,
) -> int:
    """Return 1 or -1 where an expression is proved to be nowhere of the other sign, else 0.

    Where it is undefined nothing is said.

    Parameters
    ----------
    expression : Expression
        Smooth, in `z` and parameters.
    values : mapping of str to float
        Of the parameters.
    low, high : float
        The ends of the open interval, which may be infinite.
    strict : bool
        Whether it must be proved to vanish nowhere, too.
    """
    numbers: dict[Expression, Expression] = {
        Parameter(name): Constant(Fraction(value)) for name, value in values.items()
    }
    expression = rebuilt(substitute(expression, numbers.get))
    if high <= 0 and high > low:
        # One side is enough to know: of roots, powers and logarithms most is known above 0.
        mirrored: dict[Expression, Expression] = {Variable("z"): negate(Variable("z"))}
        expression = rebuilt(substitute(expression, mirrored.get))
        low, high = -high, -low

    def by_algebra(low: float, high: float) -> int:
        try:
            return _Signs(_with_whole_powers(expression), low, high, strict).whole()
        except NotInFieldError:
            return 0

    def by_halves() -> int:
        if not low < 0 < high or (strict and is_zero(expression, 0.0)):
            return 0
        left = by_algebra(low, 0.0)
        return left if left and left == by_algebra(0.0, high) else 0

    # Factors over the exponential of a parameter can take minutes.
    ways = (
        lambda: by_algebra(low, high),
        by_halves,
        lambda: sign_by_parts(expression, low, high, strict),
        lambda: sign_over_period(expression, strict),
    )
    return next(filter(None, (attempt(_SECONDS, way, 0) for way in ways)), 0)


def sign_from_end(
    expression: Expression, values: Mapping[str, float], low: float, high: float
) -> int:
    """Return the sign of what rises or falls all the way from a limit; 0 if that is not proved.

    What is continuous between two places is meant: ``1/2 + atan(z)/pi + z/(pi*(1 + z**2))``
    rises from 0.
    """
    direction = proved_sign(differentiate(expression), values, low, high)
    if not direction:
        return 0
    translation = Translation()
    z, value = translation.symbol(Variable("z")), translation.to_sympy(expression)
    numbers = {translation.symbol(Parameter(name)): rational(x) for name, x in values.items()}
    at_low, at_high = (
        sympy.limit(value.subs(numbers), z, rational(end), side)
        for end, side in ((low, "+"), (high, "-"))
    )
    least, most = (at_low, at_high) if direction > 0 else (at_high, at_low)
    if least.is_extended_nonnegative:
        return 1
    return -1 if most.is_extended_nonpositive else 0


def is_zero(expression: Expression, place: float) -> bool:
    """Tell whether an expression in z alone is 0 at a place, up to rounding."""
    with mpmath.workdps(_DIGITS):
        value = evaluate(expression, {"z": mpmath.mpf(place)})
        return bool(abs(value) < mpmath.mpf(10) ** -(_DIGITS - 10))


def _with_whole_powers(expression: Expression) -> Expression:
    """``x**(5/3) -> x*exp(2/3*log(x))``: what differs by whole powers shares a generator."""

    def split(e: Expression) -> Expression | None:
        match e:
            case Apply("power", (base, Constant(exponent))) if exponent.denominator > 2:
                base = _with_whole_powers(base)
                whole = exponent.numerator // exponent.denominator
                rest = multiply(Constant(exponent - whole), Apply("log", (base,)))
                return multiply(Apply("power", (base, constant(whole))), Apply("exp", (rest,)))
        return None

    return substitute(expression, split)


class _Signs:
    """Signs of polynomials in the generators of one expression."""

    def __init__(
        self, expression: Expression, low: float, high: float, strict: bool, slopes: int = _SLOPES
    ) -> None:
        self.low, self.high, self.strict, self.slopes = low, high, strict, slopes
        self.field = Field({})
        self.field.prepare(expression)
        self.expression = self.field.build(expression)

    def of_quotient(self, e: Any) -> int:
        sign = 1
        for polynomial in self.field.normal(e):
            if not self.field.depends(polynomial):
                sign *= self.of(polynomial)
                continue
            # The root of pi is factored as a letter is; SymPy may fail over it as a number.
            letter = sympy.Dummy("root_of_pi", positive=True)
            number, factors = sympy.factor_list(polynomial.subs(sympy.pi, letter**2))
            sign *= int(sympy.sign(number))
            for named, multiplicity in factors:
                factor = named.subs(letter, sympy.sqrt(sympy.pi))
                if self.strict or multiplicity % 2:
                    sign *= self.of(factor) ** multiplicity
                if sign == 0:
                    return 0
        return sign

    def of(self, factor: Any) -> int:
        """Return the sign of a polynomial without multiple factors."""
        if not self.field.depends(factor):
            return int(sympy.sign(sympy.N(factor, 30)))
        used = [g for g in self.generators() if factor.has(g.symbol)]
        if len(used) == 1:
            return self.of_one(factor, used[0])
        ways = (self.of_angle, self.of_terms, self.of_conjugate, self.of_exponential)
        found = next(filter(None, (way(factor, used) for way in ways)), 0)
        if not found and self.vanishes_at_an_end(factor):
            found = self.of_slope(factor)  # next to a root parts get ever shorter
        return (
            found
            or self.of_tails(factor, used)
            or self.of_parts(factor, self.low, self.high)
            or self.of_slope(factor)
        )

    def vanishes_at_an_end(self, factor: Any) -> bool:
        ends = [end for end in (self.low, self.high) if not mpmath.isinf(end)]
        return any(is_zero(self.written(factor), end) for end in ends)

    def generators(self) -> list[Generator]:
        return [Generator(self.field.x, "z", self.field.x), *self.field.generators]

    def of_one(self, factor: Any, g: Generator) -> int:
        """Count the roots inside the generator's range; none is left of one sign."""
        polynomial = sympy.Poly(factor, g.symbol)
        leading = polynomial.LC()
        monic = [sympy.cancel(c / leading) for c in polynomial.all_coeffs()]
        if not all(c.is_rational for c in monic):
            return self.of_terms(factor, [g]) or self.of_parts(factor, self.low, self.high)
        polynomial = sympy.Poly(monic, g.symbol)
        side = int(sympy.sign(sympy.N(leading, 30)))
        low, high = self.range_of(g)
        roots = polynomial.count_roots(
            None if low == -sympy.oo else low, None if high == sympy.oo else high
        )
        roots -= sum(end.is_finite and polynomial.eval(end) == 0 for end in (low, high))
        return 0 if roots else side * int(sympy.sign(polynomial.eval(inside(low, high))))

    def range_of(self, g: Generator) -> tuple[Any, Any]:
        """Return rational ends between which the values of a generator lie."""
        low, high = map(sympy.sympify, _RANGES.get(g.kind, (-sympy.oo, sympy.oo)))
        zero = sympy.Integer(0)
        if g.kind == "log":
            beyond_one = self.of_quotient(g.argument - 1)
            return zero if beyond_one > 0 else low, zero if beyond_one < 0 else high
        if g.kind == "sqrt":
            beyond_one = self.of_quotient(g.argument - 1)
            return sympy.Integer(beyond_one > 0), sympy.Integer(1) if beyond_one < 0 else high
        if g.kind in _WITH_ARGUMENT:
            side = self.of_quotient(g.argument)
            return zero if side > 0 else low, zero if side < 0 else high
        if g.kind == "z":
            return rational(self.low), rational(self.high)
        if g is self.field.exponential:
            rate = sympy.N(self.field.rate, 30)
            left, right = (rate * rational(end) for end in (self.low, self.high))
            return exponential(left, -1), exponential(right, 1)
        return low, high

    def of_angle(self, factor: Any, used: list[Generator]) -> int:
        """Write sine and cosine of one angle through the tangent of its half."""
        if {g.kind for g in used} != {"sin", "cos"} or len({g.argument for g in used}) != 1:
            return 0
        w = sympy.Dummy("w", real=True)
        halved = {"sin": 2 * w / (1 + w**2), "cos": (1 - w**2) / (1 + w**2)}
        quotient = sympy.together(factor.subs({g.symbol: halved[g.kind] for g in used}))
        number, factors = sympy.factor_list(sympy.fraction(quotient)[0])
        odd = [sympy.Poly(f, w) for f, multiplicity in factors if multiplicity % 2]
        if self.strict or any(
            not all(c.is_rational for c in f.all_coeffs()) or f.count_roots() for f in odd
        ):
            return 0
        return int(sympy.sign(number * sympy.prod([f.eval(0) for f in odd])))

    def of_terms(self, factor: Any, used: list[Generator]) -> int:
        """Return the sign that all terms have, where every generator has one."""
        return sign_of_terms(factor, used, [self.range_of(g) for g in used], self.strict)

    def of_conjugate(self, factor: Any, used: list[Generator]) -> int:
        """Return the sign of ``p + q sqrt(r)`` where ``p**2 - q**2 r`` and r vanish nowhere.

        Then it keeps its sign, which it has at any place.
        """
        roots = [g for g in used if g.kind == "sqrt"]
        if len(roots) != 1 or sympy.degree(factor, roots[0].symbol) != 1:
            return 0
        # What has poles or ends is not one stretch, on which a sign is kept.
        if any(g.kind not in _EVERYWHERE or self.has_poles(g.argument) for g in used):
            return 0
        (root,) = roots
        with_root, without = factor.coeff(root.symbol, 1), factor.coeff(root.symbol, 0)
        before, self.strict = self.strict, True
        try:
            signs = (
                self.of_quotient(e)
                for e in (without**2 - with_root**2 * root.argument, root.argument)
            )
            if not all(signs):
                return 0
        finally:
            self.strict = before
        low, high = (rational(end) for end in (self.low, self.high))
        place = mpmath.mpf(sympy.N(inside(low, high), 30))
        return int(mpmath.sign(self.field.evaluate(factor, place)))

    def of_exponential(self, factor: Any, used: list[Generator]) -> int:
        """Take the exponential for the variable, where z occurs in it alone.

        ``(1 + E)*log(1 + E) - E`` is 0 at ``E = 0`` and rises from there.
        """
        e = self.field.exponential
        others = [g for g in used if g is not e]
        if e not in used or any(not self._is_in(g.argument, {e.symbol}) for g in others):
            return 0
        ends = self.range_of(e)
        if not set(ends) <= {0, 1, sympy.oo}:
            return 0  # no exact number
        translation = Translation()
        known = {g.symbol: getattr(sympy, g.kind)(g.argument) for g in others}
        x = translation.symbol(Variable("z"))
        expression = translation.to_expression(factor.subs(known).subs(e.symbol, x))
        low, high = map(float, ends)
        return _Signs(expression, low, high, self.strict, self.slopes).whole()

    def has_poles(self, e: Any) -> bool:
        """Tell whether a value has a denominator that changes with z."""
        return bool(self.field.depends(sympy.fraction(sympy.together(e))[1]))

    def of_tails(self, factor: Any, used: list[Generator]) -> int:
        """Let one term outweigh all others far out; in between, bound the factor by parts."""
        exponential = self.field.exponential
        logarithms = [g for g in used if g.kind == "log"]
        bells = [g for g in used if g is not exponential and self._is_bell(g)]
        areas = [g for g in used if g.kind == "erf" and self._is_line(g.argument)]
        rest = {g.symbol for g in used if g.kind != "log" and g not in (*bells, *areas)}
        known = {self.field.x} if exponential is None else {self.field.x, exponential.symbol}
        if not rest <= known or (exponential is None and (logarithms or not bells)):
            return 0
        if any(not self._is_in(g.argument, known - {self.field.x}) for g in logarithms):
            return 0
        for far in _FAR:
            signs = {
                far_sign(factor, self.field, (logarithms, bells, areas), far, side)
                for end, side in ((self.low, -1), (self.high, 1))
                if mpmath.isinf(end)
            }
            between = max(self.low, -far), min(self.high, far)
            if not signs or 0 in signs or between[0] >= between[1]:
                continue
            return signs.pop() if signs == {self.of_parts(factor, *between)} else 0
        return 0

    def _is_in(self, e: Any, symbols: set[Any]) -> bool:
        """Tell whether an expression is rational in some symbols, and has no others."""
        return bool(e.free_symbols <= symbols and e.is_rational_function(*symbols))

    def _is_line(self, e: Any) -> bool:
        x = self.field.x
        return bool(e.free_symbols == {x} and e.is_polynomial(x) and sympy.degree(e, x) == 1)

    def _is_bell(self, g: Generator) -> bool:
        """Tell whether a generator is an exponential of a concave polynomial: ``exp(-z**2)``."""
        x = self.field.x
        if g.kind != "exp" or not g.argument.is_polynomial(x) or g.argument.free_symbols != {x}:
            return False
        curvature = sympy.Poly(sympy.diff(g.argument, x, 2), x)
        return not curvature.is_zero and all(
            power % 2 == 0 and sympy.N(coefficient, 30) < 0
            for (power,), coefficient in curvature.terms()
        )

    def of_slope(self, factor: Any) -> int:
        """Return the sign of what rises or falls away from zero: of ``z exp(z) - exp(z) + 1``."""
        if self.strict or self.slopes == 0 or self.has_poles(factor):
            return 0
        expression = self.written(factor)
        derivative = differentiate(expression)
        for place in {0.0, self.low, self.high}:
            if not self.low <= place <= self.high or mpmath.isinf(place):
                continue
            with mpmath.workdps(_DIGITS):
                value = evaluate(expression, {"z": mpmath.mpf(place)})
                if not mpmath.isfinite(value):
                    continue
                there = 0 if abs(value) < mpmath.mpf(10) ** -_DIGITS else int(mpmath.sign(value))
            sides = ((self.low, place, -1), (place, self.high, 1))
            signs = {
                side * _Signs(derivative, low, high, False, self.slopes - 1).whole()
                for low, high, side in sides
                if low < high
            }
            if len(signs) == 1 and there * (sign := signs.pop()) >= 0 and sign:
                return sign
        return 0

    def whole(self) -> int:
        """Return the sign of the expression."""
        return self.of_quotient(self.expression)

    def of_parts(self, factor: Any, low: float, high: float) -> int:
        return sign_by_parts(self.written(factor), low, high, self.strict)

    def written(self, factor: Any) -> Expression:
        """Return a polynomial in the generators as an expression in z."""
        meaning = self.field.translation.meaning
        for g in self.field.generators:
            if g.symbol not in meaning:
                written = getattr(sympy, g.kind)(g.argument)
                meaning[g.symbol] = self.field.translation.to_expression(written)
        return self.field.translation.to_expression(factor)
