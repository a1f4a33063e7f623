"""Kernels over the rows of a layer, which at the output may fall into blocks."""

from __future__ import annotations

from typing import Any

from chainrule.kernels._call import call_kernel
from chainrule.kernels._parts import inner
from chainrule.networks.compiled.tables import PLAN_SIZE, WIDTH


@inner()
def has_one_block(plan: Any) -> bool:
    """Tell whether the units of the output layer are all of one block."""
    return bool(plan.size == PLAN_SIZE + 1)


@inner()
def call_over_blocks(
    tables: Any, layer: int, kernel: int, first: int, second: int, result: int, rows: int,
    values: int, item: int,
) -> None:  # fmt: skip
    """Call a kernel over rows of a layer; at the output once for each block of a row.

    What a kernel writes for a block, be it one number, begins where the block does.
    """
    plan, width = tables.plan, tables.layers[layer, WIDTH]
    if layer + 1 < tables.layers.shape[0] or has_one_block(plan):
        call_kernel(kernel, first, second, result, rows, width, values)
        return
    place = 0
    for _ in range(rows):
        for block in range(PLAN_SIZE, plan.size):
            call_kernel(
                kernel, first + place, second + place, result + place, 1, plan[block], values
            )
            place += plan[block] * item


@inner()
def sum_over_blocks(plan: Any, of_blocks: Any, width: int, of_rows: Any) -> None:
    """Sum the numbers at the beginnings of the blocks of every row."""
    for row in range(of_rows.size):
        place, total = row * width, 0.0
        for block in range(PLAN_SIZE, plan.size):
            total += of_blocks[place]
            place += plan[block]
        of_rows[row] = total
