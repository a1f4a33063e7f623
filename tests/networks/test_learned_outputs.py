"""Learned parameters of output activations: gradients by differences, training, files."""

import numpy as np
import pytest
from tests.cases import some_of

from chainrule.formulas import parse
from chainrule.networks import (
    Adam,
    GradientDescent,
    RMSprop,
    gradient,
    input_gradient,
    load_network,
    network,
    propagate,
    save_network,
    train,
    train_lbfgs,
    validation_loss,
)

TEMPERATURE = "exp(z/t)/sum(exp(z/t))"


def _softmax(z, t):
    powers = np.exp(z / t)
    return powers / powers.sum(axis=-1, keepdims=True)


def _cross_entropy(a, y):
    return -(y * np.log(a)).sum(axis=1)


def _squares(a, y):
    return ((a - y) ** 2).sum(axis=1) / 2


def _labels(a, y):
    return -(y * np.log(a) + (1 - y) * np.log(1 - a)).sum(axis=1)


# Formula, first values, those where it is tried, the same in NumPy; cost, the same; targets.
_CASES = [
    (TEMPERATURE, {"t": 1.0}, (1.7,), _softmax,
     "categorical_cross_entropy", _cross_entropy, "one"),
    (TEMPERATURE, {"t": 1.0}, (0.6,), _softmax, "half_squared_error", _squares, "any"),
    ("1/(1 + exp(-alpha*z))", {"alpha": 1.0}, (2.2,), lambda z, b: 1 / (1 + np.exp(-b * z)),
     "binary_cross_entropy", _labels, "one"),
    ("beta*tanh(alpha*z)", {"beta": 2.0, "alpha": 1.0}, (3.0, 0.4),
     lambda z, b, k: b * np.tanh(k * z), "half_squared_error", _squares, "any"),
    ("exp(z) + c", {"c": 0.5}, (0.9,), lambda z, c: np.exp(z) + c,
     "poisson", lambda a, y: (a - y * np.log(a)).sum(axis=1), "above"),
    ("max(alpha*z, z)", {"alpha": 0.1}, (0.3,), lambda z, k: np.maximum(k * z, z),
     "sum(log(1 + delta*(a - y)**2))", lambda a, y: np.log(1 + (a - y) ** 2).sum(axis=1), "any"),
]  # fmt: skip


def _targets(kind, rng):
    if kind == "one":
        return np.eye(3)[rng.integers(0, 3, 7)]
    values = rng.normal(size=(7, 3))
    return np.abs(values) if kind == "above" else values


@pytest.mark.parametrize(
    ("text", "first", "values", "activate", "cost", "of_rows", "kind"), some_of(_CASES, 3)
)
def test_gradient_with_other_values_than_the_first(
    text, first, values, activate, cost, of_rows, kind
):
    if "delta" in cost:
        cost = parse(cost, {"delta": 1.0}, variables=("a", "y"))
    rng = np.random.default_rng(0)
    X, Y, weights = rng.normal(size=(7, 3)), _targets(kind, rng), rng.uniform(0.5, 2.0, 7)
    net = network(
        (3, 4, 3), ("tanh", parse(text, first)), cost, rng=0, learned=((), tuple(first))
    )  # fmt: skip
    at = np.array(net.parameters)
    at[-len(values) :] = values

    def mean_cost(parameters):
        W1, W2, b1, b2 = np.split(parameters[:31], [12, 24, 28])
        Z = np.tanh(X @ W1.reshape(3, 4) + b1) @ W2.reshape(4, 3) + b2
        return np.average(of_rows(activate(Z, *parameters[31:]), Y), weights=weights)

    differences = [
        (mean_cost(at + step) - mean_cost(at - step)) / 2e-6 for step in 1e-6 * np.eye(at.size)
    ]
    there = net.with_parameters(at)
    value, slopes = gradient(there, X, Y, sample_weight=weights)
    assert value == pytest.approx(mean_cost(at), rel=1e-12)
    np.testing.assert_allclose(slopes, differences, rtol=1e-6, atol=1e-8)
    assert validation_loss(there, X, Y, weights) == pytest.approx(value, rel=1e-12)
    to_inputs = input_gradient(there, X, np.ones((7, 3)))
    step = np.array([1e-6, 0.0, 0.0])
    moved = (propagate(there, X + step) - propagate(there, X - step)) / 2e-6
    np.testing.assert_allclose(to_inputs[:, 0], moved.sum(axis=1), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("text", "value", "cost", "expected"),
    [
        (TEMPERATURE, 0.01, "categorical_cross_entropy", (1100 / 3, -110_000 / 3)),
        ("1/(1 + exp(-z/t))", 0.01, "binary_cross_entropy", (1100 / 3, -110_000 / 3)),
    ],
)
def test_no_logarithm_meets_0(dtype, text, value, cost, expected):
    """Z = (-7, 4, -9), (-9, 5, -9), (-9, -9, 2): one unit is wrong, by 11/t or by 7/t and 4/t."""
    net = network((3, 3), (parse(text, {"t": 1.0}),), cost, dtype=dtype, learned=(("t",),))
    Z = np.array([[-7.0, 4.0, -9.0], [-9.0, 5.0, -9.0], [-9.0, -9.0, 2.0]])
    net = net.with_parameters(np.array([*Z.ravel(), 0.0, 0.0, 0.0, value], dtype))
    found, slopes = gradient(net, np.eye(3), np.eye(3))
    assert (found, slopes[-1]) == pytest.approx(expected, rel=1e-5)


def test_blocks_share_what_is_learned():
    """Two blocks of a temperature softmax: the slope is the sum of both, by differences."""
    net = network(
        (2, 5), (parse(TEMPERATURE, {"t": 1.0}),), "categorical_cross_entropy", rng=0,
        learned=(("t",),), blocks=(2, 3),
    )  # fmt: skip
    rng = np.random.default_rng(1)
    X = rng.normal(size=(6, 2))
    Y = np.hstack([np.eye(2)[rng.integers(0, 2, 6)], np.eye(3)[rng.integers(0, 3, 6)]])

    def mean_cost(t):
        Z = X @ net.weights[0] + net.biases[0]
        parts = (Z[:, :2], Y[:, :2]), (Z[:, 2:], Y[:, 2:])
        return sum(_cross_entropy(_softmax(z, t), y) for z, y in parts).mean()

    moved = np.array(net.parameters)
    moved[-1] = 1.9
    value, slopes = gradient(net.with_parameters(moved), X, Y)
    assert value == pytest.approx(mean_cost(1.9), rel=1e-12)
    assert slopes[-1] == pytest.approx((mean_cost(1.9 + 1e-6) - mean_cost(1.9 - 1e-6)) / 2e-6)


def _bounded():
    rng = np.random.default_rng(2)
    X = rng.normal(size=(400, 2))
    Y = 3.0 * np.tanh(X @ [[1.0], [-0.5]])
    net = network(
        (2, 1), (parse("beta*tanh(z)", {"beta": 1.0}),), "half_squared_error", rng=0,
        learned=(("beta",),),
    )  # fmt: skip
    return net, X, Y


@pytest.mark.parametrize("optimiser", [Adam(0.05), GradientDescent(0.05), RMSprop(0.02)])
def test_training_finds_the_bound_of_the_data(optimiser):
    net, X, Y = _bounded()
    trained = train(
        net,
        X,
        Y,
        optimiser=optimiser,
        epochs=150,
        batch_size=16,
        rng=0,
        tolerance=0.0,
        validation=(X, Y),
    )
    assert trained.network.parameters[-1] == pytest.approx(3.0, abs=0.05)
    held = trained.validation_losses["validation"][-1]
    assert held == pytest.approx(_squares(propagate(trained.network, X), Y).mean(), rel=1e-9)


def test_lbfgs_finds_it_and_files_keep_it(tmp_path):
    net, X, Y = _bounded()
    found = train_lbfgs(net, X, Y, tolerance=1e-10).network
    assert found.parameters[-1] == pytest.approx(3.0, abs=1e-4)
    save_network(found, tmp_path / "model")
    back, _ = load_network(tmp_path / "model")
    np.testing.assert_array_equal(back.parameters, found.parameters)
    np.testing.assert_array_equal(propagate(back, X), propagate(found, X))
    assert gradient(back, X, Y)[0] == gradient(found, X, Y)[0]


def test_a_checkpoint_goes_on_bit_for_bit(tmp_path):
    net, X, Y = _bounded()
    options = {"optimiser": Adam(0.05), "rng": 0, "tolerance": 0.0, "batch_size": 64}
    whole = train(net, X, Y, epochs=9, **options)

    def stop(epoch):
        if epoch.number == 4:
            raise KeyboardInterrupt

    options["checkpoint"] = tmp_path / "checkpoint"
    train(net, X, Y, epochs=9, callbacks=stop, checkpoint_every=1, **options)
    resumed = train(net, X, Y, epochs=9, **options)
    np.testing.assert_array_equal(resumed.network.parameters, whole.network.parameters)
