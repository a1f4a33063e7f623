"""The learning curve as a picture inside of an HTML page."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Sequence

_INK = "#010203"  # stands for the page's colour of text
_LOSS, _SCORE = "#3987d5", "#d2702a"  # to be seen on white as on black


def learning_curve(
    losses: Sequence[float], scores: Sequence[float], score_name: str = "validation accuracy"
) -> str:
    """Return training loss and validation score over the epochs, as an SVG element.

    Parameters
    ----------
    losses, scores : sequence of float
        One number for each epoch.
    score_name : str
        What the score is.

    Returns
    -------
    str
        It has a transparent background and takes the page's colour of text and its fonts; it loads
        nothing and runs nothing.
    """
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    style = {
        "svg.fonttype": "none", "svg.hashsalt": "chainrule", "font.family": "sans-serif",
        "font.size": 11, "text.color": _INK, "axes.edgecolor": _INK, "axes.labelcolor": _INK,
        "xtick.color": _INK, "ytick.color": _INK, "axes.spines.top": False,
        "axes.spines.right": False, "path.simplify": False,
    }  # fmt: skip
    with rc_context(style):
        figure = Figure(figsize=(9.0, 3.6), layout="constrained")
        FigureCanvasSVG(figure)
        left, right = figure.subplots(1, 2)
        for axes, values, colour, name in (
            (left, losses, _LOSS, "training loss"),
            (right, scores, _SCORE, score_name),
        ):
            axes.plot(range(1, len(values) + 1), values, color=colour, linewidth=1.8)
            axes.set_xlabel("epoch")
            axes.set_title(name, fontsize=11)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.grid(True, color=_INK, alpha=0.15, linewidth=0.7)
        if losses and min(losses) > 0.0:
            left.set_yscale("log")
        written = io.StringIO()
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(written, format="svg", transparent=True, metadata=nothing)
    return _inline(written.getvalue(), f"Training loss and {score_name} over the epochs")


def _inline(svg: str, label: str) -> str:
    """Return a stand-alone SVG document as an element of a page."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r'\s+xmlns(:\w+)?="[^"]*"', "", svg).replace("xlink:href", "href")
    svg = svg.replace(_INK, "currentColor").replace("*{", "figure svg *{")
    svg = re.sub(r"font-family: [^;\"]*;\s*", "", svg)
    return svg.replace("<svg", f'<svg role="img" aria-label="{html.escape(label)}"', 1).strip()
