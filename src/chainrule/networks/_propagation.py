r"""Forward and backward propagation of a network.

.. math::

    Z = A_{prev} W + b, \qquad
    \frac{\partial J}{\partial W} = A_{prev}^T \frac{\partial J}{\partial Z}, \qquad
    \frac{\partial J}{\partial b} = \sum_i \frac{\partial J}{\partial Z_i}, \qquad
    \frac{\partial J}{\partial A_{prev}} = \frac{\partial J}{\partial Z} W^T
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chainrule.catalogue import assumption_on_targets, domain_of_targets
from chainrule.formulas import Formula
from chainrule.kernels import CostKernels, exactly, kept_answer
from chainrule.networks._blocks import in_blocks
from chainrule.networks._checks import as_rows
from chainrule.networks._errors import NetworkError
from chainrule.networks._network import Network
from chainrule.networks._prediction import BLOCK, Predictor
from chainrule.networks._program import cost_program
from chainrule.networks.compiled import (
    batch_gradient,
    run_to_inputs,
    set_learned,
)
from chainrule.networks.compiled.tables import (
    TARGETS,
    TO_INPUTS,
    WEIGHTS_OF_EXAMPLES,
)

_SUM_TOLERANCE = 1e-5


def propagate(network: Network, X: ArrayLike) -> NDArray[np.floating[Any]]:
    """Return the output activations of a network.

    Parameters
    ----------
    network : Network
        The network.
    X : array-like of shape (examples, inputs)
        Converted to the network's dtype.

    Returns
    -------
    ndarray of shape (examples, outputs)
    """
    return network(X)


class Batches:
    """Gradients of batches in one thread, each of as many rows at most, in the same workspace."""

    def __init__(
        self,
        network: Network,
        cost: CostKernels,
        rows: int,
        *,
        to_inputs: bool = False,
        units: tuple[float, float] = (1.0, 1.0),
    ) -> None:
        self.held = network, cost
        self.own = _predictor(network, rows, cost=cost, to_inputs=to_inputs, units=units)

    def sums(
        self,
        parameters: NDArray[Any],
        inputs: NDArray[Any],
        targets: NDArray[Any],
        weights: NDArray[Any],
        slopes: NDArray[Any],
    ) -> tuple[float, float]:
        """Fill in the gradient of the mean cost; return the sums of costs and of weights."""
        tables, space = self.own.tables, self.own.space
        set_learned(tables, parameters)
        for place, values in ((TARGETS, targets), (WEIGHTS_OF_EXAMPLES, weights)):
            start = tables.plan[place]
            space.work[start : start + values.size] = values.reshape(-1)
        total, weight = batch_gradient(
            space, tables, parameters, slopes, inputs.ctypes.data, len(inputs), 0
        )
        return float(total), float(weight)

    def to_inputs(self, rows: int) -> NDArray[Any]:
        """Return the gradient to the inputs of the last batch, a view."""
        start, width = self.own.tables.plan[TO_INPUTS], self.held[0].sizes[0]
        values: NDArray[Any] = self.own.space.work[start : start + rows * width]
        return values.reshape(rows, width)


def gradient(
    network: Network,
    X: ArrayLike,
    Y: ArrayLike,
    *,
    alpha: float = 0.0,
    sample_weight: ArrayLike | None = None,
) -> tuple[float, NDArray[np.floating[Any]]]:
    r"""Return the mean cost of a batch and its gradient with respect to the parameters.

    .. math:: J = \frac{1}{\sum_i s_i} \left( \sum_i s_i J_i + \frac{\alpha}{2} \|W\|^2 \right)

    Parameters
    ----------
    network : Network
        The network.
    X : array-like of shape (examples, inputs)
        The inputs of the batch.
    Y : array-like of shape (examples, outputs)
        The targets of the batch.
    alpha : float
        Strength of the penalty on the weights; biases are free.
    sample_weight : array-like of shape (examples,), optional
        The weights :math:`s_i`; 1 by default.

    Returns
    -------
    cost : float
    gradient : ndarray
        In the order of `Network.parameters`.
    """
    sizes = network.sizes
    inputs = as_rows(X, sizes[0], network.dtype, "X")
    targets = as_rows(Y, sizes[-1], network.dtype, "Y")
    weights = example_weights(sample_weight, len(inputs), targets)
    slopes = np.zeros(network.parameters.size, network.dtype)
    batches = Batches(network, compiled_cost(network, targets), len(inputs))
    total, weight = batches.sums(network.own_parameters, inputs, targets, weights, slopes)
    decayed = network.parameters[: network.layout.decayed]
    slopes[: decayed.size] += alpha / weight * decayed
    penalty = 0.5 * alpha * float(np.dot(decayed, decayed))
    return (total + penalty) / weight, slopes


def input_gradient(
    network: Network, X: ArrayLike, output_gradient: ArrayLike
) -> NDArray[np.floating[Any]]:
    r"""Return the gradient with respect to the inputs, from the one with respect to the outputs.

    .. math:: \frac{\partial J}{\partial X_i}
        = \left(\frac{\partial A_i}{\partial X_i}\right)^T \frac{\partial J}{\partial A_i}

    Layers normalised over the batch use their running statistics, as in prediction.

    Parameters
    ----------
    network : Network
        The network.
    X : array-like of shape (examples, inputs)
        The inputs.
    output_gradient : array-like of shape (examples, outputs)
        The gradient with respect to the output activations.

    Returns
    -------
    ndarray of shape (examples, inputs)

    Examples
    --------
    >>> from chainrule.networks import network
    >>> net = network((2, 1), ("identity",), "half_squared_error", rng=0)
    >>> bool((input_gradient(net, [[0.0, 5.0]], [[1.0]]) == net.weights[0].T).all())
    True
    """
    sizes = network.sizes
    inputs = as_rows(X, sizes[0], network.dtype, "X")
    seeds = as_rows(output_gradient, sizes[-1], network.dtype, "output_gradient")
    if len(seeds) != len(inputs):
        raise NetworkError(
            f"X and output_gradient must have the same number of examples, got {len(inputs)} and "
            f"{len(seeds)}"
        )
    block = min(BLOCK, max(len(inputs), 1))
    own = _predictor(network, block, to_inputs=True)
    tables, space = own.tables, own.space
    unused = np.empty(network.parameters.size, network.dtype)
    result = np.empty_like(inputs)
    place = tables.plan[TO_INPUTS]
    for start in range(0, len(inputs), block):
        part = inputs[start : start + block]
        of_part = seeds[start : start + block].reshape(-1)
        run_to_inputs(space, tables, network.own_parameters, unused, part, of_part, True)
        slopes = space.work[place : place + part.size]
        result[start : start + block] = slopes.reshape(part.shape)
    return result


def _predictor(network: Network, rows: int, **options: Any) -> Predictor:
    statistics = network.new_statistics()
    return Predictor(network.program, network.own_parameters, statistics, rows, **options)


def compiled_cost(network: Network, targets: NDArray[Any]) -> CostKernels:
    """Return the compiled cost of a network, composed with its output activation.

    The short form of the gradient is used where the targets satisfy what it assumes of them; a
    gradient that holds for any targets elsewhere.

    Raises
    ------
    NetworkError
        Where the targets lie outside of those that a named cost is made for, or the cost has no
        value at outputs that the output activation has.
    """
    _check_targets(network.cost, targets)
    _check_outputs(network.activations[-1], network.cost)
    activation, dtype = network.activations[-1], network.dtype.name
    assumption = assumption_on_targets(network.cost)
    satisfied = not assumption or (
        assumption == "sum(y) == 1"
        and all(
            (np.abs(part.sum(axis=1, dtype=np.float64) - 1.0) <= _SUM_TOLERANCE).all()
            for part in in_blocks(targets, network.blocks)
        )
    )
    return cost_program(activation, network.cost, dtype, satisfied, network.learned[-1])


def _check_targets(cost: Formula, targets: NDArray[Any]) -> None:
    domain = domain_of_targets(cost)
    if "values" in domain:
        outside = ~np.isin(targets, domain["values"])
        expected = " or ".join(f"{value:g}" for value in domain["values"])
    else:
        low, high = domain.get("low", -np.inf), domain.get("high", np.inf)
        outside = (targets < low) | (targets > high)
        expected = f"at least {low:g}" if high == np.inf else f"between {low:g} and {high:g}"
    if outside.any():
        raise NetworkError(
            f"the targets of {cost.title} must be {expected}; got {targets[outside][0]:g}\n"
            "Change the targets, or choose a cost that is made for them."
        )


@lru_cache(maxsize=256)
def _check_outputs(activation: Formula, cost: Formula) -> None:
    targets = domain_of_targets(cost)

    def find() -> float | None:
        from chainrule.derivations import undefined_output

        return undefined_output(activation, cost, targets)

    output = kept_answer(
        f"undefined output of {exactly(activation)} in {exactly(cost)} given {dict(targets)!r}",
        find,
    )
    if output is not None:
        raise NetworkError(
            f"{cost.title} has no value at a = {output:.3g}, which is an output of "
            f"{activation.title}\nChoose an output activation whose values the cost is defined "
            "for, such as exponential for logarithms of a, or sigmoid for those of a and 1 - a."
        )


def example_weights(
    sample_weight: ArrayLike | None, count: int, targets: NDArray[Any]
) -> NDArray[np.floating[Any]]:
    """Return one weight for each example, and refuse batches whose parts do not match."""
    if count == 0 or len(targets) != count:
        raise NetworkError(
            f"X and Y must have the same number of examples, at least one; got {count} and "
            f"{len(targets)}"
        )
    if sample_weight is None:
        return np.ones(count, targets.dtype)
    weights = np.array(sample_weight, targets.dtype)
    if weights.shape != (count,) or not (weights >= 0.0).all() or not weights.sum() > 0.0:
        raise NetworkError(
            f"sample_weight must hold {count} numbers of at least 0, not all of them 0"
        )
    return weights
