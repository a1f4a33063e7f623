"""The output biases at which a network that tells its examples apart by nothing costs the least."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.networks._errors import DivergenceError
from chainrule.networks._layout import biases_of
from chainrule.networks._lbfgs import train_lbfgs
from chainrule.networks._network import Network

_MOST = 4096  # examples that are looked at


def with_best_constant(network: Network, Y: NDArray[Any], weights: NDArray[Any]) -> Network:
    r"""Return a network whose output biases are the constants that cost the least.

    .. math:: \arg\min_b \sum_i s_i J(g(b), y_i)

    for the output activation :math:`g`. Of a Poisson cost behind exponentials that is the logarithm
    of the mean. Where there is no such constant, the network stays what it is.
    """
    rows = np.flatnonzero(weights)
    rows = rows[:: -(-rows.size // _MOST)]
    outputs, kind = network.sizes[-1], np.dtype(np.float64)
    constant = Network(
        (1, outputs), network.activations[-1:], network.cost, np.zeros(2 * outputs, kind), ("",),
        network.learned[-1:], blocks=network.blocks,
    )  # fmt: skip
    try:
        found = train_lbfgs(
            constant, np.zeros((rows.size, 1)), Y[rows].astype(kind),
            sample_weight=weights[rows].astype(kind),
        )  # fmt: skip
    except DivergenceError:
        return network
    parameters = network.parameters.copy()
    biases_of(parameters, network.sizes)[-1][:] = found.network.biases[0]
    if not (found.converged and np.isfinite(parameters).all()):
        return network
    return replace(network, parameters=parameters)
