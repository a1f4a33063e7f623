"""Rows kept aside for validation."""

import numpy as np
import pytest

from chainrule.networks import NetworkError, validation_split


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
