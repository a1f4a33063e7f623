"""The shortest of many ways to write a form, as an author would."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import mpmath
import sympy

from chainrule.derivations._evaluate import evaluate
from chainrule.derivations.algebra._arithmetic import (
    LARGEST_DENOMINATOR,
    multiply,
    negate,
    size,
    total,
    written_length,
)
from chainrule.derivations.algebra._sympy import (
    Translation,
    atoms_of,
    with_factors_joined,
    with_names_put_back,
    with_powers_named,
)
from chainrule.derivations.output_forms._places import Place
from chainrule.derivations.output_forms.shortening._exponentials import (
    is_power_of_letters,
    with_exponentials_in_roots,
    with_fast_exponential_named,
    with_hyperbolic_functions,
    with_short_exponents,
)
from chainrule.derivations.output_forms.shortening._roots import (
    COSINE,
    through_square,
    with_conjugate,
    with_one_root,
)
from chainrule.formulas import Apply, Constant, Expression, Variable, subexpressions

_LONGEST = 80  # operations of what is looked at in several ways
_LARGE = 8  # operations of a part that algebra need not look into


def shortest(
    e: Any,
    translation: Translation,
    places: list[Place] | None = None,
    values: Mapping[str, float] | None = None,
) -> Expression:
    """Return the shortest of the usual ways to write an expression.

    Parameters
    ----------
    e : sympy.Expr
    translation : Translation
    places : list of Place, optional
        Of the piece on which it holds: there factors under roots are known by their signs.
    values : mapping of str to float, optional
        Of the parameters.
    """
    for choice in atoms_of(e, sympy.Piecewise):
        (beyond, condition), (within, _) = choice.args
        held = translation.to_expression(sympy.Piecewise((1, condition), (0, True)))
        assert isinstance(held, Apply)
        cases = (shortest(e.subs(choice, part), translation) for part in (beyond, within))
        return Apply("where", (held.arguments[0], *cases))
    named, exponentials = _with_exponentials_named(e, translation)
    letters = (x for x, meaning in translation.meaning.items() if isinstance(meaning, Variable))
    squares = [way.subs(exponentials) for way in through_square(named, letters)]
    short = min(squares, key=sympy.count_ops, default=e)
    if short.count_ops() < e.count_ops():
        return translation.to_expression(short)
    if e.count_ops() > _LONGEST:
        return translation.to_expression(_without_inverses(e))
    signs = _Signs(translation, places or [], values or {})
    e = with_short_exponents(signs.without_absolute_values(_without_inverses(e)))
    core, parts = _with_large_parts_named(_without_signs(e))
    core = with_fast_exponential_named(core, parts)
    ways = [way.subs(parts) for way in usual_ways(core)]
    decimals = {
        x: sympy.Dummy(f"decimal{k}", positive=True)
        for k, x in enumerate(atoms_of(core, sympy.Rational))
        if x.q > LARGEST_DENOMINATOR
    }
    if decimals:
        numbers = {symbol: x for x, symbol in decimals.items()}
        ways += [way.subs(numbers).subs(parts) for way in usual_ways(core.subs(decimals))]
    if core.has(sympy.sinh):
        ways += [way.subs(parts) for other in _hyperbolic(core) for way in usual_ways(other)]
    if core.has(sympy.sin, sympy.cos):
        ways += [way.subs(parts) for way in _with_angles_doubled(core)]
    if core.has(sympy.exp):
        ways += [way.subs(parts) for way in with_hyperbolic_functions(core)]
        ways += [with_exponentials_in_roots(way) for way in ways]
    ways += with_one_root(_without_signs(e))
    ways += with_conjugate(_without_signs(e))
    plain = signs.without_roots_of_products(e)
    if e.has(sympy.Pow) and plain.is_rational_function() and not e.is_rational_function():
        ways += usual_ways(plain)
    ways = list(dict.fromkeys(ways))
    ways = list(dict.fromkeys([*map(signs.without_roots_of_products, ways), *ways]))
    ways += [with_factors_joined(way) for way in ways]
    ways += [way.replace(is_power_of_letters, _of_reciprocal) for way in ways]
    ways += [with_short_exponents(way) for way in ways if way.has(sympy.Pow)]
    written = [translation.to_expression(way) for way in dict.fromkeys(ways) if _is_real(way)]
    return min(written or [translation.to_expression(e)], key=_length)


def _length(e: Expression) -> tuple[int, int]:
    """Return how long an expression reads, and how much its numbers are above 1."""
    numbers = (part.value for part in subexpressions(e) if isinstance(part, Constant))
    return written_length(e), sum(abs(number.numerator) - 1 for number in numbers)


def _with_exponentials_named(e: Any, translation: Translation) -> tuple[Any, dict[Any, Any]]:
    """Put a symbol for ``exp(3)``, and its square for ``exp(6)``: algebra then sees powers."""

    def is_number(part: Any) -> bool:
        is_exponential = isinstance(part, sympy.exp | type(sympy.E))
        return is_exponential and part.as_base_exp()[1].is_Rational

    exponents = [x.as_base_exp()[1] for x in e.atoms(sympy.exp, type(sympy.E)) if is_number(x)]
    if not exponents:
        return e, {}
    unit, symbol = sympy.gcd_list(exponents), sympy.Dummy("exponential", positive=True)
    named = e.replace(is_number, lambda part: symbol ** (part.as_base_exp()[1] / unit))
    return named, {symbol: sympy.exp(unit)}


def polynomial_in(e: Any, variable: Any, translation: Translation) -> Expression:
    """Write a polynomial by falling powers of a variable, with short coefficients."""
    terms = []
    polynomial = sympy.Poly(e, variable)
    if polynomial.LC().could_extract_minus_sign():
        polynomial = -polynomial
    for (power,), coefficient in polynomial.terms():
        sign = -1 if coefficient.could_extract_minus_sign() else 1
        written = shortest(sign * coefficient, translation)
        term = multiply(written, translation.to_expression(variable**power))
        terms.append(term if sign > 0 else negate(term))
    return total(terms)


def _is_real(e: Any) -> bool:
    """Tell whether no root of a negative number occurs."""
    return not e.has(sympy.I) and not any(
        part.exp.is_Rational and part.exp.q > 1 and part.base.is_negative
        for part in e.atoms(sympy.Pow)
    )


def _with_large_parts_named(e: Any) -> tuple[Any, dict[Any, Any]]:
    """Put symbols for the outermost functions and roots that are long."""
    names: dict[Any, Any] = {}

    def is_large(part: Any) -> bool:
        is_root = part.is_Pow and part.exp.is_Rational and part.exp.q > 1
        is_function = part.is_Function and not isinstance(part, sympy.exp)
        return (is_root or is_function) and part.count_ops() > _LARGE

    def named(part: Any) -> Any:
        if is_large(part):
            if part.is_Pow and part.exp != sympy.Rational(1, part.exp.q):
                return named(part.base ** sympy.Rational(1, part.exp.q)) ** part.exp.p
            if part not in names:
                name = f"part{len(names)}"
                names[part] = sympy.Dummy(name, real=part.is_real, positive=part.is_positive)
            return names[part]
        return part.func(*map(named, part.args)) if part.args else part

    core = named(e)
    return core, {symbol: part for part, symbol in names.items()}


def usual_ways(e: Any) -> Iterator[Any]:
    """Yield the usual ways to write an expression."""
    factored = sympy.factor(e)
    yield from (e, with_factors_joined(factored), factored, sympy.expand(e), sympy.together(e))
    names: dict[Any, Any] = {}
    named = with_powers_named(e, names)
    if names:
        powers = list(names.values())
        collected = sympy.collect(sympy.expand(sympy.cancel(named)), powers, sympy.factor)
        for way in (collected, sympy.factor_terms(collected)):
            yield with_names_put_back(way, names)
    e = sympy.powsimp(sympy.expand(e))
    yield from (e, sympy.factor_terms(e), sympy.factor(e))


class _Signs:
    """The signs that factors have on a piece, as its places show them."""

    def __init__(
        self, translation: Translation, places: list[Place], values: Mapping[str, float]
    ) -> None:
        self.translation, self.places, self.values = translation, places, values
        self.known: dict[Any, int] = {}

    def of(self, factor: Any) -> int:
        """Return 1 or -1, or 0 where the sign changes or is not known."""
        if factor not in self.known:
            written = self.translation.to_expression(factor)
            with mpmath.workdps(60):
                found = {
                    mpmath.sign(evaluate(written, {**self.values, "a": p.output, "z": p.z}))
                    for p in self.places
                }
            signs = {int(sign) for sign in found if sign in (1, -1)}
            self.known[factor] = signs.pop() if len(signs) == 1 else 0
        return self.known[factor]

    def without_absolute_values(self, e: Any) -> Any:
        """``abs(cos(a)) -> cos(a)``, where that is positive."""
        if not self.places or not e.has(sympy.Abs):
            return e

        def plain(x: Any) -> Any:
            sign = self.of(x)
            return sign * x if sign else sympy.Abs(x)

        return e.replace(sympy.Abs, plain)

    def without_roots_of_products(self, e: Any) -> Any:
        """``sqrt(-(1 + a)**3*(a - 1)**3) -> (1 - a**2)**(3/2)``, where 1 - a**2 is positive.

        Powers of powers become one, where what they are taken of is positive.
        """
        if not self.places:
            return e
        e = e.replace(
            lambda part: part.is_Pow and part.base.is_Pow and self.of(part.base.base) > 0,
            lambda part: part.base.base ** (part.base.exp * part.exp),
        )
        e = e.replace(
            lambda part: part.is_Pow and part.exp.is_Rational and part.exp.q > 1,
            lambda part: self.root(part.base, part.exp),
        )
        positive = {part.base for part in e.atoms(sympy.Pow) if not part.exp.is_Integer}
        flipped = e.replace(
            lambda part: (
                part.is_Pow
                and part.exp.is_even is True
                and (-part.base in positive or (part.base.is_Add and self.of(part.base) < 0))
            ),
            lambda part: (-part.base) ** part.exp,
        )
        return sympy.powsimp(flipped)

    def root(self, base: Any, exponent: Any) -> Any:
        number = sympy.Integer(1)
        groups: dict[Any, Any] = {}
        for factor in sympy.Mul.make_args(sympy.factor(base)):
            is_exponential = isinstance(factor, sympy.exp)
            core, power = (factor, sympy.S.One) if is_exponential else factor.as_base_exp()
            if not core.free_symbols:
                number *= factor
                continue
            sign = self.of(core)
            if sign == 0 or (sign < 0 and not power.is_Integer):
                return base**exponent
            number *= sign**power
            groups[power] = groups.get(power, 1) * core * sign
        if number.is_positive is not True:
            return base**exponent
        result = number**exponent
        for power, group in groups.items():
            ways = (group, sympy.expand(group))
            chosen = min(ways, key=lambda way: size(self.translation.to_expression(way)))
            result *= chosen ** (power * exponent)
        return result


def _without_signs(e: Any) -> Any:
    """``sign(x)**2 -> 1``; the limit at 0 is the other factor's."""
    return e.replace(
        lambda part: part.is_Pow and isinstance(part.base, sympy.sign) and part.exp.is_even,
        lambda part: sympy.Integer(1),
    )


def _without_inverses(e: Any) -> Any:
    """``asinh(sinh(x)) -> x``, which SymPy leaves, and no cotangents."""
    e = e.replace(sympy.cot, lambda x: sympy.cos(x) / sympy.sin(x))
    return e.replace(
        lambda part: isinstance(part, sympy.asinh) and isinstance(part.args[0], sympy.sinh),
        lambda part: part.args[0].args[0],
    )


def _of_reciprocal(power: Any) -> Any:
    """``(1/x)**p -> x**-p``, which SymPy leaves."""
    above, below = sympy.fraction(sympy.together(power.base))
    return (below / above) ** -power.exp if abs(above) == 1 and below.is_Add else power


def _hyperbolic(e: Any) -> Iterator[Any]:
    """Yield an expression with hyperbolic sines written through cosines, and through tangents."""
    yield with_cosines(e)
    yield sympy.expand(with_cosines(e).replace(_is_square_of_cosine, _through_sine))
    tangents = {part.args[0] for part in e.atoms(sympy.tanh)}
    if tangents:
        yield e.replace(
            lambda part: isinstance(part, sympy.sinh) and part.args[0] in tangents,
            lambda part: sympy.tanh(part.args[0]) * sympy.cosh(part.args[0]),
        )


def _is_square_of_cosine(part: Any) -> bool:
    return bool(part.is_Pow and isinstance(part.base, sympy.cosh) and part.exp == 2)


def _through_sine(square: Any) -> Any:
    return 1 + sympy.sinh(square.base.args[0]) ** 2


def _with_angles_doubled(e: Any) -> Iterator[Any]:
    """``2*cos(x)**2 - 1 -> cos(2*x)`` and ``2*sin(x)*cos(x) -> sin(2*x)``."""
    for angle in dict.fromkeys(part.args[0] for part in atoms_of(e, sympy.sin, sympy.cos)):
        sine, cosine = sympy.sin(angle), sympy.cos(angle)
        double = sympy.cos(2 * angle)
        squares = {sine**2: (1 - double) / 2, cosine**2: (1 + double) / 2}
        written = sympy.expand(sympy.expand(e).subs(squares))
        yield written.subs(sine * cosine, sympy.sin(2 * angle) / 2)


def with_cosines(e: Any) -> Any:
    """Write even powers of tangents and of (hyperbolic) sines through the cosines."""
    e = e.replace(
        lambda part: part.is_Pow and isinstance(part.base, sympy.sinh) and part.exp == 2,
        lambda part: sympy.cosh(part.base.args[0]) ** 2 - 1,
    )
    e = e.replace(
        lambda part: part.is_Pow and isinstance(part.base, sympy.tan) and part.exp == 2,
        lambda part: 1 / sympy.cos(part.base.args[0]) ** 2 - 1,
    )
    for angle in dict.fromkeys(part.args[0] for part in atoms_of(e, sympy.tan, sympy.cot)):
        s, c = sympy.Dummy("s"), sympy.Dummy("c")
        quotients = {sympy.tan(angle): s / c, sympy.cot(angle): c / s}
        above, below = sympy.fraction(sympy.together(e.subs(quotients)))
        if not (above.is_polynomial(s, c) and below.is_polynomial(s, c)):
            continue
        relation = s**2 + c**2 - 1
        e = sympy.cancel(sympy.rem(above, relation, s) / sympy.rem(below, relation, s))
        e = e.subs({s: sympy.sin(angle), c: sympy.cos(angle)})
    return e


def through_cosine(e: Any, tangent: Any, angle: Any) -> Any:
    """Put the tangent of an angle in, through its sine and cosine and without a root of ``cos²``.

    Beyond a right angle that root would have the other sign than the cosine.
    """
    s = sympy.Dummy("s", real=True)
    e = e.subs(tangent, s / COSINE)
    e = e.replace(
        lambda part: part.is_Pow and part.exp.is_Rational and part.exp.q == 2,
        lambda part: _root_of_quotient(part.base.subs(s**2, 1 - COSINE**2), part.exp),
    )
    e = sympy.cancel(sympy.together(sympy.expand(e).subs(s**2, 1 - COSINE**2)))
    return e.subs({s: sympy.sin(angle), COSINE: sympy.cos(angle)})


def _root_of_quotient(base: Any, exponent: Any) -> Any:
    above, below = sympy.fraction(sympy.cancel(sympy.together(base)))
    return sympy.powdenest(above**exponent) / sympy.powdenest(below**exponent)
