"""Lines of generated source, marked with the nodes of the derivation that they compute.

A line may compute a node in another form than the derivation writes it. Whether the two are the
same function is found by comparing their values in many digits at places of either sign of z; what
agrees on one sign only is marked so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import mpmath

from chainrule.derivations import (
    SEED,
    Graph,
    TimeLimitError,
    backward_graph,
    computation_graph,
    evaluate,
    evaluate_layer,
    is_splittable,
    node_names,
    node_values,
    regrouped,
    time_limit,
    unit_graph,
)
from chainrule.documents import partial, symbol, text_of
from chainrule.formulas import (
    COMPARISONS,
    Apply,
    Expression,
    Formula,
    Parameter,
    Variable,
    constant,
    subexpressions,
    substitute,
    variables_of,
)
from chainrule.kernels._reading import Statement, on_side, read_body
from chainrule.kernels._source import parameter_name

_DIGITS = 40
_SAME = mpmath.mpf(10) ** -11  # the source's constants are doubles
_SIDES = (
    (" (z >= 0)", ("0.1129", "0.3137", "0.7291", "1.6183", "2.7512", "4.2137")),
    (" (z < 0)", ("-0.1371", "-0.3391", "-0.8011", "-1.4142", "-2.5182", "-4.1237")),
)
_FEWEST, _MOST = 3, 4
_LARGEST_GRAPH = 300
_SECONDS = 2.0
_ROW = ("0.3137", "-1.6183", "0.7291")
_TARGETS = ("0.28125", "0.53125", "0.1875")
COST_PREFIX = "cost: "
_SEEDS = ("0.8125", "-0.4391", "1.2713")

Values = tuple[Any, ...]
Quantities = dict[str, Values]


def marked(body: Sequence[str], formula: Formula, *, slope: bool) -> list[str]:
    """Return the lines of a scalar function, each with a comment that names what it computes.

    Examples
    --------
    >>> from chainrule.formulas import parse
    >>> for line in marked(["t = exp(-z)", "return 1.0 / (1.0 + t)"],
    ...                    parse("1/(1 + exp(-z))"), slope=False):
    ...     print(line)
    t = exp(-z)  # u2
    return 1.0 / (1.0 + t)  # u4
    """
    graph = computation_graph(formula.expression)
    if len(graph.order) > _LARGEST_GRAPH:
        return list(body)
    try:
        with mpmath.workdps(_DIGITS), time_limit(_SECONDS):
            statements = tuple(replace(s, value=_plain(s.value)) for s in read_body(body))
            own, varied = (
                _matches(statements, graph, parameters, slope=slope)
                for parameters in _parameter_sets(formula)
            )
    except (ArithmeticError, KeyError, ValueError, TimeLimitError):
        return list(body)  # a line without a name computes the same
    return [_commented(line, _kept(own[k], varied[k])) for k, line in enumerate(body)]


def _parameter_sets(formula: Formula) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the parameters, and others nearby: at ``alpha = 1`` much is equal by chance."""
    values = {name: mpmath.mpf(value) for name, value in formula.parameters}
    nearby = {name: value * (1 + mpmath.mpf(k + 1) / 97) for k, (name, value) in
              enumerate(values.items())}  # fmt: skip
    return values, nearby


def _kept(own: list[Any], varied: list[Any]) -> list[Any]:
    """Keep what agrees for other parameters too, if anything does."""
    return [match for match in own if match in varied] or own


def _matches(
    statements: tuple[Statement, ...], graph: Graph, parameters: Mapping[str, Any], *, slope: bool
) -> list[list[tuple[str, str]]]:
    """Return, line by line, the names of what is computed, each with the sign of z."""
    found: list[list[tuple[str, str]]] = [[] for _ in range(1 + max(s.line for s in statements))]
    result = text_of(node_names(graph)[graph.output])
    if slope:
        result = text_of(partial(symbol("a"), symbol("u0")))
    source_values = {parameter_name(name): value for name, value in parameters.items()}
    for side, places in _SIDES:
        known = _quantities(graph, parameters, places, slope=slope)
        computed: dict[int, list[Any]] = {s.line: [] for s in statements}
        for place in places:
            values = {**source_values, "z": mpmath.mpf(place)}
            for s in statements:
                values[s.name] = evaluate(s.value, values)
                computed[s.line].append(values[s.name])
        for line, results in computed.items():
            if line == statements[-1].line:  # the result is one quantity, be it 1 on one side
                names = [result] * _same(tuple(results), known[result], shared=True)
            else:
                names = _names_of(tuple(results), known, shared=False)
            found[line] += [(name, side) for name in names]
    return found


def _quantities(
    graph: Graph, parameters: Mapping[str, Any], places: Sequence[str], *, slope: bool
) -> Quantities:
    """Return the values of all nodes, and of ∂a/∂u at them, at some places."""
    at = [node_values(graph, {**parameters, "z": mpmath.mpf(place)}) for place in places]
    names = node_names(graph)
    known = {text_of(name): tuple(v.forward[k] for v in at) for k, name in names.items()}
    if slope:
        for k in reversed(graph.order):
            label = text_of(partial(symbol("a"), names[k]))
            known[label] = tuple(v.backward[k] for v in at)
    return known


@dataclass(frozen=True)
class StepLines:
    """Where the source computes a step of the derivation, beyond what its comments name.

    Parameters
    ----------
    name : str
        Of the node, or of the derivative by it.
    lines : tuple of int
        Lines that have its value on the way, perhaps with the other sign, or as that of another.
    reason : str
        Why no line need compute it.
    """

    name: str
    lines: tuple[int, ...] = ()
    reason: str = ""


def lines_of_steps(
    formula: Formula, functions: Mapping[str, Sequence[Statement]]
) -> tuple[StepLines, ...]:
    """Find where the lines of element-wise source have the steps that no comment names.

    Parameters
    ----------
    formula : Formula
    functions : mapping of str to sequence of Statement
        ``activation`` and ``derivative``, as `read_functions` reads them.
    """
    graph = computation_graph(formula.expression)
    if len(graph.order) > _LARGEST_GRAPH:
        return ()
    parameters = _parameter_sets(formula)[1]
    lines: dict[str, set[int]] = {}
    values: Quantities = {}
    try:
        with mpmath.workdps(_DIGITS), time_limit(_SECONDS):
            for _, places in _SIDES:
                known = _quantities(graph, parameters, places, slope=True)
                for name, found in known.items():
                    values[name] = (*values.get(name, ()), *found)
                for function, statements in functions.items():
                    nodes = {n: v for n, v in known.items() if function == "derivative" or
                             not n.startswith("∂")}  # fmt: skip
                    for line, found in _parts(statements, parameters, places):
                        for name in _names_up_to_sign(found, nodes):
                            lines.setdefault(name, set()).add(line)
    except (ArithmeticError, KeyError, ValueError, TimeLimitError):
        return ()
    return tuple(
        StepLines(name, tuple(sorted(lines.get(name, ()))), _reason(found))
        for name, found in values.items()
    )


def _reason(values: Values) -> str:
    """Say why no line may be needed for a quantity."""
    first = values[0]
    if any(value != first for value in values):
        return "no line: another form is computed"
    if first == 1:
        return "no line: a factor of 1 costs nothing"
    return "no line: nothing passes" if first == 0 else "no line: a constant"


def _parts(
    statements: Sequence[Statement], parameters: Mapping[str, Any], places: Sequence[str]
) -> Iterator[tuple[int, Values]]:
    """Yield what the lines compute on the way to their values, at places of one sign."""
    at: list[dict[str, Any]] = [
        {**{parameter_name(n): v for n, v in parameters.items()}, "z": mpmath.mpf(place)}
        for place in places
    ]
    is_right = not places[0].startswith("-")
    for s in statements:
        value = on_side(_plain(s.value), right=is_right)
        for part in subexpressions(value):
            if part == Variable("z") or (
                isinstance(part, Apply) and part.operation not in COMPARISONS
            ):
                yield s.line, tuple(evaluate(part, values) for values in at)
        for values in at:
            values[s.name] = evaluate(value, values)


def _names_up_to_sign(results: Values, known: Quantities) -> list[str]:
    opposite = tuple(-x for x in results)
    return [
        name
        for name, wanted in known.items()
        if _same(results, wanted, shared=False) or _same(opposite, wanted, shared=False)
    ]


def _names_of(results: Values, known: Quantities, *, shared: bool) -> list[str]:
    """Return the names of the quantities that have these values: nodes, else derivatives.

    Without `shared`, what is the same at every place has no name: too much equals 1.
    """
    names = [name for name, wanted in known.items() if _same(results, wanted, shared=shared)]
    nodes = [name for name in names if "∂" not in name]
    return (nodes or names)[:_MOST]


def _same(results: Values, wanted: Values, *, shared: bool) -> bool:
    pairs = [
        (x, y)
        for x, y in zip(results, wanted, strict=True)
        if mpmath.isfinite(x) and mpmath.isfinite(y)
    ]
    return (
        len(pairs) >= _FEWEST
        and (shared or any(y != pairs[0][1] for _, y in pairs))
        and all(abs(x - y) <= _SAME * abs(y) for x, y in pairs)
    )


def _commented(line: str, found: list[tuple[str, str]]) -> str:
    """Append names: those that hold for both signs of z, then the others with their sign."""
    sides: dict[str, list[str]] = {}
    for name, side in found:
        sides.setdefault(name, []).append(side)
    both = [name for name, held in sides.items() if len(held) == 2]
    # One line in one form is the same node on both sides, or it is two.
    one = [] if both else [name + held[0] for name, held in sides.items()]
    return f"{line}  # {', '.join(both + one)}" if both or one else line


def _plain(e: Expression) -> Expression:
    """Write what only the source knows by functions that have values in many digits."""

    def known(part: Expression) -> Expression | None:
        match part:
            case Apply("held", (inner,)):
                return _plain(inner)
            case Apply("erfc", (inner,)):
                return Apply("subtract", (constant(1), Apply("erf", (_plain(inner),))))
            case Apply("erfcx", (inner,)):
                square = Apply("power", (inner, constant(2)))
                return _plain(Apply("multiply", (Apply("exp", (square,)), Apply("erfc", (inner,)))))
            case Parameter(name):
                return Variable(parameter_name(name))
        return None

    return substitute(e, known)


def names_of_nodes(graph: Graph, formula: Formula) -> dict[int, str]:
    """Return, for nodes of a graph over a layer's units, what the derivation calls them.

    Parameters
    ----------
    graph : Graph
        What is computed: forward, or backward with `g` for ∂J/∂a.
    formula : Formula
        The activation that is derived.
    """
    if len(graph.order) > _LARGEST_GRAPH:
        return {}
    try:
        with mpmath.workdps(_DIGITS), time_limit(_SECONDS):
            own, varied = (_layer_matches(graph, formula, p) for p in _parameter_sets(formula))
    except (ArithmeticError, KeyError, ValueError, TimeLimitError):
        return {}
    labels = {k: _kept(names, varied[k]) for k, names in own.items()}
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
    if len(graph.order) > _LARGEST_GRAPH:
        return {}
    both = Formula(activation.expression, (*activation.parameters, *cost.parameters))
    try:
        with mpmath.workdps(_DIGITS), time_limit(_SECONDS):
            own, varied = (
                _cost_matches(graph, activation, cost, parts, p) for p in _parameter_sets(both)
            )
    except (ArithmeticError, KeyError, ValueError, TypeError, TimeLimitError):
        return {}
    labels = {k: _kept(names, varied[k]) for k, names in own.items()}
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
        values[name] = evaluate_layer(_plain(part.expression), values)
    values["a"] = evaluate_layer(activation.expression, values)
    shown = computation_graph(cost.expression)
    names = node_names(shown)
    backward, adjoints = backward_graph(shown, "a", constant(1))
    known: Quantities = {}
    for index, results in _along(shown, values).items():
        known[f"{COST_PREFIX}{text_of(names[index])}"] = results
    received = _along(backward, values)
    for index, node in adjoints.items():
        if index in names and node in received:
            label = text_of(partial(symbol("J_i"), names[index]))
            known[f"{COST_PREFIX}{label}"] = received[node]
    composed = substitute(
        cost.expression, lambda e: activation.expression if e == Variable("a") else None
    )
    by_preactivation = backward_graph(computation_graph(composed), seed=constant(1))[0]
    slopes = evaluate_layer(_plain(by_preactivation.expression()), values)
    known[f"{COST_PREFIX}∂J_i/∂z_j"] = tuple(slopes)
    known = {n: v for n, v in known.items() if any(value != 1 for value in v)}
    return {k: _names_of(v, known, shared=True) for k, v in _along(graph, values).items()}


def _layer_matches(
    graph: Graph, formula: Formula, parameters: Mapping[str, Any]
) -> dict[int, list[str]]:
    values: dict[str, Any] = {
        "z": [mpmath.mpf(z) for z in _ROW],
        SEED.name: [mpmath.mpf(g) for g in _SEEDS],
        **{parameter_name(name): value for name, value in parameters.items()},
    }
    known = _layer_quantities(formula, values)
    return {k: _names_of(v, known, shared=True) for k, v in _along(graph, values).items()}


def _along(graph: Graph, values: Mapping[str, Any]) -> dict[int, Values]:
    """Return the values of a graph's nodes for every unit, node after node."""
    known = dict(values)
    names: dict[int, Expression] = {}
    for index in graph.order:
        name = f"#{index}"  # no name of the language
        known[name] = evaluate_layer(_plain(graph.definition(index, names)), known)
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
                known[text_of(name)] = tuple(evaluate_layer(_plain(whole), values))
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
