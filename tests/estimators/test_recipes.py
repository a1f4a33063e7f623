"""The recipes: scikit-learn's gives scikit-learn's networks, and the better one is taken."""

import itertools
import signal
import threading

import numpy as np
import pytest
from scipy.sparse import random as random_sparse
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris
from sklearn.metrics import mean_poisson_deviance
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import scale

from chainrule.estimators import FeedforwardClassifier, FeedforwardRegressor, _trials, load
from chainrule.estimators._trials import Trials, is_better
from chainrule.formulas import ParameterError

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

OPTIONS = [
    {},
    {"activation": "tanh", "hidden_layer_sizes": (12, 7), "batch_size": 32},
    {"activation": "logistic", "solver": "sgd", "learning_rate_init": 0.02},
    {"activation": "identity", "shuffle": False, "alpha": 0.1},
    {"hidden_layer_sizes": (), "tol": 0.01},
    {"solver": "lbfgs", "max_iter": 15},
]


def _same(own, other, tolerance=1e-9):
    assert own.n_iter_ == other.n_iter_
    for mine, theirs in zip(own.coefs_ + own.intercepts_, other.coefs_ + other.intercepts_,
                            strict=True):  # fmt: skip
        assert mine.dtype == theirs.dtype
        np.testing.assert_allclose(mine, theirs, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("read", [load_iris, load_breast_cancer])
def test_their_classifier(options, read):
    """From the same seed the same network, for as many epochs."""
    X, y = read(return_X_y=True)
    options = {"max_iter": 60, "random_state": 5, **options}
    own = FeedforwardClassifier(recipe="scikit-learn", **options).fit(scale(X), y)
    _same(own, MLPClassifier(**options).fit(scale(X), y))
    assert own.recipe_ == "scikit-learn"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_their_regressor(dtype):
    """In either dtype, on inputs and targets as they are."""
    X, y = (part.astype(dtype) for part in load_diabetes(return_X_y=True))
    options = {"max_iter": 40, "random_state": 1, "learning_rate_init": 0.01}
    own = FeedforwardRegressor(recipe="scikit-learn", **options).fit(X, y)
    _same(own, MLPRegressor(**options).fit(X, y), 1e-9 if dtype == np.float64 else 2e-3)


def test_any_activation_and_warm_start():
    """Activations that scikit-learn lacks begin as its others do; going on keeps the recipe."""
    X, y = load_iris(return_X_y=True)
    options = {"recipe": "scikit-learn", "random_state": 0, "max_iter": 30}
    model = FeedforwardClassifier(activation="z*tanh(z)", warm_start=True, **options).fit(X, y)
    reach = np.sqrt(6.0 / 104.0)
    start = FeedforwardClassifier(activation="z*tanh(z)", **options, learning_rate_init=1e-300)
    weights = start.fit(X, y).coefs_[0]
    assert 0.9 * reach < np.abs(weights).max() <= reach
    assert model.fit(X, y).recipe_ == "scikit-learn"
    assert len(model.loss_curve_) == 60


def test_theirs_is_taken_where_it_is_as_good():
    """Then a program with another import gives the same predictions."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 6))
    y = X[:, 0] + rng.standard_normal(300) > 0.0
    own = FeedforwardClassifier(random_state=0).fit(X, y)
    assert own.recipe_ == "scikit-learn"
    _same(own, MLPClassifier(random_state=0).fit(X, y))


def test_one_fold_shows_which_is_better(monkeypatch):
    """Then no further one is trained; where it leaves that open there are three."""
    seen = []
    whole = _trials._whole
    monkeypatch.setattr(_trials, "_whole", lambda *given: seen.append(1) or whole(*given))
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 6))
    FeedforwardClassifier((10,), random_state=0).fit(X, X[:, 0] + rng.standard_normal(300) > 0.0)
    assert len(seen) == 1
    ours = FeedforwardClassifier((10,), random_state=0).fit(X * 1000.0, X[:, 0] * X[:, 1] > 0.0)
    assert ours.recipe_ == "own"
    assert len(seen) == 1 + 1
    monkeypatch.setattr(_trials, "_PLAIN", np.inf)
    FeedforwardClassifier((10,), random_state=0).fit(X * 1000.0, X[:, 0] * X[:, 1] > 0.0)
    assert len(seen) == 1 + 1 + 3


def test_ours_is_taken_where_it_is_better():
    """Inputs of unlike scales are too much for theirs, and so is noise."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 6))
    y = (X[:, 0] * X[:, 1] > 0).astype(int)
    unlike = FeedforwardClassifier(random_state=0).fit(X * 1000.0 ** np.arange(-3, 3), y)
    assert unlike.recipe_ == "own"
    noise = rng.integers(0, 2, 300)
    options = {"random_state": 0, "learning_rate_init": 0.03}
    cautious = FeedforwardClassifier(**options).fit(X, noise)
    assert cautious.recipe_ == "own"
    assert cautious.n_iter_ < 20
    targets = 1e4 + 100.0 * X[:, 0]
    assert FeedforwardRegressor(random_state=0).fit(X, targets).recipe_ == "own"


@pytest.mark.parametrize(
    "options",
    [
        {"activation": "mish"},
        {"cost": "focal"},
        {"dropout": 0.1},
        {"label_smoothing": 0.1},
        {"class_weight": "balanced"},
        {"solver": "adamw"},
        {"stopping_folds": 0},
        {"max_iter": 99},
    ],
)
def test_what_scikit_learn_lacks_has_one_recipe(options):
    """And so has a training whose length was chosen."""
    X, y = load_breast_cancer(return_X_y=True)
    assert FeedforwardClassifier((5,), random_state=0, **options).fit(scale(X), y).recipe_ == "own"


def test_the_choice_is_the_same_each_time(tmp_path):
    """For a seed; the recipe is in the file, and an unknown one is refused."""
    X, y = load_breast_cancer(return_X_y=True)
    X = scale(X)
    model = FeedforwardClassifier((10,), random_state=np.random.RandomState(3)).fit(X, y)
    again = FeedforwardClassifier((10,), random_state=np.random.RandomState(3)).fit(X, y)
    np.testing.assert_array_equal(model.network_.parameters, again.network_.parameters)
    model.save(tmp_path / "model")
    assert load(tmp_path / "model").recipe_ == model.recipe_
    with pytest.raises(ParameterError, match=r"recipe.*'scikit-learn'"):
        clone(model).set_params(recipe="theirs").fit(X, y)


_PATIENCE = 25


class _Impatient(FeedforwardRegressor):
    """Somebody presses Ctrl-C while recipes are tried."""

    def _errors(self, outputs, targets):
        # Trials look at once: a count that two of them could read alike would press twice.
        if next(self.looks_) == _PATIENCE:
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        return super()._errors(outputs, targets)


@pytest.mark.parametrize("recipe", ["auto", "own"])
def test_an_interrupted_trial_leaves_its_network(recipe):
    """It predicts on the examples as they are, its curve is of their targets; it can go on."""
    X, y = load_diabetes(return_X_y=True)
    model = _Impatient(random_state=0, recipe=recipe)
    model.looks_ = itertools.count(1)
    with pytest.warns(UserWarning, match="was interrupted after"):
        model.fit(X, y)
    assert 1 <= model.n_iter_ < model.max_iter
    assert model.score(X, y) > 0.2
    half_squared = 0.5 * np.mean((model.predict(X) - y) ** 2)
    assert 0.3 * model.loss_ < half_squared < 3.0 * model.loss_
    before = half_squared
    for _ in range(20):
        model.partial_fit(X, y)
    assert 0.5 * np.mean((model.predict(X) - y) ** 2) < 1.1 * before
    assert model.n_iter_ == 1


def test_an_interrupt_before_the_first_epoch_is_one(monkeypatch):
    """Where nothing was learned there is nothing to leave."""

    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(_trials, "_told", interrupted)
    monkeypatch.setattr(_trials, "_counted", lambda *arguments: None)
    X, y = load_diabetes(return_X_y=True)
    model = FeedforwardRegressor(random_state=0, recipe="own")
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert not hasattr(model, "network_")


@pytest.mark.parametrize("options", [{}, {"early_stopping": True}])
def test_words_are_learned_as_there_without_trials(options, monkeypatch):
    """Of wide sparse inputs rare columns would count most; targets of a regression need a scale."""
    X = random_sparse(300, 2000, density=0.01, format="csr", random_state=0)
    y = X[:, :1000].sum(axis=1).A1 > X[:, 1000:].sum(axis=1).A1
    options = {"max_iter": 100, "random_state": 0, "hidden_layer_sizes": (4,), **options}
    regressor = FeedforwardRegressor(**options, recipe="own").fit(X, 1e4 * y)
    assert regressor._standardisation is not None
    monkeypatch.setattr("chainrule.estimators._recipes.trials", None)
    model = FeedforwardClassifier(**options).fit(X, y)
    assert model.recipe_ == "scikit-learn"
    explicit = FeedforwardClassifier(**options, recipe="scikit-learn").fit(X, y)
    np.testing.assert_array_equal(model.network_.parameters, explicit.network_.parameters)
    assert (
        FeedforwardClassifier(**options, dropout=0.1, stopping_folds=0).fit(X, y).recipe_ == "own"
    )
    if not options.get("early_stopping"):
        _same(model, MLPClassifier(**options).fit(X, y), tolerance=1e-6)


@pytest.mark.parametrize("rate", [0.05, 0.5])
def test_long_steps_are_over_more_examples(rate):
    """Over a thirtieth of them, forty, steps of half the slope end at .73 of unseen digits."""
    X, y = load_digits(return_X_y=True)
    model = FeedforwardClassifier((50,), solver="sgd", learning_rate_init=rate, max_iter=10)
    assert model.set_params(random_state=1).fit(X[::2], y[::2]).score(X[1::2], y[1::2]) > 0.92


def test_recipes_are_compared_where_costs_are_negative():
    """Those of counts around 1000 are, and have no ratio: the likelihood decides, and is clear."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((600, 4))
    y = rng.poisson(np.exp(7.0 + 0.5 * X[:, 0] * X[:, 1] + 0.3 * X[:, 2])).astype(float)
    model = FeedforwardRegressor("poisson", (30,), random_state=0).fit(X[:400], y[:400])
    theirs = MLPRegressor("poisson", (30,), random_state=0).fit(X[:400], y[:400])
    mine, other = (
        mean_poisson_deviance(y[400:], fitted.predict(X[400:])) for fitted in (model, theirs)
    )
    assert model.recipe_ == "own"
    assert mine < other / 50


def test_rare_counts_choose_as_unseen_ones_would():
    """Where few events are seen, the likelihoods of all examples decide, not a few errors."""
    right = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        X = rng.standard_normal((11_500, 8))
        rates = np.exp(X @ rng.standard_normal(8) * 1.2 / np.sqrt(8))
        y = rng.poisson(rates * 0.1 / rates.mean()).astype(float)
        models = {
            recipe: FeedforwardRegressor("poisson", (40,), random_state=0, recipe=recipe).fit(
                X[:1500], y[:1500]
            )
            for recipe in ("own", "scikit-learn", "auto")
        }
        ours, theirs = (
            mean_poisson_deviance(y[1500:], models[recipe].predict(X[1500:]))
            for recipe in ("own", "scikit-learn")
        )
        right.append(models["auto"].recipe_ == ("own" if ours < theirs else "scikit-learn"))
    assert sum(right) >= 6


@pytest.mark.parametrize("has_ratio", [True, False])
def test_a_ratio_of_costs_counts_where_there_is_one(has_ratio):
    """Costs of counts depend on their unit; others at a third of the cost are clearly better."""
    gains = np.tile([1.0, -1.0], 50)
    for costs in ((0.1, 0.3), (0.0, 0.3)):
        assert is_better(Trials(1, gains, costs, has_ratio)) == has_ratio
    assert not is_better(Trials(1, gains, (0.0, 0.0), has_ratio))
    assert is_better(Trials(1, gains + 0.2, (-5.0, -4.8), has_ratio)) != has_ratio
