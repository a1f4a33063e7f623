"""Portraits against published figures, mpmath, and random places."""

import math
from contextlib import contextmanager

import mpmath
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import chainrule
from chainrule.catalogue import activation_formula
from chainrule.derivations import evaluate
from chainrule.formulas import ChainruleError
from chainrule.portraits import _portrait, portrait


def _only(name, subject):
    (statement,) = portrait(activation_formula(name)).about(subject)
    assert statement.proved
    return statement.bounds


def _holds(bounds, truth):
    slack = 1e-14 * (1 + abs(truth))
    return bounds[0] - slack <= truth <= bounds[1] + slack and bounds[1] - bounds[0] < 1e-7


@pytest.mark.parametrize(
    ("name", "function", "near"),
    [
        ("silu", lambda z: z / (1 + mpmath.exp(-z)), -1.278),
        ("gelu", lambda z: z * mpmath.ncdf(z), -0.75),
        ("mish", lambda z: z * mpmath.tanh(mpmath.log1p(mpmath.exp(z))), -1.19),
    ],
)
def test_the_infimum_of_a_function_with_a_dip_is_enclosed(name, function, near):
    with mpmath.workdps(30):
        place = mpmath.findroot(lambda z: mpmath.diff(function, z), near)
        assert _holds(_only(name, "infimum"), float(function(place)))
        assert _holds(_only(name, "zero of the derivative"), float(place))


@pytest.mark.parametrize(
    ("name", "steepest"),
    [("sigmoid", 0.25), ("tanh", 1.0), ("relu", 1.0), ("gaussian", math.sqrt(2 / math.e)),
     ("selu", 1.0507009873554805 * 1.6732632423543772), ("gelu", 1.1289041451851)],
)  # fmt: skip
def test_the_largest_slope_is_enclosed(name, steepest):
    bounds = _only(name, "largest slope")
    assert bounds[0] - 1e-12 <= steepest <= bounds[1] + 1e-12
    assert bounds[1] - bounds[0] < 1e-10


@pytest.mark.parametrize(
    "name", ["relu", "tanh", "softplus", "mish", "gelu", "selu", "hard_sigmoid"]
)
def test_the_gain_is_enclosed(name):
    formula = activation_formula(name)

    def integrand(z):
        return evaluate(
            formula.expression, {**dict(formula.parameters), "z": z}
        ) ** 2 * mpmath.npdf(z)

    moment = mpmath.quad(integrand, [-14, -6, -3, -1, 0, 1, 3, 6, 14])
    assert _holds(_only(name, "gain"), float(1 / mpmath.sqrt(moment)))


def test_a_kinked_function_is_not_called_straight_across_its_kink():
    texts = [s.text for s in portrait(activation_formula("relu")).about("convexity")]
    assert texts == ["affine on (-∞, 0)", "affine on (0, ∞)"]


def test_where_a_domain_is_not_settled_nothing_else_is_claimed():
    statements = chainrule.activation("log(sin(z) + z/9)").portrait().statements
    assert [s.subject for s in statements] == ["domain"]
    assert not statements[0].proved


def test_a_portrait_is_a_document():
    drawn = chainrule.activation("mish").portrait()
    assert "largest slope" in str(drawn)
    assert drawn.to_dict()["statements"]


_LEAF = st.sampled_from(["z", "1", "0.3", "2", "z/3"])
_FORMULA = st.recursive(
    _LEAF,
    lambda inner: st.one_of(
        st.builds("({} + {})".format, inner, inner),
        st.builds("({} * {})".format, inner, inner),
        st.builds("max({}, {})".format, inner, inner),
        st.builds("tanh({})".format, inner),
        st.builds("exp({})".format, inner),
        st.builds("atan({})".format, inner),
        st.builds("log(1 + exp({}))".format, inner),
        st.builds("sin({})".format, inner),
        st.builds("{}/(1 + exp(-({})))".format, inner, inner),
    ),
    max_leaves=4,
)


@pytest.mark.long
@settings(max_examples=14, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(_FORMULA, st.lists(st.floats(-8, 8), min_size=12, max_size=12))
def test_what_is_called_proved_holds_at_random_places(text, places):
    try:
        formula = chainrule.activation(text).formula
    except ChainruleError:
        return
    drawn = portrait(formula)
    values = {z: evaluate(formula.expression, {"z": mpmath.mpf(z)}) for z in sorted(places)}
    for statement in drawn.statements:
        if not statement.proved or statement.bounds is None:
            continue
        low, high = statement.bounds
        for z, a in values.items():
            slack = 1e-12 * (1 + abs(a))
            if statement.subject == "infimum":
                assert a >= low - slack
            if statement.subject == "supremum":
                assert a <= high + slack
            for other, b in values.items():
                gap = 1e-12 * (1 + abs(a) + abs(b))
                if statement.subject == "largest slope" and high < math.inf:
                    assert abs(a - b) <= high * abs(z - other) + gap
                if statement.subject == "monotone" and low <= z < other <= high:
                    if "increasing" in statement.text:
                        assert b >= a - gap
                    elif "decreasing" in statement.text:
                        assert b <= a + gap


def test_a_limit_is_not_rounded_to_a_simple_number():
    """A match of numbers takes 1 + exp(-40) for 1."""
    (_, limit) = chainrule.activation("tanh(z) + exp(-25)").portrait().about("limit")
    with mpmath.workdps(40):
        truth = 1 + mpmath.exp(-25)
        assert limit.bounds[0] < truth < limit.bounds[1]
    assert limit.bounds[1] - limit.bounds[0] < 1e-15


def test_a_slope_that_is_nearly_zero_at_a_kink_is_not_taken_for_zero():
    """Right of 0 the function falls until z = 5e-51; only algebra may say that a slope is 0."""
    falls_first = chainrule.activation("where(z > 0, z**2 - 1e-50*z, 0)").portrait()
    for statement in falls_first.about("monotone"):
        low, high = statement.bounds
        assert not (statement.proved and "increasing" in statement.text and low <= 0 < high)


def test_a_number_that_is_not_exact_is_not_shown_as_if_it_were():
    (_, limit) = chainrule.activation("tanh(z) + exp(-40)").portrait().about("limit")
    assert limit.bounds[0] < limit.bounds[1]
    assert "in [" in limit.text


def test_waves_without_a_common_period_are_not_settled_rather_than_counted_out():
    (statement,) = chainrule.activation("sin(z) + sin(sqrt(2)*z)").portrait().about("monotone")
    assert not statement.proved


@pytest.mark.parametrize("text", ["tanh(z)", "exp(z)/sum(exp(z))"])
def test_all_that_takes_time_runs_within_the_budget(monkeypatch, text):
    within = []

    @contextmanager
    def budget(seconds):
        within.append("in")
        yield
        within.append("out")

    monkeypatch.setattr(_portrait, "time_budget", budget)
    for name in ("smooth_pieces", "_statements", "layer_statements"):
        own = getattr(_portrait, name)

        def recorded(*arguments, own=own, name=name):
            within.append(name)
            return own(*arguments)

        monkeypatch.setattr(_portrait, name, recorded)
    portrait(chainrule.activation(text).formula)
    assert within[0] == "in"
    assert within[-1] == "out"
    assert len(within) > 2


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("z/(exp(z) - 1)", "defined for z ≠ 0"),
        ("log(1 + tanh(z))", "defined for every real z"),
        ("sqrt(log(1 + exp(z)))", "defined for every real z"),
        ("log((1 + exp(z + 1))/(1 + exp(z - 1)))", "defined for every real z"),
    ],
)
def test_domains_are_told_by_algebra_where_intervals_do_not(text, wanted):
    """An argument of a logarithm may tend to 0."""
    found = portrait(activation_formula(text))
    assert [(s.text, s.proved) for s in found.about("domain")] == [(wanted, True)]
    assert not [s for s in found.about("monotone") if not s.proved]


@pytest.mark.parametrize(
    ("text", "parameters", "slopes"),
    [
        ("z**alpha", {"alpha": 2.0}, ["decreasing on (-∞, 0)", "increasing on (0, ∞)"]),
        ("z**alpha", {"alpha": 3.0}, ["increasing on (-∞, ∞)"]),
        (
            "(z + sqrt(z**2 + alpha))/2",
            {"alpha": 0.0},
            ["constant on (-∞, 0)", "increasing on (0, ∞)"],
        ),
        ("(z + sqrt(z**2))/2", {}, ["constant on (-∞, 0)", "increasing on (0, ∞)"]),
    ],
)
def test_parameters_that_are_whole_numbers_are_written_so(text, parameters, slopes):
    """And magnitudes that are written as roots of squares."""
    found = portrait(activation_formula(text, **parameters))
    assert [s.text for s in found.about("monotone")] == slopes
    assert all(s.proved for s in found.statements)
