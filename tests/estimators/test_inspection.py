"""A look inside: hidden activations, and derivatives of the outputs by the inputs."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.exceptions import NotFittedError

from chainrule.estimators import FeedforwardClassifier, FeedforwardRegressor
from chainrule.formulas import ParameterError

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(scope="module", name="X")
def _examples():
    return np.random.default_rng(0).standard_normal((40, 3))


def _differences(function, X, step=1e-6):
    """Central differences, the inputs last."""
    slopes = []
    for j in range(X.shape[1]):
        moved = np.zeros(X.shape[1])
        moved[j] = step
        slopes.append((function(X + moved) - function(X - moved)) / (2 * step))
    return np.stack(slopes, axis=-1)


def test_hidden_activations_are_what_the_weights_make(X):
    """Layer by layer in NumPy; the last hidden layer by default."""
    model = FeedforwardRegressor(
        hidden_layer_sizes=(5, 4), activation=["tanh", "logistic"], max_iter=2, random_state=0
    ).fit(X, X[:, 0])
    (W1, W2, _), (b1, b2, _) = model.coefs_, model.intercepts_
    first = np.tanh(X @ W1 + b1)
    second = 1.0 / (1.0 + np.exp(-(first @ W2 + b2)))
    np.testing.assert_allclose(model.hidden_activations(X, 1), first, rtol=1e-12)
    np.testing.assert_allclose(model.hidden_activations(X, 2), second, rtol=1e-12)
    np.testing.assert_allclose(model.hidden_activations(csr_matrix(X)), second, rtol=1e-12)


@pytest.mark.parametrize("classes", [2, 3])
def test_gradients_of_probabilities_are_their_differences(X, classes):
    """Also a block of rows at a time, and through a layer-coupled hidden activation."""
    y = np.digitize(X[:, 0], [0.0, 0.7][: classes - 1])
    model = FeedforwardClassifier(
        (6, 4), ["silu", "softmax"], learning_rate_init=0.05, max_iter=30, random_state=0
    ).fit(X, y)
    expected = _differences(model.predict_proba, X)
    assert expected.shape == (40, classes, 3)
    np.testing.assert_allclose(model.input_gradients(X), expected, atol=1e-8)
    np.testing.assert_allclose(model.input_gradients(csr_matrix(X)), expected, atol=1e-8)


def test_gradients_of_labels_and_of_outputs(X):
    """Many labels; one output without its axis, several with it; float32 stays float32."""
    labels = FeedforwardClassifier((5,), "tanh", max_iter=5, random_state=0).fit(
        X, (X[:, :2] > 0).astype(int)
    )
    np.testing.assert_allclose(
        labels.input_gradients(X), _differences(labels.predict_proba, X), atol=1e-8
    )
    for y in (X[:, 0], X[:, :2]):
        model = FeedforwardRegressor("poisson", (5,), "gelu", max_iter=5, random_state=0)
        model.fit(X, np.abs(y))
        slopes = model.input_gradients(X)
        np.testing.assert_allclose(slopes, _differences(model.predict, X), atol=1e-7)
        assert slopes.shape == (*y.shape, 3)
        model.fit(X.astype(np.float32), np.abs(y))
        assert model.input_gradients(X[:1]).dtype == np.float32


def test_layers_that_are_not_there_and_bad_inputs_are_refused(X):
    """The message tells how many there are."""
    model = FeedforwardRegressor(hidden_layer_sizes=(5, 4), max_iter=1).fit(X, X[:, 0])
    for layer in (0, 3, -1, 1.0, True, "1"):
        with pytest.raises(ParameterError, match="from 1 to 2"):
            model.hidden_activations(X, layer)
    with pytest.raises(ValueError, match="NaN"):
        model.input_gradients([[np.nan, 0.0, 0.0]])
    with pytest.raises(ParameterError, match="no hidden layers"):
        FeedforwardRegressor(hidden_layer_sizes=(), max_iter=1).fit(X, X).hidden_activations(X)
    with pytest.raises(NotFittedError):
        FeedforwardRegressor().input_gradients(X)


def test_statistics_and_curves_of_a_fit():
    """The methods look at the fitted network, with targets as the estimator was given them."""
    from matplotlib.figure import Figure

    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3))
    y = np.where(X[:, 0] > 0, "yes", "no")
    classifier = FeedforwardClassifier((4,), max_iter=5, tol=10.0, random_state=0)
    classifier.fit(X, y, eval_set=[(X[:20], y[:20])])
    looked = classifier.layer_statistics(X, y)
    assert looked.examples == 60
    Z = X @ classifier.coefs_[0] + classifier.intercepts_[0]
    assert looked.layers[0].dead == pytest.approx((Z <= 0).all(axis=0).mean())
    figure = classifier.plot_learning_curve(Figure())
    assert len(figure.axes[0].lines) == 2
