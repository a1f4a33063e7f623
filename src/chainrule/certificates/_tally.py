"""The compiled inner loop of sweeps: float32 kernels beside float64 ones, input after input."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from chainrule.kernels import call_kernel
from chainrule.kernels.elementary._words import bits_to_float, float_to_bits

# What is counted, as consecutive float64.
INPUTS, WORST, WORST_AT, NOT_A_NUMBER, NOT_A_NUMBER_AT = range(5)
WRONG_SIGN, WRONG_SIGN_AT, REVERSALS, REVERSALS_AT = range(5, 9)
LEAST, LEAST_AT = 9, 10
COUNTS = 11

_BLOCK = 8192
_ABOVE_ALL = 2.0**128  # what float32's infinity stands for where the truth is finite


@njit(nogil=True, cache=True, error_model="numpy")
def tally(start: int, size: int, single: Any, double: Any, first_is_one: bool, found: Any) -> None:
    """Compare kernels over consecutive bit patterns and add to what was found before.

    Parameters
    ----------
    start, size : int
        Bit patterns of float32.
    single, double : ndarray of int64
        A kernel's address, and that of its parameters, for either format.
    first_is_one : bool
        Whether the kernels are backward passes, of ∂J/∂A = 1.
    found : ndarray of float64
    """
    z = np.empty(_BLOCK, np.float32)
    bits = z.view(np.uint32)
    wide_z = np.empty(_BLOCK, np.float64)
    ones, wide_ones = np.ones(_BLOCK, np.float32), np.ones(_BLOCK, np.float64)
    got, true = np.empty(_BLOCK, np.float32), np.empty(_BLOCK, np.float64)
    for begin in range(start, start + size, _BLOCK):
        count = min(_BLOCK, start + size - begin)
        for k in range(count):
            bits[k] = np.uint32(begin + k)
        for k in range(count):
            wide_z[k] = np.float64(z[k])
        first = ones if first_is_one else z
        wide_first = wide_ones if first_is_one else wide_z
        call_kernel(
            single[0], first.ctypes.data, z.ctypes.data, got.ctypes.data, 1, count, single[1]
        )
        call_kernel(
            double[0], wide_first.ctypes.data, wide_z.ctypes.data, true.ctypes.data, 1, count,
            double[1],
        )  # fmt: skip
        before, true_before = np.float64(np.nan), np.float64(np.nan)
        for k in range(count):
            if z[k] != z[k]:
                continue
            value, truth = np.float64(got[k]), true[k]
            found[INPUTS] += 1.0
            rises = (truth - true_before) * (value - before)
            if rises < 0.0:
                found[REVERSALS] += 1.0
                found[REVERSALS_AT] = np.float64(begin + k)
            before, true_before = value, truth
            if truth != truth:
                continue
            # Next to a zero digits cancel in any format.
            if abs(truth) > 0.0 and (abs(truth) < found[LEAST] or found[LEAST] == 0.0):
                found[LEAST] = abs(truth)
                found[LEAST_AT] = np.float64(begin + k)
            if value != value:
                found[NOT_A_NUMBER] += 1.0
                found[NOT_A_NUMBER_AT] = np.float64(begin + k)
                continue
            if value == truth:
                if value == 0.0 and (np.signbit(value) != np.signbit(truth)):
                    found[WRONG_SIGN] += 1.0
                    found[WRONG_SIGN_AT] = np.float64(begin + k)
                continue
            exponent = ((float_to_bits(truth) >> 52) & 0x7FF) - 1023
            unit = bits_to_float((max(min(exponent, 127), -126) - 23 + 1023) << 52)
            bounded = max(-_ABOVE_ALL, min(_ABOVE_ALL, value))
            bounded_truth = max(-_ABOVE_ALL, min(_ABOVE_ALL, truth))
            error = abs(bounded - bounded_truth) / unit
            if error > found[WORST]:
                found[WORST] = error
                found[WORST_AT] = np.float64(begin + k)
