"""The derivative by a parameter, which all units share."""

from __future__ import annotations

from collections.abc import Mapping

import mpmath

from chainrule.derivations._evaluate import evaluate
from chainrule.derivations._operations import LOCAL_DERIVATIVES, indicator
from chainrule.derivations._simplified import simplified
from chainrule.derivations.algebra._arithmetic import ONE, ZERO, divide, multiply, total
from chainrule.derivations.pieces._branches import BRANCHING
from chainrule.formulas import (
    COMPARISONS,
    REDUCTIONS,
    Apply,
    Constant,
    Expression,
    Parameter,
    Variable,
    subexpressions,
    substitute,
    variables_of,
)


def by_parameter(expression: Expression, name: str, values: Mapping[str, float]) -> Expression:
    """Return the derivative by a parameter, from the inside out.

    A parameter is shared by all units, so that a reduction's derivative is the reduction of the
    derivatives; units that share the extreme value share its derivative.

    Parameters
    ----------
    expression : Expression
    name : str
        The parameter.
    values : mapping of str to float
        Of all parameters: they tell whether a power has a value where its base is 0.
    """
    slopes: dict[Expression, Expression] = {}
    for e in reversed(list(subexpressions(expression))):
        if e not in slopes:
            slopes[e] = _slope(e, name, values, slopes)
    return slopes[expression]


def _slope(
    e: Expression, name: str, values: Mapping[str, float], slopes: dict[Expression, Expression]
) -> Expression:
    if not isinstance(e, Apply):
        return ONE if e == Parameter(name) else ZERO
    inner = tuple(slopes.get(part, ZERO) for part in e.arguments)
    if e.operation in COMPARISONS or all(slope == ZERO for slope in inner):
        return ZERO
    if e.operation == "where":
        return _chosen(e.arguments[0], inner[1], inner[2])
    if e.operation in ("maximum", "minimum"):
        first_counts = LOCAL_DERIVATIVES[e.operation](e.arguments, e)[0]
        assert isinstance(first_counts, Apply)
        return _chosen(first_counts.arguments[0], *inner)
    if e.operation not in REDUCTIONS:
        partials = partials_by_parameter(e, name, values)
        return total(multiply(p, s) for p, s in zip(partials, inner, strict=True) if s != ZERO)
    if e.operation in ("sum", "mean"):
        return Apply(e.operation, inner)
    attains = indicator(Apply("equal", (e.arguments[0], e)))
    return divide(Apply("sum", (multiply(attains, inner[0]),)), Apply("sum", (attains,)))


def _chosen(condition: Expression, x: Expression, y: Expression) -> Expression:
    """Return one of two slopes; the other one may be undefined there, which 0 times it is too."""
    return x if x == y else Apply("where", (condition, simplified(x), simplified(y)))


def partials_by_parameter(
    e: Apply, name: str, values: Mapping[str, float]
) -> tuple[Expression, ...]:
    """Return the local derivatives of an operation whose arguments may hold a parameter."""
    if e.operation != "power":
        return LOCAL_DERIVATIVES[e.operation](e.arguments, e)
    base, exponent = e.arguments
    positive = Apply("greater", (exponent, ZERO))
    is_positive = None if variables_of(exponent) else _is_positive(exponent, values)
    if base == ZERO and is_positive:
        return ZERO, ZERO
    # The rule spares the logarithm of the base where no variable stands in the exponent.
    to_variable: dict[Expression, Expression] = {Parameter(name): Variable(name)}
    to_parameter: dict[Expression, Expression] = {Variable(name): Parameter(name)}
    arguments = tuple(substitute(part, to_variable.get) for part in e.arguments)
    partials = LOCAL_DERIVATIVES["power"](arguments, Apply("power", arguments))
    by_base, by_exponent = (substitute(part, to_parameter.get) for part in partials)
    if by_exponent != ZERO and _may_vanish(base):
        # Such a base may be 0, some on a whole piece: for p > 0 there 0**p stays 0 when p changes,
        # and for p <= 0 it has no value.
        held = _chosen(Apply("equal", (base, ZERO)), ZERO, by_exponent)
        if is_positive is None:
            by_exponent = Apply("where", (positive, held, by_exponent))
        elif is_positive:
            by_exponent = held
    return by_base, by_exponent


def _may_vanish(base: Expression) -> bool:
    operations = {part.operation for part in subexpressions(base) if isinstance(part, Apply)}
    has_branches = not operations.isdisjoint(BRANCHING)
    return isinstance(base, Variable) or (has_branches and _sign_as_written(base) < 1)


def _sign_as_written(e: Expression) -> int:
    """Return 1 for what is written as a positive number, 0 for one that may be 0, else -1."""
    match e:
        case Constant(value):
            return int(value > 0) - int(value < 0)
        case Apply("exp" | "cosh", _):
            return 1
        case Apply("abs" | "sqrt", _):
            return 0
        case Apply("power", (base, _)):
            return _sign_as_written(base)
        case Apply("add", (x, y)):
            signs = _sign_as_written(x), _sign_as_written(y)
            return max(signs) if min(signs) >= 0 else -1
        case Apply("multiply" | "divide", (x, y)):
            return min(_sign_as_written(x), _sign_as_written(y))
    return -1


def _is_positive(exponent: Expression, values: Mapping[str, float]) -> bool:
    with mpmath.workdps(40):
        return bool(evaluate(exponent, values) > 0)
