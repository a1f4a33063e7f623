"""Derivatives by the parameters, and second derivatives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from chainrule.derivations._chain_rule import Step, derivative_in_variables, node_names
from chainrule.derivations._graph import Graph
from chainrule.derivations._simplified import simplified
from chainrule.derivations.algebra._arithmetic import (
    ZERO,
    multiply,
    negate,
    size,
    total,
    written_length,
)
from chainrule.derivations.algebra._sympy import FAILURES, Translation, attempt
from chainrule.derivations.by_parameters._derivative import by_parameter
from chainrule.derivations.by_parameters._form import in_output, shortened
from chainrule.derivations.by_parameters._switch import forms_beside, limit_of_slopes
from chainrule.derivations.limits_in_time._remembered import remembered
from chainrule.derivations.limits_in_time._time_limit import time_limit
from chainrule.derivations.output_forms._output_form import OutputForm
from chainrule.derivations.pieces._pieces import Pieces, differentiate
from chainrule.formulas import (
    Apply,
    Constant,
    Expression,
    Formula,
    Variable,
    parameters_of,
    subexpressions,
    substitute,
)

_SECONDS = 0.8
_LARGEST = 280  # parts of a second derivative that is worth the time to shorten it
_A, _Z = Variable("a"), Variable("z")


@dataclass(frozen=True)
class ParameterStep:
    """The last step of the chain rule, from the nodes that use a parameter to the parameter.

    Parameters
    ----------
    contributions : tuple of (int, Expression)
        For each node that uses it: its index, and its local derivative by the parameter, in the
        nodes' names.
    through_nodes : Expression
        ∂a/∂parameter in the nodes' names.
    """

    contributions: tuple[tuple[int, Expression], ...]
    through_nodes: Expression


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
    through_output : tuple of (Expression or None)
        Of an element-wise formula, for each smooth piece: the derivative in the output `a`, or in
        `a` and `z`, where that is shorter.
    step : ParameterStep or None
        Of an element-wise formula: how the chain rule gets there.
    limits : tuple of Expression
        Bases of powers: where one is 0 the derivative by the exponent is taken as 0, its limit.
    switches : {"", "limit", "branch"}
        Whether the formula changes its form at the parameter's value, and what is taken there:
        the limit of the derivatives beside, or that of the branch that is taken.
    """

    name: str
    derivative: Expression
    pieces: tuple[Expression, ...]
    moves_kinks: bool
    through_output: tuple[Expression | None, ...] = ()
    step: ParameterStep | None = None
    limits: tuple[Expression, ...] = ()
    switches: str = ""


@dataclass(frozen=True)
class SecondDerivative:
    """∂²a/∂z² of a smooth piece, in `z`, and in `a` where the slope has such a form."""

    by_preactivation: Expression
    through_output: Expression | None


@remembered
def parameter_derivatives(
    formula: Formula, graph: Graph, steps: tuple[Step, ...], pieces: Pieces | None
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
        beside = forms_beside(formula.expression, name, dict(formula.parameters))
        limit = beside and limit_of_slopes(
            formula.expression, beside, name, dict(formula.parameters)
        )
        if limit is not None:
            found.append(ParameterDerivative(name, limit, (), False, switches="limit"))
            continue
        smooth = () if pieces is None or len(pieces.pieces) == 1 else pieces.pieces
        moved = pieces is not None and any(
            name in parameters_of(b.location) for b in pieces.breakpoints
        )
        values = dict(formula.parameters)
        derivative = _merged(simplified(by_parameter(formula.expression, name, values)))
        through: list[Expression | None] = []
        if formula.is_layer_coupled:
            derivative = shortened(formula, derivative)
        slopes = [by_parameter(piece.expression, name, values) for piece in smooth]
        if pieces is not None:
            slopes = [_on_piece(pieces, k, slope) for k, slope in enumerate(slopes)]
        slopes = [_merged(simplified(slope)) for slope in slopes]
        if pieces is not None:
            ends = [float("-inf"), *(b.place for b in pieces.breakpoints), float("inf")]
            for piece, slope, bounds in zip(
                pieces.pieces, slopes or [derivative], pairwise(ends), strict=True
            ):
                through.append(in_output(piece.expression, slope, values, bounds))
        step = parameter_step(graph, steps, name, values) if steps else None
        wholes = (formula.expression, *(piece.expression for piece in smooth))
        limits = [
            base
            for whole, slope in zip(wholes, (derivative, *slopes), strict=True)
            for base in _limits(whole, slope, name)
        ]
        found.append(
            ParameterDerivative(
                name,
                derivative,
                tuple(slopes),
                moved,
                tuple(through),
                step,
                tuple(dict.fromkeys(limits)),
                "branch" if beside else "",
            )
        )
    return tuple(found)


def _on_piece(pieces: Pieces, k: int, slope: Expression) -> Expression:
    """Leave out what is taken at z = 0, if that does not belong to the k-th piece."""
    before, after = pieces.breakpoints[:k][-1:], pieces.breakpoints[k:][:1]
    is_beyond = any(b.place > 0 or (b.place == 0 and b.slope_from != "right") for b in before)
    is_below = any(b.place < 0 or (b.place == 0 and b.slope_from != "left") for b in after)

    def elsewhere(e: Expression) -> Expression | None:
        match e:
            case Apply("where", (Apply("equal", (place, zero)), _, rest)):
                if zero == ZERO and place in (_Z, negate(_Z)):
                    return substitute(rest, elsewhere)
        return None

    return substitute(slope, elsewhere) if is_beyond or is_below else slope


def _limits(expression: Expression, slope: Expression, name: str) -> Iterator[Expression]:
    """Yield the bases of powers of which a slope takes the limit where they are 0."""
    bases = {
        e.arguments[0]
        for e in subexpressions(expression)
        if isinstance(e, Apply) and e.operation == "power" and name in parameters_of(e.arguments[1])
    }
    for e in subexpressions(slope):
        match e:
            case Apply("where", (Apply("equal", (base, Constant(value))), taken, _)) if (
                value == 0 and taken == ZERO and base in bases
            ):
                yield base


def parameter_step(
    graph: Graph, steps: tuple[Step, ...], name: str, values: Mapping[str, float]
) -> ParameterStep:
    """Go on from ∂a/∂u at the nodes that use a parameter to the parameter itself.

    Parameters
    ----------
    graph : Graph
        Of an element-wise formula.
    steps : tuple of Step
        The chain rule from the output to the nodes.
    name : str
        The parameter.
    values : mapping of str to float
        Of all parameters.
    """
    names = node_names(graph)
    contributions, terms = [], []
    for step in steps:
        definition = graph.definition(step.node, names)
        if not isinstance(definition, Apply) or name not in parameters_of(definition):
            continue
        local = by_parameter(definition, name, values)
        if local != ZERO:
            contributions.append((step.node, local))
            terms.append(multiply(step.through_nodes, local))
    return ParameterStep(tuple(contributions), _merged(total(terms)))


def _merged(e: Expression) -> Expression:
    """Collect equal factors: ``u0*u2*u0 -> u0**2*u2``."""
    translation = Translation()
    try:
        with time_limit(_SECONDS):
            return min(translation.to_expression(translation.to_sympy(e)), e, key=size)
    except FAILURES:
        return e


@remembered
def second_derivatives(pieces: Pieces, forms: tuple[object, ...]) -> tuple[SecondDerivative, ...]:
    """Return ∂²a/∂z² of every piece; through the output it is D'(a) D(a).

    Examples
    --------
    >>> from chainrule.derivations import derive
    >>> from chainrule.formulas import parse, to_text
    >>> to_text(derive(parse("tanh(z)")).second[0].through_output)
    '2*a*(a**2 - 1)'
    """
    bends = [_bend(derivative_in_variables(piece.expression)) for piece in pieces.pieces]
    through = [
        _merged(simplified(multiply(differentiate(form.derivative, _A), form.derivative)))
        if isinstance(form, OutputForm)
        else None
        for form in forms
    ]
    return tuple(map(SecondDerivative, bends, through))


def _bend(slope: Expression) -> Expression:
    """Return the derivative of a slope; of a very long one equal factors are collected alone."""
    plain = differentiate(slope)
    if size(plain) > _LARGEST:
        translation = Translation(names_long_numbers=True)
        collected = attempt(
            _SECONDS, lambda: translation.to_expression(translation.to_sympy(plain)), plain
        )
        return min(plain, collected, key=written_length)
    return min(simplified(plain), derivative_in_variables(slope), key=written_length)
