"""A look inside a fitted network: hidden activations, and how outputs depend on inputs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.formulas import ParameterError
from chainrule.kernels import backward, forward
from chainrule.networks import Network, propagate

_MOST_NUMBERS = 2**22  # of one block's gradients to the widest layer


def up_to(network: Network, layer: int | None) -> Network:
    """Return the part of a network whose output are the activations A[l] of a hidden layer.

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
    kept = (*network.weights[:wanted], *network.biases[:wanted])
    return Network(
        network.sizes[: wanted + 1], network.activations[:wanted], network.cost,
        np.concatenate([part.ravel() for part in kept]),
    )  # fmt: skip


def hidden_activations(network: Network, X: NDArray[Any], layer: int | None) -> NDArray[Any]:
    """Return the activations of a hidden layer."""
    return propagate(up_to(network, layer), X)


def input_gradients(network: Network, X: NDArray[Any]) -> NDArray[Any]:
    r"""Return the derivative of every output by every input, (examples, outputs, inputs).

    The chain rule from the output down, with the backward kernels of the activations:

    .. math::

        \frac{\partial a_k}{\partial A_{l-1}} = \frac{\partial a_k}{\partial Z_l} W_l^T
    """
    sizes = network.sizes
    inputs = np.ascontiguousarray(X, network.dtype)
    gradients = np.empty((len(inputs), sizes[-1], sizes[0]), network.dtype)
    rows = max(_MOST_NUMBERS // (sizes[-1] * max(sizes)), 1)
    for start in range(0, len(inputs), rows):
        gradients[start : start + rows] = _gradients(network, inputs[start : start + rows])
    return gradients


def _gradients(network: Network, A: NDArray[Any]) -> NDArray[Any]:
    rows, outputs = len(A), network.sizes[-1]
    pre_activations = []
    for W, b, activation in zip(network.weights, network.biases, network.activations, strict=True):
        pre_activations.append(A @ W + b)
        A = forward(activation, pre_activations[-1])
    # One row for every example and output: each output's own gradient is the unit vector.
    dA = np.tile(np.eye(outputs, dtype=network.dtype), (rows, 1))
    for layer in range(len(network.weights) - 1, -1, -1):
        Z = np.repeat(pre_activations[layer], outputs, axis=0)
        dZ = backward(network.activations[layer], dA, Z)
        dA = dZ @ network.weights[layer].T
    return dA.reshape(rows, outputs, -1)
