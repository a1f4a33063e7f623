"""Kernels of every named function against its definition in mpmath, over the whole range."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
from tests.catalogue.definitions import ELEMENTWISE, LAYER_COUPLED
from tests.formulas.language import central_difference
from tests.kernels.accuracy import IN_FLOAT32_ONLY, error, sample, truth

from chainrule.catalogue import activation_formula
from chainrule.formulas import parse
from chainrule.kernels import backward, forward

EPSILON = 2.0**-52


def worst(errors, z, limit) -> None:
    """Fail with the place of the worst error."""
    k = int(np.argmax(errors))
    assert errors[k] <= limit, f"{errors[k]:.3g} ulp at z = {z[k]!r}"


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_float32_values_and_slopes_are_within_their_bounds(name):
    """At most 2 ulp for values and 4 ulp for slopes, from 1e-30 to the largest number."""
    formula = activation_formula(name)
    z = sample(np.float32, ELEMENTWISE[name].kinks)
    a, slopes = forward(formula, z), backward(formula, np.ones_like(z), z)
    assert a.dtype == slopes.dtype == np.float32
    true = [truth(name, float(place)) for place in z]
    worst([error(x, t[0], np.float32) for x, t in zip(a, true, strict=True)], z, 2.0)
    pairs = [(x, t[1]) for x, t in zip(slopes, true, strict=True)]
    smooth = [0.0 if t is None else error(x, t, np.float32) for x, t in pairs]
    worst(smooth, z, 4.0)


@pytest.mark.long
@pytest.mark.parametrize("name", [n for n in ELEMENTWISE if n not in IN_FLOAT32_ONLY])
def test_float64_values_and_slopes_are_within_what_a_rounding_of_z_does(name):
    """At most 5 ulp, and what two roundings of z do to the true function."""
    formula = activation_formula(name)
    z = sample(np.float64, ELEMENTWISE[name].kinks)
    a, slopes = forward(formula, z), backward(formula, np.ones_like(z), z)
    assert a.dtype == slopes.dtype == np.float64
    value_errors, slope_errors = [], []
    for place, value, slope in zip(z, a, slopes, strict=True):
        true_value, true_slope, bend = truth(name, float(place))
        change = abs((true_slope or 0) * mpmath.mpf(float(place))) * 2 * EPSILON
        ulp = max(abs(true_value) * EPSILON, mpmath.mpf(2) ** -1074)
        allowed = float(change / ulp) if math.isfinite(change) else 0.0
        value_errors.append(max(error(value, true_value, np.float64) - allowed, 0.0))
        # A slope made of a subnormal exponential has no more digits than that.
        if true_slope is not None and (true_slope == 0 or abs(true_slope) > 1e-300):
            change = abs(bend * mpmath.mpf(float(place))) * 2 * EPSILON
            ulp = max(abs(true_slope) * EPSILON, mpmath.mpf(2) ** -1074)
            allowed = float(change / ulp) if math.isfinite(change) else 0.0
            slope_errors.append(max(error(slope, true_slope, np.float64) - allowed, 0.0))
        else:
            slope_errors.append(0.0)
    worst(value_errors, z, 5.0)
    worst(slope_errors, z, 5.0)


@pytest.mark.long
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_infinite_inputs_give_limits_and_nan_stays_nan(name, dtype):
    """The value and slope at ±inf are the limits; NaN comes through the forward pass."""
    definition = ELEMENTWISE[name]
    z = np.array([-np.inf, np.inf, np.nan], dtype)
    a, slopes = (
        forward(activation_formula(name), z),
        backward(activation_formula(name), np.ones(3, dtype), z),
    )
    limits = {
        "exponential": ((0, 0), (np.inf, np.inf)),
        "leaky_relu": ((-np.inf, dtype(0.01)), (np.inf, 1)),
        "softsign": ((-1, 0), (1, 0)),
        "selu": ((dtype(-1.7580993408473766), 0), (np.inf, dtype(1.0507009873554805))),
    }
    for k, line in enumerate((definition.left, definition.right)):
        if name in limits:
            value, slope = limits[name][k]
        elif line is None:
            continue
        else:
            slope, constant = line
            value = (math.copysign(np.inf, z[k]) * slope) if slope else constant
        assert a[k] == value
        assert slopes[k] == slope
    assert np.isnan(a[2])


def test_a_nan_is_on_no_side_of_a_kink():
    """I(NaN > 0) is 0, as equation (2) has it; a NaN that comes in from the cost stays."""
    relu = activation_formula("relu")
    assert backward(relu, np.array([1.0, np.nan]), np.array([np.nan, 1.0])).tolist()[0] == 0.0
    assert np.isnan(backward(relu, np.array([np.nan]), np.array([1.0]))[0])
    assert np.isnan(backward(activation_formula("tanh"), np.ones(1), np.array([np.nan]))[0])


LAYERS = [
    np.array([1.5]),
    np.array([2.0, 2.0, 2.0]),
    np.array([100.0, -100.0, 99.0, 0.0]),
    *(scale * np.random.default_rng(3).normal(size=5) for scale in (1, 30, 1e-3)),
    100 + np.random.default_rng(4).normal(size=4),
]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", LAYER_COUPLED)
def test_layer_coupled_functions(name, dtype):
    """Float32 to a rounding; float64, whose sums round inside, to what that does to z."""
    limits = np.finfo(dtype)
    for layer in LAYERS:
        z = layer.astype(dtype)
        a = forward(activation_formula(name), z)
        with mpmath.workdps(60):
            units = [mpmath.mpf(float(x)) for x in z]
            wanted = LAYER_COUPLED[name](units)
            spread = float(z.max() - z.min()) if name != "log_softmax" else float(abs(z).max())
            if name == "layer_norm":  # z - mean(z) is known to a rounding of z
                spread = float(abs(z).max()) / math.sqrt(float(z.astype(float).var()) + 1e-5)
        for got, true in zip(a, wanted, strict=True):
            allowed = float(limits.eps) * abs(true)
            if dtype == np.float64:
                scale = abs(true) if "soft" in name and name != "log_softmax" else 1
                allowed = float(limits.eps) * (4 * abs(true) + 2 * spread * scale)
            assert abs(float(got) - true) <= allowed + float(limits.smallest_subnormal), (z, got)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", LAYER_COUPLED)
def test_products_of_layer_coupled_functions(name, dtype):
    """∂J/∂z agrees with differences of the layer, to a few roundings of the terms it sums.

    These sums cancel by nature (where one unit has all of the softmax, g - Σ g a), so an error is
    measured by the sizes of the terms.
    """
    limits = np.finfo(dtype)
    times = 2 if dtype == np.float32 else 16
    for layer in LAYERS:
        z = layer.astype(dtype)
        if name == "hardmax" and len(set(z.tolist())) < len(z):
            continue  # it jumps there
        g = np.random.default_rng(7).normal(size=z.size).astype(dtype)
        dz = backward(activation_formula(name), g, z)
        with mpmath.workdps(200):
            units = [mpmath.mpf(float(x)) for x in z]
            seeds = [mpmath.mpf(float(x)) for x in g]
            a = LAYER_COUPLED[name](units)
            for j in range(z.size):

                def weighted(t, j=j, units=units, seeds=seeds):
                    moved = [t if k == j else u for k, u in enumerate(units)]
                    return mpmath.fdot(seeds, LAYER_COUPLED[name](moved))

                wanted = central_difference(weighted, units[j], 200)
                sizes = [abs(x) for x in seeds]
                if name.startswith("soft"):
                    size = a[j] * (sizes[j] + mpmath.fdot(sizes, a))
                elif name == "log_softmax":
                    size = sizes[j] + mpmath.fsum(sizes) * mpmath.exp(a[j])
                else:
                    below = mpmath.sqrt(mpmath.mpf(1e-5) + mpmath.fsum(
                        (u - (mpmath.fsum(units) / len(units) if "layer" in name else 0)) ** 2
                        for u in units
                    ) / len(units))  # fmt: skip
                    spread = max(map(abs, units)) if dtype == np.float64 else 0
                    size = (2 + spread / below) * mpmath.fsum(sizes) / below
                if dtype == np.float64 and "soft" in name:
                    size *= 1 + max(map(abs, units)) / 8
                allowed = times * float(limits.eps) * size + float(limits.smallest_subnormal)
                assert abs(float(dz[j]) - wanted) <= allowed, (z, g, j)


@pytest.mark.parametrize("name", ["softmax", "softmax_one", "softmin", "log_softmax"])
def test_no_exponential_overflows_in_a_layer(name):
    """Units of the size of the largest number, and equal ones, give what the definition gives."""
    formula = activation_formula(name)
    for layer in (
        [1e308, -1e308, 0.0],
        [1e4, 1e4, 0.0],
        [-1e5, -1e5 - 1, -2e5],
        [745.2, 0.0, -745.2],
    ):
        a = forward(formula, np.array(layer))
        with mpmath.workdps(400):
            wanted = [float(x) for x in LAYER_COUPLED[name]([mpmath.mpf(x) for x in layer])]
        finite = np.isfinite(wanted)
        np.testing.assert_allclose(a[finite], np.array(wanted)[finite], rtol=1e-14, atol=1e-323)
        dz = backward(formula, np.array([1.0, -2.0, 0.5]), np.array(layer))
        assert np.isfinite(dz).all()


def test_the_log_softmax_keeps_the_tail_of_its_largest_unit():
    """log(1 + e^-40) is 4e-18, not 0."""
    formula = activation_formula("log_softmax")
    a = forward(formula, np.array([40.0, 0.0]))
    assert a[0] == pytest.approx(-math.exp(-40), rel=1e-12)
    assert a[1] == -40.0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["tanh", "erf", "softsign", "isru", "asinh", "atan", "sin"])
def test_zeros_keep_their_sign_in_odd_functions(name, dtype):
    """As they do in NumPy's."""
    z = np.array([0.0, -0.0] * 20, dtype)
    np.testing.assert_array_equal(np.signbit(forward(activation_formula(name), z)), np.signbit(z))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_jump_at_zero_takes_no_notice_of_the_sign_of_zero(dtype):
    """Both zeros satisfy ``z >= 0``, and neither ``z > 0``."""
    z = np.array([0.0, -0.0], dtype)
    for relation, value in ((">=", 1.0), (">", -1.0)):
        formula = parse(f"where(z {relation} 0, 1/(1 + z), -1/(1 - z))", {})
        np.testing.assert_array_equal(forward(formula, z), [value, value])
