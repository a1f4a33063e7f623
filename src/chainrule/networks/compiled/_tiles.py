"""How threads share matrices: in tiles of some rows or some columns."""

from __future__ import annotations

from chainrule.kernels.compiling._parts import inner

COLUMNS = 64  # that a thread takes at once, where sums run over the rows
_TILE = 8192  # elements likewise


@inner()
def rows_at_once(width: int) -> int:
    """Return how many rows of a matrix make a tile."""
    return max(_TILE // width, 1)


@inner()
def tiles_of(count: int, size: int) -> int:
    """Return how many tiles of a size cover a count."""
    return (count + size - 1) // size
