"""The states of generators are those that NumPy tells."""

import numpy as np
import pytest

from chainrule.networks.training import _generators
from chainrule.networks.training._generators import generator_state, put_generator


@pytest.mark.parametrize("copies_words", [True, False])
@pytest.mark.parametrize("bits", [np.random.MT19937, np.random.PCG64, np.random.Philox])
def test_a_state_is_what_numpy_tells(bits, copies_words, monkeypatch):
    """At any place in the words, and it stays what it was while the generator goes on."""
    monkeypatch.setattr(_generators, "_words_lie_in_order", lambda: copies_words)
    generator = np.random.Generator(bits(3))
    for draws in (0, 1, 600, 700):
        generator.integers(0, 2**32, draws, np.uint32)
        told, state = generator.bit_generator.state, generator_state(generator)
        following = generator.random(5)
        np.testing.assert_equal(dict(state), told)
        other = np.random.Generator(bits(4))
        put_generator(state, other)
        np.testing.assert_array_equal(other.random(5), following)


def test_words_are_copied():
    """With the NumPy that is installed."""
    assert _generators._words_lie_in_order()
