"""Curves as SVG, in the page's own colours."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

_WIDTH, _HEIGHT, _LEFT, _TOP, _BOTTOM = 760, 400, 56, 34, 34
_LINES = ("var(--accent)", "var(--second)", "var(--third)")


@dataclass(frozen=True)
class Curve:
    """A curve in stretches that are not joined.

    Parameters
    ----------
    name : str
    stretches : tuple of tuple of (float, float)
    """

    name: str
    stretches: tuple[tuple[tuple[float, float], ...], ...]


def plot_picture(curves: tuple[Curve, ...], title: str, kinks: tuple[float, ...] = ()) -> str:
    """Return curves over a common axis as one ``<svg>``; values far outside are cut off."""
    points = [p for c in curves for s in c.stretches for p in s if math.isfinite(p[1])]
    if not points:
        return f'<svg role="img" width="10" height="10"><title>{html.escape(title)}</title></svg>'
    low_x, high_x = min(p[0] for p in points), max(p[0] for p in points)
    heights = sorted(max(-1e9, min(1e9, p[1])) for p in points)
    low, high = heights[len(heights) // 50], heights[-1 - len(heights) // 50]
    margin = 0.08 * (high - low) or 1.0
    low, high = low - margin, high + margin

    def place(x: float, y: float) -> tuple[float, float]:
        across = (x - low_x) / ((high_x - low_x) or 1.0)
        up = (max(low, min(high, y)) - low) / (high - low)
        return _LEFT + across * (_WIDTH - _LEFT - 12), _HEIGHT - _BOTTOM - up * (
            _HEIGHT - _TOP - _BOTTOM
        )

    parts = [
        f'<svg role="img" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}" '
        f'font-size="13" font-family="system-ui, sans-serif"><title>{html.escape(title)}</title>'
    ]
    for tick in _ticks(low_x, high_x):
        x, _ = place(tick, low)
        parts.append(_line(x, _TOP, x, _HEIGHT - _BOTTOM, tick == 0))
        parts.append(_label(x, _HEIGHT - 14, f"{tick:g}", "middle"))
    for tick in _ticks(low, high):
        _, y = place(low_x, tick)
        parts.append(_line(_LEFT, y, _WIDTH - 12, y, tick == 0))
        parts.append(_label(_LEFT - 8, y + 4, f"{tick:g}", "end"))
    for kink in kinks:
        x, _ = place(kink, low)
        parts.append(
            f'<path d="M{x:.1f} {_TOP}V{_HEIGHT - _BOTTOM}" '
            'style="stroke:var(--soft);stroke-dasharray:4 4"/>'
        )
    for k, curve in enumerate(curves):
        colour = _LINES[k % len(_LINES)]
        path = "".join(_path(s, place, low, high) for s in curve.stretches)
        parts.append(f'<path d="{path}" style="fill:none;stroke:{colour};stroke-width:2.4"/>')
        x = _LEFT + 150 * k
        parts.append(f'<path d="M{x} 14h22" style="stroke:{colour};stroke-width:3"/>')
        parts.append(_label(x + 28, 18, html.escape(curve.name), "start"))
    return "".join(parts) + "</svg>"


def _path(
    stretch: Sequence[tuple[float, float]],
    place: Callable[[float, float], tuple[float, float]],
    low: float,
    high: float,
) -> str:
    path, drawing = "", False
    for x, y in stretch:
        inside = math.isfinite(y) and low <= y <= high
        if inside:
            across, down = place(x, y)
            path += f"{'L' if drawing else 'M'}{across:.1f} {down:.1f}"
        drawing = inside
    return path


def _ticks(low: float, high: float) -> tuple[float, ...]:
    raw = (high - low) / 7
    base = 10.0 ** math.floor(math.log10(raw))
    step = next(m * base for m in (1, 2, 5, 10) if m * base >= raw)
    return tuple(k * step for k in range(math.ceil(low / step), math.floor(high / step) + 1))


def _line(x: float, y: float, to_x: float, to_y: float, axis: bool) -> str:
    colour = "var(--soft)" if axis else "var(--line)"
    return f'<path d="M{x:.1f} {y:.1f}L{to_x:.1f} {to_y:.1f}" style="stroke:{colour}"/>'


def _label(x: float, y: float, text: str, anchor: str) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text {place} style="fill:var(--ink)">{text}</text>'
