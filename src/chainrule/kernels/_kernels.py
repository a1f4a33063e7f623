"""Native kernels of a formula, and of a cost behind an output activation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.catalogue import assumption_on_targets
from chainrule.formulas import Formula, apart
from chainrule.kernels._compile import (
    alone,
    discard,
    find_source,
    keep_entry,
    keep_source,
    load,
    note_of,
    source_path,
)
from chainrule.kernels._digest import code_digest
from chainrule.kernels._kept_choices import FUNCTIONS, Choice, Zeros, kept_choice, read_choice
from chainrule.kernels._workers import call_header


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
        return self.path.read_text(encoding="utf-8")


@dataclass(frozen=True, eq=False)
class ActivationKernels:
    """``forward(z, z, a)`` and ``backward(da, z, dz)``.

    ``choice`` names the arithmetic in which they run, and what was measured to choose it.
    """

    forward: Kernel
    backward: Kernel
    choice: Choice


@dataclass(frozen=True, eq=False)
class CostKernels:
    """``value(z, y, cost of each example)`` and ``gradient(z, y, its derivative by z)``.

    ``assumption`` says what the gradient takes for granted of the targets; empty if nothing.
    """

    value: Kernel
    gradient: Kernel
    assumption: str


def activation_kernels(formula: Formula, dtype: Any) -> ActivationKernels:
    """Return the compiled forward and backward kernels of an activation.

    They are generated and compiled at the first use on a machine, and found again after.

    Parameters
    ----------
    formula : Formula
    dtype : dtype
        float32 or float64: of the arrays.
    """
    return _activation_kernels(formula, _NAMES.get(dtype) or np.dtype(dtype).name)


def cost_kernels(
    activation: Formula, cost: Formula, dtype: Any, *, assume: bool = True
) -> CostKernels:
    """Return the compiled kernels of a cost behind an output activation.

    Parameters
    ----------
    activation, cost : Formula
    dtype : dtype
        float32 or float64.
    assume : bool
        Whether the targets satisfy what the cost assumes of them (``sum(y) == 1``), so that the
        short form of the gradient may be used.
    """
    return _cost_kernels(activation, cost, np.dtype(dtype).name, assume)


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
    def generate() -> tuple[str, str]:
        from chainrule.kernels._modules import slope_module

        choice = activation_kernels(formula, dtype).choice
        return keep_source(slope_module(formula, dtype, choice.tiers, choice.zeros)), ""

    name = _found(f"slope {dtype} {_exactly(formula)}", generate)
    return _kernel(
        name, "forward_with_slope", _values(formula), dtype, coupled=False, writes_second=True
    )


@lru_cache(maxsize=2)
def _product_kernel(dtype: str) -> Kernel:
    def generate() -> tuple[str, str]:
        from chainrule.kernels._modules import product_module

        return keep_source(product_module(dtype)), ""

    name = _found(f"product {dtype}", generate)
    return _kernel(name, "backward_from_slope", _values(), dtype, coupled=False)


@lru_cache(maxsize=512)
def _output_kernel(formula: Formula, dtype: str) -> Kernel:
    question = f"output {dtype} {_exactly(formula)}"

    def generate() -> tuple[str, str]:
        from chainrule.kernels._modules import output_module

        return keep_source(output_module(formula, dtype)), ""

    name = _found(question, generate)
    coupled = formula.is_layer_coupled
    return _kernel(name, "backward_from_output", _values(formula), dtype, coupled=coupled)


def _found(question: str, generate: Callable[[], tuple[str, str]]) -> str:
    """Return the name of the module that answers a question, generated if need be."""
    name = find_source(question)
    if name is not None:
        return name
    with alone(question):
        name = find_source(question)
        if name is None:
            name, note = generate()
            load(name)
            keep_entry(question, name, note)
    return name


def _exactly(formula: Formula) -> str:
    """Return a formula with every digit of its parameters: pieces and choices depend on them."""
    return f"{formula.text} {formula.parameters!r}"


def _values(*formulas: Formula) -> NDArray[np.float64]:
    pairs = [pair for formula in formulas for pair in formula.parameters]
    return np.array([value for _, value in pairs], dtype=np.float64)


@lru_cache(maxsize=512)
def _activation_kernels(formula: Formula, dtype: str) -> ActivationKernels:
    question = f"activation {dtype} {_exactly(formula)}"

    def generate() -> tuple[str, str]:
        return _generated(formula, dtype)

    name = _found(question, generate)
    return _loaded(name, formula, dtype, read_choice(note_of(question)))


def _generated(formula: Formula, dtype: str) -> tuple[str, str]:
    """Generate an activation's module in the cheapest arithmetic that is exact enough."""
    from chainrule.kernels._modules import activation_module

    if dtype == "float64":
        choice = Choice(dict.fromkeys(FUNCTIONS, "double"), {}, "float64")
        return keep_source(activation_module(formula, dtype, choice.tiers)), choice.text
    kept = kept_choice(_exactly(formula))
    if kept is not None:
        choice, code = kept
        source = activation_module(formula, dtype, choice.tiers, choice.zeros)
        if code_digest(source) == code:
            return keep_source(source), choice.text
    name, choice = _measured(formula, dtype)
    return name, choice.text


def measured_choice(formula: Formula) -> tuple[str, Choice, str]:
    """Choose the arithmetic of a formula in float32 by measuring, whatever was kept of it.

    Returns
    -------
    question : str
        By which `kept_choice` finds it.
    choice : Choice
    code : str
        The digest of what was measured.
    """
    name, choice = _measured(formula, "float32")
    return _exactly(formula), choice, code_digest(source_path(name).read_text(encoding="utf-8"))


def _measured(formula: Formula, dtype: str) -> tuple[str, Choice]:
    from chainrule.kernels._choice import choose
    from chainrule.kernels._modules import activation_module, has_floats, has_pieces

    exact = activation_kernels(formula, np.float64)
    tried: dict[str, str] = {}

    def candidate(tiers: dict[str, str], zeros: Zeros) -> ActivationKernels:
        choice = Choice(tiers, zeros, "")
        name = keep_source(activation_module(formula, dtype, tiers, zeros))
        tried[" ".join(tiers.values())] = name
        return _loaded(name, formula, dtype, choice)

    coupled = formula.is_layer_coupled
    in_floats = coupled and has_floats(formula)
    choice = choose(
        exact,
        candidate,
        coupled=coupled,
        in_floats=in_floats,
        has_pieces=lambda name: has_pieces(formula, name),
    )
    chosen = tried[" ".join(choice.tiers.values())]
    for name in set(tried.values()) - {chosen}:
        discard(name)
    return chosen, choice


def _loaded(name: str, formula: Formula, dtype: str, choice: Choice) -> ActivationKernels:
    values, coupled = _values(formula), formula.is_layer_coupled
    forward, backward = (
        _kernel(name, which, values, dtype, coupled=coupled) for which in ("forward", "backward")
    )
    return ActivationKernels(forward, backward, choice)


@lru_cache(maxsize=512)
def _cost_kernels(activation: Formula, cost: Formula, dtype: str, assume: bool) -> CostKernels:
    assumption = assumption_on_targets(cost) if assume else ""
    cost = apart(cost, activation)
    question = f"cost {dtype} {_exactly(cost)} of {_exactly(activation)} given {assumption}"

    def generate() -> tuple[str, str]:
        from chainrule.kernels._cost_modules import cost_module

        return keep_source(cost_module(activation, cost, dtype, assumption)), ""

    name = _found(question, generate)
    values = _values(activation, cost)
    return CostKernels(
        _kernel(name, "value", values, dtype, coupled=True),
        _kernel(name, "gradient", values, dtype, coupled=True),
        assumption,
    )


def _kernel(
    name: str,
    function: str,
    values: NDArray[np.float64],
    dtype: str,
    *,
    coupled: bool,
    writes_second: bool = False,
) -> Kernel:
    compiled = getattr(load(name), function)
    address = int(compiled.address)
    header = call_header(
        address, values, np.dtype(dtype), coupled=coupled, writes_second=writes_second
    )
    return Kernel(address, values, source_path(name), header, compiled)
