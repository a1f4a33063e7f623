"""Rewritings that show the zeros of a function: near a zero a sum cancels, a product does not."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache
from typing import Any

from sympy import QQ, ring

from chainrule.derivations import TimeLimitError, time_limit
from chainrule.formulas import (
    Apply,
    Constant,
    Expression,
    Parameter,
    Variable,
    constant,
    variables_of,
)

_ONE, _TWO = constant(1), constant(2)
_LARGEST_DEGREE = 8
_LARGEST_NUMBER = 2**24  # of a factor, so that its terms are exact in any format
_SECONDS = 0.3

_RING, _Z = ring("z", QQ)


def one_plus_wave(e: Apply) -> Expression | None:
    """``1 + cos(x) -> 2*cos(x/2)**2``, ``1 + sin(x) -> (sin(x/2) + cos(x/2))**2``, and kin.

    Kin are ``1 - cos(x)``, ``1 - sin(x)`` and ``1 ± 2*sin(x)*cos(x)``; the zeros are double.
    """
    if e.operation not in ("add", "subtract"):
        return None
    left, right = e.arguments
    if right == _ONE and e.operation == "add":
        left, right = right, left
    if left != _ONE:
        return None
    coefficient, factors = _factors_of(right)
    if e.operation == "subtract":
        coefficient = -coefficient
    match coefficient, factors:
        case ((1 | -1), [Apply("cos", (x,))]):
            name = "cos" if coefficient == 1 else "sin"
            return Apply("multiply", (_TWO, _square(Apply(name, (_half(x),)))))
        case ((1 | -1), [Apply("sin", (x,))]):
            return _square(_sine_and_cosine(_half(x), coefficient))
        case ((2 | -2), [Apply("sin", (x,)), Apply("cos", (other,))]) if x == other:
            return _square(_sine_and_cosine(x, coefficient))
        case ((2 | -2), [Apply("cos", (x,)), Apply("sin", (other,))]) if x == other:
            return _square(_sine_and_cosine(x, coefficient))
    return None


def polynomial_with_zeros(e: Apply) -> Expression | None:
    """``1 - 2*z + z**2 -> (z - 1)**2``: a polynomial with rational zeros, as a product.

    Nothing else is factored, and no constant that a format cannot hold is made.
    """
    if e.operation not in ("add", "subtract"):
        return None
    names = tuple(variables_of(e))
    return _factored(Variable(names[0]), e) if len(names) == 1 else None


def _factors_of(e: Expression) -> tuple[Fraction, list[Expression]]:
    """Return a product as a number and what else is multiplied; equal parameters cancel."""
    number = Fraction(1)
    above: list[Expression] = []
    below: list[Expression] = []
    for factor, inverted in _multiplied(e, inverted=False):
        if isinstance(factor, Constant) and (factor.value or not inverted):
            number *= 1 / factor.value if inverted else factor.value
        elif isinstance(factor, Parameter) and factor in (above if inverted else below):
            (above if inverted else below).remove(factor)
        else:
            (below if inverted else above).append(factor)
    return number, [*above, *(Apply("divide", (_ONE, x)) for x in below)]


def _multiplied(e: Expression, *, inverted: bool) -> Iterator[tuple[Expression, bool]]:
    match e:
        case Apply("multiply", (x, y)):
            yield from _multiplied(x, inverted=inverted)
            yield from _multiplied(y, inverted=inverted)
        case Apply("divide", (x, y)):
            yield from _multiplied(x, inverted=inverted)
            yield from _multiplied(y, inverted=not inverted)
        case Apply("negate", (x,)):
            yield constant(-1), False
            yield from _multiplied(x, inverted=inverted)
        case _:
            yield e, inverted


def _half(x: Expression) -> Expression:
    number, factors = _factors_of(x)
    if number == 2 and factors:
        product = factors[0]
        for factor in factors[1:]:
            product = Apply("multiply", (product, factor))
        return product
    return Apply("divide", (x, _TWO))


def _square(x: Expression) -> Expression:
    return Apply("power", (x, _TWO))


def _sine_and_cosine(x: Expression, sign: Fraction) -> Expression:
    sine, cosine = Apply("sin", (x,)), Apply("cos", (x,))
    return Apply("add" if sign > 0 else "subtract", (sine, cosine))


def polynomial_of(e: Expression) -> Any:
    """Return an expression as a polynomial with rational coefficients, None where it is none."""
    match e:
        case Constant(value):
            return _RING.ground_new(QQ(value.numerator, value.denominator))
        case Variable():
            return _Z
        case Apply("negate" | "add" | "subtract" | "multiply" | "divide" | "power" as operation, x):
            parts = [polynomial_of(part) for part in x]
            return None if None in parts else _combined(operation, parts)
    return None


def rational_zeros(polynomial: Any) -> list[Fraction]:
    """Return the zeros of a polynomial that are rational, where it is quickly factored."""
    if polynomial.is_ground:
        return []
    factors = [(polynomial, 1)]
    if polynomial.degree() > 1:
        try:
            with time_limit(_SECONDS):
                factors = polynomial.factor_list()[1]
        except TimeLimitError:
            return []
    zeros = (-factor.coeff(1) / factor.LC for factor, _ in factors if factor.degree() == 1)
    return [Fraction(int(zero.numerator), int(zero.denominator)) for zero in zeros]


def _combined(operation: str, x: list[Any]) -> Any:
    match operation:
        case "negate":
            return -x[0]
        case "add":
            return x[0] + x[1]
        case "subtract":
            return x[0] - x[1]
        case "multiply" if x[0].degree() + x[1].degree() <= _LARGEST_DEGREE:
            return x[0] * x[1]
    if not x[1].is_ground or x[1] == 0:
        return None
    number = x[1].LC
    if operation == "divide":
        return x[0] / number
    if (
        operation == "power"
        and number.denominator == 1
        and 0 < number * max(x[0].degree(), 1) <= (_LARGEST_DEGREE)
    ):
        return x[0] ** int(number)
    return None


@lru_cache(maxsize=1024)
def _factored(variable: Variable, e: Expression) -> Expression | None:
    polynomial = polynomial_of(e)
    if polynomial is None or polynomial.degree() < 1:
        return None
    if any(max(abs(c.numerator), c.denominator) > _LARGEST_NUMBER for c in polynomial.coeffs()):
        return None
    try:
        with time_limit(_SECONDS):
            content, factors = polynomial.factor_list()
    except TimeLimitError:
        return None
    numbers = [([Fraction(int(c)) for c in _dense(f)], k) for f, k in factors]
    linear = [k for k, (n, power) in enumerate(numbers) if len(n) == 2 and n[1] != 0]
    if not linear or (sum(power for _, power in numbers) == 1 and content in (1, -1)):
        return None  # z - 1 stands as it is
    if any(abs(c) > _LARGEST_NUMBER for n, _ in numbers for c in n):
        return None
    odd = next((k for k in linear if numbers[k][1] % 2), None)
    if content < 0 and odd is not None:
        content = -content
        numbers[odd] = [-c for c in numbers[odd][0]], numbers[odd][1]
    result: Expression | None = None
    for n, k in numbers:
        factor = _horner(variable, n)
        power = factor if k == 1 else Apply("power", (factor, constant(k)))
        result = power if result is None else Apply("multiply", (result, power))
    assert result is not None
    number = constant(Fraction(int(content.numerator), int(content.denominator)))
    return result if number == _ONE else Apply("multiply", (number, result))


def _dense(polynomial: Any) -> list[Any]:
    """Return all coefficients, the leading one first."""
    return [polynomial.coeff(_Z**k) for k in range(polynomial.degree(), 0, -1)] + [
        polynomial.coeff(1)
    ]


def _horner(variable: Variable, numbers: list[Fraction]) -> Expression:
    """Return a polynomial, its leading coefficient first, so that infinities do not meet."""
    if len(numbers) == 2 and numbers[0] < 0 < numbers[1]:
        return Apply(
            "subtract", (constant(numbers[1]), _horner(variable, [-numbers[0], Fraction(0)]))
        )
    result: Expression = constant(numbers[0])
    for number in numbers[1:]:
        result = variable if result == _ONE else Apply("multiply", (result, variable))
        if number:
            name = "add" if number > 0 else "subtract"
            result = Apply(name, (result, constant(abs(number))))
    return result
