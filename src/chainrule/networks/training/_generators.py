"""Generators of random numbers, and their states."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np

from chainrule.networks._errors import NetworkError


def generator_of(rng: np.random.Generator | int | None) -> np.random.Generator:
    """Return the generator that a person gave, or one of a seed."""
    try:
        return np.random.default_rng(rng)
    except (TypeError, ValueError) as error:
        raise NetworkError(
            f"rng must be a seed of at least 0 or a numpy.random.Generator, got {rng!r:.60}"
        ) from error


def generator_state(generator: np.random.Generator) -> Mapping[str, Any]:
    """Return the state of a generator, as its bit generator tells it.

    That of a Mersenne Twister tells its 624 words one by one, as Python numbers: in small networks
    that takes as long as an epoch. Here they are copied at once, where they lie in that order.
    """
    bits = generator.bit_generator
    if not isinstance(bits, np.random.MT19937) or not _words_lie_in_order():
        return bits.state
    return _state_by_words(bits)


def _state_by_words(bits: np.random.MT19937) -> dict[str, Any]:
    words = np.frombuffer(ctypes.string_at(bits.ctypes.state_address, 4 * 625), np.uint32)
    return {
        "bit_generator": "MT19937", "state": {"key": words[:624], "pos": int(words[624])}
    }  # fmt: skip


@cache
def _words_lie_in_order() -> bool:
    """Tell whether this NumPy keeps the words of a Mersenne Twister as all have done so far."""
    bits = np.random.MT19937(0)
    bits.random_raw(1)
    told, found = bits.state, _state_by_words(bits)
    same = np.array_equal(told["state"]["key"], found["state"]["key"])
    return same and told["state"]["pos"] == found["state"]["pos"]


def put_generator(state: Mapping[str, Any], generator: np.random.Generator) -> None:
    """Set a generator to a state that was kept.

    Raises
    ------
    NetworkError
        The state is of another kind of generator, or is none.
    """
    try:
        generator.bit_generator.state = dict(state)
    except (ValueError, TypeError, KeyError, OverflowError, AttributeError) as error:
        raise NetworkError(
            f"the state of the random numbers does not fit {type(generator.bit_generator).__name__}"
            f": {error}\nGive rng the same kind of generator as before."
        ) from error
