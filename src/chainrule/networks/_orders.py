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


def fitting(order: NDArray[np.intp] | None, rows: NDArray[np.intp]) -> NDArray[np.intp] | None:
    """Return an order, if it is one of these rows, which ascend."""
    if order is None or order.size != rows.size:
        return None
    if order.min() < 0 or order.max() > rows[-1]:
        return None
    here = np.zeros(int(rows[-1]) + 1, bool)
    here[order] = True
    return order if here[rows].all() else None
