"""Wide sparse inputs as the compiled step takes them, batch by batch."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.networks._network import Network
from chainrule.networks.compiled.tables import Sparse
from chainrule.networks.training._sparse import has_sparse_products
from chainrule.networks.training._standardisation import Standardisation

_TILE = 16384  # weights that a thread moves at once: they and their gradient stay in the cache
_DENSE = 20  # where more than one entry of so many is there, dense products are as fast


def has_sparse_batches(network: Network, X: Any, dropout: float = 0.0) -> bool:
    """Tell whether batches of X stay sparse in training; `dropout` is the share of X dropped."""
    is_wide = dropout == 0.0 and has_sparse_products(network, X)
    return is_wide and _DENSE * X.nnz < X.shape[0] * X.shape[1]


def most_entries(starts: NDArray[Any], batch_size: int) -> int:
    """Return how many entries a batch has at most, for rows that begin at these places."""
    return int(np.sort(np.diff(starts))[-batch_size:].sum())


def sparse_inputs(
    network: Network,
    arrays: tuple[NDArray[Any], NDArray[np.int64], NDArray[np.int64]],
    standardisation: Standardisation | None,
    *,
    batch_size: int,
    threads: int,
    moves_at_once: bool,
) -> Sparse:
    """Return sparse inputs, and room for batches of them.

    Parameters
    ----------
    network : Network
    arrays : tuple of ndarray
        The entries, their columns, and where rows begin.
    standardisation : Standardisation or None
    batch_size, threads : int
    moves_at_once : bool
        Whether the step over the first weights follows at once upon their gradient.
    """
    (count, width), dtype = network.sizes[:2], network.dtype
    (values, columns, starts), shifts = arrays, np.empty(0, dtype)
    if standardisation is not None:
        scales = np.asarray(standardisation.scales, np.float64)
        values = (values / scales[columns]).astype(dtype)
        if standardisation.centres.any():
            shifts = (standardisation.centres / scales).astype(dtype)
    bits = max(_TILE // width, 1).bit_length() - 1
    tiles = -(-count // 2**bits)
    entries, rows = (np.empty(most_entries(starts, batch_size), np.int64) for _ in range(2))
    return Sparse(
        values, columns, starts, shifts, bits, int(moves_at_once),
        np.empty(batch_size, np.int64), entries, rows, np.empty(tiles + 2, np.int64),
        np.zeros(width, dtype), np.zeros(width, dtype),
        np.zeros(tiles * width if shifts.size else 0),
        np.empty(threads * width * 2**bits if moves_at_once else 0, dtype),
    )  # fmt: skip
