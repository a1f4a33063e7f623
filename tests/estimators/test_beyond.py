"""What scikit-learn's networks have not: more solvers, dropout, normalisation, clipping."""

import pickle

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from chainrule.estimators import FeedforwardClassifier, FeedforwardRegressor, load
from chainrule.formulas import ParameterError, parse

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 4))
    return X, np.digitize(X[:, 0] + 0.3 * X[:, 1], [-0.5, 0.5])


def _linear(**options):
    """One unit without hidden layers: gradients by hand, one batch a step."""
    model = FeedforwardRegressor(
        hidden_layer_sizes=(), alpha=0.0, learning_rate_init=0.1, **options
    )
    model.coefs_, model.intercepts_ = [np.array([[1.0], [-2.0]])], [np.array([0.5])]
    return model


def _step(**options):
    """Return the steps of weights and bias, and their gradients: means of (a - y) x and a - y."""
    X, y = np.array([[1.0, 0.5], [-1.0, 2.0], [0.3, 0.1]]), np.array([4.0, 1.0, -2.0])
    model = _linear(**options).partial_fit(X, y)
    errors = X @ [1.0, -2.0] + 0.5 - y
    slopes = np.append(X.T @ errors, errors.sum()) / 3
    moved = np.append(model.coefs_[0][:, 0] - [1.0, -2.0], model.intercepts_[0] - 0.5)
    return moved, slopes


@pytest.mark.parametrize("decay", [0.0, 0.3])
@pytest.mark.parametrize("solver", ["adamw", "muon"])
def test_the_first_step_of_adamw_is_the_sign_of_the_gradient(solver, decay):
    """And the weights, not the bias, decay apart from it; Muon moves output layers so, too."""
    moved, slopes = _step(solver=solver, weight_decay=decay)
    expected = -0.1 * np.sign(slopes) - 0.1 * decay * np.array([1.0, -2.0, 0.0])
    np.testing.assert_allclose(moved, expected, rtol=1e-6)


def test_the_first_step_of_rmsprop():
    """The gradient over the root of its mean square, of which the first is a share 1 - beta."""
    moved, slopes = _step(solver="rmsprop", beta_2=0.96)
    np.testing.assert_allclose(moved, -0.1 * np.sign(slopes) / 0.2, rtol=1e-6)


def test_muon_moves_hidden_weights_alike_in_all_directions(data):
    """The singular values of the step are nearly the same; of Adam's they are not."""
    spread = {}
    for solver in ("muon", "adam"):
        model = FeedforwardClassifier((4,), solver=solver, alpha=0.0, weight_decay=0.0,
                                      random_state=0)  # fmt: skip
        model.partial_fit(*data, classes=[0, 1, 2])
        before = model.coefs_[0]
        values = np.linalg.svd(model.partial_fit(*data).coefs_[0] - before, compute_uv=False)
        spread[solver] = values.max() / values.min()
    assert spread["muon"] < 2.0 < spread["adam"]


@pytest.mark.parametrize("bound", [0.3, 1e3])
def test_clipping_bounds_the_gradient(bound):
    """Its length, or each of its entries; a bound that is not reached changes nothing."""
    options = {"solver": "sgd", "momentum": 0.0}
    moved, slopes = _step(**options, clip_norm=bound)
    length = np.linalg.norm(slopes)
    np.testing.assert_allclose(moved, -0.1 * slopes * min(1.0, bound / length), rtol=1e-6)
    moved, slopes = _step(**options, clip_value=bound)
    np.testing.assert_allclose(moved, -0.1 * np.clip(slopes, -bound, bound), rtol=1e-6)


def test_dropout_is_for_training_alone(data):
    """Repeatable, in parts as well; predictions drop nothing; shares for each layer."""
    options = {"hidden_layer_sizes": (6, 5), "batch_size": 20, "random_state": 0, "tol": 0.0}
    whole = FeedforwardClassifier(dropout=0.4, max_iter=6, **options).fit(*data)
    parts = FeedforwardClassifier(dropout=[0.0, 0.4, 0.4], **options)
    for _ in range(6):
        parts.partial_fit(*data, classes=[0, 1, 2])
    np.testing.assert_array_equal(parts.network_.parameters, whole.network_.parameters)
    np.testing.assert_array_equal(whole.predict_proba(data[0]), whole.predict_proba(data[0]))
    inputs = FeedforwardClassifier(dropout=(0.4, 0.0, 0.0), max_iter=6, **options).fit(*data)
    none = FeedforwardClassifier(dropout=(0, 0, 0), max_iter=6, **options).fit(*data)
    plain = FeedforwardClassifier(max_iter=6, **options).fit(*data)
    np.testing.assert_array_equal(none.network_.parameters, plain.network_.parameters)
    assert not np.allclose(inputs.coefs_[0], plain.coefs_[0])
    assert not np.allclose(inputs.coefs_[0], whole.coefs_[0])


def _scales(model, layer, width):
    start = model.network_.layout.scales[layer]
    return model.network_.parameters[start : start + width]


def test_normalised_layers_are_what_numpy_makes(data):
    """Over the units by hand; over the batch with the running statistics."""
    X, y = data
    model = FeedforwardClassifier(
        (6, 5), "tanh", normalisation=["layer", "batch"], learning_rate_init=0.05, max_iter=20,
        random_state=0,
    ).fit(X, y)  # fmt: skip
    Z = X @ model.coefs_[0]
    centred = Z - Z.mean(axis=1, keepdims=True)
    normalised = centred / np.sqrt((centred**2).mean(axis=1, keepdims=True) + 1e-5)
    first = np.tanh(normalised * _scales(model, 0, 6) + model.intercepts_[0])
    np.testing.assert_allclose(model.hidden_activations(X, 1), first, rtol=1e-6)
    means, variances = model.network_.statistics.reshape(2, 5)
    Z = (first @ model.coefs_[1] - means) / np.sqrt(variances + 1e-5)
    second = np.tanh(Z * _scales(model, 1, 5) + model.intercepts_[1])
    np.testing.assert_allclose(model.hidden_activations(X), second, rtol=1e-6)
    outputs = second @ model.coefs_[2] + model.intercepts_[2]
    np.testing.assert_array_equal(model.predict(X), outputs.argmax(axis=1))
    assert (_scales(model, 0, 6) != 1.0).all()


@pytest.mark.parametrize("kind", ["layer", "batch"])
def test_a_normalised_network_is_kept_looked_into_and_gone_on_with(data, kind, tmp_path):
    """Files, pickles, gradients by the inputs, parts, warm starts."""
    X, y = data
    options = {"hidden_layer_sizes": (6,), "activation": "silu", "normalisation": kind,
               "random_state": 0, "tol": 0.0}  # fmt: skip
    model = FeedforwardRegressor(max_iter=8, **options).fit(X, y)
    model.save(tmp_path / "model")
    copies = [load(tmp_path / "model"), pickle.loads(pickle.dumps(model))]
    for copied in copies:
        np.testing.assert_array_equal(copied.predict(X), model.predict(X))
        assert copied.get_params() == model.get_params()
    differences = np.stack(
        [(model.predict(X + step) - model.predict(X - step)) / 2e-6 for step in 1e-6 * np.eye(4)],
        axis=1,
    )
    np.testing.assert_allclose(model.input_gradients(X), differences, atol=1e-7)
    parts = FeedforwardRegressor(**options)
    for _ in range(8):
        parts.partial_fit(X, y)
    np.testing.assert_array_equal(parts.network_.parameters, model.network_.parameters)
    np.testing.assert_array_equal(parts.predict(X), model.predict(X))
    with pytest.raises(ParameterError, match=r"have \('(layer|batch)',\), but normalisation now"):
        model.set_params(normalisation=None, warm_start=True).fit(X, y)


def test_a_slope_is_learned(tmp_path):
    """PReLU finds the slope that made the data; files, gradients and parts know it."""
    X = np.linspace(-2.0, 2.0, 80)[:, None]
    y = np.where(X[:, 0] > 0, X[:, 0], 0.4 * X[:, 0])
    options = {"hidden_layer_sizes": (1,), "activation": "max(alpha*z, z)", "alpha": 0.0,
               "activation_parameters": {"alpha": 0.1}, "learned_parameters": ["alpha"],
               "learning_rate_init": 0.05, "max_iter": 300, "tol": 0.0}  # fmt: skip
    model = FeedforwardRegressor(warm_start=True, **options)
    model.coefs_, model.intercepts_ = [np.ones((1, 1)), np.ones((1, 1))], [np.zeros(1)] * 2
    model.fit(X, y)
    learned = dict(model.network_.learned_activations[0].parameters)["alpha"]
    assert learned == pytest.approx(0.4, abs=1e-2)
    fixed = FeedforwardRegressor(**{**options, "learned_parameters": []}, random_state=0)
    assert fixed.fit(X, y).loss_ > model.loss_
    model.save(tmp_path / "model")
    back = load(tmp_path / "model")
    np.testing.assert_array_equal(back.predict(X), model.predict(X))
    assert back.partial_fit(X, y).loss_ < 1.1 * model.loss_
    Z = X @ model.coefs_[0] + model.intercepts_[0]
    np.testing.assert_allclose(model.hidden_activations(X), np.maximum(learned * Z, Z), rtol=1e-9)
    slopes = model.input_gradients([[-1.0], [1.0]])
    assert slopes[0, 0] / slopes[1, 0] == pytest.approx(learned)
    with pytest.raises(ParameterError, match="learned_parameters now asks for"):
        back.set_params(learned_parameters=None, warm_start=True).fit(X, y)


def test_the_bound_of_an_output_is_learned(tmp_path):
    """A regression between bounds that nobody knows finds them; the file has them too."""
    X = np.linspace(-3.0, 3.0, 200)[:, None]
    y = 5.0 * np.tanh(X[:, 0])
    bounded = parse("beta*tanh(z)", {"beta": 1.0})
    model = FeedforwardRegressor(
        hidden_layer_sizes=(), output_activation=bounded, learned_parameters=["beta"],
        learning_rate_init=0.05, max_iter=400, tol=0.0, random_state=0,
    ).fit(X, y)  # fmt: skip
    found = dict(model.network_.learned_activations[-1].parameters)["beta"]
    assert found == pytest.approx(5.0, abs=0.05)
    assert model.score(X, y) > 0.999
    model.save(tmp_path / "model")
    back = load(tmp_path / "model")
    np.testing.assert_array_equal(back.predict(X), model.predict(X))
    assert back.partial_fit(X, y).loss_ < 1.1 * model.loss_ + 1e-6


def test_a_checkpoint_holds_the_statistics_of_batches(data, tmp_path):
    """Gone on with, it is bit for bit the undisturbed network, early stopping included."""
    X, y = data

    def interrupt(epoch):
        if epoch.number == 5:
            raise RuntimeError("the power failed")

    def model():
        return FeedforwardClassifier(
            (6,), normalisation="batch", dropout=0.2, early_stopping=True, max_iter=12,
            validation_fraction=0.3, random_state=0,
        )  # fmt: skip

    with pytest.raises(RuntimeError, match="the power failed"):
        model().fit(X, y, checkpoint=tmp_path / "checkpoint", callbacks=interrupt)
    went_on = model().fit(X, y, checkpoint=tmp_path / "checkpoint")
    whole = model().fit(X, y)
    np.testing.assert_array_equal(went_on.predict_proba(X), whole.predict_proba(X))
    assert went_on.loss_curve_ == whole.loss_curve_
    assert went_on.validation_scores_ == whole.validation_scores_


def test_sparse_rows_with_several_entries_for_a_place_are_summed(data):
    """As SciPy does; and the matrix that was given stays what it was."""
    X, y = data
    rows, columns = (place.ravel() for place in np.indices(X.shape))
    twice = csr_matrix(
        (np.tile(X.ravel() / 2, 2), (np.tile(rows, 2), np.tile(columns, 2))), shape=X.shape
    )
    given = csr_matrix(
        (np.repeat(X.ravel() / 2, 2), np.repeat(columns, 2), np.arange(0, 2 * X.size + 1, 8)),
        shape=X.shape,
    )
    assert given.nnz == 2 * X.size
    for matrix in (twice, given):
        model = FeedforwardClassifier((4,), max_iter=3, random_state=0).fit(matrix, y)
        dense = FeedforwardClassifier((4,), max_iter=3, random_state=0).fit(X, y)
        np.testing.assert_allclose(model.coefs_[0], dense.coefs_[0], rtol=1e-9)
        np.testing.assert_allclose(model.predict_proba(matrix), dense.predict_proba(X), rtol=1e-9)
    assert given.nnz == 2 * X.size


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dropout": 1.0}, "dropout .*a number in"),
        ({"dropout": [0.1]}, "dropout .*2 of these"),
        ({"dropout": [0.1, "much"]}, "dropout"),
        ({"normalisation": "group"}, "normalisation .*'layer' or 'batch'"),
        ({"normalisation": ["layer", "layer"]}, "each of the 1 hidden layers"),
        ({"normalisation": ["group"]}, "each of the 1 hidden layers"),
        ({"clip_norm": -1.0}, "clip_norm"),
        ({"clip_value": np.nan}, "clip_value"),
        ({"weight_decay": None}, "weight_decay"),
        ({"learned_parameters": ["beta"]}, r"here \[\]; got \['beta'\]"),
        ({"learned_parameters": "alpha"}, "a list of names"),
        ({"solver": "lbfgs", "dropout": 0.1}, "without dropout"),
        ({"solver": "lbfgs", "normalisation": "batch"}, "normalisation over batches"),
    ],
)
def test_bad_parameters_are_refused(data, options, message):
    """The message names the parameter and its range, or what does not go together."""
    with pytest.raises(ParameterError, match=message):
        FeedforwardClassifier((3,), **options).fit(*data)
