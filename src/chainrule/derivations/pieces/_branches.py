"""What an expression chooses between, by which difference, and where a root may have a kink."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import mpmath

from chainrule.derivations._evaluate import evaluate
from chainrule.derivations.algebra._arithmetic import ZERO, negate
from chainrule.derivations.pieces._crossings import Crossing, exact_crossings
from chainrule.formulas import (
    COMPARISONS,
    REDUCTIONS,
    Apply,
    Constant,
    Expression,
    Variable,
    constant,
    subexpressions,
    substitute,
    variables_of,
)

BRANCHING = ("where", "maximum", "minimum", "abs", "sign")


def chosen(e: Apply, difference: Any, branches: tuple[Expression, ...]) -> Expression:
    """Return one of the branches of a choice, by the difference of what it compares.

    Where ``max`` or ``min`` tie it is that of a constant argument, else of the first.
    """
    if e.operation == "where":
        comparison = e.arguments[0]
        assert isinstance(comparison, Apply)
        holds = evaluate(Apply(comparison.operation, (Variable("d"), ZERO)), {"d": difference})
        return branches[1] if holds else branches[2]
    if e.operation in ("maximum", "minimum"):
        if difference == 0:
            return branches[0] if variables_of(e.arguments[1]) else branches[1]
        return branches[0] if (difference > 0) == (e.operation == "maximum") else branches[1]
    if mpmath.isnan(difference):
        return branches[0]
    if e.operation == "sign":
        return constant(int(mpmath.sign(difference)))
    if difference == 0:
        return ZERO
    return branches[0] if difference > 0 else negate(branches[0])


def innermost_branching(expression: Expression) -> Apply | None:
    """Return a choice whose parts hold no other, if there is one."""
    found = [
        e for e in subexpressions(expression) if isinstance(e, Apply) and e.operation in BRANCHING
    ]
    return found[-1] if found else None


def difference_of(branching: Apply) -> Expression:
    """Return the difference by which a choice is made."""
    x = branching.arguments
    if branching.operation == "where":
        assert isinstance(x[0], Apply)
        assert x[0].operation in COMPARISONS
        return Apply("subtract", x[0].arguments)
    return Apply("subtract", x) if len(x) == 2 else x[0]


def with_extremes(e: Expression) -> Expression:
    """Write ``where(x > c, x, c)`` with a number c as ``max(x, c)``, which has the same slopes.

    And ``where(x < c, x, c)`` as ``min(x, c)``; where a value is compared with itself, the branch
    that is taken.
    """
    operations = {"greater": "maximum", "less": "minimum"}

    def written(part: Expression) -> Expression | None:
        match part:
            case Apply("where", (Apply(comparison, (x, c)), *branches)):
                if x == c:
                    holds = comparison in ("equal", "greater_equal", "less_equal")
                    return with_extremes(branches[not holds])
                if branches == [x, c] and comparison in operations and not variables_of(c):
                    return Apply(operations[comparison], (with_extremes(x), c))
        return None

    return substitute(e, written)


def shared_choice(e: Expression) -> tuple[Apply, Expression, Expression] | None:
    """Return condition and branches where all units take the same branch of the two."""
    match e:
        case Apply("where", (Apply() as condition, x, y)):
            if "z" in variables_of(condition) and "z" not in variables_of(_outside(condition)):
                return condition, x, y
    return None


def _outside(e: Expression) -> Expression:
    """Return what an expression is outside of its reductions."""
    return substitute(
        e, lambda part: ZERO if isinstance(part, Apply) and part.operation in REDUCTIONS else None
    )


def places_touched(e: Expression, values: Mapping[str, Any]) -> Iterator[Crossing]:
    """Yield where what a root is taken of may be 0: where polynomials tell, and at 0."""
    for part in subexpressions(e):
        match part:
            case Apply("sqrt", (x,)):
                yield from _roots_of(x, values)
            case Apply("power", (x, exponent)) if not variables_of(exponent):
                if not mpmath.isint(evaluate(exponent, values)):
                    yield from _roots_of(x, values)


def _roots_of(e: Expression, values: Mapping[str, Any]) -> Iterator[Crossing]:
    match e:
        case Apply("multiply" | "divide", (x, y)):
            yield from _roots_of(x, values)
            yield from _roots_of(y, values)
        case Apply("power", (x, Constant())):
            yield from _roots_of(x, values)
        case _ if variables_of(e):
            found = exact_crossings(e, values)
            if found is None and evaluate(e, {**values, "z": mpmath.mpf(0)}) == 0:
                found = [(ZERO, mpmath.mpf(0))]  # as 1 - exp(-z**2), log(cosh(z)) and their kin
            yield from found or []
