"""Generated modules for a cost with its output activation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from chainrule.derivations import (
    FusedGradient,
    Graph,
    GraphBuilder,
    backward_graph,
    by_parameter,
    computation_graph,
    fused_gradient,
)
from chainrule.formulas import (
    Apply,
    Expression,
    Formula,
    Variable,
    constant,
    is_layer_coupled,
    subexpressions,
    substitute,
    to_text,
    variables_of,
)
from chainrule.kernels._elementwise import scalar_functions, two_sided_function
from chainrule.kernels._module_parts import (
    READS,
    kernel_source,
    matrix_views,
    module_source,
    more_arguments,
)
from chainrule.kernels._output_parts import output_parts, slope_of
from chainrule.kernels.fitting._gaps import filled_places
from chainrule.kernels.rows._annotations import names_of_cost_nodes
from chainrule.kernels.rows._row_passes import RowPasses
from chainrule.kernels.rows._rows import DEAR, RowProgram
from chainrule.kernels.stable_forms._layer_form import layer_form, prepared
from chainrule.kernels.stable_forms._rewrite import rewrite
from chainrule.kernels.stable_forms._shares import with_shares_of_others
from chainrule.kernels.stable_forms._shift import shifted
from chainrule.kernels.stable_forms._vanished import with_vanished_products
from chainrule.references import FORMATS


def cost_module(
    activation: Formula,
    cost: Formula,
    dtype: str,
    assumption: str = "",
    *,
    together: bool = False,
    for_other_values: bool = False,
) -> str:
    """Return the source of the kernels of a cost behind an output activation.

    They are ``value`` and ``gradient``; or, for training, one for both, ``value_and_gradient``.
    """
    parameters = _names(activation, cost)
    fused = fused_gradient(activation, cost, assumption)
    body: list[str] = []
    if activation.is_layer_coupled:
        functions, programs = _coupled_cost(activation, cost, fused)
    else:
        body += [*scalar_functions(activation, dtype, for_other_values=for_other_values), ""]
        functions, programs = _elementwise_cost(
            activation, cost, fused, dtype, for_other_values=for_other_values
        )
    body += functions
    title = f"{cost.text}, a = {activation.text}"
    if together:
        both = replace(_joined(*programs), may_be_narrow=_takes_long(activation, cost))
        return module_source(title, dtype, body + _joint_kernel(both, parameters), arrays=4)
    return module_source(title, dtype, body + _kernels(*programs, parameters, fused))


def slope_module(activation: Formula, cost: Formula, dtype: str, name: str) -> str:
    """Return the source of ``slope``: of the derivative of a cost by a parameter of the activation.

    It is derived of the two together, so that no logarithm meets 0.
    """
    parameters = _names(activation, cost)
    values = (*activation.parameters, *cost.parameters)
    says = f"∂(cost of each example)/∂{name}"
    functions: list[str] = []
    reads = dict(READS)
    inner = prepared(activation) if activation.is_layer_coupled else activation
    composed = rewrite(_composed(cost.expression, inner.expression))
    slope = by_parameter(composed, name, dict(values))
    if activation.is_layer_coupled:
        slope = with_shares_of_others(rewrite(shifted(Formula(slope, values), sharp=True)))
    else:
        for number, total in enumerate(_totals(slope)):
            term = _term(number, total.arguments[0], dict(values), parameters, functions, reads)
            if term is not None:
                slope = _replaced(slope, total, Apply(total.operation, (term,)))
    graph = with_vanished_products(computation_graph(rewrite(slope)))[0]
    program = RowProgram(RowPasses(graph), reads, one_result=True)
    costs = [*_INPUTS, "output = carray(output, (rows,))", *program.source()]
    body = [*functions, *kernel_source("slope", says, parameters, costs)]
    return module_source(f"{says}, {cost.text}, a = {activation.text}", dtype, body)


def _names(*formulas: Formula) -> tuple[str, ...]:
    return tuple(name for formula in formulas for name, _ in formula.parameters)


def _term(
    number: int,
    inner: Expression,
    values: dict[str, float],
    parameters: tuple[str, ...],
    functions: list[str],
    reads: dict[str, str],
) -> Variable | None:
    """Add a function of `z` and `y` that is stable, if there is one; return what stands for it."""
    name = f"term{number}"
    source = two_sided_function(name, inner, values, parameters)
    if source is None:
        return None
    functions += [*source, ""]
    reads[name] = f"{name}(np.float64(z[i, j]), np.float64(y[i, j]){more_arguments(parameters)})"
    return Variable(name)


def _coupled_cost(
    activation: Formula, cost: Formula, fused: FusedGradient
) -> tuple[list[str], tuple[RowProgram, RowProgram]]:
    """Return what computes the cost composed with the activation: no logarithm meets 0."""
    composed = rewrite(_composed(cost.expression, prepared(activation).expression))
    whole = Formula(composed, (*activation.parameters, *cost.parameters))
    value = computation_graph(with_shares_of_others(rewrite(shifted(whole, sharp=True))))
    forward = layer_form(activation, sharp=False)
    if fused.keeps_gradient and fused.by_preactivation is not None:
        gradient = computation_graph(_composed(fused.by_preactivation, forward))
    elif _is_singular(fused.by_output):
        graph, seed = computation_graph(with_shares_of_others(shifted(whole))), constant(1)
        gradient = backward_graph(graph, seed=seed, selects=True)[0]
    else:
        graph, by_output = computation_graph(forward), fused.by_output
        gradient = backward_graph(graph, seed=by_output, selects=True)[0]
    masked = with_vanished_products(value)[0], with_vanished_products(gradient)[0]
    names = [names_of_cost_nodes(graph, activation, cost, {}) for graph in masked]
    return [], _programs(masked, names, READS)


def _is_singular(by_output: Expression) -> bool:
    """Tell whether a derivative by the output takes logarithms of it or divides by it."""
    return any(
        isinstance(e, Apply)
        and e.operation in ("log", "divide")
        and "a" in variables_of(e.arguments[-1])
        for e in subexpressions(by_output)
    )


def _elementwise_cost(
    activation: Formula,
    cost: Formula,
    fused: FusedGradient,
    dtype: str,
    *,
    for_other_values: bool,
) -> tuple[list[str], tuple[RowProgram, RowProgram]]:
    """Return what computes a cost behind an element-wise activation, and functions it calls."""
    parameters = _names(activation, cost)
    values = (*activation.parameters, *cost.parameters)
    reads = {
        **READS,
        "a": _call("activation", activation.parameters),
        "slope": _call("derivative", activation.parameters),
    }
    functions: list[str] = []
    slope = backward_graph(computation_graph(activation.expression), seed=constant(1))[0]
    returned = {"slope": Formula(slope.expression())}
    value = cost.expression
    # Beside places of 0/0 the activation's own function keeps its digits, no stable form.
    has_gaps = bool(filled_places(activation, FORMATS["float64"]))
    for number, total in enumerate(() if has_gaps else _totals(cost.expression)):
        inner = _composed(total.arguments[0], activation.expression)
        term = _term(number, inner, dict(values), parameters, functions, reads)
        if term is not None:
            returned[term.name] = Formula(inner)
            value = _replaced(value, total, Apply(total.operation, (term,)))
    short = fused.by_preactivation if fused.keeps_gradient else None
    gradient = short or Apply("multiply", (fused.by_output, Variable("slope")))
    if short is None or "a" in variables_of(value):
        parts = output_parts(activation, cost)
        value = parts.written(value)
        if short is None and parts.formulas:
            gradient = parts.gradient(cost.expression)
        for name in parts.formulas:
            functions += parts.source(name, dtype, for_other_values=for_other_values)
            reads[name] = _call(name, values)
            reads[slope_of(name)] = _call(slope_of(name), values)
            part = computation_graph(parts.formulas[name].expression)
            returned[name] = parts.formulas[name]
            returned[slope_of(name)] = Formula(
                backward_graph(part, seed=constant(1))[0].expression()
            )
    graphs = computation_graph(rewrite(value)), computation_graph(rewrite(gradient))
    names = [names_of_cost_nodes(graph, activation, cost, returned) for graph in graphs]
    return functions, _programs(graphs, names, reads)


def _programs(
    graphs: tuple[Graph, Graph], names: Sequence[Mapping[int, str]], reads: dict[str, str]
) -> tuple[RowProgram, RowProgram]:
    """Return what computes the cost of each row, and what computes its gradient."""
    value, gradient = graphs
    return (
        RowProgram(RowPasses(value), reads, one_result=True, names=names[0]),
        RowProgram(RowPasses(gradient), reads, names=names[1]),
    )


_INPUTS = matrix_views(("z", "first"), ("y", "second"))


def _kernels(
    value: RowProgram, gradient: RowProgram, parameters: tuple[str, ...], fused: FusedGradient
) -> list[str]:
    says = "∂(cost of each example)/∂Z"
    if fused.keeps_gradient and fused.by_preactivation is not None:
        says += f" = {to_text(fused.by_preactivation)}"
    costs = [*_INPUTS, "output = carray(output, (rows,))", *value.source()]
    slopes = [*matrix_views(("output", "output")), *_INPUTS, *gradient.source()]
    return [
        *kernel_source("value", "The cost of each example", parameters, costs),
        *kernel_source("gradient", says, parameters, slopes),
    ]


def _joint_kernel(both: RowProgram, parameters: tuple[str, ...]) -> list[str]:
    views = [*matrix_views(("output", "output")), *_INPUTS, "costs = carray(costs, (rows,))"]
    says = "∂(cost of each example)/∂Z, and the cost of each example"
    body = [*views, *both.source()]
    return kernel_source("value_and_gradient", says, parameters, body, "output, costs")


def _takes_long(*formulas: Formula) -> bool:
    """Tell whether rows take longer to compute than to be turned."""
    return any(
        isinstance(e, Apply)
        and (e.operation in DEAR or (e.operation == "divide" and variables_of(e.arguments[1])))
        for formula in formulas
        for e in subexpressions(formula.expression)
    )


def _joined(value: RowProgram, gradient: RowProgram) -> RowProgram:
    """Return what computes once what a cost and its gradient have in common."""
    builder = GraphBuilder()
    names: dict[int, str] = {}
    results: list[int] = []
    for program in (value, gradient):
        place: dict[int, int] = {}
        for k in program.graph.reached():
            node = program.graph.nodes[k]
            place[k] = builder.copy(
                replace(node, arguments=tuple(place[x] for x in node.arguments))
            )
        names |= {place[k]: name for k, name in program.names.items() if k in place}
        results.append(place[program.graph.output])
    graph = builder.graph(results[1], (results[0],))
    return RowProgram(RowPasses(graph), gradient.inputs, names=names)


def _composed(outer: Expression, inner: Expression) -> Expression:
    return _replaced(outer, Variable("a"), inner)


def _replaced(expression: Expression, old: Expression, new: Expression) -> Expression:
    return substitute(expression, lambda e: new if e == old else None)


def _totals(expression: Expression) -> list[Apply]:
    """Return the sums and means whose terms do not reach over the units themselves."""
    return [
        e
        for e in subexpressions(expression)
        if isinstance(e, Apply)
        and e.operation in ("sum", "mean")
        and not is_layer_coupled(e.arguments[0])
    ]


def _call(function: str, parameters: tuple[tuple[str, float], ...]) -> str:
    return f"{function}(np.float64(z[i, j]){more_arguments(tuple(name for name, _ in parameters))})"
