"""Products with an exponential that has vanished, in a layer some of whose entries are infinite.

A unit whose `z` is -infinity has no part in a softmax: masks are made of such entries. In
``z*exp(z)/sum(exp(z))`` or an entropy what vanishes there is multiplied by what is infinite, and
the product is 0, its limit: an exponential vanishes faster than powers and logarithms grow.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from chainrule.derivations import Graph
from chainrule.formulas import Apply, Expression, Variable, constant
from chainrule.kernels.stable_forms._passes import rewritten

_ZERO, _Z = constant(0), Variable("z")
_IS_FINITE = Apply("less_equal", (Apply("abs", (_Z,)), constant(Fraction(sys.float_info.max))))
_FINITE = Apply("where", (_IS_FINITE, _Z, _ZERO))
_GROWS, _VANISHES = "grows", "vanishes"
_OF_FIRST = ("divide", "negate", "abs", "sqrt", "power", "log")
_SUMS = ("add", "subtract", "maximum", "minimum", "where")


def with_vanished_products(graph: Graph) -> tuple[Graph, dict[int, int]]:
    """Return a graph in which infinite `z` times a vanished exponential is 0, and all nodes' place.

    What multiplies the exponential is computed of a `z` that is finite.

    Examples
    --------
    >>> from chainrule.derivations import computation_graph
    >>> from chainrule.formulas import parse, to_text
    >>> graph = computation_graph(parse("z + mean(z*exp(z))").expression)
    >>> to_text(with_vanished_products(graph)[0].expression())[:40]
    'z + mean(where(abs(z) <= 179769313486231'
    """
    kinds: dict[int, str | None] = {}
    for index in graph.reached():
        kinds[index] = _kind(graph, index, kinds)
    products = _Products(graph, kinds)
    if not any(map(products.of, kinds)):
        return graph, {k: k for k in kinds}
    return rewritten(graph, lambda _, index: products.of(index))


def _kind(graph: Graph, index: int, kinds: Mapping[int, str | None]) -> str | None:
    """Tell whether a unit's value may grow with its `z` without end, or vanishes with it."""
    node = graph.nodes[index]
    if not node.per_unit:
        return None
    found = [kinds[k] for k in node.arguments]
    match node.operation:
        case "input":
            return _GROWS if node.leaf == _Z else None
        case "exp":
            return _VANISHES if found == [_GROWS] else None
        case "multiply":
            return max(filter(None, found), default=None)  # what vanishes does so as a whole
        case operation if operation in _OF_FIRST:
            return None if operation == "log" and found[0] == _VANISHES else found[0]
        case operation if operation in _SUMS:
            parts = node.arguments[operation == "where" :]
            if all(kinds[k] == _VANISHES or graph.nodes[k].leaf == _ZERO for k in parts):
                return _VANISHES
            return _GROWS if any(kinds[k] == _GROWS for k in parts) else None
    return None


@dataclass(frozen=True)
class _Products:
    """Writes products of what vanishes and what grows."""

    graph: Graph
    kinds: Mapping[int, str | None]

    def of(self, index: int) -> Expression | None:
        """Return such a product; None of other nodes."""
        node = self.graph.nodes[index]
        is_product = node.operation == "multiply"
        if not is_product or {self.kinds[k] for k in node.arguments} != {_GROWS, _VANISHES}:
            return None
        return Apply("multiply", tuple(map(self._of_finite, node.arguments)))

    def _of_finite(self, index: int) -> Expression:
        """Write what grows with a `z` that is finite, and name anything else."""
        node = self.graph.nodes[index]
        if node.leaf is not None and node.operation == "value":
            return node.leaf
        if self.kinds[index] != _GROWS:
            return Variable(f"u{index}")
        if node.operation == "input":
            return _FINITE
        return Apply(node.operation, tuple(map(self._of_finite, node.arguments)))
