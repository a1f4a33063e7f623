"""Gain, slope moment and fixed points of mean and variance against mpmath and published figures."""

import math
from itertools import pairwise

import mpmath
import numpy as np
import pytest

import chainrule
from chainrule.derivations import evaluate, smooth_pieces
from chainrule.portraits.enclosures._interval import Program
from chainrule.portraits.enclosures._majorant import majorants
from chainrule.portraits.statistics._moment import RATIO, Growth, normal_moments

_CENTRED = "fixed point of mean and variance"
_SECOND = "fixed point of E f(z)²"


def _expectation(formula, variance, power=1):
    values, scale = dict(formula.parameters), mpmath.sqrt(variance)

    def integrand(x):
        value = evaluate(formula.expression, {**values, "z": scale * x})
        return value**power * mpmath.npdf(x)

    return mpmath.quad(integrand, [-14, -6, -3, -1, 0, 1, 3, 6, 14])


def _points(text, subject):
    statements = chainrule.activation(text).portrait().about(subject)
    assert all(s.proved for s in statements)
    return [s for s in statements if s.bounds]


def test_selu_keeps_mean_0_and_variance_1_with_the_published_singular_value():
    """Klambauer et al. 2017: (0, 1), where the Jacobian's largest singular value is 0.7877."""
    (point,) = _points("selu", _CENTRED)
    assert point.bounds[0] <= 1 <= point.bounds[1]
    assert point.bounds[1] - point.bounds[0] < 1e-10
    assert "(μ, ν) = (0, 1)" in point.text
    assert "attracting" in point.text
    assert "singular value of the Jacobian 0.7876" in point.text


@pytest.mark.parametrize(
    ("text", "fixed", "slope"),
    [("z**3", 1 / math.sqrt(15), 3), ("max(0, z)**2", 2 / 3, 2), ("sin(30*z)", 0.5, 0)],
)
def test_a_fixed_point_worked_by_hand_is_enclosed(text, fixed, slope):
    """E z⁶ = 15 q³, E max(0, z)⁴ = 3/2 q², E sin(30 z)² = (1 - exp(-1800 q))/2."""
    (point,) = _points(text, _SECOND)
    assert point.bounds[0] <= fixed <= point.bounds[1]
    assert ("repelling" if slope > 1 else "attracting") in point.text


@pytest.mark.parametrize("name", ["softplus", "erf", "scaled_tanh", "star_relu"])
def test_a_fixed_point_maps_to_itself_under_quadrature(name):
    formula = chainrule.activation(name).formula
    for point in _points(name, _SECOND):
        q = mpmath.mpf(sum(point.bounds)) / 2
        assert abs(_expectation(formula, q, 2) - q) < 1e-8


def test_all_fixed_points_are_found():
    """The second moment of star_relu meets q twice between 0.01 and 100; seen by sampling."""
    formula = chainrule.activation("star_relu").formula
    scan = [_expectation(formula, q, 2) - q for q in np.geomspace(0.01, 100, 16)]
    changes = sum(bool(a * b < 0) for a, b in pairwise(scan))
    assert len(_points("star_relu", _SECOND)) == changes == 2


def test_the_identity_keeps_every_variance_and_a_contraction_none():
    (identity,) = chainrule.activation("z").portrait().about(_CENTRED)
    assert identity.proved
    assert "every ν" in identity.text
    (hard,) = chainrule.activation("hard_tanh").portrait().about(_CENTRED)
    assert hard.proved
    assert "none with ν > 0" in hard.text


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "growth"),
    [("mish", Growth(1.2, 1)), ("selu", Growth(1.8, 1)), ("gaussian", Growth(1, 0))],
)
@pytest.mark.parametrize("variance", [0.013, 0.6, 1.3, 70.0])
def test_moments_and_their_derivatives_are_enclosed_between_the_centres(name, growth, variance):
    formula = chainrule.activation(name).formula
    pieces = smooth_pieces(formula)
    moments = normal_moments(
        [p.expression for p in pieces.pieces], [b.place for b in pieces.breakpoints],
        dict(formula.parameters), growth, RATIO ** np.arange(-8.0, 9.0),
    )  # fmt: skip
    at = np.array([variance])
    for power, moment in zip((1, 2), moments, strict=True):
        (low, high), (least, most) = moment((at, at))
        truth = _expectation(formula, mpmath.mpf(variance), power)
        slope = mpmath.diff(lambda v, p=power: _expectation(formula, v, p), variance)
        assert low[0] - 1e-13 <= truth <= high[0] + 1e-13
        assert least[0] - 1e-6 <= slope <= most[0] + 1e-6
        assert high[0] - low[0] < 1e-4 * (1 + abs(truth))


@pytest.mark.parametrize(
    "text",
    ["tanh(z)", "1/(1 + exp(-z))", "sin(z)*z", "atan(z)", "asinh(z)", "erf(z)", "log(2 + z**2)",
     "sqrt(1 + z**2)", "expm1(z)", "log1p(z**2)", "cosh(z)", "sinh(z)", "cos(z)", "(1 + z**2)**1.5",
     "z**-3 + z**5", "(2 + z)**z"],
)  # fmt: skip
def test_taylor_coefficients_stay_below_their_bounds(text):
    e = smooth_pieces(chainrule.activation(text).formula).pieces[0].expression
    bounds = majorants(Program(e, {}), (np.array([0.4]), np.array([0.5])), 6)[:, 0]
    with mpmath.workdps(40):
        for place in ("0.4", "0.45", "0.5"):
            truth = mpmath.taylor(lambda z: evaluate(e, {"z": z}), mpmath.mpf(place), 6)
            assert all(abs(t) <= b for t, b in zip(truth, bounds, strict=True))


@pytest.mark.parametrize("subject", ["fixed point of mean and variance", "fixed point of E f(z)²"])
def test_the_hard_shrink_is_proved_to_shrink_every_variance(subject):
    """Between the first centres the moments of a function that jumps are too wide: others help."""
    (statement,) = chainrule.activation("hard_shrink").portrait().about(subject)
    assert statement.proved
    assert statement.text.startswith("none with 0.01 ≤")
    formula = chainrule.catalogue.activation_formula("hard_shrink")
    assert _expectation(formula, mpmath.mpf("45.2"), 2) < 45.2


@pytest.mark.parametrize(
    ("text", "function", "contracts"),
    [
        ("sin(z)/z", lambda z: mpmath.sin(z) / z, True),
        ("z/(exp(z) - 1)", lambda z: z / mpmath.expm1(z), True),
        ("atan(1/z)", lambda z: mpmath.atan(1 / z), False),
        ("z/abs(z)", mpmath.sign, False),
        ("z/10 + 50*(1 + z/abs(z))", lambda z: z / 10 + 50 * (1 + mpmath.sign(z)), False),
    ],
)
def test_a_place_left_out_changes_no_moment(text, function, contracts):
    """Quadrature on either side of it; and where the function jumps there it may not contract."""
    drawn = chainrule.activation(text).portrait()
    (gain,) = drawn.about("gain")
    with mpmath.workdps(30):

        def weighted(z):
            return function(z) ** 2 * mpmath.npdf(z)

        sides = ([-9, -4, -2, -1, 0], [0, 1, 2, 4, 9])
        moment = mpmath.fsum(mpmath.quad(weighted, side) for side in sides)
    assert gain.proved
    assert gain.bounds[0] <= 1 / math.sqrt(moment) <= gain.bounds[1]
    assert ("none with ν > 0" in str(drawn)) is contracts


def test_a_jump_where_a_function_is_left_out_counts_in_its_moments():
    """At z = 1 it jumps from -15π to 15π, where none of its pieces has a value."""
    (gain,) = chainrule.activation("30*atan(1/(3*(z - 1)))").portrait().about("gain")
    with mpmath.workdps(30):

        def weighted(z):
            return (30 * mpmath.atan(1 / (3 * (z - 1)))) ** 2 * mpmath.npdf(z)

        moment = mpmath.quad(weighted, [-9, -4, -1, 1]) + mpmath.quad(weighted, [1, 2, 4, 9])
    assert gain.proved
    assert gain.bounds[0] <= 1 / math.sqrt(moment) <= gain.bounds[1]
