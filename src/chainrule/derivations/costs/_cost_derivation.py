"""The derivation of a cost behind an output activation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from functools import partial as given
from typing import Any

from chainrule.derivations._graph import Graph, computation_graph
from chainrule.derivations.algebra._arithmetic import ONE
from chainrule.derivations.costs._cost_kinks import CostKink, cost_kinks
from chainrule.derivations.costs._domain import undefined_output
from chainrule.derivations.costs._fusion import FusedGradient, fused_gradient
from chainrule.derivations.limits_in_time._time_limit import in_time
from chainrule.derivations.sections._elementwise import MATRIX_A, MATRIX_Z, batch_form, per_unit
from chainrule.derivations.sections._layer_coupled import adjoint_sections
from chainrule.documents import (
    Document,
    Documented,
    Equation,
    Section,
    equation,
    partial,
    symbol,
    text_of,
)
from chainrule.formulas import Apply, Expression, Formula, apart, parse

_J, _J_I = symbol("J"), symbol("J_i")
_M = symbol("m")
_SECONDS = 3.0
_SECTIONS_SECONDS = 1.0


@dataclass(frozen=True)
class CostDerivation(Documented):
    """∂J/∂A and ∂J/∂Z of a cost behind an output activation, for a batch of m examples.

    Parameters
    ----------
    activation, cost : Formula
    fused : FusedGradient
        The derivatives of the cost of one example.
    targets : dict
        Where targets may lie, as the catalogue has it.
    supplements : callable or None
        Returns what a page shows: the sections, with plots and the graph drawn.
    """

    activation: Formula
    cost: Formula
    fused: FusedGradient
    targets: dict[str, Any] = field(default_factory=dict)
    supplements: Callable[[CostDerivation], tuple[Section, ...]] | None = field(
        default=None, compare=False, repr=False
    )

    @property
    def title(self) -> str:
        """Both names."""
        return f"{self.cost.title} behind {self.activation.title}"

    @cached_property
    def warning(self) -> str:
        """What is wrong with the pair: the cost has no value at outputs of the activation."""
        output = undefined_output(self.activation, self.cost, self.targets)
        if output is None:
            return ""
        return (
            f"The cost is not defined at every output of {self.activation.title}: at "
            f"a = {output:.3g} it has no value."
        )

    @cached_property
    def kinks(self) -> tuple[CostKink, ...]:
        """Where the branches of the cost meet, and what is taken there."""
        return cost_kinks(self.cost, self.fused.by_output)

    @cached_property
    def graph(self) -> Graph:
        """The computation graph of the cost."""
        return computation_graph(self.cost.expression)

    @cached_property
    def sections(self) -> tuple[Section, ...]:
        """The derivation as titled sections of equations."""
        return in_time(_SECTIONS_SECONDS, self._sections)

    def _sections(self) -> tuple[Section, ...]:
        values = ", ".join(f"{name} = {value:.12g}" for name, value in self.cost.parameters)
        return (
            Section(
                "Cost",
                (
                    "J is the mean over a batch of m examples i of J_i.",
                    *((self.warning,) if self.warning else ()),
                    *((f"Parameters: {values}.",) if values else ()),
                ),
                (Equation((_J_I, per_unit(self.cost.expression))),),
            ),
            *adjoint_sections(self.graph, "cost", _J_I, _J_I, "a", ONE),
            self._by_output(),
            self._by_preactivation(),
        )

    def _by_output(self) -> Section:
        by_output = self.fused.by_output
        equations = [
            Equation((partial(_J_I, symbol("a_j")), per_unit(by_output))),
            Equation((partial(_J, MATRIX_A), batch_mean(batch_form(by_output)))),
        ]
        sentences = []
        for kink in self.kinks:
            place = f"where {text_of(per_unit(kink.boundary))}"
            if kink.is_smooth:
                sentences.append(f"The branches meet {place} with one slope: no kink.")
            else:
                sentences.append(f"The cost has a kink {place}; what is taken: {kink.reason}.")
                left = partial(_J_I, symbol("a_j"))
                equations.append(Equation((left, per_unit(kink.slope)), place))
        return Section("Derivative with respect to the output", tuple(sentences), tuple(equations))

    def _by_preactivation(self) -> Section:
        left, short = partial(_J_I, symbol("z_j")), self.fused.by_preactivation
        unit = symbol("a_p" if self.activation.is_layer_coupled else "a_j")
        factors = partial(_J_I, unit), partial(unit, symbol("z_j"))
        chain: Expression = Apply("multiply", factors)
        if self.activation.is_layer_coupled:
            chain = Apply("sum_units", (chain,))
        equations = [Equation((left, chain), name=f"cost: {text_of(left)}")]
        sentences = []
        if self.fused.joined is not None and self.fused.joined != short:
            equations.append(equation(left, per_unit(self.fused.joined)))
        if short is None:
            sentences.append("No shorter form was found; the two factors are computed one by one.")
        else:
            if self.fused.assumption:
                total = text_of(per_unit(_left(self.fused.assumption)))
                sentences.append(
                    f"The short form holds for targets with {total} = 1 in every example."
                )
            equations.append(equation(left, per_unit(short)))
            equations.append(equation(partial(_J, MATRIX_Z), batch_mean(batch_form(short))))
            if self.fused.reason_for_two_factors:
                sentences.append(self.fused.reason_for_two_factors)
        return Section(
            "Derivative with respect to the pre-activation", tuple(sentences), tuple(equations)
        )

    @property
    def document(self) -> Document:
        """The derivation as a document; its page shows more."""
        formula = Equation((_J_I, per_unit(self.cost.expression)))
        more = given(self.supplements, self) if self.supplements else None
        return Document(self.title, self.sections, more, formula)


def batch_mean(e: Expression) -> Expression:
    """Divide by m, within one fraction."""
    if isinstance(e, Apply) and e.operation == "negate":
        return Apply("negate", (batch_mean(e.arguments[0]),))
    if isinstance(e, Apply) and e.operation == "divide":
        return Apply("divide", (e.arguments[0], Apply("multiply", (_M, e.arguments[1]))))
    return Apply("divide", (e, _M))


def _left(assumption: str) -> Expression:
    return parse(assumption.split("==")[0].strip(), variables=("a", "y")).expression


def derive_cost(
    activation: Formula,
    cost: Formula,
    assumption: str = "",
    targets: Mapping[str, Any] | None = None,
) -> CostDerivation:
    """Derive ∂J/∂Z of a cost behind an output activation.

    Parameters
    ----------
    activation, cost : Formula
    assumption : str
        What may be taken for granted of the targets, as ``"sum(y) == 1"``.
    targets : mapping, optional
        Where targets may lie, as `chainrule.catalogue.domain_of_targets` returns it.
    """
    cost = apart(cost, activation)
    fused = in_time(_SECONDS, lambda: fused_gradient(activation, cost, assumption))
    return CostDerivation(activation, cost, fused, dict(targets or {}))
