"""Numbers along a computation graph: what every node holds, and what reaches it from the output."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import mpmath

from chainrule.derivations._chain_rule import local_derivatives
from chainrule.derivations._evaluate import evaluate
from chainrule.derivations._graph import Graph
from chainrule.formulas import Apply, Expression, Variable, constant, substitute


@dataclass(frozen=True)
class NodeValues:
    """Values of a graph's nodes at one place.

    Parameters
    ----------
    forward : dict of int to mpf
        What each node holds.
    local : dict of (int, int) to mpf
        For a node and one of its arguments: the partial derivative of the one by the other.
    backward : dict of int to mpf
        ∂a/∂u at every node.
    """

    forward: dict[int, Any]
    local: dict[tuple[int, int], Any]
    backward: dict[int, Any]


def node_values(graph: Graph, values: Mapping[str, Any]) -> NodeValues:
    """Evaluate an element-wise graph forward and backward, in mpmath's current precision.

    What the *other* units of a layer contribute is taken as that of one other unit: the layer
    has two.

    Parameters
    ----------
    graph : Graph
    values : mapping of str to mpf
        Values of the variables and parameters.

    Examples
    --------
    >>> from chainrule.derivations import computation_graph
    >>> from chainrule.formulas import parse
    >>> graph = computation_graph(parse("z**2").expression)
    >>> found = node_values(graph, {"z": 3})
    >>> int(found.forward[graph.output]), int(found.backward[graph.order[0]])
    (9, 6)
    """
    known = dict(values)
    names: dict[int, Expression] = {}
    forward: dict[int, Any] = {}
    for index in graph.order:
        forward[index] = evaluate(_of_two(graph.definition(index, names)), known)
        # No name of the language can be that of a parameter.
        names[index] = Variable(f"#{index}")
        known[f"#{index}"] = forward[index]
    backward: dict[int, Any] = {index: mpmath.mpf(0) for index in graph.order}
    backward[graph.output] = mpmath.mpf(1)
    local: dict[tuple[int, int], Any] = {}
    for index in reversed(graph.order):
        arguments = graph.nodes[index].arguments
        if not arguments:
            continue
        parts = local_derivatives(graph, index, names)
        for argument, part in zip(arguments, parts, strict=True):
            if argument in backward:
                value = evaluate(_of_two(part), known)
                local[index, argument] = local.get((index, argument), 0) + value
                backward[argument] += backward[index] * value
    return NodeValues(forward, local, backward)


def _of_two(e: Expression) -> Expression:
    def alone(part: Expression) -> Expression | None:
        if isinstance(part, Apply) and part.operation.startswith("others"):
            return _of_two(part.arguments[0])
        return constant(2) if part == Apply("count", ()) else None

    return substitute(e, alone)
