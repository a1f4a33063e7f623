"""Forward and backward propagation through all layers, by a team of threads."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.kernels._call import call_kernel
from chainrule.kernels.compiling._parts import inner
from chainrule.networks.compiled._blocks import call_over_blocks
from chainrule.networks.compiled._loops import (
    drop,
    mixed,
    scale_and_shift,
    sum_of_products,
)
from chainrule.networks.compiled._normalisation import (
    normalise_by_statistics,
    normalise_columns,
    sum_columns,
    through_normalisation,
)
from chainrule.networks.compiled._products import product, product_tiles
from chainrule.networks.compiled._sparse import back_to_weights, sparse_product
from chainrule.networks.compiled._team import meet, take
from chainrule.networks.compiled._tiles import COLUMNS, rows_at_once, tiles_of
from chainrule.networks.compiled.tables import (
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
    NORM_VALUES,
    NORMALISATION,
    NORMALISE_BY_STATISTICS,
    NORMALISE_COLUMNS,
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
    THROUGH_NORMALISATION,
    TO_A,
    TO_INPUTS,
    TO_PRODUCT,
    TO_Z,
    WEIGHTS,
    WIDTH,
    A,
    Z,
)

_over_columns, _by_statistics = normalise_columns.call, normalise_by_statistics.call
_back_through_normalisation = through_normalisation.call


@inner()
def dropout_key(plan: Any, layer: int, number: int) -> Any:
    """Return what tells one layer and step from all others, for dropout."""
    seed = mixed(np.uint64(plan[SEED]))
    return mixed(seed + np.uint64(number) * np.uint64(65536) + np.uint64(layer))


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
        _by_statistics(
            work.dtype.type(0.0), plan[NORMALISE_BY_STATISTICS], space, tables, layer, first, last
        )  # fmt: skip
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
    space: Any, tables: Any, sparse: Any, parameters: Any, inputs: int, rows: int, training: bool,
    number: int, outputs: int,
) -> None:  # fmt: skip
    """Fill the pre-activations and activations of all layers for some rows.

    `inputs` and `outputs` are addresses; where the latter is 0, the output activation is left to
    the cost. Inputs may be sparse instead; what that takes is compiled where they are not None.
    """
    work, team, kind = space.work, space.team, space.work.dtype.type(0.0)
    item, data = work.itemsize, work.ctypes.data
    previous, last = inputs, tables.layers.shape[0] - 1
    for layer in range(last + 1):
        own = tables.layers[layer]
        count, width = own[COUNT], own[WIDTH]
        is_normalised = own[NORMALISATION] != NO_NORMALISATION
        start = parameters.ctypes.data + own[BIASES] * item
        if is_normalised:
            start = data + tables.plan[NOTHING] * item
        is_done = False
        if sparse is not None and layer == 0:
            sparse_product(space, tables, sparse, parameters, rows)
            is_done = True
        if not is_done:
            product(
                tables.plan[PRODUCT_KERNEL], team, take(team), 0, rows, width, count,
                previous, count * item, 0,
                parameters.ctypes.data + own[WEIGHTS] * item, width * item, 0,
                data + own[PRODUCT] * item, start, 0, space.panel,
            )  # fmt: skip
            meet(team)
        if own[NORMALISATION] == OVER_BATCH and training:
            tile = take(team)
            while tile < tiles_of(width, COLUMNS):
                column = tile * COLUMNS
                wide = min(COLUMNS, width - column)
                _over_columns(
                    kind, tables.plan[NORMALISE_COLUMNS], space, tables, layer, rows, column, wide
                )  # fmt: skip
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
    space: Any, tables: Any, sparse: Any, parameters: Any, gradient: Any, inputs: int, rows: int,
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
            _back_through_normalisation(
                work.dtype.type(0.0), plan[THROUGH_NORMALISATION], space, tables, parameters,
                gradient, layer, rows, training,
            )  # fmt: skip
            to_product = data + plan[TO_PRODUCT] * item
        below = inputs if layer == 0 else data + tables.layers[layer - 1, A] * item
        is_done, following = False, 0
        if sparse is not None and layer == 0:
            back_to_weights(space, tables, sparse, gradient, rows)
            is_done = True
        tile = take(team)
        if not is_done:
            following = product_tiles(team, count, width, rows, 1, item)
            tile = product(
                plan[PRODUCT_KERNEL], team, tile, 0, count, width, rows,
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
            following += product_tiles(team, rows, count, width, 0, item)
        if own[NORMALISATION] == NO_NORMALISATION:
            while tile < following + tiles_of(width, COLUMNS):
                column = (tile - following) * COLUMNS
                wide = min(COLUMNS, width - column)
                sum_columns(space, tables, gradient, layer, rows, column, wide)
                tile = take(team)
        meet(team)
        if layer > 0:
            back_through_activation(space, tables, gradient, layer - 1, rows, number)
