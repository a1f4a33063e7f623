"""Calling native kernels by address from compiled functions.

Every kernel has one C signature, so that compiled code that uses kernels (a whole training epoch)
is compiled once and serves every formula.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

_BYTES = ir.IntType(8).as_pointer()
_SIZE = ir.IntType(64)
_IN_TILES = ir.FunctionType(_SIZE, [_SIZE] * 3)


def kernel_signature(dtype: np.dtype[Any], arrays: int = 3) -> Any:
    """Return the Numba signature of kernels: first, second, output, rows, columns, parameters.

    A kernel with a second result, of four arrays, has the address of that behind the first one's.
    """
    element = types.CPointer({"float32": types.float32, "float64": types.float64}[dtype.name])
    numbers = types.CPointer(types.float64)
    return types.void(*[element] * arrays, types.intp, types.intp, numbers)


@intrinsic
def call_kernel(
    typing_context: Any,
    address: Any,
    first: Any,
    second: Any,
    output: Any,
    rows: Any,
    columns: Any,
    parameters: Any,
) -> Any:
    """Call the kernel at an address; arrays are given by the addresses of their data."""
    return types.void(*[types.intp] * 7), _generate_call


@intrinsic
def call_kernel_of_two(
    typing_context: Any,
    address: Any,
    first: Any,
    second: Any,
    output: Any,
    other_output: Any,
    rows: Any,
    columns: Any,
    parameters: Any,
) -> Any:
    """Call a kernel with two results, as `call_kernel` calls others."""
    return types.void(*[types.intp] * 8), _generate_call


def _generate_call(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    address, *arrays, rows, columns, parameters = arguments
    kinds = [*[_BYTES] * len(arrays), _SIZE, _SIZE, _BYTES]
    function = builder.inttoptr(address, ir.FunctionType(ir.VoidType(), kinds).as_pointer())
    pointers = [builder.inttoptr(x, _BYTES) for x in (*arrays, parameters)]
    builder.call(function, [*pointers[:-1], rows, columns, pointers[-1]])
    return context.get_dummy_value()


@intrinsic
def onward(typing_context: Any, array: Any, place: Any) -> Any:
    """Return a pointer to what an array of one stretch of memory has at a place.

    A view of it by ``carray`` costs nothing, where a slice costs what a few vectors do.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        view = context.make_array(array)(context, builder, arguments[0])
        return builder.gep(view.data, [arguments[1]])

    return types.CPointer(array.dtype)(array, types.intp), generate


@intrinsic
def call_in_tiles(typing_context: Any, address: Any, pool: Any, plan: Any, own: Any) -> Any:
    """Call ``in_tiles``, which lies at an address."""
    signature = types.intp(*[types.intp] * 4)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.call(builder.inttoptr(arguments[0], _IN_TILES.as_pointer()), arguments[1:])

    return signature, generate
