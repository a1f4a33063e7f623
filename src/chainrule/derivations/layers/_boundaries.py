"""Layers in which a choice is undecided for the first unit: between others, and special ones.

They are sought along lines near and far, in floating point, and found in many digits. Some are
reached by many units alone: no three have ``sum(tanh(z)) > 5`` or ``max(z) > 10*mean(abs(z))``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice
from typing import Any

import mpmath
import numpy as np

from chainrule.derivations._evaluate import Values, evaluate_layer
from chainrule.derivations._scales import scales_of
from chainrule.derivations.algebra._arithmetic import ZERO
from chainrule.derivations.layers._vector_jacobian import SEED
from chainrule.derivations.output_forms._layer_arrays import Program
from chainrule.derivations.pieces._filled_places import with_same_zeros
from chainrule.formulas import Apply, Expression, Formula, subexpressions, variables_of

Layer = list[Any]

EXTREMES = ("max", "min")
_SEEDS = ("0.9", "-1.3", "0.7")
_SAME = mpmath.mpf(10) ** -60
_SPECIAL = (
    *(("0", "0", "0"), ("1", "1", "1"), ("0.7", "0.7", "0.7"), ("-1.3", "-1.3", "-1.3")),
    *(("2.1", "-0.4", "0.9"), ("-2.3", "0.8", "-0.6"), ("1.9", "1.9", "-0.3")),
)
_SPREADS, _SHIFTS, _NARROW = (1.0, 4.0, 30.0, 300.0), (0.0, 2.0, -2.0), 0.3
_COUNTS, _REST = (3, 16, 160), (1.0, 0.001)  # of units; what all but a large one are times
_LINES, _PLACES, _HALVINGS, _USED, _MOST, _FEW = 24, 9, 25, 1e-7, 8, 3
_OF_MANY_UNITS = 2  # layers that are looked at: they take most of the time


def is_choice(e: Expression) -> bool:
    """Tell whether an expression in `z` chooses by a comparison, open or hidden, with `z`."""
    if not isinstance(e, Apply):
        return False
    compared = e.arguments[0] if e.operation == "where" else e
    chooses = e.operation in ("where", "abs", "sign", "maximum", "minimum", *EXTREMES)
    return chooses and "z" in variables_of(compared)


def sides_of(choice: Apply) -> tuple[Expression, Expression]:
    """Return what is equal where a choice is undecided; of an extreme, it and any other unit."""
    match choice:
        case Apply("where", (Apply(_, (x, y)), *_)) | Apply("maximum" | "minimum", (x, y)):
            return x, y
        case Apply("max" | "min", (x,)):
            return choice, x
        case Apply("abs" | "sign", (Apply("subtract", (x, y)),)):
            return x, y
    return choice.arguments[0], ZERO


@dataclass(frozen=True)
class Boundary:
    """Where a choice of a layer-coupled formula is undecided.

    Parameters
    ----------
    formula : Formula
    choice : Apply
    received : Expression
        What the choice receives: ∂J/∂u.
    is_shared : bool
        Whether the choice is one for all units.
    """

    formula: Formula
    choice: Apply
    received: Expression
    is_shared: bool

    def crossings(self) -> list[Layer]:
        """Return layers beside which the choice falls out differently, first where it is used."""
        brackets = []
        for units in _COUNTS:
            low, high = self._bracketed(units)
            brackets.append((low, high, self._is_used(low) | self._is_used(high)))
            if brackets[-1][2].any():
                break
        low, high, used = max(brackets, key=lambda own: own[2].any())  # else the first
        found = (self._between(low[k], high[k]) for k in np.argsort(~used, kind="stable"))
        most = _MOST if low.shape[1] == _COUNTS[0] else _OF_MANY_UNITS
        return list(islice((z for z in found if z is not None and self._holds_at(z)), most))

    def special_layers(self) -> list[Layer]:
        """Return layers of units that are 0 or alike, in which other choices may be open, too."""
        layers = ([mpmath.mpf(x) for x in layer] for layer in _SPECIAL)
        return list(filter(self._holds_at, layers))

    def passed(self, z: Layer, a: Layer) -> Layer:
        """Return what the choice receives for the first unit, or for all."""
        known: Values = {**self._numbers, "z": z, "a": a, SEED: for_every_unit(_SEEDS, z)}
        adjoints = evaluate_layer(self.received, known)
        return adjoints if self.is_shared else adjoints[:1]

    @property
    def _numbers(self) -> dict[str, float]:
        return dict(self.formula.parameters)

    @property
    def _is_extreme(self) -> bool:
        return self.choice.operation in EXTREMES

    def _gap(self, z: Layer) -> Any:
        values = evaluate_layer(_difference(self.choice), {**self._numbers, "z": z})
        return values[0] - values[1] if self._is_extreme else values[0]

    def _holds_at(self, z: Layer) -> bool:
        values: Values = {**self._numbers, "z": z}
        left, right = (evaluate_layer(side, values)[0] for side in sides_of(self.choice))
        return bool(abs(left - right) <= _SAME) and bool(abs(self._gap(z)) <= _SAME)

    def _between(self, one: Any, other: Any) -> Layer | None:
        start, end = ([mpmath.mpf(float(x)) for x in layer] for layer in (one, other))

        def layer(t: Any) -> Layer:
            return [x + t * (y - x) for x, y in zip(start, end, strict=True)]

        if not self._gap(start) * self._gap(end) < 0:
            return None
        return layer(
            mpmath.findroot(lambda t: self._gap(layer(t)), (0, 1), solver="anderson", verify=False)
        )

    def _bracketed(self, units: int) -> tuple[Any, Any]:
        """Return layers close together at which a gap has different signs."""
        low, high = _on_either_side(self.formula, self.choice, units)
        gaps = partial(_gaps, self.choice, self._numbers)
        with np.errstate(all="ignore"):
            below = gaps(low)
            for _ in range(_HALVINGS):
                middle = (low + high) / 2
                same = (gaps(middle) * below > 0)[:, None]
                low, high = np.where(same, middle, low), np.where(same, high, middle)
        return low, high

    def _is_used(self, z: Any) -> Any:
        """Tell where outputs have values, and the choice receives anything."""
        forward, backward = Program.of(self.formula.expression), Program.of(self.received)
        with np.errstate(all="ignore"):
            a = forward.run({**self._numbers, "z": z}, z.shape)
            seeds = np.resize(np.array(_SEEDS, dtype=float), (1, z.shape[1]))
            known = {**self._numbers, "z": z, "a": a, SEED.name: seeds}
            passed = np.abs(backward.run(known, z.shape))
            used = passed if self.is_shared else passed[:, :1]
        return np.isfinite(a).all(axis=1) & (used > _USED).any(axis=1)


def for_every_unit(numbers: Sequence[str], z: Layer) -> Layer:
    """Return numbers, over and over, one for each unit."""
    return [mpmath.mpf(x) for x in islice(cycle(numbers), len(z))]


def layers_of_every_choice(formula: Formula) -> list[Layer]:
    """Return a few layers on either side of every choice that a formula makes.

    Where these take many units, some of them are 0 and alike in further ones.
    """
    choices = dict.fromkeys(filter(is_choice, subexpressions(formula.expression)))
    found: list[Layer] = []
    for choice in choices:
        assert isinstance(choice, Apply)
        for side in _with_few_units(formula, choice):
            takes_many = side.shape[1] > _COUNTS[0]
            drawn = side[: 1 if takes_many else _FEW]
            few = [list(map(mpmath.mpf, map(float, layer))) for layer in drawn]
            found += few
            for z in few if takes_many else ():
                found.append([*z[:-4], mpmath.mpf(0), mpmath.mpf(0), z[0], z[0]])
                found.append([x - max(z) for x in z])
                found.append([z[0] / 2**k for k in range(4 * len(z))])  # units of all sizes
    return found


def _with_few_units(formula: Formula, choice: Apply) -> tuple[Any, Any]:
    """Return layers on either side of a choice, of as few units as it takes."""
    sides = (_on_either_side(formula, choice, units) for units in _COUNTS)
    return next((both for both in sides if len(both[0])), (np.empty((0, 0)),) * 2)


def _on_either_side(formula: Formula, choice: Apply, units: int) -> tuple[Any, Any]:
    """Return layers near and far, and ones not far from these, for which a choice is another."""
    numbers = dict(formula.parameters)
    low, high = _neighbours(scales_of(formula.expression, numbers), units)
    with np.errstate(all="ignore"):
        apart = _gaps(choice, numbers, low) * _gaps(choice, numbers, high) < 0
    return low[apart], high[apart]


def _gaps(choice: Apply, numbers: Mapping[str, float], z: Any) -> Any:
    """Return for every layer what changes its sign where a choice changes for the first unit."""
    values = Program.of(_difference(choice)).run({**numbers, "z": z}, z.shape)
    return values[:, 0] - values[:, 1] if choice.operation in EXTREMES else values[:, 0]


def _difference(choice: Apply) -> Expression:
    sides = sides_of(choice)
    is_extreme = choice.operation in EXTREMES
    return sides[1] if is_extreme else with_same_zeros(Apply("subtract", sides))


def _neighbours(scales: Sequence[float], units: int) -> tuple[Any, Any]:
    """Return layers and the next ones on lines near and far."""
    drawn = np.random.default_rng(0)
    spreads = np.resize((*_SPREADS, *scales), (_LINES * (len(_SPREADS) + len(scales)), 1))
    starts, ends = drawn.standard_normal((2, len(spreads), units))
    starts *= np.where(drawn.random(spreads.shape) < 0.5, _NARROW, spreads)
    ends = spreads * ends + drawn.choice(_SHIFTS, spreads.shape)
    starts += drawn.choice(_SHIFTS, spreads.shape)
    if units > _COUNTS[0]:
        large = drawn.integers(0, 2, spreads.shape) == np.minimum(np.arange(units), 2)
        ends *= np.where(large, 1.0, drawn.choice(_REST, spreads.shape))
    along = np.linspace(0, 1, _PLACES)[:, None]
    layers = starts[:, None] + along * (ends - starts)[:, None]
    return layers[:, :-1].reshape(-1, units), layers[:, 1:].reshape(-1, units)
