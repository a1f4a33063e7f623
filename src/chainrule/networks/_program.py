"""The native kernels of a network, and the tables by which the compiled loops find them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import Any

import numpy as np
from numba import from_dtype
from numpy.typing import NDArray

from chainrule.catalogue import activation_formula
from chainrule.formulas import Formula
from chainrule.kernels import (
    ActivationKernels,
    CostKernels,
    Kernel,
    activation_kernels,
    cost_kernels,
)
from chainrule.networks._layout import Layout, layout
from chainrule.networks._learned import slope_formulas
from chainrule.networks._learned_output import check_learned_output
from chainrule.networks.compiled import (
    normalise_by_statistics,
    normalise_columns,
    product_kernel,
    through_normalisation,
)
from chainrule.networks.compiled import tables as columns


@dataclass(frozen=True, eq=False)
class Program:
    """The kernels of a network.

    Parameters
    ----------
    activations : tuple of ActivationKernels
        One pair for each layer.
    slopes : tuple of tuple of Kernel
        For each layer, the activation's derivatives with respect to its learned parameters; for
        the output layer none, since the cost's stand in their place.
    normalisation : ActivationKernels or None
        Layer normalisation, where any layer is normalised.
    blocks : tuple of int
        How many units each block of the output layer has.
    """

    sizes: tuple[int, ...]
    formulas: tuple[Formula, ...]
    normalisations: tuple[str, ...]
    learned: tuple[tuple[str, ...], ...]
    places: Layout
    activations: tuple[ActivationKernels, ...]
    slopes: tuple[tuple[tuple[Formula, Kernel], ...], ...]
    normalisation: ActivationKernels | None
    blocks: tuple[int, ...]


@lru_cache(maxsize=256)
def program(
    sizes: tuple[int, ...],
    activations: tuple[Formula, ...],
    dtype: str,
    normalisations: tuple[str, ...],
    learned: tuple[tuple[str, ...], ...],
    blocks: tuple[int, ...],
) -> Program:
    """Compile the kernels of a network."""
    slopes = tuple(
        tuple(
            (slope, activation_kernels(slope, dtype, for_other_values=True).forward)
            for slope in slope_formulas(formula, names, dtype)
        )
        for formula, names in zip(activations[:-1], learned[:-1], strict=True)
    )
    return Program(
        sizes,
        activations,
        normalisations,
        learned,
        layout(sizes, normalisations, learned),
        tuple(
            activation_kernels(formula, dtype, for_other_values=bool(names))
            for formula, names in zip(activations, learned, strict=True)
        ),
        (*slopes, ()),
        activation_kernels(activation_formula("layer_norm"), dtype)
        if any(normalisations)
        else None,
        blocks,
    )


@lru_cache(maxsize=256)
def cost_program(
    activation: Formula, cost: Formula, dtype: str, assume: bool, learned: tuple[str, ...]
) -> CostKernels:
    """Compile a cost, composed with the activation of the output layer.

    `assume` tells whether the targets satisfy what the short form of the gradient needs.
    """
    check_learned_output(activation, cost, dtype, learned, assume=assume)
    return cost_kernels(activation, cost, np.dtype(dtype), assume=assume, learned=learned)


def evaluate(formula: Formula, z: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """Apply an activation to a contiguous array of shape (examples, units)."""
    result = np.empty_like(z)
    activation_kernels(formula, z.dtype).forward.over_rows(z, z, result)
    return result


def new_tables(
    compiled: Program,
    rows: int,
    dtype: np.dtype[Any],
    *,
    cost: CostKernels | None = None,
    statistics: NDArray[np.floating[Any]],
    dropout: tuple[float, ...] = (),
    seed: int = 0,
    to_inputs: bool = False,
    holds_inputs: bool = True,
    units: tuple[float, float] = (1.0, 1.0),
) -> tuple[columns.Tables, int]:
    """Return the tables for batches of so many rows, and the size of their workspace.

    The tables hold addresses of the kernels' values: they live as long as the program.

    Parameters
    ----------
    compiled : Program
        The kernels.
    rows : int
        The largest batch.
    dtype : dtype
        float32 or float64.
    cost : CostKernels, optional
        Needed for training only.
    statistics : ndarray
        Of layers normalised over the batch; training changes them.
    dropout : tuple of float
        The share of the inputs of each layer that training drops; empty for none.
    seed : int
        Which inputs are dropped.
    to_inputs : bool
        Whether there is to be room for the gradient to the inputs.
    holds_inputs : bool
        Whether there is to be room for the inputs of a batch.
    units : tuple of float
        What outputs and targets are multiplied by before the cost, and what it is divided by.
    """
    sizes, places = compiled.sizes, compiled.places
    widest, layers = max(sizes[1:]), len(sizes) - 1
    room = _Room(64 // dtype.itemsize)
    runs = [(len(list(alike)), width) for width, alike in groupby(compiled.blocks)]
    plan = np.full(columns.PLAN_SIZE + 2 * len(runs), columns.ABSENT, np.int64)
    plan[columns.PLAN_SIZE :] = np.ravel(runs)
    plan[columns.LARGER : columns.DIVISOR + 1] = np.array(units, np.float64).view(np.int64)
    plan[columns.NOTHING] = room.take(max(sizes))
    plan[columns.INPUTS] = room.take(rows * sizes[0] if holds_inputs else 0)
    plan[columns.TARGETS] = room.take(rows * sizes[-1])
    plan[columns.WEIGHTS_OF_EXAMPLES] = room.take(rows)
    plan[columns.COSTS] = room.take(rows * len(compiled.blocks))
    plan[columns.TO_Z], plan[columns.TO_A] = room.take(rows * widest), room.take(rows * widest)
    if to_inputs:
        plan[columns.TO_INPUTS] = room.take(rows * sizes[0])
    if any(compiled.normalisations):
        plan[columns.TO_PRODUCT] = room.take(rows * widest)
        plan[columns.ACROSS] = room.take(2 * rows * widest)
    plan[columns.PRODUCT_KERNEL] = product_kernel(dtype.itemsize).address
    _set_kernels(plan, compiled, cost)
    _set_normalisation(plan, compiled, dtype, goes_back=to_inputs or cost is not None)
    plan[columns.DECAYED], plan[columns.SEED] = places.decayed, seed
    table = np.full((layers, columns.LAYER_COLUMNS), columns.ABSENT, np.int64)
    values, copies, learned = _values(compiled, cost)
    if cost is not None and compiled.learned[-1]:
        plan[columns.COST_VALUES] = values.ctypes.data + 8 * copies.starts[-1]
    kinds = {"": columns.NO_NORMALISATION, "layer": columns.OVER_LAYER, "batch": columns.OVER_BATCH}
    index = 0
    for layer, (own, normalised) in enumerate(zip(table, compiled.normalisations, strict=True)):
        count, width = sizes[layer], sizes[layer + 1]
        own[columns.COUNT], own[columns.WIDTH] = count, width
        own[columns.WEIGHTS], own[columns.BIASES] = places.weights[layer], places.biases[layer]
        own[columns.NORMALISATION] = kinds[normalised]
        own[columns.Z], own[columns.A] = room.take(rows * width), room.take(rows * width)
        own[columns.PRODUCT] = own[columns.Z]
        if normalised:
            own[columns.SCALES] = places.scales[layer] or 0
            own[columns.PRODUCT] = room.take(rows * width)
            own[columns.NORMALISED] = room.take(rows * width)
        if normalised == "batch":
            own[columns.STATISTICS] = places.statistics[layer] or 0
            own[columns.TURNED] = room.take(rows * width)
        pair = compiled.activations[layer]
        shared = values.ctypes.data + 8 * copies.starts[layer]
        has_learned = bool(compiled.learned[layer])
        kernels = [(columns.FORWARD, pair.forward)]
        # The cost's own gradient is that to the pre-activations of the output layer.
        if to_inputs or (cost is not None and layer < layers - 1):
            kernels.append((columns.BACKWARD, pair.backward))
        for first, kernel in kernels:
            own[first] = kernel.address
            own[first + 1] = shared if has_learned else kernel.parameters.ctypes.data
        own[columns.LEARNED_FROM] = index
        index += len(compiled.slopes[layer])
        own[columns.LEARNED_TO] = index
    tables = columns.Tables(
        plan, table, learned, values, copies.pairs, statistics,
        np.array(dropout or (0.0,) * layers, np.float64),
    )  # fmt: skip
    return tables, room.size


class _Room:
    """Hands out places in the workspace, each at the start of a cache line."""

    def __init__(self, line: int) -> None:
        self.line = line
        self.size = 0

    def take(self, count: int) -> int:
        place = self.size
        self.size += -(-count // self.line) * self.line
        return place


@dataclass(frozen=True, eq=False)
class _Copies:
    """Which of the kernels' values are copies of parameters, and where each layer's begin."""

    starts: tuple[int, ...]
    pairs: NDArray[np.int64]


def _values(
    compiled: Program, cost: CostKernels | None
) -> tuple[NDArray[np.float64], _Copies, NDArray[np.int64]]:
    """Return what kernels of learned activations read, and the table of learned parameters.

    Behind the values of the output activation stand those of the cost, as its kernels read them.
    """
    found: list[float] = []
    pairs: list[tuple[int, int]] = []
    starts: list[int] = []
    slopes: list[tuple[int, int, int]] = []  # place, address of the kernel, start of its values

    def lay_down(formula: Formula, places: dict[str, int]) -> int:
        start = len(found)
        for name, value in formula.parameters:
            if name in places:
                pairs.append((len(found), places[name]))
            found.append(value)
        return start

    for formula, names, places, derived in _layers_of(compiled):
        by_name = dict(zip(names, places, strict=True))
        starts.append(lay_down(formula, by_name))
        # Of the output activation none are derived alone.
        for place, (slope, kernel) in zip(places, derived, strict=False):
            slopes.append((place, kernel.address, lay_down(slope, by_name)))
    if cost is not None and compiled.learned[-1]:
        lay_down(cost.cost, {})
        for place, kernel in zip(compiled.places.learned[-1], cost.slopes, strict=True):
            slopes.append((place, kernel.address, starts[-1]))
    values = np.array(found, np.float64)
    learned = np.zeros((len(slopes), columns.LEARNED_COLUMNS), np.int64)
    for row, (place, address, start) in zip(learned, slopes, strict=True):
        row[columns.PLACE], row[columns.SLOPE] = place, address
        row[columns.SLOPE_VALUES] = values.ctypes.data + 8 * start
    table = np.array(pairs, np.int64).reshape(-1, 2)
    return values, _Copies(tuple(starts), table), learned


def _layers_of(
    compiled: Program,
) -> Iterator[tuple[Formula, tuple[str, ...], tuple[int, ...], tuple[tuple[Formula, Kernel], ...]]]:
    return zip(
        compiled.formulas, compiled.learned, compiled.places.learned, compiled.slopes, strict=True
    )


def _set_kernels(plan: NDArray[np.int64], compiled: Program, cost: CostKernels | None) -> None:
    pairs: list[tuple[int, Kernel]] = []
    if cost is not None:
        pairs.append((columns.COST, cost.value_and_gradient))
    if compiled.normalisation is not None:
        own = compiled.normalisation
        pairs += [(columns.NORM, own.forward), (columns.NORM_BACKWARD, own.backward)]
    for first, kernel in pairs:
        plan[first], plan[first + 1] = kernel.address, kernel.parameters.ctypes.data


def _set_normalisation(
    plan: NDArray[np.int64], compiled: Program, dtype: np.dtype[Any], *, goes_back: bool
) -> None:
    parts = []
    if "batch" in compiled.normalisations:
        parts.append((columns.NORMALISE_BY_STATISTICS, normalise_by_statistics))
        if goes_back:
            parts.append((columns.NORMALISE_COLUMNS, normalise_columns))
    if any(compiled.normalisations) and goes_back:
        parts.append((columns.THROUGH_NORMALISATION, through_normalisation))
    for place, part in parts:
        plan[place] = part.address(from_dtype(dtype))
