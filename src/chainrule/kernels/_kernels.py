"""Native kernels of a formula, and of a cost behind an output activation."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.catalogue import assumption_on_targets
from chainrule.formulas import Formula, apart
from chainrule.kernels._compile import find_source, keep_source, load, source_path
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
    """``forward(z, z, a)`` and ``backward(da, z, dz)``."""

    forward: Kernel
    backward: Kernel


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
        float32 or float64: of the arrays. Inside, values are float64 and rounded once.
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
def _output_kernel(formula: Formula, dtype: str) -> Kernel:
    question = f"output {dtype} {formula}"
    name = find_source(question)
    if name is None:
        from chainrule.kernels._modules import output_module

        name = keep_source(question, output_module(formula, dtype))
    coupled = formula.is_layer_coupled
    return _kernel(name, "backward_from_output", _values(formula), dtype, coupled)


def _values(*formulas: Formula) -> NDArray[np.float64]:
    pairs = [pair for formula in formulas for pair in formula.parameters]
    return np.array([value for _, value in pairs], dtype=np.float64)


@lru_cache(maxsize=512)
def _activation_kernels(formula: Formula, dtype: str) -> ActivationKernels:
    question = f"activation {dtype} {formula}"
    name = find_source(question)
    if name is None:
        from chainrule.kernels._modules import activation_module

        name = keep_source(question, activation_module(formula, dtype))
    values, coupled = _values(formula), formula.is_layer_coupled
    return ActivationKernels(
        *(_kernel(name, which, values, dtype, coupled) for which in ("forward", "backward"))
    )


@lru_cache(maxsize=512)
def _cost_kernels(activation: Formula, cost: Formula, dtype: str, assume: bool) -> CostKernels:
    assumption = assumption_on_targets(cost) if assume else ""
    cost = apart(cost, activation)
    question = f"cost {dtype} {cost} of {activation} given {assumption}"
    name = find_source(question)
    if name is None:
        from chainrule.kernels._modules import cost_module

        name = keep_source(question, cost_module(activation, cost, dtype, assumption))
    values = _values(activation, cost)
    return CostKernels(
        _kernel(name, "value", values, dtype, True),
        _kernel(name, "gradient", values, dtype, True),
        assumption,
    )


def _kernel(
    name: str, function: str, values: NDArray[np.float64], dtype: str, coupled: bool
) -> Kernel:
    compiled = getattr(load(name), function)
    address = int(compiled.address)
    header = call_header(address, values, np.dtype(dtype), coupled)
    return Kernel(address, values, source_path(name), header, compiled)
