"""Fields in which what vanishes faster than any exponential of `z` is a factor of its own.

``1 - erf(u)`` is ``exp(-u**2) erfcx(u)``, so that exponentials cancel before they are computed:
float64 ends where u is 27, and logarithms and quotients of error functions do not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from typing import Any

import sympy

from chainrule.derivations import Field
from chainrule.formulas import Apply, Expression, Variable, subexpressions, variables_of

_Z = Variable("z")
_FARTHEST_BELOW = 20.0  # from 0, of what the error function is taken of: erfcx overflows at -26


@dataclass
class TailField(Field):
    """A field for one sign of `z` that writes error functions over ``erfcx``."""

    def prepare(self, *expressions: Expression) -> None:
        """Choose one exponential for all whose exponents are whole multiples of one another."""
        super().prepare(*expressions)
        parts = [e for whole in expressions for e in subexpressions(whole) if isinstance(e, Apply)]
        exponents = [found for e in parts for found in self._exponents_in(e)]
        while exponents:
            first = exponents[0]
            ratios = [sympy.cancel(exponent / first) for exponent in exponents]
            unit = reduce(sympy.gcd, [abs(ratio) for ratio in ratios if ratio.is_Rational])
            if any(e.operation == "sqrt" and variables_of(e) for e in parts):
                unit /= 2
            self._exp_generator(sympy.expand(first * unit))
            exponents = [e for e, r in zip(exponents, ratios, strict=True) if not r.is_Rational]

    def _exponents_in(self, e: Apply) -> Iterator[Any]:
        if e.operation not in ("exp", "erf"):
            return
        argument = sympy.expand(self.translation.to_sympy(e.arguments[0]))
        argument = argument.subs(self.translation.symbol(_Z), self.z)
        if not argument.is_polynomial(self.x):
            return
        exponent = sympy.expand(argument if e.operation == "exp" else -(argument**2))
        if sympy.degree(exponent, self.x) > 1:
            yield exponent if self._leading(exponent) < 0 else -exponent

    def _leading(self, argument: Any) -> float:
        return self.number(sympy.Poly(argument, self.x).LC())

    def _opaque(self, kind: str, argument: Any) -> Any:
        if kind != "erf" or not self.depends(argument) or not self._is_polynomial(argument):
            return super()._opaque(kind, argument)
        sign = 1 if self._leading(argument) > 0 else -1
        u = sympy.expand(sign * argument)
        if self.number(u.subs(self.x, 0)) < -_FARTHEST_BELOW:
            return super()._opaque(kind, argument)
        return sign * (1 - self._exp_generator(-(u**2)) * self._new("erfcx", u))

    def log(self, argument: Any) -> Any:
        """``log(exp(p)**k R) -> k p + log(R)``."""
        rest, exponent = self._without_exponentials(argument, 1)
        return exponent + super().log(rest)

    def root(self, argument: Any) -> Any:
        """``sqrt(exp(p)**(2 k) R) -> exp(p)**k sqrt(R)``."""
        rest, exponent = self._without_exponentials(argument, 2)
        return self.exp(exponent / 2) * super().root(rest)

    def _without_exponentials(self, argument: Any, step: int) -> tuple[Any, Any]:
        """Return what is left of a quotient, and the exponent of what was taken out of it."""
        rest, exponent = sympy.cancel(sympy.together(argument)), sympy.Integer(0)
        for g in [g for g in self.generators if g.kind == "exp" and g is not self.exponential]:
            for sign, part in zip((1, -1), sympy.fraction(rest), strict=True):
                power = min(monomial[0] for monomial in sympy.Poly(part, g.symbol).monoms())
                power -= power % step
                rest = sympy.cancel(rest / g.symbol ** (sign * power))
                exponent += sign * power * g.argument
        return rest, exponent


def loses_tails(field: Field, above: Any, below: Any) -> bool:
    """Tell whether all of a quotient or of a logarithm vanishes where exponentials have."""
    if field.side is None:
        return False
    gone = {}
    for g in field.generators:
        if g is field.exponential or not g.argument.is_polynomial(field.x):
            continue
        if g.kind == "exp":
            gone[g.symbol] = 0
        elif g.kind == "erf":
            leading = sympy.Poly(g.argument, field.x).LC()
            if not leading.free_symbols & {g.symbol for g in field.generators}:
                gone[g.symbol] = 1 if field.number(leading) > 0 else -1

    def vanishes(e: Any) -> bool:
        return bool(e.has(*gone) and sympy.expand(sympy.numer(e).subs(gone)) == 0)

    roots = [g.argument for g in field.generators if g.kind in ("log", "sqrt")]
    return bool(gone) and (any(map(vanishes, roots)) or (vanishes(above) and vanishes(below)))
