"""Fields in which hyperbolic functions of one argument cancel before they are computed.

``cosh(u)`` is 1/s and ``sinh(u)`` is tanh(u)/s for the bounded ``s = 1/cosh(u)``: float64 ends
where u is 710, and quotients and logarithms of hyperbolic functions do not.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import Any

import sympy

from chainrule.derivations import Field
from chainrule.formulas import Apply, Expression, subexpressions, variables_of

_HYPERBOLIC = ("sinh", "cosh", "tanh")


@dataclass
class HyperbolicField(Field):
    """A field that writes sinh and cosh of what is no line in z over tanh and sech.

    It does so where both occur, or a logarithm of cosh, which is a function of its own. In sums,
    exponentials of what grows are 1 over those that decay.
    """

    joined: set[Expression] = dataclass_field(default_factory=set)
    in_sums: set[Apply] = dataclass_field(default_factory=set)

    def prepare(self, *expressions: Expression) -> None:
        """Note of which arguments cosh stands beside another function that it cancels with.

        And exponentials in sums, where what grows is to be one over what decays.
        """
        super().prepare(*expressions)
        parts = [e for whole in expressions for e in subexpressions(whole)]
        of_cosh = _arguments_of(parts, "cosh")
        in_logarithms = {
            e
            for part in parts
            if isinstance(part, Apply) and part.operation in ("log", "log1p")
            for e in _arguments_of(subexpressions(part), "cosh")
        }
        others = {*_arguments_of(parts, "sinh"), *_arguments_of(parts, "tanh"), *in_logarithms}
        self.joined |= {e for e in of_cosh & others if variables_of(e)}
        sums = [e for e in parts if isinstance(e, Apply) and e.operation in ("add", "subtract")]
        self.in_sums |= {
            e
            for whole in sums
            for e in subexpressions(whole)
            if isinstance(e, Apply) and e.operation == "exp"
        }

    def _build(self, e: Expression) -> Any:
        if e in self.in_sums and self._grows(argument := self.build(e.arguments[0])):
            return 1 / self.exp(-argument)
        if not isinstance(e, Apply) or e.operation not in _HYPERBOLIC:
            return super()._build(e)
        argument = sympy.cancel(self.build(e.arguments[0]))
        if e.arguments[0] not in self.joined or self._is_line(argument):
            return super()._build(e)
        tanh = self._opaque("tanh", argument)
        if e.operation == "tanh":
            return tanh
        argument = -argument if argument.could_extract_minus_sign() else argument
        sech = self._new("sech", argument)
        return 1 / sech if e.operation == "cosh" else tanh / sech

    def _is_line(self, argument: Any) -> bool:
        return self._is_polynomial(argument) and sympy.degree(argument, self.x) < 2

    def _grows(self, argument: Any) -> bool:
        """Tell whether what is no polynomial is seen not to be negative wherever x is not."""
        if self.side is None or self._is_polynomial(argument):
            return False
        if self.exponential is not None:  # it lies between 0 and 1
            reciprocal = 1 + sympy.Dummy("excess", nonnegative=True)
            argument = argument.subs(self.exponential.symbol, 1 / reciprocal)
        parts = sympy.fraction(sympy.cancel(sympy.together(argument)))
        return all(sympy.expand(part).is_nonnegative for part in parts)

    def log(self, argument: Any) -> Any:
        """``log(sech(u)**k exp(-v)**m R) -> -k log_cosh(u) - m v + log(R)``."""
        result: Any = sympy.Integer(0)
        for g in list(self.generators):
            if g.kind != "sech" and not (g.kind == "exp" and self._grows(-g.argument)):
                continue
            rest = sympy.cancel(sympy.together(argument))
            for sign, part in zip((1, -1), sympy.fraction(rest), strict=True):
                power = min(monomial[0] for monomial in sympy.Poly(part, g.symbol).monoms())
                if power:
                    argument = sympy.cancel(rest / g.symbol ** (sign * power))
                    is_sech = g.kind == "sech"
                    of_one = -self._new("log_cosh", g.argument) if is_sech else g.argument
                    result += sign * power * of_one
        return result + super().log(argument)

    def normal(self, e: Any) -> tuple[Any, Any]:
        """Return a quotient in lowest terms, with ``1 - tanh(u)**2`` as ``sech(u)**2``."""
        above, below = super().normal(e)
        squares = {g.argument: g.symbol**2 for g in self.generators if g.kind == "sech"}
        for g in self.generators:
            if g.kind == "tanh" and g.argument in squares:
                relation = g.symbol**2 + squares[g.argument] - 1
                above, below = (_reduced(part, relation, g.symbol) for part in (above, below))
        above, below = sympy.fraction(sympy.cancel(above / below))
        return above, below


def _arguments_of(parts: Iterable[Expression], name: str) -> set[Expression]:
    return {e.arguments[0] for e in parts if isinstance(e, Apply) and e.operation == name}


def _reduced(e: Any, relation: Any, symbol: Any) -> Any:
    """Return a polynomial without squares of a symbol, if it has fewer terms then."""
    other = sympy.expand(sympy.rem(e, relation, symbol))
    is_shorter = len(sympy.Add.make_args(other)) < len(sympy.Add.make_args(sympy.expand(e)))
    return other if is_shorter else e
