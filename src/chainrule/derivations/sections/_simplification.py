"""The section that simplifies an element-wise derivative: through the output, or why not."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from math import inf
from typing import TYPE_CHECKING

import mpmath

from chainrule.derivations._chain_rule import derivative_in_variables
from chainrule.derivations._simplified import simplified
from chainrule.derivations.algebra._arithmetic import ZERO, size
from chainrule.derivations.algebra._sympy import Translation
from chainrule.derivations.output_forms._output_form import (
    UNDEFINED,
    NoOutputForm,
    OutputForm,
)
from chainrule.derivations.output_forms.signs._domain import Stretch, domain
from chainrule.derivations.pieces._pieces import Breakpoint, Piece
from chainrule.derivations.sections._kinks import has_gap, kink_sentence, place_text
from chainrule.documents import Equation, Section, equation, partial, symbol, text_of
from chainrule.formulas import Expression, Formula, variables_of

if TYPE_CHECKING:
    from chainrule.derivations._derivation import Derivation

A, Z = symbol("a"), symbol("z")


def simplification_section(derivation: Derivation) -> Section:
    """Return the derivative of each smooth piece in its shortest forms, and how they are known."""
    derivative = partial(A, Z)
    pieces, forms = derivation.pieces, derivation.output_forms
    last = derivation.steps[-1].in_variables
    if pieces is None:
        sentences = ["The formula changes its form at more places than can be told apart."]
        for form in forms:
            sentences += form_sentences(None, form, last)
        return Section("Simplification", tuple(sentences), (equation(derivative, last),))
    if len(pieces.pieces) == 1:
        where = _domain_sentence(derivation, 0, -inf, inf)
        sentences = [where] * bool(where) + form_sentences(pieces.pieces[0], forms[0], last)
        shown = equation(derivative, last, *shorter_sides(forms[0], last))
        return Section("Simplification", tuple(sentences), (shown, *slope_equations(forms[0], "")))
    sentences = []
    places = [-inf, *(b.place for b in pieces.breakpoints), inf]
    equations = [equation(derivative, last)]
    joins = without_gaps(derivation.formula, pieces.breakpoints)
    for k, (piece, form) in enumerate(zip(pieces.pieces, forms, strict=True)):
        where = f"where {interval(joins, k)}"
        if isinstance(form, NoOutputForm) and form.reason == UNDEFINED:
            sentences.append(f"W{where[1:]} the formula has no value.")
            continue
        slope = derivative_in_variables(piece.expression)
        sides = equation(derivative, slope, *shorter_sides(form, slope)).sides
        equations += [Equation(sides, where), *slope_equations(form, where)]
        undefined = _domain_sentence(derivation, k, places[k], places[k + 1])
        if undefined:
            sentences.append(f"W{where[1:]}: {undefined[0].lower()}{undefined[1:]}")
        if isinstance(form, NoOutputForm) or "a" in variables_of(form.derivative):
            known = form_sentences(piece, form, slope)
            sentences += [f"W{where[1:]}: {s[0].lower()}{s[1:]}" for s in known]
    sentences += [
        kink_sentence(derivation.formula, pieces, k)
        for k, b in enumerate(pieces.breakpoints)
        if not b.is_end_of_domain
    ]
    return Section("Simplification", tuple(sentences), tuple(equations))


def shorter_sides(form: OutputForm | NoOutputForm, last: Expression) -> tuple[Expression, ...]:
    """Return the shorter ways to write a derivative, the one through the output last."""
    if isinstance(form, OutputForm):
        whole = () if _is_reordered(form.derivative, last) else (form.derivative,)
        return (*_shorter(form, last), *whole)
    mixed = _shorter(form, last)
    if mixed:
        return mixed
    short = simplified(last)
    return (short,) if size(short) < size(last) else ()


def _shorter(form: OutputForm | NoOutputForm, last: Expression) -> tuple[Expression, ...]:
    mixed = form.through_preactivation
    return (mixed.derivative,) if mixed and size(mixed.derivative) < size(last) else ()


def _mixed_sentence(form: OutputForm | NoOutputForm, last: Expression) -> list[str]:
    mixed = form.through_preactivation
    if mixed is None or not _shorter(form, last):
        return []
    through = "through a and z" if "a" in variables_of(mixed.derivative) else "in z"
    return [f"There is a shorter form {through} ({mixed.proof})."]


def _is_reordered(e: Expression, other: Expression) -> bool:
    """Tell whether two expressions differ by the order of terms and factors alone."""
    if size(e) != size(other):
        return False
    translation = Translation()
    return bool(translation.to_sympy(e) == translation.to_sympy(other))


def form_sentences(
    piece: Piece | None, form: OutputForm | NoOutputForm, last: Expression
) -> list[str]:
    """Say how a form is known, or why there is none; a piece tells from what it follows."""
    if isinstance(form, NoOutputForm):
        sentences = [f"There is no form through the output a alone: {form.reason}."]
        if form.witness is None:
            sentences = [f"No form through the output a alone was found: {form.reason}."]
        if form.equation is not None:
            sentences.append(
                "With d = ∂a/∂z the equation below holds, and ∂a/∂z is its "
                f"{form.equation.branch.removeprefix('the ')} ({form.equation.proof})."
            )
        return sentences + _mixed_sentence(form, last)
    if "a" not in variables_of(form.derivative):
        return []
    if piece and form.generator and form.inverse and form.generator != Z:
        generator = text_of(form.generator)
        return [
            f"Eliminate {generator}: from a = {text_of(piece.expression)} "
            f"follows {generator} = {text_of(form.inverse)} ({form.proof}).",
            *_mixed_sentence(form, last),
        ]
    return [f"Eliminate z between a and ∂a/∂z ({form.proof}).", *_mixed_sentence(form, last)]


def slope_equations(form: OutputForm | NoOutputForm, where: str) -> list[Equation]:
    """Return the equation between output and slope where there is no form."""
    if isinstance(form, OutputForm) or form.equation is None:
        return []
    remark = f"d = ∂a/∂z, {form.equation.branch}"
    sides = (form.equation.polynomial, ZERO)
    return [Equation(sides, f"{where}, {remark}" if where else remark)]


def _domain_sentence(derivation: Derivation, k: int, low: float, high: float) -> str:
    """Say where a piece is undefined, if it is somewhere."""
    assert derivation.pieces is not None
    expression = derivation.pieces.pieces[k].expression
    stretches = domain(expression, dict(derivation.formula.parameters), low, high)
    if stretches is None or (len(stretches) < 2 and all(s.ends == (None, None) for s in stretches)):
        return ""
    holes = [one.high for one, two in pairwise(stretches) if one.high == two.low]
    shown = " or ".join(_stretch(s) for s in stretches)
    if holes and len(holes) == len(stretches) - 1 and not _is_bounded(stretches, low, high):
        shown = " and ".join(f"z ≠ {place_text(s.ends[1])}" for s in stretches if s.ends[1])
    return f"The formula is defined where {shown}."


def _is_bounded(stretches: tuple[Stretch, ...], low: float, high: float) -> bool:
    return stretches[0].low != low or stretches[-1].high != high


def _stretch(stretch: Stretch) -> str:
    low, high = (None if end is None else place_text(end) for end in stretch.ends)
    if low is None:
        return f"z < {high}"
    return f"z > {low}" if high is None else f"{low} < z < {high}"


def without_gaps(formula: Formula, breakpoints: tuple[Breakpoint, ...]) -> tuple[Breakpoint, ...]:
    """Let places where the formula has no value belong to what has none, or to neither piece."""
    found = []
    for b in breakpoints:
        if has_gap(formula, b):
            undefined = "left" if mpmath.isnan(b.left_slope) else "right"
            b = replace(b, slope_from=undefined if b.is_end_of_domain else "neither")
        found.append(b)
    return tuple(found)


def interval(breakpoints: tuple[Breakpoint, ...], k: int, last: int | None = None) -> str:
    """Write where z lies on a piece, or on those from the k-th to the last one."""
    end = k if last is None else last
    low = breakpoints[k - 1] if k > 0 else None
    high = breakpoints[end] if end < len(breakpoints) else None
    left = "" if low is None else f"{place_text(low.location)} {_sign(low, 'right')} "
    right = "" if high is None else f" {_sign(high, 'left')} {place_text(high.location)}"
    if low is not None and high is None:
        return f"z {'≥' if low.slope_from == 'right' else '>'} {place_text(low.location)}"
    return f"{left}z{right}"


def _sign(b: Breakpoint, side: str) -> str:
    return "≤" if b.slope_from == side else "<"
