"""Matrix products, a tile at a time: no other library's threads, and equal on any number of ours.

The inner tiles are those of K. Goto and R. van de Geijn, "Anatomy of high-performance matrix
multiplication", ACM TOMS 34 (2008): a few rows of A by a panel of B that stays in the cache. For
matrices as narrow as most networks' nothing is copied at all.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from chainrule.kernels._native import native
from chainrule.kernels.compiling._parts import inner
from chainrule.kernels.running._integers import least, most
from chainrule.kernels.running._memory import load_int32, load_int64, store_int32, store_int64
from chainrule.networks.compiled._large_products import (
    LARGE_PANEL_SIZE,
    fill_large,
    is_large,
    large_tiles,
)
from chainrule.networks.compiled._strips import fill, turn_matrix
from chainrule.networks.compiled._team import has_several, take, threads_of
from chainrule.networks.compiled._vectors import (
    REGISTER,
    ROWS,
    WIDTH,
    copy_row,
    strip,
)

DEPTH = 512
_HEIGHT = 480  # rows that a thread takes at once: a multiple of the tiles' heights
_LEAST_HEIGHT, _TILES_EACH = 4 * ROWS[0], 4  # where several threads share
PANEL_SIZE = max(DEPTH * WIDTH, LARGE_PANEL_SIZE)  # bytes
_NARROW = 65536  # bytes of a matrix B that needs no panels of its own
_FEW = 2 * ROWS[0]  # rows of A for which a panel would not pay
_WIDE = 4 * REGISTER  # bytes across a tile of few rows: in a narrow one a sum waits for itself
_MOST_TURNED = PANEL_SIZE // _WIDE - 8  # terms; beside the rows of C, fewer than 8
_fill_few_down = strip((4, 2, 1), _WIDE // REGISTER, down=True)


@inner()
def _has_few_columns(rows: int, columns: int, depth: int, down: int, item: int) -> bool:
    """Tell whether columns of C leave most of a register empty, which rows of it would fill."""
    lanes = REGISTER // item
    pays = down != 0 or 2 * lanes <= depth <= _MOST_TURNED
    return pays and 4 * columns <= lanes and rows >= 2 * lanes


@inner()
def _fill_turned(
    kind: Any, item: int, rows: int, columns: int, depth: int, a: int, a_apart: int, down: int,
    b: int, b_apart: int, c: int, start: int, start_apart: int, panel: int,
) -> None:  # fmt: skip
    """Fill rows of C, which has few columns: those of its transpose, in the panel, turned back."""
    if down == 0:
        turned = panel + columns * _WIDE
        turn_matrix(kind, item, a, a_apart, turned, _WIDE, rows, depth)
        a, a_apart = turned, _WIDE
    for row in range(rows):
        for column in range(columns):
            source = start + row * start_apart + column * item
            _copy_element(item, source, panel + column * _WIDE + row * item)
    _fill_few_down(
        kind, columns, rows, depth, b, item, b_apart, a, a_apart, panel, _WIDE, panel, _WIDE
    )
    for row in range(rows):
        for column in range(columns):
            source = panel + column * _WIDE + row * item
            _copy_element(item, source, c + (row * columns + column) * item)


@inner()
def _copy_element(item: int, source: int, destination: int) -> None:
    if item == 4:
        store_int32(destination, load_int32(source))
    else:
        store_int64(destination, load_int64(source))


@inner()
def product_tiles(team: int, rows: int, columns: int, depth: int, down: int, item: int) -> int:
    """Return into how many tiles a product of this shape falls."""
    across = WIDTH // item
    tiles: int
    if is_large(rows, columns, depth, down, item):
        tiles = large_tiles(team, rows, columns, item)
        return tiles
    height = _height(team, rows, columns, depth, down, item)
    tiles = ((columns + across - 1) // across) * ((rows + height - 1) // height)
    return tiles


@inner()
def _height(team: int, rows: int, columns: int, depth: int, down: int, item: int) -> int:
    if _has_few_columns(rows, columns, depth, down, item):
        return _WIDE // item
    if not has_several(team):
        return _HEIGHT
    # Where there are few panels, rows are what threads can share; the last panel may be narrow.
    panels = (columns * item + WIDTH - 1) // WIDTH
    if panels <= 3:
        return _LEAST_HEIGHT
    parts = (_TILES_EACH * threads_of(team) + panels - 1) // panels
    blocks = ((rows + parts - 1) // parts + ROWS[0] - 1) // ROWS[0]
    height: int = least(most(blocks * ROWS[0], _LEAST_HEIGHT), _HEIGHT)
    return height


@inner()
def _product(
    kind: Any, item: int, team: int, number: int, first: int,
    rows: int, columns: int, depth: int,
    a: int, a_apart: int, down: int,
    b: int, b_apart: int, turned: int,
    c: int, start: int, start_apart: int,
    panel: int,
) -> Any:  # fmt: skip
    """Fill tiles of ``C = start + A @ B``, from tile `number` on, until all are taken.

    Described at `product`.
    """
    across = WIDTH // item
    panels = (columns + across - 1) // across
    height = _height(team, rows, columns, depth, down, item)
    tiles = product_tiles(team, rows, columns, depth, down, item)
    copied = turned != 0 or (columns * depth * item > _NARROW and rows > _FEW)
    pieces = (depth + DEPTH - 1) // DEPTH
    deep = (depth + pieces - 1) // pieces
    c_apart = columns * item
    while number < first + tiles:
        if is_large(rows, columns, depth, down, item):
            fill_large(
                kind, item, team, number - first, rows, columns, depth, a, a_apart, down, b,
                b_apart, turned, c, start, start_apart, panel,
            )  # fmt: skip
            number = take(team)
            continue
        row = (number - first) // panels * height
        column = (number - first) % panels * across
        high, wide = min(height, rows - row), min(across, columns - column)
        if turned == 0 and _has_few_columns(rows, columns, depth, down, item):
            left = a + row * (item if down != 0 else a_apart)
            _fill_turned(
                kind, item, high, columns, depth, left, a_apart, down, b, b_apart,
                c + row * c_apart, start + row * start_apart, start_apart, panel,
            )  # fmt: skip
            number = take(team)
            continue
        for above in range(0, depth, deep):
            terms = min(deep, depth - above)
            left, left_row = a + row * a_apart + above * item, a_apart
            if down != 0:
                left, left_row = a + above * a_apart + row * item, item
            if turned != 0:
                source = b + column * b_apart + above * item
                turn_matrix(kind, item, source, b_apart, panel, WIDTH, wide, terms)
                lines, apart = panel, WIDTH
            elif copied or REGISTER // item < wide < across:
                # A tile loads whole rows of B, and here there may be nothing beyond the last one.
                for k in range(terms):
                    source = b + (above + k) * b_apart + column * item
                    copy_row(kind, source, panel + k * WIDTH, wide)
                lines, apart = panel, WIDTH
            else:
                lines, apart = b + above * b_apart + column * item, b_apart
            out = c + row * c_apart + column * item
            before, before_apart = start + row * start_apart + column * item, start_apart
            if above > 0:
                before, before_apart = out, c_apart
            fill(
                kind, item, down, high, wide, terms, left, left_row, a_apart, lines, apart,
                out, c_apart, before, before_apart,
            )  # fmt: skip
        number = take(team)
    return number


# In C's types: all words. Compiled once for each dtype and called by address, because compiling
# tiles takes longer than all the rest.
_SIGNATURE = types.intp(*[types.intp] * 16)


def _of_single(
    team: Any, number: Any, first: Any, rows: Any, columns: Any, depth: Any, a: Any, a_apart: Any,
    down: Any, b: Any, b_apart: Any, turned: Any, c: Any, start: Any, start_apart: Any, panel: Any,
) -> Any:  # fmt: skip
    return _product(
        np.float32(0.0), 4, team, number, first, rows, columns, depth, a, a_apart, down,
        b, b_apart, turned, c, start, start_apart, panel,
    )  # fmt: skip


def _of_double(
    team: Any, number: Any, first: Any, rows: Any, columns: Any, depth: Any, a: Any, a_apart: Any,
    down: Any, b: Any, b_apart: Any, turned: Any, c: Any, start: Any, start_apart: Any, panel: Any,
) -> Any:  # fmt: skip
    return _product(
        0.0, 8, team, number, first, rows, columns, depth, a, a_apart, down,
        b, b_apart, turned, c, start, start_apart, panel,
    )  # fmt: skip


@lru_cache(maxsize=2)
def product_kernel(item: int) -> Any:
    """Return the compiled product of elements of 4 or 8 bytes; its `address` is what is called."""
    return native(_SIGNATURE)(_of_single if item == 4 else _of_double)


@intrinsic
def product(
    typing_context: Any, address: Any,
    team: Any, number: Any, first: Any,
    rows: Any, columns: Any, depth: Any,
    a: Any, a_apart: Any, down: Any,
    b: Any, b_apart: Any, turned: Any,
    c: Any, start: Any, start_apart: Any,
    panel: Any,
) -> Any:  # fmt: skip
    """Fill tiles of ``C = start + A @ B``, from tile `number` on, until all are taken.

    Parameters
    ----------
    address : int
        Of the `product_kernel`.
    team, number, first : int
        The team; the tile that this thread has taken; the number of the product's first tile.
    rows, columns, depth : int
        The shape of C, and the number of terms of each sum.
    a, a_apart, down : int
        Address and distance from row to row in bytes; `down` is 1 if what is given is A transposed.
    b, b_apart, turned : int
        Likewise; `turned` is 1 if what is given is B transposed. One of them is at most.
    c : int
        Address of the result, contiguous.
    start, start_apart : int
        What is added: a row for all (distance 0), or a matrix.
    panel : int
        Address of this thread's room for copies, `PANEL_SIZE` bytes.

    Returns
    -------
    int
        The next tile that this thread has taken.
    """
    word = ir.IntType(64)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = ir.FunctionType(word, [word] * 16)
        return builder.call(builder.inttoptr(arguments[0], kind.as_pointer()), arguments[1:])

    return types.intp(*[types.intp] * 17), generate
