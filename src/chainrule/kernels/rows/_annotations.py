"""Nodes of kernels over a layer's units, or of costs, with their names in the derivation.

As in `_annotations`, what is the same quantity is found by its values in many digits.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import mpmath

from chainrule.derivations import (
    SEED,
    Graph,
    TimeLimitError,
    backward_graph,
    computation_graph,
    evaluate_layer,
    is_splittable,
    node_names,
    regrouped,
    time_limit,
    unit_graph,
)
from chainrule.documents import partial, symbol, text_of
from chainrule.formulas import Expression, Formula, Variable, constant, substitute, variables_of
from chainrule.kernels.source._annotations import (
    DIGITS,
    LARGEST_GRAPH,
    SECONDS,
    Quantities,
    Values,
    as_mathematics,
    kept,
    names_of,
    parameter_sets,
)
from chainrule.kernels.source._lines import parameter_name

_ROW = ("0.3137", "-1.6183", "0.7291")
_TARGETS = ("0.28125", "0.53125", "0.1875")
_SEEDS = ("0.8125", "-0.4391", "1.2713")
_COST_PREFIX = "cost: "


def names_of_nodes(graph: Graph, formula: Formula) -> dict[int, str]:
    """Return, for nodes of a graph over a layer's units, what the derivation calls them.

    Parameters
    ----------
    graph : Graph
        What is computed: forward, or backward with `g` for ∂J/∂a.
    formula : Formula
        The activation that is derived.
    """
    if len(graph.order) > LARGEST_GRAPH:
        return {}
    try:
        with mpmath.workdps(DIGITS), time_limit(SECONDS):
            own, varied = (_layer_matches(graph, formula, p) for p in parameter_sets(formula))
    except (ArithmeticError, KeyError, ValueError, TimeLimitError):
        return {}
    labels = {k: kept(names, varied[k]) for k, names in own.items()}
    return {k: ", ".join(names) for k, names in labels.items() if names}


def names_of_cost_nodes(
    graph: Graph, activation: Formula, cost: Formula, parts: Mapping[str, Formula]
) -> dict[int, str]:
    """Return, for nodes of a cost's kernel, what the cost's derivation calls them.

    Parameters
    ----------
    graph : Graph
        What is computed from `z` and `y`, and from values that functions return.
    activation, cost : Formula
    parts : mapping of str to Formula
        These values, by their names in the graph, in `z` and `y`.
    """
    if len(graph.order) > LARGEST_GRAPH:
        return {}
    both = Formula(activation.expression, (*activation.parameters, *cost.parameters))
    try:
        with mpmath.workdps(DIGITS), time_limit(SECONDS):
            own, varied = (
                _cost_matches(graph, activation, cost, parts, p) for p in parameter_sets(both)
            )
    except (ArithmeticError, KeyError, ValueError, TypeError, TimeLimitError):
        return {}
    labels = {k: kept(names, varied[k]) for k, names in own.items()}
    return {k: ", ".join(names) for k, names in labels.items() if names}


def _cost_matches(
    graph: Graph,
    activation: Formula,
    cost: Formula,
    parts: Mapping[str, Formula],
    parameters: Mapping[str, Any],
) -> dict[int, list[str]]:
    values: dict[str, Any] = {
        "z": [mpmath.mpf(z) for z in _ROW],
        "y": [mpmath.mpf(y) for y in _TARGETS],
        **parameters,
        **{parameter_name(name): value for name, value in parameters.items()},
    }
    for name, part in parts.items():
        values[name] = evaluate_layer(as_mathematics(part.expression), values)
    values["a"] = evaluate_layer(activation.expression, values)
    shown = computation_graph(cost.expression)
    names = node_names(shown)
    backward, adjoints = backward_graph(shown, "a", constant(1))
    known: Quantities = {}
    for index, results in _along(shown, values).items():
        known[f"{_COST_PREFIX}{text_of(names[index])}"] = results
    received = _along(backward, values)
    for index, node in adjoints.items():
        if index in names and node in received:
            label = text_of(partial(symbol("J_i"), names[index]))
            known[f"{_COST_PREFIX}{label}"] = received[node]
    composed = substitute(
        cost.expression, lambda e: activation.expression if e == Variable("a") else None
    )
    by_preactivation = backward_graph(computation_graph(composed), seed=constant(1))[0]
    slopes = evaluate_layer(as_mathematics(by_preactivation.expression()), values)
    known[f"{_COST_PREFIX}∂J_i/∂z_j"] = tuple(slopes)
    known = {n: v for n, v in known.items() if any(value != 1 for value in v)}
    return {k: names_of(v, known, shared=True) for k, v in _along(graph, values).items()}


def _layer_matches(
    graph: Graph, formula: Formula, parameters: Mapping[str, Any]
) -> dict[int, list[str]]:
    values: dict[str, Any] = {
        "z": [mpmath.mpf(z) for z in _ROW],
        SEED.name: [mpmath.mpf(g) for g in _SEEDS],
        **{parameter_name(name): value for name, value in parameters.items()},
    }
    known = _layer_quantities(formula, values)
    return {k: names_of(v, known, shared=True) for k, v in _along(graph, values).items()}


def _along(graph: Graph, values: Mapping[str, Any]) -> dict[int, Values]:
    """Return the values of a graph's nodes for every unit, node after node."""
    known = dict(values)
    names: dict[int, Expression] = {}
    for index in graph.order:
        name = f"#{index}"  # no name of the language
        known[name] = evaluate_layer(as_mathematics(graph.definition(index, names)), known)
        names[index] = Variable(name)
    return {index: tuple(known[f"#{index}"]) for index in graph.order}


def _layer_quantities(formula: Formula, values: Mapping[str, Any]) -> Quantities:
    """Return what the derivation shows of a layer: its nodes, and ∂J/∂u where it shows those."""
    known: Quantities = {}
    graph = computation_graph(formula.expression)
    backward, adjoints = backward_graph(graph)
    received = _along(backward, values)
    if is_splittable(formula):
        unit = unit_graph(formula, same_unit=True)
        for index, name in unit.names.items():
            whole = substitute(regrouped(unit.graph.expression(index)), _of_unit)
            if "z_p" not in variables_of(whole):
                known[text_of(name)] = tuple(evaluate_layer(as_mathematics(whole), values))
    else:
        names = node_names(graph)
        for index, results in _along(graph, values).items():
            known[text_of(names[index])] = results
        for index, node in adjoints.items():
            if index in names and node in received:
                known[text_of(partial(symbol("J"), names[index]))] = received[node]
    known["∂J/∂a_j"] = tuple(values[SEED.name])
    if backward.output in received:
        known["∂J/∂z_j"] = received[backward.output]
    return known


def _of_unit(e: Expression) -> Expression | None:
    return Variable("z") if e in (Variable("z_j"), Variable("z_k")) else None
