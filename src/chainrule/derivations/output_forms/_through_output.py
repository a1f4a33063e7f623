"""The backward pass from the output alone: what it needs, and why it may not exist."""

from __future__ import annotations

from chainrule.derivations._derivation import Derivation
from chainrule.derivations.output_forms._joined import (
    NotJoinedError,
    joined,
    refuse_with_witness,
    refuse_without_forms,
)
from chainrule.derivations.output_forms._limits import with_limits
from chainrule.derivations.output_forms._output_form import UNDEFINED, NoOutputForm, OutputForm
from chainrule.derivations.pieces._pieces import Piece
from chainrule.derivations.pieces._whole_slope import by_pieces
from chainrule.formulas import ChainruleError, Expression, Formula


class NoOutputFormError(ChainruleError, ValueError):
    """The derivative of a formula cannot be written in its output alone."""


def through_output(derivation: Derivation) -> Expression:
    """Return the derivative in the output alone.

    Returns
    -------
    Expression
        For element-wise formulas ∂a/∂z in `a`, with ``where`` between pieces; for layer-coupled
        ones ∂J/∂z in `a` and `g`.

    Raises
    ------
    NoOutputFormError
        With the reason: no form was found, the output does not tell the pieces apart, or values
        that come from `z` are needed.
    """
    formula = derivation.formula
    if formula.is_layer_coupled:
        product = derivation.product_from_output
        if product is None:
            witness = derivation.layer_witness
            if witness is not None:
                reason = f"{witness}: the output does not tell the derivative"
            elif derivation.determined_by_output:
                reason = (
                    "no form was found, although the output determines the derivative (proved: "
                    f"{derivation.determined_by_output})"
                )
            else:
                reason = (
                    "no form was found, nor two layers with the same outputs and different "
                    "derivatives, which would exclude one"
                )
            raise NoOutputFormError(_refusal(formula, reason))
        return product
    forms: dict[int, Expression] = {}  # of the pieces on which the formula has a value
    defined = [
        k
        for k, form in enumerate(derivation.output_forms)
        if isinstance(form, OutputForm) or form.reason != UNDEFINED
    ]
    try:
        for k in defined:
            form = derivation.output_forms[k]
            if isinstance(form, OutputForm):
                forms[k] = form.derivative
            else:
                if form.witness is None:
                    refuse_without_forms(formula, derivation.pieces, defined)
                raise NotJoinedError(form.reason)
        if derivation.pieces is None:
            refuse_with_witness(formula, None)
            raise NotJoinedError("the places where it changes form are too many")
        if not forms:
            raise NotJoinedError("it has no value anywhere")
        return with_limits(joined(formula, derivation.pieces, forms), formula)
    except NotJoinedError as error:
        raise NoOutputFormError(_refusal(formula, str(error))) from None


def slopes(derivation: Derivation) -> tuple[Expression, ...]:
    """Return ∂a/∂z of an element-wise formula in `a`, or where that is refused also in `z`.

    Of several the first are likely to be the shortest.
    """
    whole = derivation.steps[-1].in_variables
    pieces = derivation.pieces
    try:
        return (through_output(derivation),)
    except NoOutputFormError:
        if pieces is None or any(at.slope_from == "own" for at in pieces.breakpoints):
            return (whole,)
    found = []
    for mixed in (True, False):
        parts = [
            _slope(piece, form, mixed)
            for piece, form in zip(pieces.pieces, derivation.output_forms, strict=True)
        ]
        found.append(by_pieces(pieces, parts))
    return tuple(dict.fromkeys((*found, whole)))


def _slope(piece: Piece, form: OutputForm | NoOutputForm, mixed: bool) -> Expression:
    if isinstance(form, OutputForm):
        return form.derivative
    through = form.through_preactivation
    return through.derivative if through is not None and mixed else piece.derivative


def _refusal(formula: Formula, reason: str) -> str:
    return (
        f"{formula.title} has no backward pass from its output alone: {reason}.\n"
        "Use backward(da, z), which needs the pre-activations and keeps the gradient."
    )
