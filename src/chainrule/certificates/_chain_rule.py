"""What the chain rule takes for a slope at kinks, where several meet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath

from chainrule.certificates._sample import Array
from chainrule.derivations import SEED, backward_graph, computation_graph, evaluate_layer
from chainrule.formulas import Formula
from chainrule.references._ball import Raw

_DIGITS = 60


def by_chain_rule(formula: Formula) -> Callable[[Array, Array], list[Raw]]:
    """Return a function of a layer and of ∂J/∂a: ∂J/∂z by the formula's own steps.

    What these take need not lie between the two slopes. Where all units are the mean of them, those
    of ``max(z - mean(z), 0)`` pass nothing back; moving one of them makes it pass some of it, in
    whichever direction. And at 0, ``max(min(-z/3, z), 2*z)`` chooses a line that it has nowhere
    else.
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
