"""A place at which a graph is followed in numbers, chosen so that there is something to see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import mpmath

from chainrule.derivations._graph import Graph
from chainrule.derivations._values import NodeValues, node_values
from chainrule.derivations.limits_in_time._time_limit import TimeLimitError, time_limit
from chainrule.formulas import Variable

_DIGITS = 20
_PLACES = ("1", "0.5", "2", "-1", "-0.5", "3", "-2", "0.25", "5")
_OTHER_UNIT = "0.5"
_LARGEST_GRAPH = 400


@dataclass(frozen=True)
class Example:
    """Values along a graph at one place.

    Parameters
    ----------
    place : str
        In words, as ``z = 1``.
    nodes : NodeValues
    """

    place: str
    nodes: NodeValues

    def forward(self, index: int) -> str:
        """Return what a node holds, in four digits."""
        return _shown(self.nodes.forward[index])

    def backward(self, index: int) -> str:
        """Return the derivative of the output by a node, in four digits."""
        return _shown(self.nodes.backward[index])


def _shown(value: Any) -> str:
    return f"{float(value):.4g}"


def example(graph: Graph, parameters: Mapping[str, float]) -> Example | None:
    """Return the first of some plain places where all is finite and the slope is not zero.

    Of a layer-coupled function's unit graph, with inputs ``z_j`` and ``z_p``, the layer has two
    units.
    """
    if len(graph.order) > _LARGEST_GRAPH:
        return None
    inputs = {graph.nodes[k].leaf: k for k in graph.order if graph.nodes[k].operation == "input"}
    coupled = Variable("z") not in inputs
    own = inputs.get(Variable("z_j" if coupled else "z"))
    try:
        with mpmath.workdps(_DIGITS), time_limit(1.0):
            for z in _PLACES:
                given = {"z_j": z, "z_p": _OTHER_UNIT} if coupled else {"z": z}
                values = {**parameters, **{name: mpmath.mpf(v) for name, v in given.items()}}
                nodes = node_values(graph, values)
                numbers = [*nodes.forward.values(), *nodes.backward.values()]
                if all(map(mpmath.isfinite, numbers)) and (own is None or nodes.backward[own]):
                    place = ", ".join(f"{name} = {v}" for name, v in given.items())
                    return Example(f"{place} in a layer of two units" if coupled else place, nodes)
    except (ArithmeticError, ValueError, TimeLimitError):
        pass  # no number can be had: the derivation stands without
    return None
