"""Numbers that an index chooses, one by one and in vectors."""

from __future__ import annotations

import numpy as np
import pytest
from llvmlite import binding
from numba import carray
from tests.kernels.native import SIGNATURE, compiled

from chainrule.kernels.elementary import tables
from chainrule.kernels.elementary._words import float_to_bits
from chainrule.kernels.source._emulation import emulated

ROWS = np.random.default_rng(7).normal(size=(16, 5)).astype(np.float32)


def polynomial_kernel(rows, lanes, monkeypatch):
    """Compile a kernel of a polynomial, and of a number, that an index chooses."""
    monkeypatch.setattr(tables, "_lanes", lambda: lanes)
    polynomial = tables.piecewise(tuple(map(tuple, rows.tolist())))
    number = tables.table(tuple(rows[:, 0].tolist()))

    def kernel(first, second, output, rows, columns, parameters):
        size = rows * columns
        x, index = carray(first, (size,)), carray(second, (size,))
        result = carray(output, (size,))
        for i in range(size):
            own = float_to_bits(index[i])
            result[i] = polynomial(x[i], own) * number(own)

    return compiled(kernel, "float32")


def by_numpy(rows, x, index):
    """Return the same, rounded after every fused step."""
    chosen = rows[index % tables.MOST]
    value = chosen[:, -1]
    for k in range(rows.shape[1] - 2, -1, -1):
        value = (value.astype(np.float64) * x + chosen[:, k]).astype(np.float32)
    return value * chosen[:, 0]


def supported(lanes):
    """Tell whether this processor chooses for so many indices at once."""
    features = binding.get_host_cpu_features()
    return all(features.get(tables._LANES[count][0]) for count in lanes)


@pytest.mark.parametrize("lanes", [(), (8,), (16, 8)])
@pytest.mark.parametrize("count", [1, 2, 7, 9, 16])
def test_what_is_chosen_is_what_stands_there(lanes, count, monkeypatch):
    """Whole vectors of either width and what is left of arrays; by comparing, elsewhere."""
    if not supported(lanes):
        pytest.skip("the processor has no such instruction")
    kernel, random = (
        polynomial_kernel(ROWS[:count], lanes, monkeypatch),
        np.random.default_rng(count),
    )
    for size in (1, 7, 16, 63, 64, 129, 1000):
        x = random.normal(size=size).astype(np.float32)
        index = random.integers(0, count, size, dtype=np.int32)
        index += tables.MOST * random.integers(-9, 9, size, dtype=np.int32)  # which goes unread
        got = np.empty_like(x)
        SIGNATURE(kernel.address)(x.ctypes.data, index.ctypes.data, got.ctypes.data, 1, size, None)
        np.testing.assert_array_equal(got, by_numpy(ROWS[:count], x, index))


@pytest.mark.skipif(not supported((16,)), reason="the processor has no such instruction")
def test_nothing_is_called_for_a_vector(monkeypatch):
    """What is told to take the place of calls is inlined into the loop."""
    code = polynomial_kernel(ROWS, (16, 8), monkeypatch)._library.get_asm_str()
    vectors = [line for line in code.splitlines() if "vperm" in line]
    assert len(vectors) > ROWS.shape[1]
    assert not any("call" in line and "_16" in line for line in code.splitlines())


def test_half_octaves():
    """Intervals end at powers of two and halfway between them."""
    edges = np.array([0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0], np.float32)
    below, at = np.nextafter(edges, np.float32(0.0)), edges
    source = (
        "from chainrule.kernels.elementary import tables\n"
        "def steps(z):\n"
        "    return tables.half_octaves(z, -1)\n"
    )
    assert emulated(source, "steps", at, ()).tolist() == list(range(1, 9))
    assert emulated(source, "steps", below, ()).tolist() == list(range(8))
    assert emulated(source, "steps", np.array([0.0, 1e-42], np.float32), ()).tolist() == [0, 0]
