"""Steps of optimisers over a part of the parameters."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.kernels.compiling._parts import inner
from chainrule.networks.compiled._loops import CONTRACT

SGD, NESTEROV, ADAM, RMSPROP, MUON = range(5)
# Places in an optimiser's settings.
KEEP, KEEP_SQUARE, EPSILON, WEIGHT_DECAY, KEEP_MOMENTUM = range(5)


def settings(
    keep: float = 0.0,
    keep_square: float = 0.0,
    epsilon: float = 0.0,
    weight_decay: float = 0.0,
    keep_momentum: float = 0.0,
) -> NDArray[np.float64]:
    """Return an optimiser's numbers in the order in which the steps read them."""
    return np.array([keep, keep_square, epsilon, weight_decay, keep_momentum])


@inner(fastmath=CONTRACT)
def _descend(
    parameters: Any, gradient: Any, velocity: Any, penalty: Any, shrink: Any, rate: Any,
    momentum: Any, nesterov: bool,
) -> None:  # fmt: skip
    if nesterov:
        for k in range(parameters.size):
            step = rate * (gradient[k] + penalty * parameters[k])
            velocity[k] = momentum * velocity[k] - step
            parameters[k] = shrink * parameters[k] + (momentum * velocity[k] - step)
    else:
        for k in range(parameters.size):
            step = rate * (gradient[k] + penalty * parameters[k])
            velocity[k] = momentum * velocity[k] - step
            parameters[k] = shrink * parameters[k] + velocity[k]


@inner(fastmath=CONTRACT, error_model="numpy")
def _adapt(
    parameters: Any, gradient: Any, first: Any, second: Any, penalty: Any, shrink: Any, rate: Any,
    beta_1: Any, beta_2: Any, epsilon: Any,
) -> None:  # fmt: skip
    one = parameters.dtype.type(1.0)
    for k in range(parameters.size):
        slope = gradient[k] + penalty * parameters[k]
        mean = beta_1 * first[k] + (one - beta_1) * slope
        square = beta_2 * second[k] + (one - beta_2) * slope * slope
        first[k] = mean
        second[k] = square
        parameters[k] = shrink * parameters[k] - rate * mean / (np.sqrt(square) + epsilon)


@inner(fastmath=CONTRACT, error_model="numpy")
def _divide_by_size(
    parameters: Any, gradient: Any, velocity: Any, second: Any, penalty: Any, shrink: Any,
    rate: Any, momentum: Any, beta: Any, epsilon: Any,
) -> None:  # fmt: skip
    one = parameters.dtype.type(1.0)
    for k in range(parameters.size):
        slope = gradient[k] + penalty * parameters[k]
        square = beta * second[k] + (one - beta) * slope * slope
        second[k] = square
        velocity[k] = momentum * velocity[k] + slope / (np.sqrt(square) + epsilon)
        parameters[k] = shrink * parameters[k] - rate * velocity[k]


@inner(error_model="numpy")
def step(
    parameters: Any, gradient: Any, first: Any, second: Any, penalty: float, decay: float,
    rate: float, solver: int, settings: Any, number: int,
) -> None:  # fmt: skip
    """Move parameters by step `number` of an optimiser, which remembers one vector or two.

    `penalty` times the parameters is added to the gradient; `decay` shrinks them apart from it.
    """
    real = parameters.dtype.type
    keep, keep_square, epsilon = settings[KEEP], settings[KEEP_SQUARE], settings[EPSILON]
    shrink = 1.0 - rate * decay
    if solver in (ADAM, MUON):
        rate *= np.sqrt(1.0 - keep_square**number) / (1.0 - keep**number)
        _adapt(
            parameters, gradient, first, second, real(penalty), real(shrink), real(rate),
            real(keep), real(keep_square), real(epsilon),
        )  # fmt: skip
    elif solver == RMSPROP:
        _divide_by_size(
            parameters, gradient, first, second, real(penalty), real(shrink), real(rate),
            real(keep), real(keep_square), real(epsilon),
        )  # fmt: skip
    else:
        _descend(
            parameters, gradient, first, real(penalty), real(shrink), real(rate), real(keep),
            solver == NESTEROV,
        )  # fmt: skip
