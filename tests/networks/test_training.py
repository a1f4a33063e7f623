"""Training: steps against scikit-learn's optimisers, stopping, seeds, failures."""

import numpy as np
import pytest
from sklearn.neural_network._stochastic_optimizers import AdamOptimizer, SGDOptimizer

from chainrule.networks import (
    Adam,
    DivergenceError,
    GradientDescent,
    NetworkError,
    gradient,
    network,
    train,
    validation_split,
)


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
    monkeypatch.setattr("chainrule.networks._run._OPERATIONS_PER_CALL", 1.0)
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
    assert len(result.loss_curve) == 4
    np.testing.assert_array_equal(result.network.parameters, seen[0].parameters)


def test_progress_is_shown_in_a_terminal_only(problem, capsys, monkeypatch):
    """The bar shows loss and score where somebody can see it, and nothing elsewhere."""
    net, X, Y = problem
    train(net, X, Y, epochs=2, rng=0, show_progress=True)
    assert capsys.readouterr() == ("", "")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "160")
    train(net, X, Y, epochs=2, rng=0, show_progress=True, score=lambda _: 0.25)
    shown = capsys.readouterr().out
    assert "loss" in shown
    assert "validation score 0.2500" in shown


@pytest.mark.parametrize("options", [{"batch_size": 0}, {"epochs": 0}])
def test_counts_below_one_are_refused(problem, options):
    """No batches and no epochs are mistakes."""
    net, X, Y = problem
    with pytest.raises(NetworkError, match="at least 1"):
        train(net, X, Y, **options)


def test_split_keeps_the_proportions_of_classes():
    """Each class gives its share; the parts are disjoint and complete."""
    classes = np.array(["a"] * 60 + ["b"] * 30 + ["c"] * 10)
    rows, aside = validation_split(100, 0.2, np.random.default_rng(0), classes)
    assert sorted([*rows, *aside]) == list(range(100))
    assert [int((classes[aside] == label).sum()) for label in "abc"] == [12, 6, 2]


def test_split_leaves_every_class_something_to_train_on():
    """A class of one stays with the training part, and small classes are not all lost."""
    classes = np.repeat(np.arange(21), [1] + [2] * 20)
    rows, aside = validation_split(41, 0.25, np.random.default_rng(0), classes)
    assert set(classes[rows]) == set(range(21))
    assert len(aside) == 10


def test_split_of_too_few_examples_is_refused():
    """One example cannot be both."""
    with pytest.raises(NetworkError, match="too few"):
        validation_split(1, 0.1, np.random.default_rng(0))
