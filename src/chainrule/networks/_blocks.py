"""Blocks of the output layer: units on which the output activation works by themselves."""

from __future__ import annotations

from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.networks._errors import NetworkError


def check_blocks(blocks: tuple[int, ...], outputs: int) -> None:
    """Refuse blocks that are no positive whole numbers, or do not add up to the outputs."""
    whole = all(isinstance(width, int) and not isinstance(width, bool) for width in blocks)
    if not whole or min(blocks) < 1 or sum(blocks) != outputs:
        raise NetworkError(
            f"blocks must be positive whole numbers that add up to the {outputs} units of the "
            f"output layer, got {blocks!r}"
        )


def in_blocks(values: NDArray[Any], blocks: tuple[int, ...]) -> list[NDArray[Any]]:
    """Return the columns of a matrix block by block, as views.

    Examples
    --------
    >>> [part.shape for part in in_blocks(np.zeros((4, 5)), (2, 3))]
    [(4, 2), (4, 3)]
    """
    if len(blocks) == 1:
        return [values]
    return np.split(values, list(accumulate(blocks))[:-1], axis=1)
