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
_NATIVE = ir.FunctionType(ir.VoidType(), [_BYTES, _BYTES, _BYTES, _SIZE, _SIZE, _BYTES])


def kernel_signature(dtype: np.dtype[Any]) -> Any:
    """Return the Numba signature of kernels: first, second, output, rows, columns, parameters."""
    element = types.CPointer({"float32": types.float32, "float64": types.float64}[dtype.name])
    numbers = types.CPointer(types.float64)
    return types.void(element, element, element, types.intp, types.intp, numbers)


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
    signature = types.void(*[types.intp] * 7)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        function = builder.inttoptr(arguments[0], _NATIVE.as_pointer())
        pointers = [builder.inttoptr(arguments[k], _BYTES) for k in (1, 2, 3, 6)]
        builder.call(function, [*pointers[:3], arguments[4], arguments[5], pointers[3]])
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def call_in_tiles(typing_context: Any, address: Any, pool: Any, plan: Any, own: Any) -> Any:
    """Call ``in_tiles``, which lies at an address."""
    signature = types.intp(*[types.intp] * 4)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.call(builder.inttoptr(arguments[0], _IN_TILES.as_pointer()), arguments[1:])

    return signature, generate
