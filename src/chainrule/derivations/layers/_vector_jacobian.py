"""The vector–Jacobian product of a graph: ∂J/∂z from ∂J/∂a, through every node.

Each reduction over the units is a node with its own adjoint. A value that all units share
receives the sum of what the units pass back; what a sum receives it passes to every unit.
"""

from __future__ import annotations

from chainrule.derivations._graph import UNIT_COUNT, Graph, GraphBuilder
from chainrule.derivations._operations import LOCAL_DERIVATIVES, complement, indicator
from chainrule.derivations.algebra._arithmetic import ONE, ZERO, add, divide, multiply
from chainrule.derivations.pieces._filled_layers import filled_layers
from chainrule.derivations.pieces._filled_places import FilledChoice, filled_choices
from chainrule.derivations.pieces._vanishing_roots import vanishing_roots
from chainrule.formulas import Apply, Expression, Variable, variables_of

SEED = Variable("g")
DIRECTION = Variable("v")  # in which the pre-activations move, in second derivatives


def backward_graph(
    graph: Graph,
    variable: str = "z",
    seed: Expression = SEED,
    *,
    selects: bool = False,
    guards_roots: bool = True,
) -> tuple[Graph, dict[int, int]]:
    """Extend a graph by the adjoints of its nodes; the output becomes that of `variable`.

    Parameters
    ----------
    graph : Graph
    variable : str
        The input whose adjoint is wanted.
    seed : Expression
        What a per-unit output receives; `a` in it stands for the output itself.

    selects : bool
        Whether a branch that is not taken passes back zero even where its slopes are undefined,
        as floating point needs it, in which 0 times infinity is no number.
    guards_roots : bool
        Whether a root of what is never negative passes back zero where that vanishes; algebra
        that looks at other layers alone has no need of it.

    Returns
    -------
    graph : Graph
        The nodes of `graph`, then those of the adjoints.
    adjoints : dict of int to int
        For each node of `graph` that receives something, the node that holds its adjoint.
    """
    builder = GraphBuilder()
    for node in graph.nodes:
        builder.copy(node)
    known: dict[Expression, int] = {Variable(f"u{k}"): k for k in range(len(graph.nodes))}
    known[Variable("a")] = graph.output
    received: dict[int, Expression] = {
        graph.output: seed if graph.nodes[graph.output].per_unit else Apply("sum", (seed,))
    }
    if seed == ONE:
        received[graph.output] = ONE
    adjoints: dict[int, int] = {}
    filled = {**filled_choices(graph), **filled_layers(graph)}
    needed = _conditions(graph, filled)
    conditions = needed if selects else {}
    guarded = vanishing_roots(graph, needed) if guards_roots else frozenset[int]()
    result = builder.insert(ZERO)
    for index in reversed(graph.reached()):
        node = graph.nodes[index]
        if index not in received or node.operation == "value":
            continue
        adjoints[index] = builder.insert(received[index], known)
        own = Variable(f"d{index}")
        known[own] = adjoints[index]
        back: Expression = ONE if received[index] == ONE else own
        if node.operation == "input":
            if node.leaf == Variable(variable):
                result = adjoints[index]
            continue
        parts = _parts(graph, index, back, selects=selects)
        if _is_continued(index, filled):
            parts = tuple(back if k == filled[index].position else ZERO for k in range(3))
        if index in guarded:
            parts = (_where_positive(index, parts[0], selects=selects), *parts[1:])
        passed = list(zip(node.arguments, parts, strict=True))
        if index in filled and not _is_continued(index, filled):
            at_place, slope = _at_filled_place(graph, index, filled[index])
            part = _chosen(back, at_place) if selects else multiply(back, at_place)
            passed[3 - filled[index].position] = (_input(graph), multiply(part, slope))
        for argument, part in passed:
            if part == ZERO or graph.nodes[argument].operation == "value":
                continue
            if variables_of(part) - variables_of(back):
                for condition in sorted(conditions.get(index, ()), key=str):
                    part = Apply("where", (condition, part, ZERO))
            if not graph.nodes[argument].per_unit and _per_unit(part, builder, known):
                part = Apply("sum", (part,))
            received[argument] = add(received.get(argument, ZERO), part)
    return builder.graph(result), adjoints


def _is_continued(index: int, filled: dict[int, FilledChoice]) -> bool:
    """Tell whether a choice has the slope of one of its branches everywhere."""
    return index in filled and filled[index].slope is None


def _at_filled_place(
    graph: Graph, index: int, choice: FilledChoice
) -> tuple[Expression, Expression]:
    """Return the indicator of the places at which a choice is filled, and its slope there."""
    condition = graph.expression_of_condition(graph.nodes[index].arguments[0])
    assert choice.slope is not None
    return indicator(complement(condition) if choice.position == 1 else condition), choice.slope


def _input(graph: Graph) -> int:
    """Return the node of `z`."""
    return next(k for k, node in enumerate(graph.nodes) if node.leaf == Variable("z"))


def _conditions(graph: Graph, filled: dict[int, FilledChoice]) -> dict[int, frozenset[Expression]]:
    """Return for every node the conditions without which nothing that is wanted needs it."""
    found: dict[int, frozenset[Expression]] = {graph.output: frozenset()}
    shared: set[Expression] = set()
    for index in reversed(graph.reached()):
        node = graph.nodes[index]
        for position, argument in enumerate(node.arguments):
            needs = found[index]
            if node.operation == "where" and position > 0 and not _is_continued(index, filled):
                holds = graph.expression_of_condition(node.arguments[0])
                branch = holds if position == 1 else complement(holds)
                needs |= {branch}
                if not graph.nodes[node.arguments[0]].per_unit:
                    shared.add(branch)
            if not graph.nodes[argument].per_unit:
                needs &= shared  # of a choice that units make by themselves some may need it
            found[argument] = found[argument] & needs if argument in found else needs
    return found


def _parts(graph: Graph, index: int, seed: Expression, *, selects: bool) -> tuple[Expression, ...]:
    """Return what a node passes back to each of its arguments."""
    node = graph.nodes[index]
    names = tuple(
        Variable(f"u{k}") if graph.nodes[k].operation != "value" else graph.expression(k)
        for k in node.arguments
    )
    own = Variable(f"u{index}")
    match node.operation:
        case "reduce_sum":
            return (seed,)
        case "reduce_mean":
            return (divide(seed, UNIT_COUNT),)
        case "reduce_max" | "reduce_min":
            # Units that share the extreme value share what it passes back.
            attains = indicator(Apply("equal", (names[0], own)))
            part = _chosen(seed, attains) if selects else multiply(seed, attains)
            return (divide(part, Apply("sum", (attains,))),)
    names_of_conditions = tuple(
        graph.expression_of_condition(k) if graph.is_condition(k) else name
        for k, name in zip(node.arguments, names, strict=True)
    )
    partials = LOCAL_DERIVATIVES[node.operation](names_of_conditions, own)
    join = _chosen if selects else multiply
    return tuple(join(seed, partial) for partial in partials)


def _chosen(seed: Expression, partial: Expression) -> Expression:
    """Return a product, by a choice where the partial derivative is an indicator."""
    match partial:
        case Apply("indicator", (condition,)) if seed != ONE:
            return Apply("where", (condition, seed, ZERO))
    return multiply(seed, partial)


def _where_positive(root: int, part: Expression, *, selects: bool) -> Expression:
    condition = Apply("greater", (Variable(f"u{root}"), ZERO))
    if selects:
        return Apply("where", (condition, part, ZERO))
    return multiply(part, indicator(condition))


def _per_unit(part: Expression, builder: GraphBuilder, known: dict[Expression, int]) -> bool:
    return builder.nodes[builder.insert(part, known)].per_unit
