"""Native kernels of a formula."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.formulas import Formula
from chainrule.kernels._digest import code_digest
from chainrule.kernels._kept_choices import (
    FUNCTIONS,
    Choice,
    Pairs,
    Zeros,
    kept_choice,
    read_choice,
)
from chainrule.kernels.compiling._compile import (
    alone,
    discard,
    find_modules,
    first_alone,
    keep_entry,
    keep_source,
    kept_modules,
    load,
    note_of,
    source_of,
    source_path,
)
from chainrule.kernels.running._workers import call_header


@dataclass(frozen=True, eq=False)
class Kernel:
    """One compiled function, called by address (see `call_kernel`).

    Parameters
    ----------
    address : int
        Where the native code lies.
    parameters : ndarray of float64
        The formula's parameter values, read by the code at each call.
    path : Path
        The generated source.
    header : ndarray of int64
        What a call over arrays needs, as ``_driver`` reads it.
    """

    address: int
    parameters: NDArray[np.float64]
    path: Path
    header: NDArray[np.int64]
    _owner: Any

    @property
    def source(self) -> str:
        """The generated source, as it was compiled."""
        return source_of(self.path.stem)

    def over_rows(self, *arrays: NDArray[Any], values: NDArray[np.float64] | None = None) -> None:
        """Run over contiguous arrays, of which the first has the shape (rows, columns).

        The parameters may have other values, where the code was made for others.
        """
        places = [array.ctypes.data for array in arrays]
        code = _callable(self.address, len(arrays))
        read = self.parameters if values is None else values
        code(*places, *arrays[0].shape, read.ctypes.data)


@lru_cache(maxsize=512)
def _callable(address: int, arrays: int) -> Callable[..., None]:
    """Return native code as a function of the addresses of so many arrays, and what follows."""
    kinds = [ctypes.c_void_p] * arrays
    return ctypes.CFUNCTYPE(None, *kinds, ctypes.c_ssize_t, ctypes.c_ssize_t, ctypes.c_void_p)(
        address
    )


@dataclass(frozen=True, eq=False)
class ActivationKernels:
    """``forward(z, z, a)`` and ``backward(da, z, dz)``, each compiled when first asked for.

    Parameters
    ----------
    formula : Formula
    dtype : str
    choice : Choice
        The arithmetic in which they run, and what was measured to choose it.
    modules : tuple of str
        Their generated modules.
    """

    formula: Formula
    dtype: str
    choice: Choice
    modules: tuple[str, ...]

    @cached_property
    def forward(self) -> Kernel:
        """Values of a batch."""
        return self._kernel("forward", self.modules[0])

    @cached_property
    def backward(self) -> Kernel:
        """Slopes of a batch times ∂J/∂A."""
        return self._kernel("backward", self.modules[1])

    @property
    def source(self) -> str:
        """The generated source of both."""
        return "\n\n".join(source_of(name) for name in self.modules)

    def _kernel(self, which: str, module: str) -> Kernel:
        with first_alone(f"compiled {module}"):
            load(module)
        values, coupled = values_of(self.formula), self.formula.is_layer_coupled
        return kernel_of(module, which, values, self.dtype, coupled=coupled)


def activation_kernels(
    formula: Formula, dtype: Any, *, for_other_values: bool = False
) -> ActivationKernels:
    """Return the compiled forward and backward kernels of an activation.

    They are generated and compiled at the first use on a machine, and found again after.

    Parameters
    ----------
    formula : Formula
    dtype : dtype
        float32 or float64: of the arrays.
    for_other_values : bool
        Whether they are to be called with other values of the parameters, too; polynomials that
        were fitted for the given ones are then left out, and digits lost where they kept them.
    """
    kernels = _activation_kernels(formula, _NAMES.get(dtype) or np.dtype(dtype).name)
    if for_other_values and formula.parameters and not formula.is_layer_coupled:
        return _for_other_values(formula, kernels.dtype)
    return kernels


def slope_kernel(formula: Formula, dtype: Any) -> Kernel:
    """Return the compiled kernel ``forward_with_slope(z, slope, a)``, which writes both.

    Parameters
    ----------
    formula : Formula
        Element-wise.
    dtype : dtype
        float32 or float64.
    """
    return _slope_kernel(formula, np.dtype(dtype).name)


def product_kernel(dtype: Any) -> Kernel:
    """Return the compiled kernel ``backward_from_slope(da, slope, dz)``, the same for all."""
    return _product_kernel(_NAMES.get(dtype) or np.dtype(dtype).name)


def output_kernel(formula: Formula, dtype: Any) -> Kernel:
    """Return the compiled kernel ``backward_from_output(da, a, dz)``.

    Raises
    ------
    NoOutputFormError
        Where the derivative cannot be written in the output alone.
    """
    return _output_kernel(formula, np.dtype(dtype).name)


# The name of a dtype object is built anew at every look.
_NAMES = {np.dtype(np.float32): "float32", np.dtype(np.float64): "float64"}


@lru_cache(maxsize=512)
def _slope_kernel(formula: Formula, dtype: str) -> Kernel:
    def generate() -> str:
        from chainrule.kernels._modules import slope_module

        choice = activation_kernels(formula, dtype).choice
        return slope_module(formula, dtype, choice.tiers, choice.zeros)

    name = compiled_module(f"slope {dtype} {exactly(formula)}", generate)
    return kernel_of(
        name, "forward_with_slope", values_of(formula), dtype, coupled=False, writes_second=True
    )


@lru_cache(maxsize=2)
def _product_kernel(dtype: str) -> Kernel:
    def generate() -> str:
        from chainrule.kernels._modules import product_module

        return product_module(dtype)

    name = compiled_module(f"product {dtype}", generate)
    return kernel_of(name, "backward_from_slope", values_of(), dtype, coupled=False)


@lru_cache(maxsize=512)
def _output_kernel(formula: Formula, dtype: str) -> Kernel:
    def generate() -> str:
        from chainrule.kernels._modules import output_module

        return output_module(formula, dtype)

    name = compiled_module(f"output {dtype} {exactly(formula)}", generate)
    coupled = formula.is_layer_coupled
    return kernel_of(name, "backward_from_output", values_of(formula), dtype, coupled=coupled)


def _found(question: str, keep: Callable[[], tuple[Sequence[str], str]]) -> tuple[str, ...]:
    """Return the names of the modules that answer a question, kept with a note if need be."""
    names = find_modules(question)
    if names:
        return names
    with alone(question):
        names = find_modules(question)
        if not names:
            kept, note = keep()
            names = tuple(kept)
            keep_entry(question, names, note)
    return names


def compiled_module(question: str, generate: Callable[[], str]) -> str:
    """Return the name of the one module that answers a question, generated if need be."""

    def keep() -> tuple[Sequence[str], str]:
        name = keep_source(generate())
        load(name)
        return [name], ""

    return _found(question, keep)[0]


def exactly(formula: Formula) -> str:
    """Return a formula with every digit of its parameters: pieces and choices depend on them."""
    return f"{formula.text} {formula.parameters!r}"


def values_of(*formulas: Formula) -> NDArray[np.float64]:
    """Return the values of all parameters, in the order in which kernels read them."""
    pairs = [pair for formula in formulas for pair in formula.parameters]
    return np.array([value for _, value in pairs], dtype=np.float64)


@lru_cache(maxsize=512)
def _activation_kernels(formula: Formula, dtype: str) -> ActivationKernels:
    question = f"activation {dtype} {exactly(formula)}"

    def keep() -> tuple[Sequence[str], str]:
        kernels = _generated(formula, dtype)
        return kernels.modules, kernels.choice.text

    modules = _found(question, keep)
    return ActivationKernels(formula, dtype, read_choice(note_of(question)), modules)


@lru_cache(maxsize=512)
def _for_other_values(formula: Formula, dtype: str) -> ActivationKernels:
    question = f"activation {dtype} {exactly(formula)}, and with other values"

    def keep() -> tuple[Sequence[str], str]:
        kernels = _activation_kernels(formula, dtype)
        if _is_fitted(kernels):
            kernels = (
                kernels_in(formula, dtype, kernels.choice, for_other_values=True)
                if dtype == "float64"
                else _measured(formula, for_other_values=True)
            )
        return kernels.modules, kernels.choice.text

    modules = _found(question, keep)
    return ActivationKernels(formula, dtype, read_choice(note_of(question)), modules)


def _is_fitted(kernels: ActivationKernels) -> bool:
    """Tell whether kernels have something in them that holds for given parameters alone."""
    from chainrule.kernels._modules import scalar_lines

    choice = kernels.choice
    if choice.zeros or "pieces" in choice.tiers.values():
        return True
    plain = partial(scalar_lines, kernels.formula, kernels.dtype)
    return any(plain(name) != plain(name, for_other_values=True) for name in FUNCTIONS)


def _generated(formula: Formula, dtype: str) -> ActivationKernels:
    """Generate an activation's modules in the cheapest arithmetic that is exact enough."""
    if dtype == "float64":
        return kernels_in(formula, dtype, Choice(dict.fromkeys(FUNCTIONS, "double"), {}, "float64"))
    from chainrule.kernels._modules import is_for_this_processor

    kept = kept_choice(exactly(formula))
    if kept is not None and is_for_this_processor(formula, kept[0]):
        choice, code = kept
        kernels = kernels_in(formula, dtype, choice)
        if code_digest(kernels.source) == code:
            return kernels
    return _measured(formula)


def kernels_in(
    formula: Formula, dtype: str, choice: Choice, *, for_other_values: bool = False
) -> ActivationKernels:
    """Return an activation's kernels in given arithmetic."""
    modules = (
        keep_source(
            _source(
                formula, dtype, name, choice.tiers[name], tuple(choice.zeros.get(name, ())),
                choice.at_once.get(name), for_other_values=for_other_values,
            )
        )
        for name in FUNCTIONS
    )  # fmt: skip
    return ActivationKernels(formula, dtype, choice, tuple(modules))


@lru_cache(maxsize=8)
def _source(
    formula: Formula,
    dtype: str,
    name: str,
    tier: str,
    zeros: Pairs,
    at_once: int | None,
    *,
    for_other_values: bool,
) -> str:
    """Return the source of a module: while one function is tried, the other stays as it is."""
    from chainrule.kernels._modules import kernel_module

    return kernel_module(
        formula, dtype, name, tier, {name: zeros}, at_once, for_other_values=for_other_values
    )


def measured_choice(formula: Formula, *, before_a_sweep: bool = False) -> Choice:
    """Choose the arithmetic of a formula in float32 by measuring, whatever was kept of it.

    Parameters
    ----------
    formula : Formula
    before_a_sweep : bool
        Whether all inputs are tried afterwards: then nothing need be left to spare.
    """
    return _measured(formula, before_a_sweep=before_a_sweep).choice


def _measured(
    formula: Formula, *, for_other_values: bool = False, before_a_sweep: bool = False
) -> ActivationKernels:
    from chainrule.kernels._choice import choose
    from chainrule.kernels._modules import in_floats, work_in_pieces

    exact = activation_kernels(formula, np.float64)
    before = kept_modules()  # with other parameters they may be the same
    tried: set[str] = set()

    def candidate(tiers: dict[str, str], zeros: Zeros) -> ActivationKernels:
        choice = Choice(dict(tiers), zeros, "")
        kernels = kernels_in(formula, "float32", choice, for_other_values=for_other_values)
        tried.update(kernels.modules)
        return kernels

    coupled = formula.is_layer_coupled
    kernels, choice = choose(
        exact,
        candidate,
        coupled=coupled,
        in_floats=in_floats(formula) if coupled else (),
        before_a_sweep=before_a_sweep,
        work_in_pieces=lambda name: math.inf if for_other_values else work_in_pieces(formula, name),
    )
    for name in tried - before - set(kernels.modules):
        discard(name)
    return replace(kernels, choice=choice)


def kernel_of(
    name: str,
    function: str,
    values: NDArray[np.float64],
    dtype: str,
    *,
    coupled: bool,
    writes_second: bool = False,
) -> Kernel:
    """Return a function of a kept module as a kernel, compiled if need be."""
    compiled = getattr(load(name), function)
    address = int(compiled.address)
    header = call_header(
        address, values, np.dtype(dtype), coupled=coupled, writes_second=writes_second
    )
    return Kernel(address, values, source_path(name), header, compiled)
