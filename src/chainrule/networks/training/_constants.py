"""The output biases at which a network that tells its examples apart by nothing costs the least."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.catalogue import assumption_on_targets, domain_of_targets
from chainrule.networks._errors import DivergenceError
from chainrule.networks._layout import biases_of
from chainrule.networks._network import Network
from chainrule.networks.lbfgs._training import train_lbfgs
from chainrule.networks.training._standardisation import has_scalable_targets

_MOST = 4096  # examples that are looked at


def is_free_of_scale(network: Network) -> bool:
    """Tell whether targets may be of any size, and can be neither shifted nor divided by theirs.

    Shares and classes are no such targets: their networks start alike, as classifiers do.
    """
    domain = domain_of_targets(network.cost)
    is_bounded = "values" in domain or domain.get("high", np.inf) < np.inf
    is_share = bool(assumption_on_targets(network.cost))
    return not (is_bounded or is_share or has_scalable_targets(network))


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
        (1, outputs), network.activations[-1:], network.cost, np.zeros(2 * outputs, kind),
        blocks=network.blocks,
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
