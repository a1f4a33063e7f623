"""Expressions as text of the formula language."""

from __future__ import annotations

from fractions import Fraction

from chainrule.formulas._expression import Apply, Constant, Expression, Parameter, Pi, Variable

_INFIX = {
    "add": ("+", 1),
    "subtract": ("-", 1),
    "multiply": ("*", 2),
    "divide": ("/", 2),
    "power": ("**", 4),
    "greater": (">", 0),
    "less": ("<", 0),
    "greater_equal": (">=", 0),
    "less_equal": ("<=", 0),
    "equal": ("==", 0),
    "not_equal": ("!=", 0),
}
_WORDS = {"maximum": "max", "minimum": "min"}
_NEGATION, _ATOM = 3, 9


def to_text(expression: Expression) -> str:
    """Return an expression in the formula language, with the brackets it needs and no others.

    Examples
    --------
    >>> from chainrule.formulas import parse, to_text
    >>> to_text(parse("((1) / (1+exp((-z))))").expression)
    '1/(1 + exp(-z))'
    """
    return _print(expression)[0]


def _print(expression: Expression) -> tuple[str, int]:
    if isinstance(expression, Constant):
        return _number(expression.value)
    if isinstance(expression, Pi):
        return "pi", _ATOM
    if isinstance(expression, Variable | Parameter):
        return expression.name, _ATOM
    if expression.operation == "negate":
        return "-" + _wrap(expression.arguments[0], _NEGATION), _NEGATION
    if expression.operation in _INFIX:
        return _infix(expression)
    arguments = ", ".join(_print(argument)[0] for argument in expression.arguments)
    return f"{_WORDS.get(expression.operation, expression.operation)}({arguments})", _ATOM


def _infix(expression: Apply) -> tuple[str, int]:
    sign, level = _INFIX[expression.operation]
    left, right = expression.arguments
    if expression.operation == "power":
        return f"{_wrap(left, level + 1)}**{_wrap(right, _NEGATION)}", level
    space = " " if level < 2 else ""
    return f"{_wrap(left, level)}{space}{sign}{space}{_wrap(right, level + 1)}", level


def _wrap(expression: Expression, level: int) -> str:
    text, own = _print(expression)
    return text if own >= level else f"({text})"


def _number(value: Fraction) -> tuple[str, int]:
    if value < 0:
        return f"-{_number(-value)[0]}", _NEGATION if value.denominator == 1 else 2
    if value.denominator == 1:
        return str(value.numerator), _ATOM
    decimal = _exact_decimal(value)
    return (decimal, _ATOM) if decimal else (f"{value.numerator}/{value.denominator}", 2)


def _exact_decimal(value: Fraction) -> str | None:
    """Return the decimal that equals a fraction, if it has one of at most 20 places."""
    if value.denominator <= 16:
        return None  # 1/2 reads better than 0.5, 1/6 has no decimal
    scaled = value * 10**20
    if scaled.denominator != 1:
        return None
    digits = str(scaled.numerator).rjust(21, "0")
    return f"{digits[:-20]}.{digits[-20:].rstrip('0')}"
