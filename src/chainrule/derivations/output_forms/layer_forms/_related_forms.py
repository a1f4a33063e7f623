"""Forms through the output of layers that are nearly those of others: to be checked.

A layer may be an invertible function of another one: ``log(1 + max(z - max(z)/2, 0))``. And the
largest unit is that of ``max(z, 0)`` wherever any unit is on: ``max(z, 0)/(1 + max(z))``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from itertools import islice

from chainrule.derivations._chain_rule import derivative_in_variables
from chainrule.derivations._graph import computation_graph
from chainrule.derivations.algebra._arithmetic import multiply, rebuilt, size
from chainrule.derivations.algebra._sympy import attempt
from chainrule.derivations.layers._closed_form import STAGE_SECONDS, closed_form
from chainrule.derivations.layers._vector_jacobian import SEED, backward_graph
from chainrule.derivations.output_forms._inverses import inverted
from chainrule.derivations.output_forms._joined import joined_form
from chainrule.derivations.output_forms._layers import common_parts, exchanged, is_shared, layers_of
from chainrule.derivations.output_forms.layer_forms._kept_values import determined
from chainrule.derivations.output_forms.layer_forms._put_in import folded, put_in, written_shortly
from chainrule.formulas import (
    COMPARISONS,
    Apply,
    Constant,
    Expression,
    Formula,
    Variable,
    constant,
    is_layer_coupled,
    parameters_of,
    subexpressions,
    substitute,
    variables_of,
)

_A, _Z = Variable("a"), Variable("z")
_WRITING_SECONDS = 0.8
_RECTIFIED_SECONDS = 2.2  # where it takes as long, nothing else gives a form
SOME_OUTPUT = Apply("greater", (Apply("max", (Apply("abs", (_A,)),)), constant(0)))


def inner_layers(formula: Formula) -> Iterator[tuple[Formula, Expression]]:
    """Yield layers of which a layer is a function of each unit, and that: the largest last."""
    whole = rebuilt(formula.expression)
    found = []
    for part in common_parts(whole):
        if is_layer_coupled(part):
            outer = exchanged(whole, part, _Z)
            if is_layer_coupled(outer):
                break
            names = parameters_of(part)
            kept = tuple(both for both in formula.parameters if both[0] in names)
            found.append((Formula(part, kept), outer))
    yield from reversed(found)


def linear_first(formula: Formula) -> tuple[Formula, Expression] | None:
    """Return a layer of what a linear map of z gives out, and the product of that; or None.

    What is passed back to a linear map depends on neither its input nor its output.
    """
    whole = rebuilt(formula.expression)
    for part in common_parts(whole):
        outer = exchanged(whole, part, _Z)
        if is_layer_coupled(part) and is_layer_coupled(outer):
            product = closed_form(replace(formula, expression=part))
            if product is not None and variables_of(product) == {SEED.name}:
                return replace(formula, expression=outer), product
    return None


def without_rectifier(formula: Formula) -> Formula | None:
    """Return a layer with x for ``max(x, 0)`` where the units share x; None if none is so."""
    for part in subexpressions(formula.expression):
        match part:
            case Apply("maximum", (x, y)) if constant(0) in (x, y) and is_shared(part):
                bare = y if x == constant(0) else x
                return replace(formula, expression=exchanged(formula.expression, part, bare))
    return None


def where_not_zero(
    bare: Formula, rectified: Formula, holds: Callable[[Expression], bool]
) -> Expression | None:
    """Return the form of a layer where its output is not 0, and 0 where it is; None if none holds.

    Parameters
    ----------
    bare, rectified : Formula
        What the layer is where it is not 0, and the layer.
    holds : callable
        What proves a form.
    """
    found: list[Expression] = []

    def of_outputs(e: Expression) -> Expression | None:
        is_compared = isinstance(e, Apply) and e.operation in (*COMPARISONS, "sign")
        return exchanged(e, _Z, _A) if is_compared else None

    def keep_first_of(ways: list[Expression]) -> None:
        free = (way for way in ways if "z" not in variables_of(way))
        forms = (Apply("where", (SOME_OUTPUT, way, constant(0))) for way in free)
        found.extend(islice(filter(holds, forms), 1))

    def keep_forms() -> None:
        graph = computation_graph(bare.expression)
        told, numbers = dict(determined(bare, graph, rectified)), dict(bare.parameters)
        closed = closed_form(bare, seconds=STAGE_SECONDS) if told else None
        chained = backward_graph(graph)[0].expression()
        for product in (chained,) if closed is None else (closed, chained):
            compared = substitute(product, of_outputs)
            # It is kept before a shorter way to write it is sought, which takes longest.
            keep_first_of([put_in(compared, told)])
            shortly = partial(written_shortly, compared, told, numbers)
            no_ways: list[Expression] = []
            keep_first_of(attempt(_WRITING_SECONDS, shortly, no_ways))
            if found:
                return

    attempt(_RECTIFIED_SECONDS, keep_forms, None)
    return found[-1] if found else None


def composed_forms(
    form: Expression, outer: Expression, values: Mapping[str, float]
) -> Iterator[Expression]:
    """Yield ∂J/∂z of a function of a layer from that layer's form, for each inverse.

    A form that only compares the outputs, or has none, asks for no inverse.
    """
    through = joined_form(Formula(outer, tuple(values.items())))
    is_chosen = through is not None and any(map(_is_choice, subexpressions(through)))
    slope = derivative_in_variables(outer)
    for inverse in inverted(layers_of(outer, values), values):
        rate = exchanged(slope, _Z, inverse)
        if through is not None and not is_chosen and size(through) < size(rate):
            rate = through
        known: dict[Expression, Expression] = {_A: inverse, SEED: rebuilt(multiply(SEED, rate))}
        yield rebuilt(substitute(form, known.get))
    compared = _with_outputs_compared(form, outer)
    if compared is not None and through is not None:
        received: dict[Expression, Expression] = {SEED: rebuilt(multiply(SEED, through))}
        yield rebuilt(substitute(compared, received.get))


def _is_choice(e: Expression) -> bool:
    return isinstance(e, Apply) and e.operation == "where"


def _with_outputs_compared(form: Expression, outer: Expression) -> Expression | None:
    """Return a form with ``outer(0)`` for 0 where the output is compared; None if it is elsewhere.

    An outer function that rises keeps the order.
    """
    elsewhere = []

    def compared(e: Expression) -> Expression | None:
        match e:
            case Apply("equal", (x, Apply("max" | "min", (y,)))) if x == y == _A:
                return e
            case Apply(operation, (x, Constant() as bound)) if x == _A and operation in COMPARISONS:
                return Apply(operation, (x, folded(exchanged(outer, _Z, bound))))
        if e == _A:
            elsewhere.append(e)
        return None

    written = substitute(form, compared)
    return None if elsewhere else written


def with_extremes_of_parts(formula: Formula) -> Iterator[Formula]:
    """Yield a layer with ``max(max(z, 0))`` for ``max(z)``, and the like."""
    parts = dict.fromkeys(subexpressions(formula.expression))
    if Apply("max", (_Z,)) not in parts:
        return
    for part in parts:
        match part:
            case Apply("maximum", (x, Constant())) if x == _Z:
                of_part: Expression = Apply("max", (part,))
                written = exchanged(formula.expression, Apply("max", (_Z,)), of_part)
                yield replace(formula, expression=written)
