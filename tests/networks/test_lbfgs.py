"""L-BFGS: scikit-learn's solver, minima known in closed form, stops, failures."""

import signal
import tracemalloc

import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.sparse import random as random_sparse
from sklearn.linear_model import Ridge
from sklearn.neural_network import MLPRegressor

from chainrule.networks import (
    CheckpointError,
    DivergenceError,
    ModelFileError,
    NetworkError,
    gradient,
    load_checkpoint,
    network,
    standardisation,
    train_lbfgs,
    validation_loss,
)
from chainrule.networks.lbfgs._steps import Steps, can_step


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


@pytest.mark.parametrize("standardises", [False, True])
@pytest.mark.parametrize(("dtype", "near"), [("float64", 1e-6), ("float32", 1e-3)])
@pytest.mark.parametrize("normalisation", ["", "layer"])
def test_wide_sparse_inputs_are_dense_inputs(standardises, dtype, near, normalisation):
    """The products of the first layer are sparse, several blocks of rows, learned parameters."""
    X = random_sparse(1100, 1500, density=0.02, format="csr", dtype=dtype, random_state=0)
    Y = np.asarray(X[:, :700].sum(axis=1) - X[:, 700:].sum(axis=1), dtype)
    net = network(
        (1500, 4, 3, 1), ("leaky_relu", "tanh", "identity"), "half_squared_error", dtype=dtype,
        rng=0, normalisation=normalisation, learned=[["alpha"], [], []],
    )  # fmt: skip
    weights = np.random.default_rng(0).random(1100)
    given = standardisation(net, X, Y, weights) if standardises else None
    dense, sparse = (
        train_lbfgs(
            net, some, Y, sample_weight=weights, alpha=0.1, iterations=5, standardisation=given
        )
        for some in (X.toarray(), X)
    )
    np.testing.assert_allclose(sparse.loss_curve, dense.loss_curve, rtol=near)
    np.testing.assert_allclose(
        sparse.network.parameters, dense.network.parameters, rtol=near, atol=near
    )


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


# checkpoints


def _same(one, other):
    np.testing.assert_array_equal(one.network.parameters, other.network.parameters)
    for curve in ("loss_curve", "validation_losses", "validation_scores", "learning_rates"):
        assert getattr(one, curve) == getattr(other, curve)
    assert (one.best_epoch, one.converged) == (other.best_epoch, other.converged)


@pytest.mark.parametrize(
    "options",
    [
        {"iterations": 40},
        {"iterations": 500, "tolerance": 1e-2, "alpha": 0.1},
        {"iterations": 500, "evaluations": 25, "restore_best": True},
        {"iterations": 15, "score": lambda net: float(net.parameters[0])},
    ],
    ids=["steps", "converges", "evaluations", "score"],
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_interrupted_minimisation_goes_on_bit_for_bit(tmp_path, problem, options, dtype):
    """As if nothing had been, and as without a checkpoint: by SciPy's own function."""
    _, X, Y = problem
    net = network((3, 8, 1), ("tanh", "identity"), "half_squared_error", rng=1, dtype=dtype)
    options = {**options, "validation": (X[:9] + 0.1, Y[:9])}
    alone = train_lbfgs(net, X, Y, **options)
    path = tmp_path / "run"
    told, ends = [], [2, 3, 8, 14]

    def end(epoch):
        told.append(epoch.number)
        if len(told) in ends:
            raise KeyboardInterrupt if len(told) % 2 else RuntimeError("lost")

    for place in ends:
        if place % 2:
            kept = train_lbfgs(net, X, Y, checkpoint=path, callbacks=[end], **options)
            assert kept.interrupted
        else:
            with pytest.raises(RuntimeError, match="lost"):
                train_lbfgs(net, X, Y, checkpoint=path, callbacks=[end], **options)
    _same(train_lbfgs(net, X, Y, checkpoint=path, callbacks=[end], **options), alone)
    assert sorted(set(told)) == list(range(1, len(alone.loss_curve) + 1))
    assert len(told) == len(alone.loss_curve) + len(ends)  # nobody else was told twice
    np.testing.assert_array_equal(load_checkpoint(path).parameters, alone.network.parameters)
    counted = len(told)
    _same(train_lbfgs(net, X, Y, checkpoint=path, callbacks=[end], **options), alone)
    assert len(told) == counted


def test_another_minimisation_is_refused(tmp_path, problem):
    """The arguments that differ are named."""
    net, X, Y = problem
    path = tmp_path / "run"
    train_lbfgs(net, X, Y, iterations=2, checkpoint=path)
    for options, named in (
        ({"iterations": 3}, "iterations: 2 there, 3 now"),
        ({"iterations": 2, "alpha": 0.5}, "alpha: 0.0 there, 0.5 now"),
        ({"iterations": 2, "sample_weight": np.arange(60)}, "sample_weight: some there, other"),
    ):
        with pytest.raises(CheckpointError, match=named):
            train_lbfgs(net, X, Y, checkpoint=path, **options)
    with pytest.raises(NetworkError, match="checkpoint_every"):
        train_lbfgs(net, X, Y, checkpoint=path, checkpoint_every=0)


@pytest.mark.parametrize(
    "change",
    [
        lambda memory: memory[:-1],
        lambda memory: memory.reshape(1, -1),
        lambda memory: np.append(memory[:-1], np.nan),
        lambda memory: np.append(memory[:-1], 1e305),
        *(
            lambda memory, place=place, value=value: np.where(
                np.arange(memory.size) == memory.size - 29 - 44 + place, value, memory
            )
            for place, value in [(4, 7), (20, -2), (26, 10), (26, -1), (27, 11), (28, 10), (37, 9)]
        ),
    ],
)
def test_no_memory_makes_the_routine_read_beyond_its_arrays(change):
    """What a file claims to be places in arrays is checked before SciPy's routine trusts it."""
    assert can_step()

    def bowl(x):
        return float((x**4).sum()), 4 * x**3

    steps = Steps(np.array([1.0, 2.0, 3.0]))
    for _ in range(3):
        assert steps.advance(bowl, tolerance=0.0)
    assert Steps(steps.x, steps.memory).advance(bowl, tolerance=0.0)
    with pytest.raises(ModelFileError, match="memory of L-BFGS"):
        Steps(steps.x, change(steps.memory))
