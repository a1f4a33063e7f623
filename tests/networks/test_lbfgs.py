"""L-BFGS: scikit-learn's solver, minima known in closed form, stops, failures."""

import signal
import tracemalloc

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.linear_model import Ridge
from sklearn.neural_network import MLPRegressor

from chainrule.networks import (
    DivergenceError,
    NetworkError,
    gradient,
    network,
    train_lbfgs,
    validation_loss,
)


@pytest.fixture
def problem():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 3))
    Y = np.sin(X).sum(axis=1, keepdims=True)
    return network((3, 8, 1), ("tanh", "identity"), "half_squared_error", rng=1), X, Y


def test_follows_scikit_learn_to_its_end(problem):
    """The same start gives the same minimum after as many iterations."""
    _, X, Y = problem
    model = MLPRegressor(
        hidden_layer_sizes=(8,), activation="tanh", solver="lbfgs", alpha=0.1, max_iter=500,
        random_state=0, tol=1e-3,
    )  # fmt: skip
    starts = []
    keep = model._fit_lbfgs
    model._fit_lbfgs = lambda *rest: (
        starts.extend([values.ravel().copy() for values in (*model.coefs_, *model.intercepts_)])
        or keep(*rest)
    )
    model.fit(X, Y.ravel())
    net = network((3, 8, 1), ("tanh", "identity"), "half_squared_error", rng=0)
    net = net.with_parameters(np.concatenate(starts))
    result = train_lbfgs(net, X, Y, alpha=0.1, iterations=500, tolerance=1e-3)
    assert result.converged
    assert len(result.loss_curve) == model.n_iter_
    assert result.loss_curve[-1] == pytest.approx(model.loss_, rel=1e-9)
    ends = [values.ravel() for values in (*model.coefs_, *model.intercepts_)]
    np.testing.assert_allclose(result.network.parameters, np.concatenate(ends), atol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_finds_the_minimum_of_ridge_regression(dtype):
    """Linear networks have a minimum in closed form; 1,300 examples take several blocks."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((1300, 4)).astype(dtype)
    y = (X @ [1.0, -2.0, 0.5, 0.0] + 3.0 + rng.standard_normal(1300)).astype(dtype)
    weights = rng.integers(0, 3, 1300).astype(dtype)
    net = network((4, 1), ("identity",), "half_squared_error", rng=0, dtype=dtype)
    result = train_lbfgs(net, X, y[:, None], sample_weight=weights, alpha=20.0, tolerance=1e-8)
    oracle = Ridge(alpha=20.0).fit(X.astype(float), y.astype(float), weights.astype(float))
    expected = [*oracle.coef_, oracle.intercept_]
    assert result.network.dtype == dtype
    np.testing.assert_allclose(result.network.parameters, expected, rtol=1e-6, atol=1e-6)


def test_memory_does_not_grow_with_the_examples():
    """Wide layers over many examples are never held as a whole."""
    X = np.random.default_rng(0).standard_normal((20_000, 2))
    net = network((2, 200, 1), ("tanh", "identity"), "half_squared_error", rng=0)
    train_lbfgs(net, X[:9], X[:9, :1], iterations=1)
    tracemalloc.start()
    train_lbfgs(net, X, X[:, :1], iterations=2)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20_000 * 200 * 8 / 2


def test_sparse_inputs_are_dense_inputs(problem):
    """Their blocks become dense one by one."""
    net, X, Y = problem
    X = np.where(X > 0.5, X, 0.0)
    dense, sparse = (train_lbfgs(net, some, Y, alpha=0.1) for some in (X, csr_array(X)))
    np.testing.assert_array_equal(dense.network.parameters, sparse.network.parameters)
    with pytest.raises(NetworkError, match="must have shape"):
        train_lbfgs(net, csr_array(X[:, :2]), Y)


def test_normalisation_over_the_batch_is_refused(problem):
    """Its statistics belong to batches; over the layer it works."""
    _, X, Y = problem
    for kind in ("layer", "batch"):
        net = network(
            (3, 8, 1), ("tanh", "identity"), "half_squared_error", rng=1, normalisation=kind
        )
        if kind == "layer":
            assert train_lbfgs(net, X, Y, alpha=0.1).loss_curve[-1] < gradient(net, X, Y)[0] / 2
        else:
            with pytest.raises(NetworkError, match="L-BFGS does not"):
                train_lbfgs(net, X, Y)


def test_best_and_curves_come_back_and_callbacks_end_it(problem):
    """Iterations are told as epochs are; the best one is returned."""
    net, X, Y = problem
    seen = []
    held = X[:20] + 0.4, Y[:20]
    result = train_lbfgs(
        net, X, Y, alpha=0.01, validation=held, restore_best=True,
        callbacks=[seen.append, lambda epoch: epoch.number == 25],
    )  # fmt: skip
    assert result.stopped
    assert not result.converged
    assert [epoch.number for epoch in seen] == list(range(1, 26))
    assert result.loss_curve == tuple(epoch.loss for epoch in seen)
    curve = result.validation_losses["validation"]
    assert result.best_epoch == np.argmin(curve) + 1 < 25
    assert validation_loss(result.network, *held) == min(curve)
    lengths = [
        np.linalg.norm(after - before)
        for before, after in zip(
            (epoch.network.parameters for epoch in seen),
            (epoch.network.parameters for epoch in seen[1:]),
            strict=False,
        )
    ]
    np.testing.assert_allclose(result.learning_rates[1:], lengths)


@pytest.mark.parametrize("limit", [{"iterations": 3}, {"evaluations": 5}])
def test_limits_end_it_without_convergence(problem, limit):
    """So many iterations, or evaluations, and no more."""
    net, X, Y = problem
    result = train_lbfgs(net, X, Y, **limit)
    assert not result.converged
    assert 1 <= len(result.loss_curve) <= 5
    assert list(result.loss_curve) == sorted(result.loss_curve, reverse=True)


def test_real_interrupt_returns_what_was_learned(problem):
    """A signal ends it; the network of the last step comes back."""
    net, X, Y = problem
    result = train_lbfgs(
        net, X, Y,
        callbacks=lambda epoch: epoch.number == 5 and signal.raise_signal(signal.SIGINT),
    )  # fmt: skip
    assert result.interrupted
    assert not result.stopped
    assert len(result.loss_curve) == 5
    cost, _ = gradient(result.network, X, Y)
    assert cost == pytest.approx(result.loss_curve[-1], rel=1e-12)


@pytest.mark.parametrize(
    "cost",
    [
        "sum(where(a > -9, exp(1000 + 0*a), a))",  # infinite at the start, and flat
        "sum(a**3)",  # falls for ever
        "sum(where(a > 5, 1/(a - a), (a - 6)**2))",  # no way on
    ],
)
def test_infinite_costs_are_an_error_with_the_last_good_network(cost):
    """At the start, at the end, and where the line search leads."""
    X = np.linspace(-2, 4, 20)[:, None]
    net = network((1, 1), ("identity",), cost, rng=0)
    with pytest.raises(DivergenceError, match=r"in iteration \d+:[^$]*\nStandardise X") as caught:
        train_lbfgs(net, X, X)
    assert np.isfinite(caught.value.network.parameters).all()


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"iterations": 0}, "iterations"), ({"evaluations": 2.5}, "evaluations"),
        ({"tolerance": -1.0}, "tolerance"), ({"alpha": "much"}, "alpha"),
        ({"restore_best": True}, "restore_best"), ({"callbacks": 3}, "callbacks"),
    ],
)  # fmt: skip
def test_arguments_that_mean_nothing_are_refused(problem, options, named):
    """The error names the argument."""
    net, X, Y = problem
    with pytest.raises(NetworkError, match=named):
        train_lbfgs(net, X, Y, **options)
