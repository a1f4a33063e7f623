"""Kernels applied to arrays of any shape, along any axis."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chainrule.formulas import ChainruleError, Formula
from chainrule.kernels._driver import FINISHED_CALL, WORKERS_WANTED, apply_directly
from chainrule.kernels._kernels import Kernel, activation_kernels, output_kernel
from chainrule.kernels._workers import pool

Array = NDArray[Any]


class ArrayError(ChainruleError, ValueError):
    """An array whose type or shape does not fit."""


class ArrayFunctions:
    """A formula's kernels as functions of arrays; looked up once, called without detours.

    Every argument is an array_like of float32 or float64 of any shape (integers become float64),
    and all of them are alike. `axis` is that of the units, which matters to layer-coupled formulas
    only. `out` receives the result; it may be one of the arguments.
    """

    __slots__ = ("_backward", "_forward", "_from_output", "formula")

    def __init__(self, formula: Formula) -> None:
        self.formula = formula
        self._forward: dict[Any, tuple[int, Kernel]] = {}
        self._backward: dict[Any, tuple[int, Kernel]] = {}
        self._from_output: dict[Any, tuple[int, Kernel]] = {}

    def forward(self, z: ArrayLike, axis: int = -1, out: Array | None = None) -> Array:
        """Return ``a = f(z)``."""
        # A call of a thousand elements takes a microsecond: every step here counts.
        values = z if type(z) is np.ndarray else as_float_array(z, "z")
        known = self._forward.get(values.dtype)
        if known is None:
            values = as_float_array(values, "z")
            kernels = activation_kernels(self.formula, values.dtype)
            known = self._forward[values.dtype] = _called(kernels.forward)
        result = np.empty_like(values) if out is None else _checked(out)
        at = id(values)
        if apply_directly(known[0], axis, at, at, id(result)) != FINISHED_CALL:
            _apply(known[1], (values, values), ("z", "z"), result, axis)
        return result

    def backward(
        self, da: ArrayLike, z: ArrayLike, axis: int = -1, out: Array | None = None
    ) -> Array:
        """Return ``∂J/∂Z`` from ``∂J/∂A`` and the pre-activations."""
        values = z if type(z) is np.ndarray else as_float_array(z, "z")
        slopes = da if type(da) is np.ndarray else as_float_array(da, "da")
        known = self._backward.get(values.dtype)
        if known is None:
            values = as_float_array(values, "z")
            kernels = activation_kernels(self.formula, values.dtype)
            known = self._backward[values.dtype] = _called(kernels.backward)
        result = np.empty_like(values) if out is None else _checked(out)
        if apply_directly(known[0], axis, id(slopes), id(values), id(result)) != FINISHED_CALL:
            _apply(known[1], (slopes, values), ("da", "z"), result, axis)
        return result

    def backward_from_output(
        self, da: ArrayLike, a: ArrayLike, axis: int = -1, out: Array | None = None
    ) -> Array:
        """Return ``∂J/∂Z`` from ``∂J/∂A`` and the activations alone.

        It saves the memory of `z`. Where `a` rounds to a limit of the function, the gradient is
        lost.

        Raises
        ------
        NoOutputFormError
            Where the derivative cannot be written in the output alone.
        """
        values, slopes = as_float_array(a, "a"), as_float_array(da, "da")
        known = self._from_output.get(values.dtype)
        if known is None:
            kernel = output_kernel(self.formula, values.dtype)
            known = self._from_output[values.dtype] = _called(kernel)
        result = np.empty_like(values) if out is None else _checked(out)
        if apply_directly(known[0], axis, id(slopes), id(values), id(result)) != FINISHED_CALL:
            _apply(known[1], (slopes, values), ("da", "a"), result, axis)
        return result


@lru_cache(maxsize=512)
def array_functions(formula: Formula) -> ArrayFunctions:
    """Return a formula's kernels as functions of arrays."""
    return ArrayFunctions(formula)


def forward(formula: Formula, z: ArrayLike, *, axis: int = -1, out: Array | None = None) -> Array:
    """Return ``a = f(z)``; see `ArrayFunctions`."""
    return array_functions(formula).forward(z, axis, out)


def backward(
    formula: Formula, da: ArrayLike, z: ArrayLike, *, axis: int = -1, out: Array | None = None
) -> Array:
    """Return ``∂J/∂Z`` from ``∂J/∂A`` and the pre-activations; see `ArrayFunctions`."""
    return array_functions(formula).backward(da, z, axis, out)


def backward_from_output(
    formula: Formula, da: ArrayLike, a: ArrayLike, *, axis: int = -1, out: Array | None = None
) -> Array:
    """Return ``∂J/∂Z`` from ``∂J/∂A`` and the activations alone; see `ArrayFunctions`."""
    return array_functions(formula).backward_from_output(da, a, axis, out)


def value_and_gradient(
    activation: Formula, cost: Formula, z: Array, targets: Array
) -> tuple[Array, Array]:
    """Return a cost behind an output activation for each row, and its derivative by `z`.

    Parameters
    ----------
    activation, cost : Formula
    z, targets : ndarray
        Of one shape (examples, units) and one dtype, float32 or float64.
    """
    from chainrule.kernels._kernels import cost_kernels

    kernels = cost_kernels(activation, cost, z.dtype, assume=False)
    values, gradient = np.empty_like(z), np.empty_like(z)
    apply_kernel(kernels.value, z, targets, values)
    apply_kernel(kernels.gradient, z, targets, gradient)
    # A value for each row is written into the first places.
    return values.reshape(-1)[: len(z)], gradient


def as_float_array(values: ArrayLike, name: str) -> Array:
    """Return values as a float32 or float64 array; refuse other types with the remedy."""
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise ArrayError(f"{name} is not an array of numbers: {error}") from None
    if array.dtype in (np.float32, np.float64) and array.dtype.isnative:
        return array
    if array.dtype.kind in "iu":
        return array.astype(np.float64)
    raise ArrayError(
        f"{name} has dtype {array.dtype}; expected float32 or float64. "
        f"Convert it first: {name}.astype(numpy.float32)."
    )


def _check_alike(array: Array, model: Array, name: str) -> None:
    if array.shape != model.shape or array.dtype != model.dtype:
        raise ArrayError(
            f"{name} has shape {array.shape} and dtype {array.dtype}; "
            f"expected shape {model.shape} and dtype {model.dtype}, as of the other array"
        )


def apply_kernel(kernel: Kernel, first: Array, second: Array, output: Array) -> None:
    """Apply a kernel to contiguous arrays that are alike."""
    _apply(kernel, (first, second), ("first", "second"), output, -1)


def _checked(out: Any) -> Array:
    """Refuse what is no array: compiled code reads its fields without asking."""
    if isinstance(out, np.ndarray):
        return out
    raise ArrayError(f"out must be a NumPy array, not {type(out).__name__}")


def _called(kernel: Kernel) -> tuple[int, Kernel]:
    return int(kernel.header.ctypes.data), kernel


def _apply(
    kernel: Kernel, inputs: tuple[Array, Array], names: tuple[str, str], output: Array, axis: int
) -> None:
    """Apply a kernel where the direct call was not taken: explain, start workers, or copy."""
    model = inputs[1]
    _check_alike(as_float_array(inputs[0], names[0]), model, names[0])
    _check_alike(output, model, "out")
    if not output.flags.writeable:
        raise ArrayError("out is read-only; give an array that can be written")
    if not -max(output.ndim, 1) <= axis < max(output.ndim, 1):
        raise ArrayError(f"axis {axis} is out of range for an array of {output.ndim} dimensions")
    # A type that was unpickled is another object than NumPy's own, by which types are told.
    own = np.dtype(np.float32 if model.dtype == np.float32 else np.float64)
    first, second, result = (x.view(own) for x in (*inputs, output))
    second = first if inputs[1] is inputs[0] else second
    header = kernel.header.ctypes.data
    status = apply_directly(header, axis, id(first), id(second), id(result))
    if status == WORKERS_WANTED:
        pool.start()
        status = apply_directly(header, axis, id(first), id(second), id(result))
    if status == FINISHED_CALL:
        return
    # Unaligned, or the output overlaps an input elsewhere than in the same elements.
    first, second = np.array(first), np.array(second)
    result = np.empty_like(first)
    if apply_directly(header, axis, id(first), id(second), id(result)) != FINISHED_CALL:
        raise ArrayError(f"an array of {output.ndim} dimensions is not supported; the most is 32")
    output[...] = result
