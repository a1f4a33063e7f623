"""Epochs, gradients and predictions: what is called from outside of the compiled code."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import carray
from numpy.typing import NDArray

from chainrule.kernels._native import compiled
from chainrule.kernels.compiling._parts import inner
from chainrule.kernels.running._memory import ask_for, load_int64, pointer
from chainrule.kernels.running._plan import DATA, SHAPE
from chainrule.networks.compiled._blocks import (
    blocks_of,
    call_cost,
    call_cost_slope,
)
from chainrule.networks.compiled._layers import (
    back_through_activation,
    backward,
    dropout_key,
    forward,
)
from chainrule.networks.compiled._loops import (
    copy,
    drop,
    scale,
    scale_rows,
    standardise,
    sum_of_products,
)
from chainrule.networks.compiled._muon import muon_step
from chainrule.networks.compiled._sparse import move_weights, sort_entries, sum_all_shifted
from chainrule.networks.compiled._team import (
    flush_subnormals,
    is_requested,
    is_stopped,
    meet,
    restore_subnormals,
    stop,
    take,
)
from chainrule.networks.compiled._tiles import rows_at_once, tiles_of
from chainrule.networks.compiled.steps import MUON, WEIGHT_DECAY, step
from chainrule.networks.compiled.tables import (
    COSTS,
    COUNT,
    DECAYED,
    DIVISOR,
    INPUTS,
    LARGER,
    LAYER_COLUMNS,
    LEARNED_COLUMNS,
    LEARNED_TO,
    MUON_STEP,
    NOTHING,
    PLACE,
    PRODUCT_KERNEL,
    TARGETS,
    TO_A,
    TO_Z,
    WEIGHTS_OF_EXAMPLES,
    WIDTH,
    Tables,
    Workspace,
    Z,
)

_step_of_muon = muon_step.call
_TILE = 16384  # parameters that a thread takes at once
# Rows come in any order, from memory as far as the examples are many: they are asked for ahead.
_AHEAD, _LINE, _FIRST_LINES = 16, 64, 256  # rows; bytes


@inner()
def _gather(
    space: Any, tables: Any, inputs: Any, columns: Any, starts: Any, centres: Any, factors: Any,
    targets: Any, weights: Any, order: Any, start: int, size: int, number: int, sparse: Any,
) -> None:  # fmt: skip
    """Copy the examples of a batch into the workspace, standardised; sparse ones become dense.

    They stay where they are where the products of the first layer are sparse.

    The batch is a part of the order of examples, from `start` on and of a size.
    """
    plan, work, team = tables.plan, space.work, space.team
    count, width = tables.layers[0, COUNT], tables.layers[-1, WIDTH]
    row_size = count * inputs.itemsize if starts.size == 0 else 0
    if sparse is not None and space.thread == 0:
        sort_entries(sparse, order, start, size)
    high, tile = rows_at_once(count), take(team)
    while tile < tiles_of(size, high):
        for k in range(tile * high, min((tile + 1) * high, size)):
            row = order[start + k]
            if sparse is None:
                if start + k + _AHEAD < order.size:
                    there = inputs.ctypes.data + order[start + k + _AHEAD] * row_size
                    for line in range(0, min(row_size, _FIRST_LINES), _LINE):
                        ask_for(there + line)
                place = plan[INPUTS] + k * count
                X = work[place : place + count]
                if starts.size > 0:
                    X[:] = 0.0
                    for entry in range(starts[row], starts[row + 1]):
                        X[columns[entry]] += inputs[entry]
                else:
                    copy(inputs[row * count : (row + 1) * count], X)
                standardise(X, centres, factors)
                if tables.dropout[0] > 0.0:
                    drop(X, tables.dropout[0], dropout_key(plan, 0, number), k * count)
            place = plan[TARGETS] + k * width
            copy(targets[row * width : (row + 1) * width], work[place : place + width])
            work[plan[WEIGHTS_OF_EXAMPLES] + k] = weights[row]
        tile = take(team)
    meet(team)


@inner(error_model="numpy")
def _cost(space: Any, tables: Any, gradient: Any, rows: int) -> tuple[float, float]:
    """Return the weighted sum of costs and the sum of weights; fill the mean cost's gradient.

    That is the one to the output's pre-activations, and to its learned parameters.
    """
    plan, work, team = tables.plan, space.work, space.team
    item, data = work.itemsize, work.ctypes.data
    last = tables.layers.shape[0] - 1
    width, of_z, blocks = tables.layers[last, WIDTH], tables.layers[last, Z], blocks_of(plan)
    weights = work[plan[WEIGHTS_OF_EXAMPLES] : plan[WEIGHTS_OF_EXAMPLES] + rows]
    costs = work[plan[COSTS] : plan[COSTS] + rows * blocks]
    units = plan[LARGER : DIVISOR + 1].view(np.float64)
    larger, divisor = units[0], units[1]
    first_learned = tables.layers[last, LEARNED_TO]
    weight = 0.0
    for row in range(rows):
        weight += weights[row]
    high, tile = rows_at_once(width), take(team)
    while tile < tiles_of(rows, high):
        first = tile * high
        some, place = min(high, rows - first), first * width
        z, y = data + (of_z + place) * item, data + (plan[TARGETS] + place) * item
        of_blocks = data + (plan[COSTS] + first * blocks) * item
        start, size = plan[TO_Z] + place, some * width
        if larger != 1.0:
            for own in (of_z + place, plan[TARGETS] + place):
                scale(work[own : own + size], work.dtype.type(larger))
        call_cost(plan, z, y, data + start * item, of_blocks, some, width, item)
        for index in range(first_learned, tables.learned.shape[0]):
            own = plan[TO_A] + first * blocks
            call_cost_slope(tables, index, z, y, data + own * item, some, width, item)
            space.sums[tile, index] = _weighted(
                work[own : own + some * blocks], weights[first : first + some], blocks
            )
        scale_rows(
            work[start : start + size], width, weights[first : first + some],
            weight * divisor / larger,
        )  # fmt: skip
        tile = take(team)
    meet(team)
    if space.thread == 0:
        for index in range(first_learned, tables.learned.shape[0]):
            slope = 0.0
            for tile in range(tiles_of(rows, high)):
                slope += space.sums[tile, index]
            place = tables.learned[index, PLACE]
            gradient[place] = gradient.dtype.type(slope / (weight * divisor))
    return _weighted(costs, weights, blocks) / divisor, weight


@inner()
def _weighted(costs: Any, weights: Any, blocks: int) -> float:
    """Return the sum over rows of the weight of each times the sum of its blocks."""
    total = 0.0
    for row in range(weights.size):
        of_row = 0.0
        for block in range(row * blocks, (row + 1) * blocks):
            of_row += costs[block]
        total += weights[row] * of_row
    return total


@inner()
def _batch_gradient(
    space: Any, tables: Any, sparse: Any, parameters: Any, gradient: Any, inputs: int, rows: int,
    number: int,
) -> tuple[float, float]:  # fmt: skip
    forward(space, tables, sparse, parameters, inputs, rows, True, number, 0)
    total, weight = _cost(space, tables, gradient, rows)
    backward(space, tables, sparse, parameters, gradient, inputs, rows, True, number)
    return total, weight


@compiled()
def batch_gradient(
    space: Any, tables: Any, parameters: Any, gradient: Any, inputs: int, rows: int, number: int
) -> tuple[float, float]:
    """Fill the gradient of the mean cost of the rows at an address; return what `_cost` returns.

    Their targets and weights are in the workspace.
    """
    total, weight = _batch_gradient(space, tables, None, parameters, gradient, inputs, rows, number)
    return total, weight


@inner()
def _clip(space: Any, gradient: Any, largest: float, longest: float) -> None:
    """Bound every entry of the gradient, and then its length."""
    real, team = gradient.dtype.type, space.team
    tiles = tiles_of(gradient.size, _TILE)
    tile = take(team)
    while tile < tiles:
        part = gradient[tile * _TILE : (tile + 1) * _TILE]
        if largest > 0.0:
            for k in range(part.size):
                part[k] = min(max(part[k], real(-largest)), real(largest))
        space.sums[tile, 0] = sum_of_products(part, part)
        tile = take(team)
    meet(team)
    if longest > 0.0:
        total = 0.0
        for tile in range(tiles):
            total += space.sums[tile, 0]
        length = np.sqrt(total)
        meet(team)
        if length > longest:
            tile = take(team)
            while tile < tiles:
                part = gradient[tile * _TILE : (tile + 1) * _TILE]
                scale(part, real(longest / length))
                tile = take(team)
        meet(team)


@inner()
def _move(
    space: Any, tables: Any, sparse: Any, parameters: Any, gradient: Any, state: Any, scratch: Any,
    solver: int, settings: Any, rate: float, number: int, penalty: float,
) -> float:  # fmt: skip
    """Take one step; return the sum of the squares of the weights before it, if penalised."""
    team, decayed = space.team, tables.plan[DECAYED]
    first, second = state[0], state[state.shape[0] - 1]
    start, total = 0, 0.0
    if solver == MUON:
        # The matrices that lead to hidden units; all that follows them is Adam's.
        for layer in range(tables.layers.shape[0] - 1):
            own = tables.layers[layer]
            count, width = own[COUNT], own[WIDTH]
            last = start + count * width
            if penalty > 0.0:
                total += sum_of_products(parameters[start:last], parameters[start:last])
                meet(team)
            nothing = space.work.ctypes.data + tables.plan[NOTHING] * space.work.itemsize
            _step_of_muon(
                space.work.dtype.type(0.0), tables.plan[MUON_STEP],
                space, tables.plan[PRODUCT_KERNEL], parameters[start:last], gradient[start:last],
                first[start:last], count, width, penalty, settings[WEIGHT_DECAY], rate, settings,
                scratch, nothing,
            )  # fmt: skip
            start = last
    if sparse is not None and sparse.moves_at_once == 1:
        total += move_weights(
            space, tables, sparse, parameters, first, second, solver, settings, rate, number,
            penalty,
        )  # fmt: skip
        start = tables.layers[0, COUNT] * tables.layers[0, WIDTH]
    weights = tiles_of(decayed - start, _TILE)
    tiles = weights + tiles_of(parameters.size - decayed, _TILE)
    tile = take(team)
    while tile < tiles:
        is_weight = tile < weights
        low = start + tile * _TILE if is_weight else decayed + (tile - weights) * _TILE
        high = min(low + _TILE, decayed if is_weight else parameters.size)
        part = parameters[low:high]
        if penalty > 0.0:
            space.sums[tile, 0] = sum_of_products(part, part) if is_weight else 0.0
        step(
            part, gradient[low:high], first[low:high], second[low:high],
            penalty if is_weight else 0.0, settings[WEIGHT_DECAY] if is_weight else 0.0,
            rate, solver, settings, number,
        )  # fmt: skip
        tile = take(team)
    meet(team)
    if penalty > 0.0 and space.thread == 0:
        for tile in range(tiles):
            total += space.sums[tile, 0]
    if space.thread == 0:
        _set_learned(tables, parameters)
    meet(team)
    if sparse is not None and sparse.moves_at_once == 0:
        sum_all_shifted(space, tables, sparse, parameters)
    return total


def set_learned(tables: Tables, parameters: NDArray[Any]) -> None:
    """Let the kernels read the learned parameters of activations as they are now."""
    there, here = tables.copies.T
    tables.values[there] = parameters[here]


@inner()
def _set_learned(tables: Any, parameters: Any) -> None:
    for index in range(tables.copies.shape[0]):
        tables.values[tables.copies[index, 0]] = parameters[tables.copies[index, 1]]


@compiled(error_model="numpy")
def run_batches(
    space: Any, tables: Any, inputs: Any, columns: Any, starts: Any, centres: Any, factors: Any,
    targets: Any, weights: Any, order: Any, rates: Any, batch_size: int, parameters: Any,
    gradient: Any, state: Any, scratch: Any, solver: int, settings: Any, number: int, alpha: float,
    largest: float, longest: float, sparse: Any,
) -> float:  # fmt: skip
    """Train on the examples named by `order`, batch after batch; return the sum of their costs.

    Inputs are standardised as they come where there are centres and factors of their columns;
    instead of all of that there may be sparse ones.
    Where a cost is not finite, all threads stop there, and so is the sum; likewise where somebody
    asks them to.
    """
    before = flush_subnormals()
    loss = 0.0
    address = space.work.ctypes.data + tables.plan[INPUTS] * space.work.itemsize
    if sparse is not None:
        sum_all_shifted(space, tables, sparse, parameters)
    for start in range(0, order.size, batch_size):
        size = min(batch_size, order.size - start)
        number += 1
        _gather(
            space, tables, inputs, columns, starts, centres, factors, targets, weights, order,
            start, size, number, sparse,
        )  # fmt: skip
        total, weight = _batch_gradient(
            space, tables, sparse, parameters, gradient, address, size, number
        )
        if space.thread == 0 and (is_requested(space.team) or not np.isfinite(total)):
            stop(space.team)
        meet(space.team)
        loss += total
        if is_stopped(space.team):
            break
        if largest > 0.0 or longest > 0.0:
            _clip(space, gradient, largest, longest)
        squares = _move(
            space, tables, sparse, parameters, gradient, state, scratch, solver, settings,
            rates[start // batch_size], number, alpha / weight,
        )  # fmt: skip
        loss += 0.5 * alpha * squares
    restore_subnormals(before)
    return loss


@inner(makes_arrays=True)
def _at(header: int, number: int, kind: Any) -> Any:
    """Return the vector that is number so and so in a header."""
    size = load_int64(header + 16 * number + 8)
    return carray(pointer(load_int64(header + 16 * number), kind), (size,))


@compiled(makes_arrays=True)
def run_rows(header: int, inputs: int, outputs: int, block: int, kind: Any) -> None:
    """Fill the output activations, a block of rows at a time.

    What it needs comes by addresses, of a header and of the Python objects of two contiguous
    arrays: for one row, looking at arrays would take longer than to propagate it.
    """
    word = np.int64(0)
    learned, copies = load_int64(header + 40), load_int64(header + 72)
    sums = load_int64(header + 16 * 8 + 8)
    layers = load_int64(header + 24)
    tables = Tables(
        _at(header, 0, word),
        carray(pointer(load_int64(header + 16), word), (layers, LAYER_COLUMNS)),
        carray(pointer(load_int64(header + 32), word), (learned, LEARNED_COLUMNS)),
        _at(header, 3, 0.0),
        carray(pointer(load_int64(header + 64), word), (copies, 2)),
        _at(header, 5, kind),
        _at(header, 6, 0.0),
    )
    wide = load_int64(header + 160)
    space = Workspace(
        load_int64(header + 168),
        0,
        _at(header, 7, kind),
        carray(pointer(load_int64(header + 16 * 8), 0.0), (sums, wide)),
        load_int64(header + 176),
    )
    parameters = _at(header, 9, kind)
    item = space.work.itemsize
    count, width = tables.layers[0, COUNT], tables.layers[-1, WIDTH]
    rows = load_int64(load_int64(inputs + SHAPE))
    X, A = load_int64(inputs + DATA), load_int64(outputs + DATA)
    for start in range(0, rows, block):
        forward(
            space, tables, None, parameters, X + start * count * item, min(block, rows - start),
            False, 0, A + start * width * item,
        )  # fmt: skip


@compiled()
def run_to_inputs(
    space: Any, tables: Any, parameters: Any, gradient: Any, inputs: Any, seeds: Any,
    through_activation: bool,
) -> None:  # fmt: skip
    """Fill the gradient to the inputs of one block of rows, from the one to the output."""
    work, plan = space.work, tables.plan
    rows, last = inputs.shape[0], tables.layers.shape[0] - 1
    forward(space, tables, None, parameters, inputs.ctypes.data, rows, False, 0, 0)
    place = plan[TO_A] if through_activation else plan[TO_Z]
    copy(seeds, work[place : place + seeds.size])
    if through_activation:
        back_through_activation(space, tables, gradient, last, rows, 0)
    backward(space, tables, None, parameters, gradient, inputs.ctypes.data, rows, False, 0)
