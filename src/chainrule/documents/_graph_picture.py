"""A computation graph as SVG, in the page's own colours."""

from __future__ import annotations

import html
from dataclasses import dataclass

from chainrule.documents._graph_layout import Box, Layout, Size, layout
from chainrule.documents._svg_mathematics import mathematics_width, svg_mathematics

_PADDING, _GAP_X, _LONGEST_LABEL = 10.0, 36.0, 15
_SIZE, _SMALL = 18.0, 14.0
_PIXELS, _SMALLEST = 16.0, 0.75  # pixels an em; how far a picture shrinks before it scrolls
_LINE, _VALUES = 40.0, 24.0


@dataclass(frozen=True)
class GraphNode:
    """A node of a picture.

    Parameters
    ----------
    text : str
        In the notation of `text_of`; subscripts and Greek letters are set as such.
    level : int
        The column in which it stands.
    arguments : tuple of int
        Positions of the nodes from which arrows come.
    labels : tuple of str
        What stands at each of these arrows.
    forward, backward : str
        What the node holds, and the derivative of the output by it, at an example.
    link : str
        The name of the equation to which it leads.
    """

    text: str
    level: int
    arguments: tuple[int, ...]
    labels: tuple[str, ...] = ()
    forward: str = ""
    backward: str = ""
    link: str = ""


def graph_layout(nodes: tuple[GraphNode, ...]) -> Layout:
    """Place nodes in a column a level, each box as wide as its column."""
    return layout([_size(node) for node in nodes])


def _size(node: GraphNode) -> Size:
    values = mathematics_width(f"{node.forward}   {node.backward}", _SMALL)
    width = max(mathematics_width(node.text, _SIZE), values) + 2 * _PADDING
    labels = [mathematics_width(label, _SMALL) for label in _short(node)]
    height = _LINE + (_VALUES if node.forward or node.backward else 0.0)
    return Size(node.level, width, height, node.arguments, _GAP_X + max(labels, default=0.0))


def _short(node: GraphNode) -> tuple[str, ...]:
    """Return the labels that fit between two columns; the others stand in the step."""
    return tuple(label if len(label) <= _LONGEST_LABEL else "" for label in node.labels)


def graph_picture(nodes: tuple[GraphNode, ...], title: str) -> str:
    """Return a graph as one ``<svg>`` element, levels from left to right."""
    placed = graph_layout(nodes)
    parts = [
        f'<svg role="img" viewBox="0 0 {placed.width:.0f} {placed.height:.0f}" '
        f'style="width:{placed.width / _PIXELS:.1f}em;'
        f'max-width:max(100%,{_SMALLEST * placed.width / _PIXELS:.1f}em)">'
        f"<title>{html.escape(title)}</title>"
    ]
    labels = []
    for k, (node, box) in enumerate(zip(nodes, placed.boxes, strict=True)):
        for position, argument in enumerate(dict.fromkeys(node.arguments)):
            start = placed.boxes[argument]
            parts.append(
                _arrow(start, placed.ways[argument, k], box, _port(nodes, placed, k, argument))
            )
            label = _short(node)[position] if node.labels else ""
            if label:
                labels.append(_label(start, placed.ways[argument, k], box,
                                     _port(nodes, placed, k, argument), label))  # fmt: skip
    parts += labels
    parts += [_box(node, box) for node, box in zip(nodes, placed.boxes, strict=True)]
    return "".join(parts) + "</svg>"


def _port(nodes: tuple[GraphNode, ...], placed: Layout, k: int, argument: int) -> float:
    """Return the height at which an edge arrives: in the order in which edges come."""
    box = placed.boxes[k]

    def before(a: int) -> float:
        way = placed.ways[a, k]
        return way[-1][1] if way else placed.boxes[a].y + placed.boxes[a].height / 2

    order = sorted(dict.fromkeys(nodes[k].arguments), key=before)
    share = (order.index(argument) + 1) / (len(order) + 1)
    return box.y + box.height * (0.5 + 0.7 * (share - 0.5))


def _arrow(start: Box, way: tuple[tuple[float, float], ...], end: Box, port: float) -> str:
    x, y = start.x + start.width, start.y + start.height / 2
    path = f"M{x:.1f} {y:.1f}"
    points = [*way, (end.x, port)]
    for k, (to_x, to_y) in enumerate(points):
        if k % 2:  # along a lane of a column
            path += f"H{to_x:.1f}"
        else:
            middle = (x + to_x) / 2
            path += f"C{middle:.1f} {y:.1f} {middle:.1f} {to_y:.1f} {to_x:.1f} {to_y:.1f}"
        x, y = to_x, to_y
    head = f"M{x - 8:.1f} {y - 4.5:.1f}L{x:.1f} {y:.1f}L{x - 8:.1f} {y + 4.5:.1f}"
    return f'<path d="{path}{head}" style="fill:none;stroke:var(--soft);stroke-width:1.4"/>'


def _label(
    start: Box, way: tuple[tuple[float, float], ...], end: Box, port: float, label: str
) -> str:
    x, y = way[-1] if way else (start.x + start.width, start.y + start.height / 2)
    middle_x, middle_y = (x + end.x) / 2, (y + port) / 2
    width = mathematics_width(label, _SMALL)
    # A halo of the letters alone would let the arrow through where there is a space.
    ground = (
        f'<rect x="{middle_x - width / 2:.1f}" y="{middle_y - _SMALL / 2:.1f}" '
        f'width="{width:.1f}" height="{_SMALL:g}" style="fill:var(--paper)"/>'
    )
    return ground + svg_mathematics(
        label, middle_x, middle_y + 4.5, _SMALL, "var(--third)", anchor="middle", halo=True
    )


def _box(node: GraphNode, box: Box) -> str:
    middle = box.x + box.width / 2
    parts = [
        f'<rect x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" '
        f'height="{box.height:.1f}" rx="8" '
        'style="fill:var(--panel);stroke:var(--line);stroke-width:1.4"/>',
        svg_mathematics(node.text, middle, box.y + 26, _SIZE, "var(--ink)", anchor="middle"),
    ]
    low = box.y + box.height - 10
    if node.forward:
        parts.append(
            svg_mathematics(node.forward, box.x + 10, low, _SMALL, "var(--accent)", anchor="start")
        )
    if node.backward:
        parts.append(
            svg_mathematics(
                node.backward, box.x + box.width - 10, low, _SMALL, "var(--second)", anchor="end"
            )
        )
    inner = "".join(parts)
    # The page knows the anchors; a link it does not know is taken out again.
    return (
        f'<a href="#name:{html.escape(node.link, quote=True)}">{inner}</a>' if node.link else inner
    )
