"""Propagation against hand-worked numbers, central differences and NumPy."""

import copy
import pickle

import numpy as np
import pytest
from tests.cases import some_of

from chainrule.networks import Network, NetworkError, gradient, network, propagate


def _with_values(net, *values):
    return net.with_parameters(np.array(values, net.dtype))


def test_one_unit_by_hand():
    """By hand, z = 2·3 + 1 = 7, J = (7 - 5)²/2 = 2, ∂J/∂w = 2·3 = 6, ∂J/∂b = 2."""
    net = _with_values(network((1, 1), ("identity",), "half_squared_error", rng=0), 2, 1)
    assert propagate(net, [[3.0]])[0, 0] == 7.0
    cost, slopes = gradient(net, [[3.0]], [[5.0]])
    assert cost == 2.0
    np.testing.assert_array_equal(slopes, [6.0, 2.0])


def test_two_layers_by_hand():
    """ReLU passes the gradient of the unit that is on, and stops the other's.

    x = (1, 2); hidden z = (1·1 + 2·1 + 0, -1·1 + 0·2 + 0) = (3, -1), a = (3, 0);
    output 2·3 + 5·0 + 1 = 7, target 4: J = 4.5, ∂J/∂z = 3.
    """
    net = _with_values(
        network((2, 2, 1), ("relu", "identity"), "half_squared_error", rng=0),
        *(1, -1, 1, 0), *(2, 5), *(0, 0), 1,
    )  # fmt: skip
    cost, slopes = gradient(net, [[1.0, 2.0]], [[4.0]])
    assert cost == 4.5
    np.testing.assert_array_equal(slopes, [6, 0, 12, 0, 9, 0, 6, 0, 3])


def test_penalty_and_weights_by_hand():
    """J = (s·J_i + α/2 w²)/s, with s = 4, α = 0.5, w = 2: the bias is free."""
    net = _with_values(network((1, 1), ("identity",), "half_squared_error", rng=0), 2, 1)
    cost, slopes = gradient(net, [[3.0]], [[5.0]], alpha=0.5, sample_weight=[4.0])
    assert cost == pytest.approx(2.0 + 0.25 * 4 / 4)
    np.testing.assert_allclose(slopes, [6.0 + 0.5 * 2 / 4, 2.0])


_NETWORKS = [
    (("tanh", "relu", "identity"), "half_squared_error"),
    (("z*tanh(log(1 + exp(z)))", "where(z > 0, z, exp(z) - 1)", "tanh"), "half_squared_error"),
    (("softmax", "tanh", "softmax"), "categorical_cross_entropy"),
    (("sin(z)", "log_softmax", "exp(z)"), "sum(a - y*log(a))"),
    (("sigmoid", "(z - mean(z))/sqrt(mean((z - mean(z))**2) + 0.1)", "sigmoid"),
     "binary_cross_entropy"),
    (("gelu",) * 3, "mean(abs(a - y))"),
]  # fmt: skip


@pytest.mark.parametrize(("activations", "cost"), some_of(_NETWORKS, 2))
def test_gradient_agrees_with_central_differences(activations, cost):
    """Every parameter's slope is the difference quotient of the cost, in float64."""
    net = network((5, 7, 4, 3), activations, cost, rng=1)
    rng = np.random.default_rng(2)
    values = net.parameters + 0.1 * rng.standard_normal(net.parameters.size)
    X, Y, weights = rng.standard_normal((6, 5)), rng.dirichlet(np.ones(3), 6), rng.random(6)

    def cost_at(parameters):
        moved = net.with_parameters(parameters)
        return gradient(moved, X, Y, alpha=0.3, sample_weight=weights)[0]

    _, slopes = gradient(net.with_parameters(values), X, Y, alpha=0.3, sample_weight=weights)
    step = 1e-5
    quotients = [
        (cost_at(values + step * direction) - cost_at(values - step * direction)) / (2 * step)
        for direction in np.eye(values.size)
    ]
    np.testing.assert_allclose(slopes, quotients, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rows", [0, 1, 511, 512, 1300])
def test_propagation_agrees_with_numpy(dtype, rows):
    """Blocks of rows join without a seam, at any number of rows."""
    net = network((6, 9, 4), ("tanh", "softmax"), "categorical_cross_entropy", rng=0, dtype=dtype)
    X = np.random.default_rng(1).standard_normal((rows, 6))
    (first, second), (shift, offset) = net.weights, net.biases
    exponential = np.exp(np.tanh(X @ first + shift) @ second + offset)
    expected = exponential / exponential.sum(axis=1, keepdims=True)
    output = propagate(net, X)
    assert output.dtype == dtype
    np.testing.assert_allclose(output, expected, rtol=2e-5 if dtype == "float32" else 1e-12)


def test_read_only_and_strided_arrays_are_accepted():
    """Inputs need not be ours to write, nor contiguous."""
    net = network((3, 2), ("identity",), "half_squared_error", rng=0)
    X = np.random.default_rng(0).standard_normal((8, 3))
    expected = propagate(net, X)
    frozen = X.copy()
    frozen.flags.writeable = False
    np.testing.assert_array_equal(propagate(net, frozen), expected)
    np.testing.assert_array_equal(propagate(net, np.asfortranarray(X)), expected)
    np.testing.assert_array_equal(propagate(net, X[::2]), expected[::2])
    assert X.flags.writeable


def test_parameters_cannot_be_changed_in_place():
    """A network is a value: neither its vector nor its views can be written."""
    values = np.zeros(8)
    net = Network((3, 2), *_formulas(network((3, 2), ("identity",), "half_squared_error")), values)
    values[:] = 1.0
    assert not net.parameters.any()
    with pytest.raises(ValueError, match="read-only"):
        net.weights[0][0, 0] = 1.0


def _formulas(net):
    return net.activations, net.cost


def test_copies_and_pickles_propagate_alike():
    """Native addresses do not travel; the network does."""
    net = network((3, 4, 2), ("tanh", "identity"), "half_squared_error", rng=0)
    X = np.ones((2, 3))
    expected = propagate(net, X)
    for copied in (pickle.loads(pickle.dumps(net)), copy.deepcopy(net)):
        np.testing.assert_array_equal(propagate(copied, X), expected)


def test_targets_that_do_not_sum_to_one():
    """The gradient A - Y of softmax and cross-entropy needs Σ y = 1; without it A Σ y - Y holds."""
    net = network((2, 3), ("softmax",), "categorical_cross_entropy", rng=0)
    X = np.random.default_rng(0).standard_normal((5, 2))
    Y = np.random.default_rng(1).uniform(0, 2, (5, 3))
    _, slopes = gradient(net, X, Y)
    A = propagate(net, X)
    dZ = (A * Y.sum(axis=1, keepdims=True) - Y) / 5
    np.testing.assert_allclose(slopes, [*(X.T @ dZ).ravel(), *dZ.sum(axis=0)], rtol=1e-10)
    whole = Y / Y.sum(axis=1, keepdims=True)
    _, slopes = gradient(net, X, whole)
    dZ = (A - whole) / 5
    np.testing.assert_allclose(slopes, [*(X.T @ dZ).ravel(), *dZ.sum(axis=0)], rtol=1e-10)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda net: propagate(net, np.ones((2, 4))), r"X must have shape \(examples, 3\)"),
        (lambda net: propagate(net, np.ones(3)), r"X must have shape \(examples, 3\)"),
        (lambda net: gradient(net, np.ones((2, 3)), np.ones((2, 1))), "Y must have shape"),
        (lambda net: gradient(net, np.ones((2, 3)), np.ones((3, 2))), "same number of examples"),
        (lambda net: gradient(net, np.ones((0, 3)), np.ones((0, 2))), "at least one"),
        (lambda net: gradient(net, np.ones((1, 3)), np.ones((1, 2)), sample_weight=[-1.0]),
         "sample_weight must hold"),
        (lambda net: net.with_parameters(np.zeros(7)), "have 8 parameters"),
        (lambda net: net.with_parameters(np.zeros(8, int)), "expected float32 or float64"),
        (lambda _: network((3,), (), "half_squared_error"), "two or more positive integers"),
        (lambda _: network((3, 0), ("relu",), "half_squared_error"), "positive integers"),
        (lambda _: network((3, 2), ("relu",) * 2, "half_squared_error"), "1 layers need"),
        (lambda _: network((3, 2), ("relu",), "half_squared_error", dtype=int), "not int64"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(call, message):
    """Shapes, counts and dtypes that contradict each other raise the package's error."""
    net = network((3, 2), ("identity",), "half_squared_error", rng=0)
    with pytest.raises(NetworkError, match=message):
        call(net)
