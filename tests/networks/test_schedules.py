"""Learning-rate schedules: hand-worked rates, scikit-learn's schedules, ranges."""

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor

from chainrule.networks import (
    Adam,
    Adaptive,
    Constant,
    Cosine,
    Exponential,
    GradientDescent,
    InverseScaling,
    NetworkError,
    OneCycle,
    Span,
    StepDecay,
    WarmUp,
    network,
    train,
)

SPAN = Span(2.0, epochs=4, steps=3, examples=50)
LATER = Span(2.0, epochs=4, steps=3, examples=50, epochs_before=10, steps_before=70,
             examples_before=900)  # fmt: skip


@pytest.mark.parametrize(
    ("schedule", "span", "steps", "expected"),
    [
        (Constant(), SPAN, [0, 5], [2.0, 2.0]),
        (Cosine(0.5), SPAN, [0, 6, 12, 40], [2.0, 1.5, 1.0, 1.0]),
        (Cosine(), LATER, [70, 76, 82], [2.0, 1.0, 0.0]),
        (Cosine(epochs=12.0), LATER, [70, 73, 76], [2 * (1 + np.cos(np.pi * k / 12)) / 2
                                                   for k in (10, 11, 12)]),
        (OneCycle(0.25, 10.0, 10.0), SPAN, [0, 3, 12], [0.2, 2.0, 0.02]),
        (StepDecay(2.0, 0.5), SPAN, [0, 5, 6, 11], [2.0, 2.0, 1.0, 1.0]),
        (StepDecay(10.0, 0.5), LATER, [70], [1.0]),
        (Exponential(0.125), SPAN, [0, 1, 3], [2.0, 1.0, 0.25]),
        (InverseScaling(1.0), SPAN, [0, 2, 3, 6], [2.0, 2.0, 2 / 51, 2 / 101]),
        (InverseScaling(1.0), LATER, [70, 73], [2 / 901, 2 / 951]),
        (Adaptive(), Span(2.0, 4, 3, 50, reductions=2), [0], [2.0 / 5 / 5]),
        (WarmUp(2.0), SPAN, [0, 2, 5, 6], [2 / 6, 1.0, 2.0, 2.0]),
        (WarmUp(2.0, StepDecay(1.0, 0.5)), SPAN, [0, 3], [2 / 6, 4 / 6]),
        (WarmUp(12.0), LATER, [70], [2.0 * (10 + 1 / 3) / 12]),
    ],
)  # fmt: skip
def test_rates_are_those_worked_by_hand(schedule, span, steps, expected):
    """Each formula at steps where its value is known."""
    np.testing.assert_allclose(schedule.rates(np.array(steps), span), expected, atol=1e-15)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Cosine(-0.1), lambda: Cosine(epochs=0), lambda: OneCycle(rise=1.0),
        lambda: OneCycle(start=0.5), lambda: StepDecay(0.0), lambda: StepDecay(factor=2.0),
        lambda: Exponential("0.9"), lambda: InverseScaling(float("nan")),
        lambda: Adaptive(divisor=1.0), lambda: WarmUp(True), lambda: WarmUp(3, 0.1),
    ],
)  # fmt: skip
def test_parameters_outside_their_range_are_refused(make):
    """The error names schedule, parameter and range."""
    with pytest.raises(NetworkError, match=r"[A-Z]\w+: \w+ must be a"):
        make()


@pytest.mark.parametrize(
    ("name", "schedule"),
    [("constant", None), ("invscaling", InverseScaling(0.3)), ("adaptive", Adaptive())],
)
def test_training_follows_scikit_learn_to_its_end(name, schedule):
    """The same start gives the same losses, rates, parameters and last epoch."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 3))
    y = np.sin(X).sum(axis=1)
    model = MLPRegressor(
        hidden_layer_sizes=(5,), activation="tanh", solver="sgd", alpha=0.01, batch_size=16,
        learning_rate=name, learning_rate_init=0.1, power_t=0.3, max_iter=1,
        shuffle=False, random_state=0, tol=2e-3, n_iter_no_change=2, momentum=0.5,
    )  # fmt: skip
    with pytest.warns(ConvergenceWarning):
        model.fit(X, y)
    net = network((3, 5, 1), ("tanh", "identity"), "half_squared_error", rng=0)
    flat = [values.ravel() for values in (*model.coefs_, *model.intercepts_)]
    net = net.with_parameters(np.concatenate(flat))
    model.set_params(warm_start=True, max_iter=300)
    model.t_, model.best_loss_, model._no_improvement_count = 0, np.inf, 0
    model.loss_curve_ = []
    model.fit(X, y)
    result = train(
        net, X, y[:, None], optimiser=GradientDescent(0.1, 0.5), schedule=schedule, alpha=0.01,
        batch_size=16, epochs=300, shuffle=False, tolerance=2e-3, patience=2,
    )  # fmt: skip
    assert result.converged
    assert len(result.loss_curve) == model.n_iter_ > 5
    np.testing.assert_allclose(result.loss_curve, model.loss_curve_, rtol=1e-9)
    flat = [values.ravel() for values in (*model.coefs_, *model.intercepts_)]
    np.testing.assert_allclose(result.network.parameters, np.concatenate(flat), rtol=1e-8)
    if name == "adaptive":
        assert min(result.learning_rates) == model._optimizer.learning_rate <= 1e-6


@pytest.mark.parametrize("optimiser", [Adam(0.01), GradientDescent(0.01)])
def test_every_optimiser_takes_the_rates(optimiser):
    """An epoch under a rate of 0 moves nothing; the curve tells each epoch's last rate."""
    X = np.random.default_rng(0).standard_normal((12, 2))
    net = network((2, 1), ("identity",), "half_squared_error", rng=0)
    seen = []
    result = train(
        net, X, X[:, :1], optimiser=optimiser, schedule=Cosine(epochs=1.0), batch_size=6,
        epochs=3, callbacks=seen.append,
    )  # fmt: skip
    assert result.learning_rates == (0.005, 0.0, 0.0)
    assert (seen[0].network.parameters != net.parameters).all()
    if isinstance(optimiser, Adam):
        np.testing.assert_array_equal(seen[2].network.parameters, seen[0].network.parameters)


def test_adaptive_behind_a_warm_up_still_lowers_the_rate():
    """Patience reaches the schedule that follows the rise."""
    X = np.random.default_rng(0).standard_normal((12, 2))
    net = network((2, 1), ("identity",), "half_squared_error", rng=0)
    schedule = WarmUp(1, Adaptive(divisor=10.0, lowest=1e-3))
    result = train(
        net, X, X[:, :1], optimiser=Adam(0.1), schedule=schedule, tolerance=1e6, patience=1
    )
    # The first epoch improves on nothing; after that every second one lowers the rate.
    expected = [0.1] * 3 + [0.01] * 2 + [0.001] * 2
    np.testing.assert_allclose(result.learning_rates, expected)
    assert result.converged
