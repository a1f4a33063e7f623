"""Output layers in blocks, against two heads written in NumPy, differences and networks of one."""

import json

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from chainrule.networks import (
    ModelFileError,
    NetworkError,
    gradient,
    input_gradient,
    load_checkpoint,
    load_network,
    network,
    save_network,
    train,
    train_lbfgs,
    validation_loss,
)
from chainrule.networks._propagation import compiled_cost

BLOCKS = (1, 2, 2, 2)
ROWS = 300  # above the rows that are propagated, and activated, together


def _net(dtype="float64", activation="softmax", cost="categorical_cross_entropy", blocks=BLOCKS):
    sizes = (5, 6, sum(blocks))
    return network(sizes, ("tanh", activation), cost, rng=3, dtype=dtype, blocks=blocks)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    Y = np.hstack([np.eye(width)[rng.integers(width, size=ROWS)] for width in BLOCKS])
    return rng.standard_normal((ROWS, 5)), Y, rng.random(ROWS)


def _split(values):
    return np.split(values, np.cumsum(BLOCKS)[:-1], axis=1)


def _softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def _reference(net, X, Y, weights, alpha):
    """Propagate by NumPy through a softmax for each block; return outputs, cost and gradient."""
    (W, V), (b, c) = net.weights, net.biases
    A = np.tanh(X @ W + b)
    P = np.hstack([_softmax(z) for z in _split(A @ V + c)])
    total, squares = weights.sum(), (W**2).sum() + (V**2).sum()
    cost = (weights @ -(Y * np.log(P)).sum(axis=1) + alpha / 2 * squares) / total
    to_z = weights[:, None] / total * (P - Y)
    to_hidden = to_z @ V.T * (1 - A**2)
    parts = (
        X.T @ to_hidden + alpha / total * W, A.T @ to_z + alpha / total * V,
        to_hidden.sum(axis=0), to_z.sum(axis=0),
    )  # fmt: skip
    return P, cost, np.concatenate([part.ravel() for part in parts])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_blocks_are_softmax_heads(dtype, data):
    """Outputs, cost, gradient and validation loss are those of a softmax for each block."""
    X, Y, weights = data
    net = _net(dtype)
    P, cost, slopes = _reference(net, X, Y, weights, 0.3)
    exact = {"rtol": 1e-12, "atol": 1e-14} if dtype == "float64" else {"rtol": 1e-4, "atol": 1e-6}
    np.testing.assert_allclose(net(X), P, **exact)
    got, found = gradient(net, X, Y, alpha=0.3, sample_weight=weights)
    assert got == pytest.approx(cost, rel=exact["rtol"])
    np.testing.assert_allclose(found, slopes, **exact)
    _, bare, _ = _reference(net, X, Y, weights, 0.0)
    assert validation_loss(net, X, Y, weights) == pytest.approx(bare, rel=exact["rtol"])


@pytest.mark.parametrize(
    ("activation", "cost"),
    [
        ("softmax", "sum((a - y)**2)"),
        ("log_softmax", "mean(abs(a - y))"),
        ("tanh", "squared_error"),
    ],
)
def test_gradients_agree_with_differences(activation, cost, data):
    """Other outputs and costs, those of one unit at a time as well, go block by block."""
    X, Y, _ = (part[:20] for part in data)
    net = _net(activation=activation, cost=cost)
    _, slopes = gradient(net, X, Y)
    steps = 1e-6 * np.eye(slopes.size)
    ahead, back = (
        [gradient(net.with_parameters(net.parameters + sign * h), X, Y)[0] for h in steps]
        for sign in (1, -1)
    )
    np.testing.assert_allclose(slopes, np.subtract(ahead, back) / 2e-6, rtol=1e-6, atol=1e-8)


def test_input_gradient_of_a_block(data):
    """A seed in one block passes nothing through the softmax of another."""
    X, seeds = data[0][:7], np.random.default_rng(1).standard_normal((7, 7))
    net = _net()
    (W, V), (b, c) = net.weights, net.biases
    A = np.tanh(X @ W + b)
    back = [
        p * (seed - (p * seed).sum(axis=1, keepdims=True))
        for p, seed in zip(map(_softmax, _split(A @ V + c)), _split(seeds), strict=True)
    ]
    expected = (np.hstack(back) @ V.T * (1 - A**2)) @ W.T
    np.testing.assert_allclose(input_gradient(net, X, seeds), expected, rtol=1e-11, atol=1e-14)


def test_targets_sum_to_one_in_every_block(data):
    """Then the short form of the gradient holds, as it does for one block; else the general one."""
    _, Y, _ = data
    net, of_one = _net(), _net(blocks=(7,))
    short = compiled_cost(of_one, np.eye(7))
    assert compiled_cost(net, Y) is short
    Y = np.roll(Y, 1, axis=1)
    np.testing.assert_array_equal(Y.sum(axis=1), 4.0)
    assert compiled_cost(net, Y) is compiled_cost(of_one, Y)
    assert compiled_cost(net, Y) is not short


def test_one_block_is_as_before(data):
    """Naming the one block of all units changes no bit."""
    X, Y, _ = data
    plain, named = _net(blocks=(7,)), network(
        (5, 6, 7), ("tanh", "softmax"), "categorical_cross_entropy", rng=3
    )  # fmt: skip
    assert named.blocks == (7,)
    np.testing.assert_array_equal(gradient(plain, X, Y)[1], gradient(named, X, Y)[1])


def test_training_goes_on_and_comes_back(tmp_path, data):
    """Both trainings keep the blocks, and so do checkpoints and model files."""
    X, Y, _ = data
    net = _net("float32")
    result = train(net, X, Y, epochs=5, rng=0, checkpoint=tmp_path / "run")
    assert result.network.blocks == train_lbfgs(net, X, Y, iterations=3).network.blocks == BLOCKS
    assert result.loss_curve[-1] < result.loss_curve[0]
    save_network(result.network, tmp_path / "model")
    for back in (load_checkpoint(tmp_path / "run"), load_network(tmp_path / "model")[0]):
        assert back.blocks == BLOCKS
        np.testing.assert_array_equal(back(X), result.network(X))


def test_files_of_one_block_are_those_of_before(tmp_path):
    """Earlier versions read them; those with blocks have another version, which they refuse."""
    for name, blocks in (("one", (7,)), ("several", BLOCKS)):
        save_network(_net(blocks=blocks), tmp_path / name)
    metadata = {name: safe_open(tmp_path / name, "numpy").metadata() for name in ("one", "several")}
    assert metadata["one"]["version"] == "1"
    assert "blocks" not in json.loads(metadata["one"]["network"])
    assert metadata["several"]["version"] == "2"


@pytest.mark.parametrize("wrong", [[3, 3], [7, 0], [3.5, 3.5], "seven", [[7]]])
def test_files_with_wrong_blocks_are_refused(tmp_path, wrong):
    """Blocks that do not add up to the outputs are damage."""
    save_network(_net(), tmp_path / "model")
    file = safe_open(tmp_path / "model", "numpy")
    described = json.loads(file.metadata()["network"]) | {"blocks": wrong}
    metadata = file.metadata() | {"network": json.dumps(described)}
    del metadata["checksum"]
    save_file({name: file.get_tensor(name) for name in file.keys()}, tmp_path / "bad", metadata)  # noqa: SIM118
    with pytest.raises(ModelFileError, match="damaged"):
        load_network(tmp_path / "bad")


@pytest.mark.parametrize("blocks", [(3, 3), (8, -1), (True, 6), (3.5, 3.5)])
def test_wrong_blocks_are_refused(blocks):
    """The error names what was expected."""
    with pytest.raises(NetworkError, match="add up to the 7 units"):
        network((2, 7), ("softmax",), "categorical_cross_entropy", blocks=blocks)


def test_the_page_tells_of_blocks():
    """Sums over units go over a block, whose width is not that of the layer."""
    net = (5, 7), ("identity",), "mean((a - y)**2)"
    shown = network(*net, blocks=BLOCKS).propagation().to_text()
    assert "falls into 4 blocks of 1, 2, 2 and 2 units" in " ".join(shown.split())
    assert "(m·n_k)" in shown
    assert "(m·7)" not in shown
    alone = network(*net).propagation().to_text()
    assert "block" not in alone
    assert "(m·7)" in alone
