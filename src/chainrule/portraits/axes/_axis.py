"""A piecewise function on its domain: the signs of its derivatives and the limits at all ends."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from chainrule.derivations import Pieces
from chainrule.formulas import Expression
from chainrule.portraits._statement import Bounds, bounds_of, place
from chainrule.portraits.axes._domain import Edge, Span, breakpoint_edges
from chainrule.portraits.axes._line import Line
from chainrule.portraits.axes._places import exact_value, is_defined, near
from chainrule.portraits.enclosures._interval import Program
from chainrule.portraits.enclosures._signs import Signs
from chainrule.portraits.far_out._series import Wave


@dataclass(frozen=True)
class Axis:
    """A function on its whole domain.

    Parameters
    ----------
    lines : tuple of Line
        From left to right.
    edges : tuple of Edge
        The breakpoints.
    owns : tuple of Expression
        What holds at each breakpoint itself.
    parameters : dict
    """

    lines: tuple[Line, ...]
    edges: tuple[Edge, ...]
    owns: tuple[Expression, ...]
    parameters: dict[str, float]
    _signs: dict[int, Signs] = field(default_factory=dict, compare=False)

    def signs(self, order: int) -> Signs:
        """Return the signs of a derivative on every span."""
        if order not in self._signs:
            parts = [line.signs(order) for line in self.lines]
            self._signs[order] = Signs(
                tuple(s for part in parts for s in part.stretches),
                tuple(z for part in parts for z in part.zeros),
            )
        return self._signs[order]

    def transformed(self, by: Callable[[Expression], Expression]) -> Axis:
        """Return another function on the same domain."""
        lines = tuple(line.transformed(by) for line in self.lines)
        owns = tuple(by(e) for e in self.owns)
        return Axis(lines, self.edges, owns, self.parameters)

    def open_ends(self) -> list[tuple[Line, int, str]]:
        """Return the ends of spans (0 low, 1 high) that the function does not reach, by name."""
        found = []
        for line in self.lines:
            for end, (edge, side) in enumerate(
                ((line.span.low, "from the right"), (line.span.high, "from the left"))
            ):
                if math.isinf(edge.place):
                    found.append((line, end, "∞" if edge.place > 0 else "-∞"))
                elif edge.breakpoint is None or not line.is_regular(end, 0):
                    found.append((line, end, f"{place(edge.place)} {side}"))
        return found

    def waves(self, order: int) -> list[tuple[Line, str, Wave]]:
        """Return towards which ends a derivative swings for ever, and how."""
        found = [(line, side, line.ends[end].wave(order)) for line, end, side in self.open_ends()]
        return [(line, side, wave) for line, side, wave in found if wave is not None]

    @property
    def is_everywhere(self) -> bool:
        """Whether the spans leave out nothing but breakpoints."""
        wanted = [-math.inf, *(edge.place for edge in self.edges), math.inf]
        found = [(line.span.low.place, line.span.high.place) for line in self.lines]
        return found == list(pairwise(wanted))

    @property
    def is_almost_everywhere(self) -> bool:
        """Whether the spans leave out nothing but single places."""
        ends = [(line.span.low.place, line.span.high.place) for line in self.lines]
        return (ends[0][0], ends[-1][1]) == (-math.inf, math.inf) and all(
            before[1] == after[0] for before, after in pairwise(ends)
        )

    @property
    def gaps(self) -> list[float]:
        """The ends of spans, other than breakpoints, between which the function is cut."""
        edges = [edge for line in self.lines for edge in (line.span.low, line.span.high)]
        return [edge.place for edge in edges if edge.breakpoint is None]

    def own_value(self, k: int) -> Bounds | None:
        """Return bounds of the value at a breakpoint itself; None where it is undefined."""
        edge = self.edges[k]
        if not is_defined(self.owns[k], self.parameters, edge):
            return None
        exact = None if edge.is_rounded else exact_value(self.owns[k], self.parameters, edge.exact)
        if exact is not None and exact.is_Rational:
            return bounds_of(exact)
        return near(Program(self.owns[k], self.parameters), edge)


def axis(pieces: Pieces, spans: tuple[Span, ...], parameters: Mapping[str, float]) -> Axis:
    """Return a piecewise function on the spans of its domain."""
    lines = tuple(Line(span, pieces.pieces[span.piece].expression, parameters) for span in spans)
    edges = tuple(breakpoint_edges(pieces, parameters))
    owns = tuple(b.value for b in pieces.breakpoints)
    return Axis(lines, edges, owns, dict(parameters))
