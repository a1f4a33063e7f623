"""Whole generated modules: for an activation, and for a cost with its output activation."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from chainrule.derivations import (
    SEED,
    FusedGradient,
    Graph,
    backward_graph,
    computation_graph,
    derive,
    fused_gradient,
    through_output,
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
from chainrule.kernels._annotations import names_of_cost_nodes, names_of_nodes
from chainrule.kernels._elementwise import DECORATOR, scalar_functions, two_sided_function
from chainrule.kernels._kept_choices import Zeros
from chainrule.kernels._output_parts import output_parts, slope_of
from chainrule.kernels._rewrite import rewrite
from chainrule.kernels._rows import RowProgram
from chainrule.kernels._shares import with_shares_of_others
from chainrule.kernels._shift import shifted
from chainrule.kernels._source import parameter_name
from chainrule.kernels._tiers import format_of, has_fits, in_tiers, tiers_of
from chainrule.kernels._zeros import fits_at_zeros, name_of_fit, with_fits

_ACCUMULATE = '''
@njit(forceinline=True, error_model="numpy", fastmath={"reassoc", "nsz", "contract"})
def accumulate(total, value):
    """Add; the order is free, so that the sum runs in several lanes."""
    return total + value
'''
_READS = {
    "z": "np.float64(z[i, j])",
    "y": "np.float64(y[i, j])",
    "g": "np.float64(da[i, j])",
}

_COUPLED_INPUTS = {"forward": [("z", "first")], "backward": [("da", "first"), ("z", "second")]}
_COUPLED_SAYS = {"forward": "A = g(Z), row by row", "backward": "∂J/∂Z from ∂J/∂A, row by row"}


def activation_module(
    formula: Formula,
    dtype: str,
    tiers: Mapping[str, str] | None = None,
    zeros: Zeros | None = None,
) -> str:
    """Return the source of an activation's forward and backward kernels.

    `tiers` are those of the functions ``activation`` and ``derivative``; by default the one that
    is good for results of the dtype whatever the formula. `zeros` are the neighbours between which
    these functions have zeros.
    """
    if formula.is_layer_coupled:
        return _coupled_module(formula, dtype, tiers or {})
    lines = _activation_lines(formula, dtype)
    if not tiers:
        return _module(f"a = {formula.text}", dtype, lines)
    body, chosen = _with_fits(lines, formula, tiers, zeros)
    # A kernel reads and writes in the format of the function that it calls.
    chosen["forward"] = format_of(tiers["activation"])
    chosen["backward"] = format_of(tiers["derivative"])
    return _module(f"a = {formula.text}", dtype, body, chosen)


def _with_fits(
    lines: Sequence[str], formula: Formula, tiers: Mapping[str, str], zeros: Zeros | None
) -> tuple[Sequence[str], dict[str, str]]:
    """Return source with fits next to zeros where the tiers ask for them, and all tiers."""
    fits = {
        name: fits_at_zeros(formula, zeros[name], slope=name == "derivative")
        for name, tier in tiers.items()
        if zeros and name in zeros and has_fits(tier)
    }
    added = {
        name_of_fit(name, k): format_of(tiers[name])
        for name, own in fits.items()
        for k in range(len(own))
    }
    return with_fits(lines, fits, DECORATOR) if added else lines, {**tiers, **added}


@lru_cache(maxsize=4)
def _activation_lines(formula: Formula, dtype: str) -> tuple[str, ...]:
    """Return the source before it gets its tiers: several are tried."""
    parameters = tuple(name for name, _ in formula.parameters)
    return tuple(_elementwise_kernels(formula, parameters, dtype))


@lru_cache(maxsize=4)
def _scalar_lines(formula: Formula, dtype: str) -> tuple[str, ...]:
    return tuple(scalar_functions(formula, dtype))


def slope_module(
    formula: Formula, dtype: str, tiers: Mapping[str, str], zeros: Zeros | None = None
) -> str:
    """Return the source of the kernel that gives value and slope in one pass.

    `formula` is element-wise; `tiers` are those of ``activation`` and ``derivative``, and `zeros`
    the neighbours between which these have zeros.
    """
    parameters = tuple(name for name, _ in formula.parameters)
    loop = [
        "size = rows * columns",
        "output = carray(output, (size,))",
        "z = carray(first, (size,))",
        "slope = carray(second, (size,))",
        "for i in range(size):",
        # Everything is read before anything is written: only then is what both need computed once.
        "    x = z[i]",
        f"    value, change = value_at(x{_extra(parameters)}), slope_at(x{_extra(parameters)})",
        "    output[i] = value",
        "    slope[i] = change",
    ]
    functions, chosen = _with_fits(_scalar_lines(formula, dtype), formula, tiers, zeros)
    body = [
        *functions,
        *_at("value_at", "activation", parameters),
        *_at("slope_at", "derivative", parameters),
        *_kernel("forward_with_slope", "A = g(Z), and g'(Z)", parameters, loop),
    ]
    chosen["value_at"] = format_of(tiers["activation"])
    chosen["slope_at"] = format_of(tiers["derivative"])
    return _module(f"a = {formula.text}, with its slope", dtype, body, chosen)


def product_module(dtype: str) -> str:
    """Return the source of the backward kernel of all functions whose slope has been kept."""
    loop = [
        "size = rows * columns",
        "output = carray(output, (size,))",
        "da = carray(first, (size,))",
        "slope = carray(second, (size,))",
        "for i in range(size):",
        "    output[i] = da[i] * slope[i]",
    ]
    says = "∂J/∂Z = ∂J/∂A ⊙ g'(Z)"
    return _module(says, dtype, _kernel("backward_from_slope", says, (), loop))


def _at(name: str, function: str, parameters: tuple[str, ...]) -> list[str]:
    """Return a function that takes a number of the arrays' type into that of another function."""
    arguments = ", ".join(["z", *map(parameter_name, parameters)])
    call = f"    return {function}(np.float64(z){_extra(parameters)})"
    return ["", "", DECORATOR, f"def {name}({arguments}):", call]


def output_module(formula: Formula, dtype: str) -> str:
    """Return the source of the backward kernel that reads the output instead of `z`."""
    parameters = tuple(name for name, _ in formula.parameters)
    form = through_output(derive(formula))
    matrices = _matrices(("output", "output"), ("da", "first"), ("a", "second"))
    reads = {**_READS, "a": "np.float64(a[i, j])"}
    if not formula.is_layer_coupled:
        form = Apply("multiply", (SEED, form))
        matrices.insert(0, "rows, columns = 1, rows * columns")
    graph = computation_graph(rewrite(form))
    # The output has been rounded to float32 already: nothing is gained by more digits.
    in_floats = (
        dtype == "float32" and formula.is_layer_coupled and RowProgram(graph, reads).has_floats
    )
    body = RowProgram(graph, reads, in_floats=in_floats).source()
    says = f"∂J/∂Z from ∂J/∂A and A: {to_text(form)}"
    kernel = _kernel("backward_from_output", says, parameters, [*matrices, *body])
    return _module(f"a = {formula.text}, through a", dtype, kernel)


def cost_module(activation: Formula, cost: Formula, dtype: str, assumption: str = "") -> str:
    """Return the source of the kernels of a cost behind an output activation."""
    parameters = tuple(name for name, _ in (*activation.parameters, *cost.parameters))
    body = [] if activation.is_layer_coupled else [*scalar_functions(activation, dtype), ""]
    fused = fused_gradient(activation, cost, assumption)
    build = _coupled_cost if activation.is_layer_coupled else _elementwise_cost
    body += build(activation, cost, parameters, fused, dtype)
    title = f"{cost.text}, a = {activation.text}"
    return _module(title, dtype, body)


def _module(
    title: str, dtype: str, body: Sequence[str], tiers: Mapping[str, str] | None = None
) -> str:
    others = "double" if dtype == "float64" else "wide"
    text = "\n".join(in_tiers(body, tiers or {}, others))
    used = [*tiers_of(text), *re.findall(r"\b(larger|smaller|place|at_place)\(", text)]
    shown = re.sub(r"[^\w +\-*/().,<>=!:]", "?", title)
    lines = [f'"""{shown} ({dtype}). Generated; do not edit."""', ""]
    if re.search(r"\bsqrt\(", text):
        lines.append("from math import sqrt")
    lines += ["", "import numpy as np", "from numba import carray, njit"]
    if re.search(r"\b(inf|sign)\b", text):
        lines.append("from numpy import inf, sign")
    lines += ["", "from chainrule.kernels._call import kernel_signature"]
    lines += ["from chainrule.kernels._native import native"]
    if used:
        lines.append(f"from chainrule.kernels.elementary import {', '.join(dict.fromkeys(used))}")
    lines += ["", f'SIGNATURE = kernel_signature(np.dtype("{dtype}"))', ""]
    if "accumulate(" in text:
        lines.append(_ACCUMULATE)
    return "\n".join([*lines, "", text, ""])


def _kernel(name: str, says: str, parameters: tuple[str, ...], body: list[str]) -> list[str]:
    reads = [f"numbers = carray(parameters, ({len(parameters)},))"] if parameters else []
    reads += [f"{parameter_name(p)} = numbers[{k}]" for k, p in enumerate(parameters)]
    return [
        "",
        "",
        "@native(SIGNATURE)",
        f"def {name}(first, second, output, rows, columns, parameters):",
        f'    """{says}"""',
        *(f"    {line}" for line in [*reads, *body]),
    ]


def _elementwise_kernels(formula: Formula, parameters: tuple[str, ...], dtype: str) -> list[str]:
    extra = _extra(parameters)
    flat = ["size = rows * columns", "output = carray(output, (size,))"]
    forward = [
        *flat,
        "z = carray(first, (size,))",
        "for i in range(size):",
        f"    output[i] = activation(np.float64(z[i]){extra})",
    ]
    backward = [
        *flat,
        "da = carray(first, (size,))",
        "z = carray(second, (size,))",
        "for i in range(size):",
        f"    output[i] = np.float64(da[i]) * derivative(np.float64(z[i]){extra})",
    ]
    return [
        *_scalar_lines(formula, dtype),
        *_kernel("forward", "A = g(Z)", parameters, forward),
        *_kernel("backward", "∂J/∂Z = ∂J/∂A ⊙ g'(Z)", parameters, backward),
    ]


def _matrices(*names: tuple[str, str]) -> list[str]:
    return [f"{name} = carray({pointer}, (rows, columns))" for name, pointer in names]


def _coupled_module(formula: Formula, dtype: str, tiers: Mapping[str, str]) -> str:
    """Return the source of the kernels of a layer-coupled activation; see `activation_module`."""
    parameters = tuple(name for name, _ in formula.parameters)
    lines: list[str] = []
    chosen = {}
    for name, function in (("forward", "activation"), ("backward", "derivative")):
        graph, names = _coupled_graph(formula, name)
        tier = tiers.get(function, "")
        in_floats = tier == "single" and RowProgram(graph, _READS).has_floats
        body = RowProgram(graph, _READS, names=names, in_floats=in_floats).source()
        matrices = [("output", "output"), *_COUPLED_INPUTS[name]]
        says = _COUPLED_SAYS[name]
        lines += _kernel(name, says, parameters, [*_matrices(*matrices), *body])
        if tier:
            # What the units share is in float64 in either case.
            chosen[name] = {"single": "wide"}.get(tier, tier)
    return _module(f"a = {formula.text}", dtype, lines, chosen)


def has_floats(formula: Formula) -> bool:
    """Tell whether the forward kernel of a layer-coupled formula may have units in float32."""
    program = RowProgram(_coupled_graph(formula, "forward")[0], _READS)
    return bool(program.costly) and program.has_floats


@lru_cache(maxsize=8)
def _coupled_graph(formula: Formula, name: str) -> tuple[Graph, dict[int, str]]:
    """Return what a kernel computes, and what the derivation calls its nodes."""
    if name == "forward":
        graph = computation_graph(rewrite(shifted(formula, sharp=True)))
    else:
        graph = backward_graph(computation_graph(rewrite(shifted(formula))), selects=True)[0]
    return graph, names_of_nodes(graph, formula)


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
    return _cost_kernels((value, gradient), names, _READS, parameters, fused)


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
        **_READS,
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
            reads[name] = f"{name}(np.float64(z[i, j]), np.float64(y[i, j]){_extra(parameters)})"
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
    inputs = _matrices(("z", "first"), ("y", "second"))
    says = "∂(cost of each example)/∂Z"
    if fused.keeps_gradient and fused.by_preactivation is not None:
        says += f" = {to_text(fused.by_preactivation)}"
    costs = RowProgram(graphs[0], reads, one_result=True, names=names[0]).source()
    slopes = RowProgram(graphs[1], reads, names=names[1]).source()
    rows = "output = carray(output, (rows,))"
    return [
        *_kernel("value", "The cost of each example", parameters, [*inputs, rows, *costs]),
        *_kernel(
            "gradient", says, parameters, [*_matrices(("output", "output")), *inputs, *slopes]
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


def _extra(parameters: tuple[str, ...]) -> str:
    return "".join(f", {parameter_name(p)}" for p in parameters)


def _call(function: str, parameters: tuple[tuple[str, float], ...]) -> str:
    return f"{function}(np.float64(z[i, j]){_extra(tuple(name for name, _ in parameters))})"
