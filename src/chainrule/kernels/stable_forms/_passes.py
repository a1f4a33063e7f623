"""A graph whose sums over the units need fewer passes over a row, and fewer divisions.

What all units share is a factor of every term: ``sum(c*x + d*y)`` is ``c*sum(x) + d*sum(y)``, and
the sums of x and y can be taken before c and d are known. Counted from one input of the row, so is
``sum((x - c)*y)``: ``sum(x*y) - c*sum(y)``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from chainrule.derivations import UNIT_COUNT, Graph, GraphBuilder, Node
from chainrule.formulas import Apply, Constant, Expression, Variable, constant

_ONE = constant(1)
_SUMS = ("reduce_sum", "reduce_mean")


def levels(graph: Graph) -> dict[int, int]:
    """Return, for each node that is reached, how many passes over a row go before it."""
    found: dict[int, int] = {}
    for index in graph.reached():
        node = graph.nodes[index]
        inner = max((found[k] for k in node.arguments), default=0)
        found[index] = inner + node.operation.startswith("reduce_")
    return found


def in_few_passes(graph: Graph, *, is_near_zero: bool = False) -> tuple[Graph, dict[int, int]]:
    """Return a graph of the same value, and where it has what is left of the given one.

    Sums are taken apart where that saves a pass; a reciprocal of a product is one of reciprocals
    where these are there anyway.

    Parameters
    ----------
    graph : Graph
    is_near_zero : bool
        Whether inputs are counted from one of the row, and digits are left for what is squared.
        A mean of n inputs is then at most sqrt(n) deviations away: ``mean((x - m)**2)`` is
        ``mean(x**2) - m**2`` but for n times a rounding error.

    Examples
    --------
    >>> from chainrule.derivations import computation_graph
    >>> from chainrule.formulas import parse, to_text
    >>> graph = computation_graph(parse("z - mean(z/sum(z))").expression)
    >>> to_text(in_few_passes(graph)[0].expression())
    'z - mean(z)/sum(z)'
    """
    place = {k: k for k in graph.reached()}
    sum_apart = partial(_sum_apart, is_near_zero=is_near_zero)
    for replacement in (_reciprocal_of_factors, sum_apart):
        changed, moved = rewritten(graph, replacement)
        if replacement is _reciprocal_of_factors or _last(changed) < _last(graph):
            place = {k: moved[now] for k, now in place.items() if now in moved}
            graph = changed
    return graph, place


def _last(graph: Graph) -> int:
    return levels(graph)[graph.output]


def rewritten(
    graph: Graph, other: Callable[[Graph, int], Expression | None]
) -> tuple[Graph, dict[int, int]]:
    """Return a graph in which some nodes are computed otherwise, in terms of those before."""
    builder = GraphBuilder()
    moved: dict[int, int] = {}
    known: dict[Expression, int] = {}
    for index in graph.reached():
        node, expression = graph.nodes[index], other(graph, index)
        if expression is None:
            arguments = tuple(moved[k] for k in node.arguments)
            moved[index] = builder.copy(replace(node, arguments=arguments))
        else:
            moved[index] = builder.insert(expression, known)
        known[Variable(f"u{index}")] = moved[index]
    result = builder.graph(moved[graph.output])
    reached = set(result.reached())
    return result, {k: new for k, new in moved.items() if new in reached}


def _sum_apart(graph: Graph, index: int, *, is_near_zero: bool) -> Expression | None:
    """Write a sum as those of its terms, of which each is known earlier than their sum."""
    node, level = graph.nodes[index], levels(graph)
    if node.operation not in _SUMS:
        return None
    terms: list[int] = []
    sums = _Sums(graph, node.operation.removeprefix("reduce_"), terms, is_near_zero)
    result = sums.of(node.arguments)
    return result if max(level[k] for k in terms) < level[node.arguments[0]] else None


@dataclass(frozen=True)
class _Sums:
    """Writes sums of products of nodes.

    Parameters
    ----------
    graph : Graph
    operation : str
        Sum or mean.
    terms : list of int
        What is added up unit by unit is appended to it.
    is_near_zero : bool
        Whether differences from what all units share may be taken apart, too.
    """

    graph: Graph
    operation: str
    terms: list[int]
    is_near_zero: bool

    def of(self, factors: tuple[int, ...]) -> Expression:
        """Return the sum of a product."""
        if not factors:
            return _ONE if self.operation == "mean" else UNIT_COUNT
        if len(factors) == 1 and (apart := self._of_one(factors[0])) is not None:
            return apart
        for k, factor in enumerate(factors if self.is_near_zero else ()):
            node = self.graph.nodes[factor]
            if node.operation == "subtract" and self._units(node) == [node.arguments[0]]:
                others = (*factors[:k], *factors[k + 1 :])
                x, shared = node.arguments
                below = _named(self.graph, shared)
                if others or self.operation == "sum":
                    below = Apply("multiply", (below, self.of(others)))
                return Apply("subtract", (self.of((x, *others)), below))
        self.terms.extend(factors)
        names = tuple(Variable(f"u{k}") for k in factors)
        if len(names) > 1:
            return Apply(self.operation, (Apply("multiply", names),))
        means = (n.arguments for n in self.graph.nodes if n.operation == "reduce_mean")
        if self.operation == "sum" and factors in means:
            return Apply("multiply", (UNIT_COUNT, Apply("mean", names)))
        return Apply(self.operation, names)

    def _of_one(self, index: int) -> Expression | None:
        node = self.graph.nodes[index]
        units, all_units = self._units(node), self._all_per_unit(node.arguments)
        factors = _factors(self.graph, index)
        if self.is_near_zero and len(factors) == 2 and self._all_per_unit(factors):
            return self.of(factors)
        # A difference from what all units share stays one: its parts would cancel.
        is_sum = node.operation in ("add", "subtract", "negate") and all_units
        is_multiple = node.operation in ("multiply", "divide") and units == [*node.arguments[:1]]
        is_multiple |= node.operation == "multiply" and units == [*node.arguments[1:]]
        if not (is_sum or is_multiple):
            return None
        parts = (self.of((k,)) if k in units else _named(self.graph, k) for k in node.arguments)
        return Apply(node.operation, tuple(parts))

    def _units(self, node: Node) -> list[int]:
        return [k for k in node.arguments if self.graph.nodes[k].per_unit]

    def _all_per_unit(self, nodes: tuple[int, ...]) -> bool:
        return all(self.graph.nodes[k].per_unit for k in nodes)


def _named(graph: Graph, index: int) -> Expression:
    leaf = graph.nodes[index].leaf
    return Variable(f"u{index}") if leaf is None or isinstance(leaf, Variable) else leaf


def _reciprocal_of_factors(graph: Graph, index: int) -> Expression | None:
    """Write ``1/(2*x*x)``, of what all units share, by the ``1/x`` that is there anyway."""
    node = graph.nodes[index]
    if node.operation != "reciprocal" or node.per_unit:
        return None
    factors = [_named(graph, k) for k in _factors(graph, node.arguments[0])]
    known = {
        _named(graph, graph.nodes[k].arguments[0])
        for k in graph.reached()
        if k < index and graph.nodes[k].operation == "reciprocal"
    }
    if len(factors) < 2 or not all(f in known or _is_number(f) for f in factors):
        return None
    first, second = (
        constant(1 / factor.value)
        if isinstance(factor, Constant)
        else Apply("divide", (_ONE, factor))
        for factor in factors
    )
    return Apply("multiply", (first, second))


def _is_number(e: Expression) -> bool:
    return isinstance(e, Constant) and e.value != 0


def _factors(graph: Graph, index: int) -> tuple[int, ...]:
    """Return the two factors of a product or a square; of anything else itself alone."""
    node = graph.nodes[index]
    if node.operation == "multiply":
        return node.arguments
    if node.operation == "power" and graph.nodes[node.arguments[1]].leaf == constant(2):
        return node.arguments[:1] * 2
    return (index,)
