"""Extrema and powers of two: right whatever the lanes, NaN and signed zeros kept."""

import numpy as np
import pytest
from numba import carray, njit
from numba.core.ccallback import CFunc
from numba.core.sigutils import normalize_signature
from tests.kernels.native import SIGNATURE

from chainrule.kernels._call import kernel_signature
from chainrule.kernels._vectors import KernelCompiler
from chainrule.kernels.elementary import larger, smaller
from chainrule.kernels.elementary._words import HAS_SCALING, times_power_of_two
from chainrule.kernels.elementary.single._exponential import ROUNDER, scale_in_steps


@njit
def largest_and_smallest(x):
    high, low = -np.inf, np.inf
    for i in range(x.size):
        high, low = larger(high, x[i]), smaller(low, x[i])
    return high, low


@pytest.mark.parametrize("size", [1, 3, 8, 31, 100, 1000])
def test_extrema_agree_with_numpy(size):
    x = np.random.default_rng(size).normal(size=size)
    assert largest_and_smallest(x) == (x.max(), x.min())
    x[size // 2] = np.inf
    assert largest_and_smallest(x)[0] == np.inf
    x[size - 1] = np.nan
    assert np.isnan(largest_and_smallest(x)).all()


def test_the_larger_zero_is_the_positive_one():
    high, low = largest_and_smallest(np.array([-0.0, 0.0, -0.0]))
    assert not np.signbit(high)
    assert np.signbit(low)


@pytest.mark.skipif(not HAS_SCALING, reason="the processor scales in steps")
def test_one_instruction_scales_as_two_steps_do():
    @njit
    def both(mantissas, counts, one, two):
        for i in range(mantissas.size):
            one[i] = times_power_of_two(mantissas[i], counts[i])
            two[i] = scale_in_steps(mantissas[i], counts[i] + ROUNDER)

    generator = np.random.default_rng(3)
    mantissas = generator.uniform(0.5, 2.0, size=100_000).astype(np.float32)
    counts = generator.integers(-217, 193, size=mantissas.size).astype(np.float32)
    one, two = np.empty_like(mantissas), np.empty_like(mantissas)
    both(mantissas, counts, one, two)
    with np.errstate(over="ignore"):
        exact = np.ldexp(mantissas.astype(np.float64), counts.astype(int)).astype(np.float32)
    np.testing.assert_array_equal(one, exact)
    np.testing.assert_array_equal(two, exact)


@pytest.mark.skipif(not HAS_SCALING, reason="the processor scales in steps")
def test_vectors_are_scaled_as_single_numbers_are():
    """Whole vectors and what is left of arrays; nothing is called for a vector."""

    def kernel(first, second, output, rows, columns, parameters):
        size = rows * columns
        mantissas, counts = carray(first, (size,)), carray(second, (size,))
        scaled = carray(output, (size,))
        for i in range(size):
            scaled[i] = times_power_of_two(mantissas[i], counts[i])

    made = CFunc(
        kernel,
        normalize_signature(kernel_signature(np.dtype("float32"))),
        locals={},
        options={"error_model": "numpy"},
        pipeline_class=KernelCompiler,
    )
    made.compile()
    code = made._library.get_asm_str().splitlines()
    assert any("vscalefps" in line for line in code)
    assert not any("call" in line and "power_of_two_" in line for line in code)
    random = np.random.default_rng(8)
    for size in (1, 7, 8, 17, 64, 129, 5000):
        mantissas = random.uniform(0.5, 2.0, size).astype(np.float32)
        counts = random.integers(-217, 193, size).astype(np.float32)
        got = np.empty_like(mantissas)
        addresses = (x.ctypes.data for x in (mantissas, counts, got))
        SIGNATURE(made.address)(*addresses, 1, size, None)
        with np.errstate(over="ignore"):
            exact = np.ldexp(mantissas.astype(np.float64), counts.astype(int)).astype(np.float32)
        np.testing.assert_array_equal(got, exact)
