"""Kernels called by their C signature, as any other program could call them."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
from numba.core.ccallback import CFunc
from numba.core.sigutils import normalize_signature

from chainrule.kernels._call import kernel_signature
from chainrule.kernels.compiling._vectors import KernelCompiler

SIGNATURE = ctypes.CFUNCTYPE(
    None, *[ctypes.c_void_p] * 3, ctypes.c_ssize_t, ctypes.c_ssize_t, ctypes.c_void_p
)


def call(kernel: Any, first: np.ndarray, second: np.ndarray, output: np.ndarray) -> np.ndarray:
    """Run a kernel over C-contiguous rows."""
    arrays = (first, second, output)
    assert all(array.flags.c_contiguous for array in arrays)
    assert len({array.dtype for array in arrays}) == 1
    SIGNATURE(kernel.address)(
        *(array.ctypes.data for array in arrays), *first.shape, kernel.parameters.ctypes.data
    )
    return output


def compiled(kernel: Any, dtype: str) -> Any:
    """Return a function that is compiled as kernels are, and not kept."""
    made = CFunc(
        kernel,
        normalize_signature(kernel_signature(np.dtype(dtype))),
        locals={},
        options={"error_model": "numpy"},
        pipeline_class=KernelCompiler,
    )
    made.compile()
    return made
