"""Inputs and targets of mean 0 and variance 1 while a network is trained, and its weights after."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chainrule.formulas import Variable
from chainrule.networks._checks import as_rows
from chainrule.networks._errors import NetworkError
from chainrule.networks._layout import biases_of, weights_of
from chainrule.networks._network import Network
from chainrule.networks._propagation import compiled_cost
from chainrule.networks.training._homogeneity import degree, is_of_differences
from chainrule.networks.training._sparse import WIDE, is_sparse

_BLOCK = 4096  # rows that are looked at together, dense
_CONSTANT = 1e-12  # a column that differs by less, relative to its mean, differs by rounding


@final
@dataclass(frozen=True, eq=False)
class Standardisation:
    r"""What inputs and targets are shifted and divided by while a network is trained.

    .. math:: x'_j = (x_j - \mu_j) / \sigma_j, \qquad y'_k = (y_k - m_k) / s

    A network over :math:`x'` and :math:`y'` is, exactly, one over :math:`x` and :math:`y`:

    .. math::

        W_{1, jk} = \frac{W'_{1, jk}}{\sigma_j}, \quad b_1 = b'_1 - \mu W_1, \qquad
        W_L = s W'_L, \quad b_L = s b'_L + m

    Parameters
    ----------
    centres, scales : ndarray of shape (inputs,)
        :math:`\mu` and :math:`\sigma`.
    target_centres : ndarray of shape (outputs,)
        :math:`m`.
    target_scale : float
        :math:`s`, one for all outputs: then a cost of degree `d` is divided by :math:`s^d` and
        stays the same cost. Any other cost of differences is computed of :math:`s a'` and
        :math:`s y'`, and stays the same as well.

    Raises
    ------
    NetworkError
        The numbers are not finite, the scales not above 0, or there are not as many scales as
        centres.

    Examples
    --------
    >>> from chainrule.networks import network
    >>> net = network((1, 1), ("identity",), "half_squared_error", rng=0)
    >>> inner = net.with_parameters(np.array([2.0, 1.0]))
    >>> given = Standardisation(np.array([10.0]), np.array([4.0]), np.array([5.0]), 3.0)
    >>> given.folded(inner)(np.array([[14.0]]))     # 3 (2 (14 - 10)/4 + 1) + 5
    array([[14.]])
    """

    centres: NDArray[np.floating[Any]]
    scales: NDArray[np.floating[Any]]
    target_centres: NDArray[np.floating[Any]]
    target_scale: float = 1.0

    def __post_init__(self) -> None:
        centres, scales, targets = self.centres, self.scales, self.target_centres
        finite = all(np.isfinite(part).all() for part in (centres, scales, targets))
        above = (scales > 0.0).all() and 0.0 < self.target_scale < np.inf
        if not finite or not above or centres.shape != scales.shape or centres.ndim != 1:
            raise NetworkError(
                "a Standardisation takes finite centres and as many scales above 0, one for each "
                "input\nLet standardisation(network, X, Y) compute them."
            )

    def folded(self, network: Network) -> Network:
        """Return the network that makes of raw inputs what the given one makes of standardised."""
        self.check(network)
        flat = network.parameters.astype(np.float64)
        weights, biases = weights_of(flat, network.sizes), biases_of(flat, network.sizes)
        first, last = weights[0], weights[-1]
        first /= np.asarray(self.scales, np.float64)[:, None]
        biases[0][:] -= np.asarray(self.centres, np.float64) @ first
        last *= self.target_scale
        biases[-1][:] = biases[-1] * self.target_scale + self.target_centres
        return network.with_parameters(flat.astype(network.dtype))

    def unfolded(self, network: Network) -> Network:
        """Return the network over standardised inputs and targets whose `folded` is the given."""
        self.check(network)
        flat = network.parameters.astype(np.float64)
        weights, biases = weights_of(flat, network.sizes), biases_of(flat, network.sizes)
        first, last = weights[0], weights[-1]
        last /= self.target_scale
        biases[-1][:] = (biases[-1] - self.target_centres) / self.target_scale
        biases[0][:] += np.asarray(self.centres, np.float64) @ first
        first *= np.asarray(self.scales, np.float64)[:, None]
        return network.with_parameters(flat.astype(network.dtype))

    def unit(self, network: Network) -> float:
        """Return how much larger the cost of raw targets is than that of standardised ones."""
        power = degree(network.cost)
        return self.units(network)[1] if power is None else self.target_scale**power

    def units(self, network: Network) -> tuple[float, float]:
        r"""Return what a cost without a degree multiplies outputs and targets by, and its divisor.

        .. math:: J'(a', y') = J(s a', s y') / c, \qquad c = \frac{J(s, 0) + J(-s, 0) - 2 J(0, 0)}
            {J(1, 0) + J(-1, 0) - 2 J(0, 0)}

        The factor lets steps, penalty and tolerance be as large as for other costs; it is that of a
        cost of degree `d`, :math:`s^d`, and 1 where the cost does not grow from 0.
        """
        if degree(network.cost) is not None or self.target_scale == 1.0:
            return 1.0, 1.0
        rows = np.array([0.0, 1.0, -1.0, self.target_scale, -self.target_scale], network.dtype)
        outputs = np.ascontiguousarray(np.repeat(rows[:, None], network.sizes[-1], axis=1))
        zero, *others = compiled_cost(network, outputs[:1]).of_rows(outputs, np.zeros_like(outputs))
        growth = np.reshape(others, (2, 2)).sum(axis=1) - 2.0 * zero
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = float(growth[1] / growth[0])
        return self.target_scale, ratio if 0.0 < ratio < np.inf else 1.0

    def inputs(self, X: NDArray[Any]) -> NDArray[Any]:
        """Return standardised inputs, in their dtype."""
        whole = (np.asarray(X, np.float64) - self.centres) / self.scales
        return np.ascontiguousarray(whole, X.dtype)

    def targets(self, Y: NDArray[Any]) -> NDArray[Any]:
        """Return standardised targets, in their dtype."""
        whole = (np.asarray(Y, np.float64) - self.target_centres) / self.target_scale
        return np.ascontiguousarray(whole, Y.dtype)

    def suited(self, network: Network) -> Standardisation:
        """Return it for a network: of inputs alone where the targets cannot be standardised."""
        if has_scalable_targets(network):
            return self
        return replace(self, target_centres=np.zeros_like(self.target_centres), target_scale=1.0)

    def check(self, network: Network) -> None:
        """Refuse a network of other inputs or outputs, or one that the targets' part changes.

        Raises
        ------
        NetworkError
            The sizes differ, or targets are standardised and the network's cost or output
            activation does not allow it.
        """
        own = np.shape(self.centres) + np.shape(self.target_centres)
        if own != (network.sizes[0], network.sizes[-1]):
            raise NetworkError(
                f"the standardisation is of {own[0]} inputs and {own[1:]} outputs, the network of "
                f"{network.sizes[0]} and {network.sizes[-1]}"
            )
        moved = self.target_scale != 1.0 or np.any(self.target_centres)
        if moved and not has_scalable_targets(network):
            raise NetworkError(
                f"targets of {network.cost.title} behind {network.activations[-1].title} cannot be "
                "standardised: it would be another cost\nLeave them as they are: "
                "standardisation(network, X)."
            )


def has_scalable_targets(network: Network) -> bool:
    """Tell whether another scale of the targets is only another scale of outputs and cost."""
    cost, is_identity = network.cost, network.activations[-1].expression == Variable("z")
    return is_identity and (degree(cost) is not None or is_of_differences(cost))


def standardisation(
    network: Network, X: Any, Y: ArrayLike | None = None, sample_weight: ArrayLike | None = None
) -> Standardisation:
    """Return the standardisation of examples, for `train` and `train_lbfgs`.

    Parameters
    ----------
    network : Network
        The network that is to be trained. Where its first layer is normalised, inputs are not
        shifted: that could not be folded into its weights.
    X : array-like or sparse matrix of shape (examples, inputs)
        The inputs. Columns that are constant, or whose variance overflows, stay as they are.
    Y : array-like of shape (examples, outputs), optional
        The targets. They are standardised where the output activation is the identity and the cost
        is one of differences, or changes by a power of the scale alone, those that are constant
        only shifted; else, and by default, they stay as they are.
    sample_weight : array-like of shape (examples,), optional
        The weights of the examples in means and variances; 1 by default.

    Returns
    -------
    Standardisation

    Raises
    ------
    NetworkError
        The examples do not fit the network or one another.

    Examples
    --------
    >>> from chainrule.networks import network
    >>> net = network((1, 1), ("identity",), "half_squared_error", rng=0)
    >>> found = standardisation(net, [[1.0], [3.0]], [[10.0], [30.0]])
    >>> found.centres, found.scales, found.target_centres, found.target_scale
    (array([2.]), array([1.]), array([20.]), 10.0)
    """
    sizes, dtype = network.sizes, network.dtype
    inputs = X.tocsr() if hasattr(X, "tocsr") else as_rows(X, sizes[0], dtype, "X")
    count = inputs.shape[0]
    weights = np.ones(count) if sample_weight is None else np.asarray(sample_weight, np.float64)
    if weights.shape != (count,) or inputs.shape[1] != sizes[0]:
        raise NetworkError(
            f"X of shape {inputs.shape} and weights of shape {weights.shape} do not fit a network "
            f"of {sizes[0]} inputs"
        )
    means, variances = _moments(inputs, weights)
    scales = np.sqrt(variances)
    usable = _usable(means, variances)
    finite = np.where(np.isfinite(means), means, 0.0)
    shifts = np.zeros_like(finite) if network.normalisations[0] else finite
    centres, spreads = shifts.astype(dtype), np.where(usable, scales, 1.0).astype(dtype)
    nothing = np.zeros(sizes[-1])
    if Y is None or not has_scalable_targets(network):
        return Standardisation(centres, spreads, nothing)
    targets = as_rows(Y, sizes[-1], dtype, "Y")
    middles, spread = _moments(targets, weights)
    if not np.isfinite(middles).all() or not np.isfinite(spread).all():
        return Standardisation(centres, spreads, nothing)
    scale = float(np.sqrt(np.where(_usable(middles, spread), spread, 0.0).mean()))
    return Standardisation(centres, spreads, middles, scale or 1.0)


def _usable(means: NDArray[np.float64], variances: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell which columns are neither constant nor overflow."""
    scales = np.sqrt(variances)
    return np.isfinite(means) & np.isfinite(scales) & (scales > _CONSTANT * np.abs(means))


def _moments(
    rows: Any, weights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return weighted means and variances of columns, a block of rows at a time."""
    total = weights.sum()
    # What overflows is left alone, column by column.
    with np.errstate(over="ignore", invalid="ignore"):
        if is_sparse(rows) and rows.shape[1] > WIDE:
            return _sparse_moments(rows[weights > 0.0], weights[weights > 0.0] / total)
        means, variances = (np.zeros(rows.shape[1]) for _ in range(2))
        for part, own in _blocks(rows, weights):
            means += own @ part / total
        for part, own in _blocks(rows, weights):
            variances += own @ (part - means) ** 2 / total
    return means, variances


def _sparse_moments(
    rows: Any, shares: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return means and variances from the entries that there are, and the shares of the others."""
    rows.sum_duplicates()
    values, columns = rows.data.astype(np.float64), rows.indices
    own = np.repeat(shares, np.diff(rows.indptr))

    def summed(weights: NDArray[np.float64] | None) -> NDArray[Any]:
        return np.bincount(columns, weights, rows.shape[1])

    means = summed(own * values)
    absent = np.where(summed(None) < len(shares), np.maximum(1.0 - summed(own), 0.0), 0.0)
    return means, summed(own * (values - means[columns]) ** 2) + absent * means**2


def _blocks(
    rows: Any, weights: NDArray[np.float64]
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    for start in range(0, rows.shape[0], _BLOCK):
        part = rows[start : start + _BLOCK]
        dense = part.toarray() if is_sparse(part) else part
        yield np.asarray(dense, np.float64), weights[start : start + _BLOCK]
