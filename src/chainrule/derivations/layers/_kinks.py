"""Where the slopes of layer-coupled formulas jump: at which choices, if the output shows them.

A choice is looked at in layers in which it is undecided, on both sides of them. The largest unit
that a softmax takes away from all cancels there, and is no kink.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import mpmath

from chainrule.derivations._evaluate import evaluate_layer
from chainrule.derivations._graph import Graph
from chainrule.derivations.algebra._sympy import attempt
from chainrule.derivations.layers._boundaries import (
    Boundary,
    Layer,
    for_every_unit,
    is_choice,
    sides_of,
)
from chainrule.derivations.layers._vector_jacobian import backward_graph
from chainrule.derivations.pieces._vanishing_roots import vanishing_roots
from chainrule.formulas import Apply, Expression, Formula

_SECONDS = 0.6
_DIGITS = 80
_STEP, _NEARER, _APART = (mpmath.mpf(10) ** -k for k in (25, 15, 9))
_DIRECTION = ("0.62", "-0.47", "0.35")


@dataclass(frozen=True)
class LayerKink:
    """A choice between branches of a layer-coupled formula that its slope shows.

    Parameters
    ----------
    choice : Apply
        In `z`: ``max``, ``abs`` and their kin, or a root of what vanishes.
    is_smooth : bool
        Whether the output has a slope there all the same, as ``z/(1 + sqrt(sum(z**2)))`` at zeros.
    is_jump : bool
        Whether the output itself jumps there.
    """

    choice: Apply
    is_smooth: bool = False
    is_jump: bool = False

    @property
    def sides(self) -> tuple[Expression, Expression]:
        """What is equal there; of the largest or smallest unit, that one and any other."""
        return sides_of(self.choice)


def kinks_of_layer(formula: Formula, graph: Graph) -> tuple[LayerKink, ...]:
    """Return the choices of a layer-coupled formula at which its slope jumps.

    Parameters
    ----------
    formula : Formula
        Layer-coupled.
    graph : Graph
        Its computation graph.

    Examples
    --------
    >>> from chainrule.derivations import computation_graph
    >>> from chainrule.formulas import parse, to_text
    >>> formula = parse("abs(z - mean(z)) + exp(z - max(z))/sum(exp(z - max(z)))")
    >>> graph = computation_graph(formula.expression)
    >>> [to_text(kink.choice) for kink in kinks_of_layer(formula, graph)]
    ['abs(z - mean(z))']
    """
    found: dict[Expression, LayerKink] = {}

    def look() -> None:
        with mpmath.workdps(_DIGITS):
            for kink in _kinks(formula, graph):
                found.setdefault(kink.choice, kink)

    attempt(_SECONDS, look, None)
    extremes = [{*kink.sides} for choice, kink in found.items() if _is_extreme(choice)]
    # Where a unit is the largest, ``abs(z - max(z))`` bends where another one becomes it.
    return tuple(
        kink for kink in found.values() if _is_extreme(kink.choice) or {*kink.sides} not in extremes
    )


def _is_extreme(e: Expression) -> bool:
    return isinstance(e, Apply) and e.operation in ("max", "min")


def _kinks(formula: Formula, graph: Graph) -> Iterator[LayerKink]:
    backward, adjoints = backward_graph(graph)
    roots = vanishing_roots(graph, {})
    for index in graph.reached():
        choice = graph.expression(index)
        if index not in adjoints or not isinstance(choice, Apply):
            continue
        if index not in roots and not is_choice(choice):
            continue
        received = backward.expression(adjoints[index])
        boundary = Boundary(formula, choice, received, not graph.nodes[index].per_unit)
        seen = _seen_at(boundary, boundary.crossings())
        if not seen:
            seen = _seen_at(boundary, boundary.special_layers())
        shows, jumps = (any(both[k] for both in seen) for k in (0, 1))
        if shows or (seen and index in roots):
            yield LayerKink(choice, not shows, jumps)


def _seen_at(boundary: Boundary, places: list[Layer]) -> list[tuple[bool, bool]]:
    looks = (_seen(boundary, z) for z in places)
    return [both for both in looks if both is not None]


def _seen(boundary: Boundary, place: Layer) -> tuple[bool, bool] | None:
    """Tell whether the slope, and whether the output, jumps at a layer by what a choice passes on.

    None where the layer has no value, and where nothing is passed on beside it.
    """
    formula = boundary.formula
    numbers = dict(formula.parameters)

    directions = for_every_unit(_DIRECTION, place)

    def at(step: Any) -> tuple[Layer, Layer]:
        z = [x + step * d for x, d in zip(place, directions, strict=True)]
        return z, evaluate_layer(formula.expression, {**numbers, "z": z})

    far, before, here, after, beyond = (at(k * _STEP) for k in (-2, -1, 0, 1, 2))
    outputs = (*far[1], *before[1], *here[1], *after[1], *beyond[1])
    if not all(map(mpmath.isfinite, outputs)):
        return None
    passed = [x for beside in (before, after) for x in boundary.passed(*beside)]
    if not any(passed):
        return None
    if all(abs(x) < _APART for x in passed):
        return False, False
    nearer = (at(k * _STEP * _NEARER) for k in (-1, 1))
    jumps = any(
        abs(x - y) > _APART and abs(u - v) > abs(x - y) / 2
        for (_, side), (_, near) in zip((before, after), nearer, strict=True)
        for x, y, u, v in zip(side, here[1], near, here[1], strict=True)
    )
    left, right = (
        [(y - x) / _STEP for x, y in zip(one[1], two[1], strict=True)]
        for one, two in ((far, before), (after, beyond))
    )
    turns = any(abs(x - y) > _APART * (1 + abs(x)) for x, y in zip(left, right, strict=True))
    return turns or jumps, jumps
