"""Kernels with a loop of their own for waves of what is near."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from chainrule.formulas import parse
from chainrule.kernels import activation_kernels, backward, forward

FORMULAS = {
    "sin(z)": mpmath.sin,
    "z*cos(2*z)": lambda z: z * mpmath.cos(2 * z),
    "sin(z)*cos(z/2)": lambda z: mpmath.sin(z) * mpmath.cos(z / 2),
    "sin(0.9*z)": lambda z: mpmath.sin(9 * z / 10),
}


@pytest.mark.long
@pytest.mark.parametrize("text", FORMULAS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_values_do_not_depend_on_what_stands_beside_them(text, dtype):
    """A far number among near ones changes none of them, and is right itself."""
    z = (np.random.default_rng(1).normal(size=501) * 50).astype(dtype)
    mixed = z.copy()
    mixed[::100] = [3e2, -4e4, 1e9, np.inf, np.nan, -1e30]
    formula, near = parse(text), np.isin(np.arange(501) % 100, range(1, 100))
    ones = np.ones_like(z)
    for alone, together in (
        (forward(formula, z), forward(formula, mixed)),
        (backward(formula, ones, z), backward(formula, ones, mixed)),
    ):
        np.testing.assert_array_equal(alone[near], together[near])
    result = forward(formula, mixed)
    assert np.isnan(result[[300, 400]]).all()
    with mpmath.workdps(80):
        for place in (0, 100, 200, 500, 7, 8, 9):
            true = FORMULAS[text](mpmath.mpf(float(mixed[place])))
            assert abs(float(result[place]) - true) <= 2 * np.spacing(dtype(abs(true)))


def test_both_loops_are_there():
    """One for what is near, with the same function; the other one asks element by element."""
    source = activation_kernels(parse("sin(2*z)"), np.float32).source
    assert source.count(".near_sin(") == 1
    assert source.count("if farthest >= place(np.float32(768.0)):") == 2


@pytest.mark.parametrize("text", ["sin(exp(z))", "cos(sin(z))", "tanh(z)"])
def test_where_looking_would_take_long_there_is_one_loop(text):
    """Exponentials and waves in the argument would be computed twice."""
    assert "near_" not in activation_kernels(parse(text), np.float64).source
