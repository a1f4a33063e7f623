"""Layers ``a_j = h(z_j) t(T)`` with an odd h, and one ``T = R(u(z))`` with an even u.

Let h rise strictly, and t, which is nowhere negative, and u for positive z never fall. Of two
layers with the same outputs that with the larger t has the smaller ``|h(z_j)|`` in every unit, and
so the smaller ``|z_j|`` and, since R and t follow, no larger t: where t is not 0 both are one
layer. Where t is 0 all outputs are, and since t is at its least there, so is the derivative.
"""

from __future__ import annotations

from collections.abc import Mapping

from chainrule.derivations.algebra._arithmetic import ZERO, add, negate, rebuilt, subtract
from chainrule.derivations.output_forms._layers import exchanged
from chainrule.derivations.output_forms.rising._named_total import (
    TOTAL,
    is_nothing,
    separated,
    with_total_named,
)
from chainrule.derivations.output_forms.rising._rising_layers import NEGLIGIBLE, Rising, number_of
from chainrule.formulas import Apply, Expression, Variable, substitute

PROOF = (
    "{} = h(z_j)·t with an odd h that rises and one t for all units, which is nowhere negative and "
    "never falls as any |z_j| grows: outputs tell all units, or are all 0 with the derivative"
)
_Z = Variable("z")


def is_told_by_sizes(e: Expression, values: Mapping[str, float]) -> bool:
    """Tell whether the outputs tell the derivative of a layer as above."""
    named = with_total_named(e)
    if named is None:
        return False
    inner, total = named
    ways = [(own, common) for own, common, is_product in separated(inner) if is_product]
    return any(
        _is_told(sign(own), sign(exchanged(common, TOTAL, _Z)), total, values)
        for own, common in ways
        for sign in (rebuilt, lambda x: rebuilt(negate(x)))
    )


def _is_told(h: Expression, t: Expression, total: Apply, values: Mapping[str, float]) -> bool:
    u = rebuilt(total.arguments[0])
    if not (is_nothing(add(h, _mirrored(h))) and is_nothing(subtract(u, _mirrored(u)))):
        return False
    upwards = Rising(values, 1)
    at_zero, least = (number_of(exchanged(x, _Z, ZERO), values) for x in (h, u))
    if abs(at_zero) > NEGLIGIBLE or not (least >= 0 or total.operation != "sum"):
        return False
    of_least = number_of(rebuilt(exchanged(t, _Z, exchanged(u, _Z, ZERO))), values)
    return (
        bool(of_least >= -NEGLIGIBLE)
        and upwards.rises(h, 0.0, strictly=True)
        and all(upwards.begins(x, 0.0) for x in (h, u))
        and upwards.rises(u, 0.0)
        and upwards.rises(t, float(least))
        and upwards.begins(t, float(least))
    )


def _mirrored(e: Expression) -> Expression:
    """Return an expression at -z, with ``abs(-z)`` written as ``abs(z)``."""

    def plain(part: Expression) -> Expression | None:
        match part:
            case Apply("abs", (Apply("negate", (x,)),)):
                return Apply("abs", (x,))
        return None

    return rebuilt(substitute(rebuilt(exchanged(e, _Z, negate(_Z))), plain))
