"""Layers ``a_j = h(u_j) + t`` of units ``u = z - T`` around their mean, largest or smallest unit T.

Let h rise strictly, and two layers have the same outputs. If the one t is more than the other, all
``h(u_j)`` are less by one number, and all u_j are less. But their mean, or extreme, is 0 in both
layers: t is one and the same, and so are all u_j. Where t is made of the u_j, and of a number times
T, a common shift of all units changes no derivative: the u_j tell it.
"""

from __future__ import annotations

from collections.abc import Mapping

from chainrule.derivations.algebra._arithmetic import ZERO, add, multiply, rebuilt
from chainrule.derivations.layers._closed_form import without_reductions
from chainrule.derivations.output_forms._layers import exchanged
from chainrule.derivations.output_forms.rising._rising_layers import Rising, terms_of
from chainrule.formulas import Apply, Expression, Variable, is_layer_coupled, variables_of

PROOF = (
    "{} = h(u_j) + t with one t for all units and with u = z - T, where T is the mean or an "
    "extreme of z: another t would move all u_j one way, but their own mean or extreme is 0"
)
_Z, _CENTRED = Variable("z"), Variable("u")


def is_told_around_middle(e: Expression, values: Mapping[str, float]) -> bool:
    """Tell whether a layer is ``h(u) + t`` as above: its output then determines its derivative."""
    middles = (Apply(reduction, (_Z,)) for reduction in ("mean", "max", "min"))
    return any(_is_told(e, middle, values) for middle in middles)


def _is_told(e: Expression, middle: Expression, values: Mapping[str, float]) -> bool:
    own: Expression = ZERO
    for factor, term in terms_of(exchanged(e, Apply("subtract", (_Z, middle)), _CENTRED)):
        if term == middle:
            continue
        if "z" in variables_of(term):
            return False
        if not is_layer_coupled(term):
            own = add(own, multiply(factor, term))
        elif variables_of(without_reductions(term)):
            return False
    h = rebuilt(exchanged(own, _CENTRED, _Z))
    return any(Rising(values, sign).rises(h, strictly=True) for sign in (1, -1))
