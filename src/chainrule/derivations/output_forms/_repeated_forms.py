"""Forms through the output, or why there is none, where a formula has infinitely many kinks."""

from __future__ import annotations

from itertools import pairwise
from math import inf

import sympy

from chainrule.derivations._evaluate import evaluate
from chainrule.derivations.algebra._sympy import Translation, attempt
from chainrule.derivations.limits_in_time._time_limit import TimeLimitError, time_limit
from chainrule.derivations.output_forms._output_form import NoOutputForm, OutputForm, output_form
from chainrule.derivations.output_forms._witness import Branch, Witness, find_witness
from chainrule.derivations.pieces._periods import PeriodicPieces, angles_of, common_period
from chainrule.derivations.pieces._pieces import (
    Piece,
    TooManyPiecesError,
    differentiate,
    pieces_between,
)
from chainrule.formulas import Expression, Formula, variables_of

_SECONDS = 1.2
_PERIODS = range(-2, 3)  # on which two places with the same output are looked for
_WINDOWS = (4.0, 1.0, 0.25)  # around 0, in which a formula of too many pieces may have few


def forms_of_period(
    found: PeriodicPieces, values: dict[str, float]
) -> tuple[OutputForm | NoOutputForm, ...]:
    """Return for each piece of a period what holds for it on all periods."""
    inside = found.around.pieces[1:-1]
    return tuple(
        _form(piece, found, values, low, high)
        for piece, (low, high) in zip(inside, pairwise(found.places), strict=True)
    )


def _form(
    piece: Piece, found: PeriodicPieces, values: dict[str, float], low: float, high: float
) -> OutputForm | NoOutputForm:
    if repeats(piece.expression, found.period):
        turns = [angle for angle in angles_of(piece.expression) if angle is not None]
        own = attempt(_SECONDS, lambda: common_period(turns, values), None) if turns else None
        length = found.length if own is None else float(evaluate(own[0], values))
        moved = round((low + high) / 2 / length) * length  # inverses are known near 0
        return output_form(piece, values, low - moved, high - moved)
    if not variables_of(piece.derivative):
        return OutputForm(piece.derivative)
    branches = [Branch(piece, low + k * found.length, high + k * found.length) for k in _PERIODS]
    witness = witness_in_time(branches, values)
    if witness is not None:
        return NoOutputForm(f"{witness}: the output does not tell the slope", witness)
    everywhere = output_form(piece, values, -inf, inf)
    if isinstance(everywhere, OutputForm) or everywhere.witness is None:
        return everywhere
    return NoOutputForm("no two places that exclude one were found either")


def repeats(e: Expression, period: Expression) -> bool:
    """Tell whether an expression is the same a period further on: all its waves are."""
    translation = Translation()

    def is_whole(angle: Expression) -> bool:
        rate = translation.to_sympy(differentiate(angle))
        turns = sympy.cancel(rate * translation.to_sympy(period) / (2 * sympy.pi))
        return bool(turns.is_Integer)

    angles = list(angles_of(e))
    return attempt(_SECONDS, lambda: all(x is not None and is_whole(x) for x in angles), False)


def witness_near_zero(formula: Formula) -> Witness | None:
    """Return two places with the same output and different slopes of a formula of many pieces."""
    values = dict(formula.parameters)
    for width in _WINDOWS:
        try:
            with time_limit(_SECONDS):
                cut = pieces_between(formula, -width, width)
        except (TimeLimitError, TooManyPiecesError):
            continue
        edges = [-width, *(b.place for b in cut.breakpoints), width]
        branches = list(map(Branch, cut.pieces, edges[:-1], edges[1:]))
        return witness_in_time(branches, values)
    return None


def witness_in_time(branches: list[Branch], values: dict[str, float]) -> Witness | None:
    """Return what `find_witness` finds while there is time."""
    try:
        with time_limit(_SECONDS):
            return find_witness(branches, values)
    except TimeLimitError:
        return None
