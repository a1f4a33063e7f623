"""Whether a smooth expression is defined on an interval, proved by interval arithmetic."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from chainrule.formulas import Apply, Constant, Expression, constant, subexpressions, variables_of
from chainrule.portraits._interval import Program

_LEVELS = 8
_START = 256
_REACH = 1e4


def is_defined(e: Expression, parameters: Mapping[str, float], low: float, high: float) -> bool:
    """Tell whether every divisor and every argument is proved to be where it must be."""
    near, far = max(low, -_REACH), min(high, _REACH)
    for condition, positive in dict.fromkeys(_conditions(e)):
        program = Program(condition, parameters)
        tails = [(low, near)] * (low < near) + [(far, high)] * (far < high)
        ends = np.linspace(near, far, _START + 1) if near < far else np.array([])
        left = np.array([*(t[0] for t in tails), *ends[:-1]])
        right = np.array([*(t[1] for t in tails), *ends[1:]])
        for _ in range(_LEVELS):
            lower, upper = program((left, right))
            open_ = ~((lower > 0) | ((upper < 0) & (not positive)))
            left, right = left[open_], right[open_]
            if not left.size or not (np.isfinite(left).all() and np.isfinite(right).all()):
                break
            middle = (left + right) / 2
            left, right = np.concatenate([left, middle]), np.concatenate([middle, right])
        if left.size:
            return False
    return True


def _conditions(e: Expression) -> Iterator[tuple[Expression, bool]]:
    """Yield what must differ from zero, and whether it must be positive."""
    for part in subexpressions(e):
        if not isinstance(part, Apply) or not variables_of(part):
            continue
        x = part.arguments
        if part.operation in ("log", "sqrt"):
            yield x[0], True
        elif part.operation == "log1p":
            yield Apply("add", (constant(1), x[0])), True
        elif part.operation == "divide" and variables_of(x[1]):
            yield x[1], False
        elif part.operation == "reciprocal":
            yield x[0], False
        elif part.operation == "power":
            exponent = x[1]
            whole = isinstance(exponent, Constant) and exponent.value.denominator == 1
            if not whole:
                yield x[0], True
            elif isinstance(exponent, Constant) and exponent.value < 0:
                yield x[0], False
