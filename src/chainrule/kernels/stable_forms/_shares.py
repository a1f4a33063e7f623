"""What a share of a sum leaves to the others: ``1 - x/sum(x)`` without cancellation.

A softmax output rounds to 1 from a lead of 37 on, while the share of the other units is a normal
number, and from a lead of 745 on that share is 0 in floating point alone. A power of it below 1
has an infinite slope there, which its other factors would outweigh.
"""

from __future__ import annotations

from collections.abc import Callable

from chainrule.formulas import Apply, Expression, constant, substitute, variables_of
from chainrule.kernels.stable_forms._rewrite import is_positive

_ZERO, _ONE = constant(0), constant(1)


def with_shares_of_others(expression: Expression) -> Expression:
    """Write ``1 - x/sum(x)`` of positive x as the others' share, its powers with finite slopes.

    ``(1 - x/sum(x))**p -> where(others > 0, others**p, 0**p)``: over the real numbers the others'
    share is positive, and its powers' slopes in z vanish with it. The logarithm of a share near 1
    is taken by log1p; ``sum(x) - x`` is written like a share.

    Parameters
    ----------
    expression : Expression
    """

    def of_others(e: Expression) -> Expression | None:
        match e:
            case Apply("power", (base, exponent)) if not variables_of(exponent):
                share = _share_of_others(base)
                if share is not None:
                    power = Apply("power", (share, exponent))
                    limit = Apply("power", (_ZERO, exponent))
                    return Apply("where", (Apply("greater", (share, _ZERO)), power, limit))
            case Apply("log", (Apply("subtract", (one, Apply("divide", (x, total)))) as rest,)) if (
                one == _ONE and _share_of_others(rest) is not None
            ):
                others = Apply("subtract", (total, x))
                is_less = Apply("less", (x, _remaining(x, total, others)))
                small = Apply("log1p", (Apply("negate", (Apply("divide", (x, total)),)),))
                large = Apply("log", (Apply("divide", (_remaining(x, total, others), total)),))
                return Apply("where", (is_less, small, large))
            case Apply("subtract", (Apply("sum", (y,)) as total, x)) if x == y and is_positive(x):
                return _remaining(x, total, e)
        return _share_of_others(e)

    return substitute(expression, of_others)


def _share_of_others(e: Expression) -> Expression | None:
    """Return ``1 - x/sum(x)`` as the sum without x: exact where x is the one largest term."""
    match e:
        case Apply("subtract", (one, Apply("divide", (x, Apply("sum", (y,)))))) if (
            one == _ONE and x == y and is_positive(x)
        ):
            total = Apply("sum", (x,))
            return _remaining(x, total, e, lambda rest: Apply("divide", (rest, total)))
    return None


def _remaining(
    x: Expression,
    total: Expression,
    difference: Expression,
    of: Callable[[Expression], Expression] = lambda rest: rest,
) -> Expression:
    """Return a difference that cancels for the one largest x, there of the sum of all others."""
    below = Apply("less", (x, Apply("max", (x,))))
    ties = Apply("sum", (Apply("where", (below, _ZERO, _ONE)),))
    alone = of(Apply("sum", (Apply("where", (below, x, _ZERO)),)))
    several = Apply("greater", (ties, _ONE))
    return Apply("where", (below, difference, Apply("where", (several, difference, alone))))
