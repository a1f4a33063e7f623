"""Rows of a product, at most as wide as a tile, and the transposition of matrices."""

from __future__ import annotations

from typing import Any

from chainrule.kernels.compiling._parts import inner
from chainrule.networks.compiled._vectors import REGISTER, ROWS, VECTORS, strip, turn, turn_whole

_fill_wide = strip(ROWS, VECTORS, down=False, whole=True)
fill_narrow = strip(ROWS, 1, down=False)
_fill_wide_down = strip(ROWS, VECTORS, down=True, whole=True)
_fill_narrow_down = strip(ROWS, 1, down=True)


@inner()
def turn_matrix(
    kind: Any, item: int, source: int, source_apart: int, destination: int, destination_apart: int,
    rows: int, columns: int,
) -> None:  # fmt: skip
    """Copy a matrix, rows becoming columns."""
    side = REGISTER // item
    for row in range(0, rows, side):
        for column in range(0, columns, side):
            here = source + row * source_apart + column * item
            there = destination + column * destination_apart + row * item
            high, wide = min(side, rows - row), min(side, columns - column)
            if high == side and wide == side:
                turn_whole(kind, here, source_apart, there, destination_apart, side, side)
            else:
                turn(kind, here, source_apart, there, destination_apart, high, wide)


@inner()
def fill(
    kind: Any, item: int, down: int, rows: int, columns: int, depth: int,
    a: int, a_row: int, a_apart: int, b: int, b_apart: int, c: int, c_apart: int,
    start: int, start_apart: int,
) -> None:  # fmt: skip
    """Fill rows of C, at most as wide as a tile; `down` tells that A is given transposed.

    Where C is wider than a register, rows of B must be as wide as a tile, whatever lies there.
    """
    is_wide = columns > REGISTER // item
    if down != 0 and is_wide:
        _fill_wide_down(kind, rows, columns, depth, a, a_row, a_apart, b, b_apart, c, c_apart,
                        start, start_apart)  # fmt: skip
    elif down != 0:
        _fill_narrow_down(kind, rows, columns, depth, a, a_row, a_apart, b, b_apart, c, c_apart,
                          start, start_apart)  # fmt: skip
    elif is_wide:
        _fill_wide(kind, rows, columns, depth, a, a_row, a_apart, b, b_apart, c, c_apart,
                   start, start_apart)  # fmt: skip
    else:
        fill_narrow(kind, rows, columns, depth, a, a_row, a_apart, b, b_apart, c, c_apart,
                     start, start_apart)  # fmt: skip
