"""Kernels applied to arrays of any shape, along any axis."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chainrule.formulas import ChainruleError, Formula
from chainrule.kernels._kernels import (
    Kernel,
    activation_kernels,
    output_kernel,
    product_kernel,
    slope_kernel,
)
from chainrule.kernels.running._driver import apply_directly
from chainrule.kernels.running._plan import FINISHED_CALL, NO_MEMORY, TILES_WANTED, WORKERS_WANTED
from chainrule.kernels.running._workers import pool

Array = NDArray[Any]


class ArrayError(ChainruleError, ValueError):
    """An array whose type or shape does not fit."""


class NoSlopeError(ChainruleError, ValueError):
    """A function whose derivative is no number for each unit."""


class ArrayFunctions:
    """A formula's kernels as functions of arrays; looked up once, called without detours.

    Every argument is an array_like of float32 or float64 of any shape (integers become float64),
    and all of them are alike. `axis` is that of the units, which matters to layer-coupled formulas
    only. `out` receives the result; it may be one of the arguments.
    """

    __slots__ = ("_backward", "_forward", "_from_output", "_with_slope", "formula")

    def __init__(self, formula: Formula) -> None:
        self.formula = formula
        self._forward: dict[Any, tuple[int, Kernel]] = {}
        self._backward: dict[Any, tuple[int, Kernel]] = {}
        self._from_output: dict[Any, tuple[int, Kernel]] = {}
        self._with_slope: dict[Any, tuple[int, Kernel]] = {}

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

    def forward_with_slope(
        self, z: ArrayLike, out: Array | None = None, slope: Array | None = None
    ) -> tuple[Array, Array]:
        """Return ``a = f(z)`` and ``f'(z)``, which share their exponentials.

        Raises
        ------
        NoSlopeError
            Where the function couples the units of a layer.
        """
        values = as_float_array(z, "z")
        known = self._with_slope.get(values.dtype)
        if known is None:
            self._check_slopes()
            known = self._with_slope[values.dtype] = _called(
                slope_kernel(self.formula, values.dtype)
            )
        result = np.empty_like(values) if out is None else _checked(out)
        slopes = np.empty_like(values) if slope is None else _checked(slope)
        if apply_directly(known[0], -1, id(values), id(slopes), id(result)) != FINISHED_CALL:
            _apply_two(known[1], values, slopes, result)
        return result, slopes

    def backward_from_slope(
        self, da: ArrayLike, slope: ArrayLike, out: Array | None = None
    ) -> Array:
        """Return ``∂J/∂Z`` from ``∂J/∂A`` and the slopes that the forward pass has kept."""
        self._check_slopes()
        values, slopes = as_float_array(slope, "slope"), as_float_array(da, "da")
        kernel = product_kernel(values.dtype)
        result = np.empty_like(values) if out is None else _checked(out)
        at = id(slopes), id(values), id(result)
        if apply_directly(kernel.header.ctypes.data, -1, *at) != FINISHED_CALL:
            _apply(kernel, (slopes, values), ("da", "slope"), result, -1)
        return result

    def _check_slopes(self) -> None:
        if self.formula.is_layer_coupled:
            raise NoSlopeError(
                f"{self.formula.title} couples the units of a layer: its derivative is a matrix, "
                "no slope of each unit. Keep z and call backward(da, z); or keep the output alone "
                "and call backward_from_output(da, a), where that form exists."
            )

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
    activation: Formula, cost: Formula, z: Array, targets: Array, *, assume: bool = False
) -> tuple[Array, Array]:
    """Return a cost behind an output activation for each row, and its derivative by `z`.

    Parameters
    ----------
    activation, cost : Formula
    z, targets : ndarray
        Of one shape (examples, units) and one dtype, float32 or float64.
    assume : bool
        Whether the targets satisfy what the cost assumes of them.
    """
    from chainrule.kernels._cost_kernels import cost_kernels

    kernels = cost_kernels(activation, cost, z.dtype, assume=assume)
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


def _apply_two(kernel: Kernel, z: Array, slope: Array, output: Array) -> None:
    """Apply a kernel of two outputs where the direct call was not taken."""
    for result, name in ((slope, "slope_out"), (output, "out")):
        _check_written(result, z, name)
    arrays = tuple(_with_own_type(x) for x in (z, slope, output))
    if _started(kernel, -1, *arrays) == FINISHED_CALL:
        return
    if np.may_share_memory(arrays[1], arrays[2]) and np.shares_memory(arrays[1], arrays[2]):
        raise ArrayError("out and slope_out share memory; give two arrays")
    copies = np.array(arrays[0]), np.empty_like(arrays[0]), np.empty_like(arrays[0])
    _finished(_started(kernel, -1, *copies), output)
    slope[...], output[...] = copies[1:]


def _apply(
    kernel: Kernel, inputs: tuple[Array, Array], names: tuple[str, str], output: Array, axis: int
) -> None:
    """Apply a kernel where the direct call was not taken: explain, start workers, or copy."""
    model = inputs[1]
    _check_alike(as_float_array(inputs[0], names[0]), model, names[0])
    _check_written(output, model, "out")
    if not -max(output.ndim, 1) <= axis < max(output.ndim, 1):
        raise ArrayError(f"axis {axis} is out of range for an array of {output.ndim} dimensions")
    first, second, result = (_with_own_type(x) for x in (*inputs, output))
    second = first if inputs[1] is inputs[0] else second
    if _started(kernel, axis, first, second, result) == FINISHED_CALL:
        return
    # Unaligned, or the output overlaps an input elsewhere than in the same elements.
    copies = np.array(first), np.array(second), np.empty_like(first)
    _finished(_started(kernel, axis, *copies), output)
    output[...] = copies[2]


def _check_written(result: Array, model: Array, name: str) -> None:
    _check_alike(result, model, name)
    if not result.flags.writeable:
        raise ArrayError(f"{name} is read-only; give an array that can be written")


def _with_own_type(x: Array) -> Array:
    """Return a view whose type is NumPy's own object: one that was unpickled is another."""
    return x.view(np.dtype(np.float32 if x.dtype == np.float32 else np.float64))


def _started(kernel: Kernel, axis: int, *arrays: Array) -> int:
    """Apply a kernel, with what it turns out to want: code for tiles, or workers."""
    header, places = kernel.header.ctypes.data, [id(x) for x in arrays]
    status = apply_directly(header, axis, *places)
    if status in (TILES_WANTED, WORKERS_WANTED):
        pool.start() if status == WORKERS_WANTED else pool.provide_tiles()
        status = apply_directly(header, axis, *places)
    if status == NO_MEMORY:
        raise MemoryError("there is no memory for the tiles of an array")
    return int(status)


def _finished(status: int, output: Array) -> None:
    if status != FINISHED_CALL:
        raise ArrayError(f"an array of {output.ndim} dimensions is not supported; the most is 32")
