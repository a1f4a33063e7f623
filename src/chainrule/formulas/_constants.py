"""Values of what holds no variable, to refuse ``1/(alpha - alpha)`` before anything is derived."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator, Mapping

from chainrule.formulas._expression import (
    Apply,
    Constant,
    Expression,
    Parameter,
    Pi,
    variables_of,
)

_VALUES: dict[str, Callable[..., float]] = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": operator.truediv,
    "power": math.pow,
    "negate": operator.neg,
    "maximum": max,
    "minimum": min,
    "abs": abs,
    "sign": lambda x: float((x > 0) - (x < 0)),
    "greater": operator.gt,
    "less": operator.lt,
    "greater_equal": operator.ge,
    "less_equal": operator.le,
    "equal": operator.eq,
    "not_equal": operator.ne,
    "where": lambda condition, x, y: x if condition else y,
}


def undefined_constant(expression: Expression, values: Mapping[str, float]) -> Expression | None:
    """Return a part without variables whose value is not a finite number, or by which 0 divides."""
    for part in _constant_parts(expression):
        if not math.isfinite(_value(part, values)):
            return part
    for part in _divisors(expression):
        if not variables_of(part) and _value(part, values) == 0.0:
            return part
    return None


def _constant_parts(e: Expression) -> Iterator[Expression]:
    if not variables_of(e):
        yield e
    elif isinstance(e, Apply):
        for argument in e.arguments:
            yield from _constant_parts(argument)


def _divisors(e: Expression) -> Iterator[Expression]:
    if isinstance(e, Apply):
        if e.operation == "divide":
            yield e.arguments[1]
        for argument in e.arguments:
            yield from _divisors(argument)


def _value(e: Expression, values: Mapping[str, float]) -> float:
    match e:
        case Constant(value):
            return float(value)
        case Pi():
            return math.pi
        case Parameter(name):
            return values[name]
        case Apply(operation, arguments):
            try:
                function = _VALUES.get(operation) or getattr(math, operation)
                return float(function(*(_value(argument, values) for argument in arguments)))
            except (ArithmeticError, ValueError):
                return math.nan
    return math.nan
