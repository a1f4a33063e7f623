"""Small loops over vectors, each simple enough to be compiled to vector instructions."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.kernels.compiling._parts import inner

# Infinities and NaN stay what they are; only sums may be reordered, which lets them vectorise.
CONTRACT = {"contract", "nsz", "arcp", "afn"}
_REORDER = CONTRACT | {"reassoc"}

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST_FACTOR, _SECOND_FACTOR = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_A, _B, _C, _D = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(32)


@inner()
def copy(source: Any, destination: Any) -> None:
    """Copy a vector."""
    for k in range(destination.size):
        destination[k] = source[k]


@inner()
def standardise(values: Any, centres: Any, factors: Any) -> None:
    """Shift and scale every entry of a row by numbers of its column."""
    for k in range(factors.size):
        values[k] = (values[k] - centres[k]) * factors[k]


@inner()
def sum_rows(values: Any, width: int, sums: Any) -> None:
    """Sum the rows of a matrix, given from its first element of interest on, four at a time."""
    rows = (values.size + width - 1) // width
    whole = rows // 4 * 4
    for j in range(sums.size):
        sums[j] = values.dtype.type(0.0)
    for row in range(0, whole, 4):
        _add_four(
            values[row * width :], values[(row + 1) * width :], values[(row + 2) * width :],
            values[(row + 3) * width :], sums,
        )  # fmt: skip
    for row in range(whole, rows):
        rest = values[row * width :]
        for j in range(sums.size):
            sums[j] += rest[j]


@inner()
def _add_four(first: Any, second: Any, third: Any, fourth: Any, sums: Any) -> None:
    for j in range(sums.size):
        sums[j] += (first[j] + second[j]) + (third[j] + fourth[j])


@inner()
def scale_rows(values: Any, width: int, factors: Any, divisor: float) -> None:
    """Multiply every row of a matrix by a number of its own, divided by another."""
    real = values.dtype.type
    for row in range(factors.size):
        factor = real(factors[row] / divisor)
        for k in range(row * width, (row + 1) * width):
            values[k] *= factor


@inner(fastmath=CONTRACT)
def add_product(x: Any, y: Any, destination: Any) -> None:
    """Add the product of two vectors, element by element, to a third."""
    for k in range(destination.size):
        destination[k] += x[k] * y[k]


@inner()
def scale(values: Any, factor: Any) -> None:
    """Multiply a vector by a number."""
    for k in range(values.size):
        values[k] *= factor


@inner()
def multiply(x: Any, y: Any, destination: Any) -> None:
    """Multiply two vectors, element by element."""
    for k in range(destination.size):
        destination[k] = x[k] * y[k]


@inner(fastmath=CONTRACT)
def scale_and_shift(x: Any, factor: Any, shift: Any, destination: Any) -> None:
    """Compute ``factor ⊙ x + shift``."""
    for k in range(destination.size):
        destination[k] = factor[k] * x[k] + shift[k]


@inner(fastmath=_REORDER)
def sum_of(values: Any) -> Any:
    """Return the sum of a vector."""
    total = values.dtype.type(0.0)
    for k in range(values.size):
        total += values[k]
    return total


@inner(fastmath=_REORDER)
def sum_of_products(x: Any, y: Any) -> Any:
    """Return the sum of the products of two vectors."""
    total = x.dtype.type(0.0)
    for k in range(x.size):
        total += x[k] * y[k]
    return total


@inner()
def mixed(number: Any) -> Any:
    """Return a number that looks random: the finaliser of SplitMix64 (Steele et al. 2014)."""
    x = number * _GOLDEN
    x = (x ^ (x >> _A)) * _FIRST_FACTOR
    x = (x ^ (x >> _B)) * _SECOND_FACTOR
    return x ^ (x >> _C)


@inner()
def drop(values: Any, share: float, key: Any, first: int) -> None:
    """Set a share of a vector to zero and enlarge the rest, by a rule of key and place alone.

    The same call on a gradient drops the same places, so no mask is kept.
    """
    limit = np.uint64(share * 4294967296.0)
    kept = values.dtype.type(1.0 / (1.0 - share))
    nothing = values.dtype.type(0.0)
    for k in range(values.size):
        is_kept = (mixed(key + np.uint64(first + k)) >> _D) >= limit
        values[k] *= kept if is_kept else nothing
