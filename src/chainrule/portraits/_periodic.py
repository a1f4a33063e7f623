"""Statements on a function with infinitely many kinks, from one period of its choices.

On stretches a period P apart the function is the same smooth expression. Where ``f(z + P) - f(z)``
is itself the same a period further on, ``f(z + k*P) = f(z) + k*D(z)``: what D is tells the rest.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any

import mpmath
import sympy

from chainrule.derivations import PeriodicPieces, Pieces, evaluate, time_limit
from chainrule.derivations.algebra._arithmetic import add, negate, subtract
from chainrule.derivations.algebra._sympy import FAILURES, Translation
from chainrule.derivations.pieces._pieces import differentiate
from chainrule.formulas import Expression, Formula, Variable
from chainrule.portraits import _shape
from chainrule.portraits._statement import Statement, enclosed, number, place, unsettled
from chainrule.portraits._symmetry import Period, at, is_zero
from chainrule.portraits.axes._axis import Axis, axis
from chainrule.portraits.axes._domain import Span, domain
from chainrule.portraits.axes._join import Join, joins
from chainrule.portraits.axes._places import exact_value
from chainrule.portraits.far_out import _tail
from chainrule.portraits.statistics._periodic_statistics import periodic_statistics

_Z = Variable("z")
_SECONDS = 0.5
_DIGITS = 60
_CLOSE = 1e-12
_APART = mpmath.mpf(10) ** -40
_SHARES = ("0.0613", "0.37", "0.5208", "0.93")
_LATER = (1, 2, 5)  # periods
_INFINITE = (math.inf, math.inf)


@dataclass(frozen=True)
class _Repeated:
    """A function on one period, and on a stretch on either side of it.

    Parameters
    ----------
    formula : Formula
    found : PeriodicPieces
    whole : Axis
    """

    formula: Formula
    found: PeriodicPieces
    whole: Axis

    @cached_property
    def once(self) -> Axis:
        """The function on one period."""
        return replace(self.whole, lines=self.whole.lines[1:-1], _signs={})

    @cached_property
    def joined(self) -> tuple[Join, ...]:
        return joins(self.whole)

    @cached_property
    def length(self) -> Any:
        return _tail.exact_sympy(self.found.period, dict(self.formula.parameters), 1)

    def drifts(self) -> list[Expression] | None:
        """Return ``f(z + P) - f(z)`` on each piece, or None where that itself changes."""
        result = []
        for piece in self.found.once.pieces:
            drift = self.moved_less(piece.expression, piece.expression, self.length)
            again = None if drift is None else self.moved_less(drift, drift, self.length)
            if drift is None or again is None or not self.vanishes(again):
                return None
            result.append(drift)
        return result

    def moved_less(self, e: Expression, other: Expression, by: Any) -> Expression | None:
        """Return ``e(z + by) - other(z)``, as short as algebra finds it."""
        parameters = dict(self.formula.parameters)
        try:
            with time_limit(_SECONDS):
                exact, less = (
                    _tail.exact_sympy(x, parameters, 1, positive=False) for x in (e, other)
                )
                moved = exact.subs(_tail.REAL, _tail.REAL + by).replace(
                    lambda x: isinstance(x, sympy.sin | sympy.cos),
                    lambda x: x.func(sympy.expand(x.args[0])),
                )
                difference = sympy.simplify(moved - less)
                translation = Translation()
                z = translation.symbol(_Z)
                return translation.to_expression(difference.subs(_tail.REAL, z))
        except FAILURES:
            return None

    def vanishes(self, e: Expression) -> bool:
        return is_zero(e, dict(self.formula.parameters))

    def value(self, z: Any) -> Any:
        return evaluate(self.formula.expression, {**self.whole.parameters, "z": z})

    def inside(self) -> list[tuple[int, Any]]:
        """Return some places on each piece of a period."""
        return [
            (k, low + (high - mpmath.mpf(low)) * mpmath.mpf(share))
            for k, (low, high) in enumerate(pairwise(self.found.places))
            for share in _SHARES
        ]

    def signs(self, parts: list[Expression]) -> set[int]:
        """Return the signs that a function given by pieces takes at some places of a period."""
        with mpmath.workdps(_DIGITS):
            values = [
                evaluate(parts[k], {**self.whole.parameters, "z": z}) for k, z in self.inside()
            ]
            return {int(mpmath.sign(x)) if abs(x) > _APART else 0 for x in values}

    def vanishes_where_pieces_meet(self, parts: list[Expression]) -> bool:
        """Tell whether a function given by pieces is 0 at an end of one, proved by algebra."""
        edges = [edge for edge in self.whole.edges if not edge.is_rounded]
        return any(
            exact_value(part, self.whole.parameters, edge.exact) == 0
            for part, line in zip(parts, self.once.lines, strict=True)
            for edge in edges
            if edge.place in (line.span.low.place, line.span.high.place)
        )

    def jumps(self) -> bool | None:
        """Tell whether the function jumps anywhere; None where not settled."""
        with mpmath.workdps(_DIGITS):
            for k, b in enumerate(self.found.around.breakpoints[:-1]):
                left, right = (piece.expression for piece in self.found.around.pieces[k : k + 2])
                here = evaluate(b.location, self.whole.parameters)
                for later in _LATER:
                    z = {"z": here + later * evaluate(self.found.period, self.whole.parameters)}
                    sides = [evaluate(e, {**self.whole.parameters, **z}) for e in (left, right)]
                    if abs(sides[1] - sides[0]) > mpmath.mpf(10) ** -10 * (1 + abs(sides[0])):
                        return True
        found = [join.jumps for join in self.joined[:-1]]
        return True if True in found else None if None in found else False


def periodic_statements(formula: Formula, found: PeriodicPieces) -> Iterator[Statement]:
    """State what one period of its choices tells of a function."""
    parameters = dict(formula.parameters)
    spans = domain(found.around, parameters)
    if spans is None or not _is_everywhere(spans, found):
        yield unsettled("domain", "not proved that the function is defined for every z")
        return
    repeated = _Repeated(formula, found, axis(found.around, spans, parameters))
    yield Statement("domain", "defined for every real z", True)
    jumps = repeated.jumps()
    yield _symmetry(repeated, jumps=jumps)
    steepest = None
    for statement in _shape_of(repeated, jumps=jumps):
        yield statement
        if statement.subject == "largest slope" and statement.bounds != _INFINITE:
            steepest = statement.bounds
    yield from periodic_statistics(
        formula, found, repeated.once, steepest, jumps=jumps is not False
    )


def _shape_of(repeated: _Repeated, *, jumps: bool | None) -> Iterator[Statement]:
    drifts = repeated.drifts()
    if drifts is None:
        yield unsettled("range")
        yield from _kinks(repeated, told=False)
        yield unsettled("largest slope")
    elif repeated.signs(list(map(differentiate, drifts))) == {0}:
        yield from _of_same_slopes(repeated, drifts, jumps=jumps)
    else:
        yield from _of_growing_slopes(repeated, drifts, jumps=jumps)


def _is_everywhere(spans: tuple[Span, ...], found: PeriodicPieces) -> bool:
    return [span.piece for span in spans] == list(range(len(found.around.pieces)))


def _symmetry(repeated: _Repeated, *, jumps: bool | None) -> Statement:
    with mpmath.workdps(_DIGITS):
        pairs = [(repeated.value(z), repeated.value(-z)) for _, z in repeated.inside()]
        apart = {sign: max(abs(x + sign * y) for x, y in pairs) for sign in (-1, 1)}
    for name, sign in (("even: f(-z) = f(z)", -1), ("odd: f(-z) = -f(z)", 1)):
        if apart[sign] > _APART:
            continue
        if jumps is False and _is_mirrored(repeated, sign):
            return Statement("symmetry", name, True)
        return unsettled("symmetry")
    return Statement("symmetry", "neither even nor odd", True)


def _is_mirrored(repeated: _Repeated, sign: int) -> bool:
    """Tell whether ``f(z) + sign*f(-z)`` is 0 on every piece, so that it is where they join."""
    pieces, places = repeated.found.once.pieces, repeated.found.places
    combine = add if sign > 0 else subtract
    for k, (low, high) in enumerate(pairwise(places)):
        middle = -(low + high) / 2
        middle += repeated.found.length * math.ceil((places[0] - middle) / repeated.found.length)
        mirror = pieces[sum(x <= middle for x in places) - 1]
        turned = at(mirror.expression, negate(_Z))
        if not repeated.vanishes(combine(pieces[k].expression, turned)):
            return False
    return True


def _of_same_slopes(
    repeated: _Repeated, drifts: list[Expression], *, jumps: bool | None
) -> Iterator[Statement]:
    """State the shape of a function whose slope is the same a period further on."""
    steps = [repeated.moved_less(drift, drifts[0], 0) for drift in drifts]
    if all(step is not None and repeated.vanishes(step) for step in steps):
        repeated, drift = _shortest(repeated, drifts[0])
        period = Period(repeated.length, drift)
        yield Statement("period", str(period), True)
        yield from _shape.repeated(repeated.once, period, repeated.joined)
        yield from _kinks(repeated, told=drift == 0 or not jumps)
    else:
        yield Statement("period", f"f'(z + {repeated.length}) = f'(z)", True)
        yield from _unbounded(repeated, drifts, jumps=jumps)
        for line in repeated.once.lines:
            alone = Axis((line,), (), (), repeated.whole.parameters)
            for statement in _shape.monotone(alone) + _shape.bends(alone):
                again = f" and again every {repeated.length}" if statement.proved else ""
                yield replace(statement, text=statement.text + again)
        yield from _kinks(repeated, told=False)
    steepest = _shape.steepest(repeated.once)
    if jumps:
        text = "∞: there is no Lipschitz constant, as the function jumps"
        yield Statement("largest slope", text, True, _INFINITE)
    elif jumps is None or steepest is None:
        yield unsettled("largest slope")
    else:
        yield Statement("largest slope", enclosed(steepest), True, steepest)


def _of_growing_slopes(
    repeated: _Repeated, drifts: list[Expression], *, jumps: bool | None
) -> Iterator[Statement]:
    """State the shape of a function whose slope grows from period to period."""
    yield from _unbounded(repeated, drifts, jumps=jumps)
    if {1, -1} <= repeated.signs(list(map(differentiate, drifts))):
        yield Statement("monotone", "rises and falls for ever towards -∞ and ∞", True)
    else:
        yield unsettled("monotone")
    yield from _kinks(repeated, told=False)
    yield Statement("largest slope", "∞: it grows from period to period", True, _INFINITE)


def _unbounded(
    repeated: _Repeated, drifts: list[Expression], *, jumps: bool | None
) -> Iterator[Statement]:
    """State limits and range where values change by D(z), not 0 everywhere, a period further on."""
    signs = repeated.signs(drifts)
    for end in ("-∞", "∞"):
        if {1, -1} <= signs:
            text = "none: it swings for ever, ever farther to either side"
            yield Statement("limit", f"at {end}: {text}", True)
        elif 0 in signs or (jumps is False and repeated.vanishes_where_pieces_meet(drifts)):
            text = "none: some values return for ever, and others grow without bound"
            yield Statement("limit", f"at {end}: {text}", True)
        else:
            yield unsettled("limit", f"that at {end} is not")
    yield Statement("infimum", "-∞", True, (-math.inf, -math.inf))
    yield Statement("supremum", "∞", True, _INFINITE)


def _kinks(repeated: _Repeated, *, told: bool) -> Iterator[Statement]:
    """State kinks and jumps: of one period, with values where they are those of all."""
    again = f" and again every {repeated.length}"
    for join, b in zip(repeated.joined[:-1], repeated.found.around.breakpoints, strict=False):
        where = f"at z = {place(b.place)}{again}"
        if not told:
            yield Statement("kink", f"{where}, where two pieces meet", False)
        elif join.jumps:
            before, after = (number(side) for side in join.values)
            text = f"from {before} on the left to {after} on the right, {number(join.own)} there"
            yield Statement("jump", f"{where}: {text}", True)
        elif join.turn or b.is_kink:
            sides = " and ".join(number(side) for side in join.slopes)
            text = f"{where}: slopes {sides}, taken {place(b.slope)}"
            yield Statement("kink", text, bool(join.turn))


def _shortest(repeated: _Repeated, drift: Expression) -> tuple[_Repeated, Any]:
    """Return the function on the shortest part of the period after which it is the same."""
    exact = _tail.exact_sympy(drift, {}, 1, positive=False)
    count = len(repeated.found.once.pieces)
    for parts in range(count, 1, -1):
        within = None if count % parts else _on_part(repeated, parts, exact)
        if within is not None:
            return within, exact / parts
    return repeated, exact


def _on_part(repeated: _Repeated, parts: int, drift: Any) -> _Repeated | None:
    """Return the function on a part of its period, if after it all is the same but for a step."""
    around, places = repeated.found.around, repeated.found.places
    pieces = repeated.found.once.pieces
    count, shorter = len(pieces) // parts, repeated.found.length / parts
    for k, piece in enumerate(pieces):
        turns, later = divmod(k + count, len(pieces))
        apart = places[later] + turns * repeated.found.length - places[k]
        by = repeated.length / parts - turns * repeated.length
        step = repeated.moved_less(pieces[later].expression, piece.expression, by)
        if step is None or abs(apart - shorter) > _CLOSE * (1 + shorter):
            return None
        exact = _tail.exact_sympy(step, {}, 1, positive=False) + turns * drift
        if sympy.simplify(exact - drift / parts) != 0:
            return None
    translation = Translation()
    period = translation.to_expression(translation.to_sympy(repeated.found.period) / parts)
    within = Pieces(around.pieces[: count + 2], around.breakpoints[: count + 1])
    found = PeriodicPieces(within, period, shorter)
    parameters = dict(repeated.formula.parameters)
    spans = domain(within, parameters)
    if spans is None or not _is_everywhere(spans, found):
        return None
    return _Repeated(repeated.formula, found, axis(within, spans, parameters))
