"""Choices of layers that differ from one of their branches at a single layer, and continue it.

``where(sum(z**2) == 0, mean(z), z)`` is `z`, also in a layer of zeros: there its slope is that of
`z`, not that of the mean.
"""

from __future__ import annotations

from typing import Any

import mpmath

from chainrule.derivations._evaluate import evaluate_layer
from chainrule.derivations._graph import Graph
from chainrule.derivations.algebra._arithmetic import ONE, ZERO
from chainrule.derivations.limits_in_time._remembered import remembered
from chainrule.derivations.pieces._branches import difference_of
from chainrule.derivations.pieces._crossings import TooManyCrossingsError, crossings_of
from chainrule.derivations.pieces._filled_places import FilledChoice, with_same_zeros
from chainrule.formulas import (
    Apply,
    Constant,
    Expression,
    is_layer_coupled,
    parameters_of,
    variables_of,
)

_DIGITS = 60
_STEP, _ALIKE = mpmath.mpf(10) ** -20, mpmath.mpf(10) ** -15
_OTHERS = (("0.7",), ("-1.3", "0.4"), ("0.31", "-0.83", "2.7"))
_DIRECTIONS = (("0.6", "-0.47", "0.3"), ("-0.2", "0.9", "0.5"))


def filled_layers(graph: Graph) -> dict[int, FilledChoice]:
    """Return for choices of layers that continue one of their branches which that is."""
    chosen = (k for k in graph.reached() if graph.nodes[k].operation == "where")
    found = {k: _filled(graph.expression(k)) for k in chosen}
    return {k: choice for k, choice in found.items() if choice is not None}


def continued_branch(e: Expression) -> Expression | None:
    """Return the branch that a choice is everywhere, as it is in layers beside a single one."""
    if not isinstance(e, Apply) or e.operation != "where":
        return None
    filled = _filled(e)
    return None if filled is None else e.arguments[filled.position]


@remembered
def _filled(choice: Expression) -> FilledChoice | None:
    """Return how a choice in `z` continues one of its branches at a single layer, if it does."""
    assert isinstance(choice, Apply)
    condition, *branches = choice.arguments
    if not is_layer_coupled(condition) or parameters_of(choice):
        return None
    with mpmath.workdps(_DIGITS):
        place = _only_zero(with_same_zeros(difference_of(choice)))
        if place is None:
            return None
        alike = [[place] * units for units in (1, 2, 3)]
        others = [[place + mpmath.mpf(x) for x in layer] for layer in _OTHERS]
        holds = Apply("where", (condition, ONE, ZERO))
        there, elsewhere = (
            {x == 1 for z in layers for x in evaluate_layer(holds, {"z": z})}
            for layers in (alike, others)
        )
        if len(there) != 1 or len(elsewhere) != 1 or there == elsewhere:
            return None
        position = 1 if elsewhere.pop() else 2
        rest, own = branches[position - 1], branches[2 - position]
        continued = all(_continues(own, rest, z) for z in alike)
    return FilledChoice(position) if continued else None


def _only_zero(e: Expression) -> Any | None:
    """Return where all units have to be for a reduction of what is never negative to be 0."""
    match e:
        case Apply("sum" | "mean" | "max", (Apply("abs" | "sqrt") as part,)):
            pass
        case Apply("sum" | "mean" | "max", (Apply("power", (_, Constant(exponent))) as part,)):
            if exponent <= 0 or exponent % 2:
                return None
        case _:
            return None
    if variables_of(part) != {"z"} or is_layer_coupled(part):
        return None
    try:
        crossings, _ = crossings_of(with_same_zeros(part), {})
    except TooManyCrossingsError:
        return None
    return crossings[0][1] if len(crossings) == 1 else None


def _continues(own: Expression, rest: Expression, z: list[Any]) -> bool:
    """Tell whether two expressions are alike in a layer in which the second one is smooth."""

    def values(e: Expression, one: Any = 0, other: Any = 0) -> list[Any]:
        moved = [x + one * d + other * v for x, d, v in zip(z, *_directions(), strict=False)]
        return evaluate_layer(e, {"z": moved})

    here = values(rest)
    rises = [
        [(x - y) / _STEP for x, y in zip(values(rest, *steps), here, strict=True)]
        for steps in ((_STEP, 0), (-_STEP, 0), (0, _STEP), (_STEP, _STEP))
    ]
    return all(
        abs(x - y) < _ALIKE * (1 + abs(x))
        and abs(one + back) < _ALIKE * (1 + abs(one))
        and abs(one + other - both) < _ALIKE * (1 + abs(both))
        for x, y, one, back, other, both in zip(here, values(own), *rises, strict=True)
    )


def _directions() -> list[list[Any]]:
    return [list(map(mpmath.mpf, direction)) for direction in _DIRECTIONS]
