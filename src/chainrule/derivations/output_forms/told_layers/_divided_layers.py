"""Layers of ``a_j = h(z_j)/D**p`` with ``D = c + s``, s a sum or mean of u(z) over the units.

Let h be strictly monotone, p > 0, and c and u nowhere negative; and let two layers have the same
outputs. As D grows from the one to the other, every ``h(z_j) = a_j D**p`` goes on growing from 0,
and ``u(z_j)/D`` changes as ``u/|h|**(1/p)`` does. Where that never grows with |h|, what s and c are
of D falls, by c if by nothing else; but it is 1 for both. So D is the same, and with it the layer.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from math import inf

import sympy

from chainrule.derivations._chain_rule import derivative_in_variables
from chainrule.derivations.algebra._arithmetic import multiply, rebuilt, subtract
from chainrule.derivations.algebra._sympy import Translation
from chainrule.derivations.output_forms._layers import exchanged, factors_apart
from chainrule.derivations.output_forms.rising._rising_in_both import sign_from
from chainrule.derivations.output_forms.rising._rising_layers import Rising
from chainrule.derivations.pieces._pieces import smooth_pieces
from chainrule.formulas import (
    Apply,
    Constant,
    Expression,
    Formula,
    Parameter,
    is_layer_coupled,
    subexpressions,
    substitute,
    variables_of,
)

PROOF = (
    "{} = h(z_j)/D^p with D = c + s, a sum or mean of u(z) over the units; h rises or falls "
    "strictly, and u/|h|^(1/p) never grows with |h|, so that outputs are the same for one D alone"
)
_S = Parameter("shared_by_the_layer")
_SUMS = ("sum", "mean")


def is_told_by_divisor(e: Expression, values: Mapping[str, float]) -> bool:
    """Tell whether a layer is ``h(z)/D**p`` as above."""
    numbers: dict[Expression, Expression] = {
        Parameter(name): Constant(Fraction(value)) for name, value in values.items()
    }
    e = rebuilt(substitute(e, numbers.get))
    shared = {part for part in subexpressions(e) if _is_sum(part)}
    if len(shared) != 1:
        return False
    (total,) = shared
    assert isinstance(total, Apply)
    inner = total.arguments[0]
    parts = factors_apart(exchanged(e, total, _S), _S)
    divided = None if parts is None or is_layer_coupled(inner) else _power_of_line(parts[1])
    return parts is not None and divided is not None and _tells(parts[0], inner, *divided)


def _is_sum(e: Expression) -> bool:
    return isinstance(e, Apply) and e.operation in _SUMS and "z" in variables_of(e)


def _power_of_line(e: Expression) -> tuple[Fraction, bool] | None:
    """Return p of ``k/(c + d s)**p`` with positive p and d, and whether c is; None of others."""
    translation = Translation()
    s = translation.symbol(_S)
    base, exponent = sympy.factor(translation.to_sympy(e)).as_independent(s)[1].as_base_exp()
    if not exponent.is_Rational or exponent >= 0 or not base.is_polynomial(s):
        return None
    if sympy.degree(base, s) != 1:
        return None
    c = sympy.cancel(base.coeff(s, 0) / base.coeff(s, 1))
    return (Fraction(-exponent.p, exponent.q), bool(c > 0)) if c >= 0 else None


def _tells(own: Expression, inner: Expression, p: Fraction, has_number: bool) -> bool:
    way = next((way for way in (1, -1) if Rising({}, way).rises(own, strictly=True)), 0)
    if not way or sign_from(inner, {}, -inf, None)[0] < 1 or not _is_continuous(inner):
        return False
    growth = subtract(
        multiply(Constant(p), multiply(derivative_in_variables(inner), own)),
        multiply(inner, derivative_in_variables(own)),
    )
    sign, is_nowhere_zero = sign_from(growth, {}, -inf, None)
    return sign == -way and (has_number or is_nowhere_zero)


def _is_continuous(e: Expression) -> bool:
    cut = smooth_pieces(Formula(e))
    return all(Rising({}, 1).is_joined(cut, k, jumps=False) for k in range(1, len(cut.pieces)))
