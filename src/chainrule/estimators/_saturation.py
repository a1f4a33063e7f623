"""A word where errors as large as the targets cost too much alike to be made smaller."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.networks import Network
from chainrule.networks._propagation import compiled_cost
from chainrule.networks.training._homogeneity import degree
from chainrule.networks.training._standardisation import has_scalable_targets

_LEAST = 0.25  # of the squared error the exponent is 2, of the absolute error 1


def warn_of_saturation(network: Network, targets: NDArray[Any]) -> None:
    r"""Warn where a cost of differences has too little slope at the errors that training meets.

    .. math:: \log_2 \frac{J(2 s, 0) - J(0, 0)}{J(s, 0) - J(0, 0)} < 0.25

    for the median distances :math:`s` of the targets from their medians, which a few targets far
    away leave alone. Of a cost with a degree, that is the degree, whatever the targets are.
    """
    if degree(network.cost) is not None or not has_scalable_targets(network):
        return
    spread = np.median(np.abs(targets - np.median(targets, axis=0)), axis=0)
    errors = np.outer([0.0, 1.0, 2.0], spread).astype(network.dtype)
    cost = compiled_cost(network, errors[:1])
    with np.errstate(divide="ignore", invalid="ignore"):
        none, single, double = cost.of_rows(errors, np.zeros_like(errors)).astype(np.float64)
        exponent = np.log2((double - none) / (single - none))
    if exponent < _LEAST:
        warnings.warn(
            f"the cost {network.cost} hardly tells errors as large as the targets' spread "
            f"({spread.max():.3g}) from those twice as large, and may not find the way to smaller "
            "ones; divide the targets by their spread, or in the cost the difference of output and "
            "target",
            stacklevel=4,
        )
