"""Values of what holds no variable, to refuse ``1/(alpha - alpha)`` before anything is derived."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping

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
}


def undefined_constant(expression: Expression, values: Mapping[str, float]) -> Expression | None:
    """Return a part without variables whose value is not a finite number, or by which 0 divides.

    A branch that the parameters' values do not take is not evaluated.
    """
    if not variables_of(expression):
        return None if math.isfinite(_value(expression, values)) else expression
    if not isinstance(expression, Apply):
        return None
    match expression.operation, expression.arguments:
        case "where", (condition, x, y) if not variables_of(condition):
            branch = x if _value(condition, values) else y
            parts: tuple[Expression, ...] = (condition, branch)
        case "divide", (_, divisor) if not variables_of(divisor) and not _value(divisor, values):
            return divisor
        case _, parts:
            pass
    undefined = (undefined_constant(part, values) for part in parts)
    return next((part for part in undefined if part is not None), None)


def _value(e: Expression, values: Mapping[str, float]) -> float:
    match e:
        case Constant(value):
            return float(value)
        case Pi():
            return math.pi
        case Parameter(name):
            return values[name]
        case Apply("where", (condition, x, y)):
            return _value(x if _value(condition, values) else y, values)
        case Apply(operation, arguments):
            try:
                function = _VALUES.get(operation) or getattr(math, operation)
                return float(function(*(_value(argument, values) for argument in arguments)))
            except (ArithmeticError, ValueError):
                return math.nan
    return math.nan
