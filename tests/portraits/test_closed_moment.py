"""Moments in closed form against quadrature in many digits and results worked by hand."""

import math

import mpmath
import pytest

import chainrule
from chainrule.derivations import evaluate, smooth_pieces
from chainrule.portraits.axes._domain import breakpoint_edges
from chainrule.portraits.statistics._closed_moment import closed_function


def _closed(formula):
    pieces = smooth_pieces(formula)
    edges = breakpoint_edges(pieces, dict(formula.parameters))
    expressions = [piece.expression for piece in pieces.pieces]
    return closed_function(expressions, edges, dict(formula.parameters))


@pytest.mark.long
@pytest.mark.parametrize(
    "text",
    ["z**3 - z + 2", "exp(z)", "z**2*exp(-z/2)", "z*cos(3*z)", "sinh(z)*sin(z)", "2**z - 1",
     "max(0, z)", "where(z > 0.5, exp(z) - z**2, z)", "where(z > 0, cosh(z), 1 + z)"],
)  # fmt: skip
@pytest.mark.parametrize("variance", [0.3, 2.0])
def test_moments_and_their_derivatives_agree_with_quadrature(text, variance):
    formula = chainrule.activation(text).formula

    def moment(v, power):
        def integrand(x):
            value = evaluate(formula.expression, {"z": mpmath.sqrt(v) * x})
            return value**power * mpmath.npdf(x)

        kink = float(0.5 / math.sqrt(v)) if "0.5" in text else 0.0
        return mpmath.quad(integrand, sorted([-12, -4, -1, kink, 2, 6, 16]))

    for power, closed in zip((1, 2), _closed(formula).moments(), strict=True):
        low, high = closed.value.at(variance)
        truth = moment(mpmath.mpf(variance), power)
        assert low - 1e-12 <= truth <= high + 1e-12
        assert high - low < 1e-9 * (1 + abs(truth))
        slope = mpmath.diff(lambda v, p=power: moment(v, p), variance, h=1e-5)
        assert sum(closed.slope.at(variance)) / 2 == pytest.approx(float(slope), abs=1e-5)


@pytest.mark.parametrize("text", ["tanh(z)", "exp(z**2)", "sqrt(z**2 + 1)", "abs(z)*sin(z)"])
def test_what_is_no_such_sum_has_no_closed_form(text):
    assert _closed(chainrule.activation(text).formula) is None


def test_the_exponential_has_gain_one_over_e_and_its_variance_grows():
    """E exp(2z) = exp(2) for a standard normal z; Var exp(z) = exp(2ν) - exp(ν) > ν."""
    drawn = chainrule.activation("exponential").portrait()
    (gain,) = drawn.about("gain")
    assert gain.bounds[0] <= math.exp(-1) <= gain.bounds[1]
    (none,) = drawn.about("fixed point of mean and variance")
    assert none.proved
    assert "the variance grows" in none.text


def test_the_growing_cosine_has_the_gain_worked_by_hand():
    """E z² cos² z = (1 + E z² cos 2z)/2 = (1 - 3 exp(-2))/2 for a standard normal z."""
    (gain,) = chainrule.activation("gcu").portrait().about("gain")
    assert gain.bounds[0] <= math.sqrt(2 / (1 - 3 * math.exp(-2))) <= gain.bounds[1]


def test_a_fixed_point_of_the_hyperbolic_cosine_is_enclosed():
    """Var cosh z = (exp(ν) - 1)²/2 for z of variance ν."""
    point, _ = chainrule.activation("cosh(z)").portrait().about("fixed point of mean and variance")
    place = mpmath.findroot(lambda v: (mpmath.exp(v) - 1) ** 2 / 2 - v, 0.8)
    assert point.bounds[0] <= place <= point.bounds[1]
