"""Forward and backward propagation through all layers, by a team of threads."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.kernels._call import call_kernel
from chainrule.kernels._parts import inner
from chainrule.networks.compiled._blocks import call_over_blocks
from chainrule.networks.compiled._loops import (
    add_product,
    drop,
    mixed,
    multiply,
    scale_and_shift,
    sum_of,
    sum_of_products,
    sum_rows,
)
from chainrule.networks.compiled._products import product, product_tiles, turn_matrix
from chainrule.networks.compiled._team import meet, take
from chainrule.networks.compiled.tables import (
    ACROSS,
    BACKWARD,
    BACKWARD_VALUES,
    BIASES,
    COUNT,
    FORWARD,
    FORWARD_VALUES,
    LEARNED_FROM,
    LEARNED_TO,
    NO_NORMALISATION,
    NORM,
    NORM_BACKWARD,
    NORM_BACKWARD_VALUES,
    NORM_VALUES,
    NORMALISATION,
    NORMALISED,
    NOTHING,
    OVER_BATCH,
    OVER_LAYER,
    PLACE,
    PRODUCT,
    PRODUCT_KERNEL,
    SCALES,
    SEED,
    SLOPE,
    SLOPE_VALUES,
    STATISTICS,
    TO_A,
    TO_INPUTS,
    TO_PRODUCT,
    TO_Z,
    TURNED,
    WEIGHTS,
    WIDTH,
    A,
    Z,
)

_TILE = 8192  # elements that a thread takes at once
_COLUMNS = 64  # columns likewise, where sums run over the rows
_KEEP_STATISTICS = 0.9
EPSILON = 1e-5  # added to a variance before its root


@inner()
def rows_at_once(width: int) -> int:
    """Return how many rows of a matrix make a tile."""
    return max(_TILE // width, 1)


@inner()
def tiles_of(count: int, size: int) -> int:
    """Return how many tiles of a size cover a count."""
    return (count + size - 1) // size


@inner()
def dropout_key(plan: Any, layer: int, number: int) -> Any:
    """Return what tells one layer and step from all others, for dropout."""
    seed = mixed(np.uint64(plan[SEED]))
    return mixed(seed + np.uint64(number) * np.uint64(65536) + np.uint64(layer))


@inner()
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
    return statistics[place] + statistics.dtype.type(EPSILON)


@inner(error_model="numpy")
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
def _activate_rows(
    space: Any, tables: Any, parameters: Any, layer: int, first: int, last: int, training: bool,
    number: int, out: int,
) -> None:  # fmt: skip
    """Normalise, scale and shift, activate and drop out some rows of a layer."""
    own, work, plan = tables.layers[layer], space.work, tables.plan
    width, item, data = own[WIDTH], work.itemsize, work.ctypes.data
    place, rows = first * width, last - first
    if own[NORMALISATION] == OVER_LAYER:
        source = data + (own[PRODUCT] + place) * item
        normalised = data + (own[NORMALISED] + place) * item
        call_kernel(plan[NORM], source, source, normalised, rows, width, plan[NORM_VALUES])
    elif own[NORMALISATION] == OVER_BATCH and not training:
        _normalise_by_statistics(space, tables, layer, first, last)
    if own[NORMALISATION] != NO_NORMALISATION:
        scales = parameters[own[SCALES] : own[SCALES] + width]
        shifts = parameters[own[BIASES] : own[BIASES] + width]
        for row in range(first, last):
            start = row * width
            scale_and_shift(
                work[own[NORMALISED] + start : own[NORMALISED] + start + width], scales, shifts,
                work[own[Z] + start : own[Z] + start + width],
            )  # fmt: skip
    if out != 0:
        z = data + (own[Z] + place) * item
        a = out + place * item
        values = own[FORWARD_VALUES]
        call_over_blocks(tables, layer, own[FORWARD], z, z, a, rows, values, item)
    if training and layer + 1 < tables.layers.shape[0] and tables.dropout[layer + 1] > 0.0:
        key = dropout_key(plan, layer + 1, number)
        activations = work[own[A] + place : own[A] + place + rows * width]
        drop(activations, tables.dropout[layer + 1], key, place)


@inner()
def forward(
    space: Any, tables: Any, parameters: Any, inputs: int, rows: int, training: bool, number: int,
    outputs: int,
) -> None:  # fmt: skip
    """Fill the pre-activations and activations of all layers for some rows.

    `inputs` and `outputs` are addresses; where the latter is 0, the output activation is left to
    the cost.
    """
    work, team = space.work, space.team
    item, data = work.itemsize, work.ctypes.data
    previous, last = inputs, tables.layers.shape[0] - 1
    for layer in range(last + 1):
        own = tables.layers[layer]
        count, width = own[COUNT], own[WIDTH]
        is_normalised = own[NORMALISATION] != NO_NORMALISATION
        start = parameters.ctypes.data + own[BIASES] * item
        if is_normalised:
            start = data + tables.plan[NOTHING] * item
        product(
            tables.plan[PRODUCT_KERNEL], team, take(team), 0, rows, width, count,
            previous, count * item, 0,
            parameters.ctypes.data + own[WEIGHTS] * item, width * item, 0,
            data + own[PRODUCT] * item, start, 0, space.panel,
        )  # fmt: skip
        meet(team)
        if own[NORMALISATION] == OVER_BATCH and training:
            tile = take(team)
            while tile < tiles_of(width, _COLUMNS):
                column = tile * _COLUMNS
                wide = min(_COLUMNS, width - column)
                _normalise_columns(space, tables, layer, rows, column, wide)
                tile = take(team)
            meet(team)
        previous = outputs if layer == last else data + own[A] * item
        high, tile = rows_at_once(width), take(team)
        while tile < tiles_of(rows, high):
            first = tile * high
            _activate_rows(
                space, tables, parameters, layer, first, min(first + high, rows), training, number,
                previous,
            )  # fmt: skip
            tile = take(team)
        meet(team)


@inner()
def _sum_columns(
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


@inner()
def _through_normalisation(
    space: Any, tables: Any, parameters: Any, gradient: Any, layer: int, rows: int, training: bool
) -> None:
    """Fill the gradient to the product of a normalised layer, and to its scales and shifts."""
    own, team = tables.layers[layer], space.team
    width = own[WIDTH]
    high, sums = rows_at_once(width), tiles_of(width, _COLUMNS)
    tile = take(team)
    while tile < sums + tiles_of(rows, high):
        if tile < sums:
            column = tile * _COLUMNS
            wide = min(_COLUMNS, width - column)
            _sum_columns(space, tables, gradient, layer, rows, column, wide)
        else:
            first = (tile - sums) * high
            last = min(first + high, rows)
            _through_scales(space, tables, parameters, layer, first, last, training)
        tile = take(team)
    meet(team)
    if own[NORMALISATION] == OVER_BATCH and training:
        tile = take(team)
        while tile < sums:
            column = tile * _COLUMNS
            wide = min(_COLUMNS, width - column)
            _through_columns(space, tables, layer, rows, column, wide)
            tile = take(team)
        meet(team)


@inner()
def _through_activation(
    space: Any, tables: Any, layer: int, first: int, last: int, number: int, tile: int
) -> None:
    """Turn some rows of the gradient to A into that to Z; sum that to learned parameters."""
    own, work, plan = tables.layers[layer], space.work, tables.plan
    width, item, data = own[WIDTH], work.itemsize, work.ctypes.data
    place, rows = first * width, last - first
    start = plan[TO_A] + place
    above = layer + 1
    if number > 0 and above < tables.layers.shape[0] and tables.dropout[above] > 0.0:
        key = dropout_key(plan, above, number)
        drop(work[start : start + rows * width], tables.dropout[above], key, place)
    z = data + (own[Z] + place) * item
    to_z = plan[TO_Z] + place
    for index in range(own[LEARNED_FROM], own[LEARNED_TO]):
        learned = tables.learned[index]
        there = data + to_z * item
        values = learned[SLOPE_VALUES]
        call_over_blocks(tables, layer, learned[SLOPE], z, z, there, rows, values, item)
        space.sums[tile, index] = sum_of_products(
            work[start : start + rows * width], work[to_z : to_z + rows * width]
        )
    call_over_blocks(
        tables, layer, own[BACKWARD], data + start * item, z, data + to_z * item, rows,
        own[BACKWARD_VALUES], item,
    )  # fmt: skip


@inner()
def back_through_activation(
    space: Any, tables: Any, gradient: Any, layer: int, rows: int, number: int
) -> None:
    """Turn the gradient to A of a layer, in the workspace, into that to Z.

    `number` is the step whose dropout is undone, 0 where there was none.
    """
    own, team = tables.layers[layer], space.team
    high = rows_at_once(own[WIDTH])
    tiles, tile = tiles_of(rows, high), take(team)
    while tile < tiles:
        first = tile * high
        last = min(first + high, rows)
        _through_activation(space, tables, layer, first, last, number, tile)
        tile = take(team)
    meet(team)
    if space.thread == 0:
        for index in range(own[LEARNED_FROM], own[LEARNED_TO]):
            total = 0.0
            for tile in range(tiles):
                total += space.sums[tile, index]
            gradient[tables.learned[index, PLACE]] = gradient.dtype.type(total)


@inner()
def backward(
    space: Any, tables: Any, parameters: Any, gradient: Any, inputs: int, rows: int,
    training: bool, number: int,
) -> None:  # fmt: skip
    """Fill the gradient, from the one to the output's pre-activation in the workspace.

    Where the plan has a place for it, the gradient to the inputs is filled as well.
    """
    work, team, plan = space.work, space.team, tables.plan
    item, data = work.itemsize, work.ctypes.data
    nothing = data + plan[NOTHING] * item
    for layer in range(tables.layers.shape[0] - 1, -1, -1):
        own = tables.layers[layer]
        count, width = own[COUNT], own[WIDTH]
        to_product = data + plan[TO_Z] * item
        if own[NORMALISATION] != NO_NORMALISATION:
            _through_normalisation(space, tables, parameters, gradient, layer, rows, training)
            to_product = data + plan[TO_PRODUCT] * item
        below = inputs if layer == 0 else data + tables.layers[layer - 1, A] * item
        following = product_tiles(count, width, rows, 1, item)
        tile = product(
            plan[PRODUCT_KERNEL], team, take(team), 0, count, width, rows,
            below, count * item, 1,
            to_product, width * item, 0,
            gradient.ctypes.data + own[WEIGHTS] * item, nothing, 0, space.panel,
        )  # fmt: skip
        if layer > 0 or plan[TO_INPUTS] >= 0:
            place = plan[TO_A] if layer > 0 else plan[TO_INPUTS]
            tile = product(
                plan[PRODUCT_KERNEL], team, tile, following, rows, count, width,
                to_product, width * item, 0,
                parameters.ctypes.data + own[WEIGHTS] * item, width * item, 1,
                data + place * item, nothing, 0, space.panel,
            )  # fmt: skip
            following += product_tiles(rows, count, width, 0, item)
        if own[NORMALISATION] == NO_NORMALISATION:
            while tile < following + tiles_of(width, _COLUMNS):
                column = (tile - following) * _COLUMNS
                wide = min(_COLUMNS, width - column)
                _sum_columns(space, tables, gradient, layer, rows, column, wide)
                tile = take(team)
        meet(team)
        if layer > 0:
            back_through_activation(space, tables, gradient, layer - 1, rows, number)
