"""Where the nodes of a graph stand: columns from left to right, edges between without crossings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

GAP_Y, MARGIN = 22.0, 14.0
_LANE = 12.0  # the height of an edge that passes through a column
_SWEEPS = 12


@dataclass(frozen=True)
class Box:
    """The place of a node: its left upper corner and its size."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Size:
    """What a node needs: its column, its size, and the nodes from which edges come.

    Parameters
    ----------
    level : int
    width, height : float
    arguments : tuple of int
    gap : float
        The room that the edges to it need on their left.
    """

    level: int
    width: float
    height: float
    arguments: tuple[int, ...]
    gap: float


@dataclass(frozen=True)
class Layout:
    """Boxes of the nodes, and for each edge (from, to) the points through which it goes."""

    boxes: tuple[Box, ...]
    ways: dict[tuple[int, int], tuple[tuple[float, float], ...]]
    width: float
    height: float


@dataclass
class _Place:
    """A node, or an edge where it passes a column."""

    column: int
    height: float
    left: list[int] = field(default_factory=list)
    right: list[int] = field(default_factory=list)
    middle: float = 0.0


def layout(sizes: Sequence[Size]) -> Layout:
    """Place nodes in a column a level; an edge over several columns gets a lane in each."""
    levels = sorted({size.level for size in sizes})
    column_of = {level: k for k, level in enumerate(levels)}
    places = [_Place(column_of[size.level], size.height) for size in sizes]
    lanes: dict[tuple[int, int], list[int]] = {}
    for k, size in enumerate(sizes):
        for argument in dict.fromkeys(size.arguments):
            lanes[argument, k] = _joined(places, argument, k)
    columns: list[list[int]] = [[] for _ in levels]
    for k, place in enumerate(places):
        columns[place.column].append(k)
    _stack(places, columns)
    for sweep in range(_SWEEPS):
        _order(places, columns, forwards=sweep % 2 == 0)
    for sweep in range(_SWEEPS):
        _straighten(places, columns, forwards=sweep % 2 == 1)
    top = min(p.middle - p.height / 2 for p in places) - MARGIN
    lefts, x = [], MARGIN
    widths = [max((s.width for s in sizes if column_of[s.level] == k), default=0)
              for k in range(len(levels))]  # fmt: skip
    for k, width in enumerate(widths):
        x += max((s.gap for s in sizes if column_of[s.level] == k and s.arguments), default=0)
        lefts.append(x)
        x += width
    boxes = tuple(
        Box(lefts[p.column], p.middle - p.height / 2 - top, widths[p.column], p.height)
        for p in places[: len(sizes)]
    )
    ways = {
        edge: tuple(
            point
            for lane in passed
            for point in (
                (lefts[places[lane].column], places[lane].middle - top),
                (lefts[places[lane].column] + widths[places[lane].column],
                 places[lane].middle - top),
            )
        )
        for edge, passed in lanes.items()
    }  # fmt: skip
    bottom = max(p.middle + p.height / 2 for p in places) + MARGIN
    return Layout(boxes, ways, x + MARGIN, bottom - top)


def _joined(places: list[_Place], start: int, end: int) -> list[int]:
    """Join two nodes through a lane in every column between them."""
    lanes = []
    before = start
    for column in range(places[start].column + 1, places[end].column):
        places.append(_Place(column, _LANE))
        lanes.append(len(places) - 1)
        _join(places, before, lanes[-1])
        before = lanes[-1]
    _join(places, before, end)
    return lanes


def _join(places: list[_Place], start: int, end: int) -> None:
    places[start].right.append(end)
    places[end].left.append(start)


def _stack(places: list[_Place], columns: list[list[int]]) -> None:
    for column in columns:
        height = sum(places[k].height + GAP_Y for k in column)
        y = -height / 2
        for k in column:
            places[k].middle = y + places[k].height / 2
            y += places[k].height + GAP_Y


def _order(places: list[_Place], columns: list[list[int]], *, forwards: bool) -> None:
    """Sort each column by the mean height of its neighbours: few edges cross."""
    for column in columns if forwards else columns[::-1]:
        column.sort(key=lambda k: (_mean(places, k, forwards=forwards), k))
    _stack(places, columns)


def _straighten(places: list[_Place], columns: list[list[int]], *, forwards: bool) -> None:
    """Move each node towards its neighbours as far as those of its column let it."""
    for column in columns if forwards else columns[::-1]:
        wanted = [_mean(places, k, forwards=None) for k in column]
        down = _apart(places, column, wanted, 1)
        up = _apart(places, column, wanted, -1)
        for k, low, high in zip(column, down, up, strict=True):
            places[k].middle = (low + high) / 2


def _apart(
    places: list[_Place], column: list[int], wanted: list[float], direction: int
) -> list[float]:
    """Return heights near the wanted ones, pushed apart in one direction."""
    found: list[float] = [0.0] * len(column)
    before: int | None = None
    order: Iterable[int] = range(len(column))
    for position in order if direction > 0 else reversed(range(len(column))):
        found[position] = wanted[position]
        if before is not None:
            room = (places[column[before]].height + places[column[position]].height) / 2 + GAP_Y
            edge = found[before] + direction * room
            found[position] = direction * max(direction * edge, direction * wanted[position])
        before = position
    return found


def _mean(places: list[_Place], k: int, *, forwards: bool | None) -> float:
    place = places[k]
    near = place.left + place.right if forwards is None else place.left if forwards else place.right
    return sum(places[n].middle for n in near) / len(near) if near else place.middle
