"""How many roundings a product of an output's simple terms takes: few need no more than float32."""

from __future__ import annotations

import math

import numpy as np

from chainrule.formulas import Apply, Constant, Expression, Parameter, Variable

_MOST = 4  # each is half a unit of the last place, or a whole one where this is smallest
_LARGEST_POWER = 4


def is_right_in_floats(product: Expression) -> bool:
    """Tell whether a product keeps its digits when every operation is rounded to float32.

    Its factors are numbers and one of ``a``, besides sums like ``1 - a``, whose terms are exact.

    Parameters
    ----------
    product : Expression
        Rewritten such that zeros show as factors.
    """
    return _roundings(product) <= _MOST


def _roundings(e: Expression) -> float:
    """Return how many roundings can add up in a value, infinity where more than these do."""
    match e:
        case Variable() | Parameter():
            return float(isinstance(e, Parameter))
        case Constant(value):
            return float(not _is_exact(e)) if abs(value) < 2**64 else math.inf
        case Apply("negate", (x,)):
            return _roundings(x)
        case Apply("add" | "subtract", (x, y)):
            exact = [isinstance(t, Variable) or _is_exact(t) for t in (x, y)]
            return 1.0 if all(exact) else math.inf
        case Apply("where", (Apply(_, (x, y)), yes, no)):
            exact = [isinstance(t, Variable) or _is_exact(t) for t in (x, y)]
            return max(_roundings(yes), _roundings(no)) if all(exact) else math.inf
        case Apply("power", (Apply("add" | "subtract") as x, Constant(n))):
            whole = n == int(n) and 0 < n <= _LARGEST_POWER
            return int(n) * _roundings(x) + int(n) - 1 if whole else math.inf
        case Apply("multiply", (x, y)):
            # A square may be subnormal where the whole is not.
            repeated = _variable_factors(x) & _variable_factors(y)
            return math.inf if repeated else _roundings(x) + _roundings(y) + 1
    return math.inf


def _is_exact(e: Expression) -> bool:
    return isinstance(e, Constant) and float(np.float32(float(e.value))) == e.value


def _variable_factors(e: Expression) -> set[Variable]:
    match e:
        case Variable():
            return {e}
        case Apply("multiply" | "negate", arguments):
            return set().union(*map(_variable_factors, arguments))
    return set()
