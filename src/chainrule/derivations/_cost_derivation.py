"""The derivation of a cost behind an output activation."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from chainrule.derivations._fusion import FusedGradient, fused_gradient
from chainrule.derivations._sections import MATRIX_A, MATRIX_Z, batch_form, per_unit
from chainrule.documents import Document, Equation, Section, equation, partial, symbol, text_of
from chainrule.formulas import Apply, Expression, Formula, parse

_J = symbol("J")
_M = symbol("m")


@dataclass(frozen=True)
class CostDerivation:
    """∂J/∂A and ∂J/∂Z of a cost behind an output activation, for a batch of m examples.

    Parameters
    ----------
    activation, cost : Formula
    fused : FusedGradient
        The derivatives of the cost of one example.
    """

    activation: Formula
    cost: Formula
    fused: FusedGradient

    @property
    def title(self) -> str:
        """Both names."""
        return f"{self.cost.title} behind {self.activation.title}"

    @cached_property
    def sections(self) -> tuple[Section, ...]:
        """The derivation as titled sections of equations."""
        by_output, short = self.fused.by_output, self.fused.by_preactivation
        sections = [
            Section(
                "Cost",
                ("The mean over a batch of m examples i of",),
                (Equation((symbol("J_i"), per_unit(self.cost.expression))),),
            ),
            Section(
                "Derivative by the output",
                (),
                (
                    Equation((partial(_J, symbol("a_j")), batch_mean(per_unit(by_output)))),
                    Equation((partial(_J, MATRIX_A), batch_mean(batch_form(by_output)))),
                ),
            ),
        ]
        cross = Apply(
            "multiply", (partial(_J, symbol("a_p")), partial(symbol("a_p"), symbol("z_j")))
        )
        equations = [Equation((partial(_J, symbol("z_j")), Apply("sum_units", (cross,))))]
        sentences = []
        if short is None:
            sentences.append("No shorter form was found; the two factors are computed one by one.")
        else:
            if self.fused.assumption:
                total = text_of(_left(self.fused.assumption))
                sentences.append(f"It holds for targets with {total} = 1 in every example.")
            equations.append(equation(partial(_J, symbol("z_j")), batch_mean(per_unit(short))))
            equations.append(equation(partial(_J, MATRIX_Z), batch_mean(batch_form(short))))
            if not self.fused.keeps_gradient:
                sentences.append(
                    "This form rounds where the output saturates; the two factors are computed "
                    "one by one from z, which keeps the gradient."
                )
        sections.append(
            Section("Derivative by the pre-activation", tuple(sentences), tuple(equations))
        )
        return tuple(sections)

    @property
    def document(self) -> Document:
        """The derivation as a document."""
        return Document(self.title, self.sections)

    def to_text(self, width: int = 100) -> str:
        """Return the derivation for a terminal `width` characters wide."""
        return self.document.to_text(width)

    def to_latex(self) -> str:
        """Return the derivation as the body of a LaTeX document that loads ``amsmath``."""
        return self.document.to_latex()

    def to_html(self, path: str | Path | None = None) -> str:
        """Return the derivation as one self-contained page; write it where a path is given."""
        return self.document.to_html(path)

    def __str__(self) -> str:
        return self.to_text()

    def _repr_html_(self) -> str:
        return self.document._repr_html_()


def batch_mean(e: Expression) -> Expression:
    """Divide by m, within one fraction."""
    if isinstance(e, Apply) and e.operation == "negate":
        return Apply("negate", (batch_mean(e.arguments[0]),))
    if isinstance(e, Apply) and e.operation == "divide":
        return Apply("divide", (e.arguments[0], Apply("multiply", (_M, e.arguments[1]))))
    return Apply("divide", (e, _M))


def _left(assumption: str) -> Expression:
    return parse(assumption.split("==")[0].strip(), variables=("a", "y")).expression


def derive_cost(activation: Formula, cost: Formula, assumption: str = "") -> CostDerivation:
    """Derive ∂J/∂Z of a cost behind an output activation.

    Parameters
    ----------
    activation, cost : Formula
    assumption : str
        What may be taken for granted of the targets, as ``"sum(y) == 1"``.
    """
    return CostDerivation(activation, cost, fused_gradient(activation, cost, assumption))
