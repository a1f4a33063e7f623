"""Pre-activations normalised over the batch or the layer, and the way back through that.

Most networks have none: what is here is called by address, and compiled for those that do.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from chainrule.kernels._call import call_kernel
from chainrule.kernels.compiling._parts import inner
from chainrule.kernels.running._addressed import Addressed
from chainrule.networks.compiled._loops import (
    add_product,
    multiply,
    sum_of,
    sum_of_products,
    sum_rows,
)
from chainrule.networks.compiled._strips import turn_matrix
from chainrule.networks.compiled._team import meet, take
from chainrule.networks.compiled._tiles import COLUMNS, rows_at_once, tiles_of
from chainrule.networks.compiled.tables import (
    ACROSS,
    BIASES,
    NO_NORMALISATION,
    NORM,
    NORM_BACKWARD,
    NORM_BACKWARD_VALUES,
    NORM_VALUES,
    NORMALISATION,
    NORMALISED,
    OVER_BATCH,
    OVER_LAYER,
    PRODUCT,
    SCALES,
    STATISTICS,
    TO_A,
    TO_PRODUCT,
    TO_Z,
    TURNED,
    WIDTH,
    kinds_of,
)

_KEEP_STATISTICS = 0.9
_EPSILON = 1e-5  # added to a variance before its root


def _normalise_columns(
    space: Any, tables: Any, layer: int, rows: int, column: int, wide: int
) -> None:
    """Normalise some columns over the batch: as rows of the turned matrix."""
    own, work, plan = tables.layers[layer], space.work, tables.plan
    width, item, data = own[WIDTH], work.itemsize, work.ctypes.data
    kind = work.dtype.type(0.0)
    source = data + (own[PRODUCT] + column) * item
    turned = data + (own[TURNED] + column * rows) * item
    across = data + (plan[ACROSS] + column * rows) * item
    turn_matrix(kind, item, source, width * item, turned, rows * item, rows, wide)
    call_kernel(plan[NORM], turned, turned, across, wide, rows, plan[NORM_VALUES])
    normalised = data + (own[NORMALISED] + column) * item
    turn_matrix(kind, item, across, rows * item, normalised, width * item, wide, rows)
    for j in range(column, column + wide):
        values = work[own[TURNED] + j * rows : own[TURNED] + (j + 1) * rows]
        mean = sum_of(values) / rows
        spread = (sum_of_products(values, values) - rows * mean * mean) / max(rows - 1, 1)
        place = own[STATISTICS]
        _move_towards(tables.statistics, place + j, mean)
        _move_towards(tables.statistics, place + width + j, max(spread, 0.0))


@inner()
def _move_towards(statistics: Any, place: int, value: Any) -> None:
    kept = _KEEP_STATISTICS * statistics[place] + (1.0 - _KEEP_STATISTICS) * value
    statistics[place] = statistics.dtype.type(kept)


@inner()
def _variance(tables: Any, layer: int, unit: int) -> Any:
    own, statistics = tables.layers[layer], tables.statistics
    place = own[STATISTICS] + own[WIDTH] + unit
    return statistics[place] + statistics.dtype.type(_EPSILON)


def _normalise_by_statistics(space: Any, tables: Any, layer: int, first: int, last: int) -> None:
    own, work, statistics = tables.layers[layer], space.work, tables.statistics
    width, means = own[WIDTH], own[STATISTICS]
    for row in range(first, last):
        for j in range(width):
            root = np.sqrt(_variance(tables, layer, j))
            place = row * width + j
            above = work[own[PRODUCT] + place] - statistics[means + j]
            work[own[NORMALISED] + place] = above / root


@inner()
def sum_columns(
    space: Any, tables: Any, gradient: Any, layer: int, rows: int, column: int, wide: int
) -> None:
    """Fill the gradient of some biases, and of the scales that go with them."""
    own, work = tables.layers[layer], space.work
    width, to_z = own[WIDTH], tables.plan[TO_Z] + column
    shifts = gradient[own[BIASES] + column : own[BIASES] + column + wide]
    sum_rows(work[to_z : to_z + rows * width], width, shifts)
    if own[NORMALISATION] == NO_NORMALISATION:
        return
    scales = gradient[own[SCALES] + column : own[SCALES] + column + wide]
    scales[:] = 0.0
    for row in range(rows):
        start = row * width
        from_below = own[NORMALISED] + column + start
        add_product(
            work[to_z + start : to_z + start + wide], work[from_below : from_below + wide], scales
        )


@inner(error_model="numpy")
def _through_scales(
    space: Any, tables: Any, parameters: Any, layer: int, first: int, last: int, training: bool
) -> None:
    """Turn some rows of the gradient to Z into that to the product, or to its normalised form."""
    own, work, plan = tables.layers[layer], space.work, tables.plan
    width, item, data = own[WIDTH], work.itemsize, work.ctypes.data
    scales = parameters[own[SCALES] : own[SCALES] + width]
    for row in range(first, last):
        start = row * width
        to_normalised = plan[TO_A] + start
        multiply(
            work[plan[TO_Z] + start : plan[TO_Z] + start + width], scales,
            work[to_normalised : to_normalised + width],
        )  # fmt: skip
    if own[NORMALISATION] == OVER_LAYER:
        place = first * width
        call_kernel(
            plan[NORM_BACKWARD],
            data + (plan[TO_A] + place) * item,
            data + (own[PRODUCT] + place) * item,
            data + (plan[TO_PRODUCT] + place) * item,
            last - first,
            width,
            plan[NORM_BACKWARD_VALUES],
        )
    elif not training:
        for row in range(first, last):
            for j in range(width):
                root = np.sqrt(_variance(tables, layer, j))
                place = row * width + j
                work[plan[TO_PRODUCT] + place] = work[plan[TO_A] + place] / root


@inner()
def _through_columns(
    space: Any, tables: Any, layer: int, rows: int, column: int, wide: int
) -> None:
    """Turn some columns of the gradient to the normalised product into that to the product."""
    own, work, plan = tables.layers[layer], space.work, tables.plan
    width, item, data = own[WIDTH], work.itemsize, work.ctypes.data
    kind = work.dtype.type(0.0)
    across = data + (plan[ACROSS] + column * rows) * item
    turned = data + (own[TURNED] + column * rows) * item
    source = data + (plan[TO_A] + column) * item
    turn_matrix(kind, item, source, width * item, across, rows * item, rows, wide)
    result = across + width * rows * item
    call_kernel(plan[NORM_BACKWARD], across, turned, result, wide, rows, plan[NORM_BACKWARD_VALUES])
    destination = data + (plan[TO_PRODUCT] + column) * item
    turn_matrix(kind, item, result, rows * item, destination, width * item, wide, rows)


def _through_normalisation(
    space: Any, tables: Any, parameters: Any, gradient: Any, layer: int, rows: int, training: bool
) -> None:
    """Fill the gradient to the product of a normalised layer, and to its scales and shifts."""
    own, team = tables.layers[layer], space.team
    width = own[WIDTH]
    high, sums = rows_at_once(width), tiles_of(width, COLUMNS)
    tile = take(team)
    while tile < sums + tiles_of(rows, high):
        if tile < sums:
            column = tile * COLUMNS
            wide = min(COLUMNS, width - column)
            sum_columns(space, tables, gradient, layer, rows, column, wide)
        else:
            first = (tile - sums) * high
            last = min(first + high, rows)
            _through_scales(space, tables, parameters, layer, first, last, training)
        tile = take(team)
    meet(team)
    if own[NORMALISATION] == OVER_BATCH and training:
        tile = take(team)
        while tile < sums:
            column = tile * COLUMNS
            wide = min(COLUMNS, width - column)
            _through_columns(space, tables, layer, rows, column, wide)
            tile = take(team)
        meet(team)


def _kinds_of_columns(element: Any) -> tuple[Any, ...]:
    space, tables, _ = kinds_of(element)
    return space, tables, *[types.int64] * 4


def _kinds_of_rows(element: Any) -> tuple[Any, ...]:
    space, tables, _ = kinds_of(element)
    return space, tables, *[types.int64] * 3


def _kinds_of_way_back(element: Any) -> tuple[Any, ...]:
    space, tables, vector = kinds_of(element)
    return space, tables, vector, vector, types.int64, types.int64, types.boolean


normalise_columns = Addressed(_normalise_columns, _kinds_of_columns)
normalise_by_statistics = Addressed(_normalise_by_statistics, _kinds_of_rows)
through_normalisation = Addressed(_through_normalisation, _kinds_of_way_back)
