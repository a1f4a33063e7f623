"""Generated modules for an activation."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
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
from chainrule.kernels._elementwise import DECORATOR, scalar_function
from chainrule.kernels._kept_choices import Choice, Zeros
from chainrule.kernels._module_parts import (
    READS,
    kernel_source,
    matrix_views,
    module_source,
    more_arguments,
)
from chainrule.kernels.elementary import tables
from chainrule.kernels.fitting._kept_pieces import kept_pieces
from chainrule.kernels.fitting._piece_fits import in_pieces
from chainrule.kernels.fitting._piece_source import name_in_pieces, with_pieces
from chainrule.kernels.fitting._pieces import InPieces, operations_for
from chainrule.kernels.fitting._zeros import fits_at_zeros, name_of_fit, with_fits
from chainrule.kernels.rows._annotations import names_of_nodes
from chainrule.kernels.rows._row_passes import RowPasses
from chainrule.kernels.rows._rows import RowProgram
from chainrule.kernels.source._lines import parameter_name
from chainrule.kernels.source._tiers import format_of, has_fits
from chainrule.kernels.stable_forms._layer_form import layer_form, prepared
from chainrule.kernels.stable_forms._passes import in_few_passes
from chainrule.kernels.stable_forms._rewrite import rewrite
from chainrule.kernels.stable_forms._roundings import is_right_in_floats
from chainrule.kernels.stable_forms._shift import is_free_of_origin
from chainrule.kernels.stable_forms._vanished import with_vanished_products

KERNELS = {"activation": "forward", "derivative": "backward"}
_SAYS = {"activation": "A = g(Z)", "derivative": "∂J/∂Z = ∂J/∂A ⊙ g'(Z)"}
_COUPLED_INPUTS = {"forward": [("z", "first")], "backward": [("da", "first"), ("z", "second")]}
_COUPLED_SAYS = {"forward": "A = g(Z), row by row", "backward": "∂J/∂Z from ∂J/∂A, row by row"}


def kernel_module(
    formula: Formula,
    dtype: str,
    function: str,
    tier: str,
    zeros: Zeros | None = None,
    at_once: int | None = None,
    *,
    for_other_values: bool = False,
) -> str:
    """Return the source of an activation's forward or backward kernel.

    Parameters
    ----------
    formula : Formula
    dtype : str
        Of the arrays.
    function : str
        Of each element: ``activation``, by which the forward kernel goes, or ``derivative``.
    tier : str
        Of that function.
    zeros : dict of str to tuple
        The neighbours between which the functions have zeros.
    at_once : int, optional
        How many vectors an element-wise kernel takes at a time, if that was measured.
    for_other_values : bool
        Whether nothing may be fitted for the given values of the parameters.
    """
    if formula.is_layer_coupled:
        return _coupled_module(formula, dtype, function, tier)
    kernel = _elementwise_kernel(formula, function, at_once)
    scalar = scalar_lines(formula, dtype, function, for_other_values=for_other_values)
    body, chosen = _with_fits(
        [*scalar, *kernel], formula, {function: tier}, None if for_other_values else zeros
    )
    # A kernel reads and writes in the format of the function that it calls.
    chosen[KERNELS[function]] = format_of(chosen[function])
    return module_source(_title(formula, function), dtype, body, chosen)


def _title(formula: Formula, function: str) -> str:
    return f"{'' if function == 'activation' else 'da/dz, where '}a = {formula.text}"


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
    """Return a function in pieces where that is faster than its source in float64.

    With parameters those alone that are kept: others would be fitted anew for every value. What is
    kept chooses from tables; a processor that has no instruction for these may do with less.
    """
    slope = name == "derivative"
    kept = kept_pieces(formula, slope=slope) if tables.is_quick() else None
    if kept is not None or formula.parameters:
        return kept
    return in_pieces(formula, slope=slope, most=operations_for(lines, name))


def work_in_pieces(formula: Formula, name: str) -> float:
    """Return the operations of ``activation`` or ``derivative`` in pieces; infinity if none are.

    None are where they take longer on this processor than the function's source does.
    """
    lines = scalar_lines(formula, "float32", name)
    own = _pieces(lines, formula, name)
    if own is None:
        return math.inf
    work = own.work if tables.is_quick() else own.work_by_comparing
    return work if work <= operations_for(lines, name) else math.inf


def is_for_this_processor(formula: Formula, choice: Choice) -> bool:
    """Tell whether functions in pieces are chosen where this processor takes several at once."""
    names = [name for name, tier in choice.tiers.items() if tier == "pieces"]
    return tables.is_quick() or all(work_in_pieces(formula, name) < math.inf for name in names)


@lru_cache(maxsize=8)
def scalar_lines(
    formula: Formula, dtype: str, function: str, *, for_other_values: bool = False
) -> tuple[str, ...]:
    """Return the source of a function before it gets its tier: several are tried."""
    slope = function == "derivative"
    return tuple(scalar_function(formula, dtype, slope=slope, for_other_values=for_other_values))


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
        *scalar_lines(formula, dtype, "activation"),
        "",
        "",
        *scalar_lines(formula, dtype, "derivative"),
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
    taken = ", ".join(f"np.float64({name})" for name in ("z", *map(parameter_name, parameters)))
    call = f"    return {function}({taken})"
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
    written = rewrite(form)
    graph = computation_graph(written)
    # The output has been rounded to float32 already: nothing is gained by more digits.
    passes = RowPasses(graph)
    in_floats = dtype == "float32" and formula.is_layer_coupled and passes.has_floats
    body = RowProgram(replace(passes, in_floats=in_floats), reads).source()
    says = f"∂J/∂Z from ∂J/∂A and A: {to_text(form)}"
    name, tiers = "backward_from_output", {}
    if dtype == "float32" and not formula.is_layer_coupled and is_right_in_floats(written):
        tiers[name] = "single"
    kernel = kernel_source(name, says, parameters, [*matrices, *body])
    return module_source(f"a = {formula.text}, through a", dtype, kernel, tiers)


def _elementwise_kernel(formula: Formula, function: str, at_once: int | None) -> list[str]:
    parameters = tuple(name for name, _ in formula.parameters)
    value = f"{function}(np.float64(z[i]){more_arguments(parameters)})"
    reads = ["z = carray(first, (size,))"]
    if function == "derivative":
        value = f"np.float64(da[i]) * {value}"
        reads = ["da = carray(first, (size,))", "z = carray(second, (size,))"]
    loop = [
        "size = rows * columns",
        "output = carray(output, (size,))",
        *reads,
        "for i in range(size):",
        f"    output[i] = {value}",
    ]
    return kernel_source(KERNELS[function], _SAYS[function], parameters, loop, at_once=at_once)


def _coupled_module(formula: Formula, dtype: str, function: str, tier: str) -> str:
    """Return the source of a kernel of a layer-coupled activation; see `kernel_module`."""
    parameters = tuple(name for name, _ in formula.parameters)
    name = KERNELS[function]
    program = _program(formula, dtype, name, tier)
    views = matrix_views(("output", "output"), *_COUPLED_INPUTS[name])
    lines = kernel_source(name, _COUPLED_SAYS[name], parameters, [*views, *program.source()])
    # What the units share is in float64 in either case.
    tiers = {name: {"single": "wide"}.get(tier, tier)}
    return module_source(_title(formula, function), dtype, lines, tiers)


def _program(formula: Formula, dtype: str, name: str, tier: str) -> RowProgram:
    """Return what writes the body of a kernel of a layer-coupled activation."""
    from_first = dtype == "float32" and is_free_of_origin(prepared(formula))
    graph, names = _coupled_graph(formula, name, is_near_zero=from_first)
    values = dict(formula.parameters)
    reads = {**READS, "z": "np.float64(z[i, j]) - np.float64(z[i, 0])"} if from_first else READS
    passes = RowPasses(graph, values)
    if tier != "single":
        return RowProgram(passes, reads, names=names)
    in_floats = bool(passes.costly) and passes.has_floats
    passes = replace(passes, in_floats=in_floats)
    return RowProgram(passes, reads, names=names, ends_in_floats=not in_floats)


def in_floats(formula: Formula) -> list[str]:
    """Return the functions of a layer-coupled formula whose units may be in float32."""
    programs = {
        name: _program(formula, "float32", kernel, "single") for name, kernel in KERNELS.items()
    }
    return [
        name
        for name, program in programs.items()
        if program.in_floats or program.passes.is_linear_at_last
    ]


@lru_cache(maxsize=8)
def _coupled_graph(
    formula: Formula, name: str, *, is_near_zero: bool = False
) -> tuple[Graph, dict[int, str]]:
    """Return what a kernel computes, and what the derivation calls its nodes."""
    graph = computation_graph(layer_form(formula, sharp=name == "forward"))
    if name == "backward":
        graph = backward_graph(graph, selects=True)[0]
    fewer, place = in_few_passes(graph, is_near_zero=is_near_zero)
    masked, moved = with_vanished_products(fewer)
    names = names_of_nodes(graph, formula).items()
    places = {k: moved[now] for k, now in place.items() if now in moved}
    return masked, {places[k]: name for k, name in names if k in places}
