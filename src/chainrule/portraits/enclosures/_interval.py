"""Interval arithmetic on arrays: bounds of an expression over thousands of intervals at once.

Bounds are doubles. Each operation is widened by more than the libraries' functions err (a few
units in the last place are allowed for; NumPy and SciPy document about one), so that the result
holds every value the expression takes where it is defined.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
from numpy.typing import NDArray
from scipy.special import erf as _erf

from chainrule.derivations import evaluate
from chainrule.formulas import Apply, Constant, Expression, Parameter, Pi, Variable, variables_of

Array = NDArray[np.float64]
Interval = tuple[Array, Array]

_ROUNDING = 2.0**-52
_FUNCTIONS = 2.0**-48
_SMALLEST = 5e-324
_LARGEST = np.finfo(np.float64).max
_LARGEST_ANGLE = 1e8
_LARGEST_POWER = 1000


class UnsupportedOperationError(Exception):
    """An operation whose bounds are not known here."""


def _widened(low: Any, high: Any, relative: float = _ROUNDING) -> Interval:
    low, high = np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64)
    low = np.minimum(low, _LARGEST)
    high = np.maximum(high, -_LARGEST)
    low = low - np.abs(low) * relative - _SMALLEST
    high = high + np.abs(high) * relative + _SMALLEST
    unknown = np.isnan(low) | np.isnan(high)
    return np.where(unknown, -np.inf, low), np.where(unknown, np.inf, high)


def _add(x: Interval, y: Interval) -> Interval:
    return _widened(x[0] + y[0], x[1] + y[1])


def _negate(x: Interval) -> Interval:
    return -x[1], -x[0]


def _subtract(x: Interval, y: Interval) -> Interval:
    return _add(x, _negate(y))


def _multiply(x: Interval, y: Interval) -> Interval:
    # An infinite bound is never attained, so that zero times it is zero.
    products = [np.nan_to_num(a * b, nan=0.0, posinf=np.inf, neginf=-np.inf) for a in x for b in y]
    low = np.minimum(np.minimum(products[0], products[1]), np.minimum(products[2], products[3]))
    high = np.maximum(np.maximum(products[0], products[1]), np.maximum(products[2], products[3]))
    return _widened(low, high)


def _reciprocal(x: Interval) -> Interval:
    # Where the argument is zero the value is undefined: [0, d] has values beyond 1/d alone.
    low, high = _widened(1.0 / x[1], 1.0 / x[0])
    low = np.where((x[0] < 0) & (x[1] >= 0) | (x[1] == 0), -np.inf, low)
    high = np.where((x[0] <= 0) & (x[1] > 0) | (x[0] == 0), np.inf, high)
    return low, high


def _divide(x: Interval, y: Interval) -> Interval:
    return _multiply(x, _reciprocal(y))


def _rising(function: Callable[[Any], Any], floor: float = -np.inf, ceiling: float = np.inf) -> Any:
    def bounds(x: Interval) -> Interval:
        low, high = _widened(function(x[0]), function(x[1]), _FUNCTIONS)
        return np.maximum(low, floor), np.minimum(high, ceiling)

    return bounds


def _defined(function: Callable[[Interval], Interval], least: float) -> Any:
    """Leave out what lies outside the function's domain; all of it is undefined: the whole line."""

    def bounds(x: Interval) -> Interval:
        outside = x[1] < least
        low, high = function((np.maximum(x[0], least), np.maximum(x[1], least)))
        return np.where(outside, -np.inf, low), np.where(outside, np.inf, high)

    return bounds


def _whole_power(x: Interval, exponent: int) -> Interval:
    if exponent < 0:
        return _reciprocal(_whole_power(x, -exponent))
    slack = _FUNCTIONS * max(1, exponent)
    if exponent % 2:
        return _widened(x[0] ** exponent, x[1] ** exponent, slack)
    holds_zero = (x[0] <= 0) & (x[1] >= 0)
    a, b = np.abs(x[0]), np.abs(x[1])
    low, high = _widened(np.minimum(a, b) ** exponent, np.maximum(a, b) ** exponent, slack)
    return np.where(holds_zero, 0.0, np.maximum(low, 0.0)), high


def _power(x: Interval, y: Interval) -> Interval:
    result: Interval = _exp(_multiply(y, _log(x)))
    return result


def _cosh(x: Interval) -> Interval:
    holds_zero = (x[0] <= 0) & (x[1] >= 0)
    a, b = np.abs(x[0]), np.abs(x[1])
    low, high = _widened(np.cosh(np.minimum(a, b)), np.cosh(np.maximum(a, b)), _FUNCTIONS)
    return np.where(holds_zero, 1.0, low), high


def _cos(x: Interval) -> Interval:
    turn = 2 * np.pi
    low, high = _widened(
        np.minimum(np.cos(x[0]), np.cos(x[1])), np.maximum(np.cos(x[0]), np.cos(x[1])), _FUNCTIONS
    )
    slack = 1e-6
    far = (np.abs(x[0]) > _LARGEST_ANGLE) | (np.abs(x[1]) > _LARGEST_ANGLE)
    a, b = np.where(far, 0.0, x[0]) - slack, np.where(far, 0.0, x[1]) + slack
    peak = far | (np.floor(a / turn) != np.floor(b / turn))
    trough = far | (np.floor((a - np.pi) / turn) != np.floor((b - np.pi) / turn))
    low = np.where(trough, -1.0, low - _FUNCTIONS)
    high = np.where(peak, 1.0, high + _FUNCTIONS)
    return np.maximum(low, -1.0), np.minimum(high, 1.0)


def _sin(x: Interval) -> Interval:
    low, high = _cos(_widened(x[0] - np.pi / 2, x[1] - np.pi / 2))
    # The shift is rounded; the cosine's slope is at most one.
    rounding = 1e-15 * (1 + np.minimum(np.maximum(np.abs(x[0]), np.abs(x[1])), _LARGEST_ANGLE))
    return np.maximum(low - rounding, -1.0), np.minimum(high + rounding, 1.0)


_exp = _rising(np.exp, 0.0)
_log = _defined(_rising(np.log), 0.0)
_OPERATIONS: dict[str, Callable[..., Interval]] = {
    "add": _add,
    "subtract": _subtract,
    "multiply": _multiply,
    "divide": _divide,
    "reciprocal": _reciprocal,
    "negate": _negate,
    "power": _power,
    "exp": _exp,
    "expm1": _rising(np.expm1, -1.0),
    "log": _log,
    "log1p": _defined(_rising(np.log1p), -1.0),
    "sqrt": _defined(_rising(np.sqrt, 0.0), 0.0),
    "tanh": _rising(np.tanh, -1.0, 1.0),
    "sinh": _rising(np.sinh),
    "cosh": _cosh,
    "sin": _sin,
    "cos": _cos,
    "atan": _rising(np.arctan),
    "asinh": _rising(np.arcsinh),
    "erf": _rising(_erf, -1.0, 1.0),
}


class Program:
    """An expression as single assignments, evaluated over arrays of intervals.

    Parameters
    ----------
    expression : Expression
        Smooth and element-wise.
    parameters : mapping of str to float
        Values of the formula's parameters; other names are given at evaluation.
    """

    def __init__(self, expression: Expression, parameters: Mapping[str, float]) -> None:
        self.parameters = dict(parameters)
        self.lines: list[tuple[str, Any]] = []
        self._known: dict[Any, int] = {}
        self._seen: dict[int, int] = {}
        self.expression = expression
        self.output = self._line(expression)

    def _line(self, e: Expression) -> int:
        if id(e) in self._seen:
            return self._seen[id(e)]
        if isinstance(e, Apply):
            key = self._application(e)
        elif isinstance(e, Variable) or (
            isinstance(e, Parameter) and e.name not in self.parameters
        ):
            key = ("given", e.name)
        else:
            key = ("number", self._number(e))
        if key not in self._known:
            self._known[key] = len(self.lines)
            self.lines.append(key)
        self._seen[id(e)] = self._known[key]
        return self._seen[id(e)]

    def _application(self, e: Apply) -> tuple[str, Any]:
        if e.operation not in _OPERATIONS:
            raise UnsupportedOperationError(e.operation)
        if e.operation == "power" and not variables_of(e.arguments[1]):
            exponent = self._constant(e.arguments[1])
            if exponent is not None and mpmath.isint(exponent):
                if abs(exponent) > _LARGEST_POWER:
                    raise UnsupportedOperationError("so large a power")
                return ("whole_power", (self._line(e.arguments[0]), int(exponent)))
        return (e.operation, tuple(self._line(argument) for argument in e.arguments))

    def _constant(self, e: Expression) -> Any:
        try:
            return evaluate(e, self.parameters)
        except KeyError:
            return None

    def _number(self, e: Expression) -> tuple[float, float]:
        if isinstance(e, Parameter):
            return (self.parameters[e.name],) * 2
        nearest = float(mpmath.pi) if isinstance(e, Pi) else _nearest(_value(e))
        if not isinstance(e, Pi) and nearest == _value(e):
            return nearest, nearest
        return float(np.nextafter(nearest, -np.inf)), float(np.nextafter(nearest, np.inf))

    def trace(self, z: Interval, **given: Interval) -> list[Interval]:
        """Return bounds of every line's values over each interval."""
        values: list[Interval] = []
        known = {"z": z, **given}
        with np.errstate(all="ignore"):
            for operation, of in self.lines:
                if operation == "given":
                    values.append(known[of])
                elif operation == "number":
                    values.append((np.float64(of[0]), np.float64(of[1])))  # type: ignore[arg-type]
                elif operation == "whole_power":
                    values.append(_whole_power(values[of[0]], of[1]))
                else:
                    values.append(_OPERATIONS[operation](*(values[k] for k in of)))
        return values

    def __call__(self, z: Interval, **given: Interval) -> Interval:
        """Return bounds of the values over each interval."""
        low, high = self.trace(z, **given)[self.output]
        return np.broadcast_to(low, z[0].shape), np.broadcast_to(high, z[0].shape)

    def at(self, place: float) -> tuple[float, float]:
        """Return bounds of the value at one double."""
        low, high = self((np.array([place]), np.array([place])))
        return float(low[0]), float(high[0])

    def over(self, low: float, high: float) -> tuple[float, float]:
        """Return bounds of the values over one interval."""
        found = self((np.array([low]), np.array([high])))
        return float(found[0][0]), float(found[1][0])


def _nearest(value: Fraction) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _value(e: Expression) -> Any:
    assert isinstance(e, Constant)
    return e.value
