"""Two layers with the same outputs and different Jacobians: the output does not tell the slope.

They are found along what leaves the outputs alone: a common factor of all pre-activations, their
sign, their order where all units share one output; else by solving f(z') = f(z) from elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, product
from typing import Any

import mpmath

from chainrule.derivations._algebra import FAILURES
from chainrule.derivations._evaluate import Values, evaluate_layer
from chainrule.derivations._graph import Graph
from chainrule.derivations._remembered import remembered
from chainrule.derivations._time_limit import time_limit
from chainrule.derivations._vector_jacobian import SEED, backward_graph
from chainrule.derivations.output_forms._invariance import degree, is_even
from chainrule.formulas import Expression, Formula

_SECONDS = 0.7
_DIGITS = 60
_PLACES = (
    *(("1", "2", "4"), ("1", "-2", "4"), ("0.5", "-1.5", "0.25")),
    *(("-2", "-1", "-4"), ("0", "-2", "-3")),
)
_STARTS = (("4", "-3", "0.5"), ("-2", "-3", "-4"), ("0.1", "0.3", "-0.2"), ("3", "5", "2"))
_FACTORS = ("0.05", "-0.9", "3", "0.002")  # of the layer itself, to start from
_SHIFTS = ("2", "-3")
_APART, _NEGLIGIBLE = mpmath.mpf("1e-3"), mpmath.mpf("1e-12")
_BESIDE = mpmath.mpf(10) ** (5 - _DIGITS // 2)  # farther than what outputs are checked to
_NEWTON_STEPS = (12, 40)  # what takes many is tried after all that take few
_NEWTON_DIGITS = 20


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
    """

    first: tuple[float, ...]
    second: tuple[float, ...]
    outputs: tuple[float, ...]
    units: tuple[int, int]
    slopes: tuple[float, float]
    reason: str

    def __str__(self) -> str:
        p, j = (unit + 1 for unit in self.units)
        one, two = self.slopes
        return (
            f"{self.reason}: z = {_shown(self.first)} and {_shown(self.second)} both give "
            f"{_shown(self.outputs)}, with ∂a_{p}/∂z_{j} = {one:.4g} and {two:.4g}"
        )


def _shown(layer: tuple[float, ...]) -> str:
    return f"({', '.join(f'{x:.6g}' for x in layer)})"


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
    a factor c > 0 of all z leaves a as it is and divides ∂a/∂z by c, as every operation shows
    """
    backward = backward_graph(graph)[0].expression()
    try:
        with time_limit(_SECONDS), mpmath.workdps(_DIGITS):
            for first, second, reason in _pairs(formula, graph, backward):
                found = _checked(formula, backward, first, second, reason)
                if found is not None:
                    return found
    except FAILURES:
        return None
    return None


_Layer = list[Any]


def _pairs(
    formula: Formula, graph: Graph, backward: Expression
) -> Iterator[tuple[_Layer, _Layer, str]]:
    layers = [[mpmath.mpf(x) for x in places] for places in _PLACES]
    if degree(graph) == 0:
        reason = (
            "a factor c > 0 of all z leaves a as it is and divides ∂a/∂z by c, as every operation "
            "shows"
        )
        yield from ((z, [2 * x for x in z], reason) for z in layers)
    if is_even(graph):
        reason = "a is the same for z and for -z, and ∂a/∂z changes its sign"
        yield from ((z, [-x for x in z], reason) for z in layers)
    if not graph.nodes[graph.output].per_unit:
        reason = "the order of the units does not matter to a, but to ∂a/∂z"
        yield from ((z, z[::-1], reason) for z in layers)
    reason = f"two units exchanged leave a as it is, as computed in {_DIGITS} digits"
    for z in layers:
        for i, j in combinations(range(len(z)), 2):
            order = {i: j, j: i}
            yield z, [z[order.get(k, k)] for k in range(len(z))], reason
    reason = f"found by solving for equal outputs, and checked to {_DIGITS // 2} digits"
    starts = range(len(_STARTS) + len(_FACTORS) + len(_SHIFTS))
    for steps, start, z in product(_NEWTON_STEPS, starts, layers):
        solved = _solved(formula, backward, z, _starts(z)[start], steps)
        if solved is not None:
            yield z, solved, reason


def _starts(z: _Layer) -> list[_Layer]:
    """Return where solving begins: a multiple of the layer, the layer shifted, or elsewhere."""
    multiples = [[mpmath.mpf(c) * x for x in z] for c in _FACTORS]
    shifted = [[mpmath.mpf(c) + x for x in z] for c in _SHIFTS]
    return [*multiples, *shifted, *([mpmath.mpf(x) for x in start] for start in _STARTS)]


def _checked(
    formula: Formula, backward: Expression, first: _Layer, second: _Layer, reason: str
) -> LayerWitness | None:
    one, two = (_outputs(formula, z) for z in (first, second))
    if not all(map(_agree, one, two)):
        return None
    rows = [_jacobian(formula, backward, z) for z in (first, second)]
    entries = [x for jacobian in rows for row in jacobian for x in row if mpmath.isfinite(x)]
    # Where rounding alone might make the difference, nothing is claimed.
    least = _NEGLIGIBLE * max(map(abs, entries), default=mpmath.inf)
    for p in range(len(first)):
        for j in range(len(first)):
            x, y = rows[0][p][j], rows[1][p][j]
            if mpmath.isfinite(x - y) and abs(x - y) > max(_APART * (abs(x) + abs(y)), least):
                a, b, outputs = (tuple(map(float, layer)) for layer in (first, second, one))
                return LayerWitness(a, b, outputs, (p, j), (float(x), float(y)), reason)
    return None


def _agree(x: Any, y: Any) -> bool:
    return bool(abs(x - y) < mpmath.mpf(10) ** (-_DIGITS // 2) * (1 + abs(x)))


def _outputs(formula: Formula, z: _Layer) -> _Layer:
    return evaluate_layer(formula.expression, {**dict(formula.parameters), "z": z})


def _jacobian(formula: Formula, backward: Expression, z: _Layer) -> list[_Layer]:
    """Return ∂a_p/∂z_j, a row for each p."""
    known: Values = {**dict(formula.parameters), "z": z}
    units = range(len(z))
    return [
        evaluate_layer(backward, {**known, SEED: [mpmath.mpf(p == k) for k in units]})
        for p in units
    ]


def _solved(
    formula: Formula, backward: Expression, z: _Layer, start: _Layer, steps: int
) -> _Layer | None:
    """Solve f(z') = f(z) from a start by Newton's method, shortest steps first where many lead."""
    wanted = mpmath.matrix(_outputs(formula, z))
    found = mpmath.matrix(start)
    with mpmath.workdps(_NEWTON_DIGITS):
        for _ in range(steps):
            step = _newton_step(formula, backward, found, wanted)
            if step is None or mpmath.norm(step) > 100 * (1 + mpmath.norm(found)):
                return None
            found += step
            if mpmath.norm(step) < mpmath.mpf(10) ** -10:
                break
        else:
            return None
    for _ in range(4):  # each doubles the digits
        step = _newton_step(formula, backward, found, wanted)
        if step is None:
            return None
        found += step
    solved = list(found)
    far = max(abs(x - y) for x, y in zip(solved, z, strict=True))
    is_apart = far > mpmath.mpf("1e-2")
    return solved if is_apart and _is_smooth(formula, backward, solved) else None


def _is_smooth(formula: Formula, backward: Expression, z: _Layer) -> bool:
    """Tell whether the Jacobian does not jump beside a layer.

    Next to a kink of a unit outputs are the same to many digits that are not the same.
    """
    here = _jacobian(formula, backward, z)
    for j in range(len(z)):
        for sign in (1, -1):
            moved = [x + sign * _BESIDE * (1 + abs(x)) * (k == j) for k, x in enumerate(z)]
            there = _jacobian(formula, backward, moved)
            largest = max(abs(x) for row in here for x in row)
            for row, other in zip(here, there, strict=True):
                if not all(abs(x - y) <= _APART * largest for x, y in zip(row, other, strict=True)):
                    return False
    return True


def _newton_step(formula: Formula, backward: Expression, z: Any, wanted: Any) -> Any | None:
    """Return the least step that solves the linear equations; None where nothing is known.

    Where the outputs have a constant sum the Jacobian is singular, and many steps lead there.
    """
    layer = list(z)
    missing = wanted - mpmath.matrix(_outputs(formula, layer))
    if not all(map(mpmath.isfinite, missing)):
        return None
    if mpmath.norm(missing) < mpmath.mpf(10) ** (3 - mpmath.mp.dps):
        return mpmath.zeros(len(layer), 1)
    rows = mpmath.matrix(_jacobian(formula, backward, layer))
    squares = rows * rows.T
    small = mpmath.mpf(10) ** (-mpmath.mp.dps // 2) * (1 + mpmath.norm(squares))
    try:
        return rows.T * mpmath.lu_solve(squares + small * mpmath.eye(len(layer)), missing)
    except ZeroDivisionError:
        return None
