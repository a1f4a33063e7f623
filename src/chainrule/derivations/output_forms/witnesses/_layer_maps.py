"""Layers with given outputs, found by Newton's method in many digits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import mpmath

from chainrule.derivations._evaluate import LayerProgram, Values
from chainrule.derivations.layers._vector_jacobian import SEED
from chainrule.formulas import Expression, Formula

Layer = list[Any]

CHECKED_DIGITS = 30  # of outputs that are the same
_APART = mpmath.mpf("1e-3")
_BESIDE = mpmath.mpf(10) ** -12  # farther than what layers are rounded to where they are shown
_NEWTON_DIGITS = 20
_MULTIPLES = ("0.02", "0.1", "0.3", "0.6", "0.9", "1.3", "2", "3.5", "8", "30")


@dataclass(frozen=True)
class LayerMap:
    """A layer-coupled formula as a map of layers, with its derivative.

    Parameters
    ----------
    formula : Formula
    backward : Expression
        ∂J/∂z, with `g` for ∂J/∂a.
    """

    formula: Formula
    backward: Expression

    def outputs(self, z: Layer) -> Layer:
        """Return the layer's outputs."""
        return self._forward(self._known(z))

    def jacobian(self, z: Layer) -> list[Layer]:
        """Return ∂a_p/∂z_j, a row for each p."""
        units = range(len(z))
        seeds = ([mpmath.mpf(p == k) for k in units] for p in units)
        return self._backward.for_each(SEED.name, seeds, self._known(z))

    @cached_property
    def _forward(self) -> LayerProgram:
        return LayerProgram(self.formula.expression)

    @cached_property
    def _backward(self) -> LayerProgram:
        return LayerProgram(self.backward)

    def _known(self, z: Layer) -> Values:
        return {**dict(self.formula.parameters), "z": z}

    def solved(self, z: Layer, start: Layer, steps: int) -> Layer | None:
        """Solve f(z') = f(z) from a start by Newton's method; None where it leads nowhere else."""
        wanted = mpmath.matrix(self.outputs(z))
        found = mpmath.matrix(start)
        with mpmath.workdps(_NEWTON_DIGITS):
            for _ in range(steps):
                step = self._step(found, wanted)
                if step is None or mpmath.norm(step) > 100 * (1 + mpmath.norm(found)):
                    return None
                found += step
                if mpmath.norm(step) < mpmath.mpf(10) ** -10:
                    break
            else:
                return None
        for _ in range(4):  # each doubles the digits
            step = self._step(found, wanted)
            if step is None:
                return None
            found += step
        solved = list(found)
        far = max(abs(x - y) for x, y in zip(solved, z, strict=True))
        is_apart = far > mpmath.mpf("1e-2")
        return solved if is_apart and self.is_smooth(solved) else None

    def alike(self, z: Layer) -> Iterator[Layer]:
        """Yield layers whose first two units have one output, and not one pre-activation."""

        def apart(x: Any) -> Any:
            one, other = self.outputs([x, *z[1:]])[:2]
            return (one - other) / (x - z[1])

        places = [x for x in _either_sign(_MULTIPLES) if x != z[1]]
        for (low, left), (high, right) in pairwise((x, apart(x)) for x in places):
            if left * right < 0:
                found = _root(apart, low, high)
                if found is not None and abs(found - z[1]) > _APART:
                    yield [found, *z[1:]]

    def is_smooth(self, z: Layer) -> bool:
        """Tell whether the Jacobian does not jump beside a layer.

        Next to a kink of a unit outputs are the same to many digits that are not the same. All
        units are moved at once to either side, by steps of which roots break every tie.
        """
        here = self.jacobian(z)
        largest = max(abs(x) for row in here for x in row)
        # Slopes of 0 may be sums that cancel.
        most = max(_APART * largest, mpmath.mpf(10) ** (-mpmath.mp.dps // 2))
        for sign in (1, -1):
            steps = (_BESIDE * (1 + abs(x)) * mpmath.sqrt(k + 2) for k, x in enumerate(z))
            moved = [x + sign * step for x, step in zip(z, steps, strict=True)]
            for row, other in zip(here, self.jacobian(moved), strict=True):
                apart = (abs(x - y) for x, y in zip(row, other, strict=True))
                if not all(change <= most for change in apart):
                    return False
        return True

    def _step(self, z: Any, wanted: Any) -> Any | None:
        """Return the least step that solves the linear equations; None where nothing is known.

        Where the outputs have a constant sum the Jacobian is singular, and many steps lead there.
        """
        layer = list(z)
        missing = wanted - mpmath.matrix(self.outputs(layer))
        if not all(map(mpmath.isfinite, missing)):
            return None
        if mpmath.norm(missing) < mpmath.mpf(10) ** (3 - mpmath.mp.dps):
            return mpmath.zeros(len(layer), 1)
        jacobian = self.jacobian(layer)
        if not _is_finite(jacobian):
            return None
        rows = mpmath.matrix(jacobian)
        squares = rows * rows.T
        small = mpmath.mpf(10) ** (-mpmath.mp.dps // 2) * (1 + mpmath.norm(squares))
        try:
            return rows.T * mpmath.lu_solve(squares + small * mpmath.eye(len(layer)), missing)
        except ZeroDivisionError:
            return None


def _is_finite(rows: list[Layer]) -> bool:
    return all(mpmath.isfinite(x) for row in rows for x in row)


def _either_sign(numbers: Sequence[str]) -> list[Any]:
    return sorted(mpmath.mpf(sign + x) for sign in ("", "-") for x in numbers)


def _root(function: Callable[[Any], Any], low: Any, high: Any) -> Any | None:
    try:
        return mpmath.findroot(function, (low, high), solver="anderson", verify=False)
    except (ValueError, ZeroDivisionError):
        return None
