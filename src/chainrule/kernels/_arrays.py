"""Kernels applied to arrays of any shape, along any axis."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chainrule.formulas import ChainruleError, Formula
from chainrule.kernels._call import call_from_python
from chainrule.kernels._kernels import Kernel, activation_kernels, output_kernel

Array = NDArray[Any]


class ArrayError(ChainruleError, ValueError):
    """An array whose type or shape does not fit."""


def forward(formula: Formula, z: ArrayLike, *, axis: int = -1, out: Array | None = None) -> Array:
    """Return ``a = f(z)``.

    Parameters
    ----------
    formula : Formula
    z : array_like of float32 or float64, any shape
        Pre-activations; integers become float64.
    axis : int
        The axis of the units; it matters to layer-coupled formulas only.
    out : ndarray, optional
        Receives the result; of the shape and dtype of `z`. It may be `z` itself.

    Returns
    -------
    ndarray
        Of the shape and dtype of `z`.
    """
    values = as_float_array(z, "z")
    kernels = activation_kernels(formula, values.dtype)
    result = _output(out, values)
    _apply(kernels.forward, (values, values), result, axis)
    return result


def backward(
    formula: Formula, da: ArrayLike, z: ArrayLike, *, axis: int = -1, out: Array | None = None
) -> Array:
    """Return ``∂J/∂Z`` from ``∂J/∂A`` and the pre-activations.

    Parameters
    ----------
    formula : Formula
    da : array_like
        ∂J/∂A, of the shape and dtype of `z`.
    z : array_like of float32 or float64, any shape
    axis : int
        The axis of the units.
    out : ndarray, optional
        Receives the result. It may be `da` or `z` itself.
    """
    values = as_float_array(z, "z")
    slopes = as_float_array(da, "da")
    _check_alike(slopes, values, "da")
    kernels = activation_kernels(formula, values.dtype)
    result = _output(out, values)
    _apply(kernels.backward, (slopes, values), result, axis)
    return result


def backward_from_output(
    formula: Formula, da: ArrayLike, a: ArrayLike, *, axis: int = -1, out: Array | None = None
) -> Array:
    """Return ``∂J/∂Z`` from ``∂J/∂A`` and the activations alone.

    It saves the memory of `z`. Where `a` rounds to a limit of the function, the gradient is lost.

    Raises
    ------
    NoOutputFormError
        Where the derivative cannot be written in the output alone.
    """
    values = as_float_array(a, "a")
    slopes = as_float_array(da, "da")
    _check_alike(slopes, values, "da")
    kernel = output_kernel(formula, values.dtype)
    result = _output(out, values)
    _apply(kernel, (slopes, values), result, axis)
    return result


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


def _output(out: Array | None, model: Array) -> Array:
    if out is None:
        return np.empty_like(model)
    if not isinstance(out, np.ndarray):
        raise ArrayError(f"out must be a NumPy array, not {type(out).__name__}")
    _check_alike(out, model, "out")
    if not out.flags.writeable:
        raise ArrayError("out is read-only; give an array that can be written")
    return out


def _apply(kernel: Kernel, inputs: tuple[Array, Array], output: Array, axis: int) -> None:
    """Run a kernel over the units' axis; arrays that are not contiguous rows go through copies."""
    if output.ndim == 0:
        inputs = (inputs[0].reshape(1), inputs[1].reshape(1))
        target = output.reshape(1)
    elif axis in (-1, output.ndim - 1):
        target = output
    else:
        try:
            inputs = (np.moveaxis(inputs[0], axis, -1), np.moveaxis(inputs[1], axis, -1))
            target = np.moveaxis(output, axis, -1)
        except np.exceptions.AxisError:
            raise ArrayError(
                f"axis {axis} is out of range for an array of {output.ndim} dimensions"
            ) from None
    if target.size == 0:
        return
    first = np.ascontiguousarray(inputs[0])
    second = first if inputs[1] is inputs[0] else np.ascontiguousarray(inputs[1])
    safe = target.flags.c_contiguous and not any(_overlaps(x, target) for x in (first, second))
    buffer = target if safe else np.empty_like(target, order="C")
    columns = buffer.shape[-1]
    call_from_python(
        kernel.address,
        first.ctypes.data,
        second.ctypes.data,
        buffer.ctypes.data,
        buffer.size // columns,
        columns,
        kernel.parameters.ctypes.data,
    )
    if buffer is not target:
        target[...] = buffer


def _overlaps(values: Array, target: Array) -> bool:
    """Tell whether two arrays share memory without being the same elements in the same places."""
    if values is target or not np.may_share_memory(values, target):
        return False
    return values.ctypes.data != target.ctypes.data or values.shape != target.shape
