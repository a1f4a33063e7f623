"""A derivation: everything between a formula and its backward pass, as one value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property, partial

from chainrule.derivations._chain_rule import Step, chain_rule, in_variables, node_names
from chainrule.derivations._further_derivatives import (
    ParameterDerivative,
    SecondDerivative,
    parameter_derivatives,
    second_derivatives,
)
from chainrule.derivations._graph import Graph, computation_graph
from chainrule.derivations._simplified import simplified
from chainrule.derivations.algebra._arithmetic import ZERO, rebuilt
from chainrule.derivations.layers._hessian import Hessian, hessian_of
from chainrule.derivations.layers._jacobian import Jacobian, at_unit, jacobian_of
from chainrule.derivations.layers._kinks import LayerKink, kinks_of_layer
from chainrule.derivations.layers._split import UnitGraph, is_splittable, unit_graph
from chainrule.derivations.layers._stages import Stage, composed_form
from chainrule.derivations.layers._vector_jacobian import backward_graph
from chainrule.derivations.limits_in_time._clock import work_clock
from chainrule.derivations.limits_in_time._remembered import remembered
from chainrule.derivations.limits_in_time._time_limit import in_time, time_left
from chainrule.derivations.output_forms._output_form import (
    NoOutputForm,
    OutputForm,
    forms_of_pieces,
)
from chainrule.derivations.output_forms._repeated_forms import (
    forms_of_period,
    witness_near_zero,
)
from chainrule.derivations.output_forms.layer_forms._kept_values import determined
from chainrule.derivations.output_forms.layer_forms._layer_output import layer_output_form
from chainrule.derivations.output_forms.told_layers._determined import why_determined, why_told
from chainrule.derivations.output_forms.witnesses._layer_witness import (
    LayerWitness,
    evident_layer_witness,
    find_layer_witness,
)
from chainrule.derivations.pieces._branches import shared_choice, with_extremes
from chainrule.derivations.pieces._periods import PeriodicPieces, periodic_pieces
from chainrule.derivations.pieces._pieces import Pieces, TooManyPiecesError, smooth_pieces
from chainrule.derivations.pieces._whole_slope import whole_slope
from chainrule.derivations.sections._elementwise import (
    elementwise_matrix_form,
    elementwise_sections,
    shortest_slope,
)
from chainrule.derivations.sections._further_derivatives import further_sections
from chainrule.derivations.sections._layer_coupled import coupled_matrix_form, coupled_sections
from chainrule.documents import Document, Documented, Section
from chainrule.formulas import Expression, Formula, subexpressions, variables_of

_SECONDS = 2.2
_COUPLED_SECONDS = 3.5  # stages are sought after all else
_SECTIONS_SECONDS = 1.5
_WHOLE_SECONDS = 4.6  # for a derivation and its sections, which have what that leaves
_FURTHER_SECONDS = 1.0
_HESSIAN_SECONDS = 1.0
_OUTPUT_SECONDS = 3.0  # for a form of layers through the output alone
_OUTPUT_SHARE = 0.6  # of what is left of a budget: where there is none, a proof has its time
_PROOF_SECONDS = 1.3


@dataclass(frozen=True)
class Derivation(Documented):
    """The derivation of a formula's backward pass.

    Parameters
    ----------
    formula : Formula
    graph : Graph
        Its computation graph.
    steps : tuple of Step
        ∂a/∂u at every node, outside first; empty for layer-coupled formulas.
    pieces : Pieces or None
        An element-wise formula cut at its kinks; None for layer-coupled formulas, and where there
        are too many kinks to tell apart.
    output_forms : tuple of (OutputForm or NoOutputForm)
        For each piece, or each of a period, the derivative through the output, or why there is
        none.
    unit_graphs : tuple of UnitGraph
        For layer-coupled formulas without nested reductions: a_j and a_p, p ≠ j, by z_j.
    product : Expression or None
        For layer-coupled formulas: ∂J/∂z_j through the output, with `g` for ∂J/∂a.
    stages : tuple of Stage
        For layer-coupled formulas that are clearer as a composition: their stages.
    period : PeriodicPieces or None
        Of an element-wise formula with infinitely many kinks: one period, where there is one.
    supplements : callable or None
        Returns what a page shows: the sections, with summary, plots, certificate and source.
    section_seconds : float
        How long the simplifications in the sections may take.

    Examples
    --------
    >>> from chainrule.formulas import parse, to_text
    >>> derivation = derive(parse("1/(1 + exp(-z))"))
    >>> to_text(derivation.output_forms[0].derivative)
    'a*(1 - a)'
    """

    formula: Formula
    graph: Graph
    steps: tuple[Step, ...]
    pieces: Pieces | None
    output_forms: tuple[OutputForm | NoOutputForm, ...]
    unit_graphs: tuple[UnitGraph, ...]
    product: Expression | None
    stages: tuple[Stage, ...] = ()
    period: PeriodicPieces | None = None
    supplements: Callable[[Derivation], tuple[Section, ...]] | None = field(
        default=None, compare=False, repr=False
    )
    section_seconds: float = field(default=_SECTIONS_SECONDS, compare=False, repr=False)

    @property
    def title(self) -> str:
        """The name and the formula."""
        name = self.formula.name
        return f"{name}: a = {self.formula.text}" if name else f"a = {self.formula.text}"

    @cached_property
    def sections(self) -> tuple[Section, ...]:
        """The derivation as titled sections of equations."""
        coupled = self.formula.is_layer_coupled
        first = coupled_sections if coupled else elementwise_sections
        return in_time(self.section_seconds, lambda: first(self) + further_sections(self))

    @cached_property
    def by_parameters(self) -> tuple[ParameterDerivative, ...]:
        """The derivative of the activation by each of its parameters."""
        parts = self.formula, self.graph, self.steps, self.pieces
        return in_time(_FURTHER_SECONDS, lambda: parameter_derivatives(*parts))

    @cached_property
    def second(self) -> tuple[SecondDerivative, ...]:
        """∂²a/∂z² on each smooth piece; empty for layer-coupled formulas and uncut ones."""
        pieces = self.period.once if self.period is not None else self.pieces
        if pieces is None:
            return ()
        return in_time(_FURTHER_SECONDS, lambda: second_derivatives(pieces, self.output_forms))

    @cached_property
    def jacobian(self) -> Jacobian | None:
        """∂a_p/∂z_j for p = j and p ≠ j, through the output where that is possible."""
        title = f"Jacobian of {self.title}"
        if not self.formula.is_layer_coupled:
            own = at_unit(shortest_slope(self), "j")
            return Jacobian(own, ZERO, title)
        product = self.product or rebuilt(backward_graph(self.graph)[0].expression())
        found = in_time(_FURTHER_SECONDS, lambda: jacobian_of(product, simplified))
        return None if found is None else replace(found, title=title)

    @cached_property
    def hessian(self) -> Hessian | None:
        """∂²a_p/∂z_j∂z_q of a layer-coupled formula; of an element-wise one see `second`."""
        if not self.formula.is_layer_coupled:
            return None
        parts = self.formula, self.graph, simplified
        found = in_time(_HESSIAN_SECONDS, lambda: hessian_of(*parts))
        title = f"Second derivatives of {self.title}"
        return None if found is None else replace(found, title=title)

    @cached_property
    def layer_kinks(self) -> tuple[LayerKink, ...]:
        """Where the slope of a layer-coupled formula jumps; of element-wise ones see `pieces`."""
        if not self.formula.is_layer_coupled:
            return ()
        return in_time(_FURTHER_SECONDS, lambda: kinks_of_layer(self.formula, self.graph))

    @cached_property
    def layer_witness(self) -> LayerWitness | None:
        """Two layers with the same outputs and different Jacobians, where no form is known."""
        if not self.formula.is_layer_coupled or self.product_from_output is not None:
            return None
        evident = self._evident_witness
        if evident is not None and evident.is_smooth:
            return evident
        return None if self._proof_of_layers else self._witness_of_layers

    @cached_property
    def determined_by_output(self) -> str:
        """The proof that the output determines a layer's derivative where no form is known."""
        if not self.formula.is_layer_coupled or self.product_from_output is not None:
            return ""
        if self.layer_witness is not None:
            return ""
        if self._proof_of_layers:
            return self._proof_of_layers
        return in_time(_PROOF_SECONDS, lambda: why_told(self._with_extremes))

    @cached_property
    def _evident_witness(self) -> LayerWitness | None:
        return in_time(_FURTHER_SECONDS, lambda: evident_layer_witness(self.formula, self.graph))

    @cached_property
    def _witness_of_layers(self) -> LayerWitness | None:
        return in_time(_FURTHER_SECONDS, lambda: find_layer_witness(self.formula, self.graph))

    @cached_property
    def _proof_of_layers(self) -> str:
        return in_time(_FURTHER_SECONDS, lambda: why_determined(self._with_extremes))

    @cached_property
    def told_by_output(self) -> tuple[tuple[Expression, Expression], ...]:
        """Reductions over `z` that the output tells, where `product` needs `z`: value in `a`."""
        if not self.needs_preactivation:
            return ()
        plain = self._with_extremes
        graph = computation_graph(plain.expression)
        return in_time(_FURTHER_SECONDS, lambda: determined(plain, graph))

    @cached_property
    def _with_extremes(self) -> Formula:
        return replace(self.formula, expression=with_extremes(self.formula.expression))

    @cached_property
    def product_from_output(self) -> Expression | None:
        """∂J/∂z of a layer-coupled formula in `a` and `g` alone, where that form is found."""
        if not self.needs_preactivation:
            return self.product
        if self._evident_witness is not None and self._evident_witness.is_smooth:
            return None
        plain, told = self._with_extremes, self.told_by_output
        graph = computation_graph(plain.expression)
        chained = backward_graph(graph, guards_roots=False)[0].expression()
        known = [chained] if self.product is None else [with_extremes(self.product), chained]
        seconds = min(_OUTPUT_SECONDS, _OUTPUT_SHARE * time_left())
        found = in_time(seconds, lambda: layer_output_form(plain, tuple(known), told))
        is_chosen = any(map(shared_choice, subexpressions(plain.expression)))
        # Layers of one branch, as they are sampled, may lack the outputs of another.
        return None if found is not None and is_chosen and self._witness_of_layers else found

    @property
    def needs_preactivation(self) -> bool:
        """Whether ∂J/∂z of a layer-coupled formula is not written in the output alone."""
        product = self.product
        is_through_output = product is not None and "z" not in variables_of(product)
        return self.formula.is_layer_coupled and not is_through_output

    @property
    def document(self) -> Document:
        """The derivation as a document; its page shows more."""
        more = partial(self.supplements, self) if self.supplements else None
        return Document(self.title, self.sections, more, self.sections[0].equations[0])


def matrix_form(derivation: Derivation) -> Section:
    """Return the equations of a whole batch: A forward, then ∂J/∂Z backward."""
    if derivation.formula.is_layer_coupled:
        return coupled_matrix_form(derivation)
    return elementwise_matrix_form(derivation)


def derive(formula: Formula) -> Derivation:
    """Derive the backward pass of an activation, with every step.

    Parameters
    ----------
    formula : Formula
        In `z`; element-wise or layer-coupled.

    Returns
    -------
    Derivation

    Notes
    -----
    Every simplification is bounded in time; what is cut short appears unsimplified.
    """
    return replace(_derived(formula))  # a copy: what is computed on request stays its own


@remembered
def _derived(formula: Formula) -> Derivation:
    seconds = _COUPLED_SECONDS if formula.is_layer_coupled else _SECONDS
    began = work_clock().now()
    found = in_time(seconds, lambda: _derive(formula))
    left = _WHOLE_SECONDS - (work_clock().now() - began)
    return replace(found, section_seconds=max(_SECTIONS_SECONDS, left))


def _derive(formula: Formula) -> Derivation:
    graph = computation_graph(formula.expression)
    if formula.is_layer_coupled:
        graphs: tuple[UnitGraph, ...] = ()
        if is_splittable(formula):
            graphs = (unit_graph(formula, same_unit=True), unit_graph(formula, same_unit=False))
        return Derivation(formula, graph, (), None, (), graphs, *composed_form(formula))
    steps = chain_rule(graph, node_names(graph))
    values = dict(formula.parameters)
    period = periodic_pieces(formula)
    if period is not None:
        forms = forms_of_period(period, values)
        return Derivation(formula, graph, steps, None, forms, (), None, period=period)
    try:
        pieces = smooth_pieces(formula)
    except TooManyPiecesError:
        witness = witness_near_zero(formula)
        reason = f"{witness}: the output does not tell the slope"
        refused = () if witness is None else (NoOutputForm(reason, witness),)
        return Derivation(formula, graph, steps, None, refused, (), None)
    last = steps[-1]
    plain = in_variables(graph, last.through_nodes)
    slope = whole_slope(last.in_variables, plain, pieces, values)
    steps = (*steps[:-1], replace(last, in_variables=slope))
    forms = forms_of_pieces(pieces, values)
    return Derivation(formula, graph, steps, pieces, forms, (), None)
