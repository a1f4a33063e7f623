"""The chain rule, outside first: ∂a/∂u at every node of an element-wise graph.

∂a/∂u_last = 1,   ∂a/∂u_k = Σ over the users v of u_k of ∂a/∂v · ∂v/∂u_k
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from chainrule.derivations._graph import Graph, computation_graph
from chainrule.derivations._operations import LOCAL_DERIVATIVES
from chainrule.derivations.algebra._arithmetic import ONE, ZERO, multiply, total
from chainrule.derivations.algebra._tidy import Tidy
from chainrule.derivations.limits_in_time._remembered import remembered
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


def in_variables(graph: Graph, through_nodes: Expression) -> Expression:
    """Return what is written in the nodes' names in the variables, unsimplified."""
    written = {name: graph.expression(index) for index, name in node_names(graph).items()}
    return substitute(through_nodes, lambda e: written.get(e))


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
    tidy = Tidy(graph, names, written)
    return tuple(
        Step(index, contributions, through, tidy.in_variables(through))
        for index, contributions, through in _through_nodes(graph, names, tidy, variable)
    )


@remembered
def derivative_in_variables(expression: Expression) -> Expression:
    """Return the derivative by z as the chain rule's last step writes it.

    Examples
    --------
    >>> from chainrule.documents import text_of
    >>> from chainrule.formulas import parse
    >>> text_of(derivative_in_variables(parse("z**3/(1 + z**2)").expression))
    'z²·(3 + z²)/(1 + z²)²'
    """
    graph = computation_graph(expression)
    names = node_names(graph)
    tidy = Tidy(graph, names)
    slopes = [through for _, _, through in _through_nodes(graph, names, tidy, "z")]
    return tidy.in_variables(slopes[-1]) if slopes else ZERO


def _through_nodes(
    graph: Graph, names: dict[int, Expression], tidy: Tidy, variable: str
) -> Iterator[tuple[int, tuple[tuple[int, Expression], ...], Expression]]:
    """Yield each node, what its users contribute, and ∂a/∂u in the nodes' names."""
    order = [k for k in graph.order if variable in variables_of(graph.expression(k))]
    slopes: dict[int, Expression] = {}
    for index in reversed(order):
        if index == graph.output:
            slopes[index] = ONE
            yield index, (), ONE
            continue
        contributions = []
        for user in slopes:
            partials = local_derivatives(graph, user, names)
            for argument, partial in zip(graph.nodes[user].arguments, partials, strict=True):
                if argument == index and partial != ZERO:
                    contributions.append((user, partial))
        through = total(multiply(slopes[user], partial) for user, partial in contributions)
        slopes[index] = tidy.merged(through)
        yield index, tuple(contributions), slopes[index]
