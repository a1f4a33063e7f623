"""A graph whose sums over the units need fewer passes over a row, and fewer divisions.

What all units share is a factor of every term: ``sum(c*x + d*y)`` is ``c*sum(x) + d*sum(y)``, and
the sums of x and y can be taken before c and d are known.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from chainrule.derivations import Graph, GraphBuilder
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


def in_few_passes(graph: Graph) -> tuple[Graph, dict[int, int]]:
    """Return a graph of the same value, and where it has what is left of the given one.

    Sums are taken apart where that saves a pass; a reciprocal of a product is one of reciprocals
    where these are there anyway.

    Examples
    --------
    >>> from chainrule.derivations import computation_graph
    >>> from chainrule.formulas import parse, to_text
    >>> graph = computation_graph(parse("z - mean(z/sum(z))").expression)
    >>> to_text(in_few_passes(graph)[0].expression())
    'z - mean(z)/sum(z)'
    """
    place = {k: k for k in graph.reached()}
    for replacement in (_reciprocal_of_factors, _sum_apart):
        changed, moved = _rewritten(graph, replacement)
        if replacement is _reciprocal_of_factors or _last(changed) < _last(graph):
            place = {k: moved[now] for k, now in place.items() if now in moved}
            graph = changed
    return graph, place


def _last(graph: Graph) -> int:
    return levels(graph)[graph.output]


def _rewritten(
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


def _sum_apart(graph: Graph, index: int) -> Expression | None:
    """Write a sum as those of its terms, of which each is known earlier than their sum."""
    node, level = graph.nodes[index], levels(graph)
    if node.operation not in _SUMS:
        return None
    terms: list[int] = []
    result = _sum_of(graph, node.arguments[0], node.operation.removeprefix("reduce_"), terms)
    return result if max(level[k] for k in terms) < level[node.arguments[0]] else None


def _sum_of(graph: Graph, index: int, operation: str, terms: list[int]) -> Expression:
    """Return the sum of a node, and append what it has to add up unit by unit."""
    node = graph.nodes[index]
    units = [k for k in node.arguments if graph.nodes[k].per_unit]
    # A difference from what all units share stays one: its parts would cancel.
    is_sum = node.operation in ("add", "subtract", "negate") and len(units) == len(node.arguments)
    is_multiple = node.operation in ("multiply", "divide") and units == [*node.arguments[:1]]
    is_multiple |= node.operation == "multiply" and units == [*node.arguments[1:]]
    if not (is_sum or is_multiple):
        terms.append(index)
        return Apply(operation, (Variable(f"u{index}"),))
    parts = (
        _sum_of(graph, k, operation, terms) if k in units else _named(graph, k)
        for k in node.arguments
    )
    return Apply(node.operation, tuple(parts))


def _named(graph: Graph, index: int) -> Expression:
    leaf = graph.nodes[index].leaf
    return Variable(f"u{index}") if leaf is None or isinstance(leaf, Variable) else leaf


def _reciprocal_of_factors(graph: Graph, index: int) -> Expression | None:
    """Write ``1/(2*x*x)``, of what all units share, by the ``1/x`` that is there anyway."""
    node = graph.nodes[index]
    if node.operation != "reciprocal" or node.per_unit:
        return None
    factors = _factors(graph, node.arguments[0])
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


def _factors(graph: Graph, index: int) -> list[Expression]:
    """Return the two factors of a product or a square; of anything else itself alone."""
    node = graph.nodes[index]
    arguments = [_named(graph, k) for k in node.arguments]
    match node.operation:
        case "multiply":
            return arguments
        case "power" if arguments[1] == constant(2):
            return [arguments[0], arguments[0]]
    return [_named(graph, index)]
