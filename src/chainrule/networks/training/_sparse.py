"""Sparse inputs: a few thousand rows are dense at one time, and those of many columns never.

Narrow ones are treated as dense ones are, bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.networks._network import Network

_ROWS = 4096  # that are dense, or of another dtype, at one time
_NUMBERS = 2**22  # in these rows, at most
WIDE = _NUMBERS // _ROWS  # columns; beyond, sums over sparse rows take only the entries there are


def is_sparse(X: Any) -> bool:
    """Tell whether X is a sparse matrix or array of SciPy."""
    return hasattr(X, "tocsr")


def arrays_of(X: Any) -> tuple[NDArray[Any], ...]:
    """Return the arrays that tell X from others: of a sparse one its values and their places."""
    return (X.data, X.indices, X.indptr) if is_sparse(X) else (X,)


def dense_blocks(X: Any) -> Iterator[NDArray[Any]]:
    """Yield a few rows of X after the other, dense."""
    step = max(min(_ROWS, _NUMBERS // max(X.shape[1], 1)), 1)
    for start in range(0, X.shape[0], step):
        part = X[start : start + step]
        yield part.toarray() if is_sparse(part) else part


def has_sparse_products(network: Network, X: Any) -> bool:
    """Tell whether the first layer's products are those of a sparse matrix."""
    return is_sparse(X) and X.shape[1] > max(network.sizes[1], WIDE)


def propagated_blocks(network: Network, X: Any) -> tuple[Network, Iterator[NDArray[Any]]]:
    """Return a network, and rows for it, that propagate X as the given network does.

    Where a sparse X is wide, and wider than the first layer, the rows are its products with the
    weights of that layer, and the network begins behind them.
    """
    if not has_sparse_products(network, X):
        return network, dense_blocks(X)
    return behind_products(network), _products(network, X)


def behind_products(network: Network) -> Network:
    """Return the network that makes of its first layer's products what it makes of the inputs.

    The first weights become the identity: the gradient to its inputs is that to the products.
    """
    inputs, width = network.sizes[:2]
    first = np.eye(width, dtype=network.dtype).ravel()
    return replace(
        network, sizes=(width, *network.sizes[1:]),
        parameters=np.concatenate([first, network.parameters[inputs * width :]]),
    )  # fmt: skip


def _products(network: Network, X: Any) -> Iterator[NDArray[Any]]:
    weights = network.weights[0]
    for start in range(0, X.shape[0], _ROWS):
        yield X[start : start + _ROWS].astype(network.dtype, copy=False) @ weights
