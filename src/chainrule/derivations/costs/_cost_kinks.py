"""Where the slope of a cost jumps, and what is taken there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import mpmath
import sympy

from chainrule.derivations._evaluate import evaluate, evaluate_layer
from chainrule.derivations.algebra._arithmetic import ZERO, rebuilt, size
from chainrule.derivations.algebra._sympy import Translation, attempt, without_shared
from chainrule.formulas import (
    COMPARISONS,
    Apply,
    Expression,
    Formula,
    is_layer_coupled,
    subexpressions,
    substitute,
    variables_of,
)

_TARGETS = ("0.37", "-0.81", "1.43", "-1", "1")
_SECONDS = 0.2
_REASONS = {
    "abs": "sign(0) = 0",
    "maximum": "the rule for two equal arguments of max",
    "minimum": "the rule for two equal arguments of min",
    "where": "the comparison decides",
}


@dataclass(frozen=True)
class CostKink:
    """A place where two branches of a cost meet.

    Parameters
    ----------
    boundary : Expression
        The equation between output and target that holds there.
    slope : Expression
        ∂(cost)/∂a as it is taken there.
    is_smooth : bool
        Whether the branches meet with one slope.
    reason : str
        Which rule decides.
    """

    boundary: Expression
    slope: Expression
    is_smooth: bool
    reason: str


def cost_kinks(cost: Formula, by_output: Expression) -> tuple[CostKink, ...]:
    """Return the places where the branches of a cost meet, unit by unit.

    Parameters
    ----------
    cost : Formula
    by_output : Expression
        ∂(cost)/∂a.
    """
    found: dict[Expression, CostKink] = {}
    for left, right, reason in _meetings(cost.expression):
        boundary = _boundary(left, right)
        jump = _jump(left, right, by_output, dict(cost.parameters))
        if boundary not in found and jump is not None:
            slope = rebuilt(substitute(by_output, partial(_taken_at, boundary)))
            found[boundary] = CostKink(boundary, slope, jump < mpmath.mpf(10) ** -12, reason)
    return tuple(found.values())


def _meetings(e: Expression) -> Iterator[tuple[Expression, Expression, str]]:
    """Yield what is compared in an expression, unit by unit, and the rule at equality."""
    for part in subexpressions(e):
        if not isinstance(part, Apply) or part.operation not in _REASONS:
            continue
        sides = part.arguments
        if part.operation == "abs":
            sides = (part.arguments[0], ZERO)
        elif part.operation == "where":
            condition = part.arguments[0]
            assert isinstance(condition, Apply)
            sides = condition.arguments
        difference = Apply("subtract", sides)
        if "a" in variables_of(difference) and not is_layer_coupled(difference):
            yield sides[0], sides[1], _REASONS[part.operation]


def _boundary(left: Expression, right: Expression) -> Expression:
    translation = Translation()

    def short() -> tuple[Expression, Expression]:
        difference = translation.to_sympy(Apply("subtract", (left, right)))
        return without_shared(sympy.expand(difference), translation.to_expression)

    ways = (left, right), attempt(_SECONDS, short, (left, right))
    return Apply("equal", min(ways, key=lambda sides: sum(map(size, sides))))


def _taken_at(boundary: Expression, e: Expression) -> Expression | None:
    """Replace what a boundary decides; the derivative by the output holds strict comparisons."""
    if not isinstance(e, Apply) or e.operation not in ("indicator", "where", "sign"):
        return None
    inner = e.arguments[0]
    compared = inner.arguments if isinstance(inner, Apply) else ()
    if e.operation == "sign":
        compared = (inner, ZERO)
    elif not isinstance(inner, Apply) or inner.operation not in COMPARISONS:
        return None
    if boundary not in (_boundary(*compared), _boundary(*reversed(compared))):
        return None
    return e.arguments[2] if e.operation == "where" else ZERO


def _jump(
    left: Expression, right: Expression, by_output: Expression, values: dict[str, float]
) -> Any:
    """Return the largest jump of the derivative over the boundary; None where none was met."""
    difference = Apply("subtract", (left, right))
    jumps = []
    with mpmath.workdps(50):
        grid = [mpmath.mpf(k) / 8 + mpmath.mpf("0.003") for k in range(-40, 41)]
        for target in _TARGETS:
            known = {**values, "y": mpmath.mpf(target)}
            signs = [mpmath.sign(evaluate(difference, {**known, "a": a})) for a in grid]
            for k in range(len(grid) - 1):
                if signs[k] * signs[k + 1] < 0:
                    near = _crossing(difference, known, grid[k], grid[k + 1])
                    slopes = [
                        evaluate_layer(by_output, {**values, "y": [known["y"]], "a": [a]})[0]
                        for a in near
                    ]
                    jumps.append(abs(slopes[1] - slopes[0]))
    finite = [jump for jump in jumps if mpmath.isfinite(jump)]
    return max(finite) if finite else None


def _crossing(
    difference: Expression, known: dict[str, Any], low: Any, high: Any
) -> tuple[Any, Any]:
    """Close in on a change of sign from both sides."""
    sign = mpmath.sign(evaluate(difference, {**known, "a": low}))
    for _ in range(60):
        middle = (low + high) / 2
        if mpmath.sign(evaluate(difference, {**known, "a": middle})) == sign:
            low = middle
        else:
            high = middle
    step = mpmath.mpf(10) ** -15
    return low - step, high + step
