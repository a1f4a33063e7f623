"""A computation graph as SVG, in the page's own colours."""

from __future__ import annotations

import html
from dataclasses import dataclass

_HEIGHT, _GAP_X, _GAP_Y, _CHARACTER, _MARGIN, _LANE = 34, 28, 26, 8.7, 12, 14


@dataclass(frozen=True)
class GraphNode:
    """A node of a picture.

    Parameters
    ----------
    text : str
    level : int
        The column in which it stands.
    arguments : tuple of int
        Positions of the nodes from which arrows come.
    """

    text: str
    level: int
    arguments: tuple[int, ...]


@dataclass(frozen=True)
class Box:
    """The place of a node: its left upper corner and its size."""

    x: float
    y: float
    width: float
    height: float


def graph_layout(nodes: tuple[GraphNode, ...]) -> tuple[Box, ...]:
    """Place nodes in a column a level, near the mean height of their arguments."""
    levels: dict[int, list[int]] = {}
    for k, node in enumerate(nodes):
        levels.setdefault(node.level, []).append(k)
    tallest = max(len(column) for column in levels.values()) if levels else 0
    boxes: dict[int, Box] = {}
    x = float(_MARGIN)
    for level in sorted(levels):
        column = sorted(
            levels[level],
            key=lambda k: (
                sum(boxes[i].y for i in nodes[k].arguments if i in boxes)
                / max(1, sum(i in boxes for i in nodes[k].arguments)),
                k,
            ),
        )
        width = max(_CHARACTER * len(nodes[k].text) + 20 for k in column)
        y = _MARGIN + (tallest - len(column)) * (_HEIGHT + _GAP_Y) / 2
        for k in column:
            boxes[k] = Box(x, y, width, _HEIGHT)
            y += _HEIGHT + _GAP_Y
        x += width + 2 * _GAP_X
    return tuple(boxes[k] for k in range(len(nodes)))


def graph_picture(nodes: tuple[GraphNode, ...], title: str) -> str:
    """Return a graph as one ``<svg>`` element, levels from left to right."""
    boxes = graph_layout(nodes)
    width = max((b.x + b.width for b in boxes), default=0) + _MARGIN
    bottom = max((b.y + b.height for b in boxes), default=0) + _MARGIN
    arrows, lanes = [], 0
    for node, box in zip(nodes, boxes, strict=True):
        for k in node.arguments:
            if node.level - nodes[k].level > 1:
                # A straight way would vanish behind the boxes between.
                arrows.append(_detour(boxes[k], box, bottom, lanes))
                lanes += 1
            else:
                arrows.append(_arrow(boxes[k], box))
    height = bottom + _LANE * lanes + _MARGIN
    parts = [
        f'<svg role="img" width="{width:.0f}" height="{height:.0f}" style="max-width:none" '
        f'viewBox="0 0 {width:.0f} {height:.0f}"><title>{html.escape(title)}</title>'
    ]
    parts += arrows
    for node, box in zip(nodes, boxes, strict=True):
        parts.append(
            f'<rect x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" '
            f'height="{box.height}" rx="7" style="fill:var(--panel);stroke:var(--line)"/>'
            f'<text x="{box.x + box.width / 2:.1f}" y="{box.y + 22:.1f}" font-size="14" '
            f'text-anchor="middle" font-family="ui-monospace, monospace" '
            f'style="fill:var(--ink)">{html.escape(node.text)}</text>'
        )
    return "".join(parts) + "</svg>"


def _arrow(start: Box, end: Box) -> str:
    x, y = start.x + start.width, start.y + start.height / 2
    to_x, to_y = end.x, end.y + end.height / 2
    middle = to_x - _GAP_X
    return _path(
        f"M{x:.1f} {y:.1f}C{middle:.1f} {y:.1f} {middle:.1f} {to_y:.1f} {to_x:.1f} {to_y:.1f}", end
    )


def _detour(start: Box, end: Box, bottom: float, lane: int) -> str:
    """Go down between the columns, along a lane of its own under all boxes, and up again."""
    aside = 8 + 4 * (lane % 5)
    x, y = start.x + start.width, start.y + start.height / 2
    down, to_y = bottom + _LANE * lane, end.y + end.height / 2
    return _path(
        f"M{x:.1f} {y:.1f}H{x + aside:.1f}V{down:.1f}H{end.x - aside - 4:.1f}"
        f"V{to_y:.1f}H{end.x:.1f}",
        end,
    )


def _path(way: str, end: Box) -> str:
    x, y = end.x, end.y + end.height / 2
    head = f"M{x - 7:.1f} {y - 4:.1f}L{x:.1f} {y:.1f}L{x - 7:.1f} {y + 4:.1f}"
    return f'<path d="{way}{head}" style="fill:none;stroke:var(--soft);stroke-width:1.4"/>'
