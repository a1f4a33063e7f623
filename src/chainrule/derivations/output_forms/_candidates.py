"""What is proposed: forms through the output, and equations between output and slope."""

from __future__ import annotations

from dataclasses import dataclass

from chainrule.formulas import Expression, Variable

OUTPUT = Variable("a")
SLOPE = Variable("d")
LARGEST_DEGREE = 12  # of an equation for the slope that is shown


@dataclass(frozen=True)
class Candidate:
    """A form that elimination or composition proposes.

    Parameters
    ----------
    derivative : Expression
    is_identity : bool
        Whether putting the piece's expression for `a` gives its derivative as an identity of
        the field.
    generator, inverse : Expression or None
        What was eliminated, and its value in `a`, where it is a rational one.
    """

    derivative: Expression
    is_identity: bool
    generator: Expression | None = None
    inverse: Expression | None = None


@dataclass(frozen=True)
class Relation:
    """An expression in the output `a` and the slope ``d`` that is 0, a polynomial in ``d``."""

    polynomial: Expression
