"""The sections on derivatives by the parameters and on second derivatives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

import mpmath

from chainrule.derivations._chain_rule import node_names
from chainrule.derivations._evaluate import evaluate
from chainrule.derivations._further_derivatives import ParameterDerivative, SecondDerivative
from chainrule.derivations.algebra._arithmetic import size, total
from chainrule.derivations.algebra._written_products import numbers_first
from chainrule.derivations.layers._hessian import Hessian
from chainrule.derivations.output_forms._output_form import UNDEFINED, NoOutputForm
from chainrule.derivations.pieces._branches import BRANCHING
from chainrule.derivations.pieces._one_sided import one_sided
from chainrule.derivations.pieces._pieces import Breakpoint
from chainrule.derivations.sections._elementwise import A_P, A, J, Z, per_unit, term_of
from chainrule.derivations.sections._kinks import has_gap, place_text
from chainrule.derivations.sections._repeated import repeated_second
from chainrule.derivations.sections._simplification import interval
from chainrule.documents import Equation, Section, equation, partial, symbol, text_of
from chainrule.formulas import Apply, Expression, Formula, Parameter, subexpressions

if TYPE_CHECKING:
    from chainrule.derivations._derivation import Derivation

_ELSE = "everywhere else"
_LONGEST_THROUGH_OUTPUT = 40  # parts of a second derivative in a that is shown if longer than in z
_LONGEST_ENTRY = 60  # parts of an entry of a Hessian that is shown
_AT_SWITCHES = {
    "limit": "the limit of those of the forms beside",
    "branch": "that of the branch that is taken, whatever holds beside",
}
_LONGEST_PRODUCT = 160  # parts of a Hessian–vector product that is shown


def further_sections(derivation: Derivation) -> tuple[Section, ...]:
    """Return the sections that follow the backward pass, where there is something to say."""
    sections = []
    if derivation.by_parameters:
        sections.append(_by_parameters(derivation))
    if derivation.second:
        sections.append((repeated_second if derivation.period else _second)(derivation))
    if derivation.hessian is not None:
        sections.append(_second_of_layer(derivation.formula, derivation.hessian))
    return tuple(sections)


def _by_parameters(derivation: Derivation) -> Section:
    coupled = derivation.formula.is_layer_coupled
    sentences = ["All units and examples share a parameter: what they pass back is summed."]
    equations = []
    for found in derivation.by_parameters:
        parameter = Parameter(found.name)
        left = partial(symbol("a_j") if coupled else A, parameter)
        if found.step is not None and found.step.contributions:
            equations.append(_parameter_step(derivation, found, left))
        if found.pieces:
            equations += _on_pieces(derivation, found, left)
        elif coupled:
            equations.append(equation(left, per_unit(numbers_first(found.derivative))))
        else:
            equations.append(_in_output(left, found.derivative, found.through_output))
        term = term_of(partial(J, A_P), partial(A_P, parameter))
        summed = Apply("sum_examples", (Apply("sum_units", (term,)),))
        equations.append(Equation((partial(J, parameter), summed)))
        sentences += [_limit_sentence(base, found.name) for base in found.limits]
        if found.switches:
            value = dict(derivation.formula.parameters)[found.name]
            sentences.append(
                f"At {found.name} = {value:g} the formula changes its form: the derivative by "
                f"{found.name} is {_AT_SWITCHES[found.switches]}."
            )
        if found.moves_kinks:
            sentences.append(
                f"{text_of(parameter)} moves a kink: the derivative is that of the piece on which "
                "z lies, and at the kink that of the branch that is taken there."
            )
    return Section("Derivatives with respect to the parameters", tuple(sentences), tuple(equations))


def _runs(pieces: tuple[Expression, ...]) -> Iterator[tuple[int, int]]:
    """Yield the first and the last of pieces that follow one another and are alike."""
    for _, run in groupby(range(len(pieces)), key=lambda k: pieces[k]):
        positions = list(run)
        yield positions[0], positions[-1]


def _parameter_step(
    derivation: Derivation, found: ParameterDerivative, left: Expression
) -> Equation:
    """Show the step from the nodes that use a parameter, with their local derivatives."""
    assert found.step is not None
    names = node_names(derivation.graph)
    terms, local = [], []
    for node, derivative in found.step.contributions:
        by_node = partial(names[node], Parameter(found.name))
        local.append(Equation((by_node, derivative), "local derivative"))
        terms.append(term_of(partial(A, names[node]), by_node))
    sides = [total(terms)] if terms else []
    whole = equation(left, *sides, numbers_first(found.step.through_nodes))
    see = tuple(text_of(partial(A, names[node])) for node, _ in found.step.contributions)
    return replace(whole, details=tuple(local), see=see)


def _on_pieces(
    derivation: Derivation, found: ParameterDerivative, left: Expression
) -> list[Equation]:
    assert derivation.pieces is not None
    breakpoints = derivation.pieces.breakpoints
    equations = []
    for first, last in _runs(found.pieces):
        form = derivation.output_forms[first]
        if isinstance(form, NoOutputForm) and form.reason == UNDEFINED:
            continue
        through = found.through_output[first : last + 1]
        same = through[:1] if len(set(through)) == 1 else ()
        everywhere = last - first == len(breakpoints)
        remark = "" if everywhere else f"where {interval(breakpoints, first, last)}"
        equations.append(replace(_in_output(left, found.pieces[first], same), remark=remark))
    return equations


def _in_output(
    left: Expression, derivative: Expression, through: tuple[Expression | None, ...]
) -> Equation:
    forms = (form for form in (derivative, *through) if form is not None)
    return equation(left, *map(numbers_first, forms))


def _limit_sentence(base: Expression, name: str) -> str:
    zero, power = text_of(base), text_of(Apply("power", (base, Parameter(name))))
    return (
        f"Where {zero} = 0 the derivative by {name} is taken as 0, the limit of "
        f"log({zero})·{power} from above: 0 to a positive power stays 0 when {name} changes."
    )


def _second(derivation: Derivation) -> Section:
    pieces = derivation.pieces
    assert pieces is not None
    breakpoints = pieces.breakpoints
    gaps = [has_gap(derivation.formula, b) for b in breakpoints]
    with mpmath.workdps(60):
        values = {name: mpmath.mpf(value) for name, value in derivation.formula.parameters}
        bends = [
            "" if gaps[k] else _bend_sentence(b, derivation.second[k : k + 2], values)
            for k, b in enumerate(breakpoints)
        ]
    kinks = [
        place_text(b.location)
        for b, gap in zip(breakpoints, gaps, strict=True)
        if b.is_kink and not (gap or b.is_end_of_domain)
    ]
    sentences = [bend for bend in bends if bend]
    if kinks:
        places = " and ".join(filter(None, (", ".join(kinks[:-1]), kinks[-1])))
        sentences.insert(0, f"At z = {places} the slope jumps: there is no second derivative.")
    # Where there is none, the place belongs to neither piece.
    joins = tuple(
        replace(b, slope_from="neither") if b.is_kink or bend or gap else b
        for b, bend, gap in zip(breakpoints, bends, gaps, strict=True)
    )
    left = Apply("partial_twice", (A, Z))
    defined = not any(
        isinstance(form, NoOutputForm) and form.reason == UNDEFINED
        for form in derivation.output_forms
    )
    if kinks and defined and len(set(derivation.second)) == 1:
        everywhere = equation(left, numbers_first(derivation.second[0].by_preactivation))
        return Section("Second derivative", tuple(sentences), (replace(everywhere, remark=_ELSE),))
    equations = []
    for k, found in enumerate(derivation.second):
        form = derivation.output_forms[k]
        if isinstance(form, NoOutputForm) and form.reason == UNDEFINED:
            continue
        sides: list[Expression] = [left, numbers_first(found.by_preactivation)]
        through = found.through_output
        if through is not None and size(through) <= max(size(sides[1]), _LONGEST_THROUGH_OUTPUT):
            sides.append(numbers_first(through))
        remark = f"where {interval(joins, k)}" if joins else ""
        equations.append(Equation(equation(*sides).sides, remark))
    return Section("Second derivative", tuple(sentences), tuple(equations))


def _second_of_layer(formula: Formula, hessian: Hessian) -> Section:
    """Show the entries, or the Hessian–vector product where they are long."""
    sentences = []
    if any(_may_meet(e) for e in subexpressions(formula.expression)):
        sentences.append("Where branches meet or units tie there is no second derivative.")
    if max(map(size, hessian.entries)) <= _LONGEST_ENTRY:
        return Section("Second derivatives", tuple(sentences), hessian.equations)
    if size(hessian.product) > _LONGEST_PRODUCT:
        sentences.append("They are too long to be shown; `hessian` holds them.")
        return Section("Second derivatives", tuple(sentences), ())
    sentences.append(
        "The entries are long; shorter is what they do with ∂J/∂a, held fixed, and a direction v "
        "of z. With ∂J/∂a = 1 at unit p, v = 1 at unit q, and 0 elsewhere, it is ∂²a_p/∂z_j∂z_q."
    )
    along = symbol("w")
    equations = (
        Equation((along, Apply("sum_units", (term_of(partial(J, symbol("z_p")), symbol("v_p")),)))),
        Equation((partial(along, symbol("z_j")), per_unit(numbers_first(hessian.product)))),
    )
    return Section("Second derivatives", tuple(sentences), equations)


def _may_meet(e: Expression) -> bool:
    return isinstance(e, Apply) and e.operation in (*BRANCHING, "max", "min")


def _bend_sentence(
    b: Breakpoint, sides: tuple[SecondDerivative, ...], values: dict[str, Any]
) -> str:
    """Say why there is no second derivative where two pieces meet, if there is none."""
    if b.is_kink or b.is_end_of_domain:
        return ""
    at = f"At z = {place_text(b.location)}"
    place = evaluate(b.location, values)
    left, right = (
        one_sided(found.by_preactivation, values, place, side)
        for found, side in zip(sides, (-1, 1), strict=True)
    )
    if not (mpmath.isfinite(left) and mpmath.isfinite(right)):
        return f"{at} the second derivative is not finite."
    if abs(left - right) <= mpmath.mpf(10) ** -12 * (1 + abs(left)):
        return ""
    return (
        f"{at} the slopes agree, but the second derivative jumps from {float(left):.6g} to "
        f"{float(right):.6g}: there is none."
    )
