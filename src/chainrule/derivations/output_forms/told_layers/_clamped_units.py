"""Layers of clamped units, ``a = G(h(z))`` with ``h(z) = max(z, 0)`` or ``min(max(z, -1), 1)``.

Where G tells its layer, the output tells all ``h(z_j)``. And these tell their slopes: a unit has
its own value, and the slope 1, where it is not at a bound. Where G has no derivative, the whole has
none.
"""

from __future__ import annotations

from collections.abc import Mapping

from chainrule.derivations.algebra._arithmetic import ZERO, rebuilt
from chainrule.derivations.output_forms._layers import exchanged
from chainrule.derivations.output_forms.layer_forms._clamped_values import clamped
from chainrule.derivations.output_forms.rising._rising_in_both import is_determined
from chainrule.derivations.output_forms.rising._rising_layers import Rising
from chainrule.formulas import Expression, Variable, subexpressions, variables_of

PROOF = "it is G(h(z)) with clamped units h(z_j): the output tells these, and they their slopes"
_Z = Variable("z")


def is_told_by_clamped(e: Expression, values: Mapping[str, float]) -> bool:
    """Tell whether a layer is one of clamped units as above."""
    layers = (
        rebuilt(exchanged(e, part, _Z))
        for part in dict.fromkeys(subexpressions(e))
        if part != _Z
        and clamped(part) is not None
        and "z" not in variables_of(exchanged(e, part, ZERO))
    )
    return any(
        is_determined(layer, values)
        or any(Rising(values, sign).holds(layer, strictly=True) for sign in (1, -1))
        for layer in layers
    )
