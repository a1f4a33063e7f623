"""Estimators on data as they are: standardised inside, folded into the weights, going on."""

import warnings

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.datasets import load_diabetes, load_wine
from sklearn.preprocessing import StandardScaler

from chainrule.estimators import FeedforwardClassifier, FeedforwardRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(scope="module")
def wine():
    return load_wine(return_X_y=True)


def _classifier(**options):
    return FeedforwardClassifier((8,), **{"max_iter": 20, "random_state": 0, **options})


def _regressor(**options):
    return FeedforwardRegressor(
        hidden_layer_sizes=(8,), **{"max_iter": 20, "random_state": 0, **options}
    )


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_inputs_need_no_scaler(wine, solver):
    """Probabilities are those behind a StandardScaler; the weights are of the raw inputs."""
    X, y = wine
    own = _classifier(solver=solver).fit(X, y)
    scaler = StandardScaler().fit(X)
    Z = scaler.transform(X)
    behind = _classifier(solver=solver, standardise=False).fit(Z, y)
    np.testing.assert_allclose(own.predict_proba(X), behind.predict_proba(Z), rtol=1e-6)
    np.testing.assert_allclose(
        own.coefs_[0], behind.coefs_[0] / scaler.scale_[:, None], rtol=1e-6, atol=1e-12
    )
    np.testing.assert_allclose(own.loss_curve_, behind.loss_curve_, rtol=1e-7)
    hidden = np.maximum(X @ own.coefs_[0] + own.intercepts_[0], 0.0)
    np.testing.assert_allclose(own.hidden_activations(X), hidden, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("cost", ["auto", "absolute_error"])
def test_targets_need_no_scaler(cost):
    """Predictions and losses in the targets' unit are those of standardised targets, moved back."""
    X, y = load_diabetes(return_X_y=True)
    y = 1e4 * y - 3e6
    own = _regressor(cost=cost).fit(X, y)
    behind = _regressor(cost=cost, standardise=False).fit(
        StandardScaler().fit_transform(X), (y - y.mean()) / y.std()
    )
    scaled = behind.predict(StandardScaler().fit_transform(X)) * y.std() + y.mean()
    np.testing.assert_allclose(own.predict(X), scaled, rtol=1e-7)
    unit = y.std() if cost == "absolute_error" else y.var()
    np.testing.assert_allclose(own.loss_curve_, unit * np.array(behind.loss_curve_), rtol=1e-6)
    two = _regressor().fit(X, np.column_stack([y, y]))
    assert two.predict(X).shape == (442, 2)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("cost", ["huber", "sum(log(1 + (a - y)**2))"])
def test_targets_may_be_small_or_large_beside_the_scale_of_the_cost(cost, solver):
    """They are fitted about as well as by squares; from raw targets R² was far below 0."""
    X, y = load_diabetes(return_X_y=True)
    held = slice(0, None, 4)
    rest = np.setdiff1d(np.arange(len(y)), np.arange(len(y))[held])
    options = {"solver": solver, "max_iter": 60}
    squares = _regressor(**options).fit(X[rest], y[rest])
    for unit in (1e-5, 0.1) if "log" in cost else (1e-5, 1.0, 1e4):
        own = _regressor(cost=cost, **options).fit(X[rest], unit * y[rest] + 3.0)
        score = own.score(X[held], unit * y[held] + 3.0)
        assert score > squares.score(X[held], y[held]) - 0.12, unit


def test_costs_with_a_scale_of_their_own_go_on():
    """Parts are epochs of a fit, and the loss at the end is the cost as it is written."""
    X, y = load_diabetes(return_X_y=True)
    whole = _regressor(cost="huber", max_iter=4, tol=0.0).fit(X, y)
    parts = _regressor(cost="huber")
    for _ in range(4):
        parts.partial_fit(X, y)
    np.testing.assert_array_equal(parts.network_.parameters, whole.network_.parameters)
    still = _regressor(cost="huber", max_iter=40, tol=0.0, alpha=0.0, n_iter_no_change=99)
    still.fit(X, y, eval_set=[(X, y)])
    off = np.abs(still.predict(X) - y)
    cost = np.mean(np.where(off <= 1.0, off**2 / 2.0, off - 0.5))
    assert still.validation_losses_[-1] == pytest.approx(cost, rel=1e-9)


def test_sets_to_evaluate_are_measured_as_they_are(wine):
    """Losses and scores of a set are those that the finished network has there."""
    X, y = load_diabetes(return_X_y=True)
    own = _regressor().fit(X, 100.0 * y, eval_set=[(X[:99], 100.0 * y[:99])])
    off = own.predict(X[:99]) - 100.0 * y[:99]
    assert own.validation_losses_[-1] == pytest.approx(np.mean(off**2) / 2, rel=1e-9)
    assert own.validation_scores_[-1] == pytest.approx(own.score(X[:99], 100.0 * y[:99]))


@pytest.mark.parametrize("sparse", [False, True])
def test_parts_and_warm_starts_keep_the_first_scale(wine, sparse):
    """Epochs by `partial_fit` are those of `fit`; data of another scale change nothing of it."""
    X, y = wine
    inputs = csr_matrix(X) if sparse else X
    whole = _classifier(max_iter=4, tol=0.0).fit(X, y)
    parts = _classifier()
    for _ in range(4):
        parts.partial_fit(inputs, y, classes=[0, 1, 2])
    np.testing.assert_array_equal(parts.network_.parameters, whole.network_.parameters)
    again = _classifier(max_iter=1, warm_start=True, learning_rate_init=1e-12).fit(X, y)
    before = again.predict_proba(X)
    again.fit(np.vstack([X, X[:9] * 1.5]), [*y, *y[:9]])
    np.testing.assert_allclose(again.predict_proba(X), before, rtol=1e-6)


def test_a_first_part_of_few_examples_gives_no_scale():
    """Two examples tell no scale of those to come."""
    few = _classifier().partial_fit([[1000.0], [1001.0]], [0, 1], classes=[0, 1])
    many = _classifier().partial_fit(1000.0 + np.arange(10.0)[:, None], [0, 1] * 5, classes=[0, 1])
    assert few._standardisation is None
    assert many._standardisation.centres == pytest.approx([1004.5])


def test_folds_tell_how_long_to_train():
    """Noise is learned for fewer epochs than what can be predicted, and none are counted at 0."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 10))
    noise, clear = rng.integers(0, 2, 200), (X[:, 0] + X[:, 1] > 0).astype(int)
    options = {"max_iter": 100, "learning_rate_init": 0.005, "recipe": "own"}
    epochs = [_classifier(**options).fit(X, y).n_iter_ for y in (noise, clear)]
    assert epochs[0] < 15 < epochs[1]
    assert _classifier(**options, stopping_folds=0).fit(X, noise).n_iter_ == 100
    assert _classifier(**options, tol=0.0).fit(X, noise).n_iter_ == 100
    assert _classifier(**options, tol=0.0, stopping_folds=2).fit(X, noise).n_iter_ < 15
    assert _classifier(**{**options, "max_iter": 99}).fit(X, noise).n_iter_ == 99


def test_it_ends_with_the_first_epochs_of_the_whole_training():
    """Counting takes nothing from the random numbers; no warning that it had not converged."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((100, 5)), rng.standard_normal(100)
    counted = _regressor(max_iter=100, learning_rate_init=0.01).fit(X, y)
    whole = _regressor(max_iter=counted.n_iter_, learning_rate_init=0.01, stopping_folds=0).fit(
        X, y
    )
    assert 1 <= counted.n_iter_ < 100
    np.testing.assert_array_equal(counted.network_.parameters, whole.network_.parameters)


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize("value", [1e3, -1e6, 1e12])
def test_constant_targets_far_from_zero_are_learned(solver, value):
    """Training begins at the mean of the targets, also where they have no spread."""
    X = np.random.default_rng(0).standard_normal((100, 3))
    model = FeedforwardRegressor(hidden_layer_sizes=(10,), solver=solver, random_state=0)
    np.testing.assert_allclose(model.fit(X, np.full(100, value)).predict(X), value, atol=0.5)


def test_targets_whose_spread_is_rounding_beside_their_mean_are_learned():
    """Where targets differ by less than 1e-12 of their mean, they are at least near it."""
    X = np.random.default_rng(0).standard_normal((200, 3))
    y = 0.5 * X[:, 0] + 1e12
    model = FeedforwardRegressor(hidden_layer_sizes=(10,), random_state=0).fit(X, y)
    assert model.score(X, y) > 0.9


@pytest.mark.parametrize(
    ("cost", "spread", "pointed"),
    [
        ("sum(log(1 + (a - y)**2))", 38.0, False),
        ("sum(log(1 + (a - y)**2))", 40.0, True),
        ("sum(log(1 + (a - y)**2))", 1e6, True),
        ("sum(1 - exp(-(a - y)**2))", 1.3, False),
        ("sum(1 - exp(-(a - y)**2))", 1.4, True),
        ("sum((a - y)**2/(1 + (a - y)**2))", 1.9, False),
        ("sum((a - y)**2/(1 + (a - y)**2))", 2.0, True),
        ("sum(sqrt(1 + (a - y)**2) - 1)", 1e6, False),
        ("sum(sqrt(abs(a - y)))", 1e6, False),
        ("half_squared_error", 1e6, False),
    ],
)
def test_costs_that_large_errors_hardly_change_are_pointed_at(cost, spread, pointed):
    """Where errors of the targets' spread are doubled and cost less than 2^¼ times as much.

    By hand: log(1 + 4d²) = 2^¼ log(1 + d²) at d = 39, 1 - exp(-4d²) = 2^¼ (1 - exp(-d²)) at 1.36,
    and 4 (1 + d²) = 2^¼ (1 + 4d²) at 1.93. One target far away is what such costs are for.
    """
    y = np.linspace(-1.0, 1.0, 21)
    X = y[:, None].copy()
    y[0] = -1e5
    regressor = FeedforwardRegressor(hidden_layer_sizes=(), cost=cost, max_iter=1, stopping_folds=0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        regressor.fit(X, 2.0 * spread * y)
    texts = [str(warning.message) for warning in caught if warning.filename == __file__]
    assert any("divide the targets by their spread" in text for text in texts) == pointed
