"""Matrix products of our own, against NumPy's in more digits."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from chainrule.networks.compiled import PANEL_SIZE, new_team, product_kernel
from chainrule.networks.compiled._products import _MOST_TURNED, DEPTH, product
from chainrule.networks.compiled._team import take

# Whether A and B are given transposed.
GIVEN = [(False, False), (True, False), (False, True)]


@njit
def _multiply(address, team, rows, columns, depth, a, a_apart, down, b, b_apart, turned, c, start,
              panel):  # fmt: skip
    product(address, team, take(team), 0, rows, columns, depth, a, a_apart, down, b, b_apart,
            turned, c, start, 0, panel)  # fmt: skip


def _product(A, B, start, down, turned, threads=1):
    rows, depth = A.shape[::-1] if down else A.shape
    columns = B.shape[0] if turned else B.shape[1]
    # Guards around the result notice what is written beyond it.
    guarded = np.full(rows * columns + 64, 7.0, A.dtype)
    result = guarded[32:-32].reshape(rows, columns)
    panel = np.empty(PANEL_SIZE, np.uint8)
    team = new_team(threads)
    _multiply(product_kernel(A.itemsize).address, team.ctypes.data, rows, columns, depth,
              A.ctypes.data, A.strides[0], int(down), B.ctypes.data, B.strides[0], int(turned),
              result.ctypes.data, start.ctypes.data, panel.ctypes.data)  # fmt: skip
    assert (guarded[:32] == 7.0).all()
    assert (guarded[-32:] == 7.0).all()
    return result


@settings(deadline=None, max_examples=60)
@given(
    st.integers(1, 60), st.integers(1, 100), st.integers(1, 70), st.sampled_from(GIVEN),
    st.sampled_from([np.float32, np.float64]), st.integers(0, 1000),
)  # fmt: skip
def test_products_of_any_shape(rows, columns, depth, given, dtype, seed):
    _compare(rows, columns, depth, *given, dtype, seed)


@pytest.mark.parametrize("given", GIVEN)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_products_that_need_panels(given, dtype):
    _compare(601, 97, 2 * DEPTH + 5, *given, dtype, 0)


@pytest.mark.parametrize("given", GIVEN)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("rows", "columns", "depth"),
    [(1100, 1090, 300), (203, 520, 513), (97, 1030, 190), (40, 9, 700)],
)
def test_products_that_are_copied_in_parts(rows, columns, depth, given, dtype):
    _compare(rows, columns, depth, *given, dtype, 1)


@pytest.mark.parametrize("given", GIVEN)
def test_results_are_the_same_for_any_number_of_threads(given):
    """Threads take other tiles then; every sum is still one, from the first term to the last."""
    rng = np.random.default_rng(0)
    A, B = (rng.normal(size=shape).astype(np.float32) for shape in [(700, 300), (300, 130)])
    start = np.zeros(130, np.float32)
    A, B = (
        np.ascontiguousarray(A.T) if given[0] else A,
        np.ascontiguousarray(B.T if given[1] else B),
    )
    alone = _product(A, B, start, *given)
    for threads in (2, 5):
        assert np.array_equal(alone, _product(A, B, start, *given, threads))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("columns", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("rows", [15, 32, 33, 64, 200])
def test_products_with_few_columns(rows, columns, dtype):
    """Those of few outputs, and of gradients to their weights."""
    for depth in (1, 32, DEPTH + 5):
        for down, turned in GIVEN:
            _compare(rows, columns, depth, down, turned, dtype, depth)


@pytest.mark.parametrize("above", [0, 1])
def test_few_columns_of_many_terms(above):
    """As many as the room for copies takes, and one more."""
    _compare(40, 3, _MOST_TURNED + above, False, False, np.float32, 0)


def _compare(rows, columns, depth, down, turned, dtype, seed):
    rng = np.random.default_rng(seed)
    A, B = rng.normal(size=(rows, depth)), rng.normal(size=(depth, columns))
    start = rng.normal(size=columns).astype(dtype)
    A, B = A.astype(dtype), B.astype(dtype)
    exact = A.astype(np.float64) @ B.astype(np.float64) + start
    size = np.abs(A).astype(np.float64) @ np.abs(B).astype(np.float64) + np.abs(start)
    given_A = np.ascontiguousarray(A.T) if down else A
    given_B = np.ascontiguousarray(B.T) if turned else B
    error = np.abs(_product(given_A, given_B, start, down, turned) - exact)
    assert (error <= (depth + 2) * np.finfo(dtype).eps * size).all()
