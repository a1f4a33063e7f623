"""The equations of a fitted estimator."""

import numpy as np
import pytest

from chainrule.estimators import FeedforwardClassifier, FeedforwardRegressor, load
from chainrule.networks import NetworkError

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
X = np.random.default_rng(0).standard_normal((40, 3))
ESTIMATORS = (FeedforwardClassifier, FeedforwardRegressor)


def _targets(kind):
    return np.digitize(X[:, 0], [-0.5, 0.5]) if kind is FeedforwardClassifier else X[:, 1]


def _fitted(kind, **options):
    return kind(
        hidden_layer_sizes=(5,), activation="tanh", max_iter=2, random_state=0, **options
    ).fit(X, _targets(kind))


def test_a_classifier_shows_its_own_layers():
    """Three classes are a softmax behind the hidden layer, with the sizes of the data."""
    shown = _fitted(FeedforwardClassifier).propagation(batch=20)
    assert shown.title == "Network 3-5-3: categorical_cross_entropy behind softmax"
    text = shown.to_text()
    assert "∂J/∂Z[2] = (A[2] - Y)/m    20×3" in text
    assert "lambda = 0.0001" in text


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_the_penalty_is_in_the_slopes_of_the_weights_alone(kind):
    """alpha/(2m)·Σ W² has the derivative alpha·W/m, and none by the biases."""
    text = _fitted(kind, alpha=0.25).propagation(axis=0).to_text()
    assert "J = (Σ_i J_i)/m + lambda·S/(2·m)    lambda = 0.25" in text
    for line in ("∂J/∂Z[2] A[1]ᵀ + lambda·W[2]/m", "∂J/∂Z[1] A[0]ᵀ + lambda·W[1]/m"):
        assert line in text
    assert "∂J/∂b[1] = Σ_{axis=1} ∂J/∂Z[1]    5×1" in text


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_without_a_penalty_none_is_shown(kind):
    fitted = _fitted(kind, alpha=0.0)
    text = fitted.propagation(batch=8).to_text()
    assert "lambda" not in text
    assert "penalty" not in text
    assert text == fitted.network_.propagation(batch=8).to_text()


def test_a_saved_estimator_shows_the_same(tmp_path):
    fitted = _fitted(FeedforwardRegressor, alpha=0.5)
    fitted.save(tmp_path / "m.safetensors")
    assert (
        load(tmp_path / "m.safetensors").propagation().to_text() == fitted.propagation().to_text()
    )


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_an_estimator_that_is_not_fitted_has_no_equations(kind):
    with pytest.raises(AttributeError, match="no propagation before it is fitted; call fit first"):
        kind().propagation()


@pytest.mark.parametrize("settings", [{"batch": 0}, {"batch": 1.5}, {"axis": 3}])
def test_bad_batches_and_axes_are_refused(settings):
    with pytest.raises(NetworkError):
        _fitted(FeedforwardRegressor).propagation(**settings)


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_the_equations_are_those_of_the_fit_whatever_is_set_after(kind, tmp_path):
    """A later alpha belongs to the next fit; a file keeps the one that was used."""
    fitted = _fitted(kind, alpha=0.25)
    fitted.set_params(alpha=8.0)
    fitted.save(tmp_path / "m.safetensors")
    for estimator in (fitted, load(tmp_path / "m.safetensors")):
        assert "lambda = 0.25" in estimator.propagation().to_text()


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_weights_of_examples_stand_in_the_cost_and_the_slopes(kind, tmp_path):
    """J = Σ_i s_i J_i / Σ_i s_i + lambda S / (2 Σ_i s_i), as training minimises it."""
    estimator = kind(
        hidden_layer_sizes=(5,), activation="tanh", max_iter=2, random_state=0, alpha=0.5
    )
    fitted = estimator.fit(X, _targets(kind), sample_weight=np.linspace(0.5, 2.0, len(X)))
    fitted.save(tmp_path / "m.safetensors")
    for known in (fitted, load(tmp_path / "m.safetensors")):
        text = known.propagation().to_text()
        assert "J = (Σ_i s_i·J_i)/(Σ_i s_i) + lambda·S/(2·Σ_i s_i)" in text
        assert "∂J/∂Z[2] = broadcast(s) ⊙ (A[2] - Y)/(Σ_i s_i)" in text
        assert "lambda·W[2]/(Σ_i s_i)" in text
    assert "s_i" not in fitted.fit(X, _targets(kind)).propagation().to_text()
