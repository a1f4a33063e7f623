"""Training on standardised examples: exact, in the user's units, and going on bit for bit."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.preprocessing import StandardScaler

from chainrule.catalogue import cost_formula
from chainrule.formulas import parse
from chainrule.networks import (
    Adam,
    CheckpointError,
    NetworkError,
    Standardisation,
    load_checkpoint,
    network,
    standardisation,
    train,
    train_lbfgs,
)
from chainrule.networks.compiled import run_batches
from chainrule.networks.training._homogeneity import degree, is_of_differences

TRAINERS = [
    lambda net, X, Y, **options: train(net, X, Y, rng=1, epochs=6, tolerance=0.0, **options),
    lambda net, X, Y, **options: train_lbfgs(net, X, Y, iterations=6, tolerance=0.0, **options),
]


def _problem(dtype=np.float64):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((90, 3)) * [2.0, 0.01, 300.0] + [50.0, 0.0, -1000.0]
    X[:, 1] = np.where(rng.random(90) < 0.5, 0.0, X[:, 1])
    Y = np.column_stack([3.0 * X[:, 0] + X[:, 1], np.abs(X[:, 2])])
    return X.astype(dtype), Y.astype(dtype), rng.uniform(0.5, 2.0, 90).astype(dtype)


def _net(dtype=np.float64, **options):
    return network((3, 8, 2), ("tanh", "identity"), "half_squared_error", rng=0, dtype=dtype,
                   **options)  # fmt: skip


def test_means_and_variances_are_scikit_learns():
    """Weighted, dense or sparse; targets with one scale, the root of their mean variance."""
    X, Y, weights = _problem()
    scaler = StandardScaler().fit(X, sample_weight=weights)
    targets = StandardScaler().fit(Y, sample_weight=weights)
    for given in (X, csr_matrix(X)):
        found = standardisation(_net(), given, Y, weights)
        np.testing.assert_allclose(found.centres, scaler.mean_, rtol=1e-12)
        np.testing.assert_allclose(found.scales, scaler.scale_, rtol=1e-12)
        np.testing.assert_allclose(found.target_centres, targets.mean_, rtol=1e-12)
        assert found.target_scale == pytest.approx(np.sqrt(targets.var_.mean()))


def test_what_has_no_scale_is_left_alone():
    """Constant columns, large ones that round, columns whose variance overflows, constant Y."""
    X = np.column_stack(
        [np.full(4, 0.1), 1e9 + np.arange(4) * 1e-7, [1e300, -1e300, 0, 0], range(4)]
    )
    net = network((4, 1), ("identity",), "half_squared_error", rng=0)
    found = standardisation(net, X, np.full((4, 1), 7.0))
    np.testing.assert_array_equal(found.scales[:3], 1.0)
    assert found.scales[3] > 1.0
    assert found.target_scale == 1.0


def test_moments_of_wide_sparse_inputs_are_those_of_dense_ones():
    """Constant columns, empty ones, places with several entries, rows without weight."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((50, 2000)) * (rng.random((50, 2000)) < 0.3)
    X[:, 1], X[:, 2], X[:, 3] = 7.1, 0.0, 1e6 + rng.standard_normal(50)
    weights = rng.random(50) * (rng.random(50) < 0.8)
    weights[0], X[0, 1] = 0.0, 0.0
    columns, values = np.tile(np.arange(2000), 100), np.repeat(X / 2, 2, axis=0).ravel()
    twice = csr_matrix((values, columns, np.arange(51) * 4000), shape=X.shape)
    net = network((2000, 1), ("identity",), "half_squared_error", rng=0)
    expected = standardisation(net, X, None, weights)
    for given in (twice, csr_matrix(X)):
        entries = given.nnz
        found = standardisation(net, given, None, weights)
        np.testing.assert_allclose(found.centres, expected.centres, rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(found.scales, expected.scales, rtol=1e-9)
        np.testing.assert_array_equal(found.scales[1:3], 1.0)
        assert given.nnz == entries


def test_constant_targets_are_shifted():
    """One column that only rounds keeps neither itself nor the others from the middle."""
    Y = np.column_stack([[-1.0, 1.0, -1.0, 1.0], np.full(4, 7e3), 1e13 + np.arange(4.0)])
    net = network((1, 3), ("identity",), "half_squared_error", rng=0)
    found = standardisation(net, np.arange(4.0)[:, None], Y)
    np.testing.assert_allclose(found.target_centres, [0.0, 7e3, 1e13 + 1.5], atol=1e-12)
    assert found.target_scale == pytest.approx(np.sqrt(1 / 3))


@pytest.mark.parametrize("fit", TRAINERS)
@pytest.mark.parametrize("normalisation", ["", "layer"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_it_is_training_on_standardised_examples(fit, normalisation, dtype):
    """Outputs and losses of the same training by hand; the start is given as it is over raw X."""
    X, Y, weights = _problem(dtype)
    inner = _net(dtype, normalisation=normalisation)
    given = standardisation(inner, X, Y, weights)
    found = fit(given.folded(inner), X, Y, sample_weight=weights, alpha=0.1, standardisation=given)
    Z = (X - given.centres) / given.scales
    T = (Y - given.target_centres.astype(dtype)) / dtype(given.target_scale)
    by_hand = fit(inner, Z, T, sample_weight=weights, alpha=0.1)
    near = {"rtol": 1e-7} if dtype == np.float64 else {"rtol": 2e-3, "atol": 0.5}
    np.testing.assert_allclose(
        found.network(X), by_hand.network(Z) * given.target_scale + given.target_centres, **near
    )
    units = np.array(by_hand.loss_curve) * given.target_scale**2
    np.testing.assert_allclose(found.loss_curve, units, rtol=near["rtol"])
    assert (given.centres == 0.0).all() == (normalisation != "")


@pytest.mark.parametrize("fit", TRAINERS)
def test_it_goes_on_from_a_checkpoint_bit_for_bit(fit, tmp_path):
    """Ended in the middle, from what folding has not rounded; networks are over raw X."""
    X, Y, _ = _problem()
    options = {"standardisation": standardisation(_net(), X, Y)}
    whole = fit(_net(), X, Y, **options)

    def interrupt(epoch):
        if epoch.number == 3:
            raise KeyboardInterrupt

    half = fit(_net(), X, Y, checkpoint=tmp_path / "run", callbacks=interrupt, **options)
    np.testing.assert_array_equal(
        load_checkpoint(tmp_path / "run").parameters, half.network.parameters
    )
    rest = fit(_net(), X, Y, checkpoint=tmp_path / "run", **options)
    np.testing.assert_array_equal(rest.network.parameters, whole.network.parameters)
    with pytest.raises(CheckpointError, match="standardisation"):
        fit(_net(), X, Y, checkpoint=tmp_path / "run")


def test_a_state_goes_on_bit_for_bit_or_from_the_network_that_is_given():
    """What folding rounds is in the state; a network that was changed counts, not the state."""
    X, Y, _ = _problem()
    given = standardisation(_net(), X, Y)
    options = {"standardisation": given, "rng": 0, "tolerance": 0.0}
    whole = train(_net(), X, Y, epochs=6, **options)
    half = train(_net(), X, Y, epochs=3, **options)
    options.pop("rng")
    rest = train(half.network, X, Y, epochs=3, state=half.state, **options)
    np.testing.assert_array_equal(rest.network.parameters, whole.network.parameters)
    still = train(_net(), X, Y, epochs=1, state=half.state, optimiser=Adam(1e-12), **options)
    np.testing.assert_allclose(still.network.parameters, _net().parameters, atol=1e-6)


def test_sparse_inputs_are_their_dense_ones():
    """Bit for bit: they are shifted where they are dense, a batch at a time."""
    X, Y, _ = _problem()
    options = {"standardisation": standardisation(_net(), X, Y), "rng": 0, "epochs": 3}
    nets = [train(_net(), Z, Y, **options).network for Z in (X, csr_matrix(X))]
    np.testing.assert_array_equal(nets[0].parameters, nets[1].parameters)


@pytest.mark.parametrize(
    ("cost", "power"),
    [
        ("sum((a - y)**2)/2", 2.0), ("sum(abs(y - a))", 1.0), ("sqrt(sum((a - y)**2))", 1.0),
        ("sum(max(0, a - y)**3) + sum(abs(a - y))**3", 3.0),
        ("sum(where(a - y > 0, 2*(a - y), y - a))", 1.0), ("sum(sign(a - y)*(a - y))", 1.0),
        ("sum((a - y)**2/(1 + (a - y)**2))", None), ("sum(a - y*log(a))", None),
        ("sum((a - mean(a))**2)", None), ("sum(where(abs(a - y) > 1, a - y, y - a))", None),
        ("sum(a*y)", None), ("sum(exp(a - y))", None), ("sum((a - y)**2) + sum(abs(a - y))", None),
        ("sum(exp((a - y)/sqrt(sum((a - y)**2)))*(a - y))", 1.0),
    ],
)  # fmt: skip
def test_degrees_are_those_of_the_values(cost, power):
    """Where a degree is told, NumPy's values at other scales and shifts have it."""
    formula = parse(cost, {}, variables=("a", "y"))
    assert degree(formula) == power
    if power is None:
        return
    names = {
        "sum": np.sum, "abs": np.abs, "sqrt": np.sqrt, "sign": np.sign, "where": np.where,
        "exp": np.exp, "max": np.maximum, "mean": np.mean,
    }  # fmt: skip
    rng = np.random.default_rng(0)
    a, y, shift = rng.standard_normal((3, 4))
    before = eval(cost, {**names, "a": a, "y": y})
    after = eval(cost, {**names, "a": 5.0 * a + shift, "y": 5.0 * y + shift})
    assert after == pytest.approx(5.0**power * before, rel=1e-12)


@pytest.mark.parametrize("fit", TRAINERS)
@pytest.mark.parametrize("sparse", [False, True])
def test_costs_with_a_scale_of_their_own_keep_it(fit, sparse):
    """They are those of targets as given, divided by what they grow by from one to the spread."""
    X, Y, weights = _problem()
    net = network((3, 8, 2), ("tanh", "identity"), "sum(log(1 + (a - y)**2))", rng=0)
    given = standardisation(net, X, Y, weights)
    spread = given.target_scale
    assert spread == pytest.approx(standardisation(_net(), X, Y, weights).target_scale)
    divisor = np.log(1.0 + spread**2) / np.log(2.0)
    written = parse(
        "sum(log(1 + (s*(a - y))**2))/c", {"s": spread, "c": divisor}, variables=("a", "y")
    )
    inputs = csr_matrix(X) if sparse else X
    options = {"sample_weight": weights, "alpha": 0.1}
    found = fit(given.folded(net), inputs, Y, standardisation=given, **options)
    Z, T = (X - given.centres) / given.scales, (Y - given.target_centres) / spread
    by_hand = fit(replace(net, cost=written), Z, T, **options)
    np.testing.assert_allclose(
        found.network(X), by_hand.network(Z) * spread + given.target_centres, rtol=1e-6
    )
    np.testing.assert_allclose(found.loss_curve, divisor * np.array(by_hand.loss_curve), rtol=1e-7)
    assert found.network.cost == net.cost


def test_costs_of_differences_are_read_off_the_formula():
    """Wherever outputs and targets stand in differences alone, and nowhere else."""
    for cost, answer in (
        ("sum((a - y)**2/(1 + (a - y)**2))", True), ("sum(exp(y - a) + a - y)", True),
        ("sum((a - y)**2) + sum(abs(a))", False), ("sum(log(a) - log(y))", False),
        ("sum(a - y*log(a))", False), ("max(abs(a - y)) + mean(a - y)**2", True),
        ("sum((a - 2*y + y)**2/(1 + abs(a/2 - 0.5*y)))", True), ("sum(a) - sum(y)", False),
        ("sum(where(a > y, max(a, y) - y, exp(y - a) - 1))", True),
        ("sum(where(a > 0, (a - y)**2, abs(a - y)))", False), ("mean((a*y)**2)", False),
    ):  # fmt: skip
        assert is_of_differences(parse(cost, {}, variables=("a", "y"))) is answer, cost


def test_costs_that_do_not_grow_are_not_divided():
    """A cost that is 0 up to a difference of 2, and one that falls."""
    X, Y, _ = _problem()
    for cost in ("sum(max(0, abs(a - y) - 2))", "-sum((a - y)**2/(1 + (a - y)**2))*0"):
        net = network((3, 2), ("identity",), cost, rng=0)
        given = standardisation(net, X, Y)
        assert given.units(net) == (given.target_scale, 1.0)


def test_targets_are_left_alone_where_it_would_be_another_cost():
    """Behind another output activation, or a cost of more than differences: that is an error."""
    X, Y, _ = _problem()
    for output, cost in (("softplus", "half_squared_error"), ("identity", "sum((a - y)**2 + a)")):
        net = network((3, 2), (output,), cost, rng=0)
        found = standardisation(net, X, Y)
        assert found.target_scale == 1.0
        moved = Standardisation(found.centres, found.scales, np.ones(2), 2.0)
        with pytest.raises(NetworkError, match="another cost"):
            train(net, X, Y, standardisation=moved)
        assert moved.suited(net).target_scale == 1.0
    assert degree(cost_formula("half_squared_error")) == 2.0


def test_code_that_is_compiled_serves_both():
    """Compiling a training takes seconds: it is not done again for standardised targets."""
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(40, 3)), rng.normal(size=(40, 1))
    start = network((3, 4, 1), ("relu", "identity"), "half_squared_error", rng=0)
    train(start, X, Y, epochs=1, rng=0)
    known = len(run_batches.signatures)
    train(start, X, Y, epochs=1, rng=0, standardisation=standardisation(start, X, Y))
    assert len(run_batches.signatures) == known


def test_what_does_not_fit_is_refused():
    """Scales of 0, other lengths, examples of another width."""
    X, Y, _ = _problem()
    ones = np.ones(3)
    for centres, scales in ((ones, 0.0 * ones), (ones, np.ones(2)), (np.inf * ones, ones)):
        with pytest.raises(NetworkError, match="centres"):
            Standardisation(centres, scales, np.zeros(2))
    with pytest.raises(NetworkError, match="of 2 inputs"):
        train(_net(), X, Y, standardisation=Standardisation(ones[:2], ones[:2], np.zeros(2)))
    with pytest.raises(NetworkError, match="inputs"):
        standardisation(_net(), csr_matrix(X[:, :2]))
