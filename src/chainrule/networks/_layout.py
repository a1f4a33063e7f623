"""Where each layer's parameters lie in the flat vector, and views of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

NORMALISATIONS = ("", "layer", "batch")


@dataclass(frozen=True)
class Layout:
    """Places in the vector of parameters, for each layer.

    Parameters
    ----------
    weights, biases : tuple of int
        Where they begin.
    scales : tuple of int or None
        Where the scales of a normalised layer begin.
    learned : tuple of tuple of int
        Where the learned parameters of each activation lie.
    decayed : int
        How many of the first entries are weights.
    size : int
        The number of all parameters.
    statistics : tuple of int or None
        Where the running means of a layer that is normalised over the batch begin in the vector of
        statistics; the variances follow.
    statistics_size : int
        The length of the vector of statistics.
    """

    weights: tuple[int, ...]
    biases: tuple[int, ...]
    scales: tuple[int | None, ...]
    learned: tuple[tuple[int, ...], ...]
    decayed: int
    size: int
    statistics: tuple[int | None, ...]
    statistics_size: int


@lru_cache(maxsize=256)
def layout(
    sizes: tuple[int, ...],
    normalisations: tuple[str, ...] = (),
    learned: tuple[tuple[str, ...], ...] = (),
) -> Layout:
    """Return where everything lies: weights, biases, scales, learned parameters, layer by layer.

    Examples
    --------
    >>> layout((4, 8, 1)).biases
    (40, 48)
    """
    layers = len(sizes) - 1
    normalisations = normalisations or ("",) * layers
    learned = learned or ((),) * layers
    weights = tuple(accumulate((m * n for m, n in pairwise(sizes)), initial=0))
    decayed = weights[-1]
    biases = tuple(accumulate(sizes[1:], initial=decayed))
    place = biases[-1]
    scales: list[int | None] = []
    statistics: list[int | None] = []
    length = 0
    for kind, width in zip(normalisations, sizes[1:], strict=True):
        scales.append(place if kind else None)
        place += width if kind else 0
        statistics.append(length if kind == "batch" else None)
        length += 2 * width if kind == "batch" else 0
    places: list[tuple[int, ...]] = []
    for names in learned:
        places.append(tuple(range(place, place + len(names))))
        place += len(names)
    return Layout(
        weights[:-1], biases[:-1], tuple(scales), tuple(places), decayed, place,
        tuple(statistics), length,
    )  # fmt: skip


def weights_of(
    parameters: NDArray[np.floating[Any]], sizes: tuple[int, ...]
) -> tuple[NDArray[np.floating[Any]], ...]:
    """Return each layer's weights as a view of a flat vector: of parameters, or of a gradient."""
    starts = layout(sizes).weights
    return tuple(
        parameters[start : start + count * width].reshape(count, width)
        for start, (count, width) in zip(starts, pairwise(sizes), strict=True)
    )


def biases_of(
    parameters: NDArray[np.floating[Any]], sizes: tuple[int, ...]
) -> tuple[NDArray[np.floating[Any]], ...]:
    """Return each layer's biases as a view of a flat vector: of parameters, or of a gradient."""
    starts = layout(sizes).biases
    return tuple(
        parameters[start : start + width] for start, width in zip(starts, sizes[1:], strict=True)
    )
