"""The derivative through the output, ∂a/∂z = D(a), or the reason why there is none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import reduce
from itertools import pairwise
from math import inf
from typing import Any, TypeVar

import mpmath

from chainrule.derivations._evaluate import evaluate
from chainrule.derivations.algebra._arithmetic import multiply, rebuilt, size
from chainrule.derivations.algebra._field import NotInFieldError
from chainrule.derivations.algebra._sympy import FAILURES
from chainrule.derivations.limits_in_time._time_limit import time_budget, time_limit
from chainrule.derivations.output_forms._candidates import OUTPUT, Candidate, Relation
from chainrule.derivations.output_forms._composition import compositions
from chainrule.derivations.output_forms._elimination import Elimination
from chainrule.derivations.output_forms._implicit_form import ImplicitForm, implicit_form
from chainrule.derivations.output_forms._layers import without_areas
from chainrule.derivations.output_forms._mixed import mixed_forms
from chainrule.derivations.output_forms._places import DIGITS, Place, holds, places_of
from chainrule.derivations.output_forms._witness import Branch, Witness, find_witness
from chainrule.derivations.output_forms.signs._domain import Stretch, domain, positive_conditions
from chainrule.derivations.output_forms.signs._signs import proved_sign, sign_from_end
from chainrule.derivations.pieces._pieces import Piece, Pieces, differentiate
from chainrule.formulas import Apply, Expression, Parameter, constant, substitute, variables_of

_SECONDS = 1.2  # for each way of looking
_SEARCH_SECONDS = 1.4  # for all of them, so that a proof of what is not found has its time
_HOLE_DIGITS = 120
_SHORT_PLACES = range(-6, 7)  # halves
_LARGEST_DENOMINATOR, _ROUNDING = 1000, mpmath.mpf(10) ** -40
_LARGEST_SHORT = 8  # of the numbers that are written for parameters
_LONGEST = 150  # parts of an equation that is shown
_LONGEST_SPECIAL = 60  # of a form for one number alone
_LONGEST_FORM = 350  # parts of a form: an equation says more than what is longer
PROVED = "proved symbolically"
UNDEFINED = "the formula has no value there"


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
    through_preactivation : OutputForm or None
        A form in `a` and `z` that is simpler than the derivative in `z`, where D(a) is not.
    """

    derivative: Expression
    generator: Expression | None = None
    inverse: Expression | None = None
    proof: str = PROVED
    through_preactivation: OutputForm | None = None


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
    direction : int
        1 or -1 where the piece is proved to be strictly rising or falling, else 0.
    """

    reason: str
    witness: Witness | None = None
    through_preactivation: OutputForm | None = None
    equation: ImplicitForm | None = None
    direction: int = 0


def forms_of_pieces(
    pieces: Pieces, values: dict[str, float]
) -> tuple[OutputForm | NoOutputForm, ...]:
    """Return for each piece the form through the output, or why there is none."""
    places = [-inf, *(b.place for b in pieces.breakpoints), inf]
    return tuple(
        output_form(piece, values, low, high)
        for piece, (low, high) in zip(pieces.pieces, pairwise(places), strict=True)
    )


def output_form(
    piece: Piece, values: dict[str, float], low: float, high: float
) -> OutputForm | NoOutputForm:
    """Return the form through the output of a smooth piece on (low, high), or why there is none.

    Every candidate is proved by a zero test in the piece's field, or checked in high precision
    at places all over the piece; else it is rejected. A parameter that is 0 is written so, and one
    that is another short number where its name stands in the way.
    """
    low, high = float(low), float(high)
    piece = _with_numbers(piece, {name: x for name, x in values.items() if x == 0})
    found = _sought(piece, values, low, high)
    if isinstance(found, OutputForm) or found.witness is not None:
        return found
    special = _with_numbers(piece, {name: x for name, x in values.items() if _is_short(x)})
    if special == piece:
        return found
    again = _sought(special, values, low, high, is_alone=True)
    if isinstance(again, OutputForm):
        return again if size(again.derivative) <= _LONGEST_SPECIAL else found
    return again if again.witness is not None else found


def _is_short(value: float) -> bool:
    return abs(value) <= _LARGEST_SHORT and (2 * value).is_integer()


def _with_numbers(piece: Piece, values: dict[str, float]) -> Piece:
    numbers: dict[Expression, Expression] = {
        Parameter(name): constant(Fraction(value)) for name, value in values.items()
    }
    expression = rebuilt(substitute(piece.expression, numbers.get)) if numbers else piece.expression
    return piece if expression == piece.expression else Piece(expression, differentiate(expression))


def _sought(
    piece: Piece, values: dict[str, float], low: float, high: float, *, is_alone: bool = False
) -> OutputForm | NoOutputForm:
    """Return a form, or why there is none; alone, without what is said of one there is not."""
    stretches = _bounded(lambda: domain(piece.expression, values, low, high))
    known = stretches if stretches is not None else (Stretch(low, high),)
    places = places_of(piece, values, [(s.low, s.high) for s in known])
    if not known:
        return NoOutputForm(UNDEFINED)
    if not places:
        return NoOutputForm("the formula has no value at any of the places tested")
    search = _Search(piece, values, places)
    branches = [Branch(piece, s.low, s.high) for s in known]
    witness = _bounded(lambda: find_witness(branches, values))
    found: OutputForm | None = None
    with time_budget(_SEARCH_SECONDS):
        if witness is None:
            for way in (_eliminated, _composed):
                found = search.first(way, {"a"})
                if found is not None:
                    break
    is_open = found is None and witness is None
    if is_alone and is_open:
        return NoOutputForm("no form in the output alone was found")
    # A proof comes before a form through a and z: that is worth less.
    direction = _direction(piece, values, stretches) if is_open else 0
    equation = search.equation() if is_open else None
    is_short = found is not None and size(found.derivative) <= size(piece.derivative)
    mixed = None if is_short else search.first(_mixed, {"a", "z"})
    if witness is None and mixed is not None and "z" not in variables_of(mixed.derivative):
        found, mixed = found or mixed, None
    if mixed is not None and size(mixed.derivative) >= size(piece.derivative):
        mixed = None
    if mixed is not None and low < 0 < high and not _holds_at_zero(mixed, piece, values):
        mixed = replace(mixed, proof=f"{mixed.proof}, for z ≠ 0")
    if found is not None:
        derivative = _mended(found.derivative, piece, values, low, high)
        return replace(found, derivative=derivative, through_preactivation=mixed)
    if witness is not None:
        return NoOutputForm(f"{witness}: the output does not tell the slope", witness, mixed)
    return NoOutputForm(_reason(direction, equation, places), None, mixed, equation, direction)


def _direction(
    piece: Piece, values: dict[str, float], stretches: tuple[Stretch, ...] | None
) -> int:
    """Return 1 or -1 where the piece is proved to rise or fall strictly, else 0.

    A slope that is nowhere of the other sign on a stretch vanishes at single places at most: the
    piece is analytic, and not constant, or it had a form. Over a hole it has to go on.
    """
    if not stretches or len(stretches) > 2:
        return 0
    directions = {_direction_on(piece, values, stretch) for stretch in stretches}
    direction = directions.pop()
    goes_on = (_goes_on(piece, values, *pair, direction) for pair in pairwise(stretches))
    return 0 if directions or not all(goes_on) else direction


def _direction_on(piece: Piece, values: dict[str, float], stretch: Stretch) -> int:
    low, high = stretch.low, stretch.high

    def sign() -> int:
        # What is positive where the piece is defined changes no sign, and cancels.
        known = positive_conditions(piece.expression, values, low, high)
        slope = reduce(multiply, known, piece.derivative)
        return proved_sign(slope, values, low, high)

    return (
        _bounded(sign) or _bounded(lambda: sign_from_end(piece.derivative, values, low, high)) or 0
    )


def _goes_on(
    piece: Piece, values: dict[str, float], left: Stretch, right: Stretch, direction: int
) -> bool:
    """Tell whether a piece that rises on both sides of a hole does so across it."""
    hole = left.ends[1]
    if left.high != right.low or hole is None:
        return False
    with mpmath.workdps(_HOLE_DIGITS):
        place, beside = evaluate(hole, values), mpmath.mpf(10) ** -(_HOLE_DIGITS // 4)
        before, after = (
            evaluate(piece.expression, {**values, "z": place + side * beside}) for side in (-1, 1)
        )
        return bool(mpmath.isfinite(before + after) and direction * (after - before) >= 0)


def _reason(direction: int, equation: ImplicitForm | None, places: list[Place]) -> str:
    if direction:
        rises = "rising" if direction > 0 else "falling"
        sure = f"a is proved to be strictly {rises} in z, and so determines the slope"
    elif len({bool(place.slope > 0) for place in places if place.slope != 0}) == 1:
        sure = (
            f"the slope keeps its sign at all {len(places)} places tested, so that the output "
            "seems to determine it (not proved)"
        )
    else:
        return "no two places that exclude one were found either"
    if equation is not None:
        return f"{sure}, but as a root of an equation that no short formula solves"
    return f"{sure}, but no formula for it was found"


def _mended(
    form: Expression, piece: Piece, values: dict[str, float], low: float, high: float
) -> Expression:
    """Take the slopes at some places of the piece from these, where a form is 0/0 there."""
    with mpmath.workdps(DIGITS):
        for place in (Fraction(k, 2) for k in _SHORT_PLACES if low < k / 2 < high):
            at = {**values, "z": mpmath.mpf(place.numerator) / place.denominator}
            output, slope = (evaluate(e, at) for e in (piece.expression, piece.derivative))
            told = evaluate(form, {**values, "a": output})
            numbers = [_short(x) for x in (output, slope)]
            if mpmath.isnan(told) and None not in numbers:
                there, taken = (constant(x) for x in numbers if x is not None)
                form = Apply("where", (Apply("equal", (OUTPUT, there)), taken, form))
    return form


def _short(x: Any) -> Fraction | None:
    if not abs(x) < _LARGEST_DENOMINATOR:
        return None
    found = Fraction(float(x)).limit_denominator(_LARGEST_DENOMINATOR)
    is_near = abs(mpmath.mpf(found.numerator) / found.denominator - x) < _ROUNDING
    return found if is_near else None


def _holds_at_zero(form: OutputForm, piece: Piece, values: dict[str, float]) -> bool:
    output = evaluate(piece.expression, {**values, "z": 0})
    return bool(mpmath.isfinite(evaluate(form.derivative, {**values, "a": output, "z": 0})))


_Way = Callable[
    [Piece, dict[str, float], list[Place]], Iterator[Candidate] | Iterator[Candidate | Relation]
]


def _eliminated(
    piece: Piece, values: dict[str, float], places: list[Place]
) -> Iterator[Candidate | Relation]:
    yield from Elimination(piece, values, places).candidates()
    plain = Piece(*map(without_areas, (piece.expression, piece.derivative)))
    if plain != piece:
        yield from Elimination(plain, values, places).candidates()


def _mixed(piece: Piece, values: dict[str, float], places: list[Place]) -> Iterator[Candidate]:
    return mixed_forms(piece, values, places)


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
        try:
            with time_limit(_SECONDS):
                for candidate in way(self.piece, self.values, self.places):
                    if isinstance(candidate, Relation):
                        if found is not None:
                            break
                        self.relations.append(candidate)
                        continue
                    form = _checked(candidate, self.values, self.places, variables)
                    if form is not None and (found is None or _rank(form) < _rank(found)):
                        found = form
        except _ENDS:
            return found
        return found

    def equation(self) -> ImplicitForm | None:
        """Return the shortest equation between output and slope that holds."""
        return _bounded(self._equation)

    def _equation(self) -> ImplicitForm | None:
        for relation in sorted(self.relations, key=lambda r: size(r.polynomial)):
            if size(relation.polynomial) > _LONGEST:
                return None
            found = implicit_form(relation, self.places, self.values)
            if found is not None:
                return found
        return None


def _rank(form: OutputForm) -> tuple[bool, int]:
    """Return what forms are ordered by: those in the output alone come first, then short ones."""
    return "z" in variables_of(form.derivative), size(form.derivative)


# Where algebra cannot go on a way of looking ends.
_ENDS = (*FAILURES, NotInFieldError)
_T = TypeVar("_T")


def _bounded(compute: Callable[[], _T]) -> _T | None:
    """Return what is computed, or None where the time is up or algebra cannot go on."""
    try:
        with time_limit(_SECONDS):
            return compute()
    except _ENDS:
        return None


def _checked(
    candidate: Candidate, values: dict[str, float], places: list[Place], variables: set[str]
) -> OutputForm | None:
    found = candidate.derivative
    if not variables_of(found) <= variables or size(found) > _LONGEST_FORM:
        return None
    count = holds(found, places, values)
    if count == 0:
        return None
    proof = PROVED if candidate.is_identity else f"checked to {DIGITS} digits at {count} places"
    return OutputForm(found, candidate.generator, candidate.inverse, proof)
