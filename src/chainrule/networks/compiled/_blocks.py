"""Kernels over the rows of a layer, which at the output may fall into blocks."""

from __future__ import annotations

from typing import Any

from chainrule.kernels._call import call_kernel, call_kernel_of_two
from chainrule.kernels.compiling._parts import inner
from chainrule.networks.compiled.tables import (
    COST,
    COST_VALUES,
    PLAN_SIZE,
    SLOPE,
    SLOPE_VALUES,
    WIDTH,
)


@inner()
def has_one_block(plan: Any) -> bool:
    """Tell whether the units of the output layer are all of one block."""
    return bool(plan.size == PLAN_SIZE + 2 and plan[PLAN_SIZE] == 1)


@inner()
def blocks_of(plan: Any) -> int:
    """Return how many blocks the output layer has."""
    total = 0
    for alike in range(PLAN_SIZE, plan.size, 2):
        total += plan[alike]
    return total


@inner()
def call_over_blocks(
    tables: Any, layer: int, kernel: int, first: int, second: int, result: int, rows: int,
    values: int, item: int,
) -> None:  # fmt: skip
    """Call a kernel over rows of a layer; at the output over the blocks of a row.

    Like blocks side by side are the rows of one call.
    """
    plan, width = tables.plan, tables.layers[layer, WIDTH]
    if layer + 1 < tables.layers.shape[0] or has_one_block(plan):
        call_kernel(kernel, first, second, result, rows, width, values)
        return
    place = 0
    for _ in range(rows):
        for alike in range(PLAN_SIZE, plan.size, 2):
            count, wide = plan[alike], plan[alike + 1]
            call_kernel(kernel, first + place, second + place, result + place, count, wide, values)
            place += count * wide * item


@inner()
def call_cost(
    plan: Any, z: int, y: int, to_z: int, costs: int, rows: int, width: int, item: int
) -> None:
    """Fill the gradients of the costs of rows, and the costs of their blocks, one after another."""
    kernel, values = plan[COST], plan[COST_VALUES]
    if has_one_block(plan):
        call_kernel_of_two(kernel, z, y, to_z, costs, rows, width, values)
        return
    place, of_block = 0, costs
    for _ in range(rows):
        for alike in range(PLAN_SIZE, plan.size, 2):
            count, wide = plan[alike], plan[alike + 1]
            call_kernel_of_two(
                kernel, z + place, y + place, to_z + place, of_block, count, wide, values
            )
            place += count * wide * item
            of_block += count * item


@inner()
def call_cost_slope(
    tables: Any, index: int, z: int, y: int, slopes: int, rows: int, width: int, item: int
) -> None:
    """Fill the derivatives of the costs of rows' blocks by a learned parameter of the output."""
    plan = tables.plan
    kernel, values = tables.learned[index, SLOPE], tables.learned[index, SLOPE_VALUES]
    if has_one_block(plan):
        call_kernel(kernel, z, y, slopes, rows, width, values)
        return
    place, of_block = 0, slopes
    for _ in range(rows):
        for alike in range(PLAN_SIZE, plan.size, 2):
            count, wide = plan[alike], plan[alike + 1]
            call_kernel(kernel, z + place, y + place, of_block, count, wide, values)
            place += count * wide * item
            of_block += count * item
