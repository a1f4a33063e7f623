"""What holds again and again: the sections of a formula whose choices have a period."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import mpmath

from chainrule.derivations._chain_rule import derivative_in_variables
from chainrule.derivations._evaluate import evaluate
from chainrule.derivations._simplified import simplified
from chainrule.derivations.algebra._arithmetic import size, subtract
from chainrule.derivations.algebra._sympy import Translation
from chainrule.derivations.algebra._written_products import numbers_first
from chainrule.derivations.output_forms._output_form import NoOutputForm
from chainrule.derivations.output_forms._repeated_forms import repeats
from chainrule.derivations.pieces._periods import PeriodicPieces
from chainrule.derivations.pieces._pieces import Breakpoint, is_rounded
from chainrule.derivations.sections._kinks import kink_sentence, place_text, reason_at
from chainrule.derivations.sections._simplification import (
    form_sentences,
    shorter_sides,
    slope_equations,
)
from chainrule.documents import Equation, Section, equation, partial, symbol, text_of
from chainrule.formulas import Apply, Expression, Formula, variables_of

if TYPE_CHECKING:
    from chainrule.derivations._derivation import Derivation

_A, _Z, _K = symbol("a"), symbol("z"), symbol("k")
_DIGITS = 60
_SAME = mpmath.mpf(10) ** -12
_EVERY_PERIOD = "The choices repeat themselves: k is any whole number."


def repeated_simplification(derivation: Derivation) -> Section:
    """Return the derivative on the pieces of one period, and where they meet."""
    found = _period_of(derivation)
    derivative = partial(_A, _Z)
    sentences = [_EVERY_PERIOD]
    equations = [equation(derivative, derivation.steps[-1].in_variables)]
    for k, (piece, form) in enumerate(zip(found.once.pieces, derivation.output_forms, strict=True)):
        where = f"where {_interval(found, k)}"
        slope = derivative_in_variables(piece.expression)
        sides = equation(derivative, slope, *shorter_sides(form, slope)).sides
        equations += [Equation(sides, where), *slope_equations(form, where)]
        if isinstance(form, NoOutputForm) or "a" in variables_of(form.derivative):
            known = form_sentences(piece, form, slope)
            sentences += [f"W{where[1:]}: {s[0].lower()}{s[1:]}" for s in known]
    return Section("Simplification", (*sentences, *_meetings(derivation)), tuple(equations))


def repeated_second(derivation: Derivation) -> Section:
    """Return the second derivative on the pieces of one period."""
    found = _period_of(derivation)
    apart = [k for k in range(len(found.once.pieces)) if _bends_at(found, derivation.formula, k)]
    sentences = []
    if apart:
        places = _families([found.around.breakpoints[k] for k in apart], found)
        sentences = [f"At z = {places} the two sides differ: no second derivative is given."]
    left = Apply("partial_twice", (_A, _Z))
    equations = []
    for k, second in enumerate(derivation.second):
        sides: list[Expression] = [left, numbers_first(second.by_preactivation)]
        through = second.through_output
        if through is not None and size(through) <= size(sides[1]):
            sides.append(numbers_first(through))
        equations.append(Equation(equation(*sides).sides, f"where {_interval(found, k, '<')}"))
    return Section("Second derivative", tuple(sentences), tuple(equations))


def _period_of(derivation: Derivation) -> PeriodicPieces:
    assert derivation.period is not None
    return derivation.period


def _meetings(derivation: Derivation) -> list[str]:
    """Say where pieces meet and how, once for all places that are alike."""
    found = _period_of(derivation)
    alike: dict[str, list[Breakpoint]] = {}
    for k, b in enumerate(found.around.breakpoints[:-1]):
        alike.setdefault(_meeting(derivation.formula, found, k), []).append(b)
    return [f"At z = {_families(places, found)} {said}" for said, places in alike.items()]


def _meeting(formula: Formula, found: PeriodicPieces, k: int) -> str:
    if _is_told_by_one(formula, found, k):
        return kink_sentence(formula, found.around, k, at="").strip()
    b = found.around.breakpoints[k]
    left, right = found.around.pieces[k : k + 2]
    with mpmath.workdps(_DIGITS):
        values = {name: mpmath.mpf(value) for name, value in formula.parameters}
        reason = reason_at(formula, {**values, "z": evaluate(b.location, values)})
    value, slope = (
        " to ".join(text_of(simplified(e)) for e in pair)
        for pair in (
            (left.expression, right.expression),
            (left.derivative, right.derivative),
        )
    )
    taken = text_of(simplified(derivative_in_variables(b.value)))
    return (
        f"the formula goes over from {value}, its slope from {slope}; taken there: {taken}{reason}."
    )


def _is_told_by_one(formula: Formula, found: PeriodicPieces, k: int) -> bool:
    """Tell whether values and slopes at one place are those at all places a period apart."""
    left, right = found.around.pieces[k : k + 2]
    if not all(repeats(piece.derivative, found.period) for piece in (left, right)):
        return False
    if all(repeats(piece.expression, found.period) for piece in (left, right)):
        return True
    step = simplified(subtract(left.expression, right.expression))
    with mpmath.workdps(_DIGITS):
        values = {name: mpmath.mpf(value) for name, value in formula.parameters}
        place = evaluate(found.around.breakpoints[k].location, values)
        return repeats(step, found.period) and bool(
            abs(evaluate(step, {**values, "z": place})) < _SAME
        )


def _bends_at(found: PeriodicPieces, formula: Formula, k: int) -> bool:
    b = found.around.breakpoints[k]
    return not _is_told_by_one(formula, found, k) or b.is_kink


def _interval(found: PeriodicPieces, k: int, sign: str = "") -> str:
    """Write where z lies on a piece of every period."""
    low, high = found.around.breakpoints[k : k + 2]
    before, after = sign or _sign(found, k, "right"), sign or _sign(found, k + 1, "left")
    return f"{_family(low.location, found.period)} {before} z {after} " + _family(
        high.location, found.period
    )


def _sign(found: PeriodicPieces, k: int, side: str) -> str:
    """Return ≤ where a piece's slope is taken at its end, which holds what it is on that side."""
    b = found.around.breakpoints[k]
    piece = found.around.pieces[k if side == "left" else k + 1]
    return "≤" if b.slope_from == side and b.value == piece.expression else "<"


def _families(places: Sequence[Breakpoint], found: PeriodicPieces) -> str:
    """Write places and all a period further on; evenly spaced ones as one family."""
    count = len(places)
    apart = found.length / count
    even = all(
        abs(b.place - places[0].place - k * apart) < 1e-12 * found.length
        for k, b in enumerate(places)
    )
    if count > 1 and even:
        translation = Translation()
        shorter = translation.to_expression(translation.to_sympy(found.period) / count)
        return _family(places[0].location, shorter)
    written = [_family(b.location, found.period) for b in places]
    return " and ".join(filter(None, (", ".join(written[:-1]), written[-1])))


def _family(location: Expression, period: Expression) -> str:
    translation = Translation()
    turns = translation.symbol(_K) * translation.to_sympy(period)
    family = text_of(numbers_first(translation.to_expression(turns)))
    if is_rounded(location):
        return f"{place_text(location)} + {family}"
    within = translation.to_sympy(location)
    return family if within == 0 else f"{text_of(location)} + {family}"
