"""In which order an epoch takes the examples."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def shuffled(order: NDArray[np.intp], generator: np.random.Generator) -> NDArray[np.intp]:
    """Return an order after one more shuffle, as scikit-learn's networks draw it.

    Of the bits of ``numpy.random.RandomState(seed)`` come their orders for that seed.
    """
    other = order.copy()
    # A Generator shuffles in another way than the RandomState over the same bits does.
    np.random.RandomState(generator.bit_generator).shuffle(other)
    return other


def is_order(given: NDArray[np.intp] | None, rows: NDArray[np.intp]) -> bool:
    """Tell whether it is an order of these rows, which ascend."""
    return given is not None and given.size == rows.size and np.array_equal(np.sort(given), rows)
