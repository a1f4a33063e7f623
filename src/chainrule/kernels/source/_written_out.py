"""Source that computes an expression as it is written, node by node."""

from __future__ import annotations

from collections.abc import Collection

from chainrule.derivations import Graph, chain_rule, computation_graph, node_names
from chainrule.formulas import Apply, Expression, Formula, variables_of
from chainrule.kernels.source._lines import operation, written
from chainrule.kernels.source._waves import wave_source
from chainrule.kernels.stable_forms._rewrite import rewrite


def direct(expression: Expression, suffix: str) -> tuple[list[str], str]:
    """Compute an expression node by node, as its graph stands.

    Examples
    --------
    >>> from chainrule.formulas import parse
    >>> direct(parse("z - tanh(z)").expression, "")
    (['v0 = tanh(z)', 'v1 = z - v0'], 'v1')
    """
    rewritten = rewrite(expression)
    if not variables_of(rewritten):
        return [], written(rewritten, lambda e: None)
    graph = computation_graph(rewritten)
    names: dict[int, str] = {}
    lines: list[str] = []
    waves = {k: wave for k in graph.reached() if (wave := _wave(graph, k)) is not None}
    needed = _needed(graph, graph.output, waves)
    for index in graph.reached():
        node = graph.nodes[index]
        if index not in needed:
            continue
        if node.leaf is not None:
            names[index] = written(node.leaf, lambda e: None)
            continue
        names[index] = f"v{len(lines)}{'_' + suffix if suffix else ''}"
        if (text := waves.get(index)) is None:
            arguments = tuple(names[k] for k in node.arguments)
            exponent = graph.nodes[node.arguments[1]].leaf if node.operation == "power" else None
            text = operation(node.operation, arguments, exponent)
        lines.append(f"{names[index]} = {text}")
    return lines, names[graph.output]


def _wave(graph: Graph, index: int) -> str | None:
    """Return source of a sine or cosine whose argument is not to be rounded."""
    node = graph.nodes[index]
    if node.operation not in ("sin", "cos"):
        return None
    return wave_source(node.operation, graph.expression(node.arguments[0]))


def _needed(graph: Graph, index: int, waves: Collection[int]) -> set[int]:
    """Return the nodes that a node's value takes; waves that have source of their own take none."""
    arguments = () if index in waves else graph.nodes[index].arguments
    return {index}.union(*(_needed(graph, k, waves) for k in arguments))


def slope_through_nodes(formula: Formula) -> Expression:
    """Return a formula's slope by the chain rule, node by node."""
    graph = computation_graph(formula.expression)
    names = node_names(graph)
    slope = next(s for s in chain_rule(graph) if graph.nodes[s.node].operation == "input")
    through = {names[k]: graph.expression(k) for k in names}
    return _substituted(slope.through_nodes, through)


def _substituted(e: Expression, meaning: dict[Expression, Expression]) -> Expression:
    if e in meaning:
        return meaning[e]
    if isinstance(e, Apply):
        return Apply(e.operation, tuple(_substituted(part, meaning) for part in e.arguments))
    return e
