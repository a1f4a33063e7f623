"""Layers that an equality singles out: what holds at all others need not hold there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from math import inf

import mpmath

from chainrule.derivations._evaluate import evaluate_layer
from chainrule.derivations.algebra._arithmetic import ONE, ZERO, negate, rebuilt, subtract
from chainrule.derivations.algebra._sympy import attempt
from chainrule.derivations.layers._check import AWKWARD, PLACES
from chainrule.derivations.output_forms._layers import exchanged
from chainrule.derivations.output_forms.rising._rising_in_both import sign_from
from chainrule.derivations.output_forms.rising._rising_layers import NEGLIGIBLE, number_of
from chainrule.formulas import (
    COMPARISONS,
    REDUCTIONS,
    Apply,
    Expression,
    Variable,
    is_layer_coupled,
    subexpressions,
    substitute,
    variables_of,
)

_Z = Variable("z")
_SECONDS = 0.2


def singles_out(e: Expression, values: Mapping[str, float]) -> bool:
    """Tell whether an equality of an expression may hold at other layers than those looked at.

    Of every layer some unit is the largest; and of the layers whose units are all 0, as those are
    where ``sum(abs(z)) == 0``, there is one of each size. An inequality that is decided in one way
    at all layers looked at, as ``sum((z - 1)**2) <= 0`` is, may be decided otherwise where its
    sides are equal.
    """
    return any(
        not _is_plain(part.arguments, values)
        if part.operation in ("equal", "not_equal")
        else attempt(_SECONDS, partial(_is_thin, part, values), True)
        for part in subexpressions(e)
        if isinstance(part, Apply) and part.operation in COMPARISONS
    )


def _is_thin(condition: Apply, values: Mapping[str, float]) -> bool:
    """Tell whether an inequality may be an equality at layers that are not looked at."""
    if len(set(_decided(condition, values))) != 1:
        return False
    alike = rebuilt(substitute(subtract(*condition.arguments), _of_units_alike))
    if not variables_of(alike) or _takes_both_signs(alike, values):
        return False
    turned = exchanged(alike, _Z, negate(_Z))
    return not (
        sign_from(alike, values, -inf, None)[1]
        or all(sign_from(side, values, 0.0, None)[1] for side in (alike, turned))
    )


def _decided(condition: Apply, values: Mapping[str, float]) -> Iterator[bool]:
    """Yield how it is decided for units of layers other than that of zeros."""
    choice = Apply("where", (condition, ONE, ZERO))
    for places in (*PLACES, *(layer for layer in AWKWARD if set(layer) != {"0"})):
        z = [mpmath.mpf(x) for x in places]
        yield from (x == 1 for x in evaluate_layer(choice, {**values, "z": z}))


def _takes_both_signs(e: Expression, values: Mapping[str, float]) -> bool:
    sizes = [mpmath.mpf(k) / 4 * 10**power for power in range(-12, 9) for k in range(1, 40)]
    found = evaluate_layer(e, {**values, "z": [*sizes, *(-z for z in sizes)]})
    return any(x > 0 for x in found) and any(x < 0 for x in found)


def _of_units_alike(e: Expression) -> Expression | None:
    """Return what a reduction is where all units are one and the same, but for their number."""
    match e:
        case Apply(operation, (x,)) if operation in REDUCTIONS:
            return substitute(x, _of_units_alike)
    return None


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
