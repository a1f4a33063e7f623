"""Values of expressions enclosed in intervals: what is inside is proved.

Operations that mpmath's intervals lack are built from those they have, or from alternating series
whose remainder is smaller than the first term left out.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import mpmath
from mpmath import iv

from chainrule.formulas import Apply, Constant, Expression, Parameter, Pi, Variable

_DIGITS = 60
_LARGEST_EXPONENT = 100_000


class NotEnclosedError(Exception):
    """No finite interval encloses the value: it is undefined, too large, or not known here."""


@contextmanager
def _precision() -> Iterator[None]:
    before = iv.dps
    iv.dps = _DIGITS
    try:
        yield
    finally:
        iv.dps = before


def enclosure(expression: Expression, values: Mapping[str, Any], *, bounded: bool = True) -> Any:
    """Return an interval that holds an element-wise expression's value, for all given values.

    Parameters
    ----------
    expression : Expression
        Without comparisons: a smooth piece or its derivative.
    values : mapping of str to interval
        Of `z` and the parameters.
    bounded : bool
        Whether every value on the way must have finite bounds.

    Raises
    ------
    NotEnclosedError
        Where the expression may be undefined.
    """
    with _precision():
        return _enclosure(expression, values, bounded)


def interval(low: Any, high: Any) -> Any:
    """Return the interval between two numbers of any precision."""
    with _precision():
        return iv.mpf([low, high])


def _enclosure(e: Expression, values: Mapping[str, Any], bounded: bool) -> Any:
    match e:
        case Constant(value):
            return iv.mpf(value.numerator) / value.denominator
        case Pi():
            return +iv.pi
        case Variable(name) | Parameter(name):
            return values[name]
        case Apply("power", (base, Constant(exponent))) if exponent.denominator == 1:
            x = _enclosure(base, values, bounded)
            _require(exponent > 0 or 0 not in x)
            return x ** int(exponent)
        case Apply(operation, arguments):
            rule = _OPERATIONS.get(operation)
            _require(rule is not None)
            assert rule is not None
            result = rule(*(_enclosure(argument, values, bounded) for argument in arguments))
            _require(bool(result.a <= result.b))
            _require(not bounded or bool(-iv.inf < result.a and result.b < iv.inf))
            return result
    raise NotEnclosedError


def _require(condition: bool) -> None:
    if not condition:
        raise NotEnclosedError


def _divide(x: Any, y: Any) -> Any:
    _require(0 not in y)
    return x / y


def _exp(x: Any) -> Any:
    lower, upper = max(x.a, -_LARGEST_EXPONENT), min(x.b, _LARGEST_EXPONENT)
    low = iv.exp(min(lower, _LARGEST_EXPONENT)).a if x.a >= -_LARGEST_EXPONENT else 0
    high = iv.exp(max(upper, -_LARGEST_EXPONENT)).b if x.b <= _LARGEST_EXPONENT else iv.inf
    return iv.mpf([low, high])


def _log(x: Any) -> Any:
    _require(bool(x.a > 0))
    return iv.log(x)


def _sqrt(x: Any) -> Any:
    _require(bool(x.a >= 0))
    return iv.sqrt(x)


def _power(x: Any, y: Any) -> Any:
    exponent = mpmath.mpf(y.mid)
    if y.a == y.b and mpmath.isint(exponent):  # a parameter that is a whole number
        _require(bool(exponent > 0) or 0 not in x)
        return x ** int(exponent)
    return _exp(y * _log(x))


def _tanh(x: Any) -> Any:
    return 1 - 2 / (_exp(2 * x) + 1)


def _odd_and_increasing(
    positive: Callable[[Any], Any], limit: Callable[[], Any]
) -> Callable[[Any], Any]:
    """Enclose an odd increasing function from its values at non-negative points."""

    def at(point: Any) -> Any:
        if abs(point) == iv.inf:
            return limit() if point.a > 0 else -limit()
        return positive(point) if point.a >= 0 else -positive(-point)

    def over(x: Any) -> Any:
        return iv.mpf([at(x.a).a, at(x.b).b])

    return over


def _alternating(terms: Callable[[int], Any]) -> Any:
    total = iv.mpf(0)
    for k in range(2000):
        term = terms(k)
        if k > 1 and term.b < iv.mpf(10) ** -_DIGITS and terms(k + 1).b <= term.b:
            return total + iv.mpf([-term.b, term.b])
        total = total + term if k % 2 == 0 else total - term
    raise NotEnclosedError


def _error_function(x: Any) -> Any:
    if x.a > 6:
        # 0 < 1 - erf(x) < exp(-x²)
        return iv.mpf([(1 - _exp(-x * x)).a, 1])
    powers = [x]

    def term(k: int) -> Any:
        while len(powers) <= k:
            powers.append(powers[-1] * x * x / len(powers))
        return powers[k] / (2 * k + 1)

    return 2 / iv.sqrt(iv.pi) * _alternating(term)


def _arctangent(x: Any) -> Any:
    for _ in range(4):
        x = x / (1 + iv.sqrt(1 + x * x))
    return 16 * _alternating(lambda k: x ** (2 * k + 1) / (2 * k + 1))


_OPERATIONS: dict[str, Callable[..., Any]] = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": _divide,
    "reciprocal": lambda x: _divide(1, x),
    "negate": operator.neg,
    "power": _power,
    "exp": _exp,
    "expm1": lambda x: _exp(x) - 1,
    "log": _log,
    "log1p": lambda x: _log(1 + x),
    "sqrt": _sqrt,
    "tanh": _tanh,
    "sinh": lambda x: (_exp(x) - _exp(-x)) / 2,
    "cosh": lambda x: (_exp(x) + _exp(-x)) / 2,
    "sin": iv.sin,
    "cos": iv.cos,
    "atan": _odd_and_increasing(_arctangent, lambda: iv.pi / 2),
    "asinh": _odd_and_increasing(lambda x: iv.log(x + iv.sqrt(1 + x * x)), lambda: +iv.inf),
    "erf": _odd_and_increasing(_error_function, lambda: iv.mpf(1)),
}
