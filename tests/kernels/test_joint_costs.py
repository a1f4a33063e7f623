"""Kernels of a cost together with its gradient, beside those of each."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit
from tests.cases import some_of
from tests.kernels.test_costs import PAIRS, gradient, kernels_of, value

from chainrule.kernels import call_kernel_of_two

SHAPES = [(1, 1), (70, 1), (7, 3), (33, 10), (64, 2), (40, 15), (9, 16), (5, 70), (0, 3)]
TOLERANCE = {np.float32: 4e-7, np.float64: 1e-15}


@njit
def _call(address, z, y, slopes, costs, numbers):
    call_kernel_of_two(
        address, z.ctypes.data, y.ctypes.data, slopes.ctypes.data, costs.ctypes.data,
        z.shape[0], z.shape[1], numbers.ctypes.data,
    )  # fmt: skip


def together(kernels, z, y):
    kernel = kernels.value_and_gradient
    # What lies beyond the last row is not to be written.
    slopes, costs = np.full((len(z) + 1, z.shape[1]), 7, z.dtype), np.full(len(z) + 1, 7, z.dtype)
    _call(kernel.address, z, y, slopes, costs, kernel.parameters)
    assert (slopes[-1] == 7).all()
    assert costs[-1] == 7
    return costs[:-1], slopes[:-1]


def examples(rows, columns, dtype, generator):
    z = generator.normal(scale=3, size=(rows, columns)).astype(dtype)
    y = generator.uniform(0.1, 1, size=(rows, columns))
    return z, (y / y.sum(axis=1, keepdims=True)).astype(dtype)


@pytest.mark.parametrize(
    ("activation", "cost", "dtype"),
    some_of([(*pair, np.float64) for pair in PAIRS[::2]], 2)
    + [(*pair, np.float32) for pair in PAIRS[1::7]],
)
def test_both_are_what_each_is(activation, cost, dtype):
    generator = np.random.default_rng(0)
    kernels = kernels_of(activation, cost, dtype)
    for rows, columns in SHAPES:
        z, y = examples(rows, columns, dtype, generator)
        costs, slopes = together(kernels, z, y)
        expected, of_units = value(kernels, z, y), gradient(kernels, z, y)
        # The sums over the units of a row may be taken in another order.
        bound = TOLERANCE[dtype] * (1 + columns) * (1 + np.abs(z).max(initial=0))
        np.testing.assert_allclose(costs, expected, rtol=TOLERANCE[dtype], atol=bound)
        np.testing.assert_allclose(slopes, of_units, rtol=TOLERANCE[dtype], atol=bound)


@pytest.mark.parametrize("columns", [4, 20])
def test_what_is_not_finite_stays_in_its_row(columns):
    kernels = kernels_of("softmax", "categorical_cross_entropy", np.float32)
    z, y = examples(40, columns, np.float32, np.random.default_rng(1))
    z[3, 1], z[17, 0], z[35, 2] = np.nan, np.inf, -np.inf
    costs, slopes = together(kernels, z, y)
    np.testing.assert_array_equal(costs, value(kernels, z, y))
    np.testing.assert_array_equal(slopes, gradient(kernels, z, y))
    assert np.isnan(slopes[3]).all()
    assert np.isfinite(np.delete(slopes, [3, 17, 35], axis=0)).all()


def test_cheap_rows_are_not_turned():
    cheap = kernels_of("identity", "half_squared_error", np.float32)
    assert "lanes[" not in cheap.value_and_gradient.source
    dear = kernels_of("sigmoid", "binary_cross_entropy", np.float32)
    assert "lanes[" in dear.value_and_gradient.source
    assert "lanes[" not in dear.value.source
