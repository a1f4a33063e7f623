"""Formulas with more kinks than are counted: every branch in its own stable form."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from tests.cases import some_of

from chainrule.formulas import parse, to_text
from chainrule.kernels import backward, forward
from chainrule.kernels._elementwise import scalar_functions
from chainrule.kernels.stable_forms._branches import branches_of


def softplus(z):
    return z + mpmath.log1p(mpmath.exp(-z)) if z > 0 else mpmath.log1p(mpmath.exp(z))


def sigmoid(z):
    return 1 / (1 + mpmath.exp(-z))


# Value and slope, by hand.
BRANCHES = {
    "where(sin(z) > 0, log(1 + exp(z)), z)": lambda z: (
        (softplus(z), sigmoid(z)) if mpmath.sin(z) > 0 else (z, mpmath.mpf(1))
    ),
    "abs(sin(z))*log(1 + exp(z))": lambda z: (
        abs(mpmath.sin(z)) * softplus(z),
        mpmath.sign(mpmath.sin(z)) * mpmath.cos(z) * softplus(z) + abs(mpmath.sin(z)) * sigmoid(z),
    ),
    "max(100*sin(z), log(1 + exp(z)))": lambda z: max(
        (100 * mpmath.sin(z), 100 * mpmath.cos(z)), (softplus(z), sigmoid(z))
    ),
}


@pytest.mark.parametrize("text", some_of(BRANCHES, 3))
def test_no_branch_overflows_where_its_graph_would(text):
    """From z = 89 on in float32, and 710 in float64, exp(z) is infinite."""
    random = np.random.default_rng(1)
    places = [*random.normal(size=20) * 9, *random.uniform(-3000, 3000, 40), 3e5, 2.0**60]
    for dtype in (np.float32, np.float64):
        z, formula = np.array(places, dtype), parse(text)
        found = forward(formula, z), backward(formula, np.ones_like(z), z)
        with mpmath.workdps(60):
            for k, place in enumerate(z.tolist()):
                truth = BRANCHES[text](mpmath.mpf(place))
                # Terms of the slope cancel: in float64 there are no digits to spare for that.
                lost = 2.0**-52 * abs(truth[0]) if dtype is np.float64 else 0
                for got, true in zip(found, truth, strict=True):
                    last = max(np.spacing(dtype(abs(true))), np.finfo(dtype).smallest_subnormal)
                    error = abs(mpmath.mpf(float(got[k])) - true)
                    assert error <= 4 * float(last) + lost, (place, dtype)


def test_branches_are_chosen_as_pieces_are():
    """At a tie the value of max is that of a number, and what is undefined on no side is NaN."""
    choice = branches_of(parse("1 + max(0, sin(z))").expression)
    assert to_text(choice.comparison) == "0 >= sin(z)"
    assert (to_text(choice.yes), to_text(choice.no.yes), choice.no.no) == ("1", "1 + sin(z)", None)
    assert to_text(branches_of(parse("min(sin(z), 1/2)").expression).comparison) == "sin(z) < 1/2"
    assert branches_of(parse("1 + sin(z)").expression) is None
    assert branches_of(parse("abs(abs(abs(abs(z) - 1) - 1) - 1)").expression) is None
    value = forward(parse("max(1 + exp(z), log(z - sin(30*z)))"), np.array([-4.0, 4.0]))
    assert np.isnan(value[0])
    np.testing.assert_allclose(value[1], 1 + np.exp(4.0))


def test_branches_are_mended_where_they_cancel_and_have_their_limits():
    """Near 0 the slope of sin(z)/z is -z/3 + z**3/30; far out nothing is left of a sine over z."""
    formula, z = parse("max(0, sin(z))/z"), np.array([1e-9, 1e-6, 1e-3, 0.1], np.float32)
    with mpmath.workdps(60):
        places = [mpmath.mpf(float(x)) for x in z]
        slopes = [float(mpmath.cos(x) / x - mpmath.sin(x) / x**2) for x in places]
    np.testing.assert_allclose(backward(formula, np.ones_like(z), z), slopes, rtol=2e-7)
    ends = np.array([-np.inf, np.inf])
    assert not forward(formula, ends).any()
    assert not backward(formula, np.ones(2), ends).any()


def test_a_side_without_values_keeps_no_other_from_being_mended():
    """Z - sin(z) is z**3/6 near 0, where all its digits cancel; beside it log(z) has no value."""
    z = np.array([-1.0, 1e-6, 1e-3, 1e-2], np.float32)
    with np.errstate(all="ignore"):
        found = forward(parse("where(z > 0, z - sin(z), log(z))"), z)
    exact = z[1:].astype(np.float64)
    assert np.isnan(found[0])
    np.testing.assert_allclose(found[1:], exact**3 / 6 * (1 - exact**2 / 20), rtol=2e-7)


def test_what_needs_no_stable_form_goes_along_its_graph():
    """The lines are those of the derivation."""
    lines = scalar_functions(parse("max(0, sin(z))"), "float64")
    assert "    v0 = sin(z)" in lines
