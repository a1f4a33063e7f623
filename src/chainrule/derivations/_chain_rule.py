"""The chain rule, outside first: ∂a/∂u at every node of an element-wise graph.

∂a/∂u_last = 1,   ∂a/∂u_k = Σ over the users v of u_k of ∂a/∂v · ∂v/∂u_k
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sympy

from chainrule.derivations._algebra import FAILURES, Translation
from chainrule.derivations._arithmetic import ONE, ZERO, multiply, size, total
from chainrule.derivations._graph import Graph
from chainrule.derivations._operations import LOCAL_DERIVATIVES
from chainrule.derivations._time_limit import time_limit
from chainrule.formulas import Expression, Variable, substitute, variables_of


@dataclass(frozen=True)
class Step:
    """The partial derivative of the output by one node.

    Parameters
    ----------
    node : int
        Index of the node in the graph.
    contributions : tuple of (int, Expression)
        For each user: its index, and its local derivative by this node, in the nodes' names.
    through_nodes : Expression
        ∂a/∂u in the nodes' names.
    in_variables : Expression
        The same, simplified and written in `z`.
    """

    node: int
    contributions: tuple[tuple[int, Expression], ...]
    through_nodes: Expression
    in_variables: Expression


def node_names(graph: Graph) -> dict[int, Expression]:
    """Return u0, u1, … for the numbered nodes."""
    return {index: Variable(f"u{k}") for k, index in enumerate(graph.order)}


def local_derivatives(
    graph: Graph, index: int, names: dict[int, Expression]
) -> tuple[Expression, ...]:
    """Return the partial derivatives of one node by each of its arguments."""
    node = graph.nodes[index]
    arguments = tuple(
        names[k] if k in names else graph.definition(k, names) for k in node.arguments
    )
    return LOCAL_DERIVATIVES[node.operation](arguments, names[index])


def chain_rule(
    graph: Graph,
    names: dict[int, Expression] | None = None,
    written: Callable[[Expression], Expression] = lambda e: e,
    variable: str = "z",
) -> tuple[Step, ...]:
    """Differentiate an element-wise graph by an input, one node at a time, outside first.

    Parameters
    ----------
    graph : Graph
    names : dict of int to Expression, optional
        The nodes' names; u0, u1, … by default.
    written : callable
        What is done to nodes that are written out in the variables.
    variable : str
        The input; nodes that do not change with it are passed over.

    Examples
    --------
    >>> from chainrule.derivations import computation_graph
    >>> from chainrule.documents import text_of
    >>> from chainrule.formulas import parse
    >>> steps = chain_rule(computation_graph(parse("1/(1 + exp(-z))").expression))
    >>> [text_of(step.through_nodes) for step in steps]
    ['1', '-1/u3²', '-1/u3²', '-u2/u3²', 'u2/u3²']
    """
    names = names or node_names(graph)
    steps: dict[int, Step] = {}
    order = [k for k in graph.order if variable in variables_of(graph.expression(k))]
    tidy = _Tidy(graph, names, written)
    for index in reversed(order):
        if index == graph.output:
            steps[index] = Step(index, (), ONE, ONE)
            continue
        contributions = []
        for user in reversed(order):
            if user not in steps:
                continue
            partials = local_derivatives(graph, user, names)
            for argument, partial in zip(graph.nodes[user].arguments, partials, strict=True):
                if argument == index and partial != ZERO:
                    contributions.append((user, partial))
        through = total(
            multiply(steps[user].through_nodes, partial) for user, partial in contributions
        )
        through = tidy.merged(through)
        steps[index] = Step(index, tuple(contributions), through, tidy.in_variables(through))
    return tuple(steps.values())


class _Tidy:
    """Writes a derivative over one denominator that is kept as the author wrote it."""

    def __init__(
        self,
        graph: Graph,
        names: dict[int, Expression],
        written: Callable[[Expression], Expression],
    ) -> None:
        self.translation = Translation()
        symbol = {index: self.translation.symbol(name) for index, name in names.items()}
        self.reciprocals: list[tuple[Any, Any]] = []
        self.sums: list[tuple[Any, Any]] = []
        self.written: dict[Expression, Expression] = {}
        for index in reversed(graph.order):
            node = graph.nodes[index]
            self.written[names[index]] = written(graph.expression(index))
            if node.operation == "reciprocal" and node.arguments[0] in symbol:
                self.reciprocals.append((symbol[index], 1 / symbol[node.arguments[0]]))
            elif self.holds_others(graph, index):
                continue  # what the other units contribute stays one sum
            elif node.operation in ("add", "subtract", "multiply", "divide", "negate"):
                value = self.translation.to_sympy(graph.definition(index, names))
                self.sums.append((symbol[index], value))

    @staticmethod
    def holds_others(graph: Graph, index: int) -> bool:
        return any(
            graph.nodes[k].operation.startswith("others") for k in graph.nodes[index].arguments
        )

    def merged(self, through: Expression) -> Expression:
        """Collect equal factors: ``u2/u3/u3 -> u2/u3**2``."""
        try:
            with time_limit(0.5):
                return self.translation.to_expression(self.translation.to_sympy(through))
        except FAILURES:
            return through

    def in_variables(self, through: Expression) -> Expression:
        plain = substitute(through, self.written.get)
        try:
            with time_limit(1.0):
                e = self.translation.to_sympy(through)
                for node, value in self.reciprocals:
                    e = e.subs(node, value)
                above, below = sympy.fraction(sympy.together(e))
                for node, value in self.sums:
                    above = above.subs(node, value)
                number, rest = below.as_coeff_Mul()
                # 1.702 shall not become 851 over 500.
                ways = (
                    sympy.factor(sympy.expand(above)) / below,
                    sympy.expand(above / number) / rest,
                )
                written = [self.translation.to_expression(way) for way in ways]
                candidates = [substitute(way, self.written.get) for way in written]
        except FAILURES:
            return plain  # a form that is nested too deep is no shorter
        return min(*candidates, plain, key=size)
