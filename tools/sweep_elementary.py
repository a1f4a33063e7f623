"""Try the elementary functions for float32 on every float32 there is.

The reference is the function of the same name for float64, which the tests hold against mpmath.
Prints each function's worst error in units in the last place of the true value and where it is;
exits with status 1 if one exceeds 1, or if a NaN, an infinity or a sign is wrong. Takes about
half a minute a function on one thread. Names as arguments select functions.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

import numpy as np
from numba import njit
from numpy.typing import NDArray

from chainrule.kernels.elementary import bits_to_float, double, float_to_bits, single
from chainrule.kernels.elementary._quarter_turns import LAST_NEAR

BLOCK = 1 << 14
LIMIT = 1.0
OVERFLOWN = 2.0**128
SMALLEST_NORMAL_EXPONENT = 1023 - 126
LARGEST_EXPONENT = 1023 + 127
UNIT_EXPONENT = 1023 + 1023 + 23
NEAR, LAST = "near_", int(np.float32(LAST_NEAR).view(np.uint32))


@njit(forceinline=True, error_model="numpy")
def error_in_units(result: float, true: float) -> float:
    """Return the error in units in the last place of the true value as a float32.

    Overflow counts as the next number after the largest. What no tolerance excuses, a wrong sign
    or NaN, is an infinite error.
    """
    overflows = abs(true) > OVERFLOWN
    bounded = np.copysign(OVERFLOWN, true) if overflows else true
    value = np.copysign(OVERFLOWN, result) if np.isinf(result) else result
    exponent = (float_to_bits(bounded) >> 52) & 0x7FF
    exponent = max(SMALLEST_NORMAL_EXPONENT, min(LARGEST_EXPONENT, exponent))
    units = abs(value - bounded) * bits_to_float((UNIT_EXPONENT - exponent) << 52)
    wrong_sign = (float_to_bits(value) ^ float_to_bits(bounded)) < 0
    units = np.inf if wrong_sign else units
    return (
        (0.0 if np.isnan(result) else np.inf)
        if np.isnan(true)
        else (np.inf if np.isnan(result) else units)
    )


def sweeper(name: str) -> Callable[[int, int], tuple[float, int]]:
    """Return a compiled search for the worst error among the float32 of a range of bits."""
    function, reference = getattr(single, name), getattr(double, name.removeprefix(NEAR))

    @njit(error_model="numpy")
    def fill(x: NDArray[np.float32], errors: NDArray[np.float64]) -> None:
        for i in range(x.size):
            errors[i] = error_in_units(np.float64(function(x[i])), reference(np.float64(x[i])))

    @njit(error_model="numpy")
    def sweep(start: int, stop: int) -> tuple[float, int]:
        bits = np.empty(BLOCK, np.uint32)
        errors = np.empty(BLOCK, np.float64)
        worst, where = -1.0, 0
        for first in range(start, stop, BLOCK):
            for i in range(BLOCK):
                bits[i] = np.uint32(first + i)
            fill(bits.view(np.float32), errors)
            largest = errors.max()
            if largest > worst:
                worst, where = largest, first + errors.argmax()
        return worst, where

    compiled: Callable[[int, int], tuple[float, int]] = sweep
    return compiled


def main() -> int:
    """Sweep the named functions, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="all, if none is given")
    names = parser.parse_args().names or single.__all__
    unknown = sorted(set(names) - set(single.__all__))
    if unknown:
        parser.error(f"no such function: {', '.join(unknown)}")
    failed = False
    for name in names:
        sweep, last = sweeper(name), LAST if name.startswith(NEAR) else 1 << 31
        worst, where = max(sweep(start, start + last) for start in (0, 1 << 31))
        argument = np.uint32(where).view(np.float32)
        print(f"{name:8} {worst:.3f} ulp at {argument!r}", flush=True)
        failed |= not worst <= LIMIT
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
