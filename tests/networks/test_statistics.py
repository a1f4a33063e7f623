from __future__ import annotations

import math
import tracemalloc
from dataclasses import fields

import numpy as np
import pytest
from matplotlib.figure import Figure
from scipy.sparse import random as random_sparse

from chainrule.formulas import parse
from chainrule.networks import (
    Adam,
    Network,
    NetworkError,
    gradient,
    layer_statistics,
    network,
    plot_learning_curve,
    plot_statistics,
    propagate,
    train,
)


def by_hand():
    """Two inputs, three ReLU units, one identity; the third unit is never positive."""
    start = network((2, 3, 1), ("relu", "identity"), "half_squared_error", rng=0)
    weights = [1.0, 0.0, -1.0, 0.0, 1.0, -1.0, 2.0, 0.0, 5.0]
    return start.with_parameters(np.array([*weights, 0.0, 0.0, 0.0, 0.5]))


X = np.array([[1.0, -1.0], [3.0, 2.0]])


def test_a_network_by_hand():
    """Z = [1 -1 0; 3 2 -5], A = [1 0 0; 3 2 0], and the output 2 A_1 + 0.5."""
    first, last = layer_statistics(by_hand(), X).layers
    Z, A = np.array([1.0, -1.0, 0.0, 3.0, 2.0, -5.0]), np.array([1.0, 0.0, 0.0, 3.0, 2.0, 0.0])
    assert first.pre_activation_mean == pytest.approx(Z.mean())
    assert first.pre_activation_spread == pytest.approx(Z.std())
    assert first.activation_mean == pytest.approx(A.mean())
    assert first.activation_spread == pytest.approx(A.std())
    assert first.dead == pytest.approx(1 / 3)
    assert first.saturated == pytest.approx(3 / 6)
    assert first.weight_norm == pytest.approx(2.0)
    assert (last.pre_activation_mean, last.pre_activation_spread) == pytest.approx((4.5, 2.0))
    assert (last.dead, last.saturated, last.gradient_norm) == (0.0, 0.0, None)
    assert (first.units, first.activation, last.units) == (3, "relu", 1)


def test_gradient_by_hand():
    """Errors 2.5 - 1 and 6.5 - 0 in the mean: ∂J/∂W of the output is (1.5·A_1 + 6.5·A_2)/2."""
    first, last = layer_statistics(by_hand(), X, [[1.0], [0.0]]).layers
    expected = np.linalg.norm((1.5 * np.array([1.0, 0, 0]) + 6.5 * np.array([3.0, 2, 0])) / 2)
    assert last.gradient_norm == pytest.approx(expected)
    assert last.gradient_ratio == pytest.approx(expected / math.sqrt(29.0))
    # Below: dZ = 2·error for the first unit alone, whose slope is 1 on both.
    below = (2 * 1.5 * X[0] + 2 * 6.5 * X[1]) / 2
    assert first.gradient_norm == pytest.approx(np.linalg.norm(below))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_many_examples_in_parts(dtype):
    """More rows than are looked at together, against NumPy over all of them; a large mean too."""
    net = network((3, 4, 2), ("tanh", "softmax"), "categorical_cross_entropy", dtype=dtype, rng=0)
    moved = np.array(net.parameters)
    moved[-6:-2] += 30.0
    net = net.with_parameters(moved)
    inputs = np.random.default_rng(0).normal(size=(9001, 3)).astype(dtype)
    inputs[:4096] += 1.0
    Z = inputs.astype(float) @ net.weights[0].astype(float) + net.biases[0].astype(float)
    last_Z = np.tanh(Z) @ net.weights[1].astype(float)
    softmax = np.exp(last_Z) / np.exp(last_Z).sum(axis=1, keepdims=True)
    first, last = layer_statistics(net, inputs).layers
    tolerance = 1e-5 if dtype is np.float32 else 1e-12
    assert first.pre_activation_mean == pytest.approx(Z.mean(), rel=tolerance)
    assert first.pre_activation_spread == pytest.approx(Z.std(), rel=tolerance)
    assert last.activation_mean == pytest.approx(0.5)
    assert last.activation_spread == pytest.approx(softmax.std(), abs=1e-5)
    assert first.saturated == 1.0
    assert last.saturated is None


@pytest.mark.parametrize("normalisation", ["layer", "batch"])
def test_normalised_and_learned_layers(normalisation):
    """The outputs are those of propagation, after training moved scales and statistics."""
    generator = np.random.default_rng(0)
    inputs, targets = 3.0 + generator.normal(size=(40, 3)), generator.normal(size=(40, 1))
    net = network(
        (3, 6, 1), (parse("z/(1 + exp(-beta*z))", {"beta": 1.0}), "identity"),
        "half_squared_error", rng=0, normalisation=normalisation, learned=(("beta",), ()),
    )  # fmt: skip
    net = train(net, inputs, targets, optimiser=Adam(0.05), epochs=20, batch_size=10, rng=0).network
    expected = propagate(net, inputs)
    found = layer_statistics(net, inputs).layers[-1]
    assert found.activation_mean == pytest.approx(expected.mean())
    assert found.activation_spread == pytest.approx(expected.std())


def test_saturation_of_the_sigmoid():
    """Its slope is 1/4 at most; a hundredth of it lies where σ(1 - σ) = 1/400, at |z| = 5.9864."""
    net = network((1, 1), ("sigmoid",), "binary_cross_entropy", rng=0)
    net = net.with_parameters(np.array([1.0, 0.0]))
    edge = math.log((1 + math.sqrt(1 - 0.01)) / (1 - math.sqrt(1 - 0.01)))
    inputs = np.array([[edge - 1e-3], [edge + 1e-3], [-edge - 1e-3], [0.0]])
    (layer,) = layer_statistics(net, inputs).layers
    assert layer.saturated == 0.5
    assert layer.dead == 0.0


def test_gradient_norms_are_those_of_the_gradient():
    net = network((3, 5, 2), ("mish", "softmax"), "categorical_cross_entropy", rng=1)
    generator = np.random.default_rng(0)
    inputs, targets = generator.normal(size=(20, 3)), np.eye(2)[generator.integers(0, 2, 20)]
    _, slopes = gradient(net, inputs, targets)
    found = layer_statistics(net, inputs, targets).layers
    assert found[0].gradient_norm == pytest.approx(np.linalg.norm(slopes[:15]))
    assert found[1].gradient_norm == pytest.approx(np.linalg.norm(slopes[15:25]))


@pytest.mark.parametrize("normalisation", ["", "layer", "batch"])
@pytest.mark.parametrize("columns", [40, 1500])
def test_sparse_inputs_are_their_dense_ones(normalisation, columns):
    """Narrow or wide, with targets or without."""
    inputs = random_sparse(700, columns, density=0.05, format="csr", random_state=0)
    targets = np.random.default_rng(0).normal(size=(700, 1))
    net = network(
        (columns, 5, 1), ("tanh", "identity"), "half_squared_error", rng=0,
        normalisation=normalisation,
    )  # fmt: skip
    for given in (None, targets):
        expected = layer_statistics(net, inputs.toarray(), given)
        found = layer_statistics(net, inputs, given)
        assert found.examples == 700
        for mine, other in zip(found.layers, expected.layers, strict=True):
            for field in fields(mine):
                value = getattr(other, field.name)
                assert getattr(mine, field.name) == (
                    pytest.approx(value, rel=1e-9, abs=1e-12)
                    if isinstance(value, float) else value
                )  # fmt: skip
    with pytest.raises(NetworkError, match="must have shape"):
        layer_statistics(net, inputs[:, 1:])
    with pytest.raises(NetworkError, match="no example"):
        layer_statistics(net, inputs[:0])


def test_sparse_inputs_never_become_dense_as_a_whole():
    """Neither for the sizes nor for the gradients."""
    inputs = random_sparse(4000, 5000, density=0.001, format="csr", random_state=0)
    net = network((5000, 3, 1), ("tanh", "identity"), "half_squared_error", rng=0)
    tracemalloc.start()
    try:
        layer_statistics(net, inputs, np.ones((4000, 1)))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4000 * 5000 * 8 / 10


def test_it_prints_as_a_table():
    net = network((2, 100, 1), ("z*tanh(log(1 + exp(z)))", "identity"), "half_squared_error", rng=0)
    wide = str(layer_statistics(net, X, [[1.0], [0.0]]))
    assert max(map(len, wide.splitlines())) <= 80
    text = str(layer_statistics(by_hand(), X, [[1.0], [0.0]]))
    header, _, first, last = text.splitlines()
    assert header.split()[:4] == ["l", "units", "activation", "Z"]
    assert "33.3 %" in first
    assert "identity" in last
    assert "∂J/∂W" in header
    assert "∂J/∂W" not in str(layer_statistics(by_hand(), X))


@pytest.mark.parametrize(
    ("inputs", "targets", "message"),
    [
        (np.zeros((0, 2)), None, "no example"),
        (np.zeros((3, 1)), None, "shape"),
        (np.zeros((3, 2)), np.zeros((2, 1)), "same number of examples"),
    ],
)
def test_refuses(inputs, targets, message):
    with pytest.raises(NetworkError, match=message):
        layer_statistics(by_hand(), inputs, targets)


def test_pictures():
    """Curves and bars hold the numbers."""
    losses, scores = [3.0, 1.0, 0.5], [0.5, 0.7, 0.6]
    left, right = plot_learning_curve(losses, scores, figure=Figure()).axes
    assert left.lines[0].get_xdata().tolist() == [1, 2, 3]
    assert left.lines[0].get_ydata().tolist() == losses
    assert right.lines[0].get_ydata().tolist() == scores
    assert left.get_yscale() == "log"
    (alone,) = plot_learning_curve([1.0, 0.0], figure=Figure()).axes
    assert alone.get_yscale() == "linear"
    sets = {"kept aside": [4.0, 2.0, 1.0]}
    (both,) = plot_learning_curve(losses, validation_losses=sets, figure=Figure()).axes
    assert [line.get_label() for line in both.lines] == ["training", "kept aside"]
    assert both.lines[1].get_ydata().tolist() == sets["kept aside"]
    found = layer_statistics(by_hand(), X, [[1.0], [0.0]])
    _, shares, slopes = plot_statistics(found, figure=Figure()).axes
    heights = [bar.get_height() for bar in shares.patches]
    assert heights == pytest.approx([100 / 3, 0.0, 50.0, 0.0])
    assert slopes.lines[0].get_ydata()[0] == pytest.approx(found.layers[0].gradient_norm)
    assert len(plot_statistics(layer_statistics(by_hand(), X), figure=Figure()).axes) == 2


def test_a_new_figure_is_one_of_pyplot():
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure = layer_statistics(by_hand(), X).plot()
    assert pyplot.fignum_exists(figure.number)
    pyplot.close(figure)


def test_a_dead_network():
    """No weight, no gradient: the ratio is not a number to divide by zero for."""
    net = by_hand()
    net = Network(net.sizes, net.activations, net.cost, np.zeros_like(net.parameters))
    first, _ = layer_statistics(net, X, [[1.0], [0.0]]).layers
    assert first.dead == 1.0
    assert first.gradient_norm == 0.0
    assert first.gradient_ratio == math.inf


def test_a_unit_whose_slope_is_zero_on_every_example_is_dead():
    """Its output is a constant, which no step can change."""
    net = network((1, 2), ("min(z, 1)",), "half_squared_error", rng=0)
    net = net.with_parameters(np.array([1.0, 1.0, 0.0, 9.0]))
    (layer,) = layer_statistics(net, [[0.5], [2.0]]).layers
    assert layer.dead == 0.5
    assert layer.saturated == 0.75
