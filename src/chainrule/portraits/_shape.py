"""Statements on a function's shape: limits, range, monotone and bent stretches, slopes, zeros."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from chainrule.derivations.algebra._arithmetic import subtract
from chainrule.formulas import Variable
from chainrule.portraits._statement import (
    Bounds,
    Statement,
    enclosed,
    interval,
    place,
    rounded,
    unsettled,
)
from chainrule.portraits._symmetry import Period
from chainrule.portraits.axes._axis import Axis
from chainrule.portraits.axes._domain import Edge
from chainrule.portraits.axes._join import Join
from chainrule.portraits.axes._line import Line
from chainrule.portraits.axes._places import sign_at, without_terms_that_cancel
from chainrule.portraits.enclosures._interval import Program
from chainrule.portraits.enclosures._signs import Signs, Stretch
from chainrule.portraits.enclosures._signs import bounds as between
from chainrule.portraits.far_out._series import Wave

_MOST_STRETCHES = 16
_PARTS = 512
_WIDE = 1e-6
_HALVINGS = 40
_CLOSE = 1e-10
_WORDS = {1: "increasing", -1: "decreasing", 0: "constant", None: "not settled"}
_STRETCH = "on a whole stretch"
_BENDS = {1: "convex", -1: "concave", 0: "affine", None: "not settled"}


@dataclass(frozen=True)
class Candidate:
    """A value that may be the largest or the smallest.

    Parameters
    ----------
    bounds : tuple of float
    where : str, optional
        Where it is taken, if it is.
    known : bool
        Whether it is known if it is taken.
    """

    bounds: Bounds
    where: str | None
    known: bool = True


def limits(axis: Axis) -> list[Statement]:
    """State the limits at both ends of every span that breaks off."""
    result = []
    for line, end, side in axis.open_ends():
        known = line.at_end(end, 0)
        wave = None if known else line.ends[end].wave(0)
        text = enclosed(known) if known else _swing(wave) if wave else None
        settled = text is not None
        result.append(Statement("limit", f"at {side}: {text or 'not settled'}", settled, known))
    return result


def _swing(wave: Wave) -> str | None:
    """Say how the function swings where it has no limit."""
    if wave.growth == 0:
        between = f"{rounded(wave.lowest)} and {rounded(wave.highest)}"
        return f"none: it swings for ever, in the limit between {between}"
    if wave.turns:
        return "none: it swings for ever, ever farther to either side"
    if wave.vanishes:
        return "none: it is 0 again and again, and grows without bound between"
    return None


def candidates(axis: Axis, order: int) -> list[Candidate] | None:
    """Return what encloses all extreme values of a derivative, or None where not settled."""
    signs = axis.signs(order + 1)
    found: list[Candidate] = []
    for line in axis.lines:
        for end, edge in enumerate((line.span.low, line.span.high)):
            bounds = line.at_end(end, order)
            if bounds is None:
                wave = line.ends[end].wave(order)
                if wave is None:
                    return None
                found += _farthest(wave)
                continue
            taken = order == 0 and edge.breakpoint is None and line.is_regular(end, 0)
            found.append(Candidate(bounds, place(edge.place) if taken else None))
        for s in signs.stretches:
            inside = line.span.low.place <= s.low and s.high <= line.span.high.place
            if s.sign == 0 and inside:
                value = line.program(order).at(_inside(s.low, s.high))
                found.append(Candidate(value, _STRETCH))
            elif s.sign is None and inside:
                found += [Candidate(bounds, None, False) for bounds in _anywhere(line, order, s)]
        for zero in signs.zeros:
            if line.span.low.place <= zero.low and zero.high <= line.span.high.place:
                where = f"{(zero.low + zero.high) / 2 + 0.0:.8g}"
                found.append(Candidate(line.value(order, zero.low, zero.high), where))
    for k, edge in enumerate(axis.edges if order == 0 else ()):
        own = axis.own_value(k)
        if own is not None:
            found.append(Candidate(own, place(edge.place)))
    return found


def _farthest(wave: Wave) -> list[Candidate]:
    """Return what values come close to, or reach, where they swing for ever."""
    if wave.growth == 0:
        return [Candidate(bounds, None, False) for bounds in (wave.lowest, wave.highest)]
    ends = []
    if wave.lowest[1] < 0:
        ends.append(Candidate((-math.inf, -math.inf), None))
    if wave.highest[0] > 0:
        ends.append(Candidate((math.inf, math.inf), None))
    return ends


def _anywhere(line: Line, order: int, stretch: Stretch) -> tuple[Bounds, Bounds]:
    """Enclose the least and the largest value on a stretch whose turns are not known."""
    low, high = stretch.low, stretch.high
    program, slope = line.program(order), line.program(order + 1)
    if math.isinf(high - low):
        least, most = program.over(low, high)
        if math.isfinite(low) or math.isfinite(high):
            end, near = (1, low) if math.isinf(high) else (0, high)
            size = line.ends[end].size_beyond(order, near)
            least, most = max(least, -size), min(most, size)
        return (least, most), (least, most)
    top, bottom = (_largest(program, slope, low, high, side) for side in (1, -1))
    return (-bottom[1], -bottom[0]), top


def _largest(program: Program, slope: Program, low: float, high: float, side: int) -> Bounds:
    """Enclose the largest value of a function, or of its negative, leaving out what is lower."""
    edges = np.linspace(low, high, _PARTS + 1)
    left, right, best = edges[:-1], edges[1:], -math.inf
    for _ in range(_HALVINGS):
        middle = left + (right - left) / 2
        below, above, _ = between(program, slope, left, right)
        most = above if side > 0 else -below
        values = program((middle, middle))
        best = max(best, float((values[0] if side > 0 else -values[1]).max()))
        kept = ~(most <= best)
        left, middle, right, most = (x[kept] for x in (left, middle, right, most))
        highest = max(best, float(most.max(initial=-math.inf)))
        if highest - best <= _CLOSE * (1 + abs(best)) or left.size > 8 * _PARTS:
            break
        left, right = np.concatenate([left, middle]), np.concatenate([middle, right])
    return best, highest


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
    doubtful = any(t[1] >= low for t, c in zip(turned, found, strict=True) if not c.known)
    if math.isinf(low):
        text = enclosed(bounds)
    elif math.isinf(high):
        return unsettled(subject)
    elif high - low > _WIDE * (1 + abs(low)):
        text = f"in {interval(bounds)}"
    elif any(t[0] >= beaten for t, _ in taken):
        where = {c.where: None for t, c in taken if t[1] >= low}
        sure = _STRETCH if _STRETCH in where else "at z = " + " or ".join(map(str, where))
        text = f"{enclosed(bounds)}, attained {sure}"
    elif all(t[1] < low for t, _ in taken) and not doubtful:
        text = f"{enclosed(bounds)}, not attained"
    else:
        text = enclosed(bounds)
    return Statement(subject, text, True, bounds)


def steepest(axis: Axis) -> Bounds | None:
    """Enclose the largest slope, or return None where it is not settled."""
    found = candidates(axis, 1)
    if found is None:
        return None
    sizes = [
        (max(c.bounds[0], -c.bounds[1], 0.0), max(abs(c.bounds[0]), abs(c.bounds[1])))
        for c in found
    ]
    low, high = max(s[0] for s in sizes), max(s[1] for s in sizes)
    return (low, high) if low == high or high - low <= _WIDE * (1 + low) else None


def stretches(
    subject: str, signs: Signs, words: dict[int | None, str], keeps: Callable[[float, int], bool]
) -> list[Statement]:
    """State the sign of a derivative, stretch by stretch.

    Parameters
    ----------
    subject : str
    signs : Signs
    words : dict
    keeps : callable
        Tells whether what holds on both sides of a place holds across it.
    """
    merged: list[tuple[float, float, int | None]] = []
    for s in signs.stretches:
        if s.low >= s.high:
            continue
        last = merged[-1] if merged else None
        meets = (
            last is not None
            and last[2] == s.sign
            and (
                (last[1] == s.low and (s.sign is None or keeps(s.low, s.sign)))
                or any(last[1] <= zero.low < zero.high <= s.low for zero in signs.zeros)
            )
        )
        if last and meets:
            merged[-1] = (last[0], s.high, s.sign)
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


def monotone(axis: Axis, joined: tuple[Join, ...] = ()) -> list[Statement]:
    """State where the function increases and where its derivative is zero."""
    for_ever, signs = _for_ever(axis, 1, "monotone", "rises and falls")
    found = stretches("monotone", signs, _WORDS, partial(_keeps, axis, joined, 1))
    return for_ever + found + zeros("zero of the derivative", signs)


def bends(axis: Axis, joined: tuple[Join, ...] = ()) -> list[Statement]:
    """State where the function is convex and where it bends the other way."""
    for_ever, signs = _for_ever(axis, 2, "convexity", "bends up and down")
    odd = Signs(signs.stretches, tuple(z for z in signs.zeros if z.multiplicity % 2))
    found = stretches("convexity", signs, _BENDS, partial(_keeps, axis, joined, 2))
    return for_ever + found + zeros("inflection point", odd)


def _keeps(axis: Axis, joined: tuple[Join, ...], order: int, place: float, sign: int) -> bool:
    at_place = [join for join in joined if join.edge.place == place]
    return place not in axis.gaps and all(join.keeps(order, sign) for join in at_place)


def _for_ever(axis: Axis, order: int, subject: str, does: str) -> tuple[list[Statement], Signs]:
    """State where a derivative changes its sign for ever; return the signs on other spans."""
    turning = [(line, side) for line, side, wave in axis.waves(order) if wave.turns]
    if not turning:
        return [], axis.signs(order)
    sides = " and ".join(side for _, side in turning)
    calm = [line for line in axis.lines if all(line is not other for other, _ in turning)]
    signs = replace(axis, lines=tuple(calm), _signs={}).signs(order)
    return [Statement(subject, f"{does} for ever towards {sides}", True)], signs


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


def repeated(once: Axis, found: Period, joined: tuple[Join, ...] = ()) -> list[Statement]:
    """State the shape of a function whose slope repeats itself, from one period."""
    if found.drift == 0:
        ends = [Statement("limit", f"at {end}: none", True) for end in ("-∞", "∞")]
        level = once.signs(1).settled and all(s.sign == 0 for s in once.signs(1).stretches)
        if level and not any(join.jumps for join in joined):
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
    whole = (once.lines[0].span.low.place, once.lines[-1].span.high.place)
    shapes = [(s, 1) for s in monotone(once, joined)] + [(s, 2) for s in bends(once, joined)]
    for statement, order in shapes:
        goes_on = all(join.keeps(order, _sign_of(statement)) for join in joined[:1])
        if statement.proved and statement.bounds == whole and whole[0] < whole[1] and goes_on:
            text = statement.text.replace(f"({place(whole[0])}, {place(whole[1])})", "(-∞, ∞)")
            result.append(replace(statement, text=text, bounds=(-math.inf, math.inf)))
            continue
        again = f" and again every {found.length}" if statement.proved else ""
        result.append(replace(statement, text=statement.text + again))
    return result


def _sign_of(statement: Statement) -> int | None:
    words = _WORDS if statement.subject == "monotone" else _BENDS
    return next((sign for sign, word in words.items() if statement.text.startswith(word)), None)


def places_of(axis: Axis) -> list[Statement]:
    """State the zeros of the function and its fixed points ``f(z) = z``."""
    z = Variable("z")
    moved = axis.transformed(lambda e: without_terms_that_cancel(subtract(e, z), axis.parameters))
    return _solutions("zero", axis) + _solutions("fixed point f(z) = z", moved)


def _solutions(subject: str, axis: Axis) -> list[Statement]:
    sides = [side for _, side, wave in axis.waves(0) if wave.vanishes]
    if sides:
        return [Statement(subject, f"infinitely many, towards {' and '.join(sides)}", True)]
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
