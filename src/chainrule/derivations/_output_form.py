"""The derivative through the output: ∂a/∂z = D(a), found by elimination.

On a smooth piece f and f' are rational in generators of `z`. From ``a = F``, ``d = F'`` and the
generators' relations the generators are eliminated by resultants; what is left is a polynomial in
a and d. A branch of it that is not proved on the piece is rejected.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import mpmath
import sympy

from chainrule.derivations._algebra import Translation
from chainrule.derivations._arithmetic import size
from chainrule.derivations._evaluate import evaluate
from chainrule.derivations._field import Field, NotInFieldError
from chainrule.derivations._pieces import Piece
from chainrule.derivations._time_limit import TimeLimitError, time_limit
from chainrule.formulas import Expression, Variable

_SECONDS = 4.0
_A = Variable("a")


@dataclass(frozen=True)
class OutputForm:
    """The derivative of a smooth piece written in its own output.

    Parameters
    ----------
    derivative : Expression
        D(a), in `a` and parameters.
    generator, inverse : Expression or None
        What was eliminated, and its value in `a`, where it is a rational one: the step that
        turns the derivative into D(a).
    """

    derivative: Expression
    generator: Expression | None = None
    inverse: Expression | None = None


def output_form(
    piece: Piece, values: dict[str, float], low: float, high: float
) -> OutputForm | None:
    """Return the form through the output of a smooth piece on (low, high), if one is found."""
    try:
        with time_limit(_SECONDS):
            return _Elimination(piece, values, low, high).form()
    except (TimeLimitError, NotInFieldError, sympy.PolynomialError, NotImplementedError,
            ArithmeticError, TypeError, ValueError):  # fmt: skip
        return None


class _Elimination:
    def __init__(self, piece: Piece, values: dict[str, float], low: float, high: float) -> None:
        self.piece = piece
        self.values = values
        self.field = Field(values)
        self.field.prepare(piece.expression, piece.derivative)
        self.value = self.field.normal(self.field.build(piece.expression))
        self.slope = self.field.normal(self.field.build(piece.derivative))
        self.a = self.field.translation.symbol(_A)
        self.d = sympy.Dummy("d", real=True)
        self.places = _places(low, high)

    def form(self) -> OutputForm | None:
        slope = self.slope[0] / self.slope[1]
        if not self.field.depends(slope):
            return OutputForm(self.field.translation.to_expression(slope))
        direct = self.through(self.a, self.value)
        if direct is not None:
            return direct
        for g in self.field.generators:
            if g.kind == "log" and self.value[0].has(g.symbol):
                return self.through_exponential(g.symbol)
        return None

    def through_exponential(self, logarithm: Any) -> OutputForm | None:
        """Where a holds a logarithm, exp(c a) may be rational in the generators: use it for a."""
        value = self.value[0] / self.value[1]
        coefficient = sympy.cancel(sympy.diff(value, logarithm))
        if self.field.depends(coefficient):
            return None
        scale = sympy.cancel(1 / coefficient)
        exponential = self.field.exp(sympy.expand(scale * value))
        symbol = sympy.Dummy("A", positive=True)
        self.field.translation.meaning[symbol] = self.field.translation.to_expression(
            sympy.exp(scale * self.a)
        )
        return self.through(symbol, self.field.normal(exponential))

    def through(self, symbol: Any, form: tuple[Any, Any]) -> OutputForm | None:
        """Eliminate the generators between ``symbol = form`` and ``d = slope``."""
        wanted = [
            sympy.expand(symbol * form[1] - form[0]),
            sympy.expand(self.d * self.slope[1] - self.slope[0]),
        ]
        generators = self.generators_of(wanted)
        relations = [r for r in self.field.relations() if r.free_symbols & set(generators)]
        transcendental = [g for g in generators if not self.is_root(g)]
        if len(transcendental) != 1:
            return None
        roots = [g for g in generators if self.is_root(g)]
        polynomials = [*wanted, *relations]
        for generator in [*reversed(roots), *transcendental]:
            polynomials = self.eliminated(polynomials, generator)
        found = [p for p in polynomials if p.has(self.d)]
        if not found:
            return None
        solution = self.branch(found[0], symbol, form)
        if solution is None:
            return None
        translation = self.field.translation
        derivative = shortest(solution, translation)
        return OutputForm(derivative, *self.inverse(transcendental[0], symbol, wanted[0], roots))

    def generators_of(self, polynomials: list[Any]) -> list[Any]:
        field = self.field
        known = [field.x, *(g.symbol for g in field.generators)]
        used = set().union(*(p.free_symbols for p in polynomials)) & set(known)
        for g in reversed(field.generators):
            if g.symbol in used and g.kind == "sqrt":
                used |= g.argument.free_symbols & set(known)
        return [symbol for symbol in known if symbol in used]

    def is_root(self, symbol: Any) -> bool:
        return any(g.symbol == symbol and g.kind == "sqrt" for g in self.field.generators)

    def eliminated(self, polynomials: list[Any], generator: Any) -> list[Any]:
        with_it = [p for p in polynomials if p.has(generator)]
        rest = [p for p in polynomials if not p.has(generator)]
        if not with_it:
            return rest
        with_it.sort(key=lambda p: sympy.degree(p, generator))
        for other in with_it[1:]:
            rest.append(sympy.expand(sympy.resultant(with_it[0], other, generator)))
        return rest

    def branch(self, polynomial: Any, symbol: Any, form: tuple[Any, Any]) -> Any:
        """Return the solution for d that holds on the whole piece."""
        _, factors = sympy.factor_list(polynomial)
        for factor, _ in factors:
            if not factor.has(self.d) or sympy.degree(factor, self.d) > 2:
                continue
            for solution in sympy.solve(factor, self.d):
                if self.holds(solution, symbol, form):
                    return solution
        return None

    def holds(self, solution: Any, symbol: Any, form: tuple[Any, Any]) -> bool:
        """Check a branch against the derivative in 50 digits at places spread over the piece."""
        checked = 0
        with mpmath.workdps(50):
            for place in self.places:
                slope = evaluate(self.piece.derivative, {**self.values, "z": place})
                if not mpmath.isfinite(slope):
                    continue
                above, below = (self.field.evaluate(part, place) for part in form)
                known = {symbol: above / below}
                for s, leaf in self.field.translation.meaning.items():
                    name = getattr(leaf, "name", None)
                    if name in self.values:
                        known[s] = mpmath.mpf(self.values[name])
                symbols = sorted(solution.free_symbols, key=str)
                got = sympy.lambdify(symbols, solution, "mpmath")(*(known[s] for s in symbols))
                if abs(got - slope) > mpmath.mpf(10) ** -30 * (1 + abs(slope)):
                    return False
                checked += 1
        return checked >= 3

    def inverse(
        self, generator: Any, symbol: Any, polynomial: Any, roots: list[Any]
    ) -> tuple[Expression | None, Expression | None]:
        """Return the eliminated generator and its value in the output, if that is rational."""
        if roots or sympy.degree(polynomial, generator) != 1 or symbol != self.a:
            return None, None
        translation = self.field.translation
        for g in self.field.generators:
            if g.symbol == generator:
                translation.meaning[generator] = translation.to_expression(
                    sympy.Function(g.kind)(g.argument) if g.kind != "exp" else sympy.exp(g.argument)
                )
        solved = sympy.solve(polynomial, generator)
        if len(solved) != 1:
            return None, None
        value = translation.to_expression(sympy.factor(solved[0]))
        return translation.to_expression(generator), value


def shortest(e: Any, translation: Translation) -> Expression:
    """Return the shortest of the usual ways to write an expression."""
    ways = (sympy.factor(e), sympy.expand(e), sympy.together(e))
    return min((translation.to_expression(way) for way in ways), key=size)


def _places(low: float, high: float) -> list[Any]:
    infinite = mpmath.inf
    if low == -infinite and high == infinite:
        low, high = -3.0, 3.0
    elif low == -infinite:
        low = high - 5.0
    elif high == infinite:
        high = low + 5.0
    steps = ("0.07", "0.23", "0.41", "0.58", "0.77", "0.93")
    return [mpmath.mpf(low) + (mpmath.mpf(high) - low) * mpmath.mpf(s) for s in steps]
