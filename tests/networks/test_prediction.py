"""Prediction: any layout, several threads, several callers at once."""

import threading

import numpy as np
import pytest

from chainrule.networks import NetworkError, network

SIZES = (30, 200, 3)


def _net(dtype=np.float64):
    return network(SIZES, ("tanh", "identity"), "half_squared_error", rng=0, dtype=dtype)


def _by_hand(net, X):
    return np.tanh(X @ net.weights[0] + net.biases[0]) @ net.weights[1] + net.biases[1]


@pytest.mark.parametrize("rows", [0, 1, 7, 256, 257, 20000])
def test_any_number_of_rows(rows):
    net, X = _net(), np.random.default_rng(rows).normal(size=(rows, 30))
    outputs = net(X)
    assert outputs.shape == (rows, 3)
    np.testing.assert_allclose(outputs, _by_hand(net, X), rtol=1e-11, atol=1e-12)


def test_rows_do_not_depend_on_their_company():
    net, X = _net(np.float32), np.random.default_rng(0).normal(size=(9000, 30)).astype(np.float32)
    together = net(X)
    for rows in (slice(0, 1), slice(5, 19), slice(8191, 8999)):
        assert (net(X[rows]) == together[rows]).all()


def test_other_layouts_and_types_are_converted():
    net, X = _net(), np.random.default_rng(0).normal(size=(50, 60))
    expected = _by_hand(net, X[:, ::2])
    for given in (X[:, ::2], np.asfortranarray(X[:, ::2]), X[:, ::2].tolist()):
        np.testing.assert_allclose(net(given), expected, rtol=1e-11, atol=1e-12)
    whole = np.arange(60).reshape(2, 30)
    np.testing.assert_allclose(net(whole), _by_hand(net, whole.astype(float)), rtol=1e-11)


def test_wrong_shapes_are_refused():
    for wrong in (np.zeros(30), np.zeros((2, 29)), np.zeros((1, 2, 30))):
        with pytest.raises(NetworkError, match=r"X must have shape \(examples, 30\)"):
            _net()(wrong)


def test_several_callers_at_once():
    net, X = _net(), np.random.default_rng(0).normal(size=(500, 30))
    expected, wrong = net(X), []

    def call():
        for _ in range(200):
            if not (net(X) == expected).all():
                wrong.append(1)

    callers = [threading.Thread(target=call) for _ in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert not wrong
