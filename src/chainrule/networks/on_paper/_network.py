"""The equations of a network that need not exist."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike

from chainrule.catalogue import activation_formula, cost_formula
from chainrule.networks._blocks import check_blocks
from chainrule.networks._checks import check_architecture

if TYPE_CHECKING:
    from chainrule.networks.on_paper._equations import Propagation


def propagation(
    sizes: Sequence[int],
    activations: Sequence[Any],
    cost: Any,
    *,
    dtype: DTypeLike = np.float64,
    batch: int | None = None,
    axis: int = -1,
    penalty: float = 0.0,
    weighted: bool = False,
    blocks: Sequence[int] = (),
) -> Propagation:
    """Derive the equations of a network that need not exist: no parameter is allocated.

    Parameters
    ----------
    sizes, activations, cost, dtype, blocks
        As in `network`.
    batch, axis, penalty, weighted
        As in `Network.propagation`.

    Raises
    ------
    NetworkError
        The sizes are not positive integers, or the activations are not one for each layer; or as
        in `Network.propagation`.

    Examples
    --------
    >>> shown = propagation((64, 32, 10), ("mish", "softmax"), "categorical_cross_entropy")
    >>> shown.title
    'Network 64-32-10: categorical_cross_entropy behind softmax'
    """
    from chainrule.networks.on_paper._equations import Propagation

    layers = tuple(sizes)
    formulas = tuple(activation_formula(activation) for activation in activations)
    check_architecture(layers, formulas)
    widths = tuple(blocks) or layers[-1:]
    check_blocks(widths, layers[-1])
    item_size = np.dtype(dtype).itemsize
    return Propagation(
        layers, formulas, cost_formula(cost), item_size, batch, axis, penalty, weighted, widths
    )
