"""Normalised layers, learned parameters, dropout: against finite differences and NumPy."""

import numpy as np
import pytest
from tests.cases import some_of

from chainrule.formulas import parse
from chainrule.networks import (
    Adam,
    GradientDescent,
    Muon,
    NetworkError,
    gradient,
    input_gradient,
    network,
    propagate,
)
from chainrule.networks.training._run import Run

SIZES = (3, 5, 7, 2)


def _problem(rows=12, seed=1):
    rng = np.random.default_rng(seed)
    X, Y = rng.normal(size=(rows, SIZES[0])), rng.normal(size=(rows, SIZES[-1]))
    return X, Y, rng.uniform(0.5, 2.0, rows)


def _net(normalisation="", activation="tanh", learned=(), dtype=np.float64):
    net = network(
        SIZES, (activation, activation, "identity"), "half_squared_error", rng=3, dtype=dtype,
        normalisation=normalisation, learned=learned,
    )  # fmt: skip
    rng = np.random.default_rng(5)
    return net.with_parameters(net.parameters + 0.1 * rng.normal(size=net.parameters.size))


def _differences(net, cost):
    slopes = np.zeros(net.parameters.size)
    for k in range(slopes.size):
        for sign in (1.0, -1.0):
            moved = np.array(net.parameters)
            moved[k] += sign * 1e-6
            slopes[k] += sign * cost(net.with_parameters(moved)) / 2e-6
    return slopes


@pytest.mark.parametrize("normalisation", ["", "layer", "batch", ("layer", "batch"), ("batch", "")])
def test_gradient_is_the_slope_of_the_cost(normalisation):
    net, (X, Y, weights) = _net(normalisation), _problem()
    _, slopes = gradient(net, X, Y, alpha=0.3, sample_weight=weights)
    expected = _differences(
        net, lambda moved: gradient(moved, X, Y, alpha=0.3, sample_weight=weights)[0]
    )
    np.testing.assert_allclose(slopes, expected, rtol=1e-6, atol=1e-8)


_LEARNING = [
    "max(z, 0) + alpha*min(z, 0)", "z + alpha", "z/(1 + exp(-alpha*z))", "z + sqrt(z**2 + alpha)"
]  # fmt: skip


@pytest.mark.parametrize("text", some_of(_LEARNING, 2))
def test_gradient_of_learned_parameters(text):
    formula = parse(text, {"alpha": 0.25})
    net, (X, Y, _) = _net(activation=formula, learned=(("alpha",), ("alpha",), ())), _problem()
    assert net.layout.learned[0] != net.layout.learned[1]
    _, slopes = gradient(net, X, Y)
    np.testing.assert_allclose(
        slopes, _differences(net, lambda n: gradient(n, X, Y)[0]), 1e-5, 1e-8
    )


def test_learned_parameters_are_used_in_prediction():
    formula = parse("alpha*z", {"alpha": 0.5})
    net = network((1, 1, 1), (formula, "identity"), "half_squared_error", learned=(("alpha",), ()))
    net = net.with_parameters(np.array([2.0, 3.0, 0.0, 0.0, 7.0]))
    assert propagate(net, [[1.0]]) == 42.0
    assert dict(net.learned_activations[0].parameters) == {"alpha": 7.0}


def test_parameters_that_evaluation_depends_on_are_refused():
    with pytest.raises(NetworkError, match="cannot be learned"):
        _net(activation=parse("max(b*z, z)", {"b": 0.9}), learned=(("b",), (), ()))
    with pytest.raises(NetworkError, match="no parameter 'beta'"):
        _net(activation="tanh", learned=(("beta",), (), ()))


def test_learned_parameters_of_functions_in_pieces_are_used():
    """The polynomials are those of the parameters' first values; learned ones change."""
    learned = (("alpha", "beta"), ("alpha", "beta"), ())
    exact, single = (
        _net(activation="scaled_tanh", learned=learned, dtype=dtype)
        for dtype in (np.float64, np.float32)
    )
    X, _, _ = _problem()
    apart = np.abs(single(X.astype(np.float32)) - exact(X))
    assert apart.max() < 1e-5


def test_normalised_layers_by_hand():
    X, _, _ = _problem()
    for normalisation, axis in (("layer", 1), ("batch", 0)):
        net = network((3, 4, 1), ("identity", "identity"), "half_squared_error", rng=0,
                      normalisation=normalisation)  # fmt: skip
        scales = slice(net.layout.scales[0], net.layout.scales[0] + 4)
        values = np.array(net.parameters)
        values[scales] = [1.0, 2.0, -1.0, 0.5]
        values[net.layout.biases[0] : net.layout.biases[0] + 4] = [0.0, 1.0, 2.0, 3.0]
        net = net.with_parameters(values)
        P = X @ net.weights[0]
        mean, variance = P.mean(axis, keepdims=True), P.var(axis, keepdims=True)
        if normalisation == "batch":
            statistics = np.concatenate([mean[0], variance[0]])
            net = net.with_parameters(values, statistics)
        A = values[scales] * (P - mean) / np.sqrt(variance + 1e-5) + net.biases[0]
        expected = A @ net.weights[1] + net.biases[1]
        np.testing.assert_allclose(propagate(net, X), expected, rtol=1e-12)


def test_statistics_follow_the_batches():
    X, Y, _ = _problem(rows=40)
    net = _net("batch")
    run = Run(net, X, Y, None, GradientDescent(0.0, 0.0), batch_size=40)
    for _ in range(200):
        run.epoch(np.arange(40), np.zeros(1))
    P = X @ net.weights[0]
    expected = np.concatenate([P.mean(0), P.var(0, ddof=1)])
    np.testing.assert_allclose(run.network.statistics[: 2 * SIZES[1]], expected, rtol=1e-6)


@pytest.mark.parametrize("normalisation", ["", "layer", "batch"])
def test_gradient_to_the_inputs(normalisation):
    net, (X, _, _) = _net(normalisation), _problem(rows=300)
    if normalisation == "batch":
        rng = np.random.default_rng(0)
        net = net.with_parameters(net.parameters, rng.uniform(0.5, 2.0, net.statistics.size))
    seeds = np.random.default_rng(7).normal(size=(300, SIZES[-1]))
    slopes = input_gradient(net, X, seeds)
    for column in range(SIZES[0]):
        step = np.zeros(SIZES[0])
        step[column] = 1e-6
        change = (propagate(net, X + step) - propagate(net, X - step)) / 2e-6
        np.testing.assert_allclose(slopes[:, column], (change * seeds).sum(1), 1e-5, 1e-8)


def test_dropout_drops_its_share_and_keeps_the_mean():
    X, Y = np.ones((2000, 50)), np.zeros((2000, 1))
    net = network((50, 1), ("identity",), "half_squared_error", rng=0)
    run = Run(net, X, Y, None, GradientDescent(0.0, 0.0), batch_size=2000, dropout=(0.3,), seed=4)
    run.epoch(np.arange(2000), np.zeros(1))
    start = run.tables.plan[0]
    inputs = run.crew.work[start : start + X.size].reshape(X.shape)
    assert set(np.unique(inputs)) == {0.0, 1.0 / 0.7}
    assert abs((inputs == 0.0).mean() - 0.3) < 0.01
    assert abs((inputs == 0.0).mean(0) - 0.3).max() < 0.06
    before = inputs.copy()
    run.epoch(np.arange(2000), np.zeros(1))
    assert (before != inputs).any()


def test_dropout_of_hidden_units_has_the_gradient_of_what_remains():
    X, Y, _ = _problem()
    net = _net()
    run = Run(net, X, Y, None, GradientDescent(0.0, 0.0), batch_size=12, dropout=0.5, seed=9)
    run.epoch(np.arange(12), np.zeros(1))
    # With the masks of this step, by hand.
    work, layers = run.crew.work, run.tables.layers
    A = [X]
    for layer in (0, 1):
        Z = A[-1] @ net.weights[layer] + net.biases[layer]
        start = layers[layer, 11]
        kept = work[start : start + Z.size].reshape(Z.shape) != 0.0
        assert 0.2 < kept.mean() < 0.8
        A.append(np.tanh(Z) * kept * 2.0)
    dZ = (A[2] @ net.weights[2] + net.biases[2] - Y) / 12
    expected = [A[2].T @ dZ]
    for layer in (1, 0):
        dA = dZ @ net.weights[layer + 1].T * (A[layer + 1] != 0.0) * 2.0
        dZ = dA * (1.0 - np.tanh(A[layer] @ net.weights[layer] + net.biases[layer]) ** 2)
        expected.insert(0, A[layer].T @ dZ)
    got = run.gradient[: net.layout.decayed]
    np.testing.assert_allclose(got, np.concatenate([e.ravel() for e in expected]), 1e-10, 1e-12)


@pytest.mark.parametrize("normalisation", ["", "layer", "batch"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_number_of_threads_changes_no_bit(normalisation, dtype):
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(700, 40)), rng.normal(size=(700, 3))
    net = network((40, 130, 70, 3), ("silu", "silu", "identity"), "half_squared_error", rng=0,
                  dtype=dtype, normalisation=normalisation)  # fmt: skip
    results = []
    for threads in (1, 2, 3):
        optimiser = Muon() if normalisation == "layer" else Adam()
        run = Run(net, X, Y, None, optimiser, alpha=0.1, batch_size=256, dropout=0.2, seed=1,
                  clip_norm=0.1, threads=threads)  # fmt: skip
        with run.threads():
            losses = [run.epoch(np.arange(700), np.full(3, 1e-2)) for _ in range(3)]
        results.append((losses, run.parameters.copy(), run.statistics.copy()))
    for losses, parameters, statistics in results[1:]:
        assert losses == results[0][0]
        assert (parameters == results[0][1]).all()
        assert (statistics == results[0][2]).all()


def test_unknown_normalisation_is_refused():
    with pytest.raises(NetworkError, match='"layer" or "batch"'):
        _net("group")
    with pytest.raises(NetworkError, match="dropout must be"):
        Run(_net(), *_problem()[:2], None, Adam(), dropout=1.0)
