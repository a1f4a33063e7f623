"""Generated modules for a cost with its output activation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chainrule.derivations import (
    FusedGradient,
    Graph,
    backward_graph,
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
from chainrule.kernels._annotations import names_of_cost_nodes
from chainrule.kernels._elementwise import scalar_functions, two_sided_function
from chainrule.kernels._module_parts import (
    READS,
    kernel_source,
    matrix_views,
    module_source,
    more_arguments,
)
from chainrule.kernels._output_parts import output_parts, slope_of
from chainrule.kernels._rewrite import rewrite
from chainrule.kernels._rows import RowProgram
from chainrule.kernels._shares import with_shares_of_others
from chainrule.kernels._shift import shifted


def cost_module(activation: Formula, cost: Formula, dtype: str, assumption: str = "") -> str:
    """Return the source of the kernels of a cost behind an output activation."""
    parameters = tuple(name for name, _ in (*activation.parameters, *cost.parameters))
    body = [] if activation.is_layer_coupled else [*scalar_functions(activation, dtype), ""]
    fused = fused_gradient(activation, cost, assumption)
    build = _coupled_cost if activation.is_layer_coupled else _elementwise_cost
    body += build(activation, cost, parameters, fused, dtype)
    title = f"{cost.text}, a = {activation.text}"
    return module_source(title, dtype, body)


def _coupled_cost(
    activation: Formula,
    cost: Formula,
    parameters: tuple[str, ...],
    fused: FusedGradient,
    dtype: str,
) -> list[str]:
    """Return the kernels of the cost composed with the activation: no logarithm meets 0."""
    composed = rewrite(_composed(cost.expression, activation.expression))
    whole = Formula(composed, (*activation.parameters, *cost.parameters))
    value = computation_graph(with_shares_of_others(rewrite(shifted(whole, sharp=True))))
    forward = rewrite(shifted(activation))
    if fused.keeps_gradient and fused.by_preactivation is not None:
        gradient = computation_graph(_composed(fused.by_preactivation, forward))
    elif _is_singular(fused.by_output):
        graph, seed = computation_graph(with_shares_of_others(shifted(whole))), constant(1)
        gradient = backward_graph(graph, seed=seed, selects=True)[0]
    else:
        graph, by_output = computation_graph(forward), fused.by_output
        gradient = backward_graph(graph, seed=by_output, selects=True)[0]
    names = [names_of_cost_nodes(graph, activation, cost, {}) for graph in (value, gradient)]
    return _cost_kernels((value, gradient), names, READS, parameters, fused)


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
    parameters: tuple[str, ...],
    fused: FusedGradient,
    dtype: str,
) -> list[str]:
    """Return the kernels behind an element-wise activation, after the functions they call."""
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
    for number, total in enumerate(_totals(cost.expression)):
        name = f"term{number}"
        inner = _composed(total.arguments[0], activation.expression)
        term = two_sided_function(name, inner, dict(values), parameters)
        if term is not None:
            functions += [*term, ""]
            returned[name] = Formula(inner)
            reads[name] = (
                f"{name}(np.float64(z[i, j]), np.float64(y[i, j]){more_arguments(parameters)})"
            )
            value = _replaced(value, total, Apply(total.operation, (Variable(name),)))
    short = fused.by_preactivation if fused.keeps_gradient else None
    gradient = short or Apply("multiply", (fused.by_output, Variable("slope")))
    if short is None or "a" in variables_of(value):
        parts = output_parts(activation, cost)
        value = parts.written(value)
        if short is None and parts.formulas:
            gradient = parts.gradient(cost.expression)
        for name in parts.formulas:
            functions += parts.source(name, dtype)
            reads[name] = _call(name, values)
            reads[slope_of(name)] = _call(slope_of(name), values)
            part = computation_graph(parts.formulas[name].expression)
            returned[name] = parts.formulas[name]
            returned[slope_of(name)] = Formula(
                backward_graph(part, seed=constant(1))[0].expression()
            )
    graphs = computation_graph(rewrite(value)), computation_graph(rewrite(gradient))
    names = [names_of_cost_nodes(graph, activation, cost, returned) for graph in graphs]
    return [*functions, *_cost_kernels(graphs, names, reads, parameters, fused)]


def _cost_kernels(
    graphs: tuple[Graph, Graph],
    names: Sequence[Mapping[int, str]],
    reads: dict[str, str],
    parameters: tuple[str, ...],
    fused: FusedGradient,
) -> list[str]:
    inputs = matrix_views(("z", "first"), ("y", "second"))
    says = "∂(cost of each example)/∂Z"
    if fused.keeps_gradient and fused.by_preactivation is not None:
        says += f" = {to_text(fused.by_preactivation)}"
    costs = RowProgram(graphs[0], reads, one_result=True, names=names[0]).source()
    slopes = RowProgram(graphs[1], reads, names=names[1]).source()
    rows = "output = carray(output, (rows,))"
    return [
        *kernel_source("value", "The cost of each example", parameters, [*inputs, rows, *costs]),
        *kernel_source(
            "gradient", says, parameters, [*matrix_views(("output", "output")), *inputs, *slopes]
        ),
    ]


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
