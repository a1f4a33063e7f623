"""Kernels called by their C signature, as any other program could call them."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

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
