"""Two layers with the same outputs and different Jacobians: the output does not tell the slope.

They are found along what leaves the outputs alone: a common factor of all pre-activations, their
sign, their order where units share one output, a number added to all. These are looked at first, as
it takes no time. Else f(z') = f(z) is solved from where a search in floating point has led.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain, combinations, groupby, product
from typing import Any

import mpmath

from chainrule.derivations._evaluate import evaluate
from chainrule.derivations._graph import Graph
from chainrule.derivations._scales import scales_of
from chainrule.derivations.algebra._sympy import FAILURES
from chainrule.derivations.layers._vector_jacobian import backward_graph
from chainrule.derivations.limits_in_time._remembered import remembered
from chainrule.derivations.limits_in_time._time_limit import time_limit
from chainrule.derivations.output_forms.rising._invariance import degree, degree_as_decided, is_even
from chainrule.derivations.output_forms.witnesses._layer_maps import CHECKED_DIGITS, Layer, LayerMap
from chainrule.derivations.output_forms.witnesses._layer_search import (
    layers_alike,
    nearly_alike,
    short_layers_alike,
)
from chainrule.derivations.output_forms.witnesses._shifted_search import shifted_layers_alike
from chainrule.formulas import COMPARISONS, Apply, Formula, constant, subexpressions, variables_of

_SECONDS = 1.0
_DIGITS = 2 * CHECKED_DIGITS
_PLACES = (
    *(("1", "2", "4"), ("1", "-2", "4"), ("0.5", "-1.5", "0.25")),
    *(("-2", "-1", "-4"), ("0", "-2", "-3")),
)
_PAIR = ("1", "2")  # two units alone may share what others would not leave them
_USUAL = (constant(0), constant(1))
_ABOUT = ((0, -1, "-2.5"), (0, 1, "2.5"), (-1, 2, -1))  # of which an end or the mean is 0
_ADDED = tuple(mpmath.mpf(k) / 2 for k in (2, -2, 1, -1, 4, -4, 3, -3, 5, -5, 6, -6, 8, -8))
_SIZES = (1, 16, 0.0625)  # of layers of which all units are multiplied
_APART, _NEGLIGIBLE, _INVISIBLE = map(mpmath.mpf, ("1e-3", "1e-12", "1e-20"))
_NEARLY, _ROUNDING = mpmath.mpf(10) ** -CHECKED_DIGITS, mpmath.mpf(10) ** (3 - _DIGITS)
_Pair = tuple[Layer, Layer, str]
_MOST_WRITTEN = 3  # equal units one after another
_STEPS = 12  # of Newton's method, from where a search in floating point has led


@dataclass(frozen=True)
class LayerWitness:
    """Two layers that share their outputs and not their Jacobian.

    Parameters
    ----------
    first, second : tuple of float
        The pre-activations.
    outputs : tuple of float
        What both layers give out.
    units : tuple of int
        Units p and j, from 0, for which the entries differ.
    slopes : tuple of float
        ∂a_p/∂z_j in the one and in the other layer.
    reason : str
        Why the outputs are the same, and how that is known.
    is_smooth : bool
        Whether the slopes are no matter of what is taken at a kink.
    """

    first: tuple[float, ...]
    second: tuple[float, ...]
    outputs: tuple[float, ...]
    units: tuple[int, int]
    slopes: tuple[float, float]
    reason: str
    is_smooth: bool = True

    def __str__(self) -> str:
        p, j = (unit + 1 for unit in self.units)
        one, two = self.slopes
        return (
            f"{self.reason}: z = {_shown(self.first)} and {_shown(self.second)} both give "
            f"{_shown(self.outputs)}, with ∂a_{p}/∂z_{j} = {one:.4g} and {two:.4g}"
        )


def _shown(layer: tuple[float, ...]) -> str:
    runs = [(f"{x:.6g}", len(list(alike))) for x, alike in groupby(layer)]
    written = (
        f"{times} times {x}" if times > _MOST_WRITTEN else ", ".join([x] * times)
        for x, times in runs
    )
    return f"({', '.join(written)})"


@remembered
def find_layer_witness(formula: Formula, graph: Graph) -> LayerWitness | None:
    """Return two layers with the same outputs and different Jacobians, where some are found.

    Parameters
    ----------
    formula : Formula
        Layer-coupled.
    graph : Graph
        Its computation graph.

    Examples
    --------
    >>> from chainrule.derivations import computation_graph
    >>> from chainrule.formulas import parse
    >>> formula = parse("z/sum(z)")
    >>> print(find_layer_witness(formula, computation_graph(formula.expression)).reason)
    a factor c > 0 of all z leaves the output as it is and divides ∂a/∂z by c, as every step shows
    """
    evident = evident_layer_witness(formula, graph)
    if evident is not None and evident.is_smooth:
        return evident
    solved = _found(formula, graph, _solved_pairs)
    return evident if solved is None or (evident is not None and not solved.is_smooth) else solved


@remembered
def evident_layer_witness(formula: Formula, graph: Graph) -> LayerWitness | None:
    """Return two layers as `find_layer_witness` does, where no equation needs to be solved."""
    return _found(formula, graph, _evident_pairs)


def _found(
    formula: Formula,
    graph: Graph,
    pairs: Callable[[LayerMap, Graph], Iterator[_Pair]],
) -> LayerWitness | None:
    layers = LayerMap(formula, backward_graph(graph)[0].expression())
    at_kink: LayerWitness | None = None  # where slopes are a matter of what is taken
    try:
        with time_limit(_SECONDS), mpmath.workdps(_DIGITS):
            for first, second, reason in pairs(layers, graph):
                found = checked(layers, first, second, reason)
                if found is None:
                    continue
                if all(map(layers.is_smooth, (first, second))):
                    return found
                kinked = replace(found, reason=f"{reason}, with a unit at a kink", is_smooth=False)
                at_kink = at_kink or kinked
    except FAILURES:
        return at_kink
    return at_kink


def _evident_pairs(layers: LayerMap, graph: Graph) -> Iterator[_Pair]:
    nearly = nearly_alike(
        graph, dict(layers.formula.parameters), list(_by_symmetries(layers, graph))
    )
    yield from nearly
    exchanged = f"two units exchanged leave the output as it is, as computed in {_DIGITS} digits"
    for z in map(_numbers, _PLACES):
        for alike in layers.alike(z):
            yield alike, [alike[1], alike[0], *alike[2:]], exchanged


def _by_symmetries(layers: LayerMap, graph: Graph) -> Iterator[_Pair]:
    places = list(map(_numbers, _PLACES))
    if degree(graph) == 0:
        reason = (
            "a factor c > 0 of all z leaves the output as it is and divides ∂a/∂z by c, as every "
            "step shows"
        )
        yield from ((z, [2 * x for x in z], reason) for z in places)
    if is_even(graph):
        reason = "a is the same for z and for -z, and ∂a/∂z changes its sign"
        yield from ((z, [-x for x in z], reason) for z in places)
    if not graph.nodes[graph.output].per_unit:
        reason = "the order of the units does not matter to a, but to ∂a/∂z"
        yield from ((z, z[::-1], reason) for z in places)
    computed = f"as computed in {_DIGITS} digits"
    for z in (*places, _numbers(_PAIR)):
        for i, j in combinations(range(len(z)), 2):
            order = {i: j, j: i}
            swapped = [z[order.get(k, k)] for k in range(len(z))]
            yield z, swapped, f"two units exchanged leave the output as it is, {computed}"
    singled_out = list(_singled_out(layers.formula))
    for z in (*places, *singled_out):
        outputs = layers.outputs(z)
        if outputs != z and all(map(mpmath.isfinite, outputs)):
            yield z, outputs, f"its own outputs as a layer leave the output as it is, {computed}"
    reason = f"a number added to all z leaves the output as it is, {computed}"
    for added, z in product(_ADDED, places):
        yield z, [x + added for x in z], reason
    for size in (*_SIZES, *scales_of(layers.formula.expression, dict(layers.formula.parameters))):
        for z in ([size * x for x in place] for place in places):
            double = [2 * x for x in z]
            if degree_as_decided(layers.formula, [z, double]) == 0:
                reason = "a factor of z there leaves the output as it is, as every operation shows"
                yield z, double, reason
    for z in (*places, *singled_out):
        for signs in product((1, -1), repeat=len(z)):
            if -1 in signs:
                turned = [sign * x for sign, x in zip(signs, z, strict=True)]
                yield z, turned, f"other signs of some units leave the output as it is, {computed}"


def _solved_pairs(layers: LayerMap, graph: Graph) -> Iterator[_Pair]:
    reason = f"found by solving for equal outputs, and checked to {CHECKED_DIGITS} digits"
    for z in _singled_out(layers.formula):
        for start in (layers.outputs(z), [-x for x in z]):
            solved = layers.solved(z, start, _STEPS)
            if solved is not None:
                yield z, solved, reason
    values = dict(layers.formula.parameters)
    moved = shifted_layers_alike(layers.formula.expression, values)
    for layer, start in chain(layers_alike(graph, values), moved):
        z = _numbers(layer)
        solved = layers.solved(z, _numbers(start), _STEPS)
        if solved is not None:
            yield z, solved, reason
    reason = f"found among layers of short numbers, and checked to {CHECKED_DIGITS} digits"
    for layers_found in short_layers_alike(graph, values):
        one, other = (list(map(mpmath.mpf, layer)) for layer in layers_found)
        yield one, other, reason


def _singled_out(formula: Formula) -> Iterator[Layer]:
    """Yield layers of which a unit, an end, the mean or a norm is what a comparison asks for."""
    comparisons = [
        e.arguments
        for e in subexpressions(formula.expression)
        if isinstance(e, Apply) and e.operation in COMPARISONS
    ]
    compared = [x for pair in comparisons for x in pair if not variables_of(x)]
    for place in dict.fromkeys((*compared, *_USUAL) if comparisons else ()):
        value = evaluate(place, dict(formula.parameters))
        yield from ([value + x for x in _numbers(layer)] for layer in _ABOUT)
        yield [value, *_numbers("00")]
        yield from ([value] * units for units in (2, 3))


def _numbers(layer: Iterable[str | float]) -> Layer:
    return [mpmath.mpf(x) for x in layer]


def checked(layers: LayerMap, first: Layer, second: Layer, reason: str) -> LayerWitness | None:
    """Return two layers as a witness, if their outputs agree and their Jacobians do not."""
    one, two = (layers.outputs(z) for z in (first, second))
    # Only what is nearly the same is worth its Jacobian; where outputs saturate all of them are.
    if not all(abs(x - y) < _NEARLY * (1 + abs(x)) for x, y in zip(one, two, strict=True)):
        return None
    rows = [layers.jacobian(z) for z in (first, second)]
    if not all(map(_agree, one, two, *rows)):
        return None
    entries = [x for jacobian in rows for row in jacobian for x in row if mpmath.isfinite(x)]
    # Where rounding alone might make the difference, nothing is claimed.
    largest = max(map(abs, one))
    least = max(_NEGLIGIBLE * max(map(abs, entries), default=mpmath.inf), _INVISIBLE * largest)
    for p in range(len(first)):
        for j in range(len(first)):
            x, y = rows[0][p][j], rows[1][p][j]
            if mpmath.isfinite(x - y) and abs(x - y) > max(_APART * (abs(x) + abs(y)), least):
                a, b, outputs = (tuple(map(float, layer)) for layer in (first, second, one))
                return LayerWitness(a, b, outputs, (p, j), (float(x), float(y)), reason)
    return None


def _agree(x: Any, y: Any, row: Layer, other: Layer) -> bool:
    """Tell whether two outputs are the same, up to what a tiny change of the layers explains.

    A difference counts by how much outputs change there: two tiny ones are not the same for that.
    """
    reach = min(
        max((abs(slope) for slope in slopes if mpmath.isfinite(slope)), default=0)
        for slopes in (row, other)
    )
    return bool(abs(x - y) <= max(_NEARLY * reach, _ROUNDING * abs(x)))
