"""Beside scikit-learn's networks: the same parameters, the same steps, the same attributes."""

import inspect

import numpy as np
import pytest
from scipy.sparse import csc_matrix, csr_matrix
from sklearn.datasets import make_regression
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier, MLPRegressor

from chainrule import load
from chainrule.estimators import FeedforwardClassifier, FeedforwardRegressor
from chainrule.formulas import ParameterError
from chainrule.networks import NetworkError

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

PAIRS = [(FeedforwardClassifier, MLPClassifier), (FeedforwardRegressor, MLPRegressor)]


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 4))
    return X, np.digitize(X[:, 0] + 0.3 * X[:, 1], [-0.5, 0.5])


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_every_parameter_of_theirs_is_one_of_ours(ours, theirs):
    """Same names, same defaults, and the same order where arguments need no name."""
    here, there = (inspect.signature(kind).parameters for kind in (ours, theirs))
    assert {name: here[name].default for name in there} == {
        name: parameter.default for name, parameter in there.items()
    }
    positional = [
        [name for name, p in given.items() if p.kind is p.POSITIONAL_OR_KEYWORD]
        for given in (here, there)
    ]
    assert positional[0] == positional[1]
    for method in ("fit", "partial_fit", "predict", "score"):
        own = list(inspect.signature(getattr(ours, method)).parameters)
        assert own[: len(inspect.signature(getattr(theirs, method)).parameters)] == list(
            inspect.signature(getattr(theirs, method)).parameters
        )


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("solver", ["sgd", "adam"]),
        ("activation", ["relu", "tanh"]),
        ("learning_rate", ["adaptive", "constant"]),
        ("batch_size", ["auto"]),
        ("early_stopping", [True, False]),
        ("shuffle", [False, True]),
        ("nesterovs_momentum", [False, True]),
        ("n_iter_no_change", [np.inf]),
        ("alpha", [0.5, 0.25]),
    ],
)
def test_grids_in_arrays_are_searched(data, ours, theirs, name, values, tmp_path):
    """A grid of NumPy's arrays holds NumPy's text and truth values: the same as Python's own."""
    for kind in (theirs, ours):
        model = kind(hidden_layer_sizes=(3,), max_iter=3, random_state=0)
        search = GridSearchCV(model, {name: np.array(values)}, cv=2, error_score="raise")
        assert search.fit(*data).best_params_[name] in values
    path = tmp_path / "checkpoint"
    (plain, as_array) = (
        ours(hidden_layer_sizes=(3,), max_iter=3, random_state=0)
        .set_params(**{name: value})
        .fit(*data, checkpoint=path)
        for value in (values[0], np.array(values)[0])
    )
    np.testing.assert_array_equal(as_array.coefs_[0], plain.coefs_[0])
    as_array.save(tmp_path / "model")
    assert load(tmp_path / "model").get_params() == plain.get_params()


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
def test_every_attribute_of_theirs_is_one_of_ours(data, ours, theirs, solver):
    """What a program reads after `fit` is there, of the same type."""
    own = ours(solver=solver, max_iter=3, random_state=0).fit(*data)
    other = theirs(solver=solver, max_iter=3, random_state=0).fit(*data)
    for name, value in vars(other).items():
        if name.endswith("_") and not name.startswith("_"):
            assert hasattr(own, name), name
            assert type(getattr(own, name)) is type(value) or np.isscalar(value), name
    for name in ("n_layers_", "n_outputs_", "out_activation_", "n_iter_", "t_", "n_features_in_"):
        assert getattr(own, name) == getattr(other, name) or (solver, name) == ("lbfgs", "t_")


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
@pytest.mark.parametrize(
    "options",
    [
        {"solver": "adam"},
        {"solver": "adam", "learning_rate": "adaptive", "alpha": 0.5},
        {"solver": "sgd", "momentum": 0.0},
        {"solver": "sgd", "nesterovs_momentum": False, "activation": "logistic"},
        {"solver": "sgd", "learning_rate": "invscaling", "power_t": 0.3, "batch_size": 25},
        {"solver": "sgd", "learning_rate": "adaptive", "tol": 3e-3, "n_iter_no_change": 2},
        {"solver": "adam", "tol": 0.01, "n_iter_no_change": 3, "activation": "tanh"},
        {"solver": "lbfgs", "tol": 1e-2, "activation": "identity"},
    ],
)
def test_the_same_start_leads_to_the_same_network(data, ours, theirs, options):
    """From scikit-learn's own weights, epoch for epoch: weights, loss curve, number of epochs."""
    X, y = data
    shared = {
        "hidden_layer_sizes": (5, 3), "max_iter": 40, "shuffle": False, "warm_start": True,
        "learning_rate_init": 0.05, "n_iter_no_change": 40, **options,
    }  # fmt: skip
    other = theirs(**{**shared, "max_iter": 1}, random_state=1).fit(X, y)
    own = ours(**shared)
    own.coefs_, own.intercepts_ = [c.copy() for c in other.coefs_], list(other.intercepts_)
    if ours is FeedforwardClassifier:
        own.classes_ = np.unique(y)
    # A new optimiser and a new count, but these weights.
    other.set_params(max_iter=40)
    other.t_, other._no_improvement_count = 0, 0
    if options["solver"] != "lbfgs":
        other.best_loss_, other.loss_curve_ = np.inf, []
    own.fit(X, y)
    other.fit(X, y)
    assert own.n_iter_ == other.n_iter_
    for mine, reference in zip(own.coefs_ + own.intercepts_, other.coefs_ + other.intercepts_,
                               strict=True):  # fmt: skip
        np.testing.assert_allclose(mine, reference, rtol=1e-6, atol=1e-9)
    assert own.loss_ == pytest.approx(other.loss_, rel=1e-8)
    if options["solver"] != "lbfgs":
        np.testing.assert_allclose(own.loss_curve_, other.loss_curve_, rtol=1e-8)


def test_lbfgs_finds_the_optimum_of_a_linear_model():
    """Without hidden layers it is least squares."""
    X, y = make_regression(80, 5, noise=5.0, random_state=0)
    found = FeedforwardRegressor(
        hidden_layer_sizes=(), solver="lbfgs", alpha=0.0, max_iter=1000, max_fun=10**5, tol=1e-9,
        standardise=False,
    ).fit(X, y)  # fmt: skip
    best = np.linalg.lstsq(np.column_stack([X, np.ones(80)]), y, rcond=None)[0]
    np.testing.assert_allclose([*found.coefs_[0][:, 0], found.intercepts_[0][0]], best, atol=1e-4)
    assert (np.diff(found.loss_curve_) < 0).all()


def test_evaluations_bound_lbfgs(data):
    """Ended before the minimum, with a warning; scikit-learn's `max_fun`."""
    model = FeedforwardClassifier((20,), solver="lbfgs", max_fun=5, tol=0.0, random_state=0)
    with pytest.warns(ConvergenceWarning):
        model.fit(*data)
    assert model.n_iter_ <= 5


def test_poisson_is_their_poisson():
    """The loss's name chooses the exponential and the Poisson cost; both replace their part."""
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, (200, 2))
    y = rng.poisson(np.exp(X[:, 0]))
    options = {"loss": "poisson", "solver": "lbfgs", "alpha": 0.0, "tol": 1e-7, "random_state": 0}
    own, other = (
        kind(hidden_layer_sizes=(1,), activation="identity", **options).fit(X, y)
        for kind in (FeedforwardRegressor, MLPRegressor)
    )
    np.testing.assert_allclose(own.predict(X), other.predict(X), rtol=1e-3)
    assert own.out_activation_ == other.out_activation_ == "exp"
    chosen = FeedforwardRegressor("poisson", (2,), cost="half_squared_error", max_iter=1)
    assert chosen.fit(X, y).out_activation_ == "exp"
    assert chosen.network_.cost.name == "half_squared_error"


def test_a_hidden_layer_in_the_place_of_the_loss_is_explained():
    """Programs of before the loss came first get the remedy."""
    with pytest.raises(ParameterError, match="write hidden_layer_sizes="):
        FeedforwardRegressor((50,), "tanh").fit([[0.0], [1.0]], [0.0, 1.0])


def test_the_global_seed_makes_programs_repeatable(data):
    """`numpy.random.seed` does, where random_state is None, as everywhere in scikit-learn."""
    made = []
    for seed in (5, 5, 6):
        np.random.seed(seed)  # noqa: NPY002
        made.append(FeedforwardClassifier((3,), max_iter=1).fit(*data).coefs_[0])
    np.testing.assert_array_equal(made[0], made[1])
    assert (made[0] != made[2]).any()


@pytest.mark.parametrize("sparse", [csr_matrix, csc_matrix])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sparse_inputs_are_their_dense_ones(data, sparse, dtype):
    """Fitting, going on, predicting: bit for bit, and many rows a block at a time."""
    X = np.where(np.abs(data[0]) < 0.7, 0.0, data[0]).astype(dtype)
    y = data[1]
    fits = [FeedforwardClassifier((6,), max_iter=5, random_state=0).fit(Z, y)
            for Z in (X, sparse(X))]  # fmt: skip
    for other in (X, sparse(X)):
        fits[1].partial_fit(other, y)
        fits[0].partial_fit(X, y)
    np.testing.assert_array_equal(fits[0].network_.parameters, fits[1].network_.parameters)
    many = np.tile(X, (150, 1))
    np.testing.assert_allclose(
        fits[1].predict_proba(sparse(many)), fits[0].predict_proba(many), rtol=1e-5
    )
    assert fits[1].network_.dtype == dtype


def test_sparse_labels_come_back_sparse(data):
    """Many labels, given as a sparse matrix, are learned as the dense ones, and predicted so."""
    X, y = data
    Y = np.column_stack([y == 0, y < 2]).astype(int)
    dense, sparse = (
        FeedforwardClassifier((6,), max_iter=30, learning_rate_init=0.05, random_state=0).fit(X, Z)
        for Z in (Y, csr_matrix(Y))
    )
    predicted = sparse.predict(X)
    assert isinstance(predicted, csr_matrix)
    np.testing.assert_array_equal(predicted.toarray(), dense.predict(X))
    assert sparse.score(X, csr_matrix(Y)) == dense.score(X, Y)
    theirs = MLPClassifier((6,), max_iter=3).fit(X, csr_matrix(Y)).predict(X)
    assert type(theirs) is type(predicted)


def test_assigned_weights_are_used_and_checked(data):
    """Lists of arrays of the right shapes change the network; all else is refused."""
    X, y = data
    model = FeedforwardClassifier((3,), max_iter=1, random_state=0).fit(X, y)
    model.coefs_ = [np.zeros((4, 3)), np.zeros((3, 3))]
    model.intercepts_ = [np.zeros(3), np.log([0.2, 0.3, 0.5])]
    np.testing.assert_allclose(model.predict_proba(X[:2]), [[0.2, 0.3, 0.5]] * 2)
    for bad in ([np.zeros((4, 3))], [np.zeros((3, 4)), np.zeros((3, 3))], ["a", "b"],
                [np.full((4, 3), np.nan), np.zeros((3, 3))]):  # fmt: skip
        with pytest.raises(NetworkError, match="coefs_"):
            model.coefs_ = bad
    with pytest.raises(ValueError, match="read-only"):
        model.coefs_[0][0, 0] = 1.0


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("kind", [MLPRegressor, FeedforwardRegressor])
def test_divergence_is_a_value_error(kind):
    """A program that goes on where training diverges catches what scikit-learn's networks raise."""
    X = np.linspace(-1, 1, 40)[:, None]
    with pytest.raises(ValueError, match=r"diverged|non-finite"):
        kind(solver="sgd", learning_rate_init=1e9, random_state=0).fit(X, X[:, 0])


@pytest.mark.parametrize("standardise", [False, True])
@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_a_minimum_at_the_start_has_a_loss(data, ours, theirs, standardise, tmp_path):
    """Where L-BFGS takes no step the loss is that of the start: a step of no length tells it."""
    options = {"hidden_layer_sizes": (3,), "solver": "lbfgs", "alpha": 0.5, "random_state": 0}
    X, y = data[0] + 1.0, 3.0 * data[1]
    model = ours(**options, tol=1e9, standardise=standardise).fit(X, y)
    assert model.n_iter_ == 0
    again = ours(**options | {"solver": "sgd"}, momentum=0.0, learning_rate_init=1e-12, max_iter=1,
                 batch_size=60, standardise=standardise).fit(X, y)  # fmt: skip
    assert model.loss_ == pytest.approx(again.loss_, rel=1e-6)
    assert np.isfinite(theirs(**options, tol=1e9).fit(X, y).loss_)
    model.save(tmp_path / "model")
    assert load(tmp_path / "model").loss_ == model.loss_
