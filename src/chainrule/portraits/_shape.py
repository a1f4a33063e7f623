"""Statements on a function's shape: limits, range, monotone and bent stretches, slopes, zeros."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from chainrule.derivations._arithmetic import subtract
from chainrule.formulas import Variable
from chainrule.portraits._axis import Axis, Line, sign_at, without_terms_that_cancel
from chainrule.portraits._domain import Edge
from chainrule.portraits._signs import Signs
from chainrule.portraits._statement import Bounds, Statement, enclosed, place, unsettled
from chainrule.portraits._symmetry import Period

_MOST_STRETCHES = 16
_WORDS = {1: "increasing", -1: "decreasing", 0: "constant", None: "not settled"}
_STRETCH = "on a whole stretch"
_BENDS = {1: "convex", -1: "concave", 0: "affine", None: "not settled"}


@dataclass(frozen=True)
class Candidate:
    """A value that may be the largest or the smallest: with where, if it is taken at all."""

    bounds: Bounds
    where: str | None


def limits(axis: Axis) -> list[Statement]:
    """State the limits at both ends of every span that breaks off."""
    result = []
    for line, end, side in _open_ends(axis):
        known = line.at_end(end, 0)
        text = f"at {side}: {enclosed(known) if known else 'not settled'}"
        result.append(Statement("limit", text, known is not None, known))
    return result


def _open_ends(axis: Axis) -> list[tuple[Line, int, str]]:
    found = []
    for line in axis.lines:
        for end, (edge, side) in enumerate(
            ((line.span.low, "from the right"), (line.span.high, "from the left"))
        ):
            if math.isinf(edge.place):
                found.append((line, end, "∞" if edge.place > 0 else "-∞"))
            elif edge.breakpoint is None or not line.is_regular(end, 0):
                found.append((line, end, f"{place(edge.place)} {side}"))
    return found


def candidates(axis: Axis, order: int) -> list[Candidate] | None:
    """Return what encloses all extreme values of a derivative, or None where not settled."""
    signs = axis.signs(order + 1)
    if not signs.settled:
        return None
    found: list[Candidate] = []
    for line in axis.lines:
        for end, edge in enumerate((line.span.low, line.span.high)):
            bounds = line.at_end(end, order)
            if bounds is None:
                return None
            taken = order == 0 and edge.breakpoint is None and line.is_regular(end, 0)
            found.append(Candidate(bounds, place(edge.place) if taken else None))
        for s in signs.stretches:
            if s.sign == 0 and line.span.low.place <= s.low and s.high <= line.span.high.place:
                inside = _inside(s.low, s.high)
                found.append(Candidate(line.program(order).at(inside), _STRETCH))
        for zero in signs.zeros:
            if line.span.low.place <= zero.low and zero.high <= line.span.high.place:
                where = f"{(zero.low + zero.high) / 2 + 0.0:.8g}"
                found.append(Candidate(line.value(order, zero.low, zero.high), where))
    for k, edge in enumerate(axis.edges if order == 0 else ()):
        own = axis.own_value(k)
        if own is not None:
            found.append(Candidate(own, place(edge.place)))
    return found


def _inside(low: float, high: float) -> float:
    if math.isinf(low):
        return min(0.0, high - 1)
    return max(0.0, low + 1) if math.isinf(high) else (low + high) / 2


def extremes(axis: Axis) -> list[Statement]:
    """State infimum and supremum, and whether they are attained."""
    found = candidates(axis, 0)
    if not found:
        return [unsettled("range")]
    return [_extreme("infimum", found, -1), _extreme("supremum", found, 1)]


def _extreme(subject: str, found: list[Candidate], side: int) -> Statement:
    turned = [(min(side * x for x in c.bounds), max(side * x for x in c.bounds)) for c in found]
    low, high = max(t[0] for t in turned), max(t[1] for t in turned)
    bounds = (low, high) if side > 0 else (-high, -low)
    taken = [(t, c) for t, c in zip(turned, found, strict=True) if c.where is not None]
    others = [t for t, c in zip(turned, found, strict=True) if c.where is None]
    beaten = max((t[1] for t in others), default=-math.inf)
    if math.isinf(low):
        text = enclosed(bounds)
    elif any(t[0] >= beaten for t, _ in taken):
        where = {c.where: None for t, c in taken if t[1] >= low}
        sure = _STRETCH if _STRETCH in where else "at z = " + " or ".join(map(str, where))
        text = f"{enclosed(bounds)}, attained {sure}"
    elif all(t[1] < low for t, _ in taken):
        text = f"{enclosed(bounds)}, not attained"
    else:
        text = enclosed(bounds)
    return Statement(subject, text, True, bounds)


def steepest(axis: Axis) -> Bounds | None:
    """Enclose the largest slope, or return None where it is not settled."""
    found = candidates(axis, 1)
    if found is None or not axis.signs(1).settled:
        return None
    sizes = [
        (max(c.bounds[0], -c.bounds[1], 0.0), max(abs(c.bounds[0]), abs(c.bounds[1])))
        for c in found
    ]
    return max(s[0] for s in sizes), max(s[1] for s in sizes)


def jumps(axis: Axis) -> list[bool]:
    """Tell for each breakpoint whether the function may jump there."""
    result = []
    for k in range(len(axis.edges)):
        values = [
            line.at_end(end, 0)
            for line in axis.lines
            for end, edge in enumerate((line.span.low, line.span.high))
            if edge.breakpoint == k
        ]
        known = [v for v in (*values, axis.own_value(k)) if v and math.isfinite(v[0] + v[1])]
        if len(known) < 3:
            result.append(True)
            continue
        low, high = max(v[0] for v in known), min(v[1] for v in known)
        close = 1e-12 * (1 + abs(low))
        result.append(not (low <= high + close and max(v[1] - v[0] for v in known) <= close))
    return result


def stretches(
    subject: str, signs: Signs, words: dict[int | None, str], apart: list[float]
) -> list[Statement]:
    """State the sign of a derivative, stretch by stretch."""
    merged: list[tuple[float, float, int | None]] = []
    for s in signs.stretches:
        if s.low >= s.high:
            continue
        if merged and merged[-1][2] == s.sign and s.low == merged[-1][1] not in apart:
            merged[-1] = (merged[-1][0], s.high, s.sign)
        else:
            merged.append((s.low, s.high, s.sign))
    if len(merged) > _MOST_STRETCHES:
        reason = f"more than {_MOST_STRETCHES} stretches, as of a periodic function"
        return [unsettled(subject, reason)]
    return [
        Statement(
            subject,
            f"{words[sign]} on ({place(low)}, {place(high)})",
            sign is not None,
            (low, high),
        )
        for low, high, sign in merged
    ]


def monotone(axis: Axis, broken: list[float]) -> list[Statement]:
    """State where the function increases and where its derivative is zero."""
    signs = axis.signs(1)
    broken = broken + axis.gaps
    return stretches("monotone", signs, _WORDS, broken) + zeros("zero of the derivative", signs)


def bends(axis: Axis, bent: list[float]) -> list[Statement]:
    """State where the function is convex and where it bends the other way."""
    signs = axis.signs(2)
    odd = Signs(signs.stretches, tuple(z for z in signs.zeros if z.multiplicity % 2))
    return stretches("convexity", signs, _BENDS, bent + axis.gaps) + zeros("inflection point", odd)


def zeros(subject: str, signs: Signs) -> list[Statement]:
    """State zeros with their multiplicity."""
    if len(signs.zeros) > _MOST_STRETCHES:
        return []
    result = []
    for zero in signs.zeros:
        bounds = (zero.low, zero.high)
        often = "simple" if zero.multiplicity == 1 else f"of multiplicity {zero.multiplicity}"
        result.append(Statement(subject, f"z = {enclosed(bounds)}, {often}", True, bounds))
    return result


def repeated(once: Axis, found: Period) -> list[Statement]:
    """State the shape of a function whose slope repeats itself, from one period."""
    if found.drift == 0:
        ends = [Statement("limit", f"at {end}: none", True) for end in ("-∞", "∞")]
        if once.signs(1).settled and all(s.sign == 0 for s in once.signs(1).stretches):
            ends = []
        result = ends + extremes(once)
    else:
        ends_of = (-math.inf, math.inf) if found.drift > 0 else (math.inf, -math.inf)
        result = [
            Statement("limit", f"at {end}: {place(at)}", True, (at, at))
            for end, at in zip(("-∞", "∞"), ends_of, strict=True)
        ]
        result += [
            Statement("infimum", "-∞", True, (-math.inf, -math.inf)),
            Statement("supremum", "∞", True, (math.inf, math.inf)),
        ]
    for statement in monotone(once, []) + bends(once, []):
        again = f" and again every {found.length}" if statement.proved else ""
        result.append(replace(statement, text=statement.text + again))
    return result


def places_of(axis: Axis) -> list[Statement]:
    """State the zeros of the function and its fixed points ``f(z) = z``."""
    z = Variable("z")
    moved = axis.transformed(lambda e: without_terms_that_cancel(subtract(e, z), axis.parameters))
    return _solutions("zero", axis) + _solutions("fixed point f(z) = z", moved)


def _solutions(subject: str, axis: Axis) -> list[Statement]:
    signs = axis.signs(0)
    if not signs.settled or len(signs.zeros) > _MOST_STRETCHES:
        return [unsettled(subject)]
    found: list[tuple[float, str, Bounds | None]] = []
    for zero in signs.zeros:
        bounds = (zero.low, zero.high)
        found.append((zero.low, f"z = {enclosed(bounds)}", bounds))
    for s in signs.stretches:
        if s.sign == 0 and s.low < s.high:
            found.append((s.low, f"every z in ({place(s.low)}, {place(s.high)})", (s.low, s.high)))
    for edge, sign in _signs_at_edges(axis):
        if sign is None:
            return [unsettled(subject)]
        if sign == 0 and edge.place not in [f[0] for f in found if f[1].startswith("z")]:
            found.append((edge.place, f"z = {enclosed(edge.bounds)}", edge.bounds))
    if not found:
        return [Statement(subject, "none", True)]
    return [Statement(subject, text, True, bounds) for _, text, bounds in sorted(found)]


def _signs_at_edges(axis: Axis) -> list[tuple[Edge, int | None]]:
    """Return the function's signs at breakpoints and at ends of the domain that belong to it."""
    found = [
        (edge, sign_at(own, axis.parameters, edge))
        for k, (edge, own) in enumerate(zip(axis.edges, axis.owns, strict=True))
        if axis.own_value(k) is not None
    ]
    for line in axis.lines:
        for end, edge in enumerate((line.span.low, line.span.high)):
            if edge.breakpoint is None and line.is_regular(end, 0):
                found.append((edge, sign_at(line.expression, axis.parameters, edge)))
    return found
