"""Rows kept aside for validation."""

import numpy as np
import pytest

from chainrule.networks import NetworkError, network, validation_split
from chainrule.networks.training._validation import held_out


def test_split_keeps_the_proportions_of_classes():
    """Each class gives its share; the parts are disjoint and complete."""
    classes = np.array(["a"] * 60 + ["b"] * 30 + ["c"] * 10)
    rows, aside = validation_split(100, 0.2, np.random.default_rng(0), classes)
    assert sorted([*rows, *aside]) == list(range(100))
    assert [int((classes[aside] == label).sum()) for label in "abc"] == [12, 6, 2]


def test_split_leaves_every_class_something_to_train_on():
    """A class of one stays with the training part, and small classes are not all lost."""
    classes = np.repeat(np.arange(21), [1] + [2] * 20)
    rows, aside = validation_split(41, 0.25, np.random.default_rng(0), classes)
    assert set(classes[rows]) == set(range(21))
    assert len(aside) == 10


def test_split_of_too_few_examples_is_refused():
    """One example cannot be both."""
    with pytest.raises(NetworkError, match="too few"):
        validation_split(1, 0.1, np.random.default_rng(0))


@pytest.mark.parametrize("rows", [3, 300, 5000])
def test_a_set_is_propagated_once_for_cost_and_score(rows):
    """What is remembered is what the network gives, on one thread or several, and no other."""
    X = np.random.default_rng(0).standard_normal((rows, 300))
    net, other = (
        network((300, 40, 2), ("tanh", "softmax"), "categorical_cross_entropy", rng=seed)
        for seed in (0, 1)
    )
    (part,) = held_out(net, (X, np.tile([[1.0, 0.0]], (rows, 1))))
    Z, A = part.output_layer(net)
    np.testing.assert_array_equal(A, net(X))
    np.testing.assert_array_equal(Z, net.pre_activations(X))
    assert part.output_layer(net)[0] is Z
    assert part.mean_cost(net) == pytest.approx(-np.log(A[:, 0]).mean(), rel=1e-12)
    np.testing.assert_array_equal(part.output_layer(other)[1], other(X))
