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
_MOST_DIGITS = 20
_LARGEST_WRITTEN_OUT = 10**16


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
    decimal = exact_decimal(value)
    return (decimal, _ATOM) if decimal else (f"{value.numerator}/{value.denominator}", 2)


def exact_decimal(value: Fraction) -> str | None:
    """Return the decimal that equals a number of at least 0, if it has one of few digits.

    Examples
    --------
    >>> exact_decimal(Fraction("1.702")), exact_decimal(Fraction(1, 2)), exact_decimal(Fraction(0))
    ('1.702', None, '0')
    >>> exact_decimal(Fraction(10**300)), exact_decimal(Fraction(1, 10**30))
    ('1e300', '1e-30')
    """
    if 1 < value.denominator <= 16:
        return None  # 1/2 reads better than 0.5, 1/6 has no decimal
    if value.denominator == 1 and value < _LARGEST_WRITTEN_OUT:
        return str(value.numerator)
    places = _decimal_places(value.denominator)
    if places is None:
        return None
    digits = str(value.numerator * 10**places // value.denominator)
    few = digits.rstrip("0")
    exponent = len(digits) - 1 - places
    if len(few) > _MOST_DIGITS:
        return digits if value.denominator == 1 else None
    if exponent < -6 or places > _MOST_DIGITS or value.denominator == 1:
        return f"{few[0]}.{few[1:]}".rstrip(".") + f"e{exponent}"
    digits = digits.rjust(places + 1, "0")
    return f"{digits[:-places]}.{digits[-places:]}"


def _decimal_places(denominator: int) -> int | None:
    """Return how many decimal places a reduced fraction has; None where they never end."""
    counts = []
    for prime in (2, 5):
        count = 0
        while denominator % prime == 0:
            denominator, count = denominator // prime, count + 1
        counts.append(count)
    return max(counts) if denominator == 1 else None
