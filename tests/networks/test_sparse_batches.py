"""Batches of wide sparse inputs: those of the dense ones, computed from the entries that there are.

The oracle is training on the same inputs, dense.
"""

import tracemalloc

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from scipy.sparse import random as random_sparse

from chainrule.networks import (
    Adam,
    AdamW,
    GradientDescent,
    Muon,
    RMSprop,
    network,
    standardisation,
    train,
)
from chainrule.networks.training._run import Run, threads_for

_COUNT, _COLUMNS = 230, 3000


def _examples(dtype="float64"):
    """Rows without entries, columns without, values that are 0, and several for one place."""
    X = random_sparse(_COUNT, _COLUMNS, density=0.01, format="csr", dtype=dtype, random_state=0)
    X.data[::7] = 0.0
    X.indices[1::40] = X.indices[0::40][: X.indices[1::40].size]
    lengths = np.diff(X.indptr)
    X.indptr[6:] -= lengths[5]  # row 5 has none
    X = csr_matrix((X.data[: X.indptr[-1]], X.indices[: X.indptr[-1]], X.indptr), X.shape)
    slopes = np.random.default_rng(0).standard_normal((_COLUMNS, 2))
    return X, np.asarray(X @ slopes, dtype)


def _scattered(rows, columns, entries):
    """At once, where `scipy.sparse.random` first orders all places that there are."""
    rng = np.random.default_rng(0)
    places = rng.integers(rows, size=entries), rng.integers(columns, size=entries)
    return csr_matrix((rng.uniform(size=entries), places), (rows, columns))


def _network(normalisation="", dtype="float64"):
    return network(
        (_COLUMNS, 12, 5, 2), ("leaky_relu", "tanh", "identity"), "half_squared_error",
        dtype=dtype, rng=0, normalisation=normalisation, learned=[["alpha"], [], []],
    )  # fmt: skip


def _epochs(net, X, Y, optimiser, *, standardises=False, threads=1, **options):
    weights = np.random.default_rng(1).integers(0, 3, len(Y))
    given = standardisation(net, X, Y, weights) if standardises else None
    run = Run(
        net, X, Y, weights, optimiser, alpha=0.1, batch_size=64, threads=threads,
        standardisation=given, **options,
    )  # fmt: skip
    with run.threads():
        rates = np.full(run.steps_of(run.rows), 0.01)
        losses = [run.epoch(run.rows, rates) for _ in range(2)]
    return np.array(losses), run.parameters, run


@pytest.mark.parametrize("standardises", [False, True])
@pytest.mark.parametrize("normalisation", ["", "layer", "batch"])
@pytest.mark.parametrize("optimiser", [Adam(), Muon(), GradientDescent(), RMSprop(), AdamW()])
@pytest.mark.parametrize("options", [{}, {"clip_norm": 0.3}, {"clip_value": 0.01, "dropout": 0.3}])
def test_they_are_those_of_dense_inputs(standardises, normalisation, optimiser, options):
    """For every optimiser, clipped or not, standardised or not, behind every normalisation."""
    X, Y = _examples()
    net = _network(normalisation)
    given = {"standardises": standardises, **options}
    losses, parameters, run = _epochs(net, X, Y, optimiser, **given)
    expected, others, other = _epochs(net, X.toarray(), Y, optimiser, **given)
    assert run.sparse is not None
    assert other.sparse is None
    np.testing.assert_allclose(losses, expected, rtol=1e-9)
    np.testing.assert_allclose(parameters, others, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("standardises", [False, True])
def test_single_precision_is_near_double(standardises):
    """Of columns with entries in every row and a mean of many deviations, too."""
    X, Y = _examples()
    X = X.toarray()
    X[:, 7] = 50.0 + np.random.default_rng(0).standard_normal(_COUNT)
    X = csr_matrix(X)
    single = csr_matrix(X, dtype=np.float32), Y.astype(np.float32)
    options = {"standardises": standardises}
    losses, parameters, _ = _epochs(
        _network(dtype="float32"), *single, GradientDescent(), **options
    )
    expected, others, _ = _epochs(_network(), X.toarray(), Y, GradientDescent(), **options)
    np.testing.assert_allclose(losses, expected, rtol=1e-4)
    np.testing.assert_allclose(parameters, others, atol=1e-4)


@pytest.mark.parametrize("normalisation", ["", "layer", "batch"])
def test_single_precision_loses_no_more_than_with_dense_inputs(normalisation):
    """Adam makes much of rounding: of both alike, beside float64."""
    X, Y = _examples()
    exact = _epochs(_network(normalisation), X, Y, Adam(), standardises=True)[1]
    single, small = X.astype(np.float32), Y.astype(np.float32)
    net = _network(normalisation, "float32")
    sparse, dense = (
        np.sqrt(np.mean((_epochs(net, Z, small, Adam(), standardises=True)[1] - exact) ** 2))
        for Z in (single, single.toarray())
    )
    assert sparse < 2.0 * dense


@pytest.mark.parametrize("standardises", [False, True])
@pytest.mark.parametrize("optimiser", [Adam(), Muon()])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_number_of_threads_changes_no_bit(standardises, optimiser, dtype):
    """Every sum is one thread's, in one order."""
    X, Y = _examples(dtype)
    results = [
        _epochs(
            _network(dtype=dtype), X, Y, optimiser, standardises=standardises, threads=threads
        )[:2]
        for threads in (1, 2, 3)
    ]  # fmt: skip
    for result in results[1:]:
        for found, first in zip(result, results[0], strict=True):
            np.testing.assert_array_equal(found, first)


@pytest.mark.parametrize("standardises", [False, True])
def test_a_checkpoint_goes_on_bit_for_bit(tmp_path, standardises):
    """Whatever is kept for the next batch follows from what a checkpoint holds."""
    X, Y = _examples()
    net = _network()
    given = standardisation(net, X, Y) if standardises else None
    options = {"rng": 3, "epochs": 4, "batch_size": 64, "standardisation": given, "alpha": 0.1}

    def stop(epoch):
        if epoch.number == 2:
            raise KeyboardInterrupt

    whole = train(net, X, Y, **options)
    path = tmp_path / "training"
    parted = train(net, X, Y, checkpoint=path, callbacks=stop, **options)
    assert parted.interrupted
    resumed = train(net, X, Y, checkpoint=path, **options)
    np.testing.assert_array_equal(resumed.network.parameters, whole.network.parameters)
    assert resumed.loss_curve == whole.loss_curve


def test_no_batch_becomes_dense():
    """Of 200 rows and 50,000 columns there is neither a copy nor a gradient."""
    X = _scattered(1000, 50_000, 5000)
    net = network((50_000, 2, 1), ("tanh", "identity"), "half_squared_error", rng=0)
    tracemalloc.start()
    try:
        train(net, X, np.ones((1000, 1)), epochs=2)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 200 * 50_000 * 8 / 5


def test_inputs_with_many_entries_become_dense():
    """Products of dense matrices are faster then; likewise where inputs are dropped, or narrow."""
    net = _network()
    X = csr_matrix(random_sparse(200, _COLUMNS, density=0.2, random_state=0))
    Y = np.ones((200, 2))
    assert Run(net, X, Y, None, Adam()).sparse is None
    X, Y = _examples()
    assert Run(net, X, Y, None, Adam(), dropout=(0.1, 0.0, 0.0)).sparse is None
    narrow = network((1000, 2), ("identity",), "half_squared_error", rng=0)
    assert Run(narrow, X[:, :1000], Y, None, Adam()).sparse is None


def test_threads_are_counted_by_what_a_step_computes(monkeypatch):
    """Not by what it would over dense inputs; in trials too, which share the processors."""
    monkeypatch.setattr("chainrule.networks.training._run.available_processors", lambda: 8)
    X = _scattered(300, 20_000, 6000)
    Y = np.ones((300, 1))
    net = network((20_000, 12, 1), ("relu", "identity"), "half_squared_error", rng=0)
    for inputs, dropout, threads in ((X, 0.0, 1), (X, (0.1, 0.0), 6), (X.toarray(), 0.0, 6)):
        run = Run(net, inputs, Y, None, Adam(), batch_size=64, dropout=dropout)
        assert len(run.crew.spaces) == threads == threads_for(net, inputs, 64, dropout)
