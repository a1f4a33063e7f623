"""Optimisers, against the rules of their papers in NumPy."""

import numpy as np
import pytest

from chainrule.networks import AdamW, GradientDescent, Muon, RMSprop, gradient, network
from chainrule.networks.training._run import Run

RATE, STEPS, ALPHA = 0.01, 5, 0.2


def _adamw(p, g, memory, t, decay):
    m, v = memory.setdefault("m", 0.0 * p), memory.setdefault("v", 0.0 * p)
    m[:] = 0.9 * m + 0.1 * g
    v[:] = 0.999 * v + 0.001 * g * g
    size = RATE * np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
    return p - RATE * decay * p - size * m / (np.sqrt(v) + 1e-8)


def _rmsprop(p, g, memory, t, decay):
    m, v = memory.setdefault("m", 0.0 * p), memory.setdefault("v", 0.0 * p)
    v[:] = 0.9 * v + 0.1 * g * g
    m[:] = 0.5 * m + g / (np.sqrt(v) + 1e-8)
    return p - RATE * m


def _muon(p, g, memory, t, decay):
    m = memory.setdefault("m", 0.0 * p)
    m[:] = 0.95 * m + g
    X = g + 0.95 * m
    X = X / np.linalg.norm(X)
    for _ in range(5):
        S = X @ X.T
        X = 3.4445 * X + (-4.7750 * S + 2.0315 * S @ S) @ X
    return (1 - RATE * decay) * p - RATE * 0.2 * np.sqrt(max(p.shape)) * X


def _trained(optimiser, sizes=(4, 6, 9, 2), **options):
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(10, sizes[0])), rng.normal(size=(10, sizes[-1]))
    hidden = ("tanh",) * (len(sizes) - 2)
    net = network(sizes, (*hidden, "identity"), "half_squared_error", rng=1)
    run = Run(net, X, Y, None, optimiser, alpha=ALPHA, batch_size=10, **options)
    loss = 0.0
    for _ in range(STEPS):
        loss = run.epoch(np.arange(10), np.array([RATE]))
    return net, X, Y, run, loss


@pytest.mark.parametrize(
    ("optimiser", "rule"),
    [(AdamW(weight_decay=0.3), _adamw), (RMSprop(beta=0.9, momentum=0.5), _rmsprop)],
)
def test_steps_of_every_parameter(optimiser, rule):
    net, X, Y, run, loss = _trained(optimiser)
    memory = {}
    decay = np.zeros(net.parameters.size)
    decay[: net.layout.decayed] = 0.3
    for t in range(1, STEPS + 1):
        cost, g = gradient(net, X, Y, alpha=ALPHA)
        net = net.with_parameters(rule(net.parameters, g, memory, t, decay))
    np.testing.assert_allclose(run.parameters, net.parameters, rtol=1e-10)
    assert loss == pytest.approx(cost, rel=1e-12)


def test_muon_moves_matrices_to_hidden_units_and_adam_the_rest():
    net, X, Y, run, loss = _trained(Muon(weight_decay=0.3))
    memories = [{} for _ in range(4)]
    for t in range(1, STEPS + 1):
        cost, g = gradient(net, X, Y, alpha=ALPHA)
        slopes, start = net.with_parameters(g), net.layout.weights[2]
        moved = [
            _muon(net.weights[k], slopes.weights[k], memories[k], t, 0.3).ravel() for k in (0, 1)
        ]
        decay = np.zeros(g.size - start)
        decay[: net.layout.decayed - start] = 0.3
        rest = _adamw(net.parameters[start:], g[start:], memories[3], t, decay)
        net = net.with_parameters(np.concatenate([*moved, rest]))
    np.testing.assert_allclose(run.parameters, net.parameters, rtol=1e-9)
    assert loss == pytest.approx(cost, rel=1e-12)


def test_muon_of_a_tall_matrix_is_that_of_its_transpose():
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(10, 9)), rng.normal(size=(10, 2))
    net = network((9, 4, 2), ("tanh", "identity"), "half_squared_error", rng=1)
    run = Run(net, X, Y, None, Muon(), batch_size=10)
    _, g = gradient(net, X, Y)
    run.epoch(np.arange(10), np.array([RATE]))
    tall = net.with_parameters(g).weights[0]
    expected = _muon(net.weights[0].T, tall.T, {}, 1, 0.0).T
    np.testing.assert_allclose(run.network.weights[0], expected, rtol=1e-9)


def test_clipping_bounds_entries_and_length():
    net, X, Y, run, _ = _trained(GradientDescent(RATE, 0.0), clip_norm=0.05)
    for _ in range(STEPS):
        _, g = gradient(net, X, Y)
        # The penalty is added to the gradient of the cost after it was clipped.
        g *= min(1.0, 0.05 / np.linalg.norm(g))
        g[: net.layout.decayed] += ALPHA / 10 * net.parameters[: net.layout.decayed]
        net = net.with_parameters(net.parameters - RATE * g)
    np.testing.assert_allclose(run.parameters, net.parameters, rtol=1e-10)
    net, X, Y, run, _ = _trained(GradientDescent(RATE, 0.0), clip_value=0.01)
    _, g = gradient(net, X, Y)
    assert np.abs(g).max() > 0.01
    assert np.abs(run.gradient).max() == 0.01
