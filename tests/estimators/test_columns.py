"""Several columns of classes at once: a softmax for each on shared hidden layers."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.sparse import csr_matrix
from sklearn.model_selection import KFold, cross_val_score
from sklearn.utils.class_weight import compute_sample_weight

from chainrule.estimators import FeedforwardClassifier, load
from chainrule.formulas import ParameterError
from chainrule.networks import ModelFileError, network, save_network, train
from chainrule.networks import load_network as read

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

NUMBERS = np.array([10, 20, 30])
WORDS = np.array(["high", "low", "middle", "top"])


@pytest.fixture(scope="module")
def data():
    """Three columns of labels: numbers, words, truth values."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 4))
    a = np.digitize(X[:, 0], [-0.5, 0.5])
    b = np.digitize(X[:, 1] + X[:, 2], [-0.9, 0.0, 0.9])
    return X, NUMBERS[a], WORDS[b], X[:, 3] > 0


@pytest.fixture(scope="module")
def whole(data):
    X, a, b, _ = data
    return X, np.column_stack([a, np.searchsorted(WORDS, b)])


def _model(**options):
    options = {"max_iter": 8, "random_state": 0, **options}
    return FeedforwardClassifier((6,), **options)


def _softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def _hot(Y, *classes):
    return np.hstack([Y[:, [k]] == own for k, own in enumerate(classes)]).astype(float)


def test_all_kinds_of_tables_keep_their_labels(data):
    """Of one kind they come back as it, of several as objects: from pandas, polars, lists."""
    X, a, b, c = data
    frame = pd.DataFrame({"a": a, "b": b, "c": c})
    for Y, kinds in (
        (np.column_stack([a, a]), "ii"),
        (np.column_stack([b, b]), "UU"),
        (frame, "iUb"),
        (frame.astype({"b": "category"}), "iUb"),
        (pl.DataFrame({"a": a, "b": b}), "iU"),
        ([[int(number), str(word)] for number, word in zip(a, b, strict=True)], "iU"),
        (np.column_stack([a.astype(object), b]), "iU"),
        (np.column_stack([a, c]), "ii"),
        (np.where(c, 2, 1)[:, None] * [1, 1], "ii"),
    ):
        model = _model(max_iter=1).fit(X, Y)
        assert "".join(column.dtype.kind for column in model.classes_) == kinds
        predicted = model.predict(X)
        assert predicted.shape == (300, len(kinds))
        assert predicted.dtype.kind == (kinds[0] if len(set(kinds)) == 1 else "O")
        for own, column in zip(model.classes_, predicted.T, strict=True):
            assert set(column) <= set(own)
        assert 0.0 <= model.score(X, Y) <= 1.0
    two = np.column_stack([c, a == 10])
    for Y in (two, pd.DataFrame(two), pl.DataFrame(two), pd.DataFrame({"a": a == 10, "b": 1 * c})):
        np.testing.assert_array_equal(_model(max_iter=1).fit(X, Y).classes_, [0, 1])
    model = _model(max_iter=1).fit(X, two.astype(object))
    assert [list(own) for own in model.classes_] == [[False, True], [False, True]]


def test_it_is_a_network_of_softmax_heads(whole):
    """The same as training by hand; probabilities and labels by NumPy from the weights."""
    X, Y = whole
    model = _model(standardise=False, batch_size=200).fit(X, Y)
    start = network(
        (4, 6, 7), ("relu", "softmax"), "categorical_cross_entropy",
        rng=(rng := np.random.default_rng(0)), blocks=(3, 4),
    )  # fmt: skip
    by_hand = train(start, X, _hot(Y, NUMBERS, range(4)), alpha=1e-4, epochs=8, rng=rng)
    assert model.loss_curve_ == pytest.approx(by_hand.loss_curve, rel=1e-9)
    (W, V), (b, c) = model.coefs_, model.intercepts_
    Z = np.maximum(X @ W + b, 0) @ V + c
    expected = _softmax(Z[:, :3]), _softmax(Z[:, 3:])
    found = model.predict_proba(X)
    assert isinstance(found, list)
    for part, right, logarithm in zip(found, expected, model.predict_log_proba(X), strict=True):
        np.testing.assert_allclose(part, right, rtol=1e-10)
        np.testing.assert_allclose(logarithm, np.log(right), rtol=1e-9, atol=1e-12)
    codes = [part.argmax(axis=1) for part in expected]
    np.testing.assert_array_equal(model.predict(X), np.column_stack([NUMBERS[codes[0]], codes[1]]))
    assert (model.n_outputs_, model.out_activation_) == (7, "softmax")


def test_it_learns_all_columns(data):
    """Text, numbers and truth values, with early stopping, from sparse inputs as well."""
    X, *columns = data
    Y = pd.DataFrame(dict(zip("abc", columns, strict=True)))
    model = _model(
        max_iter=200, learning_rate_init=0.02, early_stopping=True, n_iter_no_change=40
    ).fit(X, Y)
    assert model.score(X, Y) > 0.8
    assert max(model.validation_scores_) == model.best_validation_score_
    sparse = _model(max_iter=150, learning_rate_init=0.02, solver="lbfgs").fit(csr_matrix(X), Y)
    assert sparse.score(X, Y) > 0.95


def test_the_score_is_the_share_of_wholly_right_rows(whole):
    """As MultiOutputClassifier has it, weighted where asked; cross-validation uses it."""
    X, Y = whole
    model = _model(max_iter=30, learning_rate_init=0.02).fit(X, Y)
    right = (model.predict(X) == Y).all(axis=1)
    weights = np.arange(300.0)
    assert 0.2 < right.mean() < 1.0
    assert model.score(X, Y) == pytest.approx(right.mean())
    assert model.score(X, Y, weights) == pytest.approx(np.average(right, weights=weights))
    assert len(cross_val_score(_model(), X, Y, cv=2)) == 2
    mixed = pd.DataFrame({"a": Y[:, 0], "b": WORDS[Y[:, 1]]})
    assert len(cross_val_score(_model(), X, mixed, cv=KFold(2))) == 2
    with pytest.raises(ValueError, match=r"shape \(300, 2\)"):
        model.score(X, Y[:, [0, 1, 1]])
    with pytest.raises(ValueError, match="inconsistent"):
        model.score(X, Y, weights[:5])


@pytest.mark.parametrize(
    "weights", ["balanced", [{10: 3.0}, {0: 0.5, 3: 2.0}], ["balanced", {2: 4.0}], [None, {2: 4.0}]]
)
def test_class_weights_multiply(whole, weights):
    """The weight of a row is the product over its columns, as scikit-learn computes it."""
    X, Y = whole
    full = weights
    if weights != "balanced":
        ones = dict.fromkeys(NUMBERS.tolist(), 1.0), dict.fromkeys(range(4), 1.0)
        full = [
            own if own == "balanced" else {**one, **(own or {})}
            for own, one in zip(weights, ones, strict=True)
        ]
    equal = compute_sample_weight(full, Y) if weights == "balanced" else np.prod(
        [compute_sample_weight(own, Y[:, k]) for k, own in enumerate(full)], axis=0
    )  # fmt: skip
    np.testing.assert_allclose(
        _model(class_weight=weights).fit(X, Y).coefs_[0],
        _model().fit(X, Y, equal).coefs_[0], rtol=1e-9,
    )  # fmt: skip


@pytest.mark.parametrize("weights", [{10: 1.0}, [{10: 1.0}], [{10: 1.0}, {9: 1.0}], [{10: -1}, {}]])
def test_bad_class_weights_are_refused(whole, weights):
    """One dict does not say which column; others name no class, or no weight."""
    with pytest.raises(ParameterError, match="class_weight"):
        _model(class_weight=weights).fit(*whole)


def test_labels_are_smoothed_column_by_column(whole):
    """A share of each column's target over the classes of that column."""
    X, Y = whole
    soft = 0.7 * _hot(Y, NUMBERS, range(4)) + 0.3 / np.repeat([3, 4], [3, 4])
    start = network(
        (4, 6, 7), ("relu", "softmax"), "categorical_cross_entropy",
        rng=(rng := np.random.default_rng(0)), blocks=(3, 4),
    )  # fmt: skip
    by_hand = train(start, X, soft, alpha=1e-4, epochs=8, rng=rng)
    smoothed = _model(label_smoothing=0.3, standardise=False, batch_size=200).fit(X, Y)
    assert smoothed.loss_curve_ == pytest.approx(by_hand.loss_curve, rel=1e-9)


def test_parts_bring_classes_one_by_one(whole):
    """Classes as a list of those of each column; then zeros and ones are columns as well."""
    X, Y = whole
    classes = [NUMBERS, range(4)]
    model = _model().partial_fit(X, Y, classes=classes)
    np.testing.assert_array_equal(
        model.network_.parameters, _model(max_iter=1).fit(X, Y).network_.parameters
    )
    model.partial_fit(X[:9], Y[:9], classes=classes)
    part = _model().partial_fit(X, Y > 10, classes=[[0, 1], [0, 1]])
    assert [part.shape for part in part.predict_proba(X)] == [(300, 2), (300, 2)]
    for call, message in [
        (lambda: model.partial_fit(X, Y, classes=[NUMBERS, range(3)]), "not the same as on last"),
        (lambda: model.partial_fit(X, Y + 1), "classes not in"),
        (lambda: model.partial_fit(X, Y[:, [0, 1, 1]]), "3 columns of labels"),
        (lambda: model.partial_fit(X, Y[:, 0]), "several columns of classes"),
        (lambda: _model().partial_fit(X, Y, classes=NUMBERS), "a list with the labels of each"),
        (lambda: _model().partial_fit(X, Y[:, 0], classes=classes), "several columns of classes"),
    ]:
        with pytest.raises(ValueError, match=message):
            call()


def test_sets_aside_are_of_the_same_columns(whole):
    """A set whose rows hold two numbers only is still one of columns."""
    X, Y = whole
    Y = Y // 10 * [1, 0] + [0, 1] * Y - [1, 0]
    few = (Y < 2).all(axis=1)
    assert set(np.unique(Y[few])) == {0, 1}
    model = _model().fit(X, Y, eval_set=[(X[few], Y[few])])
    assert model.evals_result_["validation_0"]["score"][-1] == model.score(X[few], Y[few])
    with pytest.raises(ValueError, match="3 columns"):
        _model().fit(X, Y, eval_set=[(X, Y[:, [0, 1, 1]])])


def test_warm_starts_keep_the_classes(whole):
    """Going on needs the same classes in every column."""
    X, Y = whole
    model = _model(warm_start=True).fit(X, Y)
    assert len(model.fit(X, Y).loss_curve_) == 16
    with pytest.raises(ValueError, match="same classes"):
        model.fit(X[Y[:, 1] > 0], Y[Y[:, 1] > 0])


def test_a_column_of_one_class_is_certain(whole):
    """Beside another that has classes to tell apart, and beside one that has not."""
    X, Y = whole
    model = _model().fit(X, Y * [1, 0])
    np.testing.assert_array_equal(model.predict_proba(X)[1], np.ones((300, 1)))
    np.testing.assert_array_equal(_model().fit(X, Y * 0 + [7, 8]).predict(X), Y * 0 + [7, 8])


def test_columns_that_are_no_labels_are_refused(data):
    """Text among numbers, nothing, and numbers with fractions."""
    X, a, b, _ = data
    mixed = np.column_stack([a.astype(object), b])
    mixed[3, 0] = "ten"
    with pytest.raises(ValueError, match="column 0 of y mixes labels of the types int, str"):
        _model().fit(X, mixed)
    mixed[3] = [10, None]
    with pytest.raises(ValueError, match="column 1 of y mixes labels of the types NoneType, str"):
        _model().fit(X, mixed)
    missing = pd.DataFrame({"a": pd.array([*a[1:], None], dtype="Int64"), "b": b})
    with pytest.raises(ValueError, match="contains NaN"):
        _model().fit(X, missing)
    with pytest.raises(ValueError, match="continuous"):
        _model().fit(X, np.column_stack([a, X[:, 0]]))
    with pytest.raises(ParameterError, match="targets of -1 and 1"):
        _model(cost="hinge").fit(X, np.column_stack([a, a]))


def test_gradients_by_inputs_are_those_of_each_column(whole):
    """Against central differences of the probabilities."""
    X, Y = whole
    model = _model(activation="tanh").fit(X, Y)
    x = X[:5]
    ahead, back = (model.predict_proba(x + sign * np.eye(4)[1]) for sign in (1e-5, -1e-5))
    for slopes, high, low in zip(model.input_gradients(x), ahead, back, strict=True):
        assert slopes.shape == (*high.shape, 4)
        np.testing.assert_allclose(slopes[:, :, 1], (high - low) / 2e-5, rtol=1e-6, atol=1e-9)
    assert model.hidden_activations(x).shape == (5, 6)
    assert len(model.layer_statistics(x, Y[:5]).layers) == 2
    assert "2 blocks of 3 and 4 units" in " ".join(model.propagation().to_text().split())


def test_it_comes_back_from_files(tmp_path, data):
    """Labels with their types, and everything that predicts; damage is refused."""
    X, *columns = data
    Y = pd.DataFrame(dict(zip("abc", columns, strict=True)))
    model = _model(class_weight=[{10: 2.0}, "balanced", None], cost="focal").fit(X, Y)
    model.save(tmp_path / "m")
    for back in (load(tmp_path / "m"), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(back.predict(X), model.predict(X))
        kinds = [column.dtype for column in back.classes_]
        assert kinds == [column.dtype for column in model.classes_]
        assert back.fit(X, Y).loss_ == model.loss_
    net, extra = read(tmp_path / "m")
    extra["state"]["classes_"] = extra["state"]["classes_"][:2]
    save_network(net, tmp_path / "m", extra)
    with pytest.raises(ModelFileError, match="outputs in blocks"):
        load(tmp_path / "m")
