"""Where layers with the same outputs may lie: sought among many layers at once.

Where a Jacobian is singular, a step in a direction in which nothing changes leads to a layer with
nearly the same outputs; where its determinant has another sign at one layer than at another, the
map is folded between them; and from anywhere else Newton's method may find a second layer. All of
that is done in floating point: what is found has to be checked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, TypeVar

import numpy as np

from chainrule.derivations._graph import Graph
from chainrule.derivations._scales import scales_of
from chainrule.derivations.layers._vector_jacobian import SEED, backward_graph
from chainrule.derivations.output_forms._layer_arrays import Program

# How many units have each of the values that are moved: a few, or one among many that are alike.
_PATTERNS = ((1, 1), (1, 1, 1), (1, 7), (3,), (8,), (1, 15), (16,), (1, 1, 14))
_PATTERNS_AT_SCALES = ((1,), (1, 1))
_LAYERS = 96
_SIZES, _SHIFTS = (0.4, 1.0, 2.5), (0.0, 0.0, 1.0, -1.0, -2.5, 2.5)
_STEPS, _LONGEST_STEP, _HALVINGS = 14, 2.0, 30
_ALONG = (0.25, -0.25, 1.0, -1.0, 3.0, -3.0)
_SINGULAR, _SAME, _APART, _FAR, _BESIDE = 1e-10, 1e-11, 1e-2, 2e-2, 1e-6
_LARGEST = 30.0
# How many units layers of short numbers have, and these numbers.
_SHORT = ((1, np.arange(-12, 13) / 4), (2, np.arange(-6, 7) / 2), (3, np.arange(-3.0, 4)))
_PLACES_SHOWN = 10
_NEARLY = 1e-6
_Pair = TypeVar("_Pair", bound=tuple[Any, ...])
_MOST_SINGULAR, _MOST_FOLDS, _MOST_FOUND = 16, 16, 4


@dataclass(frozen=True)
class _Rows:
    """A map of layers in which groups of units are alike, measured in a scale of its own."""

    forward: Program
    backward: Program
    parameters: Mapping[str, float]
    sizes: tuple[int, ...]
    scale: float

    def whole(self, values: Any) -> Any:
        return self.scale * np.repeat(values, self.sizes, axis=1)

    def outputs(self, values: Any) -> Any:
        z = self.whole(values)
        return self.forward.run({**self.parameters, "z": z}, z.shape)[:, self._firsts()]

    def jacobians(self, values: Any) -> Any:
        """Return how one output of each group changes with the value of each."""
        z, firsts = self.whole(values), self._firsts()
        found = np.empty((len(z), len(firsts), len(firsts)))
        for row, unit in enumerate(firsts):
            seed = np.zeros((1, z.shape[1]))
            seed[0, unit] = 1.0
            known = {**self.parameters, "z": z, SEED.name: seed}
            slopes = self.backward.run(known, z.shape)
            found[:, row] = self.scale * np.add.reduceat(slopes, firsts, axis=1)
        return found

    def _firsts(self) -> list[int]:
        return [0, *np.cumsum(self.sizes)[:-1].tolist()]


def layers_alike(
    graph: Graph, parameters: Mapping[str, float]
) -> Iterator[tuple[list[float], list[float]]]:
    """Yield pairs of layers that seem to have the same outputs and different Jacobians.

    Parameters
    ----------
    graph : Graph
        Of a layer-coupled formula.
    parameters : mapping of str to float
    """
    programs = _programs(graph)
    far = [
        (sizes, scale)
        for scale in scales_of(graph.expression(), parameters)
        for sizes in _PATTERNS_AT_SCALES
    ]
    for sizes, scale in (*((sizes, 1.0) for sizes in _PATTERNS), *far):
        rows = _Rows(*programs, parameters, sizes, scale)
        with np.errstate(all="ignore"):
            found = _solved(rows, *_pairs(rows))
        yield from found


def short_layers_alike(
    graph: Graph, parameters: Mapping[str, float]
) -> Iterator[tuple[list[float], list[float]]]:
    """Yield pairs of layers of short numbers with the same outputs and different Jacobians.

    Units of such layers lie at kinks, and at the same place, where others rarely do.

    Parameters
    ----------
    graph : Graph
        Of a layer-coupled formula.
    parameters : mapping of str to float
    """
    programs = _programs(graph)
    for units, numbers in _SHORT:
        rows = _Rows(*programs, parameters, (1,) * units, 1.0)
        layers = np.array(list(product(numbers, repeat=units)))
        with np.errstate(all="ignore"):
            found = list(_with_one_output(rows, layers))
        yield from found


def _with_one_output(rows: _Rows, layers: Any) -> Iterator[tuple[list[float], list[float]]]:
    outputs, jacobians = rows.outputs(layers), rows.jacobians(layers)
    first: dict[tuple[float, ...], int] = {}
    found = 0
    for k in np.flatnonzero(np.isfinite(outputs).all(axis=1)).tolist():
        other = first.setdefault(tuple(np.round(outputs[k], _PLACES_SHOWN) + 0.0), k)
        apart = np.abs(jacobians[k] - jacobians[other]).max()
        if apart > _APART * np.abs(jacobians[k]).max() and found < _MOST_FOUND:
            found += 1
            yield layers[other].tolist(), layers[k].tolist()


def nearly_alike(
    graph: Graph, parameters: Mapping[str, float], pairs: Sequence[_Pair]
) -> Iterator[_Pair]:
    """Yield pairs of layers whose outputs seem to be the same, and not their Jacobians.

    Parameters
    ----------
    graph : Graph
        Of a layer-coupled formula.
    parameters : mapping of str to float
    pairs : sequence of tuple
        Two layers, and what else belongs to them.
    """
    programs = Program.of(graph.expression()), Program.of(backward_graph(graph)[0].expression())
    alike: set[int] = set()
    for units in {len(pair[0]) for pair in pairs}:
        rows = _Rows(*programs, parameters, (1,) * units, 1.0)
        of_size = [k for k, pair in enumerate(pairs) if len(pair[0]) == units]
        layers = [np.array([pairs[k][side] for k in of_size], dtype=float) for side in (0, 1)]
        with np.errstate(all="ignore"):
            is_same = ~_differs(*map(rows.outputs, layers), surely=True)
            found = np.flatnonzero(is_same)
            slopes = (rows.jacobians(side[found]).reshape(-1, units**2) for side in layers)
            found = found[_differs(*slopes, surely=False)]
        alike.update(of_size[k] for k in found)
    yield from (pairs[k] for k in sorted(alike))


def _differs(one: Any, two: Any, *, surely: bool) -> Any:
    """Tell which rows differ by more than rounding; what has no floating value might, or not."""
    least = _NEARLY * np.abs(one).max(axis=1, keepdims=True)
    apart = np.abs(one - two)
    return ((apart > least) if surely else ~(apart <= least)).any(axis=1)


def _programs(graph: Graph) -> tuple[Program, Program]:
    """Return what computes a layer's outputs, and its slopes."""
    backward = backward_graph(graph, selects=True)[0].expression()
    return Program.of(graph.expression()), Program.of(backward)


def _pairs(rows: _Rows) -> tuple[Any, Any]:
    """Return layers, and where to begin to look for others with their outputs."""
    drawn = np.random.default_rng(len(rows.sizes))
    count = len(rows.sizes)
    sizes = np.resize(_SIZES, (_LAYERS, 1))
    shifts = np.repeat(np.resize(_SHIFTS, (_LAYERS // 3, 1)), 3, axis=0)
    layers = np.round(shifts + sizes * drawn.standard_normal((_LAYERS, count)), 2)
    jacobians = rows.jacobians(layers)
    usable = np.isfinite(jacobians).all(axis=(1, 2)) & np.isfinite(rows.outputs(layers)).all(axis=1)
    layers, jacobians = layers[usable], jacobians[usable]
    if len(layers) < 2:
        return layers[:0], layers[:0]
    pairs = [
        *_along_what_changes_nothing(layers, jacobians),
        *_beside_folds(rows, layers, jacobians),
        (layers, np.roll(layers, 1, axis=0)),
    ]
    wanted, starts = (np.concatenate(side) for side in zip(*pairs, strict=True))
    return wanted, starts


def _along_what_changes_nothing(layers: Any, jacobians: Any) -> Iterator[tuple[Any, Any]]:
    _, scales, directions = np.linalg.svd(jacobians)
    singular = (scales[:, -1] <= _SINGULAR * scales[:, 0]) & (scales[:, 0] > 0)
    found, along = layers[singular][:_MOST_SINGULAR], directions[singular][:_MOST_SINGULAR, -1]
    for step in _ALONG:
        yield found, found + step * along


def _beside_folds(rows: _Rows, layers: Any, jacobians: Any) -> Iterator[tuple[Any, Any]]:
    volumes = np.linalg.det(jacobians)
    low, high = layers[:-1], layers[1:]
    crossing = volumes[:-1] * volumes[1:] < 0
    low, high = low[crossing][:_MOST_FOLDS], high[crossing][:_MOST_FOLDS]
    if not len(low):
        return
    below = np.sign(volumes[:-1][crossing][:_MOST_FOLDS])[:, None]
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        same = np.sign(np.linalg.det(rows.jacobians(middle)))[:, None] == below
        low, high = np.where(same, middle, low), np.where(same, high, middle)
    _, _, directions = np.linalg.svd(np.nan_to_num(rows.jacobians(low)))
    across = directions[:, -1]
    for step in (0.1, 0.5):
        yield low + step * across, low - step * across
        yield low, high + step * (high - low) / np.linalg.norm(high - low, axis=1, keepdims=True)


def _solved(rows: _Rows, wanted: Any, starts: Any) -> list[tuple[list[float], list[float]]]:
    outputs, found = rows.outputs(wanted), starts
    for _ in range(_STEPS):
        missing = outputs - rows.outputs(found)
        slopes = rows.jacobians(found)
        usable = np.isfinite(slopes).all(axis=(1, 2)) & np.isfinite(missing).all(axis=1)
        wanted, outputs, found = wanted[usable], outputs[usable], found[usable]
        if not len(found):
            return []
        inverses = np.linalg.pinv(slopes[usable], rcond=1e-9)
        steps = (inverses @ missing[usable][:, :, None])[:, :, 0]
        length = np.linalg.norm(steps, axis=1, keepdims=True)
        found = found + steps * np.minimum(1.0, _LONGEST_STEP / np.maximum(length, 1e-300))
    one, two = rows.jacobians(wanted), rows.jacobians(found)
    apart = np.abs(one - two).max(axis=(1, 2))
    size = np.maximum(np.abs(one), np.abs(two)).max(axis=(1, 2))
    missing = np.abs(outputs - rows.outputs(found)).max(axis=1)
    is_found = (
        (missing <= _SAME * (1 + np.abs(outputs).max(axis=1)))
        & (missing <= _SAME * np.minimum(np.abs(one).max(axis=(1, 2)), 1))
        & (apart > _APART * size)
        & (np.abs(found - wanted).max(axis=1) > _FAR)
        & (np.abs(found).max(axis=1) < _LARGEST)
        & _is_smooth(rows, found, two)
    )
    nearest = np.argsort(np.abs(found).max(axis=1) + 1e9 * ~is_found)
    return [
        (rows.whole(wanted[[k]])[0].tolist(), rows.whole(found[[k]])[0].tolist())
        for k in nearest[: min(_MOST_FOUND, int(is_found.sum()))]
    ]


def _is_smooth(rows: _Rows, layers: Any, jacobians: Any) -> Any:
    """Tell where Jacobians do not jump close by: Newton's method comes to rest at kinks too."""
    steps = _BESIDE * (1 + np.arange(layers.shape[1]))
    size = np.abs(jacobians).max(axis=(1, 2), keepdims=True)
    smooth = np.ones(len(layers), dtype=bool)
    for sign in (1, -1):
        beside = np.abs(rows.jacobians(layers + sign * steps) - jacobians)
        smooth &= (beside <= _APART * size).all(axis=(1, 2))
    return smooth
