"""Measuring kernels against the reference."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property, cmp_to_key, lru_cache
from typing import Any

import numpy as np
from mpmath import libmp

from chainrule.certificates._certificate import (
    Certificate,
    Deviation,
    Edge,
    GradientCheck,
    Kink,
)
from chainrule.certificates._chain_rule import by_chain_rule
from chainrule.certificates._sample import Array, batches, sample, switches
from chainrule.certificates._ulp import (
    CertificateError,
    distance_in_ulp,
    format_of,
    from_sides,
    to_number,
)
from chainrule.formulas import Formula, parse, variables_of
from chainrule.references import Format
from chainrule.references._ball import NOTHING, Raw, magnitude
from chainrule.references._reference import Reference
from chainrule.references._truth import Truth

Forward = Callable[[Array], Array]
Backward = Callable[[Array, Array], Array]

_STEP = 2.0**-17
_STEEP = 1e-3
_TOLERANCE = 1e-6
_SEED = 271_828
_NEAR_LIMIT_ULP = 4.0


def certify(formula: Formula | str, *, dtype: Any = np.float32) -> Certificate:
    """Measure a function's kernels against its formula.

    Parameters
    ----------
    formula : Formula or str
        An activation in `z`; text is read as a formula without parameters.
    dtype : data type
        ``numpy.float32`` or ``numpy.float64``.

    Returns
    -------
    Certificate
        The largest errors of value and derivative and where they occur.

    Examples
    --------
    >>> from chainrule.certificates import certify
    >>> print(certify("z*tanh(log(1 + exp(z)))").summary)  # doctest: +SKIP
    z*tanh(log(1 + exp(z))) in float32: value 0.51 ulp, derivative 0.51 ulp at worst over ...
    """
    asked = parse(formula)
    # The same formula with another name, or none, has the same certificate.
    found = _certified(asked, format_of(dtype))
    return found if found.name == asked.title else replace(found, name=asked.title)


@lru_cache(maxsize=64)
def _certified(formula: Formula, form: Format) -> Certificate:
    from chainrule import kernels  # Numba is loaded when a kernel runs, not before

    def forward(z: Array) -> Array:
        result: Array = kernels.forward(formula, z)
        return result

    def backward(da: Array, z: Array) -> Array:
        result: Array = kernels.backward(formula, da, z)
        return result

    measured = measure(formula, forward, backward, form)
    compiled = kernels.activation_kernels(formula, measured.dtype)
    return replace(measured, arithmetic=compiled.choice.says)


def measure(formula: Formula, forward: Forward, backward: Backward, form: Format) -> Certificate:
    """Measure any pair of a forward and a backward evaluator against a formula.

    Parameters
    ----------
    formula : Formula
        The truth.
    forward : callable
        ``forward(z) -> a`` on arrays of the format and of float64.
    backward : callable
        ``backward(da, z) -> dz``, the vector-Jacobian product.
    form : Format
        The format to measure in.

    Returns
    -------
    Certificate
    """
    foreign = variables_of(formula.expression) - {"z"}
    if foreign:
        raise CertificateError(
            f"{formula.title} is a function of {', '.join(sorted(foreign))}; "
            "certificates are of activations\nPass a formula in z."
        )
    with np.errstate(all="ignore"):
        kind = LayerMeasurement if formula.is_layer_coupled else _Elementwise
        return kind(formula, forward, backward, form).certificate()


class _Worst:
    """The largest errors so far, and how many results were not finite though they should be."""

    def __init__(self, form: Format) -> None:
        self.form = form
        self.deviation = Deviation()
        self.conditioned = Deviation()
        self.not_finite = 0

    def add(
        self,
        computed: float,
        sides: tuple[Raw, Raw],
        z: tuple[float, ...],
        unit: int = 0,
        targets: tuple[float, ...] = (),
        *,
        scale: int | None = None,
        change: int = NOTHING,
    ) -> None:
        """Count a result whose truth is a number, or lies between two.

        `scale` is the magnitude at which the last place is taken, the truth's own if not given;
        `change` that of what a relative change of the input moves.
        """
        error, true = from_sides(computed, *sides, self.form, scale=scale)
        if not math.isfinite(computed) and not self.form.overflows(true):
            self.not_finite += 1
        if error > self.deviation.ulp or not self.deviation.z:
            self.deviation = Deviation(error, z, unit, computed, to_number(true), targets)
        own = magnitude(true) if scale is None else scale
        if change > own or self.form.overflows(true):  # else the last place is the same
            error, true = from_sides(computed, *sides, self.form, scale=max(own, change))
        if error > self.conditioned.ulp or not self.conditioned.z:
            self.conditioned = Deviation(error, z, unit, computed, to_number(true), targets)


class _Measurement:
    """What both kinds of functions share."""

    def __init__(
        self, formula: Formula, forward: Forward, backward: Backward, form: Format
    ) -> None:
        self.formula = formula
        self.forward = forward
        self.backward = backward
        self.form = form
        self.reference = Reference(formula, form)
        self.value, self.derivative = _Worst(form), _Worst(form)
        self.points = self.undefined = self.filled = 0
        self.unresolved_values = self.unresolved_derivatives = 0
        self.kinks: list[Kink] = []

    @cached_property
    def rule(self) -> Callable[[Array, Array], list[Raw]]:
        """The derivative that the chain rule takes, at kinks too."""
        return by_chain_rule(self.formula)

    def certificate(self) -> Certificate:
        self.run()
        return Certificate(
            formula=str(self.formula),
            name=self.formula.title,
            dtype=self.form.name,
            is_layer_coupled=self.formula.is_layer_coupled,
            points=self.points,
            value=self.value.deviation,
            derivative=self.derivative.deviation,
            value_conditioned=self.value.conditioned,
            derivative_conditioned=self.derivative.conditioned,
            not_finite_values=self.value.not_finite,
            not_finite_derivatives=self.derivative.not_finite,
            undefined=self.undefined,
            filled=self.filled,
            unresolved_values=self.unresolved_values,
            unresolved_derivatives=self.unresolved_derivatives,
            kinks=tuple(self.kinks),
            edges=self.edges(),
            gradient=self.gradient_check(),
        )

    def run(self) -> None:
        raise NotImplementedError

    def edges(self) -> tuple[Edge, ...]:
        raise NotImplementedError

    def differences(self, da: Array, z: Array) -> tuple[Array, Array]:
        """Return central differences of the cost and which of them to leave out."""
        raise NotImplementedError

    def gradient_targets(self, shape: tuple[int, ...], random: np.random.Generator) -> None:
        """Choose the targets of the gradient check; of an activation, none."""

    def nearby_targets(self, given: Array) -> Array:
        """Return targets that rounding does not tell from these."""
        return given

    def derivatives(self, z: Array) -> Array:
        return self.backward(np.ones_like(z), z)

    def gradient_check(self) -> GradientCheck:
        random = np.random.default_rng(_SEED)
        z = 3 * random.standard_normal((64, 7))
        da = random.standard_normal(z.shape)
        self.gradient_targets(z.shape, random)
        expected, skip = self.differences(da, z)
        found = self.backward(da, z)
        scale = np.abs(expected) + self.cost_terms(da, z)
        apart = np.abs(found - expected) / np.where(scale > 0, scale, 1)
        # Subnormal numbers have too few digits for differences of them.
        skip |= ~np.isfinite(expected) | ((scale > 0) & (scale < np.finfo(np.float64).tiny))
        apart = np.where(skip, -1.0, np.where(np.isnan(apart), np.inf, apart))
        worst = np.unravel_index(int(np.argmax(apart)), apart.shape)
        skipped = int(skip.sum())
        row = tuple(z[worst[0]]) if self.formula.is_layer_coupled else (z[worst],)
        return GradientCheck(
            points=z.size - skipped,
            skipped=skipped,
            deviation=max(float(apart[worst]), 0.0),
            tolerance=_TOLERANCE,
            z=tuple(map(float, row)),
        )

    def cost_terms(self, da: Array, z: Array) -> Array:
        raise NotImplementedError


class _Elementwise(_Measurement):
    def run(self) -> None:
        inputs = sample(self.formula, self.form)
        self.points = len(inputs)
        values = self.forward(inputs)
        slopes = self.derivatives(inputs)
        for z, value, slope in zip(inputs.tolist(), values.tolist(), slopes.tolist(), strict=True):
            self.judge(z, value, slope, self.reference.at(libmp.from_float(z)))

    def judge(self, z: float, value: float, slope: float, truth: Truth) -> None:
        self.filled += truth.is_limit
        if truth.value is None:
            self.unresolved_values += 1
        elif truth.value != libmp.fnan:
            sides = truth.value, truth.value
            self.value.add(value, sides, (z,), change=truth.value_change)
        if truth.left is None or truth.right is None:
            self.unresolved_derivatives += 1
            return
        if truth.left == libmp.fnan or truth.right == libmp.fnan:
            self.undefined += 1
            return
        sides = truth.left, truth.right
        if truth.is_kink:
            kink = Kink(z, to_number(truth.left), to_number(truth.right), slope)
            if kink.taken == "neither":
                (ruled,) = self.rule(np.array([z]), np.ones(1))
                kink = replace(kink, by_rule=to_number(ruled))
                sides = (ruled, ruled) if kink.taken == "rule" else sides
            self.kinks.append(kink)
        self.derivative.add(slope, sides, (z,), change=truth.derivative_change)

    def edges(self) -> tuple[Edge, ...]:
        kind = self.form.dtype.type
        zero = self.reference.at(libmp.fzero)
        smooth = None if zero.is_kink else zero.right
        truths: list[tuple[float, Raw | None, Raw | None]] = [
            (math.nan, None, None),
            (math.inf, *self.reference.limits(1)),
            (-math.inf, *self.reference.limits(-1)),
            (0.0, zero.value, smooth),
            (-0.0, zero.value, smooth),
        ]
        found = []
        for z, value_limit, slope_limit in truths:
            point = np.array([kind(z)])
            value = float(self.forward(point)[0])
            slope = float(self.derivatives(point)[0])
            agrees = self._near(value, value_limit) and self._near(slope, slope_limit)
            limits = self._shown(value_limit), self._shown(slope_limit)
            found.append(Edge((z,), (value,), (slope,), *limits, agrees=agrees))
        return tuple(found)

    def _near(self, computed: float, limit: Raw | None) -> bool:
        if limit is None or limit == libmp.fnan:
            return True
        return distance_in_ulp(computed, limit, self.form) <= _NEAR_LIMIT_ULP

    def _shown(self, limit: Raw | None) -> float | None:
        if limit is None or limit == libmp.fnan:
            return None
        return float(self.form.dtype.type(to_number(limit)))

    def differences(self, da: Array, z: Array) -> tuple[Array, Array]:
        step = np.full(z.shape, _STEP)
        change = _central(self.forward, z, step)
        plain = (self.forward(z + step) - self.forward(z - step)) / (2 * _STEP)
        # What is left of a central difference is about the square of what this one lacks.
        skip = np.abs(change - plain) > _STEEP * (np.abs(change) + np.abs(self.forward(z)))
        for place in switches(self.formula, format_of(np.float64)):
            skip |= np.abs(z - place) <= 3 * _STEP
        return da * change, skip

    def cost_terms(self, da: Array, z: Array) -> Array:
        terms: Array = np.abs(da * self.forward(z))
        return terms


class LayerMeasurement(_Measurement):
    """A layer-coupled function, row by row; of a cost, with the targets that are given."""

    def run(self) -> None:
        for batch in batches(self.form):
            self.judge_rows(batch.z, batch.weights, batch.z[:, :0])

    def judge_rows(self, z: Array, weights: Array, given: Array) -> None:
        values, products = self.forward(z), self.backward(weights, z)
        for row in range(len(z)):
            self.judge(z[row], weights[row], values[row], products[row], given[row])

    def judge(self, z: Array, weights: Array, values: Array, products: Array, given: Array) -> None:
        self.points += 1
        parts = z, weights, given, self.nearby_targets(given)
        exact = [[libmp.from_float(x) for x in part.tolist()] for part in parts]
        truth = self.reference.layer(*exact)
        if truth is None:
            self.unresolved_values += 1
            self.unresolved_derivatives += 1
            return
        place, targets = tuple(z.tolist()), tuple(given.tolist())
        is_kink = truth.left != truth.right and not targets
        ruled = self.rule(z, weights) if is_kink else truth.left
        for unit, true in enumerate(truth.values):
            if unit == 0 or not targets:  # the cost is one value
                change = truth.value_changes[unit]
                self.value.add(
                    float(values[unit]), (true, true), place, unit, targets, change=change
                )
            sides = truth.left[unit], truth.right[unit]
            if sides[0] != sides[1]:
                sides = _including(sides, ruled[unit])
            scale, change = truth.terms[unit], truth.derivative_changes[unit]
            product = float(products[unit])
            self.derivative.add(product, sides, place, unit, targets, scale=scale, change=change)

    def edges(self) -> tuple[Edge, ...]:
        found = []
        for special in (math.nan, math.inf, -math.inf):
            row = np.array([[0.0, special, 1.0]], dtype=self.form.dtype)
            slopes = self.backward(np.array([[1.0, 2.0, 3.0]], dtype=self.form.dtype), row)
            values = self.forward(row)
            shown = [tuple(map(float, part[0])) for part in (row, values, slopes)]
            found.append(Edge(shown[0], shown[1], shown[2]))
        return tuple(found)

    def differences(self, da: Array, z: Array) -> tuple[Array, Array]:
        expected, skip = np.empty(z.shape), np.empty(z.shape, dtype=bool)
        middle = self.forward(z)
        for unit in range(z.shape[1]):
            step = np.zeros(z.shape[1])
            step[unit] = _STEP
            expected[:, unit] = (da * _central(self.forward, z, step)).sum(axis=1)
            rise = self.forward(z + step) - middle, middle - self.forward(z - step)
            bend = (da * (rise[0] - rise[1])).sum(axis=1) / _STEP
            scale = np.abs(da * middle).sum(axis=1) + np.abs(expected[:, unit])
            skip[:, unit] = np.abs(bend) > scale / 64
        return expected, skip

    def cost_terms(self, da: Array, z: Array) -> Array:
        terms: Array = np.abs(da * self.forward(z)).sum(axis=1, keepdims=True)
        return terms


def _including(sides: tuple[Raw, Raw], other: Raw) -> tuple[Raw, Raw]:
    """Return the ends of what lies between two numbers and another one."""
    if libmp.fnan in (*sides, other):
        return sides
    ordered = sorted((*sides, other), key=cmp_to_key(libmp.mpf_cmp))
    return ordered[0], ordered[-1]


def _central(forward: Forward, z: Array, step: Array) -> Array:
    """Return a central difference, by two steps: what is left is of the step's fourth power."""
    short = forward(z + step) - forward(z - step)
    long = forward(z + 2 * step) - forward(z - 2 * step)
    difference: Array = (8 * short - long) / (12 * _STEP)
    return difference
