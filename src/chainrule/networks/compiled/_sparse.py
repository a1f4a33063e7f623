r"""The first layer over wide sparse inputs: only the entries that there are take part.

Standardised inputs, with ones :math:`e`, centres :math:`c` and scales in a diagonal matrix, are

.. math::

    X' = (X - e c) D, \qquad X' W = X D W - e c D W, \qquad
    X'^T \delta = D X^T \delta - D c^T e^T \delta

The weights are many, and each step moves all of them: what costs is to read and write them. So a
tile of them is taken into the cache once, where its gradient is filled and its step taken.
"""

from __future__ import annotations

from typing import Any

from chainrule.kernels.compiling._parts import inner
from chainrule.kernels.running._memory import ask_for
from chainrule.networks.compiled._loops import CONTRACT, copy, sum_of_products, sum_rows
from chainrule.networks.compiled._team import meet, take
from chainrule.networks.compiled._tiles import tiles_of
from chainrule.networks.compiled.steps import WEIGHT_DECAY, step
from chainrule.networks.compiled.tables import (
    BIASES,
    COUNT,
    NO_NORMALISATION,
    NORMALISATION,
    PRODUCT,
    TO_PRODUCT,
    TO_Z,
    WIDTH,
)

_ROWS = 8  # of a batch that a thread takes at once
_AHEAD, _LINE = 4, 64  # entries; bytes


@inner()
def _tiles(tables: Any, sparse: Any) -> int:
    """Return how many tiles the weights are cut into, each of all weights of some inputs."""
    tiles: int = tiles_of(tables.layers[0, COUNT], 1 << sparse.bits)
    return tiles


@inner()
def sort_entries(sparse: Any, order: Any, start: int, size: int) -> None:
    """Note the examples of a batch, and its entries in the order of the tiles of weights."""
    bounds, starts, columns = sparse.bounds, sparse.starts, sparse.columns
    bounds[:] = 0
    for k in range(size):
        row = order[start + k]
        sparse.examples[k] = row
        for entry in range(starts[row], starts[row + 1]):
            bounds[(columns[entry] >> sparse.bits) + 2] += 1
    for tile in range(2, bounds.size):
        bounds[tile] += bounds[tile - 1]
    for k in range(size):
        row = order[start + k]
        for entry in range(starts[row], starts[row + 1]):
            tile = columns[entry] >> sparse.bits
            place = bounds[tile + 1]
            sparse.entries[place] = entry
            sparse.rows[place] = k
            bounds[tile + 1] = place + 1


@inner(fastmath=CONTRACT)
def _add(factor: Any, x: Any, destination: Any) -> None:
    for k in range(destination.size):
        destination[k] += factor * x[k]


@inner()
def _sum_shifted(tables: Any, sparse: Any, tile: int, parameters: Any) -> None:
    """Sum the weights of a tile, times the shifts of their inputs."""
    count, width = tables.layers[0, COUNT], tables.layers[0, WIDTH]
    sums = sparse.shifted[tile * width : (tile + 1) * width]
    sums[:] = 0.0
    for j in range(tile << sparse.bits, min((tile + 1) << sparse.bits, count)):
        _add(sparse.shifts[j], parameters[j * width : (j + 1) * width], sums)


@inner()
def sum_all_shifted(space: Any, tables: Any, sparse: Any, parameters: Any) -> None:
    """Prepare the products of a batch with weights that were not moved here."""
    team = space.team
    if sparse.shifts.size > 0:
        tile = take(team)
        while tile < _tiles(tables, sparse):
            _sum_shifted(tables, sparse, tile, parameters)
            tile = take(team)
        meet(team)


@inner()
def sparse_product(space: Any, tables: Any, sparse: Any, parameters: Any, rows: int) -> None:
    """Fill the products of the first layer."""
    own, work, team = tables.layers[0], space.work, space.team
    width, origin, item = own[WIDTH], sparse.origin, work.itemsize
    if space.thread == 0:
        origin[:] = 0.0
        if own[NORMALISATION] == NO_NORMALISATION:
            copy(parameters[own[BIASES] : own[BIASES] + width], origin)
        if sparse.shifts.size > 0:
            for k in range(width):
                total = 0.0
                for tile in range(_tiles(tables, sparse)):
                    total += sparse.shifted[tile * width + k]
                origin[k] -= origin.dtype.type(total)
    meet(team)
    columns, values, weights = sparse.columns, sparse.values, parameters.ctypes.data
    tile = take(team)
    while tile < tiles_of(rows, _ROWS):
        for row in range(tile * _ROWS, min((tile + 1) * _ROWS, rows)):
            place = own[PRODUCT] + row * width
            products = work[place : place + width]
            copy(origin, products)
            example = sparse.examples[row]
            for entry in range(sparse.starts[example], sparse.starts[example + 1]):
                if entry + _AHEAD < columns.size:
                    there = weights + columns[entry + _AHEAD] * width * item
                    for line in range(0, width * item, _LINE):
                        ask_for(there + line)
                first = columns[entry] * width
                _add(values[entry], parameters[first : first + width], products)
        tile = take(team)
    meet(team)


@inner()
def _to_product(tables: Any) -> int:
    """Return the place of the gradient to the products."""
    is_normalised = tables.layers[0, NORMALISATION] != NO_NORMALISATION
    place: int = tables.plan[TO_PRODUCT if is_normalised else TO_Z]
    return place


@inner()
def _fill_tile(tables: Any, sparse: Any, work: Any, tile: int, gradient: Any) -> None:
    """Fill the gradient to a tile of weights."""
    width, columns = tables.layers[0, WIDTH], sparse.columns
    first, place = tile << sparse.bits, _to_product(tables)
    gradient[:] = 0.0
    if sparse.shifts.size > 0:
        for j in range(gradient.size // width):
            _add(-sparse.shifts[first + j], sparse.total, gradient[j * width : (j + 1) * width])
    for number in range(sparse.bounds[tile], sparse.bounds[tile + 1]):
        entry = sparse.entries[number]
        to_product = place + sparse.rows[number] * width
        start = (columns[entry] - first) * width
        _add(
            sparse.values[entry], work[to_product : to_product + width],
            gradient[start : start + width],
        )  # fmt: skip


@inner()
def back_to_weights(space: Any, tables: Any, sparse: Any, gradient: Any, rows: int) -> None:
    """Fill the gradient to the weights, where it is not filled as the step is taken."""
    team, width = space.team, tables.layers[0, WIDTH]
    if space.thread == 0 and sparse.shifts.size > 0:
        place = _to_product(tables)
        sum_rows(space.work[place : place + rows * width], width, sparse.total)
    meet(team)
    if sparse.moves_at_once == 0:
        high, last = width << sparse.bits, tables.layers[0, COUNT] * width
        tile = take(team)
        while tile < _tiles(tables, sparse):
            part = gradient[tile * high : min((tile + 1) * high, last)]
            _fill_tile(tables, sparse, space.work, tile, part)
            tile = take(team)
        meet(team)


@inner()
def move_weights(
    space: Any, tables: Any, sparse: Any, parameters: Any, first: Any, second: Any, solver: int,
    settings: Any, rate: float, number: int, penalty: float,
) -> float:  # fmt: skip
    """Fill the gradient to the weights and take their step; return the sum of their squares."""
    team, width = space.team, tables.layers[0, WIDTH]
    high, last = width << sparse.bits, tables.layers[0, COUNT] * width
    tiles, total = _tiles(tables, sparse), 0.0
    tile = take(team)
    while tile < tiles:
        low, end = tile * high, min((tile + 1) * high, last)
        part = parameters[low:end]
        start = space.thread * high
        gradient = sparse.gradients[start : start + end - low]
        _fill_tile(tables, sparse, space.work, tile, gradient)
        if penalty > 0.0:
            space.sums[tile, 0] = sum_of_products(part, part)
        step(
            part, gradient, first[low:end], second[low:end], penalty, settings[WEIGHT_DECAY],
            rate, solver, settings, number,
        )  # fmt: skip
        if sparse.shifts.size > 0:
            _sum_shifted(tables, sparse, tile, parameters)
        tile = take(team)
    meet(team)
    if penalty > 0.0:
        for tile in range(tiles):
            total += space.sums[tile, 0]
        meet(team)
    return total
