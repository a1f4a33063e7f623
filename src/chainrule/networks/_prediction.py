"""Prediction: what a network keeps ready to propagate rows without delay."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.kernels import CostKernels, available_processors
from chainrule.networks._program import Program, new_tables
from chainrule.networks.compiled import run_rows, set_learned
from chainrule.networks.compiled.tables import WIDTH, A, Tables, Z, header_of
from chainrule.networks.training._crew import Crew

BLOCK = 256  # rows propagated together: few enough for the cache
_ROWS_PER_THREAD = 8 * BLOCK
_OPERATIONS_PER_THREAD = 2e7


class Predictor:
    """A workspace for one thread, with tables and parameters, found by one address.

    Parameters
    ----------
    compiled : Program
    parameters, statistics : ndarray
        The parameters are kept, not copied.
    rows : int
        At most so many rows are propagated together.
    cost : CostKernels, optional
    to_inputs : bool
        Whether there is to be room for the gradient to the inputs.
    units : tuple of float
        As in `new_tables`.
    """

    def __init__(
        self,
        compiled: Program,
        parameters: NDArray[np.floating[Any]],
        statistics: NDArray[np.floating[Any]],
        rows: int,
        *,
        cost: CostKernels | None = None,
        to_inputs: bool = False,
        units: tuple[float, float] = (1.0, 1.0),
    ) -> None:
        dtype = parameters.dtype
        self.tables, size = new_tables(
            compiled, rows, dtype, cost=cost, statistics=statistics, to_inputs=to_inputs,
            units=units,
        )  # fmt: skip
        tables: Tables = self.tables
        self.crew = Crew(1, size, dtype, tiles=rows, learned=len(tables.learned))
        set_learned(tables, parameters)
        self.parameters = parameters
        self.rows = rows
        self.space = self.crew.spaces[0]
        self.header = header_of(tables, self.space, parameters)
        self.address = self.header.ctypes.data
        self.kind = dtype.type(0.0)

    def run(self, inputs: NDArray[Any], outputs: NDArray[Any]) -> None:
        """Fill the outputs of contiguous rows."""
        run_rows(self.address, id(inputs), id(outputs), self.rows, self.kind)

    def kept(self, layer: int, place: int, rows: int) -> NDArray[Any]:
        """Return what the last block of rows left of a layer: at place Z or A, as a view."""
        own = self.tables.layers[layer]
        size = rows * own[WIDTH]
        values: NDArray[Any] = self.space.work[own[place] : own[place] + size]
        return values.reshape(rows, -1)


class Predictors:
    """The predictors of one network: as many as threads use it at once."""

    def __init__(
        self,
        compiled: Program,
        parameters: NDArray[np.floating[Any]],
        statistics: NDArray[np.floating[Any]],
    ) -> None:
        self.made_of = compiled, parameters, statistics
        self.free: list[Predictor] = []

    def take(
        self, parameters: NDArray[np.floating[Any]], statistics: NDArray[np.floating[Any]]
    ) -> None:
        """Propagate with other parameters from now on, while nobody propagates."""
        _, own, kept = self.made_of
        own[...], kept[...] = parameters, statistics
        for predictor in self.free:
            set_learned(predictor.tables, own)

    def run(
        self,
        inputs: NDArray[Any],
        outputs: NDArray[Any],
        pre_activations: NDArray[Any] | None = None,
    ) -> None:
        """Fill the outputs of contiguous rows, on several threads where they are many.

        Where it is given, the pre-activations of the output layer are filled as well.
        """
        rows = len(inputs)
        if rows <= BLOCK and pre_activations is None:
            predictor = self._taken(rows)
            predictor.run(inputs, outputs)
            self.free.append(predictor)
            return
        operations = rows * self.made_of[1].size
        most = min(rows // _ROWS_PER_THREAD, operations // _OPERATIONS_PER_THREAD)
        threads = min(available_processors(), int(most)) if most > 1 else 1
        if threads < 2:
            self._run_alone(inputs, outputs, pre_activations)
            return
        ends = np.linspace(0, rows, threads + 1).astype(int)
        arrays = inputs, outputs, pre_activations
        parts = [
            [None if array is None else array[low:high] for low, high in pairwise(ends)]
            for array in arrays
        ]
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(self._run_alone, *parts))

    def layers(self, inputs: NDArray[Any]) -> Iterator[list[tuple[NDArray[Any], NDArray[Any]]]]:
        """Yield Z and A of every layer for a block of rows after the other.

        They are views: the next block takes their place.
        """
        predictor = self._taken(len(inputs))
        last = len(predictor.tables.layers) - 1
        for start in range(0, len(inputs), predictor.rows):
            part = inputs[start : start + predictor.rows]
            outputs = predictor.kept(last, A, len(part))
            predictor.run(part, outputs)
            yield [
                (predictor.kept(layer, Z, len(part)), predictor.kept(layer, A, len(part)))
                for layer in range(last + 1)
            ]
        self.free.append(predictor)

    def _run_alone(self, inputs: Any, outputs: Any, pre_activations: Any) -> None:
        predictor = self._taken(inputs.shape[0])
        if pre_activations is None:
            predictor.run(inputs, outputs)
        else:
            for start in range(0, len(inputs), predictor.rows):
                part = slice(start, start + predictor.rows)
                predictor.run(inputs[part], outputs[part])
                pre_activations[part] = predictor.kept(-1, Z, len(inputs[part]))
        self.free.append(predictor)

    def _taken(self, rows: int) -> Predictor:
        """Return a predictor that nobody else uses, for blocks large enough."""
        try:
            predictor = self.free.pop()
        except IndexError:
            return Predictor(*self.made_of, min(max(rows, 1), BLOCK))
        if predictor.rows < rows and predictor.rows < BLOCK:
            return Predictor(*self.made_of, BLOCK)
        return predictor
