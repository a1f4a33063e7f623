"""The derivative through the output, ∂a/∂z = D(a), or the reason why there is none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace

import mpmath
import sympy

from chainrule.derivations._arithmetic import size
from chainrule.derivations._evaluate import evaluate
from chainrule.derivations._field import NotInFieldError
from chainrule.derivations._pieces import Piece
from chainrule.derivations._time_limit import TimeLimitError, time_limit
from chainrule.derivations.output_forms._candidates import Candidate, Relation
from chainrule.derivations.output_forms._composition import compositions
from chainrule.derivations.output_forms._elimination import Elimination
from chainrule.derivations.output_forms._implicit_form import ImplicitForm, implicit_form
from chainrule.derivations.output_forms._places import DIGITS, Place, holds, places_of
from chainrule.derivations.output_forms._witness import Branch, Witness, find_witness
from chainrule.formulas import Expression, FormulaError, Parameter, variables_of

_SECONDS = 1.2  # for each way of looking
_LONGEST = 150  # parts of an equation that is shown
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
    equation : ImplicitForm or None
        An equation between output and slope, where one is found but not its solution.
    """

    reason: str
    witness: Witness | None = None
    through_preactivation: OutputForm | None = None
    equation: ImplicitForm | None = None


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
    search = _Search(piece, values, places)
    try:
        with time_limit(_SECONDS):
            witness = find_witness([Branch(piece, low, high)], values)
    except TimeLimitError:
        witness = None
    if witness is None:
        for way in (_eliminated, _composed, _mixed):
            found = search.first(way, {"a"})
            if found is not None:
                return found
    mixed = search.first(_mixed, {"a", "z"})
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
    return NoOutputForm(reason, None, mixed, search.equation())


def _holds_at_zero(form: OutputForm, piece: Piece, values: dict[str, float]) -> bool:
    output = evaluate(piece.expression, {**values, "z": 0})
    return bool(mpmath.isfinite(evaluate(form.derivative, {**values, "a": output, "z": 0})))


_Way = Callable[
    [Piece, dict[str, float], list[Place]], Iterator[Candidate] | Iterator[Candidate | Relation]
]


def _eliminated(
    piece: Piece, values: dict[str, float], places: list[Place]
) -> Iterator[Candidate | Relation]:
    return Elimination(piece, values, places).candidates()


def _mixed(piece: Piece, values: dict[str, float], places: list[Place]) -> Iterator[Candidate]:
    return Elimination(piece, values, places).mixed()


def _composed(
    piece: Piece, values: dict[str, float], places: list[Place]
) -> Iterator[Candidate | Relation]:
    return compositions(piece, values, places)


class _Search:
    """The ways of looking for a form on one piece, each bounded in time."""

    def __init__(self, piece: Piece, values: dict[str, float], places: list[Place]) -> None:
        self.piece, self.values, self.places = piece, values, places
        self.relations: list[Relation] = []

    def first(self, way: _Way, variables: set[str]) -> OutputForm | None:
        """Return the shortest candidate that holds; what a time limit leaves is used."""
        found: OutputForm | None = None
        with _bounded():
            for candidate in way(self.piece, self.values, self.places):
                if isinstance(candidate, Relation):
                    if found is not None:
                        break
                    self.relations.append(candidate)
                    continue
                form = _checked(candidate, self.values, self.places, variables)
                if form is not None and (
                    found is None or size(form.derivative) < size(found.derivative)
                ):
                    found = form
        return found

    def equation(self) -> ImplicitForm | None:
        """Return the shortest equation between output and slope that holds."""
        with _bounded():
            for relation in sorted(self.relations, key=lambda r: size(r.polynomial)):
                if size(relation.polynomial) > _LONGEST:
                    return None
                found = implicit_form(relation, self.places, self.values)
                if found is not None:
                    return found
        return None


@contextmanager
def _bounded() -> Iterator[None]:
    """Bound a way of looking, and end it where algebra cannot go on."""
    with suppress(
        TimeLimitError, NotInFieldError, FormulaError, sympy.PolynomialError, NotImplementedError,
        ArithmeticError, TypeError, ValueError, AttributeError, KeyError, RecursionError,
    ), time_limit(_SECONDS):  # fmt: skip
        yield


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
