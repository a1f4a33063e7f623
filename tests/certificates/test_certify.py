"""Certificates: right evaluators pass, wrong ones are caught and the place is named."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import numpy as np
import pytest
from scipy.special import expit

import chainrule
from chainrule.certificates import Certificate, CertificateError, certify
from chainrule.certificates._measure import measure
from chainrule.certificates._ulp import format_of
from chainrule.formulas import Formula, parse

Array = np.ndarray[Any, np.dtype[Any]]
FLOAT32, FLOAT64 = format_of("float32"), format_of("float64")
SIGMOID = parse("1/(1 + exp(-z))", name="sigmoid")
SOFTMAX = parse("exp(z)/sum(exp(z))", name="softmax")
RELU = parse("max(0, z)")


def sigmoid(z: Array) -> Array:
    result: Array = expit(z.astype(np.float64)).astype(z.dtype)
    return result


def sigmoid_slope(da: Array, z: Array) -> Array:
    wide = -np.abs(z.astype(np.float64))
    result: Array = (da * (expit(wide) * expit(-wide))).astype(z.dtype)
    return result


def relu(z: Array) -> Array:
    return np.maximum(z, 0)


def relu_slope(da: Array, z: Array) -> Array:
    return np.where(z > 0, da, 0).astype(z.dtype)


def softmax(z: Array) -> Array:
    wide = z.astype(np.float64)
    powers = np.exp(wide - wide.max(axis=-1, keepdims=True))
    result: Array = (powers / powers.sum(axis=-1, keepdims=True)).astype(z.dtype)
    return result


def softmax_product(da: Array, z: Array) -> Array:
    a = softmax(z.astype(np.float64))
    result: Array = (a * (da - (da * a).sum(axis=-1, keepdims=True))).astype(z.dtype)
    return result


def test_a_formula_is_measured_once_in_a_format() -> None:
    """Its page shows the same certificate each time."""
    first = certify("z/(1 + abs(z))")
    assert certify("z/(1 + abs(z))") is first
    assert certify("z/(1 + abs(z))", dtype=np.float64) is not first


@pytest.fixture(scope="module")
def good() -> Certificate:
    return measure(SIGMOID, sigmoid, sigmoid_slope, FLOAT32)


def test_right_evaluators_pass(good: Certificate) -> None:
    assert good.passed
    assert good.meets(0.51, 0.51)
    assert not good.meets(0.4, 0.51)
    assert good.points > 2000
    assert good.gradient.points == 448
    assert good.unresolved_values == good.unresolved_derivatives == good.undefined == 0


def test_edges_are_stated(good: Certificate) -> None:
    edges = {str(edge.z[0]): edge for edge in good.edges}
    assert math.isnan(edges["nan"].value[0])
    assert math.isnan(edges["nan"].derivative[0])
    assert edges["inf"].value == (1.0,)
    assert edges["inf"].value_limit == 1.0
    assert edges["-inf"].value_limit == 0.0
    assert edges["-0.0"].value == (0.5,)


def test_the_form_through_the_output_is_caught_where_it_saturates() -> None:
    """In float32, a(1 - a) is 0 beyond 16.6 while the truth is a normal number."""

    def through_output(da: Array, z: Array) -> Array:
        a = sigmoid(z)
        return da * a * (1 - a)

    found = measure(SIGMOID, sigmoid, through_output, FLOAT32)
    assert found.derivative.ulp > 1e6
    assert found.derivative.z[0] > 16.6
    assert found.derivative.computed == 0
    assert found.derivative.true == pytest.approx(math.exp(-found.derivative.z[0]), rel=1e-6)
    assert found.value.ulp <= 0.51
    assert not found.passed
    assert "NOT passed" in found.summary


def test_where_nothing_is_wrong_an_example_is_shown() -> None:
    found = measure(parse("z"), lambda z: z, lambda da, z: da, FLOAT32)
    assert found.value.ulp == found.derivative.ulp == 0
    assert len(found.value.z) == len(found.derivative_conditioned.z) == 1


def test_a_small_error_in_one_place_is_caught_there() -> None:
    def forward(z: Array) -> Array:
        return np.where(np.abs(z - 3) < 1, sigmoid(z) * (1 - 1e-5), sigmoid(z)).astype(z.dtype)

    found = measure(SIGMOID, forward, sigmoid_slope, FLOAT32)
    assert 100 < found.value.ulp < 200
    assert 2 <= found.value.z[0] <= 4
    assert not found.passed


def test_no_number_at_large_inputs_is_counted() -> None:
    def naive(z: Array) -> Array:
        result: Array = np.exp(z) / (1 + np.exp(z))
        return result

    found = measure(SIGMOID, naive, sigmoid_slope, FLOAT32)
    assert found.not_finite_values > 100
    assert found.value.ulp == math.inf
    assert found.value.z[0] > 88
    assert "not finite though the truth is" in str(found)
    assert [edge.z for edge in found.edges if not edge.agrees] == [(math.inf,)]
    assert "WRONG" in str(found)


def test_a_wrong_limit_is_caught() -> None:
    def slope(da: Array, z: Array) -> Array:
        return np.where(np.isinf(z), 1, sigmoid_slope(da, z)).astype(z.dtype)

    found = measure(SIGMOID, sigmoid, slope, FLOAT32)
    assert found.meets(0.51, 0.51)
    assert not found.passed


def test_a_backward_pass_that_ignores_the_cost_is_caught() -> None:
    """With ones for dJ/da nothing is wrong; the central differences tell."""

    def slope(da: Array, z: Array) -> Array:
        return sigmoid_slope(np.ones_like(z), z)

    found = measure(SIGMOID, sigmoid, slope, FLOAT32)
    assert found.meets(0.51, 0.51)
    assert not found.gradient.passed
    assert not found.passed


@pytest.mark.parametrize(("at_zero", "taken"), [(0.0, "left"), (1.0, "right"), (0.5, "between")])
def test_at_a_kink_any_derivative_in_between_is_right(at_zero: float, taken: str) -> None:
    def slope(da: Array, z: Array) -> Array:
        return np.where(z == 0, at_zero, relu_slope(da, z)).astype(z.dtype)

    found = measure(RELU, relu, slope, FLOAT32)
    assert [kink.z for kink in found.kinks] == [0.0]
    assert found.kinks[0].taken == taken
    assert found.derivative.ulp == 0
    assert found.passed
    assert "kink at 0: slope 0 on the left, 1 on the right; computed" in str(found)
    assert taken in str(found).partition("computed")[2]


def test_beyond_the_two_derivatives_of_a_kink_is_wrong() -> None:
    def slope(da: Array, z: Array) -> Array:
        return np.where(z == 0, 2, relu_slope(da, z)).astype(z.dtype)

    found = measure(RELU, relu, slope, FLOAT32)
    assert found.kinks[0].taken == "neither"
    assert found.derivative.z == (0.0,)
    assert not found.passed


@pytest.mark.parametrize(("at_zero", "taken"), [(-1 / 3, "rule"), (0.5, "neither")])
def test_where_kinks_meet_the_chain_rule_is_right(at_zero: float, taken: str) -> None:
    """At 0 the inner choice is of a line that the function has nowhere else."""

    def value(z: Array) -> Array:
        return np.where(z > 0, 2 * z, z).astype(z.dtype)

    def slope(da: Array, z: Array) -> Array:
        return (da * np.where(z == 0, at_zero, np.where(z > 0, 2, 1))).astype(z.dtype)

    found = measure(parse("max(min(-z/3, z), 2*z)"), value, slope, FLOAT32)
    assert [kink.taken for kink in found.kinks] == [taken]
    assert found.passed is (taken == "rule")


CENTRED = parse("max(z - mean(z), 0)")


def above_the_mean(z: Array) -> Array:
    apart = z.astype(np.float64) - z.astype(np.float64).mean(axis=1, keepdims=True)
    return np.maximum(apart, 0).astype(z.dtype)


def what_equal_units_pass_back(at_ties: float) -> Any:
    def product(da: Array, z: Array) -> Array:
        wide = z.astype(np.float64)
        apart = wide - wide.mean(axis=1, keepdims=True)
        passed = da * np.where(apart > 0, 1.0, np.where(apart == 0, at_ties, 0.0))
        return (passed - passed.mean(axis=1, keepdims=True)).astype(z.dtype)

    return product


def test_where_all_units_are_at_kinks_the_chain_rule_is_right() -> None:
    """Equal units are all the mean, and max takes the slope 0 of its second argument there.

    What it gives need not lie between the slopes that moving one unit shows.
    """
    found = measure(CENTRED, above_the_mean, what_equal_units_pass_back(0.0), FLOAT32)
    assert found.passed
    found = measure(CENTRED, above_the_mean, what_equal_units_pass_back(40.0), FLOAT32)
    assert not found.passed


@pytest.mark.parametrize("form", [FLOAT32, FLOAT64])
def test_softmax_passes(form: Any) -> None:
    found = measure(SOFTMAX, softmax, softmax_product, form)
    assert found.passed
    assert found.is_layer_coupled
    assert [str(edge.z[1]) for edge in found.edges] == ["nan", "inf", "-inf"]


def test_missing_cross_terms_are_caught() -> None:
    def diagonal(da: Array, z: Array) -> Array:
        a = softmax(z)
        return da * a * (1 - a)

    found = measure(SOFTMAX, softmax, diagonal, FLOAT32)
    assert found.derivative_conditioned.ulp > 1e5
    assert len(found.derivative.z) > 1
    assert not found.gradient.passed


def test_digits_that_the_input_leaves_open_are_not_held_against_float64() -> None:
    """Close to a zero of the function, strict and conditioned errors part."""
    formula = parse("z/6 + 1/2")
    found = measure(formula, lambda z: z / 6 + 0.5, lambda da, z: da / 6, FLOAT64)
    assert found.value_conditioned.ulp < 2
    assert found.meets(4, 4, conditioned=True)
    assert found.passed


def test_an_undefined_half_line_is_not_judged() -> None:
    found = measure(parse("log(z)"), np.log, lambda da, z: da / z, FLOAT64)
    assert found.undefined > 1000
    assert found.gradient.skipped > 100
    assert found.gradient.passed
    assert found.meets(4, 4)


def test_differences_of_subnormal_numbers_are_left_out():
    """Near 3 the value is about 1e-317 in float64: its differences have seven digits at most."""
    found = certify(parse("exp(-(z - 30)**2)"))
    assert found.gradient.passed
    assert 0 < found.gradient.skipped < 448 // 4


DENSITY = "where(z > 0, exp(-(log(z) - 1)**2/(2*0.3**2))/(z*0.3*sqrt(2*pi)), 0)"


def test_differences_where_the_function_is_too_steep_for_them_are_left_out():
    """Near 0 a narrow log-normal density rises by a power above 100: 1e-6 is not within reach."""

    def forward(z):
        x = np.where(z > 0, z, 1)
        density = np.exp(-((np.log(x) - 1) ** 2) / 0.18) / (x * 0.3 * np.sqrt(2 * np.pi))
        return np.where(z > 0, density, 0).astype(z.dtype)

    def backward(da, z):
        x = np.where(z > 0, z, 1)
        return (da * forward(z) * ((1 - np.log(x)) / 0.09 - 1) / x).astype(z.dtype)

    found = measure(parse(DENSITY), forward, backward, FLOAT32)
    assert found.gradient.passed
    assert 0 < found.gradient.skipped < 5


@pytest.mark.long
def test_a_steep_density_passes():
    """Its slopes in float64 are fits on many intervals."""
    found = certify(parse(DENSITY))
    assert found.passed
    assert 0 < found.gradient.skipped < 5


def test_what_has_no_reference_is_counted() -> None:
    """Where the truth could not be had, the certificate says so and does not pass."""
    formula = parse("sin(exp(exp(z)))")
    found = measure(
        formula,
        lambda z: np.sin(np.exp(np.exp(z))),
        lambda da, z: da * np.cos(np.exp(np.exp(z))) * np.exp(np.exp(z)) * np.exp(z),
        FLOAT32,
    )
    assert found.unresolved_values > 100
    assert "values without a reference, not judged" in str(found)


def test_rows_without_a_reference_are_counted() -> None:
    found = measure(
        parse("sin(exp(exp(z))) - mean(z)"),
        lambda z: np.sin(np.exp(np.exp(z))) - z.mean(axis=-1, keepdims=True),
        lambda da, z: da,
        FLOAT32,
    )
    assert 0 < found.unresolved_values == found.unresolved_derivatives < found.points
    assert not found.passed


def test_prints_as_a_table_and_a_line(good: Certificate) -> None:
    lines = str(good).splitlines()
    assert lines[0] == "Certificate of sigmoid = 1/(1 + exp(-z))"
    heading = next(line for line in lines if "worst error" in line)
    row = next(line for line in lines if line.startswith("derivative  "))
    assert row[heading.index("worst error") :].startswith(f"{good.derivative.ulp:.2f} ulp")
    assert any(line.startswith("+inf  1 (limit 1)") for line in lines)
    assert lines[-1] == "passed"
    assert good.summary.startswith("sigmoid in float32: value 0.50 ulp, derivative 0.50 ulp")
    assert good.summary.endswith("passed")


def test_becomes_strict_json(good: Certificate) -> None:
    """Numbers that JSON lacks are texts."""
    data = json.loads(json.dumps(good.to_dict(), allow_nan=False))
    assert data["passed"] is True
    assert data["edges"][0]["z"] == ["NaN"]
    assert data["value"]["ulp"] == good.value.ulp
    assert data["gradient"]["passed"] is True


def test_cannot_be_changed(good: Certificate) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        good.points = 3  # type: ignore[misc]


def test_costs_are_refused() -> None:
    cost: Formula = parse("(a - y)**2/2", variables=("a", "y"))
    with pytest.raises(CertificateError, match="certificates are of activations"):
        measure(cost, sigmoid, sigmoid_slope, FLOAT32)


@pytest.mark.parametrize(
    ("text", "value", "slope"),
    [
        ("z/2*(1 + tanh(sqrt(2/pi)*(z + 0.044715*z**3)))", 1, 1),
        ("z*tanh(log(1 + exp(z)))", 1, 2.2),
        ("exp(z)/sum(exp(z))", 2, 1),
    ],
)
def test_the_package_s_own_kernels(text: str, value: float, slope: float) -> None:
    """What the kernels compute in float32 is near the truth.

    A softmax takes the float32 arithmetic that its bound of 4 ulp allows, and so does a slope in
    pieces.
    """
    found = certify(text)
    assert found.passed
    assert found.meets(value, slope)


def test_the_arithmetic_of_kernels_is_stated() -> None:
    measured = chainrule.activation("relu").certify()
    assert "arithmetic: activation in single (0.00 ulp from double)" in str(measured)
    assert "arithmetic" in measured.to_dict()


def test_a_certificate_has_the_name_of_what_was_asked_for() -> None:
    """The same formula was certified before, under another name."""
    names = ["ramp", "", "hinge"]
    asked = [parse("max(0, 3*z)", name=name) for name in names]
    assert [certify(formula).name for formula in asked] == ["ramp", "max(0, 3*z)", "hinge"]
