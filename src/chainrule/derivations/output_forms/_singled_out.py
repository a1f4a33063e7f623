"""Layers that an equality singles out: what holds at all others need not hold there."""

from __future__ import annotations

from collections.abc import Mapping

from chainrule.derivations._arithmetic import ZERO, negate
from chainrule.derivations.output_forms._layers import exchanged
from chainrule.derivations.output_forms._rising_in_both import sign_from
from chainrule.derivations.output_forms._rising_layers import NEGLIGIBLE, number_of
from chainrule.formulas import Apply, Expression, Variable, is_layer_coupled, subexpressions

_Z = Variable("z")


def singles_out(e: Expression, values: Mapping[str, float]) -> bool:
    """Tell whether an equality of an expression may hold at other layers than those looked at.

    Of every layer some unit is the largest; and of the layers whose units are all 0, as those are
    where ``sum(abs(z)) == 0``, there is one of each size.
    """
    return any(
        isinstance(part, Apply)
        and part.operation in ("equal", "not_equal")
        and not _is_plain(part.arguments, values)
        for part in subexpressions(e)
    )


def _is_plain(compared: tuple[Expression, ...], values: Mapping[str, float]) -> bool:
    return any(
        one in (Apply("max", (other,)), Apply("min", (other,)))
        or (one == ZERO and _is_zero_alone(other, values))
        for one, other in (compared, compared[::-1])
    )


def _is_zero_alone(e: Expression, values: Mapping[str, float]) -> bool:
    """Tell whether a reduction is 0 where all units are, and nowhere else."""
    match e:
        case Apply("sum" | "mean" | "max", (u,)) if not is_layer_coupled(u):
            at_zero = number_of(exchanged(u, _Z, ZERO), values)
            turned = exchanged(u, _Z, negate(_Z))
            return bool(abs(at_zero) < NEGLIGIBLE) and all(
                sign_from(side, values, 0.0, None) == (1, True) for side in (u, turned)
            )
    return False
