"""The backward pass from the output alone: what it needs, and why it may not exist."""

from __future__ import annotations

from itertools import pairwise

import mpmath

from chainrule.derivations._derivation import Derivation
from chainrule.derivations._evaluate import evaluate
from chainrule.formulas import (
    Apply,
    ChainruleError,
    Expression,
    Formula,
    Variable,
    substitute,
    variables_of,
)


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
        product = derivation.product
        if product is None:
            raise NoOutputFormError(_refusal(formula, "no form through the output was found"))
        if "z" in variables_of(product):
            reason = "its form through the output also needs sums or means of z"
            raise NoOutputFormError(_refusal(formula, reason))
        return product
    pieces = derivation.pieces
    forms = [form.derivative for form in derivation.output_forms if form is not None]
    if pieces is None or len(forms) != len(pieces.pieces):
        raise NoOutputFormError(_refusal(formula, "no form through the output was found"))
    if len(forms) > 1 and not _increases(formula):
        reason = "the same output belongs to several pieces, so it does not tell which slope holds"
        raise NoOutputFormError(_refusal(formula, reason))
    result = forms[-1]
    for k in range(len(pieces.breakpoints) - 1, -1, -1):
        at = pieces.breakpoints[k]
        if at.slope_from == "own":
            reason = f"the slope taken at the kink z = {at.place:g} is that of neither piece"
            raise NoOutputFormError(_refusal(formula, reason))
        owner = pieces.pieces[k if at.value_from == "left" else k + 1]
        there: dict[Expression, Expression] = {Variable("z"): at.location}
        value = substitute(owner.expression, there.get)
        sign = "less_equal" if at.slope_from == "left" else "less"
        result = Apply("where", (Apply(sign, (Variable("a"), value)), forms[k], result))
    return result


def _refusal(formula: Formula, reason: str) -> str:
    return (
        f"{formula.title} has no backward pass from its output alone: {reason}.\n"
        "Use backward(da, z), which needs the pre-activations and keeps the gradient."
    )


def _increases(formula: Formula) -> bool:
    values = dict(formula.parameters)
    with mpmath.workdps(30):
        places = [mpmath.mpf(k) / 16 for k in range(-512, 513)]
        outputs = [evaluate(formula.expression, {**values, "z": z}) for z in places]
    return all(x <= y for x, y in pairwise(outputs))
