"""What a network does to examples, layer by layer: sizes, dead and saturated units, gradients."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chainrule import kernels
from chainrule.formulas import Formula
from chainrule.networks._checks import as_rows
from chainrule.networks._errors import NetworkError
from chainrule.networks._layout import weights_of
from chainrule.networks._network import Network
from chainrule.networks._propagation import gradient
from chainrule.networks.lbfgs._training import Objective
from chainrule.networks.training._sparse import is_sparse, propagated_blocks

_COMMON = 4.0  # one standard normal pre-activation in 16,000 lies further out
_POINTS = 4097
_FLAT = 0.01
_WIDTH, _LONGEST = 120, 10


@dataclass(frozen=True)
class LayerStatistics:
    """What one layer does to the examples.

    Parameters
    ----------
    units : int
    activation : str
        Its name, or its formula.
    pre_activation_mean, pre_activation_spread : float
        Mean and standard deviation of Z over all examples and units.
    activation_mean, activation_spread : float
        The same of A.
    dead : float
        The share of units whose activation is 0 on every example, or whose slope is.
    saturated : float or None
        The share of all pre-activations at which the slope is below one per cent of the largest
        slope that the function has between -4 and 4; None for layer-coupled functions, whose
        slopes are a matrix.
    weight_norm : float
        ‖W‖, the root of the sum of squares.
    gradient_norm : float or None
        ‖∂J/∂W‖ of the mean cost; None where no targets were given.
    """

    units: int
    activation: str
    pre_activation_mean: float
    pre_activation_spread: float
    activation_mean: float
    activation_spread: float
    dead: float
    saturated: float | None
    weight_norm: float
    gradient_norm: float | None

    @property
    def gradient_ratio(self) -> float | None:
        """‖∂J/∂W‖/‖W‖: times the learning rate, how far one step of descent turns the weights."""
        if self.gradient_norm is None:
            return None
        return self.gradient_norm / self.weight_norm if self.weight_norm else math.inf


@dataclass(frozen=True)
class NetworkStatistics:
    """What every layer of a network does to the examples; it prints as a table.

    Parameters
    ----------
    examples : int
        How many there were.
    layers : tuple of LayerStatistics
    """

    examples: int
    layers: tuple[LayerStatistics, ...]

    def __str__(self) -> str:
        from chainrule.documents import Table, block_lines

        header = ("l", "units", "activation", "Z", "A", "dead", "satur.", "‖∂J/∂W‖", "/‖W‖")
        rows = tuple(
            (str(number), str(layer.units), _short(layer.activation), *_cells(layer))
            for number, layer in enumerate(self.layers, 1)
        )
        shown = None if self.layers[0].gradient_norm is not None else -2
        table = Table(header[:shown], tuple(row[:shown] for row in rows))
        return "\n".join(block_lines(table, _WIDTH))

    def plot(self, figure: Any = None) -> Any:
        """Draw them over the layers; see `plot_statistics`."""
        from chainrule.networks._plots import plot_statistics

        return plot_statistics(self, figure)


def layer_statistics(network: Network, X: Any, Y: ArrayLike | None = None) -> NetworkStatistics:
    """Return what every layer does to examples.

    Parameters
    ----------
    network : Network
        The network.
    X : array-like or sparse matrix of shape (examples, inputs)
        At least one example; converted to the network's dtype. A sparse matrix never becomes dense
        as a whole, but for targets behind layers that are normalised over the batch.
    Y : array-like of shape (examples, outputs), optional
        Targets; with them, the gradient of the mean cost is measured as well, as a training step
        over all examples computes it.

    Returns
    -------
    NetworkStatistics

    Raises
    ------
    NetworkError
        X or Y has another shape, no example is given, or the targets are none of the cost's.

    Examples
    --------
    >>> import numpy as np
    >>> from chainrule.networks import layer_statistics, network
    >>> net = network((2, 3, 1), ("relu", "identity"), "half_squared_error", rng=0)
    >>> found = layer_statistics(net, np.ones((5, 2)))
    >>> [layer.activation for layer in found.layers], found.layers[1].dead
    (['relu', 'identity'], 0.0)
    """
    inputs = X.tocsr() if is_sparse(X) else as_rows(X, network.sizes[0], network.dtype, "X")
    if inputs.shape[1] != network.sizes[0]:
        raise NetworkError(f"X must have shape (examples, {network.sizes[0]}), got {X.shape}")
    if not inputs.shape[0]:
        raise NetworkError("X holds no example\nGive at least one row.")
    norms: list[float | None] = [None] * len(network.activations)
    if Y is not None:
        norms = [_norm(part) for part in weights_of(_slopes(network, inputs, Y), network.sizes)]
    tallies = [
        _Tally(formula, width)
        for formula, width in zip(network.learned_activations, network.sizes[1:], strict=True)
    ]
    used, parts = network, iter([inputs])
    if is_sparse(inputs):
        used, parts = propagated_blocks(network, inputs)
    for part in parts:
        for values in used.predictors.layers(as_rows(part, used.sizes[0], used.dtype, "X")):
            for tally, (Z, A) in zip(tallies, values, strict=True):
                tally.add(Z, A)
    layers = tuple(
        tally.result(_norm(W), norm)
        for tally, W, norm in zip(tallies, network.weights, norms, strict=True)
    )
    return NetworkStatistics(inputs.shape[0], layers)


def _slopes(network: Network, X: Any, Y: ArrayLike) -> NDArray[Any]:
    """Return the gradient of the mean cost: over a sparse matrix, block after block."""
    if not is_sparse(X) or "batch" in network.normalisations:
        return gradient(network, X.toarray() if is_sparse(X) else X, Y)[1]
    objective = Objective(network, X, Y, None, 0.0, None)
    with objective.pool:
        return objective(network.parameters.astype(np.float64))[1]


class _Moments:
    """Mean and spread of numbers that come in parts."""

    def __init__(self) -> None:
        self.count = 0
        self.mean = 0.0
        self.squares = 0.0

    def add(self, values: NDArray[Any]) -> None:
        """Add a part, by the update of Chan, Golub and LeVeque (1979)."""
        mean = float(values.mean(dtype=np.float64))
        squares = float(np.square(values - mean, dtype=np.float64).sum())
        total = self.count + values.size
        apart = mean - self.mean
        self.squares += squares + apart * apart * self.count * values.size / total
        self.mean += apart * values.size / total
        self.count = total

    @property
    def spread(self) -> float:
        """The standard deviation."""
        return math.sqrt(self.squares / self.count)


class _Tally:
    """Counts what one layer does, a part of the examples at a time."""

    def __init__(self, formula: Formula, width: int) -> None:
        self.formula = formula
        self.pre_activations, self.activations = _Moments(), _Moments()
        self.has_output = np.zeros(width, bool)
        self.has_slope = np.zeros(width, bool)
        self.flat = 0

    def add(self, Z: NDArray[Any], A: NDArray[Any]) -> None:
        """Take pre-activations and activations of some examples."""
        self.pre_activations.add(Z)
        self.activations.add(A)
        self.has_output |= (A != 0.0).any(axis=0)
        if self.formula.is_layer_coupled:
            self.has_slope[:] = True
        else:
            slopes = np.abs(kernels.backward(self.formula, np.ones_like(Z), Z))
            self.has_slope |= (slopes != 0.0).any(axis=0)
            limit = _FLAT * largest_slope(self.formula)
            self.flat += int(np.count_nonzero((slopes < limit) | (slopes == 0.0)))

    def result(self, weight_norm: float, gradient_norm: float | None) -> LayerStatistics:
        """Return what was counted."""
        z, a = self.pre_activations, self.activations
        return LayerStatistics(
            self.has_output.size, self.formula.title, z.mean, z.spread, a.mean, a.spread,
            float(np.mean(~(self.has_output & self.has_slope))),
            None if self.formula.is_layer_coupled else self.flat / z.count,
            weight_norm, gradient_norm,
        )  # fmt: skip


@lru_cache(maxsize=256)
def largest_slope(formula: Formula) -> float:
    """Return the largest slope where pre-activations commonly lie."""
    z = np.linspace(-_COMMON, _COMMON, _POINTS)
    slopes = np.abs(kernels.backward(formula, np.ones_like(z), z))
    return float(np.max(slopes, initial=0.0, where=np.isfinite(slopes)))


def _norm(values: NDArray[Any]) -> float:
    return float(np.linalg.norm(values.astype(np.float64)))


def _short(title: str) -> str:
    return title if len(title) <= _LONGEST else title[: _LONGEST - 1] + "…"


def _cells(layer: LayerStatistics) -> tuple[str, ...]:
    def share(value: float | None) -> str:
        return "-" if value is None else f"{100 * value:.1f} %"

    def size(value: float | None) -> str:
        return "-" if value is None else f"{value:.2g}"

    return (
        f"{layer.pre_activation_mean:.2f} ± {layer.pre_activation_spread:.2f}",
        f"{layer.activation_mean:.2f} ± {layer.activation_spread:.2f}",
        share(layer.dead), share(layer.saturated),
        size(layer.gradient_norm), size(layer.gradient_ratio),
    )  # fmt: skip
