"""Values of many layers at once, in floating point: for searching, nothing is proved by them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.formulas import REDUCTIONS, Apply, Constant, Expression, Parameter, Pi, Variable

_ERROR_FUNCTION = np.frompyfunc(math.erf, 1, 1)
_OPERATIONS: dict[str, Callable[..., Any]] = {
    "add": np.add, "subtract": np.subtract, "multiply": np.multiply, "divide": np.divide,
    "power": np.power, "negate": np.negative, "exp": np.exp, "expm1": np.expm1, "log": np.log,
    "log1p": np.log1p, "sqrt": np.sqrt, "abs": np.abs, "sign": np.sign, "tanh": np.tanh,
    "sinh": np.sinh, "cosh": np.cosh, "sin": np.sin, "cos": np.cos, "atan": np.arctan,
    "asinh": np.arcsinh, "erf": lambda x: np.asarray(_ERROR_FUNCTION(x), dtype=float),
    "maximum": np.maximum, "minimum": np.minimum, "greater": np.greater, "less": np.less,
    "greater_equal": np.greater_equal, "less_equal": np.less_equal, "equal": np.equal,
    "not_equal": np.not_equal, "where": np.where, "indicator": lambda x: np.where(x, 1.0, 0.0),
}  # fmt: skip
_REDUCE: dict[str, Callable[..., Any]] = {
    "sum": np.sum, "mean": np.mean, "max": np.max, "min": np.min
}  # fmt: skip


@dataclass(frozen=True)
class Program:
    """An expression as steps, each with the positions of what it takes; equal parts are one.

    Parameters
    ----------
    steps : tuple of (Expression, tuple of int)
    """

    steps: tuple[tuple[Expression, tuple[int, ...]], ...]

    @classmethod
    def of(cls, expression: Expression) -> Program:
        """Return the program that computes an expression."""
        known: dict[Any, int] = {}
        steps: list[tuple[Expression, tuple[int, ...]]] = []

        def position(e: Expression) -> int:
            arguments = tuple(map(position, e.arguments)) if isinstance(e, Apply) else ()
            key = (e.operation, *arguments) if isinstance(e, Apply) else e
            if key not in known:
                known[key] = len(steps)
                steps.append((e, arguments))
            return known[key]

        position(expression)
        return cls(tuple(steps))

    def run(self, values: Mapping[str, Any], shape: tuple[int, int]) -> Any:
        """Return the values for layers as rows.

        Parameters
        ----------
        values : mapping of str to array or float
            Of variables and parameters.
        shape : tuple of int
            How many layers there are, and units in each.
        """
        found: list[Any] = []
        with np.errstate(all="ignore"):
            for e, arguments in self.steps:
                found.append(_value(e, [found[k] for k in arguments], values, shape))
        return np.broadcast_to(np.asarray(found[-1], dtype=float), shape)


def _value(
    e: Expression, parts: list[Any], values: Mapping[str, Any], shape: tuple[int, int]
) -> Any:
    match e:
        case Constant(value):
            return float(value)
        case Pi():
            return math.pi
        case Variable(name) | Parameter(name):
            return values[name]
        case Apply("count", ()):
            return float(shape[1])
        case Apply(operation, _) if operation in REDUCTIONS:
            rows = np.broadcast_to(parts[0], shape)
            return _REDUCE[operation](rows, axis=1, keepdims=True)
        case Apply(operation, _):
            return _OPERATIONS[operation](*parts)
    raise TypeError(e)
