"""Extrema and powers of two: right whatever the lanes, NaN and signed zeros kept."""

import numpy as np
import pytest
from numba import carray, njit
from tests.kernels.native import SIGNATURE, compiled

from chainrule.kernels.elementary import exp, larger, smaller
from chainrule.kernels.elementary._words import HAS_SCALING, times_power_of_two
from chainrule.kernels.elementary.double import _exponential as double
from chainrule.kernels.elementary.single import _exponential as single


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


# Of a type: the set of functions in it, and the exponents between which results vanish or overflow.
SCALED = [("float32", single, (-217, 193)), ("float64", double, (-1090, 1030))]


def scaled(mantissas, counts):
    """Return products with powers of two, in extended precision until they are rounded."""
    with np.errstate(over="ignore", under="ignore"):
        exact = np.ldexp(mantissas.astype(np.longdouble), counts.astype(int))
        return exact.astype(mantissas.dtype)


@pytest.mark.skipif(not HAS_SCALING, reason="the processor scales in steps")
@pytest.mark.parametrize(("dtype", "tier", "bounds"), SCALED)
def test_one_instruction_scales_as_two_steps_do(dtype, tier, bounds):
    scale_in_steps, rounder = tier.scale_in_steps, tier.ROUNDER

    @njit
    def both(mantissas, counts, one, two):
        for i in range(mantissas.size):
            one[i] = times_power_of_two(mantissas[i], counts[i])
            two[i] = scale_in_steps(mantissas[i], counts[i] + rounder)

    generator = np.random.default_rng(3)
    mantissas = generator.uniform(0.5, 2.0, size=100_000).astype(dtype)
    counts = generator.integers(*bounds, size=mantissas.size).astype(dtype)
    one, two = np.empty_like(mantissas), np.empty_like(mantissas)
    both(mantissas, counts, one, two)
    exact = scaled(mantissas, counts)
    np.testing.assert_array_equal(one, exact)
    np.testing.assert_array_equal(two, exact)


@pytest.mark.skipif(not HAS_SCALING, reason="the processor scales in steps")
@pytest.mark.parametrize(("dtype", "tier", "bounds"), SCALED)
def test_vectors_are_scaled_as_single_numbers_are(dtype, tier, bounds):
    """Whole vectors and what is left of arrays; nothing is called for a vector."""

    def kernel(first, second, output, rows, columns, parameters):
        size = rows * columns
        mantissas, counts = carray(first, (size,)), carray(second, (size,))
        scaled = carray(output, (size,))
        for i in range(size):
            scaled[i] = times_power_of_two(mantissas[i], counts[i])

    made = compiled(kernel, dtype)
    code = made._library.get_asm_str().splitlines()
    instruction = "vscalefps" if tier is single else "vscalefpd"
    assert any(instruction in line for line in code)
    assert not any("call" in line and "power_of_two_" in line for line in code)
    random = np.random.default_rng(8)
    for size in (1, 7, 8, 17, 64, 129, 5000):
        mantissas = random.uniform(0.5, 2.0, size).astype(dtype)
        counts = random.integers(*bounds, size).astype(dtype)
        got = np.empty_like(mantissas)
        addresses = (x.ctypes.data for x in (mantissas, counts, got))
        SIGNATURE(made.address)(*addresses, 1, size, None)
        np.testing.assert_array_equal(got, scaled(mantissas, counts))


@pytest.mark.skipif(not HAS_SCALING, reason="the processor scales in steps")
def test_exponentials_of_float64_are_scaled_at_once():
    """In one instruction for a vector, down to the smallest of numbers and up to infinity."""

    def kernel(first, second, output, rows, columns, parameters):
        size = rows * columns
        z, results = carray(first, (size,)), carray(output, (size,))
        for i in range(size):
            results[i] = exp(z[i])

    made = compiled(kernel, "float64")
    assert "vscalefpd" in made._library.get_asm_str()
    z = np.concatenate([np.linspace(-750, 712, 1003), [np.inf, -np.inf, np.nan]])
    got = np.empty_like(z)
    addresses = (x.ctypes.data for x in (z, z, got))
    SIGNATURE(made.address)(*addresses, 1, z.size, None)
    with np.errstate(over="ignore", under="ignore"):
        wanted = np.exp(z.astype(np.longdouble)).astype(np.float64)
    np.testing.assert_array_max_ulp(got[:-1], wanted[:-1], 1)
    assert np.isnan(got[-1])
