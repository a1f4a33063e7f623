"""What the chain rule takes for a slope where several units of a layer are at kinks at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath

from chainrule.certificates._sample import Array
from chainrule.derivations import SEED, backward_graph, computation_graph, evaluate_layer
from chainrule.formulas import Formula
from chainrule.references._ball import Raw

_DIGITS = 60


def layer_rule(formula: Formula) -> Callable[[Array, Array], list[Raw]]:
    """Return a function of a layer and of ∂J/∂a: ∂J/∂z by the formula's own steps.

    Where all units are the mean of them, those of ``max(z - mean(z), 0)`` pass nothing back. Moving
    one of them makes it pass some of it, in whichever direction: what the chain rule takes need not
    lie between the two slopes.
    """
    graph, _ = backward_graph(computation_graph(formula.expression), selects=True)
    product = graph.expression(graph.output)

    def at(z: Array, weights: Array) -> list[Raw]:
        with mpmath.workdps(_DIGITS):
            layer, seeds = ([mpmath.mpf(x) for x in part.tolist()] for part in (z, weights))
            known: dict[Any, Any] = {**dict(formula.parameters), "z": layer, SEED: seeds}
            known["a"] = evaluate_layer(formula.expression, known)
            return [mpmath.mpf(x)._mpf_ for x in evaluate_layer(product, known)]

    return at
