"""Where z passes a threshold that its format lacks, every number is on its own side."""

from __future__ import annotations

import operator
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from numba import njit

from chainrule.formulas import parse
from chainrule.kernels import activation_kernels
from chainrule.kernels._arrays import apply_kernel
from chainrule.kernels._kept_choices import FUNCTIONS, Choice
from chainrule.kernels._kernels import kernels_in, slope_kernel
from chainrule.kernels.elementary import thresholds
from chainrule.kernels.source._tiers import TIERS

COMPARISONS = {">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le}
# The threshold as it is written, the parameters, and what it is of their exact values.
WRITTEN = [
    ("t", {"t": 0.3}, lambda t: t),
    ("t", {"t": 0.7}, lambda t: t),
    ("-t", {"t": 0.3}, lambda t: -t),
    ("tau + beta", {"tau": 0.1, "beta": 0.4}, lambda tau, beta: tau + beta),
    ("tau - beta", {"tau": 0.1, "beta": 0.7}, lambda tau, beta: tau - beta),
    ("tau*beta", {"tau": 0.1, "beta": 5.0}, lambda tau, beta: tau * beta),
    ("1/beta", {"beta": 1.7}, lambda beta: 1 / beta),
    ("tau/beta", {"tau": 0.35, "beta": 0.7}, lambda tau, beta: tau / beta),
    ("t + 1/10", {"t": 0.3}, lambda t: t + Fraction(1, 10)),
    ("t + 1/10", {"t": 0.4}, lambda t: t + Fraction(1, 10)),
    ("2*t - 1/3", {"t": -0.3}, lambda t: 2 * t - Fraction(1, 3)),
    ("t", {"t": 1e-46}, lambda t: t),
    ("t", {"t": 0.1 + 2.0**-26}, lambda t: t),
    ("3/10", {}, lambda: Fraction(3, 10)),
    ("1/3", {}, lambda: Fraction(1, 3)),
]


def beside(threshold, dtype, count=2):
    """Return the numbers of a format next to a place, in order."""
    numbers = [dtype(float(threshold))]
    for _ in range(count):
        numbers.append(np.nextafter(numbers[-1], dtype(np.inf)))
        numbers.insert(0, np.nextafter(numbers[0], dtype(-np.inf)))
    return np.array([numbers], dtype=dtype)


def applied(kernels, z):
    """Return values and slopes."""
    value, slope = np.empty_like(z), np.empty_like(z)
    apply_kernel(kernels.forward, z, z, value)
    apply_kernel(kernels.backward, np.ones_like(z), z, slope)
    return value, slope


def sides(comparison, threshold, z):
    return np.array([[COMPARISONS[comparison](Fraction(float(x)), threshold) for x in z[0]]])


def check(got, is_true, z, yes, no):
    """Compare with the lines ``slope*z + 1`` on either side, which differ by more than 1/2."""
    value, slope = got
    np.testing.assert_array_equal(slope, np.where(is_true, z.dtype.type(yes), z.dtype.type(no)))
    expected = np.where(is_true, yes * np.float64(z) + 1, no * np.float64(z) - 1)
    np.testing.assert_allclose(value, expected, rtol=1e-5)


@pytest.mark.parametrize(
    "comparison", [">", ">=", *(pytest.param(sign, marks=pytest.mark.long) for sign in ("<", "<="))]
)
@pytest.mark.parametrize(
    ("text", "parameters", "threshold"),
    [*WRITTEN[:4], *(pytest.param(*written, marks=pytest.mark.long) for written in WRITTEN[4:])],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_numbers_beside_a_threshold_are_on_their_sides(
    text, parameters, threshold, comparison, dtype
):
    """The truth is a comparison of fractions; the numbers are the neighbours of the threshold."""
    formula = parse(f"where(z {comparison} {text}, 2*z + 1, -3*z - 1)", parameters)
    exact = threshold(**{name: Fraction(value) for name, value in parameters.items()})
    z = beside(exact, dtype)
    got = applied(activation_kernels(formula, dtype), z)
    check(got, sides(comparison, exact, z), z, 2, -3)


@pytest.mark.parametrize("tier", [tier for tier in TIERS if tier != "pieces"])
@pytest.mark.parametrize(("text", "parameters", "threshold"), [WRITTEN[k] for k in (0, 2, 6)])
def test_in_every_arithmetic(text, parameters, threshold, tier):
    """Whether a parameter is in float32 or float64 where it is compared makes no difference."""
    formula = parse(f"where(z > {text}, 2*z + 1, -3*z - 1)", parameters)
    exact = threshold(**{name: Fraction(value) for name, value in parameters.items()})
    z = beside(exact, np.float32)
    kernels = kernels_in(formula, "float32", Choice(dict.fromkeys(FUNCTIONS, tier), {}, ""))
    check(applied(kernels, z), sides(">", exact, z), z, 2, -3)


@pytest.mark.parametrize(
    ("text", "parameters", "above", "below"),
    [
        ("where(z > t, lam*z, lam*alpha*(exp(z) - 1))", {"t": 0.3, "lam": 1.05, "alpha": 1.67},
         1.05, 1.05 * 1.67 * np.exp(0.3)),
        ("where(abs(z) > t, z, 0)", {"t": 0.3}, 1.0, 0.0),
        ("max(z - t, 0)", {"t": 0.3}, 1.0, 0.0),
        ("min(z, t)", {"t": 0.3}, 0.0, 1.0),
        ("max(z, t)", {"t": 0.7}, 1.0, 0.0),
        ("where(z > t, z - t, where(z < -t, z + t, 0))", {"t": 0.3}, 1.0, 0.0),
        ("where(beta*z > 1, 2*z, exp(z))", {"beta": 1.7}, 2.0, np.exp(1 / 1.7)),
        ("where(exp(z) > 2, 2*z, z)", {}, 2.0, 1.0),
        ("where(z**2 > 2, 2*z, z)", {}, 2.0, 1.0),
        ("where(z**2 > t, 2*z, z)", {"t": 0.3}, 2.0, 1.0),
    ],
)  # fmt: skip
def test_slopes_beside_kinks(text, parameters, above, below):
    """No float32 is the place of these kinks: every one has the slope of its own side."""
    formula = parse(text, parameters)
    places = {
        "where(beta*z > 1, 2*z, exp(z))": mpmath.mpf(1) / mpmath.mpf(1.7),
        "where(exp(z) > 2, 2*z, z)": mpmath.log(2),
        "where(z**2 > 2, 2*z, z)": mpmath.sqrt(2),
        "where(z**2 > t, 2*z, z)": mpmath.sqrt(mpmath.mpf(0.3)),
    }
    place = places.get(text, parameters.get("t"))
    z = beside(place, np.float32)
    is_above = np.array([[mpmath.mpf(float(x)) > place for x in z[0]]])
    expected = np.where(is_above, above, below)
    kernels = activation_kernels(formula, np.float32)
    np.testing.assert_allclose(applied(kernels, z)[1], expected, rtol=1e-6)
    value, slope = np.empty_like(z), np.empty_like(z)
    apply_kernel(slope_kernel(formula, np.float32), z, slope, value)
    np.testing.assert_allclose(slope, expected, rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("text", "parameters", "place"),
    [
        ("where(z > t, exp(z), 0)/sum(exp(z))", {"t": 0.3}, Fraction(0.3)),
        ("where(t < z, exp(z), 0)/sum(exp(z))", {"t": 0.3}, Fraction(0.3)),
        ("where(z > t, exp(z), 0)/sum(exp(z))", {"t": 0.7}, Fraction(0.7)),
        ("where(z > 3/10, exp(z), 0)/sum(exp(z))", {}, Fraction(3, 10)),
        ("where(z > t, 2*z, 0)/sum(abs(z))", {"t": 0.3}, Fraction(0.3)),
    ],
)
def test_units_of_a_layer_are_on_their_sides(text, parameters, place, dtype):
    """A unit is 0 where, and only where, it is not beyond the threshold."""
    z = np.hstack([beside(place, dtype), [[dtype(2)]]])
    value, _ = applied(activation_kernels(parse(text, parameters), dtype), z)
    expected = [Fraction(float(x)) > place for x in z[0]]
    assert [x != 0 for x in value[0]] == expected


@njit
def next_to(high, low):
    place = (high, low)
    return (
        thresholds.single_up_to(place), thresholds.single_from(place), thresholds.single_at(place),
        thresholds.double_up_to(place), thresholds.double_from(place), thresholds.double_at(place),
    )  # fmt: skip


@pytest.mark.parametrize("low", [0.0, 1e-300, -1e-300])
@pytest.mark.parametrize(
    "high", [1.0, -1.0, 0.3, -0.3, 1e-46, -1e-46, 1e-40, 3.5e38, -3.5e38, 2.0**-149]
)
def test_numbers_next_to_places(high, low):
    """They are on their side of the place, and no other number lies between."""
    exact = Fraction(high) + Fraction(low)
    found = next_to(high, low)
    for (down, up, at), kind in ((found[:3], np.float32), (found[3:], np.float64)):
        inf = kind(np.inf)
        with np.errstate(over="ignore", under="ignore"):
            above, below = np.nextafter(kind(down), inf), np.nextafter(kind(up), -inf)
        assert down == -inf or Fraction(float(down)) <= exact
        assert above == inf or Fraction(float(above)) > exact
        assert up == inf or Fraction(float(up)) >= exact
        assert below == -inf or Fraction(float(below)) < exact
        assert (at == down == up) if down == up else np.isnan(at)


def test_numbers_next_to_zero():
    """The smallest numbers stand for what is smaller."""
    assert next_to(0.0, 0.0) == (0.0,) * 6
    down, up, at = next_to(1e-60, 0.0)[:3]
    assert (down, up) == (0.0, 2.0**-149)
    assert np.isnan(at)
    down, up, at = next_to(-1e-60, 0.0)[:3]
    assert (down, up) == (-(2.0**-149), 0.0)
    assert np.isnan(at)
