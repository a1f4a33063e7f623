"""Training by L-BFGS, until the room of the networks has it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.networks import DivergenceError, Network, Training, gradient
from chainrule.networks._callbacks import Callback


def train_lbfgs(
    network: Network,
    X: NDArray[Any],
    Y: NDArray[Any],
    *,
    sample_weight: NDArray[Any],
    alpha: float,
    epochs: int,
    evaluations: int,
    tolerance: float,
    validation: Any,
    callbacks: Sequence[Callback],
) -> Training:
    """Train on all examples at once by L-BFGS."""
    from scipy.optimize import minimize

    losses: list[float] = []

    def cost_and_slopes(parameters: NDArray[Any]) -> tuple[float, NDArray[Any]]:
        at = network.with_parameters(parameters.astype(network.dtype))
        cost, slopes = gradient(at, X, Y, alpha=alpha, sample_weight=sample_weight)
        if not math.isfinite(cost):
            raise DivergenceError(
                f"training diverged: the mean cost became {cost}\nStandardise X.", network
            )
        return cost, slopes.astype(np.float64)

    found = minimize(
        cost_and_slopes,
        network.parameters.astype(np.float64),
        method="L-BFGS-B",
        jac=True,
        callback=lambda intermediate_result: losses.append(float(intermediate_result.fun)),
        options={"maxiter": epochs, "maxfun": evaluations, "gtol": tolerance},
    )
    final = network.with_parameters(found.x.astype(network.dtype))
    return Training(final, tuple(losses), (), bool(found.success), False, False, {}, (), None, None)
