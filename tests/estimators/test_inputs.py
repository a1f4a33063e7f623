"""The short way in for arrays that need no conversion: it must refuse what the long way refuses."""

import tracemalloc

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from scipy.sparse import random as random_sparse
from sklearn.base import clone
from sklearn.utils.validation import validate_data

from chainrule.estimators import FeedforwardClassifier
from chainrule.estimators._data import FLOATS, is_ready

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(scope="module")
def fitted():
    X = np.random.default_rng(0).standard_normal((40, 3))
    return FeedforwardClassifier((4,), max_iter=2, random_state=0).fit(X, np.arange(40) % 3)


@pytest.mark.parametrize("rows", [1, 5000])
@pytest.mark.parametrize("dtype", FLOATS)
def test_what_is_ready_is_what_the_long_way_returns_as_it_is(fitted, rows, dtype):
    """The very same array."""
    X = np.ones((rows, 3), dtype)
    assert is_ready(X, 3)
    assert validate_data(fitted, X, reset=False, dtype=FLOATS, order="C") is X


@pytest.mark.parametrize("rows", [1, 5000])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", FLOATS)
def test_numbers_that_are_none_are_refused(fitted, rows, bad, dtype):
    """In one row and in many, wherever they stand."""
    X = np.ones((rows, 3), dtype)
    X[rows // 2, 1] = bad
    with pytest.raises(ValueError, match="NaN" if np.isnan(bad) else "infinity"):
        fitted.predict(X)


def test_infinities_that_cancel_are_refused(fitted):
    """Their sum is no number either."""
    X = np.ones((5000, 3))
    X[0, 0], X[-1, 1] = np.inf, -np.inf
    assert not is_ready(X, 3)
    assert not is_ready(X[[0, -1]], 3)


@pytest.mark.parametrize("dtype", FLOATS)
def test_large_numbers_whose_sum_overflows_are_accepted(fitted, dtype):
    """They are finite."""
    X = np.full((3, 3), np.finfo(dtype).max / 4, dtype)
    assert fitted.predict(X).shape == (3,)
    np.testing.assert_array_equal(fitted.predict(X[:1]), fitted.predict(X.tolist())[:1])


@pytest.mark.parametrize(
    "other",
    [
        lambda X: X.tolist(),
        lambda X: np.asfortranarray(X),
        lambda X: np.repeat(X, 2, axis=0)[::2],
        lambda X: X.astype(np.float16),
        lambda X: X.astype(">f8"),
        lambda X: X.astype(int),
        lambda X: X.astype(object),
        lambda X: np.ma.masked_array(X),
        lambda X: csr_matrix(X),
    ],
)
def test_all_else_takes_the_long_way_to_the_same_result(fitted, other):
    """Lists, other orders and strides, other dtypes, subclasses, sparse matrices."""
    X = np.arange(12.0).reshape(4, 3) - 5.0
    given = other(X)
    assert not is_ready(given, 3)
    np.testing.assert_allclose(fitted.predict_proba(given), fitted.predict_proba(X), rtol=1e-12)


def test_wrong_shapes_are_refused(fitted):
    """Another width, one dimension, three, no rows."""
    for bad, message in [
        (np.ones((2, 4)), "4 features"),
        (np.ones(3), "2D array"),
        (np.ones((1, 1, 3)), "dim 3"),
        (np.ones((0, 3)), "minimum of 1"),
    ]:
        with pytest.raises(ValueError, match=message):
            fitted.predict(bad)


@pytest.mark.parametrize("sparse", [True, False])
def test_memory_of_predictions_does_not_grow_with_what_is_converted(sparse):
    """Of 60,000 rows in another dtype, or sparse, no second copy is made as a whole."""
    X = np.zeros((60_000, 50), np.float32 if sparse else np.float64)
    X[:, 0] = np.arange(60_000) / 60_000
    fitted = FeedforwardClassifier((2,), max_iter=1).fit(X[:10].astype(np.float32), X[:10, 0] > 0)
    given = csr_matrix(X) if sparse else X
    expected = fitted.predict_proba(X[:4100].astype(np.float32))
    tracemalloc.start()
    try:
        found = fitted.predict_proba(given)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    np.testing.assert_array_equal(found[:4100], expected)
    assert peak < X.size * 4 / 2


def _words(rows, dtype=np.float64):
    X = random_sparse(rows, 3000, density=0.01, format="csr", dtype=dtype, random_state=0)
    return X, (X @ np.random.default_rng(0).standard_normal(3000) > 0) + 1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("options", [{}, {"normalisation": "layer"}, {"early_stopping": True}])
def test_wide_sparse_inputs_are_their_dense_ones(options, dtype):
    """Words as columns: what is fitted, predicted and rated is that of the dense matrix.

    In float32 without Adam, whose first steps are as long whether a gradient is large or rounding.
    """
    X, y = _words(400, dtype)
    model = FeedforwardClassifier(
        (5, 3), max_iter=3, random_state=0, recipe="own",
        solver="adam" if dtype == np.float64 else "sgd", **options,
    )  # fmt: skip
    dense = clone(model).fit(X.toarray(), y, eval_set=[(X[:90].toarray(), y[:90])])
    sparse = clone(model).fit(X, y, eval_set=[(X[:90], y[:90])])
    near = {"rtol": 1e-9 if dtype == np.float64 else 1e-3, "atol": 1e-6}
    np.testing.assert_allclose(sparse.loss_curve_, dense.loss_curve_, **near)
    np.testing.assert_allclose(sparse.validation_losses_, dense.validation_losses_, **near)
    np.testing.assert_allclose(sparse.predict_proba(X), dense.predict_proba(X.toarray()), **near)
    np.testing.assert_allclose(
        sparse.hidden_activations(X, 1), dense.hidden_activations(X.toarray(), 1), **near
    )


@pytest.mark.parametrize("options", [{"early_stopping": True}, {"solver": "lbfgs"}])
def test_wide_sparse_inputs_never_become_dense_as_a_whole(options):
    """Neither in training, nor where they are kept aside, nor in prediction."""
    X, y = _words(5000)
    model = FeedforwardClassifier((5,), max_iter=1, batch_size=50, **options)
    clone(model).fit(X[:100], y[:100], eval_set=[(X[:9], y[:9])]).predict(X[:9])  # compiled here
    tracemalloc.start()
    try:
        model.fit(X, y, eval_set=[(X, y)]).predict(X)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < X.shape[0] * X.shape[1] * X.dtype.itemsize / 5
