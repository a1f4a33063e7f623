"""The estimators on data: what they learn, what they accept, what they refuse."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
import sympy
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_digits, load_iris
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tests.cases import some_of

from chainrule.catalogue import activation_formula
from chainrule.estimators import FeedforwardClassifier, FeedforwardRegressor, load
from chainrule.estimators import _data as estimators_data
from chainrule.formulas import ChainruleError, FormulaError, ParameterError
from chainrule.networks import DivergenceError, NetworkError

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(scope="module")
def iris():
    X, y = load_iris(return_X_y=True)
    return StandardScaler().fit_transform(X), y


def _quick(**options):
    return FeedforwardClassifier(
        (8,), learning_rate_init=0.05, **{"max_iter": 60, "random_state": 0, **options}
    )


@pytest.mark.parametrize(
    "prepare", [lambda X: X / 16.0, lambda X: StandardScaler().fit_transform(X)]
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_digits_are_recognised(prepare, dtype):
    """With defaults, at least 97 of 100 handwritten digits held out from training."""
    X, y = load_digits(return_X_y=True)
    train_X, test_X, train_y, test_y = train_test_split(
        prepare(X).astype(dtype), y, test_size=0.25, random_state=0, stratify=y
    )
    classifier = FeedforwardClassifier(random_state=0).fit(train_X, train_y)
    assert classifier.score(test_X, test_y) >= 0.97
    assert classifier.network_.dtype == dtype
    assert classifier.predict_proba(test_X).dtype == dtype


def test_regression_explains_the_diabetes_data():
    """R² on held-out rows is what linear regression reaches, about 0.35 to 0.5 on this set."""
    X, y = load_diabetes(return_X_y=True)
    X, y = StandardScaler().fit_transform(X), (y - y.mean()) / y.std()
    train_X, test_X, train_y, test_y = train_test_split(X, y, random_state=0)
    regressor = FeedforwardRegressor(
        hidden_layer_sizes=(10,),
        activation="tanh",
        alpha=5.0,
        learning_rate_init=0.01,
        random_state=0,
    )
    assert regressor.fit(train_X, train_y).score(test_X, test_y) > 0.3


@pytest.mark.parametrize(
    "activation",
    [
        "tanh",
        "z/(1 + exp(-z))",
        sympy.Max(0, sympy.Symbol("z")),
        activation_formula("softsign"),
        type("Function", (), {"formula": activation_formula("sigmoid")})(),
        ["max(0, z)"],
    ],
    ids=["name", "text", "sympy", "formula", "object", "list"],
)
def test_activation_may_be_given_in_any_form(iris, activation):
    """A name, text, SymPy, a formula, an object that has one, a list: each trains."""
    classifier = _quick(activation=activation).fit(*iris)
    assert classifier.score(*iris) > 0.93
    assert clone(classifier).get_params()["activation"] is not None


def test_each_layer_may_have_its_own_activation(iris):
    """A list of activations, with a list of their parameters."""
    classifier = FeedforwardClassifier(
        [8, 6], ["leaky_relu", "where(z > 0, z, beta*z)"], random_state=0, max_iter=5,
        activation_parameters=[{"alpha": 0.2}, {"beta": 0.1}],
    ).fit(*iris)  # fmt: skip
    hidden = classifier.network_.activations[:-1]
    assert [formula.parameters for formula in hidden] == [(("alpha", 0.2),), (("beta", 0.1),)]
    assert [weights.shape for weights in classifier.coefs_] == [(4, 8), (8, 6), (6, 3)]
    assert [biases.shape for biases in classifier.intercepts_] == [(8,), (6,), (3,)]


def test_no_hidden_layer_is_logistic_regression():
    """Without hidden layers the optimum is that of scikit-learn's LogisticRegression."""
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 3))
    y = (X @ [1.0, -2.0, 0.5] + rng.standard_normal(200) > 0).astype(int)
    ours = FeedforwardClassifier(
        (), alpha=2.0, learning_rate_init=0.02, max_iter=3000, tol=0.0, n_iter_no_change=3000,
        random_state=0, standardise=False, batch_size=200,
    ).fit(X, y)  # fmt: skip
    theirs = LogisticRegression(C=0.5, tol=1e-10).fit(X, y)
    np.testing.assert_allclose(ours.coefs_[0].T, theirs.coef_, rtol=1e-4)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-4)


@pytest.mark.parametrize("labels", [["no", "yes"], [-1, 1], [False, True], ["a", "b", "c"]])
def test_labels_come_back_as_they_were_given(iris, labels):
    """Text, numbers and truth values, two classes or three."""
    X, codes = iris
    keep = codes < len(labels)
    y = np.array(labels)[codes[keep]]
    classifier = _quick(random_state=1).fit(X[keep], y)
    np.testing.assert_array_equal(classifier.classes_, np.unique(y))
    assert classifier.predict(X[keep]).dtype == y.dtype
    assert classifier.score(X[keep], y) > 0.95
    probabilities = classifier.predict_proba(X[keep])
    assert probabilities.shape == (keep.sum(), len(labels))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0)


@pytest.mark.parametrize("classes", [2, 3])
def test_log_probabilities_stay_finite(iris, classes):
    """Where probabilities round to 0, their logarithms are still numbers, and right."""
    X, y = iris
    keep = y < classes
    classifier = _quick().fit(X[keep], y[keep])
    near, far = X[keep], 1e4 * X[keep]
    np.testing.assert_allclose(
        np.exp(classifier.predict_log_proba(near)), classifier.predict_proba(near), atol=1e-14
    )
    assert (classifier.predict_proba(far) == 0.0).any()
    assert np.isfinite(classifier.predict_log_proba(far)).all()


def test_many_labels_at_once(iris):
    """A column of zeros and ones for each label."""
    X, y = iris
    Y = np.column_stack([y == 0, y != 1]).astype(int)
    classifier = _quick().fit(X, Y)
    assert classifier.predict(X).shape == Y.shape
    assert classifier.score(X, Y) > 0.9
    assert np.isfinite(classifier.predict_log_proba(X)).all()


def test_several_outputs():
    """Multi-output regression keeps the shape of y, and one column stays one column."""
    X = np.random.default_rng(0).standard_normal((80, 3))
    Y = np.column_stack([X[:, 0], X[:, 1] * X[:, 2]])
    regressor = FeedforwardRegressor(
        hidden_layer_sizes=(30,),
        activation="gelu",
        learning_rate_init=0.02,
        random_state=0,
        max_iter=300,
    )
    assert regressor.fit(X, Y).predict(X).shape == (80, 2)
    assert regressor.score(X, Y) > 0.9
    assert regressor.fit(X, Y[:, 0]).predict(X).shape == (80,)


def test_cost_and_output_activation_of_ones_own():
    """A Poisson cost with an exponential output recovers a log-linear rate."""
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, (4000, 1))
    y = rng.poisson(np.exp(1.0 + 0.7 * X[:, 0]))
    regressor = FeedforwardRegressor(
        hidden_layer_sizes=(), output_activation="exp(z)", cost="sum(a - y*log(a))", alpha=0.0,
        random_state=0, learning_rate_init=0.02, max_iter=60,
    ).fit(X, y)  # fmt: skip
    assert regressor.coefs_[0][0, 0] == pytest.approx(0.7, abs=0.06)
    assert regressor.intercepts_[0][0] == pytest.approx(1.0, abs=0.06)
    assert (regressor.predict(X) > 0).all()


def test_same_seed_gives_the_same_network(iris):
    """Bit for bit, from a number, a RandomState or a Generator; another seed differs."""
    for source in (lambda: 7, lambda: np.random.RandomState(7), lambda: np.random.default_rng(7)):
        first, second = (_quick().set_params(random_state=source()).fit(*iris) for _ in range(2))
        np.testing.assert_array_equal(first.network_.parameters, second.network_.parameters)
    other = _quick().set_params(random_state=8).fit(*iris)
    assert (other.network_.parameters != first.network_.parameters).any()


def test_early_stopping_returns_the_best_network(iris):
    """The score of the returned network on the part kept aside is the best of the curve."""
    X, y = iris
    classifier = _quick(early_stopping=True, validation_fraction=0.3, max_iter=200).fit(X, y)
    assert classifier.n_iter_ == len(classifier.validation_scores_) == len(classifier.loss_curve_)
    assert classifier.n_iter_ < 200
    assert classifier.best_loss_ is None
    assert max(classifier.validation_scores_) > 0.9
    assert _quick().fit(X, y).validation_scores_ is None


def test_sample_weights_shift_the_decision():
    """Of two classes at the same place, the heavier wins."""
    X = np.zeros((20, 1))
    y = np.arange(20) % 2
    for heavy in (0, 1):
        weights = np.where(y == heavy, 9.0, 1.0)
        classifier = _quick(max_iter=999, alpha=0.0, n_iter_no_change=99).fit(X, y, weights)
        assert (classifier.predict(X) == heavy).all()
        assert classifier.predict_proba(X)[0, heavy] == pytest.approx(0.9, abs=0.01)


def test_unfinished_training_warns_and_finished_does_not(iris):
    """As in scikit-learn: a ConvergenceWarning that says what to raise."""
    with pytest.warns(ConvergenceWarning, match="max_iter=2 epochs"):
        _quick(max_iter=2).fit(*iris)
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _quick(tol=10.0).fit(*iris)


def test_feature_names_are_kept_and_checked(iris):
    """Data frames with other columns are refused at prediction."""
    frame = pd.DataFrame(iris[0], columns=list("abcd"))
    classifier = _quick().fit(frame, iris[1])
    assert list(classifier.feature_names_in_) == list("abcd")
    with pytest.raises(ValueError, match="feature names"):
        classifier.predict(frame.rename(columns={"a": "z"}))


def test_frames_of_floats_need_no_second_look(iris, monkeypatch):
    """What scikit-learn's check makes of them, at a tenth of its time; all others go through it."""
    X, y = iris
    frame = pd.DataFrame(X, columns=list("abcd"))
    mixed = frame.astype({"a": np.float32})
    others = [
        frame.astype({"a": "Float64"}), frame.astype({"a": int}), frame.astype({"a": object}),
        frame.astype(pd.SparseDtype(float, 0.0)), frame.astype({"a": np.float16}),
    ]  # fmt: skip
    model = _quick().fit(frame, y)
    expected = _quick().fit(X, y).predict_proba(X)
    np.testing.assert_array_equal(model.predict_proba(frame), expected)
    looked = []
    own = estimators_data.validate_data
    monkeypatch.setattr(
        estimators_data, "validate_data", lambda *a, **k: looked.append(1) or own(*a, **k)
    )
    for given in (frame, mixed, frame[::-1], frame[:1]):
        np.testing.assert_array_equal(
            model.predict_proba(given), model.network_(np.float64(given.to_numpy()))
        )
    assert not looked
    for given in others:
        whole = np.ascontiguousarray(given.to_numpy(), float)
        np.testing.assert_allclose(model.predict_proba(given), model.network_(whole), rtol=1e-12)
    assert len(looked) == len(others)
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(frame[list("bacd")])
    with pytest.raises(ValueError, match="contains NaN"):
        model.predict(frame.replace(frame.iloc[0, 0], np.nan))
    with pytest.warns(UserWarning, match="valid feature names"):
        model.predict(X)


def test_pipelines_searches_copies_and_pickles(iris):
    """The estimator goes where scikit-learn's go."""
    pipeline = make_pipeline(StandardScaler(), _quick())
    search = GridSearchCV(
        pipeline, {"feedforwardclassifier__activation": ["tanh", "z*abs(z)"]}, cv=2
    )
    search.fit(*iris)
    assert search.best_score_ > 0.9
    fitted = search.best_estimator_
    for copied in (pickle.loads(pickle.dumps(fitted)), copy.deepcopy(fitted)):
        np.testing.assert_array_equal(copied.predict(iris[0]), fitted.predict(iris[0]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"solver": "newton"}, "solver .*'lbfgs' or 'sgd' or 'adam'"),
        ({"learning_rate": "fast"}, "learning_rate .*'invscaling'"),
        ({"class_weight": "heavy"}, "class_weight .*'balanced', or a mapping"),
        ({"label_smoothing": 1.0}, "label_smoothing"),
        ({"alpha": -1}, "alpha .*a number in"),
        ({"alpha": float("nan")}, "alpha"),
        ({"alpha": "1"}, "alpha"),
        ({"batch_size": 0}, "batch_size .*'auto', or a whole number"),
        ({"batch_size": 2.5}, "batch_size"),
        ({"learning_rate_init": 0.0}, "learning_rate_init"),
        ({"max_iter": 0}, "max_iter"),
        ({"max_iter": True}, "max_iter"),
        ({"shuffle": "yes"}, "shuffle .*True or False"),
        ({"momentum": 1.5}, "momentum"),
        ({"validation_fraction": 1.0}, "validation_fraction"),
        ({"beta_1": 1.0}, "beta_1"),
        ({"hidden_layer_sizes": (3, 0)}, "hidden_layer_sizes"),
        ({"hidden_layer_sizes": "100"}, "hidden_layer_sizes"),
        ({"hidden_layer_sizes": None}, "hidden_layer_sizes"),
        ({"activation": ["relu", "tanh"]}, "activation lists 2 for 1 hidden"),
        ({"activation_parameters": [{}, {}]}, "activation_parameters lists 2"),
        ({"activation_parameters": 0.2}, "must map names to numbers"),
        ({"activation": "alpha*z"}, "no value for alpha"),
        ({"random_state": -1}, "random_state"),
        ({"random_state": "seed"}, "random_state"),
    ],
)
def test_parameters_out_of_range_are_refused(iris, options, message):
    """The message names the parameter, its range, and what was given."""
    with pytest.raises(ParameterError, match=message):
        FeedforwardClassifier(8).set_params(**options).fit(*iris)


@pytest.mark.parametrize("activation", ["z +", "__import__('os')", "relo", 3, "sqrt(z)"])
def test_bad_activations_are_refused(iris, activation):
    """Every bad activation is an error of the package."""
    with pytest.raises(ChainruleError):
        _quick(activation=activation).fit(*iris)
    assert issubclass(FormulaError, ChainruleError)


def test_bad_data_are_refused(iris):
    """Shapes, missing values, infinities, text and single classes: a ValueError that says so."""
    X, y = iris
    holed = X.copy()
    holed[3, 2] = np.nan
    for bad, message in [
        (holed, "NaN"),
        (np.where(np.isnan(holed), np.inf, X), "infinity"),
        (X[:, 0], "2D array"),
        (X[:10], "inconsistent numbers of samples"),
        (X[:0], "minimum of 1"),
        (X.astype(object).astype(str)[:, :1] + "x", "could not convert"),
    ]:
        with pytest.raises(ValueError, match=message):
            _quick().fit(bad, y[: len(bad)] if len(bad) == 0 else y)
    with pytest.raises(ValueError, match="continuous"):
        _quick().fit(X, X[:, 0])
    with pytest.raises(ValueError, match="expecting 4 features"):
        _quick().fit(X, y).predict(X[:, :2])
    with pytest.raises(NotFittedError):
        _quick().predict(X)
    with pytest.raises(NotFittedError):
        _quick().predict_log_proba(X)
    with pytest.raises(AttributeError, match="call fit first"):
        _ = _quick().coefs_


@pytest.mark.parametrize("label", ["only", 7, True])
def test_one_class_is_certain(iris, tmp_path, label):
    """As MLPClassifier, it is predicted; but there are no probabilities of a second class."""
    X, _ = iris
    y = np.full(150, label)
    model = _quick().fit(X, y)
    model.partial_fit(X, y).save(tmp_path / "m")
    for fitted in (model, load(tmp_path / "m")):
        np.testing.assert_array_equal(fitted.classes_, [label])
        np.testing.assert_array_equal(fitted.predict(X), y)
        np.testing.assert_array_equal(fitted.predict_proba(X), np.ones((150, 1)))
        np.testing.assert_array_equal(fitted.predict_log_proba(X), np.zeros((150, 1)))
        assert fitted.score(X, y) == 1.0


def test_the_class_with_weight_wins(iris):
    """Examples without weight teach nothing, also where all of a class are such."""
    X, y = iris
    model = FeedforwardClassifier((6,), random_state=0, learning_rate_init=0.01, max_iter=60)
    assert set(model.fit(X[:100], y[:100], y[:100] == 0).predict(X)) == {0}


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.ones((2, 2)), "1D array"),
        (np.ones(3), "expected"),
        (-np.ones(150), "Negative"),
        (np.zeros(150), "non-zero"),
        (np.full(150, np.nan), "NaN"),
    ],
)
def test_bad_sample_weights_are_refused(iris, weights, message):
    """Weights are one finite non-negative number for each example, not all zero."""
    with pytest.raises(ValueError, match=message):
        _quick().fit(*iris, weights)


@pytest.mark.parametrize("constant", [1e-3, 1.0, 1000.0])
def test_counts_begin_at_their_mean(constant):
    """Of a Poisson regression; scikit-learn's begins at 1 and is 993 away from 1000 in the end."""
    X = np.random.default_rng(0).standard_normal((200, 3))
    model = FeedforwardRegressor("poisson", (10,), random_state=0).fit(X, np.full(200, constant))
    np.testing.assert_allclose(model.predict(X), constant, rtol=0.05)


def test_divergence_names_the_remedy(iris):
    """A learning rate that is far too large is an error, not a network of NaN."""
    X, y = iris
    regressor = FeedforwardRegressor(
        hidden_layer_sizes=(10, 10),
        solver="sgd",
        learning_rate_init=100.0,
        random_state=0,
        batch_size=10,
    )
    with pytest.raises(DivergenceError, match=r"Lower the learning rate \(now 100\)"):
        regressor.fit(X, 100.0 * y)


def test_too_little_data_for_early_stopping():
    """One example kept aside rates nothing."""
    with pytest.raises(NetworkError, match="validation"):
        FeedforwardRegressor(early_stopping=True).fit(np.ones((5, 1)), np.arange(5))


_COSTS = ["focal", "label_smoothed_cross_entropy", "binary_focal", "huber"]
_ALTERNATELY = [(cost, 2 + (k + n) % 2) for k, cost in enumerate(_COSTS) for n in range(2)]


@pytest.mark.parametrize(("cost", "classes"), some_of(_ALTERNATELY, 2))
def test_a_classifier_learns_with_another_cost(iris, cost, classes):
    """Probabilities sum to one, and the labels are found, with one unit or one for each class."""
    X, y = iris
    X, y = X[y < classes], y[y < classes]
    model = _quick(cost=cost).fit(X, y)
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1.0, rtol=1e-6)
    assert model.predict_proba(X).shape[1] == classes
    assert model.score(X, y) > 0.9


def test_costs_that_cannot_serve_a_classifier_are_refused(iris):
    """The hinge gives no probabilities; the focal cost chooses one class of several."""
    X, y = iris
    with pytest.raises(ChainruleError, match="gives no probabilities"):
        _quick(cost="hinge").fit(X, y)
    with pytest.raises(ChainruleError, match="one class of several"):
        _quick(cost="focal").fit(X, np.column_stack([y > 0, y > 1]).astype(int))


@pytest.mark.parametrize(
    ("cost", "output", "targets"),
    [
        ("poisson", "exponential", [0.0, 2.0, -0.5]),
        ("hinge", "identity", [1.0, -1.0, 0.0]),
        ("binary_cross_entropy", "sigmoid", [0.0, 1.0, 1.5]),
    ],
)
def test_targets_outside_the_domain_of_a_cost_are_refused(cost, output, targets):
    """The message holds the target and what was expected; without it training would go on."""
    X = np.arange(3.0)[:, None]
    model = FeedforwardRegressor(
        "squared_error", (4,), cost=cost, output_activation=output, max_iter=2
    )
    with pytest.raises(
        ChainruleError, match=f"the targets of {cost} must be .*got {targets[-1]:g}"
    ):
        model.fit(X, np.array(targets))


_KINDS_OF_COSTS = [
    ("huber", "identity", lambda t: t),
    ("log_cosh", "identity", lambda t: 1e4 * t),
    ("quantile", "identity", lambda t: t),
    ("poisson", "exponential", lambda t: np.round(np.exp(t))),
    ("squared_hinge", "identity", np.sign),
    ("cosine", "identity", lambda t: np.column_stack([t, t**2, np.ones_like(t)])),
]
_IN_EITHER_DTYPE = [
    (*kind, (np.float32, np.float64)[(k + n) % 2])
    for k, kind in enumerate(_KINDS_OF_COSTS)
    for n in range(2)
]


@pytest.mark.parametrize(("cost", "output", "make", "dtype"), some_of(_IN_EITHER_DTYPE, 2))
def test_a_regressor_learns_with_every_kind_of_cost(cost, output, make, dtype):
    """The loss stays finite and falls, also for errors of 10,000 whose cosh is infinite."""
    X = np.random.default_rng(0).standard_normal((200, 3)).astype(dtype)
    model = FeedforwardRegressor(
        "squared_error", (16,), "tanh", cost=cost, output_activation=output, max_iter=30,
        learning_rate_init=0.01,
        random_state=0,
    ).fit(X, make(np.sin(X[:, 0]) + 0.5 * X[:, 1]).astype(dtype))  # fmt: skip
    assert np.isfinite(model.loss_curve_).all()
    assert model.loss_curve_[-1] < model.loss_curve_[0]
