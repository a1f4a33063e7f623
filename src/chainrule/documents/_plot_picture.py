"""Curves as SVG, in the page's own colours, each with its name at its end."""

from __future__ import annotations

import html
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from chainrule.documents._svg_mathematics import svg_mathematics

_WIDTH, _HEIGHT = 900.0, 460.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 66.0, 110.0, 18.0, 46.0
_COLOURS = ("var(--accent)", "var(--second)", "var(--third)")
_DASHES = ("", ";stroke-dasharray:9 4", ";stroke-dasharray:2.5 4")
_LABEL_GAP = 28.0
_RARE = 40  # one point in that many may be the peak of a pole

_LARGEST = 1e9

Point = tuple[float, float]


@dataclass(frozen=True)
class Curve:
    """A curve in stretches that are not joined.

    Parameters
    ----------
    name : str
        In the notation of `text_of`.
    stretches : tuple of tuple of (float, float)
    """

    name: str
    stretches: tuple[tuple[Point, ...], ...]


@dataclass(frozen=True)
class _Frame:
    """The part of the plane that is seen, and its place in the picture."""

    low_x: float
    high_x: float
    low: float
    high: float

    def place(self, x: float, y: float) -> Point:
        across = (x - self.low_x) / (self.high_x - self.low_x)
        up = (y - self.low) / (self.high - self.low)
        return (
            _LEFT + across * (_WIDTH - _LEFT - _RIGHT),
            _HEIGHT - _BOTTOM - up * (_HEIGHT - _TOP - _BOTTOM),
        )


def plot_picture(
    curves: tuple[Curve, ...], title: str, kinks: tuple[float, ...] = (), variable: str = "z"
) -> str:
    """Return curves over a common axis as one ``<svg>``; values far outside are cut off."""
    points = [p for c in curves for s in c.stretches for p in s if math.isfinite(p[1])]
    if not points:
        return f'<svg role="img" width="10" height="10"><title>{html.escape(title)}</title></svg>'
    frame = _frame(curves)
    parts = [
        f'<svg role="img" class="plot" viewBox="0 0 {_WIDTH:g} {_HEIGHT:g}" width="{_WIDTH:g}" '
        f'height="{_HEIGHT:g}" style="width:min(100%,60em)" font-size="15" '
        f'font-family="system-ui, sans-serif"><title>{html.escape(title)}</title>'
    ]
    parts += _axes(frame, variable)
    for kink in kinks:
        x, _ = frame.place(kink, frame.low)
        parts.append(
            f'<path d="M{x:.1f} {_TOP:g}V{_HEIGHT - _BOTTOM:g}" '
            'style="stroke:var(--soft);stroke-dasharray:4 5"/>'
        )
    ends: list[tuple[str, str, Point]] = []
    for k, curve in enumerate(curves):
        colour, dash = _COLOURS[k % len(_COLOURS)], _DASHES[k % len(_DASHES)]
        drawn = [line for s in curve.stretches for line in _inside(s, frame)]
        path = "".join(_path(line, frame) for line in drawn)
        parts.append(
            f'<path d="{path}" style="fill:none;stroke:{colour};stroke-width:2.6;'
            f'stroke-linejoin:round{dash}"/>'
        )
        if drawn:
            ends.append((curve.name, colour, frame.place(*drawn[-1][-1])))
    for kink in kinks:
        for line in curves[0].stretches[:-1]:
            if line and abs(line[-1][0] - kink) < (frame.high_x - frame.low_x) / 100:
                x, y = frame.place(kink, line[-1][1])
                if _TOP <= y <= _HEIGHT - _BOTTOM:
                    parts.append(
                        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" '
                        'style="fill:var(--paper);stroke:var(--accent);stroke-width:2.4"/>'
                    )
    parts += _names(ends)
    return "".join(parts) + "</svg>"


def _frame(curves: Sequence[Curve]) -> _Frame:
    """Return what is to be seen: the first curve, and of the others what is not far from it."""
    across: list[float] = []
    low, high, nearest = math.inf, -math.inf, math.inf
    for curve in curves:
        points = [p for s in curve.stretches for p in s if math.isfinite(p[1])]
        if not points:
            continue
        across += [x for x, _ in points]
        own_low, own_high = reach([y for _, y in points])
        if high < low:
            nearest = 1.5 * (own_high - own_low) or math.inf
            low, high = own_low, own_high
        first_low, first_high = low, high
        low = min(low, max(own_low, first_low - nearest))
        high = max(high, min(own_high, first_high + nearest))
    margin = 0.07 * (high - low) or 1.0
    low_x, high_x = min(across), max(across)
    if low_x == high_x:
        low_x, high_x = low_x - 1.0, high_x + 1.0
    return _Frame(low_x, high_x, low - margin, high + margin)


def reach(heights: Sequence[float]) -> tuple[float, float]:
    """Return the least and the largest height to be seen: the peaks of poles are cut off."""
    ordered = sorted(max(-_LARGEST, min(_LARGEST, y)) for y in heights)
    few = len(ordered) // _RARE
    low, high = ordered[few], ordered[-1 - few]
    span = (high - low) or math.inf
    return (
        ordered[0] if ordered[0] >= low - span else low - span / 4,
        ordered[-1] if ordered[-1] <= high + span else high + span / 4,
    )


def _inside(stretch: Sequence[Point], frame: _Frame) -> Iterator[list[Point]]:
    """Yield the parts of a polyline that are seen, cut at the edges of the frame."""
    line: list[Point] = []
    before: Point | None = None
    for point in stretch:
        if not math.isfinite(point[1]):
            if line:
                yield line
            line, before = [], None
            continue
        seen = frame.low <= point[1] <= frame.high
        if before is not None and seen != (frame.low <= before[1] <= frame.high):
            line.append(_crossing(before, point, frame))
        if seen:
            line.append(point)
        elif line:
            yield line
            line = []
        before = point
    if line:
        yield line


def _crossing(x: Point, y: Point, frame: _Frame) -> Point:
    outside = x if not frame.low <= x[1] <= frame.high else y
    edge = frame.high if outside[1] > frame.high else frame.low
    share = (edge - x[1]) / (y[1] - x[1])
    return x[0] + share * (y[0] - x[0]), edge


def _path(line: Sequence[Point], frame: _Frame) -> str:
    places = (frame.place(*point) for point in line)
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in places)


def _names(ends: list[tuple[str, str, Point]]) -> list[str]:
    """Write each curve's name where it leaves the picture, one below the other where they meet."""
    parts: list[str] = []
    taken: list[Point] = []
    for name, colour, (x, y) in sorted(ends, key=lambda end: end[2][1]):
        height = y + 6
        if x < _WIDTH - _RIGHT - 1:  # it left at the top or the bottom
            height = y + 18 if y < _HEIGHT / 2 else y - 10
        while any(abs(x - u) < _RIGHT and abs(height - v) < _LABEL_GAP for u, v in taken):
            height += _LABEL_GAP / 2
        taken.append((x, height))
        parts.append(svg_mathematics(name, x + 10, height, 18, colour, anchor="start", halo=True))
    return parts


def _axes(frame: _Frame, variable: str) -> Iterator[str]:
    for tick in _ticks(frame.low_x, frame.high_x, 8):
        x, _ = frame.place(tick, frame.low)
        yield _line(x, _TOP, x, _HEIGHT - _BOTTOM, axis=tick == 0)
        yield _label(x, _HEIGHT - _BOTTOM + 25, _tick_text(tick), "middle")
    for tick in _ticks(frame.low, frame.high, 6):
        _, y = frame.place(frame.low_x, tick)
        yield _line(_LEFT, y, _WIDTH - _RIGHT, y, axis=tick == 0)
        yield _label(_LEFT - 9, y + 5, _tick_text(tick), "end")
    yield svg_mathematics(
        variable, _WIDTH - _RIGHT + 14, _HEIGHT - _BOTTOM + 25, 18, "var(--soft)", anchor="start"
    )


def _ticks(low: float, high: float, count: int) -> tuple[float, ...]:
    raw = (high - low) / count
    base = 10.0 ** math.floor(math.log10(raw))
    step = next(m * base for m in (1, 2, 5, 10) if m * base >= raw)
    return tuple(k * step for k in range(math.ceil(low / step), math.floor(high / step) + 1))


def _tick_text(tick: float) -> str:
    return f"{tick:.6g}" if abs(tick) < 1e5 else f"{tick:.3g}"


def _line(x: float, y: float, to_x: float, to_y: float, *, axis: bool) -> str:
    colour = "var(--soft)" if axis else "var(--line)"
    return f'<path d="M{x:.1f} {y:.1f}L{to_x:.1f} {to_y:.1f}" style="stroke:{colour}"/>'


def _label(x: float, y: float, text: str, anchor: str) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text {place} style="fill:var(--soft)">{html.escape(text.replace("-", "−"))}</text>'
