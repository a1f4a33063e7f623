"""A layer's statistics for a function with infinitely many kinks, from one period of its choices.

Under a normal variable a few dozen periods count: they are laid side by side as far as moments
reach. Beyond that the tails are bounded by how fast the function grows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import mpmath

from chainrule.derivations import PeriodicPieces, Piece, Pieces, evaluate
from chainrule.derivations.pieces._pieces import differentiate
from chainrule.formulas import Expression, Formula
from chainrule.portraits._statement import Bounds, Statement, unsettled
from chainrule.portraits.axes._axis import Axis, axis
from chainrule.portraits.axes._domain import domain
from chainrule.portraits.enclosures._interval import Program
from chainrule.portraits.statistics._fixed_points import CENTRES, PiecewiseFunction
from chainrule.portraits.statistics._growth import Growth, growth, growth_by_expansion
from chainrule.portraits.statistics._moment import reach
from chainrule.portraits.statistics._statistics import STATISTICS, Known, flattens, stated

_MOST_STRETCHES = 1000
_DERIVATIVES = 4
_DIGITS = 40


def periodic_statistics(
    formula: Formula, found: PeriodicPieces, once: Axis, steepest: Bounds | None, *, jumps: bool
) -> list[Statement]:
    """State what a layer with such an activation does to normal pre-activations.

    Parameters
    ----------
    formula : Formula
    found : PeriodicPieces
    once : Axis
        The function on one period.
    steepest : tuple of float, optional
        An enclosure of the largest slope of a function that does not jump.
    jumps : bool
        Whether the function may jump.
    """
    parameters = dict(formula.parameters)
    turns = math.ceil(reach(CENTRES) / found.length) + 1  # to either side
    if 2 * turns * len(found.once.pieces) > _MOST_STRETCHES:
        return [unsettled(s, "too many kinks within reach") for s in STATISTICS]
    expressions, places = _side_by_side(found, parameters, turns)
    own = Program(expressions[sum(place < 0 for place in places)], parameters).at(0.0)
    known = _known(
        expressions, places, parameters, (1, 2), _growth(expressions, parameters, own, steepest)
    )
    slopes = None
    if known is not None and not jumps:
        slopes_there = tuple(map(differentiate, expressions))
        bound = Growth(steepest[1], 0) if steepest else _growth(slopes_there, parameters)
        slopes = _known(slopes_there, places, parameters, (2,), bound)
    contracts = steepest is not None and steepest[1] <= 1 and flattens(once)
    return stated(
        known, slopes, linear=None, contracts=contracts, is_zero_at_zero=own == (0.0, 0.0)
    )


def _side_by_side(
    found: PeriodicPieces, parameters: dict[str, float], turns: int
) -> tuple[tuple[Expression, ...], tuple[float, ...]]:
    """Return the pieces within reach from left to right, and where two of them meet."""
    pieces = [piece.expression for piece in found.once.pieces]
    with mpmath.workdps(_DIGITS):
        period = evaluate(found.period, parameters)
        begins = [evaluate(b.location, parameters) for b in found.around.breakpoints[:-1]]
        places = [float(x + k * period) for k in range(-turns, turns) for x in begins]
    return tuple(pieces * 2 * turns), tuple(places[1:])


def _growth(
    expressions: Sequence[Expression],
    parameters: dict[str, float],
    at_zero: Bounds = (0, 0),
    steepest: Bounds | None = None,
) -> Growth | None:
    """Bound a function by what bounds each of its expressions everywhere, or by its slope."""
    bounds = [_of_one(e, parameters) for e in dict.fromkeys(expressions)]
    known = [bound for bound in bounds if bound is not None]
    if len(known) == len(bounds):
        return Growth(max(b.size for b in known), max(b.power for b in known))
    if steepest is None:
        return None
    size = max(steepest[1], *map(abs, at_zero)) * (1 + 1e-12)
    return Growth(size, 1) if math.isfinite(size) else None


def _of_one(e: Expression, parameters: dict[str, float]) -> Growth | None:
    pieces = Pieces((Piece(e, differentiate(e)),), ())
    spans = domain(pieces, parameters)
    if spans is None or len(spans) != 1:
        return None
    whole = axis(pieces, spans, parameters)
    if not whole.is_everywhere:
        return None
    programs = [[whole.lines[0].program(order)] for order in range(_DERIVATIVES)]
    return growth(programs, ()) or growth_by_expansion(whole, 0)


def _known(
    expressions: tuple[Expression, ...],
    places: tuple[float, ...],
    parameters: dict[str, float],
    powers: tuple[int, ...],
    bound: Growth | None,
) -> Known | None:
    if bound is None:
        return None
    function = PiecewiseFunction(expressions, places, parameters, bound)
    moments = function.moments(powers=powers)
    return (function, moments) if moments else None
