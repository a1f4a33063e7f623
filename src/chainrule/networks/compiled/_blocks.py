"""Kernels over the rows of a layer, which at the output may fall into blocks."""

from __future__ import annotations

from typing import Any

from chainrule.kernels._call import call_kernel
from chainrule.kernels._parts import inner
from chainrule.networks.compiled.tables import PLAN_SIZE, WIDTH


@inner()
def has_one_block(plan: Any) -> bool:
    """Tell whether the units of the output layer are all of one block."""
    return bool(plan.size == PLAN_SIZE + 2 and plan[PLAN_SIZE] == 1)


@inner()
def call_over_blocks(
    tables: Any, layer: int, kernel: int, first: int, second: int, result: int, rows: int,
    values: int, item: int,
) -> None:  # fmt: skip
    """Call a kernel over rows of a layer; at the output over the blocks of a row.

    Like blocks side by side are the rows of one call. What a kernel writes for them, be it one
    number for each, begins where the first of them does.
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
def sum_over_blocks(plan: Any, of_blocks: Any, width: int, of_rows: Any) -> None:
    """Sum the numbers of the blocks of every row, from where `call_over_blocks` puts them."""
    for row in range(of_rows.size):
        place, total = row * width, 0.0
        for alike in range(PLAN_SIZE, plan.size, 2):
            count = plan[alike]
            for k in range(place, place + count):
                total += of_blocks[k]
            place += count * plan[alike + 1]
        of_rows[row] = total
