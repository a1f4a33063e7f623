"""The shortest of many ways to write a form, as an author would."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import mpmath
import sympy

from chainrule.derivations._algebra import Translation
from chainrule.derivations._arithmetic import size
from chainrule.derivations._evaluate import evaluate
from chainrule.derivations.output_forms._places import Place
from chainrule.formulas import Apply, Expression


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
    for choice in e.atoms(sympy.Piecewise):
        (beyond, condition), (within, _) = choice.args
        held = translation.to_expression(sympy.Piecewise((1, condition), (0, True)))
        assert isinstance(held, Apply)
        parts = (shortest(e.subs(choice, part), translation) for part in (beyond, within))
        return Apply("where", (held.arguments[0], *parts))
    signs = _Signs(translation, places or [], values or {})
    ways = {w: None for way in _ways(e) for w in (way, signs.without_roots_of_products(way))}
    return min((translation.to_expression(way) for way in ways), key=size)


def _ways(e: Any) -> Iterator[Any]:
    e = _without_signs(e)
    yield from (e, sympy.factor(e), sympy.expand(e), sympy.together(e))
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

    def without_roots_of_products(self, e: Any) -> Any:
        """``sqrt(-(1 + a)**3*(a - 1)**3) -> (1 - a**2)**(3/2)``, where 1 - a**2 is positive."""
        if not self.places:
            return e
        return e.replace(
            lambda part: part.is_Pow and part.exp.is_Rational and part.exp.q > 1,
            lambda part: self.root(part.base, part.exp),
        )

    def root(self, base: Any, exponent: Any) -> Any:
        number, factors = sympy.factor_list(base) if base.is_polynomial() else (1, ())
        if not factors:
            above, below = sympy.fraction(sympy.factor(base))
            if below.has(*below.free_symbols) and below.free_symbols:
                return self.root(above, exponent) / self.root(below, exponent)
            return base**exponent
        groups: dict[Any, Any] = {}
        for factor, multiplicity in factors:
            sign = self.of(factor)
            if sign == 0:
                return base**exponent
            groups[multiplicity] = groups.get(multiplicity, 1) * factor * sign
            number = number * sign**multiplicity
        if number.is_positive is not True:
            return base**exponent
        result = number**exponent
        for multiplicity, group in groups.items():
            ways = (group, sympy.expand(group))
            chosen = min(ways, key=lambda way: size(self.translation.to_expression(way)))
            result *= chosen ** (multiplicity * exponent)
        return result


def _without_signs(e: Any) -> Any:
    """``sign(x)**2 -> 1``; the limit at 0 is the other factor's."""
    return e.replace(
        lambda part: part.is_Pow and isinstance(part.base, sympy.sign) and part.exp.is_even,
        lambda part: sympy.Integer(1),
    )


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
    for angle in {part.args[0] for part in e.atoms(sympy.tan)}:
        s, c = sympy.Dummy("s"), sympy.Dummy("c")
        above, below = sympy.fraction(sympy.together(e.subs(sympy.tan(angle), s / c)))
        if not (above.is_polynomial(s, c) and below.is_polynomial(s, c)):
            continue
        relation = s**2 + c**2 - 1
        e = sympy.cancel(sympy.rem(above, relation, s) / sympy.rem(below, relation, s))
        e = e.subs({s: sympy.sin(angle), c: sympy.cos(angle)})
    return e
