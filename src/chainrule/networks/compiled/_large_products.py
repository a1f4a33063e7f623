"""Products of large matrices: parts of both are copied to where they stay in the caches.

A part of B, a group of panels, stays in the second cache for all rows of C that a thread takes at
once; each of its panels stays in the first one for some rows of A, which are copied as well. In
place, rows lie in pages of their own, and compete for few places in a cache.
"""

from __future__ import annotations

from typing import Any

from chainrule.kernels.compiling._parts import inner
from chainrule.kernels.running._memory import copy_bytes
from chainrule.networks.compiled._strips import fill_narrow, turn_matrix
from chainrule.networks.compiled._team import threads_of
from chainrule.networks.compiled._vectors import REGISTER, ROWS, VECTORS, WIDTH, copy_row, strip

_DEPTH = 256  # terms at once: a panel is to leave room in the first cache
_GROUP, _FEWEST = 32, 4  # panels, at most and where many threads share
_HEIGHT = 16 * ROWS[0]  # rows of A that are copied at once, of 4 bytes an element
_TALL = 1024  # rows of C that a thread takes at once
_MOST_ROUNDS = 4  # of tiles, for each thread
_COPIED_IN = 4  # rows: to copy a part of B takes as long as they
_PANELS_SIZE = _GROUP * _DEPTH * WIDTH
_LARGE = 2**24  # products, for which copies pay
# Rows of A are copied to a distance that no cache's size is a multiple of.
_APART = 64  # bytes
LARGE_PANEL_SIZE = _PANELS_SIZE + _HEIGHT * (4 * _DEPTH + _APART)  # bytes

# Of hundreds of rows few are left over: two more heights do, and compile sooner than four.
_fill_wide = strip((ROWS[0], 4, 1), VECTORS, down=False, whole=True, a_apart=(_DEPTH, _APART))


@inner()
def is_large(rows: int, columns: int, depth: int, down: int, item: int) -> bool:
    """Tell whether copying both matrices pays."""
    if down != 0 and depth >= _DEPTH:
        return rows > 2 * ROWS[0] and 4 * columns * item > REGISTER
    is_broad = rows >= 8 * ROWS[0] and columns * item >= 4 * WIDTH
    return is_broad and rows * columns * depth >= _LARGE


@inner()
def _tile(team: int, rows: int, columns: int, item: int) -> tuple[int, int]:
    """Return how many rows and how many panels of C a thread takes at once.

    All threads are to be done at the same time, and to copy little of what others copy as well.
    """
    threads = threads_of(team)
    panels = (columns * item + WIDTH - 1) // WIDTH
    best_tall, best_wide, least = _TALL, _GROUP, -1
    wide = min(_GROUP, panels)
    while True:
        groups = (panels + wide - 1) // wide
        for rounds in range(1, _MOST_ROUNDS + 1):
            parts = max(rounds * threads // groups, (rows + _TALL - 1) // _TALL, 1)
            blocks = ((rows + parts - 1) // parts + ROWS[0] - 1) // ROWS[0]
            tall = blocks * ROWS[0]
            tiles = groups * ((rows + tall - 1) // tall)
            work = (tiles + threads - 1) // threads * (tall + _COPIED_IN) * (wide + 1)
            if least < 0 or work < least:
                best_tall, best_wide, least = tall, wide, work
        if wide <= _FEWEST or threads == 1:
            return best_tall, best_wide
        wide = (wide + 1) // 2


@inner()
def large_tiles(team: int, rows: int, columns: int, item: int) -> int:
    """Return into how many tiles a large product falls."""
    tall, wide = _tile(team, rows, columns, item)
    groups = (columns * item + wide * WIDTH - 1) // (wide * WIDTH)
    tiles: int = groups * ((rows + tall - 1) // tall)
    return tiles


@inner()
def fill_large(
    kind: Any, item: int, team: int, tile: int,
    rows: int, columns: int, depth: int,
    a: int, a_apart: int, down: int,
    b: int, b_apart: int, turned: int,
    c: int, start: int, start_apart: int,
    panel: int,
) -> None:  # fmt: skip
    """Fill a tile of ``C = start + A @ B``; the arguments are those of `product`."""
    across = WIDTH // item
    tall, group = _tile(team, rows, columns, item)
    groups = (columns + group * across - 1) // (group * across)
    top, left = tile // groups * tall, tile % groups * group * across
    bottom, right = min(top + tall, rows), min(left + group * across, columns)
    height = _HEIGHT * 4 // item
    copied, copied_apart = panel + _PANELS_SIZE, _DEPTH * item + _APART
    c_apart = columns * item
    pieces = (depth + _DEPTH - 1) // _DEPTH
    deep = (depth + pieces - 1) // pieces
    for above in range(0, depth, deep):
        terms = min(deep, depth - above)
        _copy_panels(kind, item, b, b_apart, turned, above, terms, left, right, panel)
        for row in range(top, bottom, height):
            high = min(height, bottom - row)
            if down != 0:
                source = a + above * a_apart + row * item
                turn_matrix(kind, item, source, a_apart, copied, copied_apart, terms, high)
            else:
                for k in range(high):
                    source = a + (row + k) * a_apart + above * item
                    copy_bytes(source, copied + k * copied_apart, terms * item)
            for column in range(left, right, across):
                wide, lines = min(across, right - column), panel + (column - left) * item * terms
                out = c + row * c_apart + column * item
                before, before_apart = start + row * start_apart + column * item, start_apart
                if above > 0:
                    before, before_apart = out, c_apart
                if wide * item <= REGISTER:
                    fill_narrow(
                        kind, high, wide, terms, copied, copied_apart, copied_apart,
                        lines, WIDTH, out, c_apart, before, before_apart,
                    )  # fmt: skip
                else:
                    _fill_wide(
                        kind, high, wide, terms, copied, copied_apart, copied_apart, lines, WIDTH,
                        out, c_apart, before, before_apart,
                    )  # fmt: skip


@inner()
def _copy_panels(
    kind: Any, item: int, b: int, b_apart: int, turned: int, above: int, terms: int, left: int,
    right: int, panel: int,
) -> None:  # fmt: skip
    """Copy columns of some rows of B, each panel by itself."""
    across = WIDTH // item
    if turned != 0:
        for column in range(left, right, across):
            source = b + column * b_apart + above * item
            place = panel + (column - left) * item * terms
            wide = min(across, right - column)
            turn_matrix(kind, item, source, b_apart, place, WIDTH, wide, terms)
        return
    for k in range(terms):
        for column in range(left, right, across):
            source = b + (above + k) * b_apart + column * item
            place = panel + (column - left) * item * terms + k * WIDTH
            copy_row(kind, source, place, min(across, right - column))
