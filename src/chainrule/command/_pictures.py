"""Matplotlib's pictures inside of an HTML page."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Callable
from typing import Any

_INK = "#010203"  # stands for the page's colour of text


def page_picture(draw: Callable[[Any], object], size: tuple[float, float], label: str) -> str:
    """Return a picture as an SVG element.

    Parameters
    ----------
    draw : callable
        Draws into the Matplotlib figure that it is given.
    size : tuple of float
        Width and height in inches.
    label : str
        What is seen.

    Returns
    -------
    str
        It has a transparent background and takes the page's colour of text and its fonts; it loads
        nothing and runs nothing.
    """
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    style = {
        "svg.fonttype": "none", "svg.hashsalt": "chainrule", "font.family": "sans-serif",
        "font.size": 11, "text.color": _INK, "axes.edgecolor": _INK, "axes.labelcolor": _INK,
        "xtick.color": _INK, "ytick.color": _INK, "grid.color": _INK, "path.simplify": False,
    }  # fmt: skip
    with rc_context(style):
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasSVG(figure)
        draw(figure)
        written = io.StringIO()
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(written, format="svg", transparent=True, metadata=nothing)
    return _inline(written.getvalue(), label)


def _inline(svg: str, label: str) -> str:
    """Return a stand-alone SVG document as an element of a page."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r'\s+xmlns(:\w+)?="[^"]*"', "", svg).replace("xlink:href", "href")
    svg = svg.replace(_INK, "currentColor").replace("*{", "figure svg *{")
    svg = re.sub(r"font-family: [^;\"]*;\s*", "", svg)
    return svg.replace("<svg", f'<svg role="img" aria-label="{html.escape(label)}"', 1).strip()
