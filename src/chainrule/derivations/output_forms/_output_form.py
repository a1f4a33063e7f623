"""The derivative through the output, ∂a/∂z = D(a), or the reason why there is none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import mpmath

from chainrule.derivations._algebra import FAILURES, Translation
from chainrule.derivations._arithmetic import size
from chainrule.derivations._evaluate import evaluate
from chainrule.derivations._field import NotInFieldError
from chainrule.derivations._pieces import Piece
from chainrule.derivations._time_limit import TimeLimitError, time_limit
from chainrule.derivations.output_forms._composition import compositions
from chainrule.derivations.output_forms._elimination import Candidate, Elimination
from chainrule.derivations.output_forms._places import DIGITS, Place, holds, places_of
from chainrule.derivations.output_forms._witness import Branch, Witness, find_witness
from chainrule.formulas import Expression, Parameter, variables_of

_SECONDS = 1.2  # for each way of looking
PROVED = "proved symbolically"


@dataclass(frozen=True)
class OutputForm:
    """The derivative of a smooth piece written in its own output.

    Parameters
    ----------
    derivative : Expression
        D(a), in `a` and parameters.
    generator, inverse : Expression or None
        What was eliminated, and its value in `a`, where it is a rational one: the step that
        turns the derivative into D(a).
    proof : str
        How it is known to hold.
    """

    derivative: Expression
    generator: Expression | None = None
    inverse: Expression | None = None
    proof: str = PROVED


@dataclass(frozen=True)
class NoOutputForm:
    """Why a piece's derivative is not written in its own output.

    Parameters
    ----------
    reason : str
    witness : Witness or None
        Two places with the same output and different slopes, which exclude every such form.
    through_preactivation : OutputForm or None
        A form in `a` and `z` that is simpler than the derivative in `z`, where there is one.
    """

    reason: str
    witness: Witness | None = None
    through_preactivation: OutputForm | None = None


def output_form(
    piece: Piece, values: dict[str, float], low: float, high: float
) -> OutputForm | NoOutputForm:
    """Return the form through the output of a smooth piece on (low, high), or why there is none.

    Every candidate is proved by a zero test in the piece's field, or checked in high precision
    at places all over the piece; else it is rejected.
    """
    low, high = float(low), float(high)
    places = places_of(piece, values, low, high)
    if not places:
        return NoOutputForm("the formula has no value on this piece")
    try:
        with time_limit(_SECONDS):
            witness = find_witness([Branch(piece, low, high)], values)
    except TimeLimitError:
        witness = None
    if witness is None:
        for search in (_eliminated, _composed, _mixed):
            found = _first(search, piece, values, places, {"a"})
            if found is not None:
                return found
    mixed = _first(_mixed, piece, values, places, {"a", "z"})
    if mixed is not None and size(mixed.derivative) >= size(piece.derivative):
        mixed = None
    if mixed is not None and low < 0 < high and not _holds_at_zero(mixed, piece, values):
        mixed = replace(mixed, proof=f"{mixed.proof}, for z ≠ 0")
    if witness is not None:
        return NoOutputForm(f"{witness}: the output does not tell the slope", witness, mixed)
    signs = {bool(place.slope > 0) for place in places if place.slope != 0}
    if len(signs) == 1:
        reason = (
            f"the slope keeps its sign at all {len(places)} places tested, so that the output "
            "seems to determine it, but no closed form was found"
        )
    else:
        reason = "no closed form was found, and no two places that exclude one"
    return NoOutputForm(reason, None, mixed)


def _holds_at_zero(form: OutputForm, piece: Piece, values: dict[str, float]) -> bool:
    output = evaluate(piece.expression, {**values, "z": 0})
    return bool(mpmath.isfinite(evaluate(form.derivative, {**values, "a": output, "z": 0})))


Search = Callable[[Piece, dict[str, float], list[Place]], Iterator[Candidate]]


def _eliminated(piece: Piece, values: dict[str, float], places: list[Place]) -> Iterator[Candidate]:
    return Elimination(piece, values).candidates()


def _mixed(piece: Piece, values: dict[str, float], places: list[Place]) -> Iterator[Candidate]:
    return Elimination(piece, values).mixed()


def _composed(piece: Piece, values: dict[str, float], places: list[Place]) -> Iterator[Candidate]:
    translation = Translation()
    for name, value in values.items():
        translation.symbol(Parameter(name), positive=True if value > 0 else None)
    return compositions(piece, translation)


def _first(
    search: Search,
    piece: Piece,
    values: dict[str, float],
    places: list[Place],
    variables: set[str],
) -> OutputForm | None:
    """Return the shortest candidate that holds; what a time limit leaves is used."""
    found: OutputForm | None = None
    try:
        with time_limit(_SECONDS):
            for candidate in search(piece, values, places):
                form = _checked(candidate, values, places, variables)
                if form is not None and (
                    found is None or size(form.derivative) < size(found.derivative)
                ):
                    found = form
    except (*FAILURES, NotInFieldError):
        return found
    return found


def _checked(
    candidate: Candidate, values: dict[str, float], places: list[Place], variables: set[str]
) -> OutputForm | None:
    if not variables_of(candidate.derivative) <= variables:
        return None
    count = holds(candidate.derivative, places, values)
    if count == 0:
        return None
    proof = PROVED if candidate.is_identity else f"checked to {DIGITS} digits at {count} places"
    form = OutputForm(candidate.derivative, candidate.generator, candidate.inverse)
    return replace(form, proof=proof)
