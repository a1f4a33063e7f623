"""Estimators in files."""

import json

import numpy as np
import pandas as pd
import pytest
import sympy
from safetensors import safe_open
from safetensors.numpy import save_file
from sklearn.exceptions import NotFittedError

from chainrule.catalogue import activation_formula
from chainrule.estimators import FeedforwardClassifier, FeedforwardRegressor, load
from chainrule.networks import ModelFileError, Network, network, save_network

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture
def data():
    X = np.random.default_rng(0).standard_normal((60, 3))
    return X, np.digitize(X[:, 0], [-0.5, 0.5])


@pytest.mark.parametrize(
    "labels",
    [
        np.array([0, 1, 2]),
        np.array([3, 5, 9], np.uint8),
        np.array([1.0, 2.0, 5.0]),
        np.array(["α", "b", "cc"]),
        np.array(["x", "y", "z"], object),
        np.array([False, True, True]),
    ],
    ids=["int", "uint8", "float", "text", "object", "bool"],
)
def test_classifier_comes_back(tmp_path, data, labels):
    """Predictions, labels, parameters and curves survive."""
    X, codes = data
    y = labels[codes]
    fitted = FeedforwardClassifier((5,), "tanh", max_iter=3, random_state=0).fit(X, y)
    fitted.save(tmp_path / "m.safetensors")
    back = load(tmp_path / "m.safetensors")
    assert type(back) is FeedforwardClassifier
    assert back.get_params() == fitted.get_params()
    np.testing.assert_array_equal(back.classes_, fitted.classes_)
    assert back.classes_.dtype == fitted.classes_.dtype
    np.testing.assert_array_equal(back.predict(X), fitted.predict(X))
    np.testing.assert_array_equal(back.predict_proba(X), fitted.predict_proba(X))
    assert back.loss_curve_ == fitted.loss_curve_
    assert back.n_iter_ == 3
    assert back.fit(X, y).score(X, y) == fitted.score(X, y)


@pytest.mark.parametrize(
    ("activation", "values"),
    [
        ("leaky_relu", {"alpha": 0.3}),
        ("where(z > 0, z, beta*z)", {"beta": 0.1}),
        (sympy.Symbol("z") * sympy.tanh(sympy.Symbol("z")), None),
        (activation_formula("elu", alpha=0.5), None),
        ([activation_formula("elu", alpha=0.5)], None),
    ],
    ids=["name", "text", "sympy", "formula", "list"],
)
def test_any_activation_comes_back(tmp_path, data, activation, values):
    """What text cannot hold is stored as its formula; training again gives the same network."""
    X, _ = data
    fitted = FeedforwardRegressor(
        "squared_error", (4,), activation, activation_parameters=values, max_iter=2,
        random_state=np.int64(1),
        output_activation=activation_formula("where(z > 0, z, slope*z)", slope=0.1),
    ).fit(X, X)  # fmt: skip
    fitted.save(tmp_path / "m")
    back = load(tmp_path / "m")
    np.testing.assert_array_equal(back.predict(X), fitted.predict(X))
    np.testing.assert_array_equal(back.fit(X, X).predict(X), fitted.predict(X))


def test_names_shapes_and_scores_come_back(tmp_path, data):
    """Feature names, one-dimensional targets, many labels, validation scores."""
    X, _ = data
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    regressor = FeedforwardRegressor(
        hidden_layer_sizes=(4,), max_iter=2, random_state=0, early_stopping=True
    )
    regressor.fit(frame, X[:, 0]).save(tmp_path / "r")
    back = load(tmp_path / "r")
    assert list(back.feature_names_in_) == ["a", "b", "c"]
    assert back.predict(frame).shape == (60,)
    assert back.validation_scores_ == regressor.validation_scores_
    labels = FeedforwardClassifier((4,), max_iter=2, random_state=0).fit(X, (X > 0).astype(int))
    labels.save(tmp_path / "c")
    np.testing.assert_array_equal(load(tmp_path / "c").predict(X), labels.predict(X))


def test_a_file_without_estimator_is_a_network(tmp_path):
    """Networks and estimators share one format."""
    net = network((2, 1), ("identity",), "half_squared_error", rng=0)
    save_network(net, tmp_path / "m")
    assert isinstance(load(tmp_path / "m"), Network)


def test_unfitted_estimators_cannot_be_saved(tmp_path):
    """There is nothing to save yet."""
    with pytest.raises(NotFittedError):
        FeedforwardClassifier().save(tmp_path / "m")


def test_labels_that_are_not_data_cannot_be_saved(tmp_path, data):
    """Labels of other types are refused when saving, not when loading."""
    X, codes = data
    y = np.array(["2020-01-01", "2021-01-01", "2022-01-01"], "datetime64[D]")[codes]
    classifier = FeedforwardClassifier((3,), max_iter=1, random_state=0)
    classifier.fit(X, codes)
    classifier.classes_ = np.unique(y)
    with pytest.raises(TypeError, match="cannot be saved"):
        classifier.save(tmp_path / "m")


def _changed(path, change):
    with safe_open(path, framework="numpy") as file:
        metadata = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    del metadata["checksum"]
    extra = json.loads(metadata["extra"])
    change(extra)
    save_file(tensors, path, metadata | {"extra": json.dumps(extra)})


@pytest.mark.parametrize(
    "change",
    [
        lambda extra: extra.update(estimator="os.system"),
        lambda extra: extra.update(parameters=[]),
        lambda extra: extra.pop("state"),
        lambda extra: extra["parameters"].update(unknown=1),
        lambda extra: extra["parameters"].update(alpha=-1),
        lambda extra: extra["parameters"].update(hidden_layer_sizes=[6]),
        lambda extra: extra["parameters"].update(hidden_layer_sizes=[10**400]),
        lambda extra: extra["state"].update(n_features_in_=2),
        lambda extra: extra["state"].update(feature_names_in_=["a"]),
        lambda extra: extra["state"].update(feature_names_in_=[1, 2, 3]),
        lambda extra: extra["state"].update(loss_curve_="fell"),
        lambda extra: extra["state"].update(_multilabel=0),
        lambda extra: extra["state"]["classes_"].update(values=[0, 1]),
        lambda extra: extra["state"]["classes_"].update(values=[]),
        lambda extra: extra["state"]["classes_"].update(values=[0, 1, "2"]),
        lambda extra: extra["state"]["classes_"].update(values=[0, 1, 10**30]),
        lambda extra: extra["state"]["classes_"].update(kind="U1000000000"),
        lambda extra: extra["state"]["classes_"].update(kind=["int64"]),
    ],
)
def test_contradictions_are_refused(tmp_path, data, change):
    """What a file says of its estimator must fit its network."""
    X, y = data
    path = tmp_path / "m"
    FeedforwardClassifier((5,), max_iter=1, random_state=0).fit(X, y).save(path)
    _changed(path, change)
    with pytest.raises(ModelFileError, match="is damaged"):
        load(path)


def test_formulas_of_the_file_win_over_names(tmp_path, data):
    """A name that has come to mean another formula does not change a stored network."""
    X, y = data
    path = tmp_path / "m"
    fitted = FeedforwardClassifier((5,), "tanh", max_iter=1, random_state=0).fit(X, y)
    fitted.save(path)
    _changed(path, lambda extra: extra["parameters"].update(activation="a name of the future"))
    back = load(path)
    assert back.activation == ["tanh(z)"] or "exp" in back.activation[0]
    np.testing.assert_array_equal(back.predict(X), fitted.predict(X))


@pytest.mark.parametrize("cost", ["focal", "binary_focal", "sum((a - y)**2)"])
def test_a_classifier_with_a_cost_of_its_own_comes_back(tmp_path, data, cost):
    """Two classes may have one unit or two."""
    X, codes = data
    model = FeedforwardClassifier((5,), cost=cost, max_iter=3, random_state=0).fit(X, codes > 0)
    model.save(tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors")
    assert again.cost == cost
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize("bits", [np.random.MT19937, np.random.Philox, np.random.SFC64])
def test_parts_go_on_with_any_generator(tmp_path, data, bits):
    """Its state is in the file, and so is the optimiser's memory, unless they are not wanted."""
    X, y = data

    def model():
        return FeedforwardClassifier(
            (5,), batch_size=7, max_iter=2, random_state=np.random.Generator(bits(3))
        )

    whole, part = (each.partial_fit(X, y, classes=[0, 1, 2]) for each in (model(), model()))
    for name in "ab":
        part.save(tmp_path / name)
        part = load(tmp_path / name)
    for each in (whole, part):
        each.partial_fit(X, y)
    np.testing.assert_array_equal(part.network_.parameters, whole.network_.parameters)
    model().fit(X, y).save(tmp_path / "fitted", training=False)
    assert (tmp_path / "fitted").stat().st_size < (tmp_path / "a").stat().st_size
    with safe_open(tmp_path / "fitted", "numpy") as file:
        assert "memory" not in file.keys()  # noqa: SIM118
        assert file.metadata()["version"] == "1"


@pytest.mark.parametrize("solver", ["adam", "muon", "lbfgs"])
@pytest.mark.parametrize("kind", [FeedforwardClassifier, FeedforwardRegressor])
def test_a_loaded_estimator_goes_on_as_the_saved_one_would(tmp_path, data, kind, solver):
    """After `fit`, by a warm start and by `partial_fit`, bit for bit; inputs far from 0."""
    X, y = 300.0 + 40.0 * data[0], data[1]
    model = kind(
        hidden_layer_sizes=(5,), solver=solver, max_iter=4, warm_start=True, random_state=0
    ).fit(X, y)
    model.save(tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors")
    for each in (model, again):
        each.set_params(solver="adam" if solver == "lbfgs" else solver).partial_fit(X, y)
    np.testing.assert_array_equal(again.network_.parameters, model.network_.parameters)
    for each in (model, again):
        each.fit(X, y)
    np.testing.assert_array_equal(again.network_.parameters, model.network_.parameters)
    assert again.loss_curve_ == model.loss_curve_


@pytest.mark.parametrize(
    "change",
    [
        lambda state, memory: state.update(optimiser="Newton"),
        lambda state, memory: state.update(steps=-1),
        lambda state, memory: state.update(steps=1.5),
        lambda state, memory: state.update(waited=True),
        lambda state, memory: state.update(best="high"),
        lambda state, memory: state.pop("seed"),
        lambda state, memory: state.update(generator={}),
        lambda state, memory: state["generator"].update(bit_generator="os"),
        lambda state, memory: state["generator"].update(state={"state": "x"}),
        lambda state, memory: memory.__setitem__((0, 0), np.nan),
        lambda state, memory: memory.resize((2, 3), refcheck=False),
    ],
)
def test_states_that_contradict_themselves_are_refused(tmp_path, data, change):
    """The memory of an optimiser must fit the network, and the rest be of its kind."""
    X, y = data
    path = tmp_path / "m"
    FeedforwardClassifier((5,), random_state=0).partial_fit(X, y, classes=[0, 1, 2]).save(path)
    with safe_open(path, framework="numpy") as file:
        metadata = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    del metadata["checksum"]
    state, tensors["memory"] = json.loads(metadata["state"]), tensors["memory"].copy()
    change(state, tensors["memory"])
    save_file(tensors, path, metadata | {"state": json.dumps(state)})
    with pytest.raises(ModelFileError, match="is damaged"):
        load(path)
