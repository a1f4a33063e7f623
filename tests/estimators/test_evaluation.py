"""Examples that are not trained on: curves, early stopping, the best epoch; and callbacks."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, log_loss, r2_score

from chainrule.estimators import FeedforwardClassifier, FeedforwardRegressor
from chainrule.networks import CheckpointError, NetworkError

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(scope="module")
def parts():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((120, 4))
    y = np.array(["a", "b", "c"])[np.digitize(X[:, 0] + rng.standard_normal(120), [-0.6, 0.6])]
    return X[:60], y[:60], X[60:90], y[60:90], X[90:], y[90:]


def _model(**options):
    return FeedforwardClassifier(
        (12,), **{"max_iter": 25, "learning_rate_init": 0.05, "random_state": 0, **options}
    )


def test_curves_are_cost_and_score_of_the_network_after_each_epoch(parts):
    """By scikit-learn's metrics, on the network that a callback is given."""
    X, y, first_X, first_y, last_X, last_y = parts
    weights = np.linspace(0.5, 2.0, 30)
    seen = []
    model = _model(max_iter=6, alpha=0.5).fit(
        X, y, eval_set=[(first_X, first_y), (last_X, last_y, weights)],
        callbacks=[lambda epoch: seen.append(epoch.network)],
    )  # fmt: skip
    curves = model.evals_result_
    assert list(curves) == ["validation_0", "validation_1"]
    for epoch, network in enumerate(seen):
        model.network_ = network
        assert curves["validation_0"]["loss"][epoch] == pytest.approx(
            log_loss(first_y, model.predict_proba(first_X))
        )
        assert curves["validation_1"]["loss"][epoch] == pytest.approx(
            log_loss(last_y, model.predict_proba(last_X), sample_weight=weights)
        )
        assert curves["validation_0"]["score"][epoch] == pytest.approx(
            model.score(first_X, first_y)
        )
        assert curves["validation_1"]["score"][epoch] == pytest.approx(
            accuracy_score(last_y, model.predict(last_X), sample_weight=weights)
        )
    assert model.validation_losses_ == curves["validation_1"]["loss"]
    assert model.validation_scores_ == curves["validation_1"]["score"]
    assert model.best_validation_score_ == max(model.validation_scores_)


def test_watching_changes_nothing(parts):
    """The same network, to the bit, as without the sets."""
    X, y, first_X, first_y, *_ = parts
    watched = _model().fit(X, y, eval_set=[(first_X, first_y)])
    alone = _model().fit(X, y)
    np.testing.assert_array_equal(watched.network_.parameters, alone.network_.parameters)
    assert alone.evals_result_ == {}
    assert alone.validation_losses_ is alone.validation_scores_ is None


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_early_stopping_of_a_cost_of_ones_own_looks_at_that_cost(solver):
    """The higher R² of a quantile, the closer it is to the mean: nine in ten would be half."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((600, 3))
    y = X[:, 0] + (0.3 + np.abs(X[:, 1])) * rng.standard_normal(600)
    sets = [(X[300:450], y[300:450]), (X[150:300], y[150:300])]
    regressor = FeedforwardRegressor(
        hidden_layer_sizes=(30,), cost="sum(max(0.9*(y - a), -0.1*(y - a)))", solver=solver,
        early_stopping=True, random_state=0, max_iter=100, n_iter_no_change=30, tol=0.0,
    ).fit(X[:150], y[:150], eval_set=sets)  # fmt: skip
    losses = regressor.evals_result_["validation_1"]["loss"]
    assert regressor.best_epoch_ == np.argmin(losses) + 1
    off = sets[1][1] - regressor.predict(sets[1][0])
    kept = np.mean(np.maximum(0.9 * off, -0.1 * off))
    assert kept == pytest.approx(min(losses), rel=1e-9)
    assert len(regressor.validation_scores_) == len(losses) == regressor.n_iter_
    assert np.mean(y[450:] <= regressor.predict(X[450:])) > 0.8


@pytest.mark.parametrize("own_set", [True, False])
def test_early_stopping_keeps_the_best_epoch(parts, own_set):
    """The last set decides, or a part of the data; the network is the one of the best score."""
    X, y, first_X, first_y, last_X, last_y = parts
    sets = [(first_X, first_y), (last_X, last_y)] if own_set else None
    seen = []
    model = _model(early_stopping=True, max_iter=200, n_iter_no_change=5, tol=0.0).fit(
        X, y, eval_set=sets, callbacks=lambda epoch: seen.append(epoch.network.parameters)
    )
    assert model.n_iter_ < 200
    scores = model.validation_scores_
    assert model.best_epoch_ == 1 + int(np.argmax(scores))
    np.testing.assert_array_equal(model.network_.parameters, seen[model.best_epoch_ - 1])
    if own_set:
        assert model.score(last_X, last_y) == pytest.approx(max(scores))
        assert model.t_ == model.n_iter_ * len(X)
    else:
        assert list(model.evals_result_) == ["validation"]


def test_weights_count_in_the_score_that_stops(parts):
    """Only one example of the part kept aside has weight: the score is 0 or 1."""
    X, y, first_X, first_y, *_ = parts
    alone = np.zeros(30)
    alone[3] = 1.0
    model = _model(early_stopping=True).fit(X, y, eval_set=[(first_X, first_y, alone)])
    assert set(model.validation_scores_) <= {0.0, 1.0}
    rng = np.random.default_rng(0)
    weights = np.where(rng.random(60) < 0.5, 1.0, 1e-6)
    regressor = FeedforwardRegressor(early_stopping=True, validation_fraction=0.5, max_iter=3,
                                     random_state=0)  # fmt: skip
    rated = regressor.fit(X, X[:, 0], weights).validation_scores_
    assert rated != regressor.fit(X, X[:, 0]).validation_scores_


def test_a_regressor_is_rated_by_the_share_it_explains(parts):
    """R² on the set."""
    X, _, first_X, *_ = parts
    model = FeedforwardRegressor(max_iter=4, random_state=0).fit(
        X, X[:, :2], eval_set=[(first_X, first_X[:, :2])]
    )
    assert model.validation_scores_[-1] == pytest.approx(
        r2_score(first_X[:, :2], model.predict(first_X))
    )


def test_a_callback_ends_training(parts):
    """Where it returns True, without a warning; the curves have as many epochs."""
    X, y, first_X, first_y, *_ = parts
    model = _model().fit(
        X, y, eval_set=[(first_X, first_y)], callbacks=[lambda epoch: epoch.number == 4]
    )
    assert (model.n_iter_, len(model.validation_losses_)) == (4, 4)


def test_a_checkpoint_is_gone_on_from(parts, tmp_path):
    """Ended after seven epochs, the same call ends with the network of the undisturbed run."""
    X, y, first_X, first_y, *_ = parts

    def interrupt(epoch):
        if epoch.number == 7:
            raise RuntimeError("the power failed")

    path = tmp_path / "checkpoint"
    sets = [(first_X, first_y)]
    for options in ({"early_stopping": True}, {"early_stopping": False}, {"solver": "lbfgs"}):
        whole = _model(**options).fit(X, y, eval_set=sets)
        path = tmp_path / str(options)
        with pytest.raises(RuntimeError, match="the power failed"):
            _model(**options).fit(X, y, eval_set=sets, callbacks=interrupt, checkpoint=path)
        went_on = _model(**options).fit(X, y, eval_set=sets, checkpoint=path)
        np.testing.assert_array_equal(went_on.network_.parameters, whole.network_.parameters)
        assert went_on.loss_curve_ == whole.loss_curve_
        assert went_on.validation_losses_ == whole.validation_losses_
        np.testing.assert_array_equal(went_on.validation_scores_[7:], whole.validation_scores_[7:])
        with pytest.raises(CheckpointError, match="alpha"):
            _model(alpha=0.3, **options).fit(X, y, eval_set=sets, checkpoint=path)


def test_bad_sets_are_refused(parts):
    """Shapes, labels, columns: the message says what a set is."""
    X, y, first_X, first_y, *_ = parts
    for bad in ((first_X, first_y), [first_X, first_y], [(first_X,)], 3):
        with pytest.raises(NetworkError, match="eval_set must be a list"):
            _model().fit(X, y, eval_set=bad)
    with pytest.raises(ValueError, match="classes not in"):
        _model().fit(X, y, eval_set=[(first_X[:1], ["z"])])
    with pytest.raises(ValueError, match="expecting 4 features"):
        _model().fit(X, y, eval_set=[(first_X[:, :2], first_y)])
    with pytest.raises(ValueError, match="inconsistent"):
        _model().fit(X, y, eval_set=[(first_X, first_y[:3])])
    with pytest.raises(NetworkError, match="entry 0 of eval_set has 2 columns"):
        FeedforwardRegressor().fit(X, X[:, 0], eval_set=[(first_X, first_X[:, :2])])
    with pytest.raises(NetworkError, match="callbacks must be functions"):
        _model().fit(X, y, callbacks=[3])


def test_lbfgs_keeps_the_best_on_a_set_of_ones_own(parts):
    """With early stopping; without it the last network, and no part is kept aside either way."""
    X, y, first_X, first_y, *_ = parts
    sets = [(first_X, first_y)]
    seen = []
    best = _model(solver="lbfgs", early_stopping=True, max_iter=60).fit(
        X, y, eval_set=sets, callbacks=lambda step: seen.append(step.network.parameters)
    )
    assert best.best_epoch_ == 1 + int(np.argmax(best.validation_scores_)) < best.n_iter_
    np.testing.assert_array_equal(best.network_.parameters, seen[best.best_epoch_ - 1])
    last = _model(solver="lbfgs", max_iter=60).fit(X, y, eval_set=sets)
    np.testing.assert_array_equal(last.network_.parameters, seen[-1])
    assert last.validation_losses_ == best.validation_losses_
    alone = _model(solver="lbfgs", early_stopping=True, max_iter=60).fit(X, y)
    np.testing.assert_array_equal(alone.network_.parameters, seen[-1])
    assert alone.validation_scores_ is None
