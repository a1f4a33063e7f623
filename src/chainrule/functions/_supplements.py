"""The page of an activation: a summary, the derivation with pictures, and how it is computed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from chainrule.functions._graph_figure import graph_figure, reasons_of, with_figures
from chainrule.functions._plots import plot_section
from chainrule.functions._ways_back import ways_back_section

if TYPE_CHECKING:
    from chainrule.certificates import Certificate
    from chainrule.derivations import Derivation
    from chainrule.documents import Equation, Listing, Section
    from chainrule.kernels.computed import Computed
    from chainrule.portraits import Portrait

_IN_SHORT = ("infimum", "supremum", "largest slope", "kink", "jump")
_MOST_OPEN = 40


def supplements(derivation: Derivation) -> tuple[Section, ...]:
    """Return the sections of a derivation's page.

    Parameters
    ----------
    derivation : Derivation

    Returns
    -------
    tuple of Section
        A summary and a plot; the derivation, its graphs drawn; the portrait, the certificate in
        float32, what the generated source computes, and the source.
    """
    from chainrule.certificates import certify
    from chainrule.documents import Section
    from chainrule.kernels import activation_kernels
    from chainrule.kernels.computed import computed
    from chainrule.portraits import portrait

    formula = derivation.formula
    source = activation_kernels(formula, np.float32).source
    seen, certificate = portrait(formula), certify(formula)
    listing = _listing(derivation, source)
    about_source = (
        "Generated from the derivation and compiled as it stands here. A comment names the nodes "
        "and derivatives whose values a line computes, in whatever form, as a comparison in 40 "
        "digits at places of either sign shows."
    )
    return (
        _summary(derivation, seen, certificate),
        plot_section(derivation),
        *_with_pictures(derivation),
        *seen.sections,
        *certificate.sections,
        ways_back_section(formula),
        *(s for part in computed(formula, source) for s in _computed_sections(part)),
        Section("Kernel source", (about_source,), blocks=(listing,)),
    )


def _listing(derivation: Derivation, source: str) -> Listing:
    """Return the source with what its lines compute, have on their way, and need not compute."""
    from chainrule.documents import Listing
    from chainrule.kernels.computed import line_names, step_lines

    marks, steps = line_names(source), step_lines(derivation.formula, source)
    named = {name for _, name in marks}
    parts = tuple((line, s.name) for s in steps if s.name not in named for line in s.lines)
    reasons = tuple((s.name, s.reason) for s in steps)
    if not reasons:
        reasons = reasons_of(derivation.sections, "the units pass back together")
    return Listing(source, "source", marks, parts, reasons)


def _summary(derivation: Derivation, seen: Portrait, certificate: Certificate) -> Section:
    from chainrule.documents import Section, Table

    formula = derivation.sections[0]
    titled = {s.title: s for s in derivation.sections}
    # What is too long to be written as one is there in stages, or as the sum for a unit.
    shown = next(
        titled[title]
        for title in ("Simplification", "In stages", "Assembly for one unit")
        if title in titled and titled[title].equations
    )
    equations = tuple(_anonymous(e) for e in (*formula.equations, *shown.equations))
    rows = [
        (s.subject, s.text.partition(" in [")[0]) for s in seen.statements if s.subject in _IN_SHORT
    ]
    rows.append(("certificate", certificate.summary.partition(": ")[2]))
    if derivation.formula.parameters:
        values = derivation.formula.parameters
        rows.insert(0, ("parameters", ", ".join(f"{n} = {v:.12g}" for n, v in values)))
    return Section(
        "In short",
        shown.sentences,
        equations,
        (Table(("property", "value"), tuple(rows)),),
    )


def _anonymous(e: Equation) -> Equation:
    """Return an equation without its name: the summary repeats it, links lead to the original."""
    return replace(e, name="", see=(), details=())


def _with_pictures(derivation: Derivation) -> tuple[Section, ...]:
    """Return the derivation's sections, each graph followed by its picture."""
    from chainrule.derivations import node_names

    if derivation.unit_graphs:
        drawn = [
            (unit.graph, unit.names, unit.steps, output, prefix)
            for unit, output, prefix in zip(
                derivation.unit_graphs, ("a_j", "a_p"), ("", "p ≠ j: "), strict=True
            )
        ]
    else:
        cost = "J" if derivation.formula.is_layer_coupled else "a"
        graph = derivation.graph
        drawn = [(graph, node_names(graph), derivation.steps, cost, "")]
    parameters = dict(derivation.formula.parameters)
    pictures = (graph_figure(parameters, *parts) for parts in drawn)
    return with_figures(derivation.sections, pictures)


def _computed_sections(part: Computed) -> tuple[Section, ...]:
    """Return the way from the formula to what is computed, and that itself."""
    from chainrule.documents import Equation, Section
    from chainrule.kernels.computed import is_rounded

    what = "value" if part.function in ("activation", "forward") else "derivative"
    computed = (
        f"What the function {part.function} in the source below computes, read from its lines: the "
        "same values, in a form that neither overflows nor cancels wherever one is found."
    )
    if is_rounded(part.equations):
        computed += " Long numbers are rounded here; the source has all their digits."
    if any(e.name.startswith(f"{part.function}-fit") for e in part.equations):
        computed += (
            " Where that would lose digits, on the stretch that is stated, a polynomial fitted to "
            "true values takes its place."
        )
    steps = tuple(Equation((r.before, r.after), r.reason) for r in part.rewritings)
    rewritten = (
        "Each expression on the left is replaced by the equal one on the right, which rounds less."
    )
    first = (Section(f"What is rewritten: the {what}", (rewritten,), steps),) if steps else ()
    is_short = len(part.equations) <= _MOST_OPEN
    title = f"What is computed: the {what}"
    return (*first, Section(title, (computed,), part.equations, is_open=is_short))
