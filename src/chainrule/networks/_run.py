"""The arrays of one training run, and epochs over them."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from threadpoolctl import ThreadpoolController

from chainrule.networks._compiled import run_batches
from chainrule.networks._network import Network, as_rows
from chainrule.networks._optimisers import Optimiser
from chainrule.networks._propagation import allocate, compiled_cost, example_weights

_OPERATIONS_PER_WAKE = 5e6
_OPERATIONS_PER_CALL = 2e10  # under a second: an interrupt is noticed between calls


class Run:
    """The arrays of one training run, and one epoch over them.

    What changes from step to step is `parameters`, `state` and `steps`.
    """

    def __init__(
        self,
        network: Network,
        X: ArrayLike,
        Y: ArrayLike,
        sample_weight: ArrayLike | None,
        optimiser: Optimiser,
        *,
        alpha: float,
        batch_size: int,
    ) -> None:
        sizes = network.sizes
        self.start = network
        self.inputs = as_rows(X, sizes[0], network.dtype, "X")
        self.targets = as_rows(Y, sizes[-1], network.dtype, "Y")
        self.weights = example_weights(sample_weight, self.inputs, self.targets)
        # Examples without weight change nothing but the size of the batches.
        self.rows = np.flatnonzero(self.weights)
        self.batch_size = min(batch_size, self.rows.size)
        self.program = network.program
        self.cost = compiled_cost(network, self.targets)
        self.parameters = np.array(network.parameters)
        self.state = np.zeros((optimiser.states, self.parameters.size), network.dtype)
        self.optimiser = optimiser
        self.settings = optimiser.settings
        self.alpha = float(alpha)
        self.buffers = allocate(network, self.batch_size)
        self.steps = 0
        batches = int(_OPERATIONS_PER_CALL / (6.0 * self.parameters.size * self.batch_size))
        self.chunk = max(batches, 1)

    @property
    def network(self) -> Network:
        """The network with the parameters as they are now."""
        return self.start.with_parameters(self.parameters)

    def steps_of(self, order: NDArray[np.intp]) -> int:
        """Return into how many batches an order of examples falls."""
        return -(-order.size // self.batch_size)

    def epoch(self, order: NDArray[np.intp], rates: NDArray[np.float64]) -> float:
        """Train on the examples in this order, with a learning rate for each step.

        Returns the mean cost, penalty included.
        """
        loss = 0.0
        for first in range(0, rates.size, self.chunk):
            part = order[first * self.batch_size : (first + self.chunk) * self.batch_size]
            loss += run_batches(
                self.inputs, self.targets, self.weights, part,
                rates[first : first + self.chunk], self.batch_size,
                self.program.sizes, self.program.kernels, self.cost.row, self.parameters,
                self.state, self.optimiser.code, self.settings, self.steps, self.alpha,
                self.buffers,
            )  # fmt: skip
            self.steps += self.steps_of(part)
        return float(loss / self.weights.sum(dtype=np.float64))

    def threads(self) -> AbstractContextManager[Any]:
        """Keep small matrix products on one thread: waking another costs more than it computes."""
        sizes = self.program.sizes
        largest = self.batch_size * int((sizes[:-1] * sizes[1:]).max())
        if largest >= _OPERATIONS_PER_WAKE:
            return nullcontext()
        limit: AbstractContextManager[Any] = _thread_pools().limit(limits=1, user_api="blas")
        return limit

    @property
    def is_finite(self) -> bool:
        """Whether all parameters are numbers."""
        return bool(np.isfinite(self.parameters).all())


@cache
def _thread_pools() -> Any:
    return ThreadpoolController()
