"""Kernels run in the cheapest arithmetic that keeps their bounds, and say which."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from chainrule.catalogue import activation_formula
from chainrule.formulas import parse
from chainrule.kernels import activation_kernels
from chainrule.kernels._kept_choices import FUNCTIONS
from chainrule.kernels._trials import beside, inputs, neighbours, result_of, zeros_of
from chainrule.kernels._ulps import farthest, in_ulp, of_elements
from chainrule.kernels.source._tiers import in_tiers


def values_of(exact):
    return {name: result_of(exact, name, inputs()) for name in FUNCTIONS}


def test_what_only_compares_and_scales_runs_in_float32():
    """Nothing is gained by more."""
    kernels = activation_kernels(activation_formula("relu"), np.float32)
    assert kernels.choice.says.count("in single") == 2
    assert "float64(" not in kernels.forward.source.split("def forward")[1]


def test_what_cancels_in_float32_does_not_run_in_it():
    """The slope of silu is a difference near its zero at -1.278."""
    kernels = activation_kernels(activation_formula("silu"), np.float32)
    assert "derivative in single" not in kernels.choice.says


def test_the_choice_is_kept_with_the_kernel():
    """A second process reads it; it is not measured again."""
    first = activation_kernels(parse("z/(1 + abs(z))"), np.float32)
    activation_kernels.__globals__["_activation_kernels"].cache_clear()
    again = activation_kernels(parse("z/(1 + abs(z))"), np.float32)
    assert again.choice.says == first.choice.says != ""
    assert "ulp" in again.choice.says


def test_what_nothing_can_replace_is_compiled_when_it_is_called():
    """A first value does not wait for a slope in float64, of which nothing is left to choose."""
    measured = activation_kernels.__globals__["_measured"]  # whatever is kept of it
    kernels = measured(parse("sin(z)/(3*z)"))  # nobody else calls it
    assert kernels.choice.tiers["derivative"] == "double"
    assert f"chainrule_{kernels.modules[1]}" not in sys.modules
    z = np.linspace(-9, 9, 1000, dtype=np.float32)
    double = activation_kernels(kernels.formula, np.float64)
    slopes = result_of(kernels, "derivative", z)
    assert of_elements(slopes, result_of(double, "derivative", z)) <= 0.501


def test_errors_are_counted_in_the_last_place_of_the_truth():
    """Also next to 0, and infinities and NaN count when they are wrong."""
    true = np.array([1.0, 1e-45, 1e39, np.nan, 2.0])
    assert of_elements(np.array([1.0, 1e-45, np.inf, np.nan, 2.0], np.float32), true) < 0.51
    assert of_elements(np.array([1.0, 3e-45, np.inf, np.nan, 2.0], np.float32), true) > 1
    assert of_elements(np.array([np.nan, 1e-45, np.inf, np.nan, 2.0], np.float32), true) == np.inf
    assert of_elements(np.array([1.0, 1e-45, 1e38, np.nan, 2.0], np.float32), true) == np.inf


def test_inputs_come_from_the_whole_range():
    """Every exponent of float32, both signs, zeros and infinities."""
    z = inputs()
    exponents = np.unique(np.frexp(z[np.isfinite(z) & (z != 0)])[1])
    assert set(range(-148, 129)) <= set(exponents.tolist())
    assert np.isinf(z).sum() == 2
    assert (np.signbit(z) & (z == 0)).any()


@pytest.mark.parametrize(
    ("line", "single"),
    [
        ("    t = exp(x * -1.5)", "    t = single.exp(x * -np.float32(1.5))"),
        ("    y = x if not x > 1e60 else 1e60",
         "    y = x if not x > np.float32(1e+30) else np.float32(1e+30)"),
        ("    p_a = numbers[0]", "    p_a = np.float32(numbers[0])"),
        ("    exp0 = log1p(exp1)", "    exp0 = single.log1p(exp1)"),
        ('    """exp(1.5)"""', '    """exp(1.5)"""'),
    ],
)  # fmt: skip
def test_source_gets_its_arithmetic_line_by_line(line, single):
    """Functions, numbers and parameters; names that look like functions stay."""
    lines = ["def activation(z):", line]
    assert in_tiers(lines, {"activation": "single"}, "double")[1] == single
    assert "single" not in in_tiers(lines, {}, "double")[1]


def test_neighbours_of_zeros_are_tried():
    """Among millions of inputs the few that cancel most would be missed."""
    exact = activation_kernels(activation_formula("mish"), np.float64)
    tried = np.concatenate(neighbours(*zeros_of(exact, values_of(exact))))
    nearest = np.float32(-1.19243121451)
    for neighbour in (nearest, *np.nextafter(nearest, np.float32([9, -9]))):
        assert neighbour in tried


def test_zeros_up_to_the_largest_numbers_are_looked_for_without_a_warning():
    """The sine has them everywhere; beyond the last float32 there is none to try."""
    exact = activation_kernels(activation_formula("sine"), np.float64)
    tried = np.concatenate(neighbours(*zeros_of(exact, values_of(exact))))
    assert np.isfinite(tried).all()
    assert np.abs(tried).max() > 1e30


def test_all_inputs_beside_the_worst_are_tried():
    """Beside a place of the sample where much is lost, more may be lost."""
    z = np.linspace(-3, -1, 999, dtype=np.float32)
    wanted = np.exp(z.astype(np.float64))
    got = wanted.astype(np.float32)
    got[500] += 8 * np.spacing(got[500])
    worst, places = farthest([(z, in_ulp(got, wanted))], 32)
    assert worst > 7
    around = beside(places)
    place = z[500]
    for _ in range(100):
        place = np.nextafter(place, np.float32(0))
        assert place in around
