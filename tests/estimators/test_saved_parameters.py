"""Every parameter and every attribute of an estimator, through a file and back."""

import json
import math

import numpy as np
import pytest
from sklearn.datasets import make_multilabel_classification

from chainrule.estimators import FeedforwardClassifier, FeedforwardRegressor, load
from chainrule.networks import (
    Adaptive,
    Cosine,
    Exponential,
    ModelFileError,
    OneCycle,
    StepDecay,
    WarmUp,
    load_network,
    save_network,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 3))
    return X, np.array(["no", "yes", "so"])[np.arange(40) % 3]


OPTIONS = [
    {"class_weight": {"no": 2.0, "so": 0.5}, "label_smoothing": 0.1, "warm_start": True},
    {"class_weight": "balanced", "n_iter_no_change": math.inf, "learning_rate": "cosine"},
    {"solver": "lbfgs", "max_fun": np.int64(50), "tol": np.float32(0.1)},
    {"solver": "sgd", "learning_rate": "invscaling", "power_t": 0.25},
    {"early_stopping": True, "verbose": 0},
    {"solver": "muon", "dropout": [0.1, 0.0], "normalisation": "batch", "clip_norm": 1},
]


@pytest.mark.parametrize("options", OPTIONS)
def test_parameters_and_attributes_come_back(data, options, tmp_path):
    """All parameters as they were given, all public attributes as they were fitted."""
    model = FeedforwardClassifier((4,), max_iter=3, random_state=0, **options).fit(*data)
    model.save(tmp_path / "model")
    back = load(tmp_path / "model")
    assert back.get_params() == model.get_params()
    public = {name for name in vars(model) if name.endswith("_") and name != "network_"}
    assert public <= vars(back).keys()
    for name in public:
        np.testing.assert_array_equal(getattr(back, name), getattr(model, name), err_msg=name)
    np.testing.assert_array_equal(back.predict_proba(data[0]), model.predict_proba(data[0]))


@pytest.mark.parametrize(
    "schedule",
    [Cosine(0.1, 20.0), OneCycle(), StepDecay(2, 0.5), Exponential(), Adaptive(),
     WarmUp(2.5, then=WarmUp(1, Cosine()))],
)  # fmt: skip
def test_schedules_come_back(data, schedule, tmp_path):
    """One within another, too."""
    model = FeedforwardClassifier((4,), learning_rate=schedule, max_iter=3).fit(*data)
    model.save(tmp_path / "model")
    assert load(tmp_path / "model").learning_rate == schedule


def test_curves_and_kinds_of_labels_come_back(data, tmp_path):
    """Curves of every set; sparse labels stay sparse; a list of class weights stays one."""
    from scipy.sparse import csr_matrix

    X, Y = make_multilabel_classification(40, 3, n_classes=2, random_state=0)
    weights = [{0: 1.0, 1: 2.0}, {0: 1.0, 1: 3.0}]
    model = FeedforwardClassifier((4,), max_iter=3, class_weight=weights, random_state=0).fit(
        X, csr_matrix(Y), eval_set=[(X, Y), (X[:9], Y[:9])]
    )
    model.save(tmp_path / "model")
    back = load(tmp_path / "model")
    assert back.evals_result_ == model.evals_result_
    assert back.class_weight == weights
    assert (back.predict(X) != model.predict(X)).nnz == 0
    regressor = FeedforwardRegressor("poisson", (3,), max_iter=2).fit(X, Y[:, 0])
    regressor.save(tmp_path / "regressor")
    assert load(tmp_path / "regressor").get_params() == regressor.get_params()


def test_a_model_from_a_file_goes_on(data, tmp_path):
    """With the loss where it was, and the optimiser's memory."""
    X, y = data
    model = FeedforwardClassifier(
        (4,), max_iter=30, learning_rate_init=0.02, random_state=0, stopping_folds=0
    )
    model.fit(X, y).save(tmp_path / "model")
    back = load(tmp_path / "model")
    back.partial_fit(X, y)
    assert back.t_ == 31 * 40
    assert back.loss_ == pytest.approx(model.loss_, rel=0.05)


@pytest.mark.parametrize(
    ("place", "name", "value"),
    [
        ("parameters", "learning_rate", {"schedule": "Popen", "args": "ls"}),
        ("parameters", "learning_rate", {"schedule": "Cosine", "lowest": 7}),
        ("parameters", "learning_rate", {"schedule": "Cosine", "unknown": 7}),
        ("parameters", "learning_rate", {"schedule": "WarmUp", "then": {"schedule": "Schedule"}}),
        ("parameters", "learning_rate", {}),
        ("parameters", "class_weight", [["no"]]),
        ("parameters", "class_weight", [[["no"], 1.0]]),
        ("parameters", "class_weight", [["no", "heavy"]]),
        ("parameters", "class_weight", 3),
        ("parameters", "n_iter_no_change", "forever"),
        ("parameters", "max_fun", -1),
        ("parameters", "normalisation", "layer"),
        ("parameters", "learned_parameters", ["alpha"]),
        ("state", "evals_result_", {"validation_0": {"loss": [1.0]}}),
        ("state", "evals_result_", [1.0]),
        ("state", "validation_losses_", "none"),
        ("state", "t_", "many"),
        ("state", "t_", math.inf),
        ("state", "best_epoch_", [1]),
    ],
)
def test_hostile_files_are_refused(data, place, name, value, tmp_path):
    """Whatever stands in them: an error of the package that says it is damaged."""
    path = tmp_path / "model"
    FeedforwardClassifier((4,), max_iter=1).fit(*data).save(path)
    network, extra = load_network(path)
    extra[place][name] = value
    save_network(network, path, json.loads(json.dumps(extra)))
    with pytest.raises(ModelFileError, match="damaged"):
        load(path)


def test_schedules_nested_without_end_are_refused(data, tmp_path):
    """A file may not exhaust the stack."""
    path = tmp_path / "model"
    FeedforwardClassifier((4,), max_iter=1).fit(*data).save(path)
    network, extra = load_network(path)
    nested = {"schedule": "Constant"}
    for _ in range(200):
        nested = {"schedule": "WarmUp", "then": nested}
    extra["parameters"]["learning_rate"] = nested
    save_network(network, path, extra)
    with pytest.raises(ModelFileError, match="schedule is unknown"):
        load(path)
