"""The estimators among scikit-learn's: pipelines, searches, ensembles, calibration, data frames."""

import copy
import pickle
import signal

import numpy as np
import pandas as pd
import polars as pl
import pytest
from joblib import parallel_backend
from sklearn import config_context
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_iris
from sklearn.ensemble import AdaBoostClassifier, BaggingClassifier, VotingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from chainrule.estimators import FeedforwardClassifier, FeedforwardRegressor
from chainrule.networks import Cosine

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(scope="module")
def iris():
    X, y = load_iris(return_X_y=True)
    return StandardScaler().fit_transform(X), y


def _model(**options):
    return FeedforwardClassifier(
        (8,), **{"max_iter": 40, "learning_rate_init": 0.05, "random_state": 0, **options}
    )


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_searches_in_threads_and_processes_agree_with_one(iris, backend):
    """The same scores wherever the fits run."""
    grid = {"activation": ["tanh", "z*abs(z)"], "learning_rate": ["cosine", Cosine(0.1)]}
    alone = GridSearchCV(_model(), grid, cv=2).fit(*iris)
    with parallel_backend(backend, n_jobs=2):
        shared = GridSearchCV(_model(), grid, cv=2).fit(*iris)
    np.testing.assert_array_equal(
        alone.cv_results_["mean_test_score"], shared.cv_results_["mean_test_score"]
    )
    assert shared.best_score_ > 0.9


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_an_interrupt_ends_a_whole_search(iris, solver):
    """A network that was cut short is not scored, and no further fit begins."""
    begun = []

    def interrupt(epoch):
        begun.append(epoch.number)
        if epoch.number == 3:
            signal.raise_signal(signal.SIGINT)

    search = GridSearchCV(_model(solver=solver), {"alpha": [0.0, 0.1, 1.0]}, cv=3)
    with pytest.raises(KeyboardInterrupt):
        search.fit(*iris, callbacks=interrupt)
    assert begun == [1, 2, 3]


def test_an_interrupt_ends_the_last_step_of_a_pipeline_alone(iris):
    """It is a fit of one's own, whose network is there afterwards."""

    def interrupt(epoch):
        if epoch.number == 3:
            signal.raise_signal(signal.SIGINT)

    pipeline = make_pipeline(StandardScaler(), _model())
    with pytest.warns(UserWarning, match="was interrupted after 3 epochs"):
        pipeline.fit(*iris, feedforwardclassifier__callbacks=interrupt)
    assert pipeline[-1].n_iter_ == 3


def test_ensembles_and_calibration(iris):
    """Bagging, voting, boosting by sample weights, calibration: each learns."""
    made = [
        BaggingClassifier(_model(), n_estimators=3, random_state=0),
        VotingClassifier([("net", _model()), ("line", LogisticRegression())], voting="soft"),
        AdaBoostClassifier(_model(max_iter=15), n_estimators=3, random_state=0),
        CalibratedClassifierCV(_model(), cv=2),
    ]
    for ensemble in made:
        assert ensemble.fit(*iris).score(*iris) > 0.9, ensemble
        np.testing.assert_allclose(ensemble.predict_proba(iris[0]).sum(axis=1), 1.0)


def test_pipelines_of_sparse_text():
    """A vectorizer's sparse matrix goes in as it is."""
    texts = ["red green", "green blue", "blue sky", "red wine", "wine and red", "sky is blue"] * 3
    y = [1, 0, 0, 1, 1, 0] * 3
    model = make_pipeline(TfidfVectorizer(), _model())
    assert model.fit(texts, y).score(texts, y) == 1.0


def test_importances_scores_and_scaled_targets(iris):
    """Tools that call an estimator many times."""
    X, y = iris
    fitted = _model().fit(X, y)
    assert permutation_importance(fitted, X, y, n_repeats=2).importances_mean.argmax() in (2, 3)
    assert cross_val_score(_model(), X, y, cv=2).min() > 0.9
    regressor = TransformedTargetRegressor(
        FeedforwardRegressor(learning_rate_init=0.02, random_state=0), transformer=StandardScaler()
    )
    assert regressor.fit(X[:, :3], 1000.0 * X[:, 3]).score(X[:, :3], 1000.0 * X[:, 3]) > 0.9


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_data_frames_keep_their_names(iris, frame):
    """The names are kept; other names are refused, and rows without names are told of."""
    X = {name: iris[0][:, j] for j, name in enumerate("abcd")}
    model = _model(max_iter=2).fit(frame(X), iris[1])
    assert list(model.feature_names_in_) == list("abcd")
    np.testing.assert_array_equal(
        model.predict_proba(frame(X)), _model(max_iter=2).fit(*iris).predict_proba(iris[0])
    )
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame({"z" if name == "a" else name: X[name] for name in X}))
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        model.predict(iris[0])


def test_copies_are_the_same_and_independent(iris):
    """Pickles, deep copies, clones; a clone has the parameters, and is not fitted."""
    fitted = _model(learning_rate=Cosine(), class_weight={0: 2.0}).fit(*iris)
    for copied in (pickle.loads(pickle.dumps(fitted)), copy.deepcopy(fitted)):
        np.testing.assert_array_equal(copied.predict_proba(iris[0]), fitted.predict_proba(iris[0]))
        before = fitted.network_.parameters.copy()
        copied.partial_fit(*iris)
        np.testing.assert_array_equal(fitted.network_.parameters, before)
        assert copied.t_ == fitted.t_ + 150
    assert clone(fitted).get_params() == fitted.get_params()
    assert not hasattr(clone(fitted), "coefs_")


@pytest.mark.parametrize("kind", [FeedforwardClassifier, FeedforwardRegressor])
def test_weights_of_examples_are_routed(iris, kind):
    """Through pipelines, searches and cross-validation, to fits and scores: as by hand."""
    X, y = iris
    weights = np.random.default_rng(0).uniform(0.1, 2.0, len(y))
    bare = kind(hidden_layer_sizes=(5,), max_iter=20, learning_rate_init=0.05, random_state=0)
    folds = list(KFold(3, shuffle=True, random_state=0).split(X))
    by_hand = [
        clone(bare).fit(X[rows], y[rows], weights[rows]).score(X[rest], y[rest], weights[rest])
        for rows, rest in folds
    ]
    with config_context(enable_metadata_routing=True):
        model = clone(bare).set_fit_request(sample_weight=True)
        model.set_score_request(sample_weight=True)
        search = GridSearchCV(model, {"alpha": [1e-4]}, cv=folds).fit(X, y, sample_weight=weights)
        scores = cross_validate(model, X, y, cv=folds, params={"sample_weight": weights})
        piped = make_pipeline("passthrough", model).fit(X, y, sample_weight=weights)
    np.testing.assert_allclose(search.cv_results_["mean_test_score"], [np.mean(by_hand)])
    np.testing.assert_array_equal(scores["test_score"], by_hand)
    whole = clone(bare).fit(X, y, weights)
    np.testing.assert_array_equal(piped[-1].network_.parameters, whole.network_.parameters)


def test_copies_between_parts_go_on_alike(iris):
    """What `partial_fit` remembers is copied, and is each copy's own."""
    model = _model()
    for _ in range(3):
        model.partial_fit(*iris, classes=[0, 1, 2])
    copies = [pickle.loads(pickle.dumps(model)), copy.deepcopy(model)]
    for one in (model, *copies):
        for _ in range(3):
            one.partial_fit(*iris)
    for copied in copies:
        np.testing.assert_array_equal(copied.network_.parameters, model.network_.parameters)
        assert copied.loss_curve_ == model.loss_curve_
        assert copied.t_ == model.t_
