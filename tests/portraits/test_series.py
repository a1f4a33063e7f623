"""Expansions with bounded remainders against values of many digits, and what follows from them."""

from fractions import Fraction
from functools import cache

import mpmath
import pytest
import sympy

import chainrule
from chainrule.portraits.far_out._expansion import _base_phase, expansion
from chainrule.portraits.far_out._series import COSINE, SINE, NotExpandedError
from chainrule.portraits.far_out._tail import X

_FORMS = {
    "tanh(exp(-x))": sympy.tanh(sympy.exp(-X)),
    "x tanh(exp(x))": X * sympy.tanh(sympy.exp(X)),
    "log(1 + exp(x))²": sympy.log(1 + sympy.exp(X)) ** 2,
    "1 - erf(x)": 1 - sympy.erf(X),
    "erf(exp(-x))": sympy.erf(sympy.exp(-X)),
    "atan(x)³": sympy.atan(X) ** 3,
    "sqrt(x² + 1) - x": sympy.sqrt(X**2 + 1) - X,
    "x cos(x) + sin(3x)/x": X * sympy.cos(X) + sympy.sin(3 * X) / X,
    "sin(1/x)": sympy.sin(1 / X),
    "sin(x² + 1/x)": sympy.sin(X**2 + 1 / X),
}


def _value(terms, phase, place):
    """Sum terms, or a remainder's bound, at a place."""
    total = mpmath.mpf(0)
    for (degree, exponent), coefficient in terms.items():
        size = sympy.sympify(coefficient)
        if phase is not None:
            angle = phase.subs(X, place)
            size = size.subs({SINE: sympy.sin(angle), COSINE: sympy.cos(angle)})
        grows = sum((q * place**k for k, q in enumerate(exponent, 1)), sympy.Integer(0))
        total += mpmath.mpf(sympy.N(size * place**degree * sympy.exp(grows), 60))
    return total


@pytest.mark.parametrize("form", _FORMS.values(), ids=_FORMS)
def test_the_remainder_bounds_what_an_expansion_leaves_out(form):
    start = 4
    found = expansion(form, Fraction(start))
    phase = _base_phase(form)
    with mpmath.workdps(60):
        true = sympy.lambdify(X, form, "mpmath")
        for place in (start, 5, 11, 40):
            bound = _value(found.rest, None, sympy.Integer(place))
            error = abs(_value(found.terms, phase, sympy.Integer(place)) - true(mpmath.mpf(place)))
            assert error <= bound + mpmath.mpf(10) ** -40, place


@pytest.mark.parametrize(
    ("form", "limit", "sign"),
    [("log(1 + exp(x)) - x", 0, 1), ("x*(tanh(exp(-x)) - exp(-x))", 0, -1),
     ("atan(x) - pi/2", 0, -1), ("sqrt(x**2 + 1) - x", 0, 1), ("x + 2*sin(x)", sympy.oo, 1)],
)  # fmt: skip
def test_limits_and_signs_are_read_off_the_leading_term(form, limit, sign):
    found = expansion(sympy.sympify(form, {"x": X}), Fraction(8))
    assert found.limit() == limit
    assert found.sign() == sign


@pytest.mark.parametrize("form", [sympy.exp(sympy.exp(X)), sympy.log(X), sympy.erf(1 + 1 / X),
                                  sympy.sin(X) + sympy.sin(sympy.sqrt(2) * X)])  # fmt: skip
def test_what_has_no_such_expansion_is_refused(form):
    with pytest.raises(NotExpandedError):
        expansion(form, Fraction(8))


@cache
def _portrait(formula):
    return chainrule.activation(formula).portrait()


def _texts(formula, subject):
    statements = _portrait(formula).about(subject)
    assert all(s.proved for s in statements)
    return [s.text for s in statements]


@pytest.mark.parametrize("formula", ["gcu", "z**2*sin(z)"])
def test_a_growing_wave_has_no_limit_and_takes_every_value(formula):
    assert all("none: it swings" in text for text in _texts(formula, "limit"))
    assert _texts(formula, "infimum") == ["-∞"]
    assert _texts(formula, "supremum") == ["∞"]
    assert _texts(formula, "largest slope") == ["∞"]
    assert _texts(formula, "monotone") == ["rises and falls for ever towards -∞ and ∞"]
    assert _texts(formula, "zero") == ["infinitely many, towards -∞ and ∞"]


def test_a_fading_wave_has_its_extremes_near_zero():
    # sin(z)/z turns where tan z = z, first at 4.49340945790906; there it is lowest.
    (lowest,) = _portrait("sin(z)/z").about("infimum")
    turn = mpmath.findroot(lambda z: mpmath.tan(z) - z, 4.49)
    assert lowest.bounds[0] <= mpmath.sin(turn) / turn <= lowest.bounds[1]
    assert _texts("sin(z)/z", "supremum") == ["1, not attained"]


def test_a_wave_on_a_slope_that_outweighs_it_has_limits_and_turns_on_one_side_only():
    formula = "where(z > 0, z, 0.01*z) + 0.1*sin(z)"
    assert _texts(formula, "limit") == ["at -∞: -∞", "at ∞: ∞"]
    turns, rises = _texts(formula, "monotone")
    assert turns == "rises and falls for ever towards -∞"
    assert rises == "increasing on (0, ∞)"


@pytest.mark.parametrize("formula", ["softplus", "log_sigmoid", "shifted_softplus"])
def test_a_function_that_stays_on_one_side_of_the_diagonal(formula):
    # log((1 + exp(z))/2) = z where 1 + exp(z) = 2·exp(z): at z = 0.
    wanted = ["z = 0"] if formula == "shifted_softplus" else ["none"]
    assert _texts(formula, "fixed point f(z) = z") == wanted


@pytest.mark.parametrize("formula", ["arctan", "isru", "asinh"])
def test_a_fixed_point_at_which_the_slope_is_one_is_found(formula):
    assert _texts(formula, "fixed point f(z) = z") == ["z = 0"]


def test_a_slope_that_touches_zero_at_a_fraction_of_pi_is_settled():
    zero, *_ = _portrait("snake").about("zero of the derivative")
    assert zero.proved
    assert zero.bounds[0] <= 3 * mpmath.pi / 4 <= zero.bounds[1]
    (slope,) = _portrait("snake").about("largest slope")
    assert slope.bounds[0] <= 2 <= slope.bounds[1]
