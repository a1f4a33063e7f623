"""Whether a cost only changes by a factor when outputs and targets are measured otherwise."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

from chainrule.formulas import (
    COMPARISONS,
    REDUCTIONS,
    Apply,
    Constant,
    Expression,
    Formula,
    Variable,
)

_ZERO = Constant(Fraction(0))
_SAME = {"add", "subtract", "maximum", "minimum"}
_UNCHANGED = {"negate", "abs", *REDUCTIONS}


class _OtherwiseError(Exception):
    """A part of the formula changes by no power of the scale."""


@lru_cache(maxsize=256)
def degree(cost: Formula) -> float | None:
    r"""Return the power of the scale by which a cost changes, or None where there is none.

    .. math:: J(s a + m, s y + m) = s^d J(a, y) \quad \text{for all } s > 0 \text{ and } m

    with a shift :math:`m` of its own for each unit. Read off the formula, operation by operation:
    a difference of output and target has degree 1, degrees add in products, and sums need parts of
    one degree. None is also the answer where these rules do not reach.

    Parameters
    ----------
    cost : Formula
        In the output `a` and the target `y`.

    Examples
    --------
    >>> from chainrule.catalogue import cost_formula
    >>> [degree(cost_formula(name)) for name in ("half_squared_error", "absolute_error", "huber")]
    [2.0, 1.0, None]
    """
    try:
        return float(_degree(cost.expression))
    except _OtherwiseError:
        return None


def _degree(expression: Expression) -> Fraction:
    if isinstance(expression, Variable):
        raise _OtherwiseError
    if not isinstance(expression, Apply):
        return Fraction(0)
    operation, arguments = expression.operation, expression.arguments
    if operation == "subtract" and all(isinstance(part, Variable) for part in arguments):
        return Fraction(1)
    if operation in _SAME:
        return _common(arguments)
    if operation in _UNCHANGED:
        return _degree(arguments[0])
    if operation == "sqrt":
        return _degree(arguments[0]) / 2
    if operation in ("multiply", "divide"):
        first, second = map(_degree, arguments)
        return first + second if operation == "multiply" else first - second
    if operation == "power" and isinstance(arguments[1], Constant):
        return _degree(arguments[0]) * arguments[1].value
    if operation == "where":
        condition, *values = arguments
        if not isinstance(condition, Apply) or condition.operation not in COMPARISONS:
            raise _OtherwiseError
        _common(condition.arguments)
        return _common(tuple(values))
    if operation == "sign":
        _degree(arguments[0])
        return Fraction(0)
    if any(_degree(part) != 0 for part in arguments):
        raise _OtherwiseError
    return Fraction(0)


def _common(parts: tuple[Expression, ...]) -> Fraction:
    """Return the one degree of all parts; 0 has any."""
    degrees = {_degree(part) for part in parts if part != _ZERO}
    if len(degrees) > 1:
        raise _OtherwiseError
    return degrees.pop() if degrees else Fraction(0)
