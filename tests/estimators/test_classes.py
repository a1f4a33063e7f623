"""Weights of classes, smoothed labels, bounded regression."""

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_sample_weight

from chainrule.estimators import FeedforwardClassifier, FeedforwardRegressor
from chainrule.formulas import ParameterError

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((90, 3))
    return X, np.array([3, 5, 8])[np.digitize(X[:, 0], [0.3, 1.2])]


def _model(**options):
    return FeedforwardClassifier((5,), max_iter=8, random_state=0, **options)


@pytest.mark.parametrize("weights", ["balanced", {3: 0.5, 5: 1.0, 8: 4.0}, {8: 2.5}])
def test_class_weights_are_weights_of_examples(data, weights):
    """By scikit-learn's function for them, multiplied with what examples weigh already."""
    X, y = data
    whole = weights if weights == "balanced" else {3: 1.0, 5: 1.0, **weights}
    equal = compute_sample_weight(whole, y)
    given = np.linspace(0.5, 1.5, 90)
    np.testing.assert_array_equal(
        _model(class_weight=weights).fit(X, y).network_.parameters,
        _model().fit(X, y, equal).network_.parameters,
    )
    np.testing.assert_allclose(
        _model(class_weight=weights).fit(X, y, given).coefs_[0],
        _model().fit(X, y, given * equal).coefs_[0],
        rtol=1e-9,
    )


def test_class_weights_in_parts_and_of_many_labels(data):
    """A mapping serves `partial_fit`, a list of mappings many labels at once."""
    X, y = data
    parts = _model(class_weight={8: 3.0}).partial_fit(X, y, classes=[3, 5, 8])
    equal = _model().partial_fit(X, y, np.where(y == 8, 3.0, 1.0), classes=[3, 5, 8])
    np.testing.assert_array_equal(parts.network_.parameters, equal.network_.parameters)
    Y = np.column_stack([y == 3, y == 8]).astype(int)
    lists = [{0: 1.0, 1: 2.0}, {0: 1.0, 1: 5.0}]
    np.testing.assert_allclose(
        _model(class_weight=lists).fit(X, Y).coefs_[0],
        _model().fit(X, Y, compute_sample_weight(lists, Y)).coefs_[0],
    )


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({4: 1.0}, "names 4"),
        ({3: -1.0}, r"a number in \[0, inf\)"),
        ({3: "heavy"}, "a number in"),
        ({3: np.inf}, "a number in"),
        ({3: 0.0, 5: 0.0, 8: 0.0}, "above 0"),
        ([1.0, 2.0], "does not fit y.*dict of labels"),
        ([{3: 1.0}, {5: 1.0}], "does not fit y.*dict of labels"),
    ],
)
def test_bad_class_weights_are_refused(data, weights, message):
    """Unknown classes, negative weights, no weight at all."""
    with pytest.raises(ParameterError, match=f"(?s){message}"):
        _model(class_weight=weights).fit(*data)


def test_bad_class_weights_of_many_labels_are_refused(data):
    """One mapping for several columns does not say which."""
    X, y = data
    with pytest.raises(ParameterError, match="a list with a dict"):
        _model(class_weight={0: 1.0, 1: 2.0}).fit(X, np.column_stack([y == 3, y == 5]).astype(int))


@pytest.mark.parametrize("count", [2, 3])
def test_smoothed_labels_are_targets_with_a_share_spread(data, count):
    """A regressor on targets smoothed by hand, from the same seed, is the same network."""
    X, y = data
    y = np.minimum(y, 5) if count == 2 else y
    hot = (y[:, None] == np.unique(y)).astype(float)
    soft = 0.8 * hot + 0.2 / count
    output, cost = ("softmax", "categorical_cross_entropy")
    if count == 2:
        soft, output, cost = soft[:, 1:], "sigmoid", "binary_cross_entropy"
    by_hand = FeedforwardRegressor(
        hidden_layer_sizes=(5,), max_iter=8, random_state=0, output_activation=output, cost=cost
    ).fit(X, soft[:, 0] if count == 2 else soft)
    smoothed = _model(label_smoothing=0.2).fit(X, y)
    np.testing.assert_allclose(
        smoothed.network_.parameters, by_hand.network_.parameters, rtol=1e-12
    )
    assert set(smoothed.predict(X)) <= set(y)


def test_smoothing_bounds_the_confidence(data):
    """However long it trains, one unit's probability nears 1 - epsilon/2; with early stopping."""
    X = np.array([[-1.0], [1.0]] * 20)
    y = X[:, 0] > 0
    model = FeedforwardClassifier(
        (8,), label_smoothing=0.2, alpha=0.0, solver="lbfgs", max_iter=300, random_state=0
    ).fit(X, y)
    np.testing.assert_allclose(model.predict_proba([[1.0]]), [[0.1, 0.9]], atol=1e-3)
    stopped = FeedforwardClassifier(
        (8,), label_smoothing=0.2, early_stopping=True, learning_rate_init=0.05, random_state=0
    ).fit(X, y)
    assert stopped.best_validation_score_ == 1.0


def test_a_bounded_output_keeps_predictions_in_bounds(data):
    """A sigmoid scaled to the range, with any cost."""
    X, _ = data
    y = np.clip(X[:, 0], -1.0, 1.0)
    model = FeedforwardRegressor(
        hidden_layer_sizes=(8,), output_activation="2/(1 + exp(-z)) - 1", cost="huber",
        learning_rate_init=0.05, random_state=0,
    ).fit(X, y)  # fmt: skip
    far = model.predict(100.0 * X)
    assert (np.abs(far) <= 1.0).all()
    assert np.abs(far).max() > 0.9
    assert model.score(X, y) > 0.9
