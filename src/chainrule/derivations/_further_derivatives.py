"""Derivatives by the parameters, and second derivatives."""

from __future__ import annotations

from dataclasses import dataclass

import sympy

from chainrule.derivations._algebra import FAILURES, Translation
from chainrule.derivations._arithmetic import ONE, ZERO, divide, multiply, size, total
from chainrule.derivations._operations import LOCAL_DERIVATIVES, indicator
from chainrule.derivations._parameter_form import shortened
from chainrule.derivations._pieces import BRANCHING, Pieces, differentiate
from chainrule.derivations._time_limit import time_limit
from chainrule.derivations.output_forms._output_form import OutputForm
from chainrule.derivations.output_forms._shortening import shortest
from chainrule.formulas import (
    COMPARISONS,
    REDUCTIONS,
    Apply,
    Constant,
    Expression,
    Formula,
    Parameter,
    Variable,
    parameters_of,
    subexpressions,
    substitute,
)

_SECONDS = 0.5
_LARGEST_DENOMINATOR = 16
_A = Variable("a")


@dataclass(frozen=True)
class ParameterDerivative:
    """The derivative of an activation by one of its parameters.

    Parameters
    ----------
    name : str
    derivative : Expression
        ∂a/∂parameter in `z`, of layer-coupled formulas also in `a` where that is shorter; with
        indicators where the formula has kinks.
    pieces : tuple of Expression
        The same on each smooth piece of an element-wise formula; empty where it is not cut.
    moves_kinks : bool
        Whether a kink lies where the parameter says: there the derivative is that of the pieces.
    """

    name: str
    derivative: Expression
    pieces: tuple[Expression, ...]
    moves_kinks: bool


@dataclass(frozen=True)
class SecondDerivative:
    """∂²a/∂z² of a smooth piece, in `z`, and in `a` where the slope has such a form."""

    by_preactivation: Expression
    through_output: Expression | None


def parameter_derivatives(
    formula: Formula, pieces: Pieces | None
) -> tuple[ParameterDerivative, ...]:
    """Return the derivative by every parameter, in the order in which they are given.

    Examples
    --------
    >>> from chainrule.derivations import derive
    >>> from chainrule.formulas import parse, to_text
    >>> elu = derive(parse("where(z > 0, z, alpha*(exp(z) - 1))", {"alpha": 1.0}))
    >>> [to_text(piece) for piece in elu.by_parameters[0].pieces]
    ['exp(z) - 1', '0']
    """
    found = []
    for name, _ in formula.parameters:
        smooth = () if pieces is None or len(pieces.pieces) == 1 else pieces.pieces
        moved = pieces is not None and any(
            name in parameters_of(b.location) for b in pieces.breakpoints
        )
        derivative = simplified(by_parameter(formula.expression, name))
        if formula.is_layer_coupled:
            derivative = shortened(formula, derivative)
        found.append(
            ParameterDerivative(
                name,
                derivative,
                tuple(simplified(by_parameter(piece.expression, name)) for piece in smooth),
                moved,
            )
        )
    return tuple(found)


def by_parameter(expression: Expression, name: str) -> Expression:
    """Return the derivative by a parameter, from the inside out.

    A parameter is shared by all units, so that a reduction's derivative is the reduction of the
    derivatives; units that share the extreme value share its derivative.
    """
    slopes: dict[Expression, Expression] = {}
    for e in reversed(list(subexpressions(expression))):
        if e not in slopes:
            slopes[e] = _slope(e, name, slopes)
    return slopes[expression]


def _slope(e: Expression, name: str, slopes: dict[Expression, Expression]) -> Expression:
    if not isinstance(e, Apply):
        return ONE if e == Parameter(name) else ZERO
    inner = tuple(slopes.get(part, ZERO) for part in e.arguments)
    if e.operation in COMPARISONS or all(slope == ZERO for slope in inner):
        return ZERO
    if e.operation == "where":
        return _chosen(e.arguments[0], inner[1], inner[2])
    if e.operation in ("maximum", "minimum"):
        first_counts = LOCAL_DERIVATIVES[e.operation](e.arguments, e)[0]
        assert isinstance(first_counts, Apply)
        return _chosen(first_counts.arguments[0], *inner)
    if e.operation not in REDUCTIONS:
        partials = _partials(e, name)
        return total(multiply(p, s) for p, s in zip(partials, inner, strict=True) if s != ZERO)
    if e.operation in ("sum", "mean"):
        return Apply(e.operation, inner)
    attains = indicator(Apply("equal", (e.arguments[0], e)))
    return divide(Apply("sum", (multiply(attains, inner[0]),)), Apply("sum", (attains,)))


def _chosen(condition: Expression, x: Expression, y: Expression) -> Expression:
    """Return one of two slopes; the other one may be undefined there, which 0 times it is too."""
    return x if x == y else Apply("where", (condition, simplified(x), simplified(y)))


def _partials(e: Apply, name: str) -> tuple[Expression, ...]:
    if e.operation != "power":
        return LOCAL_DERIVATIVES[e.operation](e.arguments, e)
    base = e.arguments[0]
    if base == ZERO:
        return ZERO, ZERO
    # The rule spares the logarithm of the base where no variable stands in the exponent.
    to_variable: dict[Expression, Expression] = {Parameter(name): Variable(name)}
    to_parameter: dict[Expression, Expression] = {Variable(name): Parameter(name)}
    arguments = tuple(substitute(part, to_variable.get) for part in e.arguments)
    partials = LOCAL_DERIVATIVES["power"](arguments, Apply("power", arguments))
    by_base, by_exponent = (substitute(part, to_parameter.get) for part in partials)
    if by_exponent != ZERO and (
        isinstance(base, Variable)
        or any(
            isinstance(part, Apply) and part.operation in BRANCHING for part in subexpressions(base)
        )
    ):
        # Such a base may be 0, some on a whole piece, and 0**p stays 0 when p changes.
        by_exponent = _chosen(Apply("equal", (base, ZERO)), ZERO, by_exponent)
    return by_base, by_exponent


def second_derivatives(pieces: Pieces, forms: tuple[object, ...]) -> tuple[SecondDerivative, ...]:
    """Return ∂²a/∂z² of every piece; through the output it is D'(a) D(a).

    Examples
    --------
    >>> from chainrule.derivations import derive
    >>> from chainrule.formulas import parse, to_text
    >>> to_text(derive(parse("tanh(z)")).second[0].through_output)
    '2*a**3 - 2*a'
    """
    found = []
    for piece, form in zip(pieces.pieces, forms, strict=True):
        through = None
        if isinstance(form, OutputForm):
            bend = differentiate(form.derivative, _A)
            through = simplified(multiply(bend, form.derivative))
        found.append(SecondDerivative(simplified(differentiate(piece.derivative)), through))
    return tuple(found)


def simplified(expression: Expression) -> Expression:
    """Return the shortest of a few ways to write an expression; unchanged if time runs out."""
    translation = Translation()
    # As a fraction 1.702 would become 851 over 500, in every product anew.
    decimals: dict[Expression, Expression] = {
        e: Variable(f"decimal{k}")
        for k, e in enumerate(sorted(filter(_is_decimal, set(subexpressions(expression))), key=str))
    }
    numbers = {symbol: e for e, symbol in decimals.items()}
    try:
        with time_limit(_SECONDS):
            plain = translation.to_sympy(substitute(expression, decimals.get))
            written = substitute(shortest(sympy.together(plain), translation), numbers.get)
    except FAILURES:
        return expression
    return min(written, expression, key=size)


def _is_decimal(e: Expression) -> bool:
    return isinstance(e, Constant) and e.value.denominator > _LARGEST_DENOMINATOR
