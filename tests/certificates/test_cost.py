"""Certificates of costs behind output activations."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from mpmath import libmp, mp, mpf

import chainrule
from chainrule.catalogue import activation_formula, cost_formula
from chainrule.certificates import _cost, certify_cost
from chainrule.formulas import parse
from chainrule.references import FORMATS, Reference


@pytest.mark.long
@pytest.mark.parametrize(
    ("output", "name"),
    [("identity", "huber"), ("sigmoid", "binary_cross_entropy"), ("softmax", "focal")],
)
def test_costs_of_the_catalogue_pass(output: str, name: str) -> None:
    """Within half a unit in the last place of float32, given what rounding z or y leaves open."""
    found = chainrule.cost(name).certify(output)
    assert found.passed
    assert found.value.ulp <= 0.51
    assert found.derivative_conditioned.ulp <= 0.51
    assert found.points >= 40
    assert found.unresolved_derivatives == 0
    assert len(found.value.targets) == len(found.value.z)
    assert f"{name} behind {output}" in found.summary


def test_a_gradient_that_is_a_little_off_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousandth more of the slope is over a thousand ulp, and the place is told."""
    kernels = chainrule.kernels.value_and_gradient

    def spoiled(*arguments, **options):
        value, gradient = kernels(*arguments, **options)
        return value, gradient * gradient.dtype.type(1.001)

    monkeypatch.setattr("chainrule.kernels.value_and_gradient", spoiled)
    found = certify_cost(activation_formula("identity"), cost_formula("half_squared_error"))
    assert not found.passed
    assert found.derivative_conditioned.ulp > 1000
    assert found.gradient.deviation > 1e-4
    assert "y = " in str(found)


def test_the_reference_of_a_cost_is_its_value_and_slope() -> None:
    """J = Σ (tanh(z) - y)², by mpmath: the targets are given, not differentiated by."""
    formula = dataclasses.replace(
        parse("sum((tanh(z) - y)**2)", variables=("z", "y")), name="squared"
    )
    reference = Reference(formula, FORMATS["float64"])
    z, y = [0.5, -1.25], [1.0, 0.25]
    numbers = [[libmp.from_float(x) for x in part] for part in (z, [1.0, 0.0], y, y)]
    truth = reference.layer(*numbers)
    assert truth is not None
    with mp.workdps(40):
        cost = sum((mp.tanh(mpf(u)) - mpf(t)) ** 2 for u, t in zip(z, y, strict=True))
        assert abs(mp.make_mpf(truth.values[0]) - cost) < mpf(10) ** -30
        for unit in range(2):
            a = mp.tanh(mpf(z[unit]))
            slope = 2 * (a - mpf(y[unit])) * (1 - a**2)
            assert abs(mp.make_mpf(truth.left[unit]) - slope) < mpf(10) ** -25


@pytest.mark.parametrize(
    ("assumption", "allowed", "holds"),
    [
        ("sum(y) == 1", {"low": 0.0}, lambda y: (y >= 0).all() and (y.sum(axis=1) == 1).all()),
        ("", {"values": [-1.0, 1.0]}, lambda y: (abs(y) == 1).all()),
        ("", {"low": 0.0, "high": 1.0}, lambda y: ((y >= 0) & (y <= 1)).all()),
        ("", {"low": 0.0}, lambda y: (y >= 0).all()),
    ],
)
def test_targets_lie_where_they_may(assumption, allowed, holds) -> None:
    pair = activation_formula("softmax"), cost_formula("half_squared_error")
    measured = _cost._Cost(*pair, assumption, allowed, FORMATS["float32"])
    for units in (1, 2, 3, 10):
        assert holds(measured.targets_of((20, units), np.random.default_rng(units)))
