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


def is_of_differences(cost: Formula) -> bool:
    r"""Tell whether a cost depends on the differences of outputs and targets alone.

    .. math:: J(a + m, y + m) = J(a, y) \quad \text{for all } m

    with a shift :math:`m` of its own for each unit. Read off the formula, operation by operation.

    Examples
    --------
    >>> from chainrule.catalogue import cost_formula
    >>> [is_of_differences(cost_formula(name)) for name in ("huber", "poisson")]
    [True, False]
    """
    try:
        return _shift(cost.expression) == 0
    except _OtherwiseError:
        return False


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


def _shift(expression: Expression) -> Fraction:
    """Return how many times a shift of outputs and targets an expression is shifted."""
    if isinstance(expression, Variable):
        return Fraction(1)
    if not isinstance(expression, Apply):
        return Fraction(0)
    operation, arguments = expression.operation, expression.arguments
    shifts = tuple(map(_shift, arguments)) if operation != "where" else ()
    if operation == "add":
        return sum(shifts, Fraction(0))
    if operation == "subtract":
        return shifts[0] - shifts[1]
    if operation == "negate":
        return -shifts[0]
    if operation in ("multiply", "divide") and isinstance(arguments[1], Constant):
        factor = arguments[1].value
        return shifts[0] * factor if operation == "multiply" else shifts[0] / factor
    if operation == "multiply" and isinstance(arguments[0], Constant):
        return arguments[0].value * shifts[1]
    if operation in ("maximum", "minimum", *COMPARISONS) and len(set(shifts)) == 1:
        return shifts[0]
    if operation == "where":
        _shift(arguments[0])
        shifts = tuple(map(_shift, arguments[1:]))
        if shifts[0] == shifts[1]:
            return shifts[0]
    # Units have shifts of their own: what reduces them is not shifted by any one of these.
    if any(shifts):
        raise _OtherwiseError
    return Fraction(0)


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
