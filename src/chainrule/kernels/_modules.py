"""Generated modules for an activation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from chainrule.derivations import (
    SEED,
    Graph,
    backward_graph,
    computation_graph,
    derive,
    through_output,
)
from chainrule.formulas import Apply, Formula, to_text
from chainrule.kernels._annotations import names_of_nodes
from chainrule.kernels._elementwise import DECORATOR, scalar_functions
from chainrule.kernels._kept_choices import Zeros
from chainrule.kernels._module_parts import (
    READS,
    kernel_source,
    matrix_views,
    module_source,
    more_arguments,
)
from chainrule.kernels._piece_fits import in_pieces
from chainrule.kernels._pieces import InPieces, name_in_pieces, with_pieces
from chainrule.kernels._rewrite import rewrite
from chainrule.kernels._rows import RowProgram
from chainrule.kernels._shift import shifted
from chainrule.kernels._source import parameter_name
from chainrule.kernels._tiers import format_of, has_fits
from chainrule.kernels._zeros import fits_at_zeros, name_of_fit, with_fits

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
        return module_source(f"a = {formula.text}", dtype, lines)
    body, chosen = _with_fits(lines, formula, tiers, zeros)
    # A kernel reads and writes in the format of the function that it calls.
    chosen["forward"] = format_of(chosen["activation"])
    chosen["backward"] = format_of(chosen["derivative"])
    return module_source(f"a = {formula.text}", dtype, body, chosen)


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
    if added:
        lines = with_fits(lines, fits, DECORATOR)
    chosen = {**tiers, **added}
    pieces = {}
    for name in [name for name, tier in tiers.items() if tier == "pieces"]:
        own = _pieces(lines, formula, name)
        if own is None:  # cut short by time, say: right all the same
            chosen[name] = "double"
        else:
            pieces[name], chosen[name_in_pieces(name)] = own, "single"
    return with_pieces(lines, pieces, DECORATOR) if pieces else lines, chosen


def _pieces(lines: Sequence[str], formula: Formula, name: str) -> InPieces | None:
    """Return a function in pieces where that is faster than its source in float64."""
    found = in_pieces(formula, slope=name == "derivative")
    return found if found is not None and found.is_faster(lines, name) else None


def has_pieces(formula: Formula, name: str) -> bool:
    """Tell whether there is a choice of polynomials for ``activation`` or ``derivative``."""
    return _pieces(_scalar_lines(formula, "float32"), formula, name) is not None


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
    more = more_arguments(parameters)
    loop = [
        "size = rows * columns",
        "output = carray(output, (size,))",
        "z = carray(first, (size,))",
        "slope = carray(second, (size,))",
        "for i in range(size):",
        # Everything is read before anything is written: only then is what both need computed once.
        "    x = z[i]",
        f"    value, change = value_at(x{more}), slope_at(x{more})",
        "    output[i] = value",
        "    slope[i] = change",
    ]
    lines = [
        *_scalar_lines(formula, dtype),
        *_at("value_at", "activation", parameters),
        *_at("slope_at", "derivative", parameters),
        *kernel_source("forward_with_slope", "A = g(Z), and g'(Z)", parameters, loop),
    ]
    body, chosen = _with_fits(lines, formula, tiers, zeros)
    chosen["value_at"] = format_of(chosen["activation"])
    chosen["slope_at"] = format_of(chosen["derivative"])
    return module_source(f"a = {formula.text}, with its slope", dtype, body, chosen)


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
    return module_source(says, dtype, kernel_source("backward_from_slope", says, (), loop))


def _at(name: str, function: str, parameters: tuple[str, ...]) -> list[str]:
    """Return a function that takes a number of the arrays' type into that of another function."""
    arguments = ", ".join(["z", *map(parameter_name, parameters)])
    call = f"    return {function}(np.float64(z){more_arguments(parameters)})"
    return ["", "", DECORATOR, f"def {name}({arguments}):", call]


def output_module(formula: Formula, dtype: str) -> str:
    """Return the source of the backward kernel that reads the output instead of `z`."""
    parameters = tuple(name for name, _ in formula.parameters)
    form = through_output(derive(formula))
    matrices = matrix_views(("output", "output"), ("da", "first"), ("a", "second"))
    reads = {**READS, "a": "np.float64(a[i, j])"}
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
    kernel = kernel_source("backward_from_output", says, parameters, [*matrices, *body])
    return module_source(f"a = {formula.text}, through a", dtype, kernel)


def _elementwise_kernels(formula: Formula, parameters: tuple[str, ...], dtype: str) -> list[str]:
    extra = more_arguments(parameters)
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
        *kernel_source("forward", "A = g(Z)", parameters, forward),
        *kernel_source("backward", "∂J/∂Z = ∂J/∂A ⊙ g'(Z)", parameters, backward),
    ]


def _coupled_module(formula: Formula, dtype: str, tiers: Mapping[str, str]) -> str:
    """Return the source of the kernels of a layer-coupled activation; see `activation_module`."""
    parameters = tuple(name for name, _ in formula.parameters)
    lines: list[str] = []
    chosen = {}
    for name, function in (("forward", "activation"), ("backward", "derivative")):
        graph, names = _coupled_graph(formula, name)
        tier = tiers.get(function, "")
        in_floats = tier == "single" and RowProgram(graph, READS).has_floats
        body = RowProgram(graph, READS, names=names, in_floats=in_floats).source()
        matrices = [("output", "output"), *_COUPLED_INPUTS[name]]
        says = _COUPLED_SAYS[name]
        lines += kernel_source(name, says, parameters, [*matrix_views(*matrices), *body])
        if tier:
            # What the units share is in float64 in either case.
            chosen[name] = {"single": "wide"}.get(tier, tier)
    return module_source(f"a = {formula.text}", dtype, lines, chosen)


def has_floats(formula: Formula) -> bool:
    """Tell whether the forward kernel of a layer-coupled formula may have units in float32."""
    program = RowProgram(_coupled_graph(formula, "forward")[0], READS)
    return bool(program.costly) and program.has_floats


@lru_cache(maxsize=8)
def _coupled_graph(formula: Formula, name: str) -> tuple[Graph, dict[int, str]]:
    """Return what a kernel computes, and what the derivation calls its nodes."""
    if name == "forward":
        graph = computation_graph(rewrite(shifted(formula, sharp=True)))
    else:
        graph = backward_graph(computation_graph(rewrite(shifted(formula))), selects=True)[0]
    return graph, names_of_nodes(graph, formula)
