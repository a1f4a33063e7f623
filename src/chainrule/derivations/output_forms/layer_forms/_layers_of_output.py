"""Layers that are made of the output alone and have the same derivative as the one that gave it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from chainrule.derivations._graph import computation_graph
from chainrule.derivations.algebra._arithmetic import rebuilt
from chainrule.derivations.output_forms._inverses import inverted
from chainrule.derivations.output_forms._layers import is_shared, layers_of
from chainrule.derivations.output_forms.layer_forms._extreme_values import of_usual_end
from chainrule.derivations.output_forms.layer_forms._kept_values import determined, told_by_factor
from chainrule.formulas import (
    REDUCTIONS,
    Apply,
    Expression,
    Formula,
    Parameter,
    Variable,
    constant,
    is_layer_coupled,
    substitute,
    variables_of,
)

_Z = Variable("z")
_MOST_LAYERS = 6
_SHARED = (constant(0), constant(1))  # that add and multiply nothing
_NAME = "shared_by_the_layer_"  # of what stands for shared values, unlike a user's names


def layers_of_the_output(formula: Formula) -> Iterator[dict[Expression, Expression]]:
    """Yield `z`, and what the layer shares, of a layer that is made of the output alone.

    What the layer shares is chosen to add or multiply nothing: all of it, or one reduction while
    the output tells the others.
    """
    values = dict(formula.parameters)
    shared = dict.fromkeys(_outermost(formula.expression, is_shared))
    for number in _SHARED:
        chosen: dict[Expression, Expression] = dict.fromkeys(shared, number)
        alone = substitute(formula.expression, chosen.get)
        if "z" in variables_of(alone):
            layers = layers_of(alone, values)
            if len(layers) <= _MOST_LAYERS:
                for z in inverted(layers, values):
                    yield {**chosen, _Z: z}
                    yield {_Z: z}
    for reduction in dict.fromkeys(_outermost(formula.expression, _is_plain_reduction)):
        one: dict[Expression, Expression] = {reduction: _SHARED[0]}
        rest = replace(formula, expression=rebuilt(substitute(formula.expression, one.get)))
        if rest.is_layer_coupled:
            told = dict(determined(rest, computation_graph(rest.expression)))
            if told:
                yield {**{left: of_usual_end(value) for left, value in told.items()}, **one}
                yield {**told, **one}
            else:
                yield from ({**ways, **one} for ways in told_by_factor(rest))


def preactivations(
    formula: Formula, told: Sequence[Expression]
) -> Iterator[dict[Expression, Expression]]:
    """Yield `z` in the output and in what it tells of the layer.

    What else is shared, if a reduction, is chosen to be 0: of a layer that is made of the output.
    In it units that are off are where they begin to be on.
    """
    shared = [e for e in told if is_shared(e)]
    names = [Parameter(f"{_NAME}{k}") for k in range(len(shared))]
    numbers = {x.name: 1.3 + 0.7 * k for k, x in enumerate(names)}
    named: dict[Expression, Expression] = dict(zip(shared, names, strict=True))
    alone = rebuilt(substitute(formula.expression, named.get))
    chosen: dict[Expression, Expression] = {}
    if is_layer_coupled(alone):
        chosen = dict.fromkeys(_outermost(alone, _is_plain_reduction), _SHARED[0])
        alone = rebuilt(substitute(substitute(alone, chosen.get), _unrectified))
    if not shared or is_layer_coupled(alone) or "z" not in variables_of(alone):
        return
    values = {**dict(formula.parameters), **numbers}
    back: dict[Expression, Expression] = dict(zip(names, shared, strict=True))
    layers = layers_of(alone, values)
    if len(layers) <= _MOST_LAYERS:
        yield from ({**chosen, _Z: substitute(z, back.get)} for z in inverted(layers, values))


def _unrectified(e: Expression) -> Expression | None:
    match e:
        case Apply("maximum", (x, y)) if constant(0) in (x, y):
            return y if x == constant(0) else x
    return None


def _outermost(e: Expression, wanted: Callable[[Expression], bool]) -> Iterator[Expression]:
    if wanted(e):
        yield e
    elif isinstance(e, Apply):
        for part in e.arguments:
            yield from _outermost(part, wanted)


def _is_plain_reduction(e: Expression) -> bool:
    return isinstance(e, Apply) and e.operation in REDUCTIONS and e.arguments == (_Z,)
