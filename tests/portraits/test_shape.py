"""Domains, symmetries, ranges and tails against hand-worked results."""

import math

import mpmath
import numpy as np
import pytest

import chainrule
from chainrule.derivations import evaluate
from chainrule.portraits._statement import interval


def _statements(text, subject):
    return chainrule.activation(text).portrait().about(subject)


def _only(text, subject):
    (statement,) = _statements(text, subject)
    assert statement.proved
    return statement.text


@pytest.mark.parametrize(
    ("text", "domain"),
    [("log(z)", "(0, ∞)"), ("sqrt(1 - z**2)", "[-1, 1]"), ("1/z", "z ≠ 0"),
     ("1/(z**2 - 1)", "z ≠ -1, 1"),
     ("z**1.5", "[0, ∞)"), ("log(z/(1 - z))", "(0, 1)"), ("1/log(z)", "(0, 1) and (1, ∞)"),
     ("tanh(z)/(1 + exp(z))", "every real z"), ("where(z > 0, sqrt(z), 0)", "every real z")],
)  # fmt: skip
def test_the_domain_is_found(text, domain):
    assert domain in _only(text, "domain")


def test_a_whole_power_that_is_a_parameter_is_defined_everywhere():
    (statement,) = chainrule.activation("z**p", p=3.0).portrait().about("domain")
    assert "every real z" in statement.text


@pytest.mark.parametrize(
    ("text", "symmetry"),
    [("tanh", "odd"), ("gaussian", "even"), ("silu", "f(z) - f(-z) = z"),
     ("softplus", "f(z) - f(-z) = z"),
     ("gelu", "f(z) - f(-z) = z"), ("relu", "f(z) - f(-z) = z"), ("sigmoid", "about (0, 1/2)"),
     ("hard_sigmoid", "about (0, 1/2)"), ("mish", "neither"), ("elu", "neither"), ("1/z", "odd"),
     ("relu6", "neither")],
)  # fmt: skip
def test_symmetries_are_proved(text, symmetry):
    assert symmetry in _only(text, "symmetry")


def test_a_symmetry_that_nearly_holds_is_not_stated():
    assert "neither" in _only("tanh(z) + 1e-25*exp(-z**2)", "symmetry")


@pytest.mark.parametrize(
    ("text", "infimum", "supremum"),
    [("tanh", "-1, not attained", "1, not attained"),
     ("relu6", "0, attained on a whole stretch", "6, attained on a whole stretch"),
     ("gaussian", "0, not attained", "1, attained at z = 0"),
     ("sqrt(1 - z**2)", "0, attained at z = -1 or 1", "1, attained at z = 0"),
     ("isru", "-1, not attained", "1, not attained")],
)  # fmt: skip
def test_the_range_says_what_is_attained(text, infimum, supremum):
    assert _only(text, "infimum") == infimum
    assert _only(text, "supremum") == supremum


def test_asymptotes_are_lines():
    assert [s.text for s in _statements("mish", "asymptote")] == ["a = z at ∞"]
    assert [s.text for s in _statements("z*atan(z)", "asymptote")] == [
        "a = -pi/2·z - 1 at -∞", "a = pi/2·z - 1 at ∞",
    ]  # fmt: skip


def test_a_period_gives_range_and_slope():
    assert _only("siren", "period") == "f(z + pi/15) = f(z)"
    (steepest,) = _statements("siren", "largest slope")
    assert steepest.bounds[0] <= 30 <= steepest.bounds[1] < 30.001
    assert _only("snake", "period") == "f(z + pi) = f(z) + pi"


@pytest.mark.parametrize(
    "text", ["asinh(z)", "isru", "squareplus", "exp(-exp(z))", "z - tanh(z)", "z**3"]
)
def test_where_a_function_is_monotone_is_settled_up_to_infinity(text):
    statements = _statements(text, "monotone")
    assert len(statements) == 1
    assert statements[0].proved
    assert statements[0].bounds == (-math.inf, math.inf)


def test_a_function_is_not_called_monotone_across_a_pole():
    assert [s.bounds for s in _statements("1/z", "monotone")] == [(-math.inf, 0), (0, math.inf)]


@pytest.mark.parametrize("text", ["cos(z)", "selu", "z**3 - 2*z", "log(z)", "z**2 - 1", "relu6"])
def test_zeros_and_fixed_points_are_places_of_that_kind(text):
    formula = chainrule.activation(text).formula
    for subject, less in (("zero", 0), ("fixed point f(z) = z", 1)):
        for statement in _statements(text, subject):
            if not statement.bounds or statement.text.startswith("every"):
                continue
            z = mpmath.mpf(sum(statement.bounds)) / 2
            value = evaluate(formula.expression, {**dict(formula.parameters), "z": z})
            assert abs(value - less * z) < 1e-9


def test_a_zero_where_what_is_known_of_both_ends_meets_is_seen():
    """Soft shrinkage keeps 0 alone: it moves every other z by up to a half."""
    assert _only("soft_shrink", "fixed point f(z) = z") == "z = 0"


def test_cubic_has_its_three_zeros():
    assert len(_statements("z**3 - 2*z", "zero")) == 3


def test_the_end_of_a_domain_is_no_jump():
    """max(log(z), 0) starts at 0 without a jump, and its slope is largest just above 1."""
    assert not _statements("max(log(z), 0)", "jump")
    (steepest,) = _statements("max(log(z), 0)", "largest slope")
    assert steepest.bounds[0] <= 1 <= steepest.bounds[1] < 1.000001


@pytest.mark.parametrize("low", [-0.30884341301726359, 0.49999999999991712, 1e-30, -7.0])
def test_an_enclosure_as_it_is_written_holds(low):
    """Rounded to fewer digits it is wider, never narrower."""
    high = low + abs(low) * 1e-13
    lower, upper = (float(end) for end in interval((low, high))[1:-1].split(", "))
    assert lower <= low <= high <= upper
    assert upper - lower <= 3e-10 * abs(low)


@pytest.mark.parametrize(
    ("text", "function"),
    [
        ("sin(z)*exp(-z**2)", lambda z: np.sin(z) * np.exp(-(z**2))),
        ("exp(-z**2)*cos(3*z)", lambda z: np.exp(-(z**2)) * np.cos(3 * z)),
        ("z + sin(z)/(1 + z**2)", lambda z: z + np.sin(z) / (1 + z**2)),
    ],
)
def test_waves_that_fade_have_a_largest_slope(text, function):
    """Far out an expansion bounds it; in between a grid of differences finds its place."""
    (steepest,) = chainrule.activation(text).portrait().about("largest slope")
    assert steepest.proved
    low, high = steepest.bounds
    z = np.linspace(-12, 12, 240_001)
    slopes = np.abs(np.diff(function(z)) / np.diff(z))
    assert low * (1 - 1e-7) < slopes.max() < high * (1 + 1e-7)


def test_a_wave_that_does_not_fade_is_not_bounded_by_its_expansion():
    (steepest,) = chainrule.activation("z*cos(z)").portrait().about("largest slope")
    assert steepest.bounds == (math.inf, math.inf)


@pytest.mark.parametrize(
    ("text", "limits"),
    [
        ("z**z", ["at 0 from the right: 1", "at ∞: ∞"]),
        ("z**(1/z)", ["at 0 from the right: 0", "at ∞: 1"]),
        ("z**(-z)", ["at 0 from the right: 1", "at ∞: 0"]),
        ("(1 + abs(z))**z", ["at -∞: 0", "at ∞: ∞"]),
    ],
)
def test_towers_have_limits(text, limits):
    """As worked by hand: x**y is exp(y*log(x)), and the exponent's limit tells."""
    assert [s.text for s in _statements(text, "limit") if s.proved] == limits


def test_the_range_of_a_tower_is_the_one_worked_by_hand():
    """z**z is least at 1/e, z**(1/z) largest at e."""
    (least,) = _statements("z**z", "infimum")
    (most,) = _statements("z**(1/z)", "supremum")
    assert least.bounds[0] <= mpmath.exp(-1 / mpmath.e) <= least.bounds[1]
    assert most.bounds[0] <= mpmath.exp(1 / mpmath.e) <= most.bounds[1]


@pytest.mark.parametrize("text", ["z**z*exp(-z**2)", "z**z/(1 + exp(z**2))"])
def test_a_product_of_zero_and_infinity_is_no_product_of_limits(text):
    """The limit is 0, whether it is proved or not."""
    far_out = _statements(text, "limit")[1]
    assert not far_out.proved or far_out.text == "at ∞: 0"


def test_squashing_again_and_again_has_its_limits_and_rises_everywhere():
    """tanh(tanh(tanh(z))) goes to tanh(tanh(1)); its slope is a product of 1 - tanh²."""
    drawn = chainrule.activation("tanh(tanh(tanh(z)))").portrait()
    assert all(s.proved for s in drawn.statements)
    low, high = (s.bounds for s in drawn.about("limit"))
    limit = math.tanh(math.tanh(1.0))
    assert high[0] <= limit <= high[1]
    assert (low[0], low[1]) == (-high[1], -high[0])
    assert [s.text for s in drawn.about("monotone")] == ["increasing on (-∞, ∞)"]


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("exp(-exp(z))*(2 + tanh(z))", 0.0),
        ("erf(1 + atan(tanh(z)))", math.erf(1 + math.pi / 4)),
        ("z/(1 + exp(-z)) - z", 0.0),
        ("exp(z)/(1 + exp(z))", 1.0),
    ],
)
def test_limits_by_parts_are_those_worked_by_hand(text, limit):
    """Also where the parts' limits alone would tell nothing: ∞ - ∞, ∞/∞."""
    (at_the_end,) = [s for s in _statements(text, "limit") if s.text.startswith("at ∞")]
    assert at_the_end.bounds[0] <= limit <= at_the_end.bounds[1]


@pytest.mark.parametrize(
    ("text", "symmetry"),
    [
        ("max(min(z**3 - z, 1), -1)", "odd: f(-z) = -f(z)"),
        ("max(z**4 - z**2, 1)", "even: f(-z) = f(z)"),
    ],
)
def test_symmetry_about_kinks_at_roots(text, symmetry):
    """Kinks at roots that are rounded lie on either side of 0 alike."""
    (statement,) = chainrule.activation(text).portrait().about("symmetry")
    assert statement.proved
    assert statement.text == symmetry
