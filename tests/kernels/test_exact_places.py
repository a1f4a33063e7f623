"""Places where a formula divides 0 by 0 and both of its sides tend to the same number."""

import math
from dataclasses import replace

import mpmath
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from mpmath import libmp

import chainrule
from chainrule.certificates import certify
from chainrule.formulas import parse
from chainrule.kernels import activation_kernels
from chainrule.kernels.fitting._exact_places import runnable, with_exact_places
from chainrule.kernels.fitting._gaps import filled_places
from chainrule.kernels.fitting._judge import Judge
from chainrule.kernels.source._written_out import direct
from chainrule.references import FORMATS

# A formula, the place, and the same in mpmath.
FORMULAS = [
    ("sin(z)/z", 0.0, lambda z: mpmath.sin(z) / z),
    ("(exp(z) - 1)/z", 0.0, lambda z: mpmath.expm1(z) / z),
    ("z/(exp(z) - 1)", 0.0, lambda z: z / mpmath.expm1(z)),
    ("log(1 + z)/z", 0.0, lambda z: mpmath.log1p(z) / z),
    ("(1 - cos(z))/z**2", 0.0, lambda z: (1 - mpmath.cos(z)) / z**2),
    ("(tanh(z - 1) - (z - 1))/(z - 1)**3", 1.0,
     lambda z: (mpmath.tanh(z - 1) - (z - 1)) / (z - 1) ** 3),
    ("1/(z + 0.5) - 1/sinh(z + 0.5)", -0.5,
     lambda z: 1 / (z + 0.5) - 1 / mpmath.sinh(z + 0.5)),
    ("z/(1 - exp(-z/0.05))", 0.0, lambda z: z / (1 - mpmath.exp(-20 * z))),
    ("erf(z)/tanh(z)", 0.0, lambda z: mpmath.erf(z) / mpmath.tanh(z)),
    ("(exp(z) - exp(2))/(z - 2)", 2.0, lambda z: (mpmath.exp(z) - mpmath.exp(2)) / (z - 2)),
    ("tanh(sin(3*z)/z) + z", 0.0, lambda z: mpmath.tanh(mpmath.sin(3 * z) / z) + z),
    ("(z**2 - 4*z + 4)/(exp(z - 2) - z + 1)", 2.0,
     lambda z: (z - 2) ** 2 / (mpmath.exp(z - 2) - z + 1)),
    ("exp(-1/z**2)", 0.0, lambda z: mpmath.exp(-1 / z**2)),
    ("log(z)/(z - 1)", 1.0, lambda z: mpmath.log(z) / (z - 1)),
]  # fmt: skip
IN_SHORT = (0, 3, 5)  # of those in float32, which take seconds each

BOTH = [np.float64, pytest.param(np.float32, marks=pytest.mark.long)]


def limits(function, place):
    """Return the limits of value and slope at a place, from both sides of it."""
    with mpmath.workdps(250):
        step = mpmath.mpf(10) ** -30
        left, right = (function(place + side * step) for side in (-1, 1))
        return float((left + right) / 2), float((right - left) / (2 * step))


def computed(function, place, dtype):
    """Return value and slope at a place among others."""
    z = np.array([place, place + 1, place], dtype)
    value, slope = function(z), function.backward(np.ones_like(z), z)
    assert value.dtype == dtype
    return float(value[0]), float(slope[0])


@pytest.mark.parametrize(
    ("text", "place", "function", "dtype"),
    [
        *(pytest.param(*case, np.float64, id=f"{case[0]} float64") for case in FORMULAS),
        *(
            pytest.param(
                *case,
                np.float32,
                id=f"{case[0]} float32",
                marks=[] if k in IN_SHORT else pytest.mark.long,
            )
            for k, case in enumerate(FORMULAS)
        ),
    ],
)
def test_a_place_without_a_value_has_that_of_its_sides(text, place, function, dtype):
    """0/0 is what it tends to, and its slope too, to the bounds of the certificates."""
    value, slope = computed(chainrule.activation(text), place, dtype)
    true_value, true_slope = limits(function, place)
    unit = float(np.finfo(dtype).eps)
    assert value == pytest.approx(true_value, rel=2 * unit, abs=1e-40)
    assert slope == pytest.approx(true_slope, rel=4 * unit, abs=1e-28)


@pytest.mark.parametrize(
    ("text", "place", "function"),
    [
        ("1/(z + 0.5) - 1/sinh(z + 0.5)", -0.5, lambda u: 1 / u - 1 / mpmath.sinh(u)),
        pytest.param("(sin(z - 1) - (z - 1))/(z - 1)**2", 1.0, lambda u: (mpmath.sin(u) - u) / u**2,
                     marks=pytest.mark.long),
        pytest.param("1/tanh(z - 2) - 1/(z - 2)", 2.0, lambda u: mpmath.coth(u) - 1 / u,
                     marks=pytest.mark.long),
    ],
)  # fmt: skip
def test_what_lies_beside_a_filled_place_keeps_its_digits(text, place, function):
    """At every distance from it: the nearer, the more of both fractions cancels."""
    activation = chainrule.activation(text)
    for dtype, bits in ((np.float32, 23), (np.float64, 52)):
        distances = np.ldexp(1.0, np.arange(1 - bits, 0))
        z = (place + np.concatenate([-distances, distances])).astype(dtype)
        values, slopes = activation(z), activation.backward(np.ones_like(z), z)
        unit = 2.0**-bits
        with mpmath.workdps(120):
            for x, value, slope in zip(z, values, slopes, strict=True):
                u = mpmath.mpf(float(x)) - place
                assert float(value) == pytest.approx(float(function(u)), rel=2 * unit)
                assert float(slope) == pytest.approx(float(mpmath.diff(function, u)), rel=4 * unit)


@pytest.mark.parametrize("dtype", BOTH)
@pytest.mark.parametrize("text", ["1/z", "abs(z)/z", "tanh(1/z)", "1/z**2", "exp(1/z)"])
def test_poles_and_jumps_stay_without_a_value(text, dtype):
    """Where the sides do not tend to the same number there is none: what comes out is not made."""
    value, _ = computed(chainrule.activation(text), 0.0, dtype)
    assert not np.isfinite(value) or abs(value) in (0.0, 1.0)


@given(
    a=st.integers(-3, 3),
    b=st.integers(-3, 3),
    text=st.sampled_from([
        "tanh({a}*z + {b})/(1 + z**2)",
        "({a}*z + {b})/(z - 3)",
        "sin({a}*z)/(2 + cos(z)) + {b}",
        "exp({a} - z)/(z - {b}) - 1/(z*z)",
        "({a}*z + 5)/(exp(z) - exp({b})) - 2",
        "log(z**2 + {b}**2 + 1)/(1 + exp({a}*z))",
    ]),
)  # fmt: skip
def test_formulas_without_such_places_stay_what_they_are(a, b, text):
    """Where nothing is 0/0, what is computed is as true as before; poles get no value."""
    formula = parse(text.format(a=a, b=b), {})
    for form in FORMATS.values():
        assume(not filled_places(formula, form))
        judge = Judge(formula, form, slope=False)
        with np.errstate(all="ignore"):
            source = with_exact_places(direct(formula.expression, ""), judge, formula)
            computed = {z: runnable(source, formula)(z) for z in np.arange(-6.0, 6.5, 0.5).tolist()}
        for z, got in computed.items():
            true = judge.reference.value(libmp.from_float(z))
            if true is None:  # exp(z) - exp(1) at 1
                continue
            if true == libmp.fnan:
                assert not math.isfinite(got)
            else:
                assert got == pytest.approx(libmp.to_float(true), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("dtype", BOTH)
def test_a_limit_that_depends_on_parameters_is_that_of_their_values(dtype):
    """(exp(alpha*z) - 1)/z is alpha at 0."""
    z = np.zeros(3, dtype)
    for alpha in (1.5, -0.25):
        function = chainrule.activation("(exp(alpha*z) - 1)/z", alpha=alpha)
        np.testing.assert_allclose(function(z), alpha, rtol=np.finfo(dtype).eps)
        slope = function.backward(np.ones_like(z), z)
        np.testing.assert_allclose(slope, alpha**2 / 2, rtol=4 * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", BOTH)
def test_a_place_that_depends_on_parameters_is_found(dtype):
    """sin(z - theta)/(z - theta) is 1 where z is theta."""
    function = chainrule.activation("sin(z - theta)/(z - theta)", theta=0.75)
    assert computed(function, 0.75, dtype) == (1.0, 0.0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_kernels_for_learned_parameters_have_no_limit_of_other_values(dtype):
    """One kernel serves all values of a parameter, at the place without a value too."""
    formula = parse("(exp(alpha*z) - 1)/z", {"alpha": 1.5})
    kernel = activation_kernels(formula, dtype, for_other_values=True).forward
    kernel = replace(kernel, parameters=np.array([0.5]))
    z = np.array([[0.0, 1.0]], dtype)
    found = np.empty_like(z)
    kernel.over_rows(z, z, found)
    np.testing.assert_allclose(found, [[0.5, np.expm1(0.5)]], rtol=1e-6)


@pytest.mark.parametrize("dtype", BOTH)
@pytest.mark.parametrize(
    ("text", "values", "place", "value", "slope"),
    [
        ("sin(z - theta)/(z - theta)", {"theta": 0.5}, 1, 1.0, 0.0),
        ("(z + c)/(exp(z + c) - 1)", {"c": -0.75}, -1, 1.0, -0.5),
        ("tanh(3*(z - theta))/(z - theta)", {"theta": 1.25}, 1, 3.0, 0.0),
    ],
)
def test_places_that_learned_parameters_move_have_a_value(text, values, place, value, slope, dtype):
    """For whatever value the parameter has by then, nearly what both sides tend to."""
    (given,) = values.values()
    kernels = activation_kernels(parse(text, values), dtype, for_other_values=True)
    for own in (given, 0.5 * given, 4 * given):
        z = np.array([[place * own]], dtype)
        found = np.empty_like(z)
        replace(kernels.forward, parameters=np.array([own])).over_rows(z, z, found)
        assert found[0, 0] == pytest.approx(value, rel=1e-5)
        replace(kernels.backward, parameters=np.array([own])).over_rows(np.ones_like(z), z, found)
        assert found[0, 0] == pytest.approx(slope, abs=1e-3)


def test_a_certificate_judges_the_place():
    """It says that it did, and at which limit."""
    found = certify(parse("sin(z)/z", {}), dtype=np.float64)
    assert found.passed
    assert found.filled == 1
    assert found.undefined == 0
    assert "1 input where the formula has no value but a limit, which is judged" in str(found)
    away = certify(parse("log(z/3)/(z - 3)", {}), dtype=np.float64)
    assert away.filled == 1
    assert [edge.value_limit for edge in found.edges if edge.z == (0.0,)] == [1.0, 1.0]


def test_a_network_with_zero_inputs_trains_through_places_without_a_value():
    """All pre-activations of the first layer are 0 at first, where sin(z)/z divides 0 by 0."""
    x, y = np.zeros((20, 3)), np.arange(20) % 2
    network = chainrule.FeedforwardClassifier(
        hidden_layer_sizes=(5,), activation="sin(z)/z", max_iter=500, random_state=0
    ).fit(x, y)
    assert np.isfinite(network.loss_curve_).all()
    assert np.isfinite(network.predict_proba(x)).all()


@pytest.mark.parametrize("dtype", BOTH)
@pytest.mark.parametrize("text", ["(exp(alpha*z) - 1)/z", "(exp(alpha*z) - 1 - alpha*z)/z"])
def test_nothing_is_fitted_for_given_values_where_others_are_learned(text, dtype):
    """Polynomials for alpha = 1.5 are wrong by a factor for alpha = 0.5."""
    other, z = 0.5, np.array([[0.0, 1e-12, 1e-4, 1e-3, 5e-3, 0.1, 1.0, -2.0]], dtype)
    kernels = activation_kernels(parse(text, {"alpha": 1.5}), dtype, for_other_values=True)
    value, slope = np.empty_like(z), np.empty_like(z)
    replace(kernels.forward, parameters=np.array([other])).over_rows(z, z, value)
    replace(kernels.backward, parameters=np.array([other])).over_rows(np.ones_like(z), z, slope)
    right = chainrule.activation(text, alpha=other)
    np.testing.assert_allclose(value, right(z), rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(slope, right.backward(np.ones_like(z), z), rtol=3e-4)
