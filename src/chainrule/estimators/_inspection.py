"""A look inside a fitted network: hidden activations, and how outputs depend on inputs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.catalogue import activation_formula
from chainrule.formulas import ParameterError
from chainrule.networks import Network, input_gradient, propagate


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
    part = slice(0, wanted)
    sizes, kinds = network.sizes[: wanted + 1], network.normalisations[part]
    activations, learned = network.activations[part], network.learned[part]
    weights, biases = network.weights[part], network.biases[part]
    if kinds[-1]:
        # An output layer does not normalise: one that changes nothing follows.
        width = sizes[-1]
        sizes, kinds, learned = (*sizes, width), (*kinds, ""), (*learned, ())
        activations = (*activations, activation_formula("identity"))
        weights = (*weights, np.eye(width, dtype=network.dtype))
        biases = (*biases, np.zeros(width, network.dtype))
    rest, statistics = _behind_biases(network, wanted)
    parts = [array.ravel() for array in (*weights, *biases, *rest)]
    return Network(
        sizes, activations, network.cost, np.concatenate(parts), kinds, learned, statistics
    )


def _behind_biases(network: Network, layers: int) -> tuple[list[NDArray[Any]], NDArray[Any]]:
    """Return scales and learned parameters of the first layers, and their statistics."""
    places, parameters = network.layout, network.parameters
    widths = network.sizes[1 : layers + 1]
    scales = [
        parameters[start : start + width]
        for start, width in zip(places.scales, widths, strict=False)
        if start is not None
    ]
    learned = [parameters[list(own)] for own in places.learned[:layers]]
    kept = [
        network.new_statistics()[start : start + 2 * width]
        for start, width in zip(places.statistics, widths, strict=False)
        if start is not None
    ]
    return [*scales, *learned], np.concatenate([np.empty(0, network.dtype), *kept])


def hidden_activations(network: Network, X: NDArray[Any], layer: int | None) -> NDArray[Any]:
    """Return the activations of a hidden layer."""
    return propagate(up_to(network, layer), X)


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
