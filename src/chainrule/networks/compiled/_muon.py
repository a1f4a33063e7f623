"""The step of Muon: the gradient's momentum, made nearly orthogonal."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from chainrule.kernels.compiling._parts import inner
from chainrule.kernels.running._addressed import Addressed
from chainrule.networks.compiled._loops import sum_of_products
from chainrule.networks.compiled._products import product
from chainrule.networks.compiled._team import meet, take
from chainrule.networks.compiled.steps import KEEP_MOMENTUM
from chainrule.networks.compiled.tables import kinds_of

_TILE = 16384
# The quintic of K. Jordan et al., "Muon: an optimizer for hidden layers in neural networks" (2024).
_LINEAR, _CUBIC, _QUINTIC = 3.4445, -4.7750, 2.0315
_ITERATIONS = 5
_UPDATE_SIZE = 0.2  # J. Liu et al., "Muon is scalable for LLM training" (2025), section 2.2
_LEAST = 1e-30


def muon_scratch(rows: int, columns: int) -> int:
    """Return how many elements a step needs for a matrix of this shape."""
    short = min(rows, columns)
    return 2 * rows * columns + 2 * short * short


def _muon_step(
    space: Any, kernel: int, weights: Any, gradient: Any, velocity: Any, rows: int, columns: int,
    penalty: float, decay: float, rate: float, settings: Any, scratch: Any, nothing: int,
) -> None:  # fmt: skip
    """Move one matrix of weights, given as flat vectors, by one step."""
    team, real, item = space.team, weights.dtype.type, weights.itemsize
    size, short = rows * columns, min(rows, columns)
    keep = real(settings[KEEP_MOMENTUM])
    X, moved = scratch[:size], scratch[size : 2 * size]
    square, powers = scratch[2 * size :], scratch[2 * size + short * short :]
    tiles = (size + _TILE - 1) // _TILE
    tile = take(team)
    while tile < tiles:
        first, last = tile * _TILE, min((tile + 1) * _TILE, size)
        for k in range(first, last):
            slope = gradient[k] + real(penalty) * weights[k]
            velocity[k] = keep * velocity[k] + slope
            X[k] = slope + keep * velocity[k]
        space.sums[tile, 0] = sum_of_products(X[first:last], X[first:last])
        tile = take(team)
    meet(team)
    total = 0.0
    for tile in range(tiles):
        total += space.sums[tile, 0]
    factor = real(1.0 / max(np.sqrt(total), _LEAST))
    meet(team)
    _combine(team, X, factor, X, real(0.0), X, size)
    is_tall = 1 if rows > columns else 0
    for _ in range(_ITERATIONS):
        x, s, p = X.ctypes.data, square.ctypes.data, powers.ctypes.data
        across, along = columns * item, short * item
        product(
            kernel, team, take(team), 0, short, short, max(rows, columns),
            x, across, is_tall, x, across, 1 - is_tall, s, nothing, 0, space.panel,
        )  # fmt: skip
        meet(team)
        product(
            kernel, team, take(team), 0, short, short, short,
            s, along, 0, s, along, 0, p, nothing, 0, space.panel,
        )  # fmt: skip
        meet(team)
        _combine(team, square, real(_CUBIC), powers, real(_QUINTIC), square, short * short)
        if is_tall == 1:
            product(
                kernel, team, take(team), 0, rows, columns, columns,
                x, across, 0, s, along, 0, moved.ctypes.data, nothing, 0, space.panel,
            )  # fmt: skip
        else:
            product(
                kernel, team, take(team), 0, rows, columns, rows,
                s, along, 0, x, across, 0, moved.ctypes.data, nothing, 0, space.panel,
            )  # fmt: skip
        meet(team)
        _combine(team, X, real(_LINEAR), moved, real(1.0), X, size)
    step = real(-rate * _UPDATE_SIZE * np.sqrt(max(rows, columns)))
    _combine(team, weights, real(1.0 - rate * decay), X, step, weights, size)


@inner()
def _combine(team: int, x: Any, of_x: Any, y: Any, of_y: Any, destination: Any, size: int) -> None:
    tile = take(team)
    while tile * _TILE < size:
        for k in range(tile * _TILE, min((tile + 1) * _TILE, size)):
            destination[k] = of_x * x[k] + of_y * y[k]
        tile = take(team)
    meet(team)


def _kinds(element: Any) -> tuple[Any, ...]:
    space, _, vector = kinds_of(element)
    whole, real, numbers = types.int64, types.float64, types.Array(types.float64, 1, "C")
    return (
        space, whole, vector, vector, vector, whole, whole, real, real, real, numbers, vector,
        whole,
    )  # fmt: skip


muon_step = Addressed(_muon_step, _kinds)
