"""Where the slopes of layer-coupled formulas jump: at which choices, if the output shows them.

A choice is looked at in layers in which it is undecided, on both sides of them. The largest unit
that a softmax takes away from all cancels there, and is no kink.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import mpmath

from chainrule.derivations._algebra import attempt
from chainrule.derivations._arithmetic import ZERO
from chainrule.derivations._evaluate import Values, evaluate_layer
from chainrule.derivations._filled_places import with_same_zeros
from chainrule.derivations._graph import Graph
from chainrule.derivations._scales import scales_of
from chainrule.derivations._vanishing_roots import vanishing_roots
from chainrule.derivations._vector_jacobian import SEED, backward_graph
from chainrule.formulas import Apply, Expression, Formula, variables_of

Layer = list[Any]

_EXTREMES = ("max", "min")
_SECONDS = 0.6
_DIGITS = 80
_STEP, _NEARER, _SAME, _APART = (mpmath.mpf(10) ** -k for k in (25, 15, 60, 9))
_DIRECTION, _SEEDS = ("0.62", "-0.47", "0.35"), ("0.9", "-1.3", "0.7")
_LAYERS = (
    *(("0", "0", "0"), ("1", "1", "1"), ("0.7", "0.7", "0.7"), ("-1.3", "-1.3", "-1.3")),
    *(("2.1", "-0.4", "0.9"), ("-2.3", "0.8", "-0.6"), ("1.9", "1.9", "-0.3")),
)
_NARROW, _SPREADS, _SHIFTS, _UNITS, _MOST = 0.3, (1.0, 4.0), (0, 2, -2), 3, 12


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
        return _sides(self.choice)


def _sides(choice: Apply) -> tuple[Expression, Expression]:
    match choice:
        case Apply("where", (Apply(_, (x, y)), *_)) | Apply("maximum" | "minimum", (x, y)):
            return x, y
        case Apply("max" | "min", (x,)):
            return choice, x
        case Apply("abs" | "sign", (Apply("subtract", (x, y)),)):
            return x, y
    return choice.arguments[0], ZERO


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
    return tuple(found.values())


def _kinks(formula: Formula, graph: Graph) -> Iterator[LayerKink]:
    backward, adjoints = backward_graph(graph)
    roots = vanishing_roots(graph, {})
    for index in graph.reached():
        choice = graph.expression(index)
        if index not in adjoints or not isinstance(choice, Apply):
            continue
        if index not in roots and not _is_choice(choice):
            continue
        received = backward.expression(adjoints[index])
        is_shared = not graph.nodes[index].per_unit
        places = _boundary(formula, choice)
        looks = (_seen(formula, received, z, is_shared=is_shared) for z in places)
        seen = [both for both in looks if both is not None]
        shows, jumps = (any(both[k] for both in seen) for k in (0, 1))
        if shows or (seen and index in roots):
            yield LayerKink(choice, not shows, jumps)


def _is_choice(e: Apply) -> bool:
    if e.operation == "where":
        return "z" in variables_of(e.arguments[0])
    return e.operation in ("abs", "sign", "maximum", "minimum", *_EXTREMES)


def _boundary(formula: Formula, choice: Apply) -> list[Layer]:
    """Return some layers in which a choice is undecided for the first unit."""
    numbers = dict(formula.parameters)
    is_extreme = choice.operation in _EXTREMES
    sides = _sides(choice)
    difference = sides[1] if is_extreme else with_same_zeros(Apply("subtract", sides))

    def gap(z: Layer) -> Any:
        values = evaluate_layer(difference, {**numbers, "z": z})
        return values[0] - values[1] if is_extreme else values[0]

    def is_undecided(z: Layer) -> bool:
        values: Values = {**numbers, "z": z}
        left, right = (evaluate_layer(side, values)[0] for side in sides)
        return bool(abs(left - right) <= _SAME) and bool(abs(gap(z)) <= _SAME)

    found: list[Layer] = []
    for z in (*_crossings(gap, scales_of(formula.expression, numbers)), *_layers()):
        if is_undecided(z):
            found.append(z)
        if len(found) == _MOST:
            break
    return found


def _layers() -> Iterator[Layer]:
    yield from ([mpmath.mpf(x) for x in layer] for layer in _LAYERS)


def _crossings(gap: Callable[[Layer], Any], scales: tuple[float, ...]) -> Iterator[Layer]:
    """Yield layers between others at which a number changes its sign."""
    drawn = random.Random(0)
    usual = product(_SPREADS, _SHIFTS, _SHIFTS)
    for spread, *shifts in (*usual, *((scale, 0, scale) for scale in scales)):
        start, end = (
            [mpmath.mpf(width * drawn.gauss(0, 1) + shift) for _ in range(_UNITS)]
            for width, shift in zip((_NARROW, spread), shifts, strict=True)
        )

        def between(t: Any, start: Layer = start, end: Layer = end) -> Layer:
            return [x + t * (y - x) for x, y in zip(start, end, strict=True)]

        if gap(start) * gap(end) < 0:
            yield between(
                mpmath.findroot(lambda t: gap(between(t)), (0, 1), solver="anderson", verify=False)
            )


def _seen(
    formula: Formula, received: Expression, place: Layer, *, is_shared: bool
) -> tuple[bool, bool] | None:
    """Tell whether the slope, and whether the output, jumps at a layer by what a choice passes on.

    None where the layer has no value, and where nothing is passed on beside it.

    Parameters
    ----------
    formula : Formula
    received : Expression
        What the choice receives: ∂J/∂u.
    place : list of mpf
        A layer in which the choice is undecided for the first unit.
    is_shared : bool
        Whether the choice is one for all units.
    """
    numbers = dict(formula.parameters)

    def at(step: Any) -> tuple[Layer, Layer]:
        z = [x + step * mpmath.mpf(d) for x, d in zip(place, _DIRECTION, strict=True)]
        return z, evaluate_layer(formula.expression, {**numbers, "z": z})

    far, before, here, after, beyond = (at(k * _STEP) for k in (-2, -1, 0, 1, 2))
    outputs = (*far[1], *before[1], *here[1], *after[1], *beyond[1])
    if not all(map(mpmath.isfinite, outputs)):
        return None
    passed = []
    for z, a in (before, after):
        known: Values = {**numbers, "z": z, "a": a, SEED: [mpmath.mpf(g) for g in _SEEDS]}
        adjoints = evaluate_layer(received, known)
        passed += adjoints if is_shared else adjoints[:1]
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
