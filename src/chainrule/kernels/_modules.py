"""Whole generated modules: for an activation, and for a cost with its output activation."""

from __future__ import annotations

import re

from chainrule.derivations import (
    SEED,
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
    is_layer_coupled,
    subexpressions,
    substitute,
    to_text,
)
from chainrule.kernels._elementwise import scalar_functions, two_sided_function
from chainrule.kernels._rewrite import rewrite
from chainrule.kernels._rows import RowProgram
from chainrule.kernels._shift import shifted
from chainrule.kernels._source import parameter_name

_ELEMENTARY = (
    "exp", "expm1", "log", "log1p", "tanh", "sinh", "cosh", "sin", "cos", "atan", "asinh", "erf",
    "erfc",
)  # fmt: skip
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


def activation_module(formula: Formula, dtype: str) -> str:
    """Return the source of an activation's forward and backward kernels."""
    parameters = tuple(name for name, _ in formula.parameters)
    if formula.is_layer_coupled:
        body = _coupled_functions(formula, parameters)
    else:
        body = _elementwise_kernels(formula, parameters)
    return _module(f"a = {formula.text}", dtype, body)


def output_module(formula: Formula, dtype: str) -> str:
    """Return the source of the backward kernel that reads the output instead of `z`."""
    parameters = tuple(name for name, _ in formula.parameters)
    form = through_output(derive(formula))
    matrices = _matrices(("output", "output"), ("da", "first"), ("a", "second"))
    reads = {**_READS, "a": "np.float64(a[i, j])"}
    if not formula.is_layer_coupled:
        form = Apply("multiply", (SEED, form))
    body = RowProgram(computation_graph(rewrite(form)), reads).source()
    says = f"∂J/∂Z from ∂J/∂A and A: {to_text(form)}"
    kernel = _kernel("backward_from_output", says, parameters, [*matrices, *body])
    return _module(f"a = {formula.text}, through a", dtype, kernel)


def cost_module(activation: Formula, cost: Formula, dtype: str, assumption: str = "") -> str:
    """Return the source of the kernels of a cost behind an output activation."""
    parameters = tuple(name for name, _ in (*activation.parameters, *cost.parameters))
    body = [] if activation.is_layer_coupled else [*scalar_functions(activation), ""]
    body += _cost_value(activation, cost, parameters)
    body += _cost_gradient(activation, cost, parameters, assumption)
    title = f"{cost.text}, a = {activation.text}"
    return _module(title, dtype, body)


def _module(title: str, dtype: str, body: list[str]) -> str:
    text = "\n".join(body)
    used = [name for name in _ELEMENTARY if re.search(rf"\b{name}\(", text)]
    shown = re.sub(r"[^\w +\-*/().,<>=!:]", "?", title)
    lines = [f'"""{shown} ({dtype}). Generated; do not edit."""', ""]
    if re.search(r"\bsqrt\(", text):
        lines.append("from math import sqrt")
    lines += ["", "import numpy as np", "from numba import carray, cfunc, njit"]
    if re.search(r"\b(inf|sign)\b", text):
        lines.append("from numpy import inf, sign")
    lines += ["", "from chainrule.kernels._call import kernel_signature"]
    if used:
        lines.append(f"from chainrule.kernels.elementary import {', '.join(used)}")
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
        '@cfunc(SIGNATURE, cache=True, error_model="numpy")',
        f"def {name}(first, second, output, rows, columns, parameters):",
        f'    """{says}"""',
        *(f"    {line}" for line in [*reads, *body]),
    ]


def _elementwise_kernels(formula: Formula, parameters: tuple[str, ...]) -> list[str]:
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
        *scalar_functions(formula),
        *_kernel("forward", "A = g(Z)", parameters, forward),
        *_kernel("backward", "∂J/∂Z = ∂J/∂A ⊙ g'(Z)", parameters, backward),
    ]


def _matrices(*names: tuple[str, str]) -> list[str]:
    return [f"{name} = carray({pointer}, (rows, columns))" for name, pointer in names]


def _coupled_functions(formula: Formula, parameters: tuple[str, ...]) -> list[str]:
    values = computation_graph(rewrite(shifted(formula, sharp=True)))
    slopes = backward_graph(computation_graph(rewrite(shifted(formula))))[0]
    forward = RowProgram(values, _READS).source()
    backward = RowProgram(slopes, _READS).source()
    matrices = _matrices(("output", "output"), ("z", "first"))
    both = _matrices(("output", "output"), ("da", "first"), ("z", "second"))
    return [
        *_kernel("forward", "A = g(Z), row by row", parameters, [*matrices, *forward]),
        *_kernel("backward", "∂J/∂Z from ∂J/∂A, row by row", parameters, [*both, *backward]),
    ]


def _cost_value(activation: Formula, cost: Formula, parameters: tuple[str, ...]) -> list[str]:
    """Return the kernel of the cost of each example, from `z` so that no logarithm meets 0."""
    matrices = [*_matrices(("z", "first"), ("y", "second")), "output = carray(output, (rows,))"]
    composed = _composed(cost.expression, activation.expression)
    reads = dict(_READS)
    functions: list[str] = []
    if activation.is_layer_coupled:
        whole = Formula(rewrite(composed), (*activation.parameters, *cost.parameters))
        expression = shifted(whole, sharp=True)
    else:
        reads["a"] = _call("activation", activation.parameters)
        values = dict((*activation.parameters, *cost.parameters))
        expression = cost.expression
        for total in _totals(cost.expression):
            name = f"term{len(functions)}"
            term = two_sided_function(
                name, _composed(total.arguments[0], activation.expression), values, parameters
            )
            if term is None:
                continue
            functions += [*term, ""]
            reads[name] = f"{name}(np.float64(z[i, j]), np.float64(y[i, j]){_extra(parameters)})"
            expression = _replaced(expression, total, Apply(total.operation, (Variable(name),)))
    graph = computation_graph(rewrite(expression))
    body = RowProgram(graph, reads, one_result=True).source()
    kernel = _kernel("value", "The cost of each example", parameters, [*matrices, *body])
    return [*functions, *kernel]


def _cost_gradient(
    activation: Formula, cost: Formula, parameters: tuple[str, ...], assumption: str
) -> list[str]:
    fused = fused_gradient(activation, cost, assumption)
    matrices = _matrices(("output", "output"), ("z", "first"), ("y", "second"))
    reads = dict(_READS)
    short = fused.by_preactivation if fused.keeps_gradient else None
    says = "∂(cost of each example)/∂Z"
    if short is not None:
        says += f" = {to_text(short)}"
    if activation.is_layer_coupled:
        forward = rewrite(shifted(activation))
        if short is not None:
            graph = computation_graph(_composed(short, forward))
        else:
            graph, _ = backward_graph(computation_graph(forward), seed=fused.by_output)
    else:
        reads["a"] = _call("activation", activation.parameters)
        reads["slope"] = _call("derivative", activation.parameters)
        general = Apply("multiply", (fused.by_output, Variable("slope")))
        graph = computation_graph(rewrite(short if short is not None else general))
    body = RowProgram(graph, reads).source()
    return _kernel("gradient", says, parameters, [*matrices, *body])


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
