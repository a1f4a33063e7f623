"""Bounds of Taylor coefficients: ``|f^(k)(z)/k!|`` for every z of an interval, up to an order.

Each operation's coefficients follow from its arguments' by the recurrence of its differential
equation, in which every term is replaced by the largest size it can have.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.portraits.enclosures._interval import Array, Interval, Program

_ROUNDING = 1 + 1e-9


def majorants(program: Program, z: Interval, order: int) -> Array:
    """Return bounds of the Taylor coefficients of an expression in z.

    Parameters
    ----------
    program : Program
    z : pair of ndarray
        Lower and upper ends of the intervals.
    order : int

    Returns
    -------
    ndarray of shape (order + 1, intervals)
        Infinite or NaN where the expression may be undefined.
    """
    values = program.trace(z)
    shape = (order + 1, *z[0].shape)
    jets: list[Array] = []
    with np.errstate(all="ignore"):
        for (operation, of), value in zip(program.lines, values, strict=True):
            jet = np.zeros(shape)
            jet[0] = _largest(value)
            if operation == "given":
                jet[1] = 1.0
            elif operation == "whole_power":
                jet = _whole_power(jets[of[0]], values[of[0]], of[1])
            elif operation != "number":
                arguments = [jets[k] for k in of]
                jet = _RULES[operation](jet, [values[k] for k in of], *arguments)
            jets.append(jet * _ROUNDING)
    result: Array = jets[program.output]
    return result


def product(x: Array, y: Array) -> Array:
    """Return the coefficients of a product, cut at the same order."""
    result = np.zeros(np.broadcast_shapes(x.shape, y.shape))
    with np.errstate(all="ignore"):  # a bound that overflows is none
        for k in range(len(x)):
            result[k:] += x[k] * y[: len(x) - k]
    return result


def _largest(x: Interval) -> Array:
    return np.maximum(np.abs(x[0]), np.abs(x[1]))


def _smallest(x: Interval) -> Array:
    return np.maximum(np.maximum(x[0], -x[1]), 0.0)


def _reciprocal(smallest: Array, x: Array) -> Array:
    result = np.zeros_like(x)
    result[0] = 1 / smallest
    for n in range(1, len(x)):
        result[n] = np.einsum("k...,k...->...", x[1 : n + 1], result[n - 1 :: -1][:n]) / smallest
    return result


def _power(smallest: Array, largest: Array, x: Array, low: Any, high: Any) -> Array:
    """Return x**p for an exponent between low and high, from the largest value of it."""
    result = np.zeros_like(x)
    result[0] = largest
    for n in range(1, len(x)):
        for k in range(1, n + 1):
            weight = np.maximum(np.abs(k * low - (n - k)), np.abs(k * high - (n - k)))
            result[n] += weight * x[k] * result[n - k]
        result[n] /= n * smallest
    return result


def _whole_power(x: Array, value: Interval, exponent: int) -> Array:
    if exponent < 0:
        return _whole_power(_reciprocal(_smallest(value), x), value, -exponent)
    result = np.zeros_like(x)
    result[0] = 1.0
    while exponent:
        if exponent % 2:
            result = product(result, x)
        x, exponent = product(x, x), exponent // 2
    return result


def _integral(start: Array, x: Array, slope: Array) -> Array:
    """Return y with ``y' = slope * x'``."""
    result = start.copy()
    order = np.arange(len(x)).reshape(-1, *([1] * (x.ndim - 1)))
    result[1:] = product(order * x, slope)[1:] / order[1:]
    return result


def _by_own_slope(
    start: Array, x: Array, slope: Callable[[Array, int], Array], first: Array
) -> Array:
    """Return y with ``y' = s * x'``, where s_k comes from the coefficients of y up to k."""
    result, slopes = start.copy(), [first]
    for n in range(1, len(x)):
        result[n] = sum(k * x[k] * slopes[n - k] for k in range(1, n + 1)) / n
        slopes.append(slope(result, n))
    return result


def _exp(start: Array, values: list[Interval], x: Array) -> Array:
    return _by_own_slope(start, x, lambda y, n: y[n], start[0])


def _tanh(start: Array, values: list[Interval], x: Array) -> Array:
    def slope(y: Array, n: int) -> Array:
        found: Array = np.einsum("k...,k...->...", y[: n + 1], y[n::-1])
        return found

    farthest = _smallest(values[0])
    first = np.minimum(1.0, 4 * np.exp(-2 * farthest)) * _ROUNDING
    return _by_own_slope(start, x, slope, first)


def _wave(start: Array, values: list[Interval], x: Array) -> Array:
    return _pair(start[0], np.ones_like(start[0]), x)


def _hyperbolic(start: Array, values: list[Interval], x: Array) -> Array:
    return _pair(start[0], np.cosh(_largest(values[0])), x)


def _pair(own: Array, other: Array, x: Array) -> Array:
    """Return y with ``y' = w x'`` and ``w' = ±y x'``."""
    y, w = np.zeros_like(x), np.zeros_like(x)
    y[0], w[0] = own, other
    for n in range(1, len(x)):
        y[n] = sum(k * x[k] * w[n - k] for k in range(1, n + 1)) / n
        w[n] = sum(k * x[k] * y[n - k] for k in range(1, n + 1)) / n
    return y


def _one_and_square(values: list[Interval], x: Array) -> tuple[Array, Array]:
    square = product(x, x)
    square[0] += 1
    return 1 + _smallest(values[0]) ** 2, square


def _atan(start: Array, values: list[Interval], x: Array) -> Array:
    smallest, square = _one_and_square(values, x)
    return _integral(start, x, _reciprocal(smallest, square))


def _asinh(start: Array, values: list[Interval], x: Array) -> Array:
    smallest, square = _one_and_square(values, x)
    return _integral(start, x, _power(smallest, smallest**-0.5, square, -0.5, -0.5))


def _erf(start: Array, values: list[Interval], x: Array) -> Array:
    square = product(x, x)
    density = np.zeros_like(x)
    density[0] = np.exp(-(_smallest(values[0]) ** 2))
    return _integral(start, x, 2 / np.sqrt(np.pi) * _exp(density, values, square))


def _log(start: Array, values: list[Interval], x: Array) -> Array:
    return _integral(start, x, _reciprocal(_smallest(values[0]), x))


def _log1p(start: Array, values: list[Interval], x: Array) -> Array:
    return _integral(start, x, _reciprocal(np.maximum(1 + values[0][0], 0.0), x))


def _expm1(start: Array, values: list[Interval], x: Array) -> Array:
    shifted = np.zeros_like(start)
    shifted[0] = np.exp(values[0][1])
    result = _exp(shifted, values, x)
    result[0] = start[0]
    return result


def _general_power(start: Array, values: list[Interval], x: Array, y: Array) -> Array:
    smallest, (low, high) = np.maximum(values[0][0], 0.0), values[1]
    if not y[1:].any():
        return _power(smallest, start[0], x, low, high)
    logarithm = np.zeros_like(x)
    logarithm[0] = np.maximum(np.abs(np.log(smallest)), np.abs(np.log(values[0][1])))
    return _exp(start, values, product(y, _log(logarithm, values, x)))


_RULES: dict[str, Callable[..., Array]] = {
    "add": lambda start, values, x, y: np.concatenate([start[:1], x[1:] + y[1:]]),
    "subtract": lambda start, values, x, y: np.concatenate([start[:1], x[1:] + y[1:]]),
    "negate": lambda start, values, x: x,
    "multiply": lambda start, values, x, y: product(x, y),
    "divide": lambda start, values, x, y: product(x, _reciprocal(_smallest(values[1]), y)),
    "reciprocal": lambda start, values, x: _reciprocal(_smallest(values[0]), x),
    "power": _general_power,
    "sqrt": lambda start, values, x: _power(_smallest(values[0]), start[0], x, 0.5, 0.5),
    "exp": _exp,
    "expm1": _expm1,
    "log": _log,
    "log1p": _log1p,
    "tanh": _tanh,
    "sinh": _hyperbolic,
    "cosh": lambda start, values, x: _pair(start[0], np.sinh(_largest(values[0])), x),
    "sin": _wave,
    "cos": _wave,
    "atan": _atan,
    "asinh": _asinh,
    "erf": _erf,
}
