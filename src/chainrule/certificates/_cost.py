"""Measuring the kernels of a cost behind an output activation against the reference."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from chainrule.certificates._certificate import Certificate, Edge
from chainrule.certificates._measure import LayerMeasurement
from chainrule.certificates._sample import Array
from chainrule.certificates._ulp import format_of
from chainrule.formulas import Formula, Variable, apart, substitute
from chainrule.references import Format
from chainrule.references._reference import NUDGE_BITS

_SEED = 20_250_611
_UNITS = ((1, 4), (2, 4), (3, 4), (10, 2))
_FAR = 50.0


def certify_cost(
    activation: Formula,
    cost: Formula,
    *,
    assumption: str = "",
    targets: Mapping[str, Any] | None = None,
    dtype: Any = np.float32,
) -> Certificate:
    """Measure a cost behind an output activation, and its derivative by the pre-activations.

    Parameters
    ----------
    activation, cost : Formula
    assumption : str
        What targets satisfy, as ``"sum(y) == 1"``.
    targets : mapping, optional
        Where targets may lie, as `chainrule.catalogue.domain_of_targets` returns it.
    dtype : data type
        ``numpy.float32`` or ``numpy.float64``.

    Returns
    -------
    Certificate
        Of the cost of one example and of ∂J_i/∂z; inputs are rows of pre-activations and targets.

    Examples
    --------
    >>> from chainrule.catalogue import activation_formula, cost_formula
    >>> from chainrule.certificates import certify_cost
    >>> sigmoid = activation_formula("sigmoid")
    >>> cost = cost_formula("binary_cross_entropy")
    >>> certify_cost(sigmoid, cost, targets={"low": 0, "high": 1}).passed
    True
    """
    with np.errstate(all="ignore"):
        allowed = dict(targets or {})
        return _Cost(activation, cost, assumption, allowed, format_of(dtype)).certificate()


class _Cost(LayerMeasurement):
    """A cost as a layer whose every unit is the cost; only the first one is looked at."""

    def __init__(
        self,
        activation: Formula,
        cost: Formula,
        assumption: str,
        allowed: dict[str, Any],
        form: Format,
    ) -> None:
        self.assumption, self.allowed = assumption, allowed
        self.pair = activation, cost
        self.targets: Array = np.empty(0)
        renamed = apart(cost, activation)
        composed = Formula(
            substitute(
                renamed.expression,
                lambda part: activation.expression if part == Variable("a") else None,
            ),
            (*activation.parameters, *renamed.parameters),
            f"{cost.title} behind {activation.title}",
        )
        super().__init__(composed, self._costs, self._products, form)

    def _kernel(self, z: Array) -> tuple[Array, Array]:
        from chainrule.kernels import value_and_gradient

        targets = self.targets.astype(z.dtype)
        return value_and_gradient(*self.pair, np.ascontiguousarray(z), targets, assume=True)

    def _costs(self, z: Array) -> Array:
        found = np.zeros(z.shape, z.dtype)
        found[:, 0] = self._kernel(z)[0]
        return found

    def _products(self, da: Array, z: Array) -> Array:
        return da[:, :1] * self._kernel(z)[1]

    def run(self) -> None:
        random = np.random.default_rng(_SEED)
        first = self.form.dtype.type(1)
        for z in _rows(random, coupled=self.pair[0].is_layer_coupled):
            self.targets = self.targets_of(z.shape, random).astype(self.form.dtype)
            rows = z.astype(self.form.dtype)
            weights = np.zeros_like(rows)
            weights[:, 0] = first
            self.judge_rows(rows, weights, self.targets)

    def targets_of(self, shape: tuple[int, ...], random: np.random.Generator) -> Array:
        """Return targets where they may lie, in every other row at an end of it."""
        if self.assumption:  # that they sum to one
            spread = random.dirichlet(np.ones(shape[1]), shape[0])
            units = np.eye(shape[1])[random.integers(shape[1], size=shape[0])]
            even = (np.arange(shape[0]) % 2 == 0)[:, None]
            found: Array = np.where(even, units, np.round(spread * 1024) / 1024)
            found[:, 0] += 1 - found.sum(axis=1)
            return found
        if "values" in self.allowed:
            return np.asarray(random.choice(self.allowed["values"], shape))
        low, high = self.allowed.get("low"), self.allowed.get("high")
        if low is None:
            return 2 * random.standard_normal(shape)
        if high is None:
            return np.asarray(np.floor(low + random.exponential(2.0, shape)))
        inside = random.uniform(low, high, shape)
        ends = random.choice([low, high], shape)
        return np.asarray(np.where((np.arange(shape[0]) % 2 == 0)[:, None], ends, inside))

    def gradient_targets(self, shape: tuple[int, ...], random: np.random.Generator) -> None:
        self.targets = self.targets_of(shape, random)

    def nearby_targets(self, given: Array) -> Array:
        """Return the targets a little changed, their sum kept where it must be one."""
        y = given.astype(np.float64)
        change = np.where(np.arange(len(y)) % 2 == 0, 1.0, -1.0)
        if self.assumption:
            change[-1] *= len(y) % 2 == 0
        else:
            change *= y
        nearby: Array = y + np.ldexp(change, -NUDGE_BITS)
        return nearby

    def edges(self) -> tuple[Edge, ...]:
        return ()


def _rows(random: np.random.Generator, *, coupled: bool) -> Iterator[Array]:
    """Yield pre-activations: about zero, one unit far above, far out, and nearly equal.

    A layer that couples its units has at least two of them: a softmax of one is a constant.
    """
    for units, repeats in _UNITS[coupled:]:
        for shape in ("near", "dominant", "far", "equal"):
            z = random.standard_normal((repeats, units))
            if shape == "dominant":
                z[:, random.integers(units)] += random.choice([10.0, 30.0, 80.0], repeats)
            elif shape == "far":
                z = random.uniform(-_FAR, _FAR, z.shape)
            elif shape == "equal":
                z = z[:, :1] + 1e-3 * z
            yield z
