"""A portrait: statements on a function, each with its bounds and whether it is proved."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import sympy

from chainrule.derivations import Breakpoint, Pieces, TooManyPiecesError, smooth_pieces, time_budget
from chainrule.documents import Document, Documented, Section, Table
from chainrule.formulas import Constant, Formula
from chainrule.portraits._axis import Order, axis
from chainrule.portraits._domain import is_defined
from chainrule.portraits._interval import Program, UnsupportedOperationError

_SECONDS = 3.5
_MOST_STRETCHES = 16
_WORDS = {1: "increasing", -1: "decreasing", 0: "constant", None: "not settled"}
_BENDS = {1: "convex", -1: "concave", 0: "straight", None: "not settled"}

Bounds = tuple[float, float]


@dataclass(frozen=True)
class Statement:
    """One property of a function.

    Parameters
    ----------
    subject, text : str
    proved : bool
        Whether it is proved by symbolic algebra or interval arithmetic.
    bounds : tuple of float, optional
        An enclosure of the number it states.
    """

    subject: str
    text: str
    proved: bool
    bounds: Bounds | None = None


@dataclass(frozen=True)
class Portrait(Documented):
    """What is known of a function, statement by statement."""

    formula: Formula
    statements: tuple[Statement, ...]

    @property
    def sections(self) -> tuple[Section, ...]:
        """The portrait as sections of a document."""
        rows = tuple((s.subject, s.text, _status(s)) for s in self.statements)
        sentence = (
            "Signs are settled by interval arithmetic, far out by the term that outweighs all "
            "others; limits by algebra, checked far out. The smooth pieces and the slopes at "
            "kinks are the derivation's, computed to 60 digits. Numbers in brackets are enclosures."
        )
        table = Table(("property", "what holds", "status"), rows)
        return (Section("The function's portrait", (sentence,), blocks=(table,)),)

    @property
    def document(self) -> Document:
        """The portrait as a document of its own."""
        return Document(f"Portrait of {self.formula.title}", self.sections)

    def to_dict(self) -> dict[str, Any]:
        """Return names, texts and numbers alone, fit for JSON except for infinite bounds."""
        return {
            "formula": str(self.formula),
            "statements": [
                {"subject": s.subject, "text": s.text, "proved": s.proved,
                 "bounds": list(s.bounds) if s.bounds else None}
                for s in self.statements
            ],
        }  # fmt: skip

    def about(self, subject: str) -> tuple[Statement, ...]:
        """Return the statements on one subject."""
        return tuple(s for s in self.statements if s.subject == subject)


def portrait(formula: Formula) -> Portrait:
    """Return what can be proved of a function within a few seconds.

    Parameters
    ----------
    formula : Formula
        An activation. Of layer-coupled functions no portrait is drawn, and the reason is stated.

    Returns
    -------
    Portrait

    Examples
    --------
    >>> from chainrule.catalogue import activation_formula
    >>> [s.text for s in portrait(activation_formula("relu")).about("largest slope")]
    ['1']
    """
    reason = ""
    if formula.is_layer_coupled:
        reason = "no portrait: a unit's activation depends on the other units of its layer"
    else:
        try:
            with time_budget(_SECONDS):
                pieces = smooth_pieces(formula)
                return Portrait(formula, _statements(formula, pieces))
        except TooManyPiecesError:
            reason = "no portrait: more kinks than can be told apart"
        except UnsupportedOperationError as error:
            reason = f"no portrait: bounds of {error} are not known"
    return Portrait(formula, (Statement("portrait", reason, False),))


def _statements(formula: Formula, pieces: Pieces) -> tuple[Statement, ...]:
    edges = [-math.inf, *(b.place for b in pieces.breakpoints), math.inf]
    for piece, low, high in zip(pieces.pieces, edges[:-1], edges[1:], strict=True):
        if not is_defined(piece.expression, dict(formula.parameters), low, high):
            text = f"not settled: not proved to be defined everywhere in ({low:.6g}, {high:.6g})"
            return (Statement("domain", text, False),)
    value, slope, bend = axis(formula, pieces, time.thread_time() + _SECONDS)
    jumps = [_jumps(value, pieces, k) for k in range(len(pieces.breakpoints))]
    broken = [b.place for b, jump in zip(pieces.breakpoints, jumps, strict=True) if jump]
    bent = [b.place for b in pieces.breakpoints if b.is_kink] + broken
    result = [Statement("domain", "defined for every real z", True)]
    result += [*_limits(value), *_range(value, slope, pieces)]
    result += _stretches("monotone", slope, _WORDS, broken)
    result += _zeros("zero of the derivative", slope)
    result += _stretches("convexity", bend, _BENDS, bent)
    result += _zeros("inflection point", bend)
    for b, jump in zip(pieces.breakpoints, jumps, strict=True):
        if jump or b.is_kink:
            what = "jump" if jump else "kink"
            sides = f"slopes {b.left_slope:.10g} and {b.right_slope:.10g}, taken {b.slope:.10g}"
            sides = sides.replace("inf", "∞")
            result.append(Statement(what, f"at z = {b.place:.10g}: {sides}", False))
    steepest = None if any(jumps) else _steepest(slope, bend, pieces)
    if any(jumps):
        text = "not settled: no Lipschitz constant is derived where the function may jump"
        result.append(Statement("largest slope", text, False))
    elif steepest is None:
        result.append(Statement("largest slope", "not settled", False))
    else:
        result.append(Statement("largest slope", _number(steepest), True, steepest))
    result.append(_gain(formula, value, pieces, steepest))
    return tuple(result)


def _gain(formula: Formula, value: Order, pieces: Pieces, steepest: Bounds | None) -> Statement:
    moment = None
    if steepest is not None and math.isfinite(steepest[1]):
        owner = value.programs[sum(b.place < 0 for b in pieces.breakpoints)].at(0.0)
        size = max(abs(owner[0]), abs(owner[1]))
        if math.isfinite(size):
            moment = second_moment(formula, pieces, size, steepest[1])
    if moment is None or not moment[0] > 0:
        return Statement("gain", "not settled", False)
    gain = (1 / math.sqrt(moment[1]) * (1 - 1e-15), 1 / math.sqrt(moment[0]) * (1 + 1e-15))
    return Statement("gain", f"1/sqrt(E f(z)²) = {_number(gain)} for z ~ N(0, 1)", True, gain)


def _limits(value: Order) -> list[Statement]:
    result = []
    for place, limit in zip(("-∞", "∞"), value.limits, strict=True):
        known = limit is not None
        bounds = _bounds(limit) if known else None
        text = f"at {place}: {_number(bounds) if bounds else 'not settled'}"
        result.append(Statement("limit", text, known, bounds))
    return result


def _range(value: Order, slope: Order, pieces: Pieces) -> list[Statement]:
    if not slope.signs.settled or None in value.limits:
        return [Statement("range", "not settled", False)]
    found = _extremes(value, slope, pieces)
    for k, b in enumerate(pieces.breakpoints):
        found.append(_near(Program(b.value, value.programs[k].parameters), b))
    low = (min(b[0] for b in found), min(b[1] for b in found))
    high = (max(b[0] for b in found), max(b[1] for b in found))
    return [
        Statement("infimum", _number(low), True, low),
        Statement("supremum", _number(high), True, high),
    ]


def _steepest(slope: Order, bend: Order, pieces: Pieces) -> Bounds | None:
    if not (bend.signs.settled and slope.signs.settled) or None in slope.limits:
        return None
    found = _extremes(slope, bend, pieces)
    sizes = [(max(b[0], -b[1], 0.0), max(abs(b[0]), abs(b[1]))) for b in found]
    return max(s[0] for s in sizes), max(s[1] for s in sizes)


def _extremes(order: Order, derivative: Order, pieces: Pieces) -> list[Bounds]:
    """Enclose the limits, the values where the derivative is 0, and both sides of breakpoints."""
    found = [_bounds(limit) for limit in order.limits]
    places = [b.place for b in pieces.breakpoints]
    for zero in derivative.signs.zeros:
        k = sum(place <= zero.low for place in places)
        found.append(order.programs[k].over(zero.low, zero.high))
    for k, b in enumerate(pieces.breakpoints):
        found += [_near(order.programs[k], b), _near(order.programs[k + 1], b)]
    return found


def _near(program: Program, b: Breakpoint) -> Bounds:
    """Return bounds at a breakpoint; where it is no double, around the nearest one."""
    if b.location == Constant(Fraction(b.place)):
        return program.at(b.place)
    return program.over(float(np.nextafter(b.place, -np.inf)), float(np.nextafter(b.place, np.inf)))


def _jumps(value: Order, pieces: Pieces, k: int) -> bool:
    place = pieces.breakpoints[k].place
    left, right = value.programs[k].at(place), value.programs[k + 1].at(place)
    own = Program(pieces.breakpoints[k].value, value.programs[k].parameters).at(place)
    low, high = max(left[0], right[0], own[0]), min(left[1], right[1], own[1])
    close = 1e-12 * (1 + abs(low))
    widest = max(b[1] - b[0] for b in (left, right, own))
    return not (low <= high + close and widest <= close)


def _stretches(
    subject: str, order: Order, words: dict[int | None, str], apart: list[float]
) -> list[Statement]:
    merged: list[tuple[float, float, int | None]] = []
    for s in order.signs.stretches:
        if s.low >= s.high:
            continue
        if merged and merged[-1][2] == s.sign and s.low == merged[-1][1] not in apart:
            merged[-1] = (merged[-1][0], s.high, s.sign)
        else:
            merged.append((s.low, s.high, s.sign))
    if len(merged) > _MOST_STRETCHES:
        text = f"not settled: more than {_MOST_STRETCHES} stretches, as of a periodic function"
        return [Statement(subject, text, False)]
    return [
        Statement(
            subject,
            f"{words[sign]} on ({low:.12g}, {high:.12g})".replace("inf", "∞"),
            sign is not None,
            (low, high),
        )
        for low, high, sign in merged
    ]


def _zeros(subject: str, order: Order) -> list[Statement]:
    found = [(zero.low, zero.high) for zero in order.signs.zeros]
    if len(found) > _MOST_STRETCHES:
        return []
    return [Statement(subject, f"z = {_number(b)}, simple", True, b) for b in found]


def _status(statement: Statement) -> str:
    if statement.proved:
        return "proved"
    return "computed" if statement.subject in ("kink", "jump") else "not settled"


def _bounds(limit: Any) -> Bounds:
    if limit in (sympy.oo, -sympy.oo):
        return (math.inf, math.inf) if limit == sympy.oo else (-math.inf, -math.inf)
    nearest = float(sympy.N(limit, 30))
    if limit == sympy.Rational(nearest):
        return nearest, nearest
    return float(np.nextafter(nearest, -np.inf)), float(np.nextafter(nearest, np.inf))


def _number(bounds: Bounds) -> str:
    low, high = bounds
    if low == high:
        return f"{low + 0.0:.12g}".replace("inf", "∞")
    return f"{(low + high) / 2 + 0.0:.10g} in [{low:.17g}, {high:.17g}]"
