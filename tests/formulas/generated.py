"""Formulas that nobody has written: the whole language, with awkward numbers and places.

A formula is drawn as a tree and written as text; what the package reads is the text, and what the
tests compare with is the tree, evaluated in mpmath.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from typing import Any

from hypothesis import strategies as st
from tests.formulas.language import CALLED, INFIX, OVER_UNITS

from chainrule.formulas import Apply, Constant, Expression, Parameter, Pi, Variable, parameters_of

SMOOTH = (
    *("exp", "expm1", "log", "log1p", "sqrt", "tanh", "sinh", "cosh", "sin", "cos", "atan"),
    *("asinh", "erf"),
)
COMPARISONS = ("greater", "less", "greater_equal", "less_equal", "equal", "not_equal")
TAME = (1.0, 2.0, -1.0, 0.5, 0.25, -1.5, 0.1, 3.0, 1.702, 1 / 3)
AWKWARD = (0.0, -0.0, 1e-300, 1e300, -1e300, 5e-324, 1e-8, 1e8, -1e-12, 1e17, 709.5, 1 + 2**-52)
NUMBERS = (
    *("0", "1", "2", "3", "1/2", "1/4", "1/3", "1/10", "851/500", "1/1000", "7", "20", "10/7"),
    *("100", "44715/1000000"),
)
AWKWARD_NUMBERS = (
    *(f"1/{10**300}", f"{10**300}", "1/1000000000000", "1000000000", "30000", "800"),
    "1234567890123456789/1000",
)
EXPONENTS = ("2", "3", "1", "0", "1/2", "3/2", "4", "1/3", "7/10", "5", "12", "41", "500", "100/3")
NAMES = ("alpha", "beta_1", "u0", "g", "n", "S", "I", "E", "J", "x", "Dummy", "lambda_2")


@dataclass(frozen=True)
class Written:
    """A formula as a tree, as text, and with the values of its parameters."""

    expression: Expression
    parameters: tuple[tuple[str, float], ...]

    @property
    def text(self) -> str:
        """The formula with brackets around every operation."""
        return written(self.expression)

    @property
    def values(self) -> dict[str, float]:
        """The parameters by name."""
        return dict(self.parameters)

    def __repr__(self) -> str:
        return f"parse({self.text!r}, {self.values!r})"


def written(e: Expression) -> str:
    """Return text of the language with brackets around every operation."""
    if isinstance(e, Constant):
        return _number(e.value)
    if isinstance(e, Pi):
        return "pi"
    if isinstance(e, Variable | Parameter):
        return e.name
    parts = [written(argument) for argument in e.arguments]
    if e.operation == "negate":
        return f"(-{parts[0]})"
    if e.operation in INFIX:
        return f"({parts[0]}{INFIX[e.operation]}{parts[1]})"
    return f"{CALLED.get(e.operation, e.operation)}({', '.join(parts)})"


def _number(value: Fraction) -> str:
    if value < 0:
        return f"(-{_number(-value)})"
    digits, power = str(value.numerator).rstrip("0") or "0", 0
    if value.denominator == 1 and value >= 10**6 and len(digits) < 20:
        power = len(str(value.numerator)) - len(digits)
        return f"{digits}e{power}"
    if value.denominator != 1 and (10**300) % value.denominator == 0:
        scaled = value * 10**300
        digits = str(scaled.numerator).rstrip("0")
        power = len(str(scaled.numerator)) - len(digits) - 300
        return f"{digits}e{power}"
    if value.denominator == 1:
        return str(value.numerator)
    return f"({value.numerator}/{value.denominator})"


def _constants(texts: Sequence[str]) -> Any:
    return st.sampled_from([Constant(Fraction(text)) for text in texts])


def _call(operations: Sequence[str], *arguments: Any) -> Any:
    return st.builds(lambda name, *x: Apply(name, x), st.sampled_from(list(operations)), *arguments)


def _nested(operations: Sequence[str], inner: Expression) -> Expression:
    return reduce(lambda e, name: Apply(name, (e,)), operations, inner)


def _sum(terms: Sequence[Expression]) -> Expression:
    return reduce(lambda x, y: Apply("add", (x, y)), terms)


ARITHMETIC = ("add", "subtract", "multiply", "divide")


def expressions(
    variables: Sequence[str] = ("z",),
    *,
    kinks: bool = True,
    reductions: bool = False,
    awkward: bool = True,
    leaves: int = 6,
) -> Any:
    """Return a strategy of expressions over the whole language."""
    numbers = _constants(NUMBERS)
    if awkward:
        numbers = st.one_of(numbers, numbers, numbers, _constants(AWKWARD_NUMBERS))
    leaf = st.sampled_from([Variable(name) for name in variables])
    names = st.sampled_from([Parameter(name) for name in ("alpha", "beta_1", *NAMES)])
    shared = st.one_of(numbers, numbers, names, st.just(Pi()))

    def extend(inner: Any) -> Any:
        other = st.one_of(shared, inner)
        exponent = _constants(EXPONENTS)
        ways = [
            _call(SMOOTH, inner),
            _call(SMOOTH, inner),
            _call(["negate"], inner),
            _call(ARITHMETIC, inner, other),
            _call(ARITHMETIC, other, inner),
            _call(["power"], inner, exponent),
            _call(["power"], inner, st.builds(lambda e: Apply("negate", (e,)), exponent)),
            st.builds(_nested, st.lists(st.sampled_from(SMOOTH), min_size=2, max_size=6), inner),
            st.builds(_sum, st.lists(inner, min_size=3, max_size=6)),
        ]
        if awkward:
            ways += [_call(["power"], inner, shared), _call(["power"], other, inner)]
            ways += [_call(["power"], inner, names)]
        if kinks:
            condition = _call(COMPARISONS, inner, other)
            ways += [
                _call(["abs", "sign"], inner),
                _call(["maximum", "minimum"], inner, other),
                _call(["maximum", "minimum"], other, inner),
                _call(["where"], condition, inner, other),
                _call(["where"], condition, other, inner),
            ]
        if reductions:
            ways += [_call(sorted(OVER_UNITS), inner)] * 2
        return st.one_of(ways)

    return st.recursive(leaf, extend, max_leaves=leaves)


def _with_values(expression: Expression, values: Sequence[float]) -> Written:
    names = parameters_of(expression)
    return Written(expression, tuple(zip(names, values, strict=False)))


def _formulas(drawn: Any, *, awkward: bool, over_units: bool) -> Any:
    value = st.sampled_from(TAME)
    if awkward:
        value = st.one_of(value, value, value, st.sampled_from(AWKWARD))

    def fits(w: Written) -> bool:
        text = w.text
        reduces = any(f"{name}(" in text for name in ("sum", "mean")) or _has_extreme(w.expression)
        return len(text) <= 1500 and text.count("(") < 300 and reduces == over_units

    values = st.lists(value, min_size=len(NAMES), max_size=len(NAMES))
    return st.builds(_with_values, drawn, values).filter(fits)


def _has_extreme(e: Expression) -> bool:
    return isinstance(e, Apply) and (
        e.operation in ("max", "min") or any(_has_extreme(part) for part in e.arguments)
    )


def elementwise_formulas(*, leaves: int = 6, awkward: bool = True, kinks: bool = True) -> Any:
    """Return a strategy of activations that act on every unit by itself."""
    drawn = expressions(leaves=leaves, awkward=awkward, kinks=kinks)
    return _formulas(drawn, awkward=awkward, over_units=False)


def coupled_formulas(*, leaves: int = 5, awkward: bool = True) -> Any:
    """Return a strategy of activations that reach over the units of their layer."""
    inner = expressions(leaves=leaves, awkward=awkward, reductions=True)
    simple = expressions(leaves=2, awkward=awkward)
    reduced = _call(sorted(OVER_UNITS), simple)
    drawn = st.one_of(inner, _call(ARITHMETIC, inner, reduced), _call(ARITHMETIC, simple, reduced))
    return _formulas(drawn, awkward=awkward, over_units=True)


def cost_formulas(*, leaves: int = 5) -> Any:
    """Return a strategy of costs: the sum over the outputs of an expression in `a` and `y`."""
    drawn = expressions(("a", "y", "a"), leaves=leaves, awkward=False).map(
        lambda e: Apply("sum", (e,))
    )
    return _formulas(drawn, awkward=False, over_units=True)
