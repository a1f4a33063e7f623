"""What the compiled loops know of a network, as tables of whole numbers.

Parameters and their gradient are flat vectors: the weights of all layers, each (inputs, outputs) in
C order; the biases of all layers; the scales of the normalised layers; the learned parameters of
activations. What is computed for a batch lies in one more vector, the workspace. The tables hold
places in these vectors, and addresses of kernels and of the values that they read.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import types
from numpy.typing import NDArray

NO_NORMALISATION, OVER_LAYER, OVER_BATCH = range(3)
ABSENT = -1

# Columns of the table of layers.
(
    COUNT, WIDTH, WEIGHTS, BIASES, SCALES, NORMALISATION, STATISTICS,
    PRODUCT, TURNED, NORMALISED, Z, A,
    FORWARD, FORWARD_VALUES, BACKWARD, BACKWARD_VALUES,
    LEARNED_FROM, LEARNED_TO,
) = range(18)  # fmt: skip
LAYER_COLUMNS = 18

# Columns of the table of learned parameters: where it lies in the vector of parameters, and the
# kernel of the activation's derivative with respect to it; after those of all layers, of the
# cost's derivative with respect to those of the output activation.
PLACE, SLOPE, SLOPE_VALUES = range(3)
LEARNED_COLUMNS = 3

# The plan of a run: places in the workspace, of which NOTHING is a row of zeros; then addresses of
# kernels and of their values; then, as the bits of float64, what outputs and targets are multiplied
# by before the cost, and what it is divided by. After these stand how many blocks of which width
# lie side by side.
(
    INPUTS, TARGETS, WEIGHTS_OF_EXAMPLES, COSTS, TO_Z, TO_A, TO_PRODUCT, ACROSS, TO_INPUTS,
    COST, COST_VALUES,
    NORM, NORM_VALUES, NORM_BACKWARD, NORM_BACKWARD_VALUES,
    DECAYED, SEED, NOTHING, PRODUCT_KERNEL,
    NORMALISE_COLUMNS, NORMALISE_BY_STATISTICS, THROUGH_NORMALISATION, MUON_STEP,
    LARGER, DIVISOR,
) = range(25)  # fmt: skip
PLAN_SIZE = 25


class Tables(NamedTuple):
    """The tables of a network.

    Parameters
    ----------
    plan : ndarray of int64, shape (PLAN_SIZE + 2*runs of like blocks,)
    layers : ndarray of int64, shape (layers, LAYER_COLUMNS)
    learned : ndarray of int64, shape (learned parameters, LEARNED_COLUMNS)
    values : ndarray of float64
        What the kernels of layers with learned parameters read.
    copies : ndarray of int64, shape (copies, 2)
        Which of the values is a copy of which parameter.
    statistics : ndarray of float32 or float64
        Running means and variances of each layer normalised over the batch.
    dropout : ndarray of float64, shape (layers,)
        The share of each layer's inputs that training sets to zero.
    """

    plan: Any
    layers: Any
    learned: Any
    values: Any
    copies: Any
    statistics: Any
    dropout: Any


class Sparse(NamedTuple):
    """Wide sparse inputs, and what a batch of them needs beside the workspace.

    Parameters
    ----------
    values : ndarray of float32 or float64
        The entries, row by row, each divided by the scale of its column.
    columns, starts : ndarray of int64
        The entries' columns, and where each row begins.
    shifts : ndarray
        The columns' centres divided by their scales; empty where none is shifted.
    bits : int
        The weights of ``2**bits`` inputs are a tile.
    moves_at_once : int
        1 where the gradient to the weights is filled, tile by tile, as the step is taken.
    examples : ndarray of int64
        Which rows are those of the batch.
    entries, rows : ndarray of int64
        The batch's entries in the order of the tiles, and their rows in it.
    bounds : ndarray of int64
        Where the entries of each tile begin.
    origin, total : ndarray of shape (first layer's units,)
        What is added to the products of every row; the sum of the gradients to them.
    shifted : ndarray of float64
        For each tile the sums of its weights times the shifts of their inputs.
    gradients : ndarray
        The gradient to a tile of weights, for each thread.
    """

    values: Any
    columns: Any
    starts: Any
    shifts: Any
    bits: int
    moves_at_once: int
    examples: Any
    entries: Any
    rows: Any
    bounds: Any
    origin: Any
    total: Any
    shifted: Any
    gradients: Any


class Workspace(NamedTuple):
    """What one thread needs beside the tables.

    Parameters
    ----------
    team : int
        Address of the team's shared words.
    thread : int
        The number of this thread.
    work : ndarray of float32 or float64
        The workspace, shared.
    sums : ndarray of float64
        Sums over tiles, shared.
    panel : int
        Address of this thread's room for a panel of a product.
    """

    team: int
    thread: int
    work: Any
    sums: Any
    panel: int


def kinds_of(element: Any) -> tuple[Any, Any, Any]:
    """Return Numba's types of a workspace, of tables, and of a vector, for elements of a type."""
    words, numbers = (
        [types.Array(kind, count, "C") for count in (1, 2)] for kind in (types.int64, types.float64)
    )
    vector = types.Array(element, 1, "C")
    space = (types.int64, types.int64, vector, numbers[1], types.int64)
    tables = (*words, words[1], numbers[0], words[1], vector, numbers[0])
    return types.NamedTuple(space, Workspace), types.NamedTuple(tables, Tables), vector


def header_of(tables: Tables, space: Workspace, parameters: NDArray[Any]) -> NDArray[np.int64]:
    """Return addresses and lengths of all that propagation needs, to be found by one address."""
    arrays = [
        tables.plan, tables.layers, tables.learned, tables.values, tables.copies,
        tables.statistics, tables.dropout, space.work, space.sums, parameters,
    ]  # fmt: skip
    words = [word for array in arrays for word in (array.ctypes.data, array.shape[0])]
    return np.array([*words, space.sums.shape[1], space.team, space.panel], np.int64)
