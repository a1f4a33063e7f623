"""Data kept aside: which rows, and the mean cost over them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chainrule.kernels import CostKernels
from chainrule.networks._blocks import in_blocks
from chainrule.networks._checks import as_rows
from chainrule.networks._errors import NetworkError
from chainrule.networks._network import Network
from chainrule.networks._prediction import Predictors
from chainrule.networks._propagation import compiled_cost, example_weights
from chainrule.networks.training._sparse import WIDE, is_sparse, propagated_blocks

_ONLY = "validation"
_LAYER_ALONE = 2  # a network, and what its output layer made of the examples


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Examples kept aside, checked against a network and in its dtype.

    What the last network made of them is remembered: its cost and its score ask one after another.
    So are the predictors, for the next network is the same with other parameters.
    """

    name: str
    inputs: Any
    targets: NDArray[np.floating[Any]]
    weights: NDArray[np.floating[Any]]
    cost: CostKernels
    remembered: list[Any] = field(default_factory=list, repr=False)
    predictors: list[Predictors] = field(default_factory=list, repr=False)

    def output_layer(self, network: Network) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return the pre-activations and activations of the output layer of a network."""
        if not self.remembered or self.remembered[0] is not network:
            outputs = np.empty((len(self.targets), network.sizes[-1]), network.dtype)
            pre_activations = np.empty_like(outputs)
            used, parts = network, iter([self.inputs])
            if is_sparse(self.inputs):
                used, parts = propagated_blocks(network, self.inputs)
            predictors, first = self._predictors_of(used), 0
            for part in parts:
                rows = slice(first, first := first + len(part))
                inputs = as_rows(part, used.sizes[0], used.dtype, "X")
                predictors.run(inputs, outputs[rows], pre_activations[rows])
            self.remembered[:] = network, (pre_activations, outputs)
        layer: tuple[NDArray[Any], NDArray[Any]] = self.remembered[1]
        return layer

    def _predictors_of(self, network: Network) -> Predictors:
        parameters, statistics = network.parameters, network.new_statistics()
        if self.predictors and self.predictors[0].made_of[0] is network.program:
            self.predictors[0].take(parameters, statistics)
        else:
            self.predictors[:] = [Predictors(network.program, np.array(parameters), statistics)]
        return self.predictors[0]

    @cached_property
    def precise_weights(self) -> NDArray[np.float64]:
        """The weights as float64."""
        return self.weights.astype(np.float64)

    @cached_property
    def total_weight(self) -> float:
        """The sum of the weights."""
        return float(self.weights.sum(dtype=np.float64))

    def mean_cost(self, network: Network) -> float:
        """Return the weighted mean cost of the examples; the penalty is no part of it."""
        return float(self.costs(network).sum() / self.total_weight)

    def costs(self, network: Network) -> NDArray[np.float64]:
        """Return the weighted cost of each example."""
        Z, _ = self.output_layer(network)
        if len(self.remembered) == _LAYER_ALONE:
            self.remembered.append(self._costs(Z, network))
        costs: NDArray[np.float64] = self.remembered[-1]
        return costs

    def _costs(self, Z: NDArray[Any], network: Network) -> NDArray[np.float64]:
        total, blocks = np.zeros(len(Z)), network.blocks
        now = (*network.learned_activations[-1].parameters, *self.cost.cost.parameters)
        values = np.array([value for _, value in now])
        for z, y in zip(in_blocks(Z, blocks), in_blocks(self.targets, blocks), strict=True):
            total += self.cost.of_rows(np.ascontiguousarray(z), np.ascontiguousarray(y), values)
        return total * self.precise_weights


def held_out(network: Network, validation: Any) -> tuple[HeldOut, ...]:
    """Return the validation sets that a person gave: one, or several by name."""
    if validation is None:
        return ()
    named = validation if isinstance(validation, Mapping) else {_ONLY: validation}
    return tuple(_held_out(network, name, given) for name, given in named.items())


def _held_out(network: Network, name: Any, given: Any) -> HeldOut:
    if isinstance(given, HeldOut):
        return given
    if not isinstance(name, str):
        raise NetworkError(f"names of validation sets must be text, got {name!r:.60}")
    if not isinstance(given, tuple | list) or len(given) not in (2, 3):
        raise NetworkError(
            f"{name}: expected (X, Y) or (X, Y, sample_weight), got {type(given).__name__}\n"
            "Give one such tuple, or a dictionary with one for each name."
        )
    try:
        inputs = _rows(network, given[0])
        targets = as_rows(given[1], network.sizes[-1], network.dtype, "Y")
        weights = example_weights(given[2] if len(given) == 3 else None, inputs.shape[0], targets)
        cost = compiled_cost(network, targets)
    except NetworkError as error:
        raise NetworkError(f"{name}: {error}") from None
    return HeldOut(name, inputs, targets, weights, cost)


def _rows(network: Network, X: Any) -> Any:
    """Return inputs in the network's dtype: an array, or a sparse matrix where it is wide."""
    columns, dtype = network.sizes[0], network.dtype
    if not is_sparse(X) or columns <= WIDE:
        return as_rows(X.toarray() if is_sparse(X) else X, columns, dtype, "X")
    if X.shape[1] != columns:
        raise NetworkError(f"X must have shape (examples, {columns}), got {X.shape}")
    return X.tocsr().astype(dtype)


def validation_loss(
    network: Network, X: Any, Y: ArrayLike, sample_weight: ArrayLike | None = None
) -> float:
    r"""Return the mean cost of a network over examples, without penalty.

    .. math:: J = \frac{\sum_i s_i J_i}{\sum_i s_i}

    Parameters
    ----------
    network : Network
        The network.
    X : array-like or sparse matrix of shape (examples, inputs)
        The inputs, converted to the network's dtype.
    Y : array-like of shape (examples, outputs)
        The targets.
    sample_weight : array-like of shape (examples,), optional
        The weights :math:`s_i`, at least 0; 1 by default.

    Returns
    -------
    float

    Raises
    ------
    NetworkError
        The examples do not fit the network or one another.

    Examples
    --------
    >>> import numpy as np
    >>> from chainrule.networks import network
    >>> net = network((1, 1), ("identity",), "half_squared_error", rng=0)
    >>> net = net.with_parameters(np.array([2.0, 0.0]))
    >>> validation_loss(net, [[1.0], [2.0]], [[2.0], [6.0]])
    1.0
    """
    return _held_out(network, _ONLY, (X, Y, sample_weight)).mean_cost(network)


def validation_split(
    count: int,
    fraction: float,
    rng: np.random.Generator,
    classes: NDArray[Any] | None = None,
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the rows to train on and the rows to keep aside, both in ascending order.

    Parameters
    ----------
    count : int
        The number of rows.
    fraction : float
        The share to keep aside.
    rng : numpy.random.Generator
        Where the choice comes from.
    classes : ndarray of shape (count,), optional
        Labels. Every class is split in the same proportion, rounded so that the shares add up;
        each keeps at least one row to train on.
    """
    shuffled = rng.permutation(count)
    if classes is None:
        kept = max(round(count * fraction), 1)
        aside = shuffled[:kept]
    else:
        _, labels = np.unique(classes, return_inverse=True)
        ordered = shuffled[np.argsort(labels[shuffled], kind="stable")]
        sizes = np.bincount(labels)
        # Running totals are rounded, not the shares: then small classes are not all rounded away.
        totals = np.round(np.cumsum(sizes) * fraction).astype(int)
        shares = np.minimum(np.diff(totals, prepend=0), sizes - 1)
        starts = np.cumsum(sizes) - sizes
        aside = np.concatenate(
            [ordered[start : start + share] for start, share in zip(starts, shares, strict=True)]
        )
    if not 0 < aside.size < count:
        raise NetworkError(
            f"{count} examples are too few to keep a share of {fraction:g} aside for validation\n"
            "Give more data, another validation fraction, or train without early stopping."
        )
    mask = np.zeros(count, bool)
    mask[aside] = True
    return np.flatnonzero(~mask), np.flatnonzero(mask)
