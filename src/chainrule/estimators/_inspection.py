"""A look inside a fitted network: hidden activations, and how outputs depend on inputs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.formulas import ParameterError
from chainrule.networks import Network, input_gradient
from chainrule.networks.training._sparse import propagated_blocks


def hidden_layer(network: Network, layer: int | None) -> int:
    """Return which hidden layer is meant, counted from 0; None is the last.

    Raises
    ------
    ParameterError
        There is no such hidden layer.
    """
    hidden = len(network.sizes) - 2
    wanted = hidden if layer is None else layer
    whole = isinstance(wanted, int | np.integer) and not isinstance(wanted, bool)
    if not whole or not 1 <= wanted <= hidden:
        raise ParameterError(
            f"layer must be a whole number from 1 to {hidden}, the number of hidden layers; got "
            f"{layer!r}" if hidden else "the network has no hidden layers"
        )  # fmt: skip
    return int(wanted) - 1


def hidden_activations(network: Network, X: Any, layer: int) -> Iterator[NDArray[Any]]:
    """Yield the activations of a hidden layer for a block of examples after the other."""
    used, parts = propagated_blocks(network, X)
    for part in parts:
        rows = np.ascontiguousarray(part, network.dtype)
        for values in used.predictors.layers(rows):
            yield values[layer][1].copy()


def input_gradients(network: Network, X: NDArray[Any]) -> NDArray[Any]:
    r"""Return the derivative of every output by every input, (examples, outputs, inputs).

    The chain rule from the output down, with the backward kernels of the activations:

    .. math::

        \frac{\partial a_k}{\partial A_{l-1}} = \frac{\partial a_k}{\partial Z_l} W_l^T
    """
    outputs = network.sizes[-1]
    slopes = np.empty((len(X), outputs, network.sizes[0]), network.dtype)
    for output in range(outputs):
        seeds = np.zeros((len(X), outputs), network.dtype)
        seeds[:, output] = 1.0
        slopes[:, output] = input_gradient(network, X, seeds)
    return slopes
