"""Statements that were once wrong, or could be: against hand-worked results and many digits."""

import math

import mpmath
import pytest

import chainrule
from chainrule.derivations import TimeLimitError, evaluate
from chainrule.portraits import _shape


def _statements(text, subject, **parameters):
    return chainrule.activation(text, **parameters).portrait().about(subject)


def _texts(text, subject, **parameters):
    statements = _statements(text, subject, **parameters)
    assert all(s.proved for s in statements)
    return [s.text for s in statements]


@pytest.mark.parametrize("exponent", ["1e-300", "1e-5", "0.5", "0.999"])
def test_a_cusp_is_not_bent_one_way_across(exponent):
    """At 0 the slope turns from -∞ to ∞, while both sides bend down."""
    stretches = _statements(f"abs(z)**{exponent}", "convexity")
    assert [(s.text[:7], s.bounds) for s in stretches] == [
        ("concave", (-math.inf, 0)), ("concave", (0, math.inf)),
    ]  # fmt: skip


def test_a_slope_that_turns_up_keeps_a_function_convex():
    assert _texts("abs(z) + z**2", "convexity") == ["convex on (-∞, ∞)"]
    assert len(_texts("z**2 - abs(z)", "convexity")) == 2


@pytest.mark.parametrize("text", ["1/(z**2 - 2)", "1/(z - 0.1)", "1/(3*z - 1)", "1/(z + 0.3)"])
def test_a_pole_that_is_no_double_is_no_zero(text):
    """The double next to the pole may lie on its other side, where the sign is another."""
    assert _texts(text, "zero") == ["none"]
    assert _texts(text, "largest slope") == ["∞"]
    assert _texts(text, "infimum") == ["-∞"]
    for stretch in _statements(text, "monotone"):
        low, high = (min(max(end, -9.0), 9.0) for end in stretch.bounds)
        places = [low + (high - low) * k / 41 for k in range(1, 41)]
        formula = chainrule.activation(text).formula
        values = [evaluate(formula.expression, {"z": mpmath.mpf(z)}) for z in places]
        rises = "increasing" in stretch.text
        assert values == sorted(values, reverse=not rises)


def test_a_root_begins_at_an_irrational_place_with_exactly_zero():
    (lowest,) = _statements("sqrt(2 - z**2)", "infimum")
    assert lowest.bounds == (0, 0)
    assert "[-1.414213562, 1.414213562]" in _texts("sqrt(2 - z**2)", "domain")[0]


@pytest.mark.parametrize("step", ["1e-13", "1e-30"])
def test_the_smallest_jump_is_a_jump(step):
    text = f"where(z > 0, tanh(z) + {step}, tanh(z))"
    assert _texts(text, "largest slope")[0].startswith("∞: there is no Lipschitz constant")
    assert len(_texts(text, "jump")) == 1


def test_a_jump_upwards_keeps_a_function_increasing_and_one_downwards_does_not():
    assert _texts("where(z > 0, z + 1, z)", "monotone") == ["increasing on (-∞, ∞)"]
    assert len(_texts("where(z > 0, z - 1, z)", "monotone")) == 2
    assert _texts("where(z > 0, z + 1, z)", "jump") == [
        "at z = 0: from 0 on the left to 1 on the right, 0 there"
    ]


def test_a_simple_zero_beside_a_double_one_is_seen():
    places = [sum(s.bounds) / 2 for s in _statements("(z - 1)**2*(z - 1.0005)", "zero")]
    assert places == pytest.approx([1, 1.0005])


@pytest.mark.parametrize(
    "text", ["(24*abs(z))**1.9999999999", "max(0, z)**1.0000000001", "24**0.9999999999*z"]
)
def test_a_root_of_a_large_degree_is_not_written_out(text):
    """It would be a product of powers with more digits than there is memory."""
    assert _texts(text, "domain") == ["defined for every real z"]


@pytest.mark.parametrize(
    ("text", "limit"),
    [("asinh(z) - log(2*z + 1)", 0), ("log(1 + z**2) - 2*log(1 + z)", 0), ("log(z)/sqrt(z)", 0)],
)
def test_logarithms_have_limits_that_expansions_in_them_prove(text, limit):
    *_, last = _statements(text, "limit")
    assert last.proved
    assert last.bounds == (limit, limit)


def test_a_function_that_rises_through_every_period_rises_everywhere():
    """Its slope 1 + cos(z) is 0 at single places."""
    assert _texts("z + sin(z)", "monotone") == ["increasing on (-∞, ∞)"]


def test_what_is_found_before_the_time_is_up_is_kept(monkeypatch):
    def interrupted(axis):
        raise TimeLimitError

    monkeypatch.setattr(_shape, "places_of", interrupted)
    *found, last = chainrule.activation("tanh").portrait().statements
    assert {"domain", "infimum", "monotone"} <= {s.subject for s in found}
    assert last.text == "no more: not settled in the time that is allowed"
    assert not last.proved


@pytest.mark.parametrize(
    ("text", "second"),
    [("abs(z)**0.7", lambda q: q**0.7 * 2**0.7 * mpmath.gamma(1.2) / mpmath.sqrt(mpmath.pi)),
     ("max(z, 0)**1.5", lambda q: mpmath.sqrt(2 * q**3 / mpmath.pi))],
)  # fmt: skip
def test_a_root_has_a_gain_and_a_fixed_point_worked_by_hand(text, second):
    """E |z|**p = (2q)**(p/2)·Γ((p + 1)/2)/√π for a normal z of variance q."""
    (gain,) = _statements(text, "gain")
    assert gain.bounds[0] <= 1 / mpmath.sqrt(second(1)) <= gain.bounds[1]
    point, _ = _statements(text, "fixed point of E f(z)²")
    place = mpmath.findroot(lambda q: second(q) - q, sum(point.bounds) / 2)
    assert point.bounds[0] <= place <= point.bounds[1]
    assert point.bounds[1] - point.bounds[0] < 1e-7


@pytest.mark.parametrize(
    ("text", "value"),
    [("z/(-z)", -1), ("tanh(z/(1000*z))", math.tanh(0.001)), ("2*z/(3*z)", 2 / 3)],
)
def test_what_cancels_is_constant_beside_its_holes(text, value):
    """The slope is 0 by algebra: no enclosure of it, however tight, says so."""
    assert _texts(text, "monotone") == ["constant on (-∞, 0)", "constant on (0, ∞)"]
    assert _texts(text, "largest slope") == ["0"]
    (lowest,) = _statements(text, "infimum")
    assert lowest.bounds[0] <= value <= lowest.bounds[1]


@pytest.mark.parametrize("p", [1.5, 2.5, 3.0, 0.7])
def test_a_slope_that_falls_to_zero_at_a_kink_keeps_its_sign_beside_it(p):
    """By hand: |z|^p (1 + p + |z|^p)/(1 + |z|^p)² > 0 for z ≠ 0."""
    rising = _texts("z*abs(z)**p/(1 + abs(z)**p)", "monotone", p=p)
    assert rising == ["increasing on (-∞, ∞)"]
    assert all(s.proved for s in _statements("z*abs(z)**p/(1 + abs(z)**p)", "convexity", p=p))


def test_a_slope_that_falls_to_zero_from_below_is_negative_there():
    assert _texts("where(z > 0, -z**2.5, z**2)", "monotone") == ["decreasing on (-∞, ∞)"]


@pytest.mark.filterwarnings("error")
def test_bounds_that_overflow_are_no_bounds():
    """The derivatives of sin(exp(z)) grow beyond all doubles; E sin(exp(z))² stays below 1."""
    found = chainrule.activation("sin(exp(z))").portrait()
    for subject in ("gain", "fixed point of E f(z)²"):
        assert all(not s.proved or s.bounds[0] >= 0 for s in found.about(subject))
    assert all(s.bounds[0] >= 1 for s in found.about("gain") if s.proved)


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("log(z + sqrt(z**2 - 1))", "[1, ∞)"),
        ("log(2*z - sqrt(z**2 + 3))", "(1, ∞)"),
        ("sqrt(z - sqrt(z + 2))", "[2, ∞)"),
        ("1/(z + sqrt(1 - z**2))", "[-1, -0.7071067812) and (-0.7071067812, 1]"),
    ],
)
def test_what_is_added_to_a_root_vanishes_where_their_squares_are_alike(text, domain):
    """As worked by hand: of the zeros of A**2 - C, those of A + sqrt(C) alone count."""
    assert _texts(text, "domain") == [f"defined on {domain}"]


@pytest.mark.parametrize("text", ["log((1 + z)/(1 - z))/2", "log((2 + z)/(2 - z)) + z**3"])
def test_a_function_is_odd_whose_slope_is_even_and_that_is_0_at_0(text):
    assert _texts(text, "symmetry") == ["odd: f(-z) = -f(z)"]


def test_a_slope_that_is_even_does_not_make_a_function_odd():
    assert _texts("log((2 + z)/(1 - z/2))", "symmetry") != ["odd: f(-z) = -f(z)"]
