"""Lines of Python for generated kernels: numbers, operations, polynomials."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import sympy

from chainrule.formulas import (
    Apply,
    Constant,
    Expression,
    FormulaError,
    Parameter,
    Pi,
    Variable,
    is_plain_name,
)

# Functions that every set in `elementary` has, all but the last of one number.
ELEMENTARY = (
    "exp", "expm1", "log", "log1p", "tanh", "sinh", "cosh", "sin", "cos", "atan", "asinh", "erf",
    "erfc", "erfcx", "power",
)  # fmt: skip
_MOST_FACTORS = 4  # of a power that is written as a product
_INFIX = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/"}
_COMPARISONS = {
    "greater": ">",
    "less": "<",
    "greater_equal": ">=",
    "less_equal": "<=",
    "equal": "==",
    "not_equal": "!=",
}


def parameter_name(name: str) -> str:
    """Return a parameter's name in generated source, where it can hide nothing."""
    return f"p_{plain(name)}"


def plain(name: str) -> str:
    """Return a name that is to stand in source; refuse anything but a plain identifier."""
    if not is_plain_name(name):
        raise FormulaError(f"{name!r} cannot be a name in a formula")
    return name


def number(value: float) -> str:
    """Return a float as source that gives back every bit."""
    return repr(float(value))


def operation(name: str, arguments: tuple[str, ...], exponent: Expression | None = None) -> str:
    """Return one operation on values that are already source; brackets are the caller's."""
    if name in _INFIX:
        return f"{arguments[0]} {_INFIX[name]} {arguments[1]}"
    if name in _COMPARISONS:
        return f"{arguments[0]} {_COMPARISONS[name]} {arguments[1]}"
    match name:
        case "held":
            return arguments[0]
        case "negate":
            return f"-{arguments[0]}"
        case "reciprocal":
            return f"1.0 / {arguments[0]}"
        case "power":
            return _power(arguments, exponent)
        case "maximum":
            # A NaN on either side comes through: it fails the first test or is returned by it.
            x, y = arguments
            return f"{x} if ({x} >= {y} or {x} != {x}) else {y}"
        case "minimum":
            x, y = arguments
            return f"{x} if ({x} <= {y} or {x} != {x}) else {y}"
        case "where":
            return f"{arguments[1]} if {arguments[0]} else {arguments[2]}"
        case "indicator":
            return f"1.0 if {arguments[0]} else 0.0"
    return f"{name}({', '.join(arguments)})"


def in_sum(source: str) -> str:
    """Return source of a term that is added up: a product may be rounded with the sum."""
    return re.sub(r"^([\w.]+) \* ([\w.]+)$", r"product(\1, \2)", source)


def _power(arguments: tuple[str, ...], exponent: Expression | None) -> str:
    base = arguments[0]
    if isinstance(exponent, Constant) and abs(exponent.value) <= _MOST_FACTORS:
        whole, half = divmod(abs(exponent.value), 1)
        factors = [base] * whole + [f"sqrt({base})"] * (half == Fraction(1, 2))
        if factors and half in (0, Fraction(1, 2)):
            product = " * ".join(factors)
            return product if exponent.value > 0 else f"1.0 / ({product})"
    return f"power({base}, {arguments[1]})"


def written(expression: Expression, names: Callable[[Expression], str | None]) -> str:
    """Return an expression as source, with brackets around every operation."""
    known = names(expression)
    if known is not None:
        return known
    if isinstance(expression, Constant):
        text = number(float(expression.value))
        return f"({text})" if expression.value < 0 else text
    if isinstance(expression, Pi):
        return number(sympy.pi)
    if isinstance(expression, Parameter):
        return parameter_name(expression.name)
    if isinstance(expression, Variable):
        return plain(expression.name)
    assert isinstance(expression, Apply)
    parts = tuple(written(argument, names) for argument in expression.arguments)
    exponent = expression.arguments[1] if expression.operation == "power" else None
    return f"({operation(expression.operation, parts, exponent)})"


def polynomial(
    e: Any,
    order: tuple[Any, ...],
    names: Mapping[Any, str],
    vanishing: frozenset[Any],
    clamped: Mapping[Any, str],
    vanished: bool = False,
) -> str:
    """Return a polynomial as Horner's scheme in the generators, in the given order.

    What multiplies a vanishing generator is written with clamped values, so that an infinite `z`
    times an exponential that has become zero is zero, its limit, and not NaN.
    """
    e = sympy.expand(e)
    for position, symbol in enumerate(order):
        if not e.has(symbol):
            continue
        coefficients = sympy.Poly(e, symbol).all_coeffs()
        name = clamped.get(symbol, names[symbol]) if vanished else names[symbol]
        rest = order[position + 1 :]
        lowest = coefficients[-1]
        gone = vanished or symbol in vanishing
        text = ""
        for coefficient in coefficients[:-1]:
            if text:
                text = f"{name} * ({text})" if " " in text else f"{name} * {text}"
            if coefficient != 0:
                term = polynomial(coefficient, rest, names, vanishing, clamped, gone)
                text = f"{text} + {term}" if text else term
        if text in ("1.0", ""):
            text = name
        else:
            text = f"{name} * ({text})" if " + " in text or " - " in text else f"{name} * {text}"
        if lowest != 0:
            term = polynomial(lowest, rest, names, vanishing, clamped, vanished)
            text = f"{term} + {text}"
        return text
    return number(float(sympy.N(e, 25)))
