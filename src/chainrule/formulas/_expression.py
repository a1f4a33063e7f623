"""Expressions: what a person wrote, as an immutable tree."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Constant:
    """An exact rational number: ``0.1`` is one tenth, not the double nearest to it."""

    value: Fraction


@dataclass(frozen=True, slots=True)
class Pi:
    """The ratio of a circle's circumference to its diameter."""


@dataclass(frozen=True, slots=True)
class Variable:
    """A value that differs from unit to unit: the pre-activation `z`, in costs `a` and `y`."""

    name: str


@dataclass(frozen=True, slots=True)
class Parameter:
    """A named number that all units share."""

    name: str


@dataclass(frozen=True, slots=True)
class Apply:
    """An operation of the language applied to its arguments.

    Operations are named by words: ``add subtract multiply divide power negate``, the functions'
    own names, ``maximum minimum where``, the comparisons ``greater less greater_equal less_equal
    equal not_equal``, and over the units ``sum mean max min``.
    """

    operation: str
    arguments: tuple[Expression, ...]


Expression = Constant | Pi | Variable | Parameter | Apply

FUNCTIONS = (
    "exp", "expm1", "log", "log1p", "sqrt", "abs", "sign", "tanh", "sinh", "cosh", "sin", "cos",
    "atan", "asinh", "erf",
)  # fmt: skip
REDUCTIONS = ("sum", "mean", "max", "min")
COMPARISONS = ("greater", "less", "greater_equal", "less_equal", "equal", "not_equal")


def constant(value: Fraction | int) -> Constant:
    """Return an exact number as an expression."""
    return Constant(Fraction(value))


def subexpressions(expression: Expression) -> Iterator[Expression]:
    """Yield an expression and everything below it, parents first, left to right."""
    stack: list[Expression] = [expression]
    while stack:
        current = stack.pop()
        yield current
        if isinstance(current, Apply):
            stack.extend(reversed(current.arguments))


def substitute(
    expression: Expression, replacement: Callable[[Expression], Expression | None]
) -> Expression:
    """Replace every subexpression for which `replacement` returns something, outermost first.

    What occurs several times as one object is replaced once, and stays one object.
    """
    return _substituted(expression, replacement, {})


def _substituted(
    expression: Expression,
    replacement: Callable[[Expression], Expression | None],
    known: dict[int, Expression],
) -> Expression:
    if id(expression) in known:
        return known[id(expression)]
    result = replacement(expression)
    if result is None:
        result = expression
        if isinstance(expression, Apply):
            arguments = tuple(_substituted(e, replacement, known) for e in expression.arguments)
            result = Apply(expression.operation, arguments)
    known[id(expression)] = result
    return result


def variables_of(expression: Expression) -> frozenset[str]:
    """Return the names of the variables that occur."""
    return frozenset(e.name for e in subexpressions(expression) if isinstance(e, Variable))


def parameters_of(expression: Expression) -> tuple[str, ...]:
    """Return the names of the parameters, in order of first occurrence."""
    names = (e.name for e in subexpressions(expression) if isinstance(e, Parameter))
    return tuple(dict.fromkeys(names))


def is_layer_coupled(expression: Expression) -> bool:
    """Tell whether a reduction over the units of the layer occurs."""
    return any(
        isinstance(e, Apply) and e.operation in REDUCTIONS for e in subexpressions(expression)
    )
