"""The arrays of one training run, and epochs over them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import from_dtype
from numpy.typing import ArrayLike, NDArray

from chainrule.kernels import available_processors
from chainrule.networks._checks import as_rows
from chainrule.networks._errors import NetworkError
from chainrule.networks._network import Network
from chainrule.networks._program import new_tables
from chainrule.networks._propagation import compiled_cost, example_weights
from chainrule.networks.compiled import muon_scratch, muon_step, run_batches, set_learned
from chainrule.networks.compiled.tables import MUON_STEP, SEED
from chainrule.networks.training._crew import Crew, aligned
from chainrule.networks.training._optimisers import Muon, Optimiser
from chainrule.networks.training._sparse_batches import (
    has_sparse_batches,
    most_entries,
    sparse_inputs,
)
from chainrule.networks.training._standardisation import Standardisation

_OPERATIONS_PER_CALL = 2e10  # under a second: an interrupt is noticed between calls
_OPERATIONS_PER_STEP = 40.0  # as long as an optimiser's step over a weight far away takes
_OPERATIONS_PER_THREAD = 1.5e7  # in a step; with less, threads wait longer than they work
_TILE = 8192  # no phase that sums has smaller tiles than this, or than one row


class Run:
    """The arrays of one training run, and one epoch over them.

    What changes from step to step is `parameters`, `state`, `statistics` and `steps`.

    Parameters
    ----------
    network : Network
        Where to start.
    X : array-like or sparse matrix of shape (examples, inputs)
        Rows of a narrow sparse matrix become dense when their batch comes.
    Y : array-like of shape (examples, outputs)
    sample_weight : array-like of shape (examples,), optional
    optimiser : Optimiser
    alpha : float
        Strength of the penalty on the weights.
    batch_size : int
    dropout : float or tuple of float
        The share of the inputs of each hidden layer and of the output layer that a step drops;
        a tuple gives the share for the inputs of every layer, the network's inputs first.
    clip_value, clip_norm : float
        Bounds of the gradient's entries and of its length; 0 for none.
    seed : int
        Which inputs are dropped.
    standardisation : Standardisation, optional
        Of inputs and targets: then `parameters` belong to standardised ones, `network` to raw ones.
    threads : int, optional
        As many as pay, by default; the result does not depend on it.
    """

    def __init__(
        self,
        network: Network,
        X: Any,
        Y: ArrayLike,
        sample_weight: ArrayLike | None,
        optimiser: Optimiser,
        *,
        alpha: float = 0.0,
        batch_size: int = 200,
        dropout: float | tuple[float, ...] = 0.0,
        clip_value: float = 0.0,
        clip_norm: float = 0.0,
        seed: int = 0,
        standardisation: Standardisation | None = None,
        threads: int | None = None,
    ) -> None:
        sizes, dtype = network.sizes, network.dtype
        self.start = network
        self.inputs, self.columns, self.row_starts, count = _inputs(X, sizes[0], dtype)
        self.given_targets = self.targets = as_rows(Y, sizes[-1], dtype, "Y")
        self.standardisation, self.unit, units = standardisation, 1.0, (1.0, 1.0)
        self.centres = self.factors = np.empty(0, dtype)
        if standardisation is not None:
            standardisation.check(network)
            self.centres = np.asarray(standardisation.centres, dtype)
            self.factors = np.asarray(1.0 / standardisation.scales, dtype)
            scaled = standardisation.targets(self.targets)
            self.targets = as_rows(scaled, sizes[-1], dtype, "Y")
            self.unit, units = standardisation.unit(network), standardisation.units(network)
        self.weights = example_weights(sample_weight, count, self.targets)
        self.total_weight = self.weights.sum(dtype=np.float64)
        # Examples without weight change nothing but the size of the batches.
        self.rows = np.flatnonzero(self.weights)
        self.batch_size = min(batch_size, self.rows.size)
        self.parameters = aligned(network.parameters.size, dtype)
        self.gradient = aligned(self.parameters.size, dtype)
        places = (optimiser.states, self.parameters.size)
        self.state = aligned(math.prod(places), dtype).reshape(places)
        self.state[:] = 0.0
        self.statistics = network.new_statistics()
        self.begin(network)
        self.optimiser = optimiser
        self.settings = optimiser.settings
        self.scratch = np.empty(_scratch(network, optimiser), dtype)
        self.alpha = float(alpha)
        self.clip_value, self.clip_norm = float(clip_value), float(clip_norm)
        self.held = network.program, compiled_cost(network, self.targets)
        shares = _shares(dropout, len(sizes) - 1)
        is_sparse = has_sparse_batches(network, X, shares[0])
        self.tables, size = new_tables(
            network.program, self.batch_size, dtype, cost=self.held[1], seed=seed,
            statistics=self.statistics, dropout=shares, holds_inputs=not is_sparse, units=units,
        )  # fmt: skip
        if isinstance(optimiser, Muon):
            self.tables.plan[MUON_STEP] = muon_step.address(from_dtype(dtype))
        operations = _operations(network, X, self.batch_size, shares[0])
        threads = threads or _threads(operations)
        self.sparse = None
        if is_sparse:
            self.sparse = sparse_inputs(
                network, (self.inputs, self.columns, self.row_starts), standardisation,
                batch_size=self.batch_size, threads=threads,
                moves_at_once=not (clip_value or clip_norm or isinstance(optimiser, Muon)),
            )  # fmt: skip
        self.crew = Crew(
            threads, size, dtype,
            tiles=max(self.parameters.size // _TILE + 2, self.batch_size),
            learned=len(self.tables.learned),
        )  # fmt: skip
        self.steps = 0
        self.chunk = max(int(_OPERATIONS_PER_CALL / operations), 1)

    @property
    def network(self) -> Network:
        """The network with the parameters as they are now."""
        return self.made()()

    def made(self) -> Made:
        """Return what makes the network with the parameters as they are now, when it is wanted."""
        inner = self.start.with_parameters(self.parameters, self.statistics)
        return Made(inner, self.standardisation)

    def begin(self, network: Network, inner: NDArray[Any] | None = None) -> None:
        """Take the parameters and statistics of a network.

        `inner` are its parameters over standardised examples, where they are known: to compute them
        from the network's rounds. They are used where the network is indeed theirs.
        """
        self.statistics[...] = network.new_statistics()
        given, own = self.standardisation, network
        if given is not None:
            known = None
            if inner is not None and inner.shape == network.parameters.shape:
                known = network.with_parameters(np.asarray(inner, network.dtype))
            matches = known is not None and np.array_equal(
                given.folded(known).parameters, network.parameters
            )
            own = known if known is not None and matches else given.unfolded(network)
        self.parameters[...] = own.parameters

    def put(self, state: NDArray[Any], steps: int, seed: int) -> None:
        """Take the optimiser's memory, the number of steps, and which inputs are dropped."""
        self.state[...] = state
        self.steps = steps
        self.tables.plan[SEED] = seed

    def steps_of(self, order: NDArray[np.intp]) -> int:
        """Return into how many batches an order of examples falls."""
        return -(-order.size // self.batch_size)

    def epoch(self, order: NDArray[np.intp], rates: NDArray[np.float64]) -> float:
        """Train on the examples in this order, with a learning rate for each step.

        Returns the mean cost of raw targets, penalty included. Where it is not finite, the epoch
        ended there.
        """
        loss = 0.0
        set_learned(self.tables, self.parameters)
        for first in range(0, rates.size, self.chunk):
            part = order[first * self.batch_size : (first + self.chunk) * self.batch_size]
            loss += self.crew.run(
                run_batches, self.tables, self.inputs, self.columns, self.row_starts,
                self.centres, self.factors, self.targets.reshape(-1), self.weights, part,
                rates[first : first + self.chunk], self.batch_size, self.parameters, self.gradient,
                self.state, self.scratch, self.optimiser.code, self.settings, self.steps,
                self.alpha, self.clip_value, self.clip_norm, self.sparse,
            )  # fmt: skip
            self.steps += self.steps_of(part)
            if not np.isfinite(loss):
                break
        return float(loss * self.unit / self.total_weight)

    @contextmanager
    def threads(self) -> Iterator[None]:
        """End the run's threads when it is over; a further epoch has new ones."""
        try:
            yield
        finally:
            self.crew.dismiss()

    @property
    def is_finite(self) -> bool:
        """Whether all parameters are numbers."""
        return bool(np.isfinite(self.parameters).all())


@dataclass(eq=False)
class Made:
    """A network over standardised examples, and what makes that over raw ones of it."""

    over_standardised: Network
    standardisation: Standardisation | None
    folded: Network | None = None

    def __call__(self) -> Network:
        """Return the network over raw examples, always the same one."""
        if self.standardisation is None:
            return self.over_standardised
        if self.folded is None:
            self.folded = self.standardisation.folded(self.over_standardised)
        return self.folded

    @property
    def inner(self) -> NDArray[Any] | None:
        """The parameters over standardised examples, where they are not the network's own."""
        return None if self.standardisation is None else self.over_standardised.parameters


def threads_for(
    network: Network, X: Any, batch_size: int, dropout: float | tuple[float, ...] = 0.0
) -> int:
    """Return how many threads train a network on X together."""
    share = _shares(dropout, len(network.sizes) - 1)[0]
    return _threads(_operations(network, X, min(batch_size, X.shape[0]), share))


def _threads(operations: float) -> int:
    return min(available_processors(), max(int(operations / _OPERATIONS_PER_THREAD), 1))


def _operations(network: Network, X: Any, batch_size: int, dropout: float) -> float:
    """Return how many operations a step takes; `dropout` is the share of the inputs dropped."""
    if not has_sparse_batches(network, X, dropout):
        return 6.0 * network.parameters.size * batch_size
    count, width = network.sizes[:2]
    others = network.parameters.size - count * width
    entries = most_entries(X.tocsr().indptr, batch_size)
    return 6.0 * others * batch_size + (6.0 * entries + _OPERATIONS_PER_STEP * count) * width


def _inputs(
    X: Any, width: int, dtype: np.dtype[Any]
) -> tuple[NDArray[Any], NDArray[np.int64], NDArray[np.int64], int]:
    """Return the inputs as a flat vector; of a sparse matrix its columns and rows' starts too."""
    nothing = np.empty(0, np.int64)
    if not hasattr(X, "tocsr"):
        rows = as_rows(X, width, dtype, "X")
        return rows.reshape(-1), nothing, nothing, len(rows)
    sparse = X.tocsr()
    if sparse.shape[1] != width:
        raise NetworkError(f"X must have shape (examples, {width}), got {sparse.shape}")
    values = np.ascontiguousarray(sparse.data, dtype).view()
    values.flags.writeable = False
    starts, columns = sparse.indptr.astype(np.int64), sparse.indices.astype(np.int64)
    return values, columns, starts, sparse.shape[0]


def _shares(dropout: float | tuple[float, ...], layers: int) -> tuple[float, ...]:
    shares = dropout if isinstance(dropout, tuple) else (0.0, *[float(dropout)] * (layers - 1))
    if len(shares) != layers or not all(0.0 <= share < 1.0 for share in shares):
        raise NetworkError(
            f"dropout must be a share of at least 0 and below 1, or {layers} of them, one for the "
            f"inputs of each layer; got {dropout!r}"
        )
    return shares


def _scratch(network: Network, optimiser: Optimiser) -> int:
    if not isinstance(optimiser, Muon):
        return 0
    hidden = zip(network.sizes[:-2], network.sizes[1:-1], strict=True)
    return max((muon_scratch(count, width) for count, width in hidden), default=0)
