"""A function and its derivatives as curves: where to look, and what is seen there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule.formulas import Formula

if TYPE_CHECKING:
    from chainrule.derivations import Derivation
    from chainrule.documents import Curve, Section

Array = NDArray[Any]

_POINTS, _POINTS_OF_BEND = 801, 241
_REACH = 6.0
_OTHER_UNITS = (0.5, -0.5, 1.0)
_MOST_TURNS = 16
_LEAST_BUSY = 0.04  # of the axis: where less than that is seen to change, look nearer
_FEWEST = 10
_MOST_ALIKE = 6.0
_DIGITS = 30
_SECONDS = 1.5


def plot_section(derivation: Derivation) -> Section:
    """Plot value, first and second derivative; of a layer, what the first unit's z changes."""
    from chainrule.documents import Figure, Section, plot_picture

    formula = derivation.formula
    kinks = tuple(
        b.place
        for b in (derivation.pieces.breakpoints if derivation.pieces else ())
        if np.isfinite(b.place)
    )
    low, high = _range(formula, kinks)
    z = np.linspace(low, high, _POINTS)
    if formula.is_layer_coupled:
        curves = _layer_curves(formula, z)
        words = (
            "The first unit's activation a_1 and what z_1 changes, with the other units held at "
            f"{', '.join(f'{value:g}' for value in _OTHER_UNITS)}."
        )
    else:
        seen = tuple(kink for kink in kinks if low < kink < high)
        curves = (*_curves(formula, z, seen), *_bend(derivation, z, seen))
        words = "The function a, its derivative" + (
            " and its second derivative." if len(curves) > 2 else "."
        )
        words += " Upright dashed lines: where its pieces meet." if seen else ""
        kinks = seen
    values = ", ".join(f"{name} = {value:.6g}" for name, value in formula.parameters)
    words += f" Parameters: {values}." if values else ""
    variable = "z_1" if formula.is_layer_coupled else "z"
    *others, last = _together(curves)
    seen_here = [
        Figure(plot_picture(group, _names(group), kinks, variable), "") for group in others
    ]
    figures = (*seen_here, Figure(plot_picture(last, words, kinks, variable), words))
    return Section("Plot of the function and its derivatives", blocks=figures)


def _together(curves: tuple[Curve, ...]) -> list[tuple[Curve, ...]]:
    """Part curves whose heights differ too much for one axis."""
    groups: list[tuple[Curve, ...]] = []
    last = 0.0
    for curve in curves:
        span = _span(curve)
        if groups and span <= _MOST_ALIKE * last:
            groups[-1] += (curve,)
        else:
            groups.append((curve,))
            last = span or 1.0
    return groups


def _span(curve: Curve) -> float:
    from chainrule.documents import reach

    heights = [y for s in curve.stretches for _, y in s if np.isfinite(y)]
    low, high = reach(heights) if heights else (0.0, 0.0)
    return high - low


def _names(curves: tuple[Curve, ...]) -> str:
    return ", ".join(curve.name for curve in curves)


def _range(formula: Formula, kinks: tuple[float, ...]) -> tuple[float, float]:
    """Return where to look: around zero and all kinks, nearer where there is much to see."""
    low, high = min((-_REACH, *(1.4 * k for k in kinks))), max((_REACH, *(1.4 * k for k in kinks)))
    if formula.is_layer_coupled or kinks:
        return low, high
    from chainrule.documents import reach
    from chainrule.kernels import forward

    for _ in range(3):
        values = forward(formula, np.linspace(low, high, _POINTS))
        finite = values[np.isfinite(values)]
        if finite.size < _FEWEST:
            break
        lowest, highest = reach(finite.tolist())
        if finite.min() < lowest or finite.max() > highest:
            break  # a pole looks alike however near one comes
        steps = np.diff(finite)
        turns = np.count_nonzero(np.diff(np.sign(steps)))
        busy = np.count_nonzero(np.abs(steps) > 0.01 * np.abs(steps).max()) / steps.size
        if turns > _MOST_TURNS:
            nearer = float(_MOST_TURNS / turns / 2)
        elif 0 < busy < _LEAST_BUSY:
            nearer = float(min(0.5, 8 * busy))
        else:
            break
        low, high = low * nearer, high * nearer
    return low, high


def _curves(formula: Formula, z: Array, kinks: tuple[float, ...]) -> tuple[Curve, ...]:
    from chainrule.documents import Curve
    from chainrule.kernels import backward, forward

    parts = np.split(z, np.searchsorted(z, kinks, side="right"))
    values = [(part, forward(formula, part)) for part in parts]
    slopes = [
        (part, np.where(np.isnan(a), a, backward(formula, np.ones_like(part), part)))
        for part, a in values
    ]
    return tuple(
        Curve(name, tuple(tuple(zip(x.tolist(), y.tolist(), strict=True)) for x, y in pairs))
        for name, pairs in (("a", values), ("∂a/∂z", slopes))
    )


def _bend(derivation: Derivation, z: Array, kinks: tuple[float, ...]) -> tuple[Curve, ...]:
    """Return the second derivative from the derivation's expressions, where it has them."""
    import mpmath

    from chainrule.derivations import TimeLimitError, evaluate, time_limit
    from chainrule.documents import Curve

    if not derivation.second or derivation.pieces is None:
        return ()
    places = [b.place for b in derivation.pieces.breakpoints]
    coarse = np.linspace(z[0], z[-1], _POINTS_OF_BEND)
    stretches: list[list[tuple[float, float]]] = [[] for _ in derivation.second]
    try:
        with mpmath.workdps(_DIGITS), time_limit(_SECONDS):
            parameters = {n: mpmath.mpf(v) for n, v in derivation.formula.parameters}
            for x in coarse.tolist():
                piece = int(np.searchsorted(places, x, side="right"))
                at = {**parameters, "z": mpmath.mpf(x)}
                value = evaluate(derivation.second[piece].by_preactivation, at)
                defined = mpmath.isfinite(evaluate(derivation.formula.expression, at))
                number = float(value) if defined and mpmath.isfinite(value) else float("nan")
                stretches[piece].append((x, number))
    except (ArithmeticError, ValueError, TypeError, TimeLimitError):
        return ()
    return (Curve("∂²a/∂z²", tuple(map(tuple, stretches))),)


def _layer_curves(formula: Formula, z: Array) -> tuple[Curve, ...]:
    from chainrule.documents import Curve
    from chainrule.kernels import backward, forward

    layer = np.column_stack([z, *(np.full_like(z, value) for value in _OTHER_UNITS)])
    lines = [("a_1", forward(formula, layer)[:, 0])]
    for unit, name in ((0, "∂a_1/∂z_1"), (1, "∂a_2/∂z_1")):
        seed = np.zeros_like(layer)
        seed[:, unit] = 1.0
        lines.append((name, backward(formula, seed, layer)[:, 0]))
    return tuple(
        Curve(name, (tuple(zip(z.tolist(), y.tolist(), strict=True)),)) for name, y in lines
    )
