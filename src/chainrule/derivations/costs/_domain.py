"""Whether a cost is defined at the outputs that an activation has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import mpmath

from chainrule.derivations._evaluate import evaluate_layer
from chainrule.formulas import Formula

# Pre-activations as they are at the start of training, where every cost should be defined.
_LAYERS = (
    ("0.7", "-0.4", "0.1"),
    ("-0.9", "-0.2", "0.5"),
    ("0.3", "0.8", "1.1"),
    ("-0.6", "-1.2", "-0.35"),
)
_OFTEN = 2  # of these layers: what fails in one alone, as where all outputs are 0, may be rare
_TARGETS = (("0.2", "0.5", "0.3"), ("1", "0", "0"), ("-1", "1", "1"))


def undefined_output(
    activation: Formula, cost: Formula, targets: Mapping[str, Any] | None = None
) -> float | None:
    """Return an output of ordinary pre-activations at which a cost has no value, if there is one.

    Parameters
    ----------
    activation, cost : Formula
    targets : mapping, optional
        Between which bounds, ``low`` and ``high``, or among which ``values`` targets lie.

    Examples
    --------
    >>> from chainrule.catalogue import activation_formula, cost_formula
    >>> undefined_output(activation_formula("identity"), cost_formula("poisson"), {"low": 0.0})
    -0.4
    >>> undefined_output(activation_formula("exponential"), cost_formula("poisson"), {"low": 0.0})
    """
    allowed = [y for y in _TARGETS if _is_allowed(y, targets or {})]
    with mpmath.workdps(30):
        found = [_undefined_in(activation, cost, places, allowed) for places in _LAYERS]
    outputs = [output for output in found if output is not None]
    return outputs[0] if len(outputs) >= _OFTEN else None


def _undefined_in(
    activation: Formula, cost: Formula, places: tuple[str, ...], targets: Sequence[tuple[str, ...]]
) -> float | None:
    z = [mpmath.mpf(x) for x in places]
    outputs = evaluate_layer(activation.expression, {**dict(activation.parameters), "z": z})
    if not all(map(mpmath.isfinite, outputs)):
        return None

    def has_value(a: list[Any], y: list[Any]) -> bool:
        known = {**dict(cost.parameters), "a": a, "y": y}
        return bool(mpmath.isfinite(evaluate_layer(cost.expression, known)[0]))

    for target in targets:
        y = [mpmath.mpf(x) for x in target]
        if not has_value(outputs, y):
            alone = (a for a, own in zip(outputs, y, strict=True) if not has_value([a], [own]))
            return float(next(alone, outputs[0]))
    return None


def _is_allowed(values: tuple[str, ...], targets: Mapping[str, Any]) -> bool:
    if "values" in targets:
        return all(float(y) in targets["values"] for y in values)
    low, high = targets.get("low", float("-inf")), targets.get("high", float("inf"))
    return all(low <= float(y) <= high for y in values)
