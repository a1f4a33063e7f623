"""Equations (1) to (8) as they stand, on (n, m) arrays with axis=0, and on rows of examples."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule.catalogue import activation_formula
from chainrule.formulas import parse
from chainrule.kernels import backward, forward

WIDE = np.longdouble
SEEDS = np.random.default_rng(5)


def relu(Z):
    return np.maximum(0, Z)  # (1)


def relu_backward(dA, Z):
    return dA * (Z > 0)  # (2)


def sigmoid(Z):
    return 1 / (1 + np.exp(-Z))  # (3)


def sigmoid_backward(dA, Z):
    A = sigmoid(Z)
    return dA * A * (1 - A)  # (4)


def tanh(Z):
    return (np.exp(Z) - np.exp(-Z)) / (np.exp(Z) + np.exp(-Z))  # (5)


def tanh_backward(dA, Z):
    A = tanh(Z)
    return dA * (1 - A * A)  # (6)


def softmax(Z):
    return np.exp(Z) * (1 / np.sum(np.exp(Z), axis=0, keepdims=True))  # (7)


def softmax_backward(dA, Z):
    A = softmax(Z)
    return A * (dA - np.sum(dA * A, axis=0, keepdims=True))  # (8)


EQUATIONS = {
    "relu": (relu, relu_backward),
    "sigmoid": (sigmoid, sigmoid_backward),
    "tanh": (tanh, tanh_backward),
    "softmax": (softmax, softmax_backward),
}


def near(got, wanted, terms, dtype):
    """Compare to a few roundings of the terms' sizes, and to what the equation itself rounds."""
    allowed = 4 * np.finfo(dtype).eps * np.abs(terms) + np.finfo(dtype).tiny
    allowed = allowed + 4 * np.finfo(WIDE).eps
    assert got.dtype == dtype
    assert got.shape == wanted.shape
    assert (np.abs(got.astype(WIDE) - wanted) <= allowed).all()


def check(name, Z, dA):
    """Compare on (n, m) with axis=0."""
    formula, (equation, gradient) = activation_formula(name), EQUATIONS[name]
    A = equation(Z.astype(WIDE))
    dZ = gradient(dA.astype(WIDE), Z.astype(WIDE))
    sizes = np.abs(dA).astype(WIDE)
    terms = sizes
    known = WIDE(1)
    if name == "softmax":
        terms = A * (sizes + np.sum(sizes * A, axis=0))
        if Z.dtype == np.float64:  # z - max(z) is known to a rounding, exp of it to |z| as many
            known = 1 + np.ptp(Z, axis=0)
    near(forward(formula, Z, axis=0), A, A * known, Z.dtype)
    near(backward(formula, dA, Z, axis=0), dZ, terms * known, Z.dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", EQUATIONS)
@pytest.mark.parametrize("shape", [(10, 7), (1, 5), (6, 1), (3, 33)])
def test_columns_are_examples_with_axis_zero(name, dtype, shape):
    """On an (n, m) array the equations hold exactly as they stand."""
    for scale in (1, 1e-3, 20):
        Z = (scale * SEEDS.normal(size=shape)).astype(dtype)
        check(name, Z, SEEDS.normal(size=shape).astype(dtype))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", EQUATIONS)
def test_extreme_inputs(name, dtype):
    """Large, tiny, zero and negative zero inputs, as far as the equations can be computed."""
    Z = np.array([[0.0, -0.0, 1e-30, 60, -60], [700, -700, 88, -104, 1e-5]], dtype)
    dA = np.array([[1, -2, 1e30, 3, 1e-30], [0, 5, -1, 1, 2]], dtype)
    check(name, Z, dA)


@pytest.mark.parametrize(
    ("name", "at", "value", "slope"),
    [
        ("relu", 1e38, 1e38, 1), ("relu", -1e38, 0, 0),
        ("sigmoid", 1e38, 1, 0), ("sigmoid", -1e38, 0, 0),
        ("tanh", 1e38, 1, 0), ("tanh", -1e38, -1, 0),
    ],
)  # fmt: skip
def test_beyond_what_the_equations_can_compute_their_limits_hold(name, at, value, slope):
    """Where exp(Z) has overflowed the kernels go on."""
    for dtype in (np.float32, np.float64):
        Z = np.array([at], dtype)
        assert forward(activation_formula(name), Z) == dtype(value)
        assert backward(activation_formula(name), np.ones(1, dtype), Z) == slope


def test_the_gradient_outlives_the_output():
    """At z = 63 a is 1 and (4) gives 0, but σ'(63) ≈ 4e-28 is kept."""
    for dtype in (np.float32, np.float64):
        Z = np.array([63.0], dtype)
        assert forward(activation_formula("sigmoid"), Z) == 1
        slope = backward(activation_formula("sigmoid"), np.ones(1, dtype), Z)
        assert slope[0] == pytest.approx(float(np.exp(-63.0)), rel=1e-6)
        slope = backward(activation_formula("tanh"), np.ones(1, dtype), np.array([30.0], dtype))
        assert slope[0] == pytest.approx(4 * float(np.exp(-60.0)), rel=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", [*EQUATIONS, "log_softmax", "layer_norm"])
def test_every_axis_is_the_same_computation(name, dtype):
    """(m, n) rows, (n, m) columns and the axes of larger arrays differ in layout only."""
    formula = activation_formula(name)
    Z, dA = (SEEDS.normal(size=(4, 3, 5)).astype(dtype) for _ in range(2))
    for axis in range(3):
        moved, seeds = np.moveaxis(Z, axis, -1), np.moveaxis(dA, axis, -1)
        rows = np.ascontiguousarray(moved).reshape(-1, Z.shape[axis])
        slopes = np.ascontiguousarray(seeds).reshape(-1, Z.shape[axis])
        a = np.moveaxis(forward(formula, rows).reshape(moved.shape), -1, axis)
        dz = np.moveaxis(backward(formula, slopes, rows).reshape(moved.shape), -1, axis)
        for k in (axis, axis - 3):
            np.testing.assert_array_equal(forward(formula, Z, axis=k), a)
            np.testing.assert_array_equal(backward(formula, dA, Z, axis=k), dz)
    np.testing.assert_array_equal(forward(formula, Z), forward(formula, Z, axis=2))


def test_each_example_stands_for_itself():
    """A batch gives what its examples give one by one."""
    formula = activation_formula("softmax")
    Z = SEEDS.normal(size=(6, 9))
    np.testing.assert_array_equal(forward(formula, Z), np.stack([forward(formula, z) for z in Z]))


def test_one_dimension_is_one_example():
    """A vector is the units of one example: a softmax over it sums to one."""
    a = forward(activation_formula("softmax"), np.arange(5.0))
    assert a.shape == (5,)
    assert a.sum() == pytest.approx(1)


@pytest.mark.parametrize(("text", "edge"), [("max(log(z), 0)", 0.0), ("max(sqrt(z - 2), 3)", 2.0)])
def test_where_the_formula_has_no_value_there_is_no_slope_either(text: str, edge: float) -> None:
    """1/z has a value where log(z) has none."""
    formula = parse(text)
    z = edge + np.array([-3.0, -0.5, 0.25, 0.5])
    a, dz = forward(formula, z), backward(formula, np.ones_like(z), z)
    assert np.isnan(a).tolist() == np.isnan(dz).tolist() == [True, True, False, False]
    assert dz[2:].tolist() == [0.0, 0.0]
