"""Rewritings that show the zeros of a function: near a zero a sum cancels, a product does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import lru_cache

import sympy

from chainrule.derivations import TimeLimitError, time_limit
from chainrule.formulas import Apply, Constant, Expression, Parameter, Variable, constant

_ONE, _TWO = constant(1), constant(2)
_LARGEST_DEGREE = 8
_LARGEST_NUMBER = 2**24  # of a factor, so that its terms are exact in any format
_SECONDS = 0.3

Polynomial = tuple[Variable | None, list[Fraction]]  # the constant first


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
    found = _coefficients(e)
    if found is None or found[0] is None or len(found[1]) < 2:
        return None
    variable, coefficients = found
    return _factored(variable, tuple(coefficients))


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


@lru_cache(maxsize=1024)
def _coefficients(e: Expression) -> Polynomial | None:
    """Return a polynomial's variable and coefficients, the constant first; None if it is none."""
    match e:
        case Constant(value):
            return None, [value]
        case Variable():
            return e, [Fraction(0), Fraction(1)]
        case Apply("negate", (x,)):
            return _combined(_coefficients(x), (None, [Fraction(-1)]), _product)
        case Apply("multiply", (x, y)):
            return _combined(_coefficients(x), _coefficients(y), _product)
        case Apply("divide", (x, Constant(value))) if value:
            return _combined(_coefficients(x), (None, [1 / value]), _product)
        case Apply("add" | "subtract", (x, y)):
            sign = Fraction(1 if e.operation == "add" else -1)
            other = _combined(_coefficients(y), (None, [sign]), _product)
            return _combined(_coefficients(x), other, _sum)
        case Apply("power", (x, Constant(value))) if value.denominator == 1 and (
            1 <= value <= _LARGEST_DEGREE
        ):
            base = power = _coefficients(x)
            for _ in range(int(value) - 1):
                power = _combined(power, base, _product)
            return power
    return None


def _combined(
    first: Polynomial | None,
    second: Polynomial | None,
    combine: Callable[[list[Fraction], list[Fraction]], list[Fraction]],
) -> Polynomial | None:
    if first is None or second is None:
        return None
    variables = {v for v in (first[0], second[0]) if v is not None}
    if len(variables) > 1 or len(first[1]) + len(second[1]) > _LARGEST_DEGREE + 2:
        return None
    coefficients = combine(first[1], second[1])
    while len(coefficients) > 1 and coefficients[-1] == 0:
        coefficients.pop()
    return next(iter(variables), None), coefficients


def _product(x: list[Fraction], y: list[Fraction]) -> list[Fraction]:
    result = [Fraction(0)] * (len(x) + len(y) - 1)
    for i, a in enumerate(x):
        for j, b in enumerate(y):
            result[i + j] += a * b
    return result


def _sum(x: list[Fraction], y: list[Fraction]) -> list[Fraction]:
    zero = Fraction(0)
    padded = [p + [zero] * (max(len(x), len(y)) - len(p)) for p in (x, y)]
    return [a + b for a, b in zip(*padded, strict=True)]


@lru_cache(maxsize=1024)
def _factored(variable: Variable, coefficients: tuple[Fraction, ...]) -> Expression | None:
    if any(max(abs(c.numerator), c.denominator) > _LARGEST_NUMBER for c in coefficients):
        return None
    symbol = sympy.Symbol("z")
    rational = [sympy.Rational(c.numerator, c.denominator) for c in reversed(coefficients)]
    try:
        with time_limit(_SECONDS):
            content, factors = sympy.Poly(rational, symbol).factor_list()
    except TimeLimitError:
        return None
    numbers = [([Fraction(int(c.p), int(c.q)) for c in f.all_coeffs()], k) for f, k in factors]
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
    number = constant(Fraction(int(content.p), int(content.q)))
    return result if number == _ONE else Apply("multiply", (number, result))


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
