"""Learning in parts: `partial_fit` and `warm_start`."""

import pickle

import numpy as np
import pytest

from chainrule.estimators import FeedforwardClassifier, FeedforwardRegressor, load
from chainrule.formulas import ParameterError
from chainrule.networks import Cosine, OneCycle, WarmUp
from chainrule.networks.training._run import Run

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((50, 3))
    return X, np.array(["low", "high"])[(X[:, 0] + X[:, 1] > 0).astype(int)]


def _through_a_file(model, path):
    model.save(path)
    return load(path)


@pytest.mark.parametrize(
    "keep",
    [lambda model, _: pickle.loads(pickle.dumps(model)), _through_a_file],
    ids=["pickled", "saved"],
)
@pytest.mark.parametrize("solver", ["adam", "sgd"])
@pytest.mark.parametrize("learning_rate", ["constant", "invscaling"])
def test_parts_make_up_the_whole(tmp_path, data, solver, learning_rate, keep):
    """Twelve partial fits are one fit of twelve epochs, bit for bit, shuffled batches and all."""
    options = {"solver": solver, "learning_rate": learning_rate, "batch_size": 8, "tol": 0.0,
               "random_state": 3, "learning_rate_init": 0.02}  # fmt: skip
    whole = FeedforwardClassifier((6,), max_iter=12, **options).fit(*data)
    parts = FeedforwardClassifier((6,), **options)
    for epoch in range(12):
        parts.partial_fit(*data, classes=["low", "high"] if epoch == 0 else None)
        if epoch == 5:
            parts = keep(parts, tmp_path / "model")
    np.testing.assert_array_equal(parts.network_.parameters, whole.network_.parameters)
    assert parts.loss_curve_ == whole.loss_curve_
    assert (parts.n_iter_, parts.t_, whole.t_) == (1, 600, 600)


def test_a_later_part_may_bring_a_new_class():
    """As long as `classes` told of it in the first call; others are refused."""
    model = FeedforwardClassifier(learning_rate_init=0.05, random_state=0)
    model.partial_fit([[1.0], [2.0]], [1, 2], classes=[1, 2, 7])
    for _ in range(80):
        model.partial_fit([[1.0], [2.0], [9.0]], [1, 2, 7])
    np.testing.assert_array_equal(model.predict([[1.0], [9.0]]), [1, 7])
    with pytest.raises(ValueError, match=r"classes not in .* 'y' has \[3\]"):
        model.partial_fit([[1.0]], [3])
    with pytest.raises(ValueError, match="not the same as on last call"):
        model.partial_fit([[1.0]], [1], classes=[1, 2])
    with pytest.raises(ValueError, match="2 features"):
        model.partial_fit([[1.0, 2.0]], [1])
    assert model.classes_.tolist() == [1, 2, 7]


def test_a_first_part_without_classes_is_refused_and_leaves_nothing(data):
    """And so is a first part with bad data; the next call starts afresh."""
    model = FeedforwardClassifier((3,))
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        model.partial_fit(*data)
    with pytest.raises(ValueError, match="NaN"):
        model.partial_fit([[np.nan]], [1], classes=[1, 2])
    assert not hasattr(model, "classes_")
    model.partial_fit(*data, classes=["low", "high"])


def test_what_needs_all_data_is_refused_in_parts(data):
    """Early stopping, balanced classes, L-BFGS."""
    with pytest.raises(ParameterError, match="does not support early_stopping"):
        FeedforwardRegressor(early_stopping=True).partial_fit(data[0], data[0])
    with pytest.raises(ParameterError, match="balanced' needs all data"):
        FeedforwardClassifier(class_weight="balanced").partial_fit(*data, classes=["low", "high"])
    assert not hasattr(FeedforwardRegressor(solver="lbfgs"), "partial_fit")


def test_another_solver_goes_on_from_the_same_weights(data):
    """It begins without memory: as on weights that were assigned, after parts by "sgd"."""
    options = {"shuffle": False, "standardise": False, "batch_size": 50}
    model = FeedforwardClassifier((4,), solver="sgd", random_state=0, **options)
    model.partial_fit(*data, classes=["low", "high"])
    fresh = FeedforwardClassifier((4,), solver="adam", **options)
    fresh.coefs_, fresh.intercepts_ = model.coefs_, model.intercepts_
    model.set_params(solver="adam").partial_fit(*data)
    fresh.partial_fit(*data, classes=["low", "high"])
    np.testing.assert_array_equal(model.network_.parameters, fresh.network_.parameters)


def test_weights_of_examples_count_in_parts(data):
    """A weight of 2 in one batch is the example twice, the penalty's share apart."""
    X, y = data
    weights = np.where(np.arange(50) < 20, 2.0, 1.0)
    options = {
        "hidden_layer_sizes": (4,), "alpha": 0.0, "shuffle": False, "random_state": 0,
        "standardise": False, "batch_size": 200,
    }  # fmt: skip
    weighted, doubled = FeedforwardClassifier(**options), FeedforwardClassifier(**options)
    for _ in range(5):
        weighted.partial_fit(X, y, weights, classes=["low", "high"])
        doubled.partial_fit(np.vstack([X[:20], X]), np.concatenate([y[:20], y]),
                            classes=["low", "high"])  # fmt: skip
    np.testing.assert_allclose(weighted.coefs_[0], doubled.coefs_[0], rtol=1e-9)


def test_a_warm_start_goes_on(data):
    """The loss falls on from where it was; curves and the examples seen are added up."""
    model = FeedforwardRegressor(
        hidden_layer_sizes=(8,), warm_start=True, max_iter=20, learning_rate_init=0.02,
        random_state=0, stopping_folds=0,
    )  # fmt: skip
    X, y = data[0], data[0][:, 0] ** 2
    first = model.fit(X, y).loss_
    model.fit(X, y)
    assert model.loss_ < first
    assert (model.n_iter_, len(model.loss_curve_), model.t_) == (20, 40, 2000)
    model.set_params(warm_start=False).fit(X, y)
    assert (model.loss_, len(model.loss_curve_), model.t_) == (first, 20, 1000)


def test_a_warm_start_with_other_layers_or_classes_is_refused(data):
    """The message tells both sizes, or both sets of classes."""
    X, y = data
    model = FeedforwardClassifier((4,), warm_start=True, max_iter=1).fit(X, y)
    with pytest.raises(ValueError, match="same classes as in the previous"):
        model.fit(X, np.arange(50) % 3)
    with pytest.raises(ParameterError, match=r"3-4-1 units.*ask for 3-5-1"):
        model.set_params(hidden_layer_sizes=(5,)).fit(X, y)
    with pytest.raises(ValueError, match="2 features"):
        model.fit(X[:, :2], y)


@pytest.mark.parametrize(
    ("named", "value"),
    [("cosine", Cosine()), ("one_cycle", OneCycle()), ("warm_up", WarmUp())],
)
@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_schedules_by_name_are_their_values(data, named, value, solver):
    """With every solver that takes steps; another schedule leads elsewhere."""
    fits = [
        FeedforwardClassifier(
            (4,), solver=solver, learning_rate=given, max_iter=6, random_state=0
        ).fit(*data).network_.parameters
        for given in (named, value, "constant")
    ]  # fmt: skip
    np.testing.assert_array_equal(fits[0], fits[1])
    assert (fits[0] != fits[2]).any()


def test_an_interrupted_part_says_so(monkeypatch, data):
    """As an interrupted fit does: the loop around it may want to end."""
    X, y = data
    model = FeedforwardClassifier((4,), random_state=0).partial_fit(X, y, classes=np.unique(y))

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Run, "epoch", interrupted)
    with pytest.warns(UserWarning, match="was interrupted within its pass"):
        model.partial_fit(X, y)
    monkeypatch.undo()
    assert model.partial_fit(X, y).score(X, y) > 0.0
