"""Slopes are as short as an author would write them, and right at kinks and ends of domains."""

from __future__ import annotations

import math

import mpmath
import pytest
from tests.derivations.oracle import check_elementwise, check_witness, contradicted
from tests.formulas.language import value_at

from chainrule.derivations import NoOutputForm, derive, smooth_pieces
from chainrule.derivations.output_forms.signs._signs import proved_sign
from chainrule.documents import text_of
from chainrule.formulas import parse

SHORT = {
    "z**3/(1 + z**2)": "z²·(3 + z²)/(1 + z²)²",
    "(z**3 + z)/(1 + z**2)": "1",
    "z**2/(1 + z**2)**2": "2·z·(1 - z²)/(1 + z²)³",
    "z/(1 + sqrt(1 + z**2))": "1/(sqrt(1 + z²)·(1 + sqrt(1 + z²)))",
    "z/(1 + z**2)**0.25": "(2 + z²)/(2·(1 + z²)^(5/4))",
    "alpha*z/(1 + abs(alpha*z))": "alpha/(1 + |alpha·z|)²",
    "z*exp(-abs(z))": "exp(-|z|)·(1 - |z|)",
    "sign(z)*log(1 + abs(z))": "1/(1 + |z|)",
    "sign(z)*sign(z)/(1 + abs(z))": "-sign(z)/(1 + |z|)²",
    "max(z, 0)**2/(1 + max(z, 0))": "I(z > 0)·max(z, 0)·(2 + max(z, 0))/(1 + max(z, 0))²",
    "exp(z)/(1 + exp(z))**2": "exp(z)·(1 - exp(z))/(1 + exp(z))³",
    "sinh(z)/(1 + cosh(z))": "1/(1 + cosh(z))",
    "tanh(z)/cosh(z)": "(1 - 2·tanh(z)²)/cosh(z)",
    "asinh(z)*sqrt(1 + z**2)": "1 + z·asinh(z)/sqrt(1 + z²)",
    "z*asinh(z) - sqrt(1 + z**2)": "asinh(z)",
    "z*sqrt(abs(z))": "3·sqrt(|z|)/2",
    "z**2*sqrt(abs(z))": "5·z·sqrt(|z|)/2",
    "z**z": "z^z·(1 + log(z))",
    "z/sqrt(1 + alpha*z**2) + z": "1 + 1/(1 + alpha·z²)^(3/2)",
}
RISING = [
    *("z + z*exp(z)/3", "log(z + exp(z))", "log(z**3 + exp(z))", "z/(1 + exp(-z)) + z/10"),
    *("z/(1 + log(1 + exp(-z)))", "z*log(1 + exp(z)) + z"),
    "(0.7*z + 1.3*z**3)/(1 + alpha*z**2)",
]
NOT_RISING_FAR_OUT = ["z/(1 + log(1 + exp(z))**2)", "z*log(1 + exp(z))", "z - 2*log(1 + exp(z))"]
IN_A_NARROW_VALLEY = ["z + 1.0001*sin(z)", "z/(1 + exp(-z)) + 0.0998*z"]


@pytest.mark.parametrize("text", SHORT)
def test_slopes_are_as_short_as_by_hand_and_right(text):
    """Also what else is said of the formula holds to thirty digits."""
    formula = parse(text, {"alpha": 0.5} if "alpha" in text else {})
    derivation = derive(formula)
    assert text_of(derivation.steps[-1].in_variables) == SHORT[text]
    assert contradicted(lambda: check_elementwise(formula.expression, derivation)) > 5


def test_a_squared_sign_stays_where_it_is_not_one():
    """sign(max(z, 0))² is 0 on a half-axis, not at a single place."""
    slope = derive(parse("z*sign(max(z, 0))**2")).steps[-1].in_variables
    assert [value_at(slope, mpmath.mpf(z)) for z in (-2, 3)] == [0, 1]


@pytest.mark.parametrize("text", RISING)
def test_rising_is_proved_where_terms_outweigh_others(text):
    """Also where the end of the domain has no closed form."""
    (form,) = derive(parse(text, {"alpha": 0.5} if "alpha" in text else {})).output_forms
    assert isinstance(form, NoOutputForm)
    assert (form.direction, form.witness) == (1, None)


@pytest.mark.parametrize("text", NOT_RISING_FAR_OUT)
def test_what_turns_far_out_is_not_proved_to_rise(text):
    """The logarithm of an exponential is a line there, which may outweigh the others."""
    (piece,) = smooth_pieces(parse(text)).pieces
    assert proved_sign(piece.derivative, {}, -math.inf, math.inf) == 0


@pytest.mark.parametrize("text", IN_A_NARROW_VALLEY)
def test_a_slope_that_turns_for_a_moment_has_a_witness(text):
    """The other sign holds between two places of a coarse grid."""
    formula = parse(text)
    (form,) = derive(formula).output_forms
    assert isinstance(form, NoOutputForm)
    assert form.witness is not None
    check_witness(formula.expression, {}, form.witness)


def test_a_branch_has_no_slope_where_it_has_no_value():
    """min(log(z), 1) begins at 0; min(sqrt(z), 1) has its value there."""
    start, corner = smooth_pieces(parse("min(log(z), 1)")).breakpoints
    assert (start.place, corner.place) == (0.0, pytest.approx(math.e, rel=1e-15))
    assert math.isnan(start.left_slope)
    start = smooth_pieces(parse("min(sqrt(z), 1)")).breakpoints[0]
    assert (start.value_from, start.slope_from, start.slope) == ("right", "right", math.inf)
    assert "Where z ≤ 0 the formula has no value." in str(derive(parse("min(log(z), 1)")))


def test_the_slope_of_what_holds_at_one_place_is_a_limit():
    """p*z**(p - 1) is 0**0 at 0 for p = 1: the slope of z is 1 there."""
    (kink,) = smooth_pieces(parse("where(z == 0, z**p, abs(z))", {"p": 1.0})).breakpoints
    assert (kink.left_slope, kink.slope, kink.right_slope) == (-1.0, 1.0, 1.0)


def test_an_exponent_that_does_not_change_needs_no_logarithm():
    """z**(z/z) is z, also where the logarithm of z has no value."""
    (piece,) = smooth_pieces(parse("z**(z/z)")).pieces
    assert value_at(piece.derivative, mpmath.mpf("-2.5")) == 1


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("z**z", "defined where z > 0"),
        ("(1 + abs(z))/z", "At z = 0 the formula has no value."),
        ("log(z + exp(z))", "defined where z > -0.567143"),
        ("max(tanh(z), z/5)", "4.99955"),
    ],
)
def test_places_and_gaps_are_written_to_be_read(text, sentence):
    """Poles between pieces, half-axes, and places found by bisection."""
    assert sentence in str(derive(parse(text)))


@pytest.mark.parametrize("text", ["z*(1/2 + atan(z)/pi) - z/5", "z*(1.25 + erf(z))/2"])
def test_what_turns_is_not_said_to_rise(text):
    """Both have a valley below 0, where the slope is less than 0."""
    (found,) = derive(parse(text)).output_forms
    assert isinstance(found, NoOutputForm)
    assert found.direction == 0


@pytest.mark.parametrize(
    ("text", "values", "expected"),
    [
        ("where(z > 0, z, (1 - (1 - z)**(2 - lam))/(2 - lam))", {"lam": 0.7},
         "(1 + a·lam - 2·a)^((1 - lam)/(2 - lam))"),
        ("where(z > 0, z, 1 - (1 - z)**(1/p))", {"p": 3.5}, "(1 - a)^(1 - p)/p"),
    ],
)  # fmt: skip
def test_powers_of_powers_through_the_output_are_one(text, values, expected):
    """``(x**p)**q`` is ``x**(p*q)`` where x is positive on the piece."""
    derivation = derive(parse(text, values))
    assert text_of(derivation.output_forms[0].derivative) == expected
