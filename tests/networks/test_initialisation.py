"""Initial weights keep the size of pre-activations, whatever the activation."""

import math

import numpy as np
import pytest
from scipy import integrate, stats

from chainrule.catalogue import activation_formula
from chainrule.networks import InitialisationError, gain, network
from chainrule.networks._program import evaluate
from chainrule.networks.training._constants import with_best_constant


@pytest.mark.parametrize(
    ("source", "moment"),
    [
        ("identity", 1.0),
        ("relu", 0.5),
        ("abs(z)", 1.0),
        ("z**2", 3.0),
        ("z**3", 15.0),
        ("exp(z)", math.exp(2.0)),
        ("where(z > 1, 1, 0*z)", stats.norm.sf(1.0)),
        ("where(z > 0.123, z, -1 + 0*z)", None),
        ("where(z > 0, z, 0.2*z)", 0.5 * (1 + 0.04)),
        ("sin(z)", 0.5 * (1.0 - math.exp(-2.0))),
    ],
)
def test_gain_is_the_inverse_root_of_the_second_moment(source, moment):
    """The gain of activations whose second moment is known in closed form."""
    if moment is None:  # E[x²; x > t] = t φ(t) + Q(t), and 1 below
        moment = 0.123 * stats.norm.pdf(0.123) + stats.norm.sf(0.123) + stats.norm.cdf(0.123)
    assert gain(activation_formula(source)) == pytest.approx(moment**-0.5, rel=1e-4)


@pytest.mark.parametrize("name", ["tanh", "sigmoid", "gelu", "mish", "softsign"])
def test_gain_agrees_with_adaptive_quadrature(name):
    """An independent integration of the same kernel gives the same gain."""
    formula = activation_formula(name)

    def integrand(x):
        value = evaluate(formula, np.array([[x]]))[0, 0]
        return value**2 * stats.norm.pdf(x)

    moment = sum(integrate.quad(integrand, *ends)[0] for ends in ((-10, 0), (0, 10)))
    assert gain(formula) == pytest.approx(moment**-0.5, rel=1e-6)
    assert gain(formula, "float32") == pytest.approx(moment**-0.5, rel=1e-5)


def test_selu_needs_no_gain():
    """SELU was designed to keep unit variance."""
    assert gain(activation_formula("selu")) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("source", ["0*z", "1/z", "exp(z**2)", "exp(exp(z))"])
def test_gain_is_one_where_no_scale_would_help(source):
    """A second moment that is zero or infinite leaves the weights as they are."""
    assert gain(activation_formula(source)) == 1.0


@pytest.mark.parametrize("source", ["sqrt(z)", "log(z)", "z*log(z - 1)"])
def test_activation_that_is_not_a_number_is_refused(source):
    """An activation that is NaN for common inputs is refused before training, with the place."""
    with pytest.raises(InitialisationError, match=r"pre-activations such as z = .*\n.*where"):
        gain(activation_formula(source))


@pytest.mark.parametrize("width", [2, 7, 64])
def test_gain_of_softmax_depends_on_the_width(width):
    """Layer-coupled activations are averaged over layers of their own width."""
    x = np.random.default_rng(1).standard_normal((100_000, width))
    exponential = np.exp(x)
    a = exponential / exponential.sum(axis=1, keepdims=True)
    expected = np.mean(a * a) ** -0.5
    assert gain(activation_formula("softmax"), width=width) == pytest.approx(expected, rel=0.02)


def test_variances_of_weights_and_biases():
    """Var w = g²/(2n) with the gain of what produced the inputs, 1 for the data; Var b = 1/2."""
    layers = ("relu", "relu", "identity")
    net = network((400, 300, 200, 100), layers, "half_squared_error", rng=0)
    first, second, last = net.weights
    assert first.var() * 400 == pytest.approx(0.5, rel=0.02)
    assert second.var() * 300 == pytest.approx(1.0, rel=0.02)
    assert last.var() * 200 == pytest.approx(0.01 * 2.0, rel=0.05)
    assert np.concatenate(net.biases[:2]).var() == pytest.approx(0.5, rel=0.15)
    assert not net.biases[2].any()


@pytest.mark.parametrize(
    "source", ["relu", "tanh", "gelu", "elu", "abs(z) - 0.7", "sin(3*z)", "softmax"]
)
def test_pre_activations_keep_unit_second_moment_through_depth(source):
    """After ten layers the pre-activations are as large as after the first."""
    depth, width = 10, 200
    net = network(
        (width,) * (depth + 1), (source,) * (depth - 1) + ("identity",), "half_squared_error", rng=3
    )
    a = np.random.default_rng(4).standard_normal((300, width))
    hidden = zip(net.weights[:-1], net.biases[:-1], net.activations[:-1], strict=True)
    for weights, biases, formula in hidden:
        z = a @ weights + biases
        a = evaluate(formula, z)
    assert 0.3 < np.sqrt(np.mean(z * z)) < 3.0


def test_both_dtypes_start_from_the_same_values():
    """float32 weights are the float64 weights, rounded."""
    nets = [
        network((5, 4, 2), ("identity",) * 2, "half_squared_error", dtype=dtype, rng=5)
        for dtype in (np.float32, np.float64)
    ]
    np.testing.assert_allclose(nets[0].parameters, nets[1].parameters, rtol=1e-6)
    assert [net.dtype.name for net in nets] == ["float32", "float64"]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("output", "cost", "targets", "expected"),
    [
        ("exponential", "poisson", [[1000.0, 0.5], [3000.0, 0.0]], np.log([2500.0, 0.125])),
        ("exponential", "sum(log(a) + y/a)", [[20.0], [60.0]], np.log([50.0])),
        ("sigmoid", "binary_cross_entropy", [[0.0], [1.0]], np.log([3.0])),
        ("3*tanh(z)", "half_squared_error", [[0.0], [2.0]], np.arctanh([0.5])),
    ],
)
def test_the_constant_that_costs_the_least(output, cost, targets, expected, dtype):
    """Weights of 1 and 3, by hand: log of the mean, log of the odds, atanh of the mean / 3."""
    Y = np.array(targets, dtype)
    net = network((2, 3, Y.shape[1]), ("tanh", output), cost, dtype=dtype, rng=0)
    found = with_best_constant(net, Y, np.array([1.0, 3.0], dtype))
    np.testing.assert_allclose(found.biases[-1], expected, rtol=1e-3, atol=1e-3)
    np.testing.assert_array_equal(found.weights[0], net.weights[0])
    np.testing.assert_array_equal(found.biases[0], net.biases[0])
    assert found.dtype == dtype


def test_without_such_a_constant_the_network_stays():
    """The least cost of targets that are all 0 lies at minus infinity, or falls without end."""
    net = network((2, 3, 1), ("tanh", "exponential"), "sum(-a)", rng=0)
    assert with_best_constant(net, np.zeros((5, 1)), np.ones(5)) is net
