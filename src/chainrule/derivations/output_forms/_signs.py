"""The sign of a smooth expression between two places, proved.

Over the generators of `z` an expression is a quotient of products of polynomials. A polynomial in
one generator has its roots counted exactly (Sturm), over the values that the generator takes; one
in several is bounded term by term, and at last by interval arithmetic over shorter and shorter
parts, the infinite ones included.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from itertools import pairwise
from typing import Any

import mpmath
import sympy

from chainrule.derivations._algebra import attempt
from chainrule.derivations._field import Field, Generator, NotInFieldError
from chainrule.derivations._pieces import differentiate
from chainrule.derivations.output_forms._intervals import NotEnclosedError, enclosure, interval
from chainrule.formulas import Constant, Expression, Parameter, substitute

_MOST_PARTS = 120
_LARGEST_EXPONENT = 1000
_FAR = (4.0, 16.0, 64.0, 256.0)  # where one term may outweigh the others
_LEAST_LEADING = mpmath.mpf("1e-20")  # less may be a zero that was not seen
_SECONDS = 0.4
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
    expression = substitute(expression, numbers.get)

    def by_algebra() -> int:
        try:
            signs = _Signs(expression, low, high, strict)
            return signs.of_quotient(signs.expression)
        except NotInFieldError:
            return 0

    # Factors over the exponential of a parameter can take minutes.
    return attempt(_SECONDS, by_algebra, 0) or attempt(
        _SECONDS, lambda: _sign_by_parts(expression, low, high, strict), 0
    )


class _Signs:
    """Signs of polynomials in the generators of one expression."""

    def __init__(self, expression: Expression, low: float, high: float, strict: bool) -> None:
        self.low, self.high, self.strict = low, high, strict
        self.field = Field({})
        self.field.prepare(expression)
        self.expression = self.field.build(expression)

    def of_quotient(self, e: Any) -> int:
        sign = 1
        for polynomial in self.field.normal(e):
            if not self.field.depends(polynomial):
                sign *= self.of(polynomial)
                continue
            number, factors = sympy.factor_list(polynomial)
            sign *= int(sympy.sign(number))
            for factor, multiplicity in factors:
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
        ways = (self.of_angle, self.of_terms, self.of_tails)
        return next(filter(None, (way(factor, used) for way in ways)), 0) or self.of_parts(
            factor, self.low, self.high
        )

    def generators(self) -> list[Generator]:
        return [Generator(self.field.x, "z", self.field.x), *self.field.generators]

    def of_one(self, factor: Any, g: Generator) -> int:
        """Count the roots inside the generator's range; none is left of one sign."""
        polynomial = sympy.Poly(factor, g.symbol)
        if not all(c.is_rational for c in polynomial.all_coeffs()):
            return self.of_terms(factor, [g]) or self.of_parts(factor, self.low, self.high)
        low, high = self.range_of(g)
        roots = polynomial.count_roots(
            None if low == -sympy.oo else low, None if high == sympy.oo else high
        )
        roots -= sum(end.is_finite and polynomial.eval(end) == 0 for end in (low, high))
        return 0 if roots else int(sympy.sign(polynomial.eval(_inside(low, high))))

    def range_of(self, g: Generator) -> tuple[Any, Any]:
        """Return rational ends between which the values of a generator lie."""
        low, high = map(sympy.sympify, _RANGES.get(g.kind, (-sympy.oo, sympy.oo)))
        if g.kind == "log":
            beyond_one = self.of_quotient(g.argument - 1)
            zero = sympy.Integer(0)
            return zero if beyond_one > 0 else low, zero if beyond_one < 0 else high
        if g.kind == "z":
            return _rational(self.low), _rational(self.high)
        if g is self.field.exponential:
            rate = sympy.N(self.field.rate, 30)
            left, right = (rate * _rational(end) for end in (self.low, self.high))
            return _exponential(left, -1), _exponential(right, 1)
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
        signs, vanishes = [], True
        symbols = [g.symbol for g in used]
        ranges = [self.range_of(g) for g in used]
        for powers, coefficient in sympy.Poly(factor, *symbols).terms():
            sign = int(sympy.sign(sympy.N(coefficient, 30)))
            for power, (low, high) in zip(powers, ranges, strict=True):
                if power % 2:
                    sign *= 1 if low >= 0 else -1 if high <= 0 else 0
            signs.append(sign)
            vanishes = vanishes and any(
                power and low <= 0 <= high and g.kind not in ("exp", "z", "log")
                for power, (low, high), g in zip(powers, ranges, used, strict=True)
            )
        return 0 if (self.strict and vanishes) or len(set(signs)) > 1 else signs[0]

    def of_tails(self, factor: Any, used: list[Generator]) -> int:
        """Let one term outweigh all others far out; in between, bound the factor by parts."""
        exponential = self.field.exponential
        logarithms = [g for g in used if g.kind == "log"]
        rest = {g.symbol for g in used if g.kind != "log"}
        if exponential is None or not rest <= {self.field.x, exponential.symbol}:
            return 0
        if any(not self._is_in(g.argument, {exponential.symbol}) for g in logarithms):
            return 0
        for far in _FAR:
            signs = {
                self._far_sign(factor, logarithms, far, side)
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

    def _far_sign(self, factor: Any, logarithms: list[Generator], far: float, side: int) -> int:
        """Return the factor's sign beyond ``side*far``, with logarithms written as there."""
        assert self.field.exponential is not None
        x, exponential = self.field.x, self.field.exponential.symbol
        rate = mpmath.mpf(self.field.number(self.field.rate))
        rests: list[tuple[Any, mpmath.mpf]] = []
        for g in logarithms:
            line, bound = _far_logarithm(g.argument, exponential, rate, far, side)
            if bound is None:
                return 0
            rests.append((sympy.Dummy(f"rest{len(rests)}", real=True), bound))
            factor = factor.subs(
                g.symbol, line.subs(exponential, self.field.rate * x) + rests[-1][0]
            )
        symbols = x, exponential, *(rest for rest, _ in rests)
        polynomial = sympy.Poly(sympy.expand(factor), *symbols)
        terms = [
            (powers, mpmath.mpf(sympy.N(coefficient, 30)))
            for powers, coefficient in polynomial.terms()
        ]
        return _outweighing(terms, rate, far, side, [bound for _, bound in rests])

    def of_parts(self, factor: Any, low: float, high: float) -> int:
        meaning = self.field.translation.meaning
        for g in self.field.generators:
            if g.symbol not in meaning:
                written = getattr(sympy, g.kind)(g.argument)
                meaning[g.symbol] = self.field.translation.to_expression(written)
        return _sign_by_parts(self.field.translation.to_expression(factor), low, high, self.strict)


def _far_logarithm(
    argument: Any, exponential: Any, rate: Any, far: float, side: int
) -> tuple[Any, Any]:
    """Write ``log(P(E))`` beyond ``side*far`` as a line in ``log(E)``, named E, and a rest.

    The rest falls off as ``exp(-|rate z|)`` does; its bound at ``side*far`` is None where the
    leading term does not outweigh the others.
    """
    line, bound = sympy.Integer(0), mpmath.mpf(0)
    grows = 1 if rate * side > 0 else -1
    for part, sign in zip(sympy.fraction(sympy.together(argument)), (1, -1), strict=True):
        terms = sympy.Poly(part, exponential).terms()
        (power,), leading = max(terms, key=lambda term: grows * term[0][0])
        if not leading.is_positive:
            return line, None
        others = mpmath.fsum(
            abs(mpmath.mpf(sympy.N(c / leading, 30))) * mpmath.exp(-abs((n - power) * rate) * far)
            for (n,), c in terms
            if n != power
        )
        if others > mpmath.mpf("0.5"):
            return line, None
        line += sign * (power * exponential + sympy.log(leading))
        bound += 2 * others  # log(1 + x) is that much at most for |x| of one half at most
    return line, bound


def _outweighing(
    terms: list[tuple[tuple[int, ...], Any]], rate: Any, far: float, side: int, bounds: list[Any]
) -> int:
    """Return the sign of a sum of c z**n exp(k rate z) r**m beyond ``side*far``; 0 if not proved.

    The rests r have bounds there and fall off as ``exp(-|rate z|)`` does. Next to the term that
    grows fastest, each other one is at most ``z**n exp(-decay z)``, which falls beyond
    ``n/decay``.
    """

    def growth(powers: tuple[int, ...]) -> tuple[Any, int]:
        return side * powers[1] * mpmath.sign(rate) - sum(powers[2:]), powers[0]

    leading_powers, leading = max(terms, key=lambda term: growth(term[0]))
    if any(leading_powers[2:]) or abs(leading) < _LEAST_LEADING:
        return 0
    power, times = leading_powers[:2]
    others = mpmath.mpf(0)
    for powers, coefficient in terms:
        n, k, *rests = powers
        if powers == leading_powers:
            continue
        decay = side * (times - k) * rate
        if n - power > (decay + sum(rests) * abs(rate)) * far:
            return 0
        ratio = mpmath.mpf(far) ** (n - power) * mpmath.exp(-decay * far)
        for bound, m in zip(bounds, rests, strict=True):
            ratio *= bound**m
        others += abs(coefficient / leading) * ratio
    if others > mpmath.mpf("0.9"):
        return 0
    return int(mpmath.sign(leading)) * (-1 if side < 0 and power % 2 else 1)


def _rational(x: float) -> Any:
    return sympy.Rational(Fraction(x)) if mpmath.isfinite(x) else sympy.oo * (1 if x > 0 else -1)


def _exponential(argument: Any, side: int) -> Any:
    """Return a rational number on the outer side of an exponential, as near as 25 digits."""
    if argument == 0 or not argument.is_finite:
        return sympy.exp(argument)
    # Written out, a larger exponential keeps the process busy, and nothing interrupts that.
    if abs(argument) > _LARGEST_EXPONENT:
        if (argument > 0) == (side > 0):
            return sympy.oo if side > 0 else sympy.Integer(0)
        argument = _LARGEST_EXPONENT * sympy.sign(argument)
    return sympy.Rational(str(sympy.N(sympy.exp(argument) * (1 + side * sympy.Float("1e-25")), 30)))


def _inside(low: Any, high: Any) -> Any:
    if low == -sympy.oo and high == sympy.oo:
        return sympy.Integer(0)
    if low == -sympy.oo:
        return high - 1
    return low + 1 if high == sympy.oo else (low + high) / 2


def _sign_by_parts(expression: Expression, low: float, high: float, strict: bool) -> int:
    """Bound an expression over parts of an interval, halving those that are not settled."""
    parts = _first_parts(low, high)
    derivative = differentiate(expression)
    found = 0
    for _ in range(_MOST_PARTS):
        if not parts:
            return found
        left, right = parts.pop()
        sign = _sign_over(expression, left, right, strict)
        sign = sign or _sign_by_mean_value(expression, derivative, left, right)
        if sign == 0:
            parts += _halves(left, right)
        elif found in (0, sign):
            found = sign
        else:
            return 0
    return 0


def _sign_over(expression: Expression, low: Any, high: Any, strict: bool) -> int:
    try:
        bounds = enclosure(expression, {"z": interval(low, high)}, bounded=False)
    except NotEnclosedError:
        return 0
    if strict and 0 in bounds:
        return 0
    if bounds.a >= 0 and bounds.b > 0:
        return 1
    return -1 if bounds.b <= 0 and bounds.a < 0 else 0


def _sign_by_mean_value(expression: Expression, derivative: Expression, low: Any, high: Any) -> int:
    """Bound f over a short part by ``f(middle) + f' (z - middle)``."""
    if mpmath.isinf(low) or mpmath.isinf(high) or high - low > 1:
        return 0
    part, middle = interval(low, high), (low + high) / 2
    point = interval(middle, middle)
    try:
        slope = enclosure(derivative, {"z": part})
        bounds = enclosure(expression, {"z": point}) + slope * (part - point)
    except NotEnclosedError:
        return 0
    return 1 if bounds.a > 0 else -1 if bounds.b < 0 else 0


def _first_parts(low: float, high: float) -> list[tuple[Any, Any]]:
    inner = [x for x in (-16.0, -4.0, -1.0, 0.0, 1.0, 4.0, 16.0) if low < x < high]
    edges = [low, *inner, high]
    return list(pairwise(edges))


def _halves(low: float, high: float) -> list[tuple[float, float]]:
    if mpmath.isinf(low):
        middle = 4 * min(high, -1.0)
    elif mpmath.isinf(high):
        middle = 4 * max(low, 1.0)
    else:
        middle = (low + high) / 2
    return [(low, middle), (middle, high)] if low < middle < high else []
