"""A layer-coupled formula seen from one unit: the graphs of a_j and of a_p, p ≠ j, by z_j."""

from __future__ import annotations

from dataclasses import dataclass

from chainrule.derivations._chain_rule import Step, chain_rule
from chainrule.derivations._graph import UNIT_COUNT, Graph, computation_graph
from chainrule.formulas import (
    REDUCTIONS,
    Apply,
    Expression,
    Formula,
    Variable,
    is_layer_coupled,
    subexpressions,
    substitute,
    variables_of,
)

_Z, _OWN, _OTHER = Variable("z"), Variable("z_j"), Variable("z_p")
_EXTREMES = {"max": "maximum", "min": "minimum"}


@dataclass(frozen=True)
class UnitGraph:
    """The computation graph of one unit's activation, and its chain rule by z_j.

    Parameters
    ----------
    graph : Graph
        Its inputs are ``z_j`` and, for the other units, ``z_p``.
    names : dict of int to Expression
        u_{-1} for z_j, u_{0,p} for z_p, then by level; what belongs to unit p carries its index.
    steps : tuple of Step
    """

    graph: Graph
    names: dict[int, Expression]
    steps: tuple[Step, ...]


def is_splittable(formula: Formula) -> bool:
    """Tell whether no reduction lies inside another, so that a unit's graph shows everything."""
    return not any(
        isinstance(e, Apply) and e.operation in REDUCTIONS and is_layer_coupled(e.arguments[0])
        for e in subexpressions(formula.expression)
    )


def unit_graph(formula: Formula, *, same_unit: bool) -> UnitGraph:
    """Return the graph of a_j (``same_unit``) or of a_p, p ≠ j, differentiated by z_j."""
    own = _OWN if same_unit else _OTHER
    graph = computation_graph(_seen_from(formula.expression, own))
    names: dict[int, Expression] = {}
    others = {k for k in graph.order if variables_of(graph.expression(k)) == {"z_p"}}
    others.discard(graph.output)
    depth = graph.depths
    order = sorted(graph.order, key=lambda k: (depth[k], k in others, graph.order.index(k)))
    for position, index in enumerate(order):
        other = index in others
        names[index] = Variable(f"u_{{{position - 1},p}}" if other else _name(position - 1))
    return UnitGraph(graph, names, chain_rule(graph, names, regrouped, "z_j"))


def _name(number: int) -> str:
    return f"u{number}" if number >= 0 else f"u_{{{number}}}"


def _seen_from(e: Expression, own: Variable) -> Expression:
    if e == _Z:
        return own
    if not isinstance(e, Apply):
        return e
    if e.operation in REDUCTIONS:
        mine = _seen_from(e.arguments[0], _OWN)
        others = _seen_from(e.arguments[0], _OTHER)
        if e.operation in _EXTREMES:
            return Apply(_EXTREMES[e.operation], (mine, Apply(f"others_{e.operation}", (others,))))
        total = Apply("add", (mine, Apply("others", (others,))))
        return Apply("divide", (total, UNIT_COUNT)) if e.operation == "mean" else total
    return Apply(e.operation, tuple(_seen_from(part, own) for part in e.arguments))


def regrouped(expression: Expression) -> Expression:
    """Write ``x_j + Σ_{p≠j} x_p`` as the sum over all units again."""

    def merge(e: Expression) -> Expression | None:
        if isinstance(e, Apply) and len(e.arguments) == 2:
            last = e.arguments[1]
            if isinstance(last, Apply) and last.operation.startswith("others"):
                operation = last.operation.removeprefix("others_").replace("others", "sum")
                index = Variable("z_k")
                inner = substitute(last.arguments[0], lambda v: index if v == _OTHER else None)
                return Apply(operation, (inner,))
        return None

    return substitute(expression, merge)
