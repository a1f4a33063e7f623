"""Quotients that count only where something is positive, written as a choice.

``x*I(s > 0)/s -> where(s > 0, x/s, 0)``: in floating point 0 times infinity is no number.
"""

from __future__ import annotations

from chainrule.derivations.algebra._arithmetic import ONE, ZERO, rebuilt, sums_joined
from chainrule.derivations.algebra._written_products import numbers_first
from chainrule.formulas import (
    REDUCTIONS,
    Apply,
    Constant,
    Expression,
    is_layer_coupled,
    subexpressions,
    substitute,
    variables_of,
)


def with_choices(e: Expression) -> Expression:
    """Write products of a quotient and of indicators of what is positive as choices.

    Examples
    --------
    >>> from chainrule.formulas import Variable, to_text
    >>> z = Variable("z")
    >>> is_on = Apply("indicator", (Apply("greater", (z, ZERO)),))
    >>> to_text(with_choices(Apply("divide", (is_on, z))))
    'where(z > 0, 1/z, 0)'
    """
    if not isinstance(e, Apply):
        return e
    conditions: list[Expression] = []
    plain = _without_indicators(e, conditions)
    if not conditions or not _divides(plain):
        return Apply(e.operation, tuple(map(with_choices, e.arguments)))
    chosen = with_choices(rebuilt(plain))
    for condition in dict.fromkeys(conditions):
        chosen = Apply("where", (condition, chosen, ZERO))
    return chosen


def without_guards(e: Expression) -> Expression:
    """Write ``where(sqrt(s) > 0, x/sqrt(s), 0)`` as ``x/sqrt(s)``, as it holds for positive s."""

    def quotient(part: Expression) -> Expression | None:
        match part:
            case Apply("where", (Apply("greater", (Apply("sqrt" | "power"), bound)), x, other)):
                if bound == other == ZERO and _divides(x):
                    return without_guards(x)
        return None

    return substitute(e, quotient)


def with_guards(e: Expression) -> Expression:
    """Write every quotient ``x/y`` by what varies as ``where(y != 0, x/y, 0)``."""
    if not isinstance(e, Apply):
        return e
    e = Apply(e.operation, tuple(map(with_guards, e.arguments)))
    match e:
        case Apply("divide", (_, y)) if _varies(y):
            return Apply("where", (Apply("not_equal", (y, ZERO)), e, ZERO))
        case Apply("power", (y, Constant(exponent))) if exponent < 0 and _varies(y):
            return Apply("where", (Apply("not_equal", (y, ZERO)), e, ZERO))
    return e


def as_shown(e: Expression) -> Expression:
    """Write an expression as it is read: numbers and parameters first, choices inside as factors.

    Examples
    --------
    >>> from chainrule.formulas import parse, to_text
    >>> to_text(as_shown(parse("z*2*exp(z) - where(z > 0, z/abs(z), 0)").expression))
    '2*z*exp(z) - z/abs(z)*indicator(z > 0)'
    """
    e = substitute(numbers_first(sums_joined(e)), _units_first)
    if isinstance(e, Apply) and e.operation != "where":
        return Apply(e.operation, tuple(map(_as_factor, e.arguments)))
    return e


def _units_first(e: Expression) -> Expression | None:
    """``mean(z) > z -> z < mean(z)``."""
    match e:
        case Apply("greater" | "less" as comparison, (Apply(reduction, _) as x, y)):
            is_own = any(name.partition("_")[0] == "z" for name in variables_of(y))
            if reduction in REDUCTIONS and is_own and not is_layer_coupled(y):
                return Apply("less" if comparison == "greater" else "greater", (y, x))
    return None


def _as_factor(e: Expression) -> Expression:
    match e:
        case Apply("where", (condition, x, Constant(value))) if value == 0:
            return Apply("multiply", (_as_factor(x), Apply("indicator", (condition,))))
        case Apply(operation, arguments):
            return Apply(operation, tuple(map(_as_factor, arguments)))
    return e


def _without_indicators(e: Expression, conditions: list[Expression]) -> Expression:
    """Return a product without its indicators, whose conditions are added to a list."""
    match e:
        case Apply("indicator", (Apply("greater", (_, Constant(value))) as condition,)):
            if value == 0:
                conditions.append(condition)
                return ONE
        case Apply("multiply", (x, y)):
            factors = (_without_indicators(x, conditions), _without_indicators(y, conditions))
            return Apply("multiply", factors)
        case Apply("divide", (x, y)):
            return Apply("divide", (_without_indicators(x, conditions), y))
        case Apply("negate", (x,)):
            return Apply("negate", (_without_indicators(x, conditions),))
    return e


def _divides(e: Expression) -> bool:
    """Tell whether an expression divides by what varies."""
    for part in subexpressions(e):
        match part:
            case Apply("divide", (_, y)) if _varies(y):
                return True
            case Apply("power", (x, exponent)) if variables_of(x):
                if not isinstance(exponent, Constant) or exponent.value < 0:
                    return True
    return False


def _varies(divisor: Expression) -> bool:
    """Tell whether a divisor may be 0 somewhere: the number of the largest units is not."""
    match divisor:
        case Apply("sum", (Apply("indicator", (Apply("equal", (x, Apply(extreme, (y,)))),)),)):
            return not (extreme in ("max", "min") and x == y)
    return bool(variables_of(divisor))
