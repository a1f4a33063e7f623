"""Expressions handed to SymPy and back: polynomial algebra on request, never on construction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import sympy

from chainrule.derivations._time_limit import TimeLimitError
from chainrule.formulas import (
    Apply,
    Constant,
    Expression,
    FormulaError,
    Parameter,
    Pi,
    Variable,
    to_text,
)
from chainrule.formulas._sympy import read_sympy

ARITHMETIC: dict[str, Callable[..., Any]] = {
    "add": lambda x, y: x + y,
    "subtract": lambda x, y: x - y,
    "multiply": lambda x, y: x * y,
    "divide": lambda x, y: x / y,
    "power": lambda x, y: x**y,
    "negate": lambda x: -x,
    "reciprocal": lambda x: 1 / x,
}
_NUMBER_BITS = 1 << 13
# What SymPy raises where it cannot do what is asked, and what `time_limit` raises.
FAILURES = (
    TimeLimitError, FormulaError, sympy.PolynomialError, NotImplementedError, ArithmeticError,
    TypeError, ValueError, AttributeError, KeyError, RecursionError,
)  # fmt: skip
FUNCTIONS: dict[str, Any] = {
    "exp": sympy.exp, "log": sympy.log, "sqrt": sympy.sqrt, "tanh": sympy.tanh,
    "sinh": sympy.sinh, "cosh": sympy.cosh, "sin": sympy.sin, "cos": sympy.cos,
    "atan": sympy.atan, "asinh": sympy.asinh, "erf": sympy.erf,
    "log1p": lambda x: sympy.log(1 + x), "expm1": lambda x: sympy.exp(x) - 1,
}  # fmt: skip


@dataclass
class Translation:
    """A two-way dictionary between leaves of expressions and SymPy symbols.

    What algebra cannot look into (``max``, ``abs``, indicators, reductions) becomes a symbol of
    its own and comes back as it was.
    """

    symbols: dict[Expression, Any] = field(default_factory=dict)
    meaning: dict[Any, Expression] = field(default_factory=dict)

    def symbol(self, expression: Expression, *, positive: bool | None = None) -> Any:
        """Return the symbol that stands for an expression."""
        if expression not in self.symbols:
            shown = expression.name if isinstance(expression, Variable | Parameter) else None
            name = shown or to_text(expression)
            symbol = sympy.Dummy(name, real=True, positive=positive)
            self.symbols[expression] = symbol
            self.meaning[symbol] = expression
        return self.symbols[expression]

    def to_sympy(self, expression: Expression) -> Any:
        """Return the SymPy form."""
        if isinstance(expression, Constant):
            return sympy.Rational(expression.value.numerator, expression.value.denominator)
        if isinstance(expression, Pi):
            return sympy.pi
        if isinstance(expression, Apply):
            parts = expression.arguments
            rule = ARITHMETIC.get(expression.operation) or FUNCTIONS.get(expression.operation)
            if rule is not None:
                x = [self.to_sympy(part) for part in parts]
                if expression.operation != "power" or is_short(*x):
                    return rule(*x)
        return self.symbol(expression)

    def to_expression(self, e: Any) -> Expression:
        """Return the expression of a SymPy form."""
        return read_sympy(e, lambda symbol: self.meaning[symbol])


def is_short(base: Any, exponent: Any) -> bool:
    """Tell whether a power can be taken: SymPy writes powers of numbers out at once."""
    if not exponent.is_Rational:
        return True
    number = base.as_coeff_Mul()[0]
    bits = max(number.p.bit_length(), number.q.bit_length()) if number.is_Rational else 1
    return bool(max(abs(exponent.p) // exponent.q, 1) * bits <= _NUMBER_BITS)


def without_shared(
    difference: Any, to_expression: Callable[[Any], Expression]
) -> tuple[Expression, Expression]:
    """Return two sides of which the first less the second is an expanded difference."""
    terms = sympy.Add.make_args(difference)
    below = [-term for term in terms if term.could_extract_minus_sign()]
    above = [term for term in terms if not term.could_extract_minus_sign()]
    return to_expression(sympy.Add(*above)), to_expression(sympy.Add(*below))
