"""Expressions handed to SymPy and back: polynomial algebra on request, never on construction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, TypeVar

import sympy
from sympy.polys.polyerrors import BasePolynomialError

from chainrule.derivations.limits_in_time._time_limit import TimeLimitError, time_limit
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
HIGHEST_DEGREE = 1 << 10  # factors of polynomials are sought with primes of as many bits
_SHORT_BITS = 128
_T = TypeVar("_T")
# What SymPy raises where it cannot do what is asked, and what `time_limit` raises.
FAILURES = (
    TimeLimitError, FormulaError, BasePolynomialError, NotImplementedError, ArithmeticError,
    TypeError, ValueError, AttributeError, LookupError, RecursionError, MemoryError,
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
    its own and comes back as it was. So do, where only writing counts, numbers so long that
    factors take their time over them.
    """

    symbols: dict[Expression, Any] = field(default_factory=dict)
    meaning: dict[Any, Expression] = field(default_factory=dict)
    names_long_numbers: bool = False

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
            return self._number(expression.value)
        if isinstance(expression, Pi):
            return sympy.pi
        if isinstance(expression, Apply):
            parts = expression.arguments
            rule = ARITHMETIC.get(expression.operation) or FUNCTIONS.get(expression.operation)
            if rule is not None:
                x = [self.to_sympy(part) for part in parts]
                if is_written_short(expression.operation, x):
                    return rule(*x)
        return self.symbol(expression)

    def _number(self, value: Fraction) -> Any:
        bits = max(value.numerator.bit_length(), value.denominator.bit_length())
        if bits <= _SHORT_BITS or not self.names_long_numbers:
            return sympy.Rational(value.numerator, value.denominator)
        symbol = self.symbol(Constant(abs(value)), positive=True)
        return symbol if value > 0 else -symbol

    def to_expression(self, e: Any) -> Expression:
        """Return the expression of a SymPy form."""
        return read_sympy(e, lambda symbol: self.meaning[symbol])


def attempt(seconds: float, work: Callable[[], _T], otherwise: _T) -> _T:
    """Return what algebra finds; `otherwise` where the time is up or SymPy cannot go on."""
    try:
        with time_limit(seconds):
            return work()
    except FAILURES:
        return otherwise


def atoms_of(e: Any, *kinds: Any) -> list[Any]:
    """Return the parts of some kinds, always in the same order."""
    return sorted(e.atoms(*kinds), key=sympy.default_sort_key)


def with_factors_joined(e: Any) -> Any:
    """``(1 - z)*(1 + z) -> 1 - z**2``: where a product of sums has no more terms than one of them.

    Parameters
    ----------
    e : sympy.Expr
        As `sympy.factor` writes it.
    """
    if not e.is_Mul:
        return e
    groups: dict[Any, list[Any]] = {}
    for factor in e.args:
        base, exponent = factor.as_base_exp()
        group = groups.setdefault(exponent if base.is_Add else None, [])
        if not base.is_Add:
            group.append(factor)
            continue
        for k, other in enumerate(group):
            product = sympy.expand(base * other)
            terms = len(sympy.Add.make_args(product))
            if terms <= max(len(base.args), len(other.args)):
                is_negative = product.is_Add and product.as_coeff_Add()[0] < 0
                group[k] = -product if exponent.is_even and is_negative else product
                break
        else:
            group.append(base)
    rest = groups.pop(None, [])
    return sympy.Mul(*rest, *(base**n for n, group in groups.items() for base in group))


def with_powers_named(e: Any, names: dict[Any, Any]) -> Any:
    """Put symbols for powers with an exponent of letters: ``x**(p - 1)`` is one of them over x.

    Parameters
    ----------
    e : sympy.Expr
    names : dict
        The symbols of such powers, to which new ones are added.
    """

    def named(part: Any) -> Any:
        number, letters = part.exp.as_coeff_Add()
        core = part.base**letters
        if core not in names:
            names[core] = sympy.Dummy(f"power{len(names)}", real=True, positive=core.is_positive)
        return names[core] * part.base**number

    return e.replace(lambda part: part.is_Pow and bool(part.exp.free_symbols), named)


def with_names_put_back(e: Any, names: Mapping[Any, Any]) -> Any:
    """Undo naming: what was named last may hold what was named before."""
    for core, symbol in reversed(list(names.items())):
        e = put_in(e, symbol, core)
    return e


def is_short(base: Any, exponent: Any) -> bool:
    """Tell whether a power can be taken: SymPy writes powers of numbers out at once.

    So it does with ``2**(n + x)`` when it expands, of which the number counts.
    """
    number = base.as_coeff_Mul()[0]
    if not exponent.is_Rational:
        exponent = (exponent if abs(number) == 1 else _at_zero(exponent)).as_coeff_Add()[0]
    parts = (abs(number.p), number.q) if number.is_Rational else (1,)
    bits = max(part.bit_length() for part in parts)
    # Of a root of several primes it writes out a product of their powers below the root's degree.
    simple = all(part < 2 or sympy.isprime(part) for part in parts)
    steps = max(abs(exponent.p) // exponent.q, 1 if simple else exponent.q)
    return bool(steps * bits <= (_NUMBER_BITS if base.is_number else HIGHEST_DEGREE))


def put_in(e: Any, symbol: Any, value: Any) -> Any:
    """Return a SymPy form with a value for a symbol, as ``subs`` does.

    Raises
    ------
    OverflowError
        Where that writes out a power of a number that is too long: nothing can interrupt it.
    """
    if e == symbol:
        return value
    if not e.has(symbol):
        return e
    return with_parts(e, [put_in(part, symbol, value) for part in e.args])


def with_parts(e: Any, parts: Sequence[Any]) -> Any:
    """Return a SymPy form with other arguments.

    Raises
    ------
    OverflowError
        Where that writes out a power of a number that is too long: nothing can interrupt it.
    """
    operation = "power" if e.is_Pow else "exp" if isinstance(e, sympy.exp) else ""
    if not is_written_short(operation, parts):
        raise OverflowError("a power too long to be written out")
    return e.func(*parts)


def is_written_short(operation: str, arguments: Sequence[Any]) -> bool:
    """Tell whether SymPy can be given an operation: see `is_short`."""
    if operation == "power":
        return is_short(*arguments)
    return operation not in ("exp", "expm1") or is_short_exponential(arguments[0])


def is_short_exponential(exponent: Any) -> bool:
    """As `is_short`, of ``exp(c*log(b))``, which SymPy writes as a power."""
    if not exponent.has(sympy.log):
        return True
    terms = [term.as_coeff_Mul() for term in sympy.Add.make_args(_at_zero(exponent))]
    return all(is_short(sympy.Integer(2), c) for c, rest in terms if rest.has(sympy.log))


def _at_zero(e: Any) -> Any:
    """Return what is constant in a sum of powers of letters, without multiplying it out.

    That would take long, and what is constant in it shows where all the powers are 0.
    """
    letters = dict.fromkeys(e.free_symbols, sympy.Integer(0))
    powers = {
        p: sympy.Integer(0) for p in e.atoms(sympy.Pow) if p.base in letters and p.exp.is_negative
    }
    value = e.xreplace(powers).xreplace(letters)
    return value if value.is_finite else e


def without_shared(
    difference: Any, to_expression: Callable[[Any], Expression]
) -> tuple[Expression, Expression]:
    """Return two sides of which the first less the second is an expanded difference."""
    terms = sympy.Add.make_args(difference)
    below = [-term for term in terms if term.could_extract_minus_sign()]
    above = [term for term in terms if not term.could_extract_minus_sign()]
    return to_expression(sympy.Add(*above)), to_expression(sympy.Add(*below))
