"""Prediction: what a network keeps ready to propagate rows without delay."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.kernels import CostKernels, available_processors
from chainrule.networks._crew import Crew
from chainrule.networks._program import Program, new_tables
from chainrule.networks.compiled import run_rows, set_learned
from chainrule.networks.compiled.tables import Tables, header_of

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
    ) -> None:
        dtype = parameters.dtype
        self.tables, size = new_tables(
            compiled, rows, dtype, cost=cost, statistics=statistics, to_inputs=to_inputs
        )
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

    def run(self, inputs: NDArray[Any], outputs: NDArray[Any]) -> None:
        """Fill the outputs of contiguous rows, on several threads where they are many."""
        rows = inputs.shape[0]
        operations = rows * self.made_of[1].size
        if rows < 2 * _ROWS_PER_THREAD or operations < 2 * _OPERATIONS_PER_THREAD:
            self._run_alone(inputs, outputs)
            return
        threads = min(
            available_processors(), rows // _ROWS_PER_THREAD, operations // _OPERATIONS_PER_THREAD
        )
        ends = np.linspace(0, rows, threads + 1).astype(int)
        parts = [(inputs[low:high], outputs[low:high]) for low, high in pairwise(ends)]
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(self._run_alone, *zip(*parts, strict=True)))

    def _run_alone(self, inputs: NDArray[Any], outputs: NDArray[Any]) -> None:
        rows = inputs.shape[0]
        try:
            predictor = self.free.pop()
        except IndexError:
            predictor = Predictor(*self.made_of, min(max(rows, 1), BLOCK))
        if predictor.rows < rows and predictor.rows < BLOCK:
            predictor = Predictor(*self.made_of, BLOCK)
        predictor.run(inputs, outputs)
        self.free.append(predictor)
