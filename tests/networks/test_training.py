"""Training: steps against scikit-learn's optimisers, stopping, seeds, failures."""

import os
import signal
import sys
import threading
import time
import weakref
from dataclasses import FrozenInstanceError
from functools import partial
from threading import Event

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.neural_network import MLPRegressor
from sklearn.neural_network._stochastic_optimizers import AdamOptimizer, SGDOptimizer

from chainrule.formulas import parse
from chainrule.networks import (
    Adam,
    DivergenceError,
    GradientDescent,
    NetworkError,
    Watch,
    gradient,
    network,
    propagate,
    standardisation,
    train,
    train_lbfgs,
    validation_loss,
)
from chainrule.networks.training._interrupts import lost_interrupts
from chainrule.networks.training._run import Run


@pytest.fixture
def problem():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((23, 4))
    Y = np.sin(X @ rng.standard_normal((4, 2)))
    return network((4, 6, 2), ("tanh", "identity"), "half_squared_error", rng=1), X, Y


@pytest.mark.parametrize(
    ("optimiser", "oracle"),
    [
        (Adam(0.01, 0.8, 0.95, 1e-6), lambda p: AdamOptimizer(p, 0.01, 0.8, 0.95, 1e-6)),
        (GradientDescent(0.1, 0.7, nesterov=True),
         lambda p: SGDOptimizer(p, 0.1, "constant", 0.7, nesterov=True)),
        (GradientDescent(0.1, 0.7, nesterov=False),
         lambda p: SGDOptimizer(p, 0.1, "constant", 0.7, nesterov=False)),
        (GradientDescent(0.1, 0.0), lambda p: SGDOptimizer(p, 0.1, "constant", 0.0)),
    ],
)  # fmt: skip
def test_steps_agree_with_scikit_learn(problem, optimiser, oracle):
    """Three epochs of batches of 10, 10 and 3 move the parameters as scikit-learn's rules do."""
    net, X, Y = problem
    weights = np.random.default_rng(2).uniform(0.5, 2.0, len(X))
    result = train(
        net, X, Y, optimiser=optimiser, sample_weight=weights, alpha=0.1, batch_size=10, epochs=3,
        shuffle=False,
    )  # fmt: skip
    values = [np.array(net.parameters)]
    reference = oracle(values)
    losses = []
    for _ in range(3):
        total = 0.0
        for rows in (slice(0, 10), slice(10, 20), slice(20, 23)):
            cost, slopes = gradient(
                net.with_parameters(values[0]), X[rows], Y[rows], alpha=0.1,
                sample_weight=weights[rows],
            )  # fmt: skip
            reference.update_params(values, [slopes])
            total += cost * weights[rows].sum()
        losses.append(total / weights.sum())
    np.testing.assert_allclose(result.network.parameters, values[0], rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(result.loss_curve, losses, rtol=1e-10)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_same_seed_gives_the_same_bits(problem, dtype):
    """Two runs from one seed agree bit for bit; another seed takes another order."""
    _, X, Y = problem
    net = network((4, 6, 2), ("relu", "identity"), "half_squared_error", rng=1, dtype=dtype)
    runs = [train(net, X, Y, epochs=5, batch_size=7, rng=seed) for seed in (3, 3, 4)]
    np.testing.assert_array_equal(runs[0].network.parameters, runs[1].network.parameters)
    assert (runs[0].network.parameters != runs[2].network.parameters).any()
    assert runs[0].network.dtype == dtype


def test_seed_decides_what_is_dropped(problem):
    """In a fixed order of the examples, dropout is all that a seed changes."""
    net, X, Y = problem
    options = {"epochs": 2, "shuffle": False, "dropout": 0.5}
    ends = [train(net, X, Y, rng=seed, **options).network.parameters for seed in (3, 3, 4)]
    np.testing.assert_array_equal(ends[0], ends[1])
    assert (ends[0] != ends[2]).any()


def test_every_example_is_taken_once_an_epoch():
    """With a linear cost the step is the sum of the examples, in whatever order and batches."""
    X = np.random.default_rng(0).standard_normal((17, 3))
    net = network((3, 1), ("identity",), "sum(a*y)", rng=0)
    result = train(
        net, X, np.ones((17, 1)), optimiser=GradientDescent(1.0, 0.0), batch_size=1, epochs=1, rng=0
    )
    moved = result.network.parameters - net.parameters
    np.testing.assert_allclose(moved, [*-X.sum(axis=0), -17.0], rtol=1e-12)


def test_given_network_and_data_stay_what_they_are(problem):
    """Training writes into nothing that it was given."""
    net, X, Y = problem
    before = net.parameters.copy(), X.copy(), Y.copy()
    train(net, X, Y, epochs=2, rng=0)
    for now, then in zip((net.parameters, X, Y), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_whole_weights_are_repetitions(problem):
    """Without mini-batches a weight of k is k copies, and a weight of 0 is absence."""
    net, X, Y = problem
    counts = np.arange(23) % 4
    weighted = train(net, X, Y, sample_weight=counts, alpha=0.1, epochs=20, rng=0)
    repeated = train(net, X.repeat(counts, 0), Y.repeat(counts, 0), alpha=0.1, epochs=20, rng=0)
    np.testing.assert_allclose(
        weighted.network.parameters, repeated.network.parameters, rtol=1e-7, atol=1e-9
    )


def test_training_in_several_calls_is_the_same_training(problem, monkeypatch):
    """Long epochs are cut into calls, between which an interrupt is noticed, and no more."""
    net, X, Y = problem
    whole = train(net, X, Y, epochs=3, batch_size=5, rng=0)
    monkeypatch.setattr("chainrule.networks.training._run._OPERATIONS_PER_CALL", 1.0)
    cut = train(net, X, Y, epochs=3, batch_size=5, rng=0)
    np.testing.assert_array_equal(whole.network.parameters, cut.network.parameters)
    np.testing.assert_allclose(whole.loss_curve, cut.loss_curve, rtol=1e-12)


def test_best_network_is_returned_and_patience_counted(problem):
    """The network of the best score comes back; the third epoch without improvement ends it."""
    net, X, Y = problem
    scripted = iter([0.1, 0.5, 0.5005, 0.4, 0.4, 0.9])
    seen = []

    def score(trained):
        seen.append(trained)
        return next(scripted)

    result = train(net, X, Y, epochs=50, rng=0, score=score, tolerance=0.01, patience=2)
    assert result.validation_scores == (0.1, 0.5, 0.5005, 0.4, 0.4)
    assert result.converged
    np.testing.assert_array_equal(result.network.parameters, seen[2].parameters)


def test_training_ends_when_the_cost_no_longer_falls(problem):
    """A tolerance that no epoch can meet ends training after the patience is spent."""
    net, X, Y = problem
    result = train(net, X, Y, epochs=50, rng=0, tolerance=1e6, patience=4)
    # The first epoch always improves on nothing; the next five do not.
    assert len(result.loss_curve) == 6
    assert result.converged
    assert not train(net, X, Y, epochs=2, rng=0).converged


def test_divergence_by_large_targets_says_so():
    """Where the cost overflows at the start, another learning rate would not help."""
    net = network((1, 4, 1), ("tanh", "identity"), "half_squared_error", rng=0)
    X = np.linspace(-1, 1, 20)[:, None]
    with pytest.raises(DivergenceError, match=r"divide the targets by their spread .* 1e\+200"):
        train(net, X, 1e200 * X, epochs=2, rng=0)


@pytest.mark.parametrize("trains", [train, train_lbfgs])
@pytest.mark.parametrize("standardises", [False, True])
def test_inputs_whose_squares_overflow_are_named(trains, standardises):
    """Another learning rate or penalty would not help."""
    X = np.random.default_rng(0).normal(size=(60, 2)) * 1e300
    net = network((2, 3, 1), ("relu", "identity"), "half_squared_error", rng=0)
    given = standardisation(net, X, X[:, :1] / 1e300) if standardises else None
    with pytest.raises(DivergenceError, match=r"divide X by its size .*e\+300\)") as error:
        trains(net, X, X[:, :1] / 1e300, standardisation=given)
    assert "learning rate" not in str(error.value)
    assert "alpha" not in str(error.value)


def test_divergence_is_an_error_that_keeps_the_last_good_network(problem):
    """Infinite costs raise, name the learning rate, and hold finite parameters."""
    net, X, Y = problem
    net = network((4, 6, 2), ("relu", "identity"), "half_squared_error", rng=1)
    with pytest.raises(
        DivergenceError, match=r"diverged in epoch \d+.*\nLower the learn"
    ) as caught:
        train(net, X * 1e3, Y, optimiser=GradientDescent(1e3), epochs=50, rng=0)
    assert "standardise X" in str(caught.value)
    assert np.isfinite(caught.value.network.parameters).all()


def test_interrupt_returns_the_best_so_far(problem):
    """Ctrl-C ends training; what was learned is kept."""
    net, X, Y = problem
    seen = []

    def score(trained):
        if len(seen) == 3:
            raise KeyboardInterrupt
        seen.append(trained)
        return -len(seen)

    result = train(net, X, Y, epochs=50, rng=0, score=score)
    assert result.interrupted
    assert not result.converged
    assert len(result.loss_curve) == len(result.validation_scores) == 3
    np.testing.assert_array_equal(result.network.parameters, seen[0].parameters)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"batch_size": 0}, "batch_size"),
        ({"epochs": 0}, "epochs"),
        ({"epochs": "ten"}, "epochs"),
        ({"checkpoint_every": 1.5}, "checkpoint_every"),
        ({"alpha": -0.1}, "alpha"),
        ({"tolerance": float("nan")}, "tolerance"),
        ({"patience": -1}, "patience"),
        ({"rng": "seed"}, "rng"),
        ({"schedule": 0.1}, "schedule"),
        ({"callbacks": [3]}, "callbacks"),
        ({"restore_best": True}, "restore_best"),
        ({"state": {}}, "state"),
        ({"checkpoint": 3}, "checkpoint"),
        ({"validation": [1]}, "validation"),
        ({"validation": {3: ([[1.0]], [[2.0]])}}, "names of validation sets"),
        ({"dropout": 1.0}, "dropout"),
        ({"clip_norm": -1.0}, "clip_norm"),
        ({"validation": {"far": ([[1.0]], [[2.0]])}}, "far"),
    ],
)
def test_arguments_that_mean_nothing_are_refused(problem, options, named):
    """The error names the argument; nothing is run."""
    net, X, Y = problem
    with pytest.raises(NetworkError, match=named):
        train(net, X, Y, **options)


@pytest.mark.parametrize("tolerance", [0.0, 0.05])
def test_patience_counts_as_scikit_learn_counts(tolerance):
    """Ties, improvements of just the tolerance, and NaN count or do not count as they do there."""
    rng = np.random.default_rng(0)
    values = np.round(rng.standard_normal(200) ** 2 / np.arange(1, 201), 2)
    values[[20, 21, 90]] = np.nan
    oracle = MLPRegressor(tol=tolerance)
    oracle.loss_curve_, oracle.best_loss_, oracle._no_improvement_count = [], np.inf, 0
    watch = Watch()
    for value in values:
        oracle.loss_curve_.append(value)
        oracle._update_no_improvement_count(False, None, None, None)
        watch = watch.after(-value, tolerance)
        assert (watch.waited, -watch.best) == (oracle._no_improvement_count, oracle.best_loss_)


@pytest.mark.parametrize("tolerance", [0.0, 1.0])
def test_going_on_is_the_same_as_never_having_ended(problem, tolerance):
    """Memory, steps, orders and patience pass from call to call in the state."""
    net, X, Y = problem
    options = {"batch_size": 7, "patience": 3, "tolerance": tolerance}
    whole = train(net, X, Y, epochs=9, rng=0, **options)
    parts = [train(net, X, Y, epochs=2, rng=0, **options)]
    while len(parts) < 8 and not parts[-1].converged:
        last = parts[-1]
        parts.append(train(last.network, X, Y, epochs=1, state=last.state, **options))
    assert whole.converged == (tolerance == 1.0)
    assert sum((part.loss_curve for part in parts), ()) == whole.loss_curve
    assert parts[-1].converged == whole.converged
    np.testing.assert_array_equal(parts[-1].network.parameters, whole.network.parameters)
    assert parts[-1].state.steps == 4 * len(whole.loss_curve)


def test_state_of_another_optimiser_is_refused(problem):
    """What Adam remembers means nothing to gradient descent, nor to another network."""
    net, X, Y = problem
    state = train(net, X, Y, epochs=1).state
    with pytest.raises(NetworkError, match="state is of Adam"):
        train(net, X, Y, optimiser=GradientDescent(), state=state)
    smaller = network((4, 3, 2), ("tanh", "identity"), "half_squared_error", rng=1)
    with pytest.raises(NetworkError, match="Go on with the network"):
        train(smaller, X, Y, state=state)


def test_callbacks_are_told_of_every_epoch_and_may_end_training(problem):
    """Each sees what the result holds; only True itself ends training."""
    net, X, Y = problem
    seen = []
    result = train(
        net, X, Y, epochs=9, rng=0, validation={"near": (X, Y), "far": (3 * X, Y, np.arange(23))},
        score=lambda trained: -float(np.abs(trained.parameters).sum()),
        callbacks=[lambda epoch: epoch, seen.append, lambda epoch: epoch.number == 4],
    )  # fmt: skip
    assert result.stopped
    assert not result.converged
    assert [epoch.number for epoch in seen] == [1, 2, 3, 4]
    assert tuple(epoch.loss for epoch in seen) == result.loss_curve
    assert tuple(epoch.score for epoch in seen) == result.validation_scores
    assert tuple(epoch.learning_rate for epoch in seen) == result.learning_rates
    for name in ("near", "far"):
        curve = tuple(epoch.validation_losses[name] for epoch in seen)
        assert curve == result.validation_losses[name]
    best = int(np.argmax(result.validation_scores))
    assert result.best_epoch == best + 1
    np.testing.assert_array_equal(result.network.parameters, seen[best].network.parameters)
    with pytest.raises(FrozenInstanceError):
        seen[0].loss = 0.0


@pytest.mark.parametrize(
    ("output", "cost"),
    [("identity", "half_squared_error"), ("softmax", "categorical_cross_entropy")],
)
def test_validation_loss_is_the_mean_cost(problem, output, cost):
    """It is the cost that the gradient's function tells without penalty, zero weights included."""
    _, X, _ = problem
    net = network((4, 6, 2), ("tanh", output), cost, rng=1)
    Y = np.eye(2)[np.arange(23) % 2]
    weights = np.arange(23.0)
    expected, _ = gradient(net, X, Y, sample_weight=weights)
    assert validation_loss(net, X, Y, weights) == pytest.approx(expected, rel=1e-12)


def test_validation_loss_is_that_of_prediction():
    """Normalised and learned layers, and sparse inputs."""
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((30, 4)), rng.standard_normal((30, 2))
    leaky = parse("max(alpha*z, z)", {"alpha": 0.25})
    net = network(
        (4, 6, 6, 2), (leaky, leaky, "identity"), "half_squared_error", rng=1,
        normalisation=("batch", "layer"), learned=(("alpha",), (), ()),
    )  # fmt: skip
    net = net.with_parameters(
        rng.standard_normal(net.parameters.size), rng.uniform(1.0, 2.0, net.statistics.size)
    )
    expected = 0.5 * ((propagate(net, X) - Y) ** 2).sum(axis=1).mean()
    assert validation_loss(net, X, Y) == pytest.approx(expected, rel=1e-12)
    assert validation_loss(net, csr_array(X), Y) == pytest.approx(expected, rel=1e-12)


def test_validation_loss_stays_finite_where_outputs_round_to_0():
    """The cost is computed from pre-activations: cross-entropy of a sure mistake is large."""
    net = network((1, 1), ("sigmoid",), "binary_cross_entropy", rng=0)
    net = net.with_parameters(np.array([1.0, 0.0]))
    assert validation_loss(net, [[-2000.0]], [[1.0]]) == 2000.0


def test_best_by_validation_loss_comes_back(problem):
    """Without a score the first validation set decides, about patience as well."""
    net, X, Y = problem
    seen = []
    result = train(
        net, X, Y, optimiser=Adam(0.05), epochs=200, rng=0, validation=(X[:8] + 0.5, Y[:8]),
        restore_best=True, patience=3, callbacks=seen.append,
    )  # fmt: skip
    curve = result.validation_losses["validation"]
    best = int(np.argmin(curve))
    assert result.converged
    assert 0 < best < len(curve) - 1
    np.testing.assert_array_equal(result.network.parameters, seen[best].network.parameters)
    assert validation_loss(result.network, X[:8] + 0.5, Y[:8]) == curve[best]


def test_keyboard_interrupt_is_a_real_signal(problem):
    """A signal that arrives at any time ends training, and what was learned comes back."""
    net, X, Y = problem
    timer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT))
    result = train(
        net, X, Y, epochs=10**6, rng=0, tolerance=0.0, patience=10**6,
        callbacks=lambda epoch: epoch.number == 2 and timer.start(),
    )  # fmt: skip
    timer.join()
    assert result.interrupted
    assert len(result.loss_curve) > 1
    assert len(result.learning_rates) == len(result.loss_curve)
    assert np.isfinite(result.network.parameters).all()


@pytest.mark.parametrize(
    "train_on", [partial(train, epochs=9, rng=0), partial(train_lbfgs, tolerance=0.0)]
)
def test_an_interrupt_that_python_loses_ends_training(problem, train_on, tmp_path):
    """Python ignores what is raised in the callback of a weak reference."""
    net, X, Y = problem
    hook, places = sys.unraisablehook, [None, tmp_path / "checkpoint"]

    def lose(epoch):
        if epoch.number == 3:
            thing = Event()
            reference = weakref.ref(thing, lambda _: signal.raise_signal(signal.SIGINT))
            del thing
            assert reference() is None

    for place in places:
        result = train_on(net, X, Y, callbacks=lose, checkpoint=place)
        assert result.interrupted
        assert len(result.loss_curve) in {3, 4}
        assert sys.unraisablehook is hook


def test_what_else_python_ignores_goes_where_it_went(problem, monkeypatch):
    """Only interrupts are kept from the hook that was there."""
    net, X, Y = problem
    seen = []
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: seen.append(unraisable.exc_value))

    def fail(epoch):
        thing = Event()
        reference = weakref.ref(thing, lambda _: 1 / 0)
        del thing
        assert reference() is None

    assert not train(net, X, Y, epochs=2, rng=0, callbacks=fail).interrupted
    assert [type(error) for error in seen] == [ZeroDivisionError] * 2


def test_an_interrupt_that_reaches_another_thread_is_noticed():
    """Whoever waits for a compiled function is not woken by a signal that goes elsewhere."""
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(4000, 40)), rng.normal(size=(4000, 2))
    net = network((40, 60, 2), ("tanh", "identity"), "half_squared_error", rng=0)
    order, rates = np.tile(np.arange(4000), 100), np.full(4000, 1e-3)
    rates[-1] = 1e30  # which only a run to its end comes to
    run = Run(net, X, Y, None, Adam(), batch_size=100, threads=3)
    assert run.chunk > rates.size

    def interrupt():
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)

    with run.threads():
        run.epoch(order[:4000], rates[:40])  # compiles
        threading.Timer(0.01, interrupt).start()
        with pytest.raises(KeyboardInterrupt):
            run.epoch(order, rates)
    assert abs(run.parameters).max() < 1e3


@pytest.mark.parametrize("delay", [0.0, 0.001, 0.01, 0.05])
def test_an_interrupt_ends_all_threads_after_a_whole_step(delay):
    """The caller of several threads is interrupted at any moment, and nobody waits for ever."""
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(4000, 40)), rng.normal(size=(4000, 2))
    net = network((40, 60, 2), ("tanh", "identity"), "half_squared_error", rng=0)
    # Longer than every delay; an interrupt that is lost on the way is raised behind all of it.
    order, rates = np.tile(np.arange(4000), 25), np.full(1000, 1e-3)
    before = Run(net, X, Y, None, Adam(), batch_size=100, threads=3)
    with before.threads():
        before.epoch(order[:4000], rates[:40])  # what an interrupted one needs is compiled
    run = Run(net, X, Y, None, Adam(), batch_size=100, threads=3)
    timer = threading.Timer(delay, lambda: os.kill(os.getpid(), signal.SIGINT))

    def go_on():
        with run.threads(), lost_interrupts() as raise_lost:
            timer.start()
            while True:
                raise_lost()
                run.epoch(order, rates)

    with pytest.raises(KeyboardInterrupt):
        go_on()
    for thread in threading.enumerate():
        if thread.name.startswith("chainrule training"):
            while thread.ident is None:  # the interrupt came while it was started
                time.sleep(0.001)
            thread.join(30)
            assert not thread.is_alive()
    assert run.is_finite
