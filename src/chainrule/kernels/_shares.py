"""What a share of a sum leaves to the others: ``1 - x/sum(x)`` without cancellation.

A softmax output rounds to 1 from a lead of 37 on, while the share of the other units is a normal
number, and from a lead of 745 on that share is 0 in floating point alone. A power of it below 1
has an infinite slope there, which its other factors would outweigh.
"""

from __future__ import annotations

from chainrule.formulas import Apply, Expression, constant, substitute, variables_of
from chainrule.kernels._rewrite import is_positive

_ZERO, _ONE = constant(0), constant(1)


def with_shares_of_others(expression: Expression) -> Expression:
    """Write ``1 - x/sum(x)`` of positive x as the others' share, its powers with finite slopes.

    ``(1 - x/sum(x))**p -> where(others > 0, others**p, 0**p)``: over the real numbers the others'
    share is positive, and its powers' slopes in z vanish with it.

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
        return _share_of_others(e)

    return substitute(expression, of_others)


def _share_of_others(e: Expression) -> Expression | None:
    """Return ``1 - x/sum(x)`` as the sum without x: exact where x is the one largest term."""
    match e:
        case Apply("subtract", (one, Apply("divide", (x, Apply("sum", (y,)))))) if (
            one == _ONE and x == y and is_positive(x)
        ):
            total = Apply("sum", (x,))
            below = Apply("less", (x, Apply("max", (x,))))
            ties = Apply("sum", (Apply("where", (below, _ZERO, _ONE)),))
            rest = Apply("sum", (Apply("where", (below, x, _ZERO)),))
            alone = Apply("divide", (rest, total))
            several = Apply("greater", (ties, _ONE))
            return Apply("where", (below, e, Apply("where", (several, e, alone))))
    return None
