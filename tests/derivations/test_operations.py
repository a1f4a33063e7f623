"""The table of local derivatives: each rule against central differences of the operation."""

from __future__ import annotations

import mpmath
import pytest
from tests.formulas.language import POINTWISE, central_difference, value_at

from chainrule.derivations._operations import LOCAL_DERIVATIVES
from chainrule.formulas import FUNCTIONS, Apply, Constant, Variable, constant

X, Y = Variable("x"), Variable("y")
UNARY = ("reciprocal", "negate", *FUNCTIONS)
BINARY = ("add", "subtract", "multiply", "divide", "power", "maximum", "minimum")
PLACES = ("-2.3", "-0.71", "-0.02", "0.013", "0.4", "1.9", "3.3")


def rule_value(operation: str, arguments, **values):
    """Return a rule's partial derivatives at a place, by the tests' own evaluation."""
    inner = [value_at(argument, 0, **values) for argument in arguments]
    own = POINTWISE[operation](*inner)
    partials = LOCAL_DERIVATIVES[operation](arguments, Variable("own"))
    return [value_at(partial, 0, own=own, **values) for partial in partials]


def test_every_operation_of_the_language_has_a_rule():
    """And no comparison or reduction, which graphs treat by themselves."""
    assert set(UNARY) | set(BINARY) | {"where"} <= set(LOCAL_DERIVATIVES)
    assert set(LOCAL_DERIVATIVES) - set(UNARY) - set(BINARY) == {
        "where", "indicator", "held", "others", "others_max", "others_min",
    }  # fmt: skip


@pytest.mark.parametrize("operation", UNARY)
def test_rules_of_one_argument(operation):
    """The derivative agrees with a central difference to twenty digits wherever there is one."""
    compared = 0
    with mpmath.workdps(90):
        for place in PLACES:
            x = mpmath.mpf(place)
            if (operation in ("log", "sqrt") and x < 0) or (operation == "log1p" and x < -1):
                continue
            wanted = central_difference(POINTWISE[operation], x)
            (got,) = rule_value(operation, (X,), x=x)
            assert abs(got - wanted) < mpmath.mpf(10) ** -20 * (1 + abs(wanted))
            compared += 1
    assert compared >= 4


@pytest.mark.parametrize("operation", BINARY)
def test_rules_of_two_arguments(operation):
    """Both partial derivatives agree with central differences; powers have a positive base."""
    with mpmath.workdps(90):
        for place in PLACES:
            for other in ("0.83", "-1.7", "2.6"):
                x, y = mpmath.mpf(place), mpmath.mpf(other)
                if operation == "power" and x < 0:
                    continue
                function = POINTWISE[operation]
                wanted = [
                    central_difference(lambda t, y=y, f=function: f(t, y), x),
                    central_difference(lambda t, x=x, f=function: f(x, t), y),
                ]
                got = rule_value(operation, (X, Y), x=x, y=y)
                for one, two in zip(got, wanted, strict=True):
                    assert abs(one - two) < mpmath.mpf(10) ** -20 * (1 + abs(two))


@pytest.mark.parametrize("exponent", [2, 3, -1, -2])
def test_a_fixed_whole_exponent_needs_no_logarithm_of_a_negative_base(exponent):
    """The derivative by the base exists for negative bases, and nothing is passed to a number."""
    with mpmath.workdps(60):
        partials = LOCAL_DERIVATIVES["power"]((X, constant(exponent)), Variable("own"))
        assert partials[1] == constant(0)
        got = value_at(partials[0], 0, x="-1.75")
        assert abs(got - exponent * mpmath.mpf("-1.75") ** (exponent - 1)) < 1e-50


@pytest.mark.parametrize(("x", "slopes"), [("2", (1, 0)), ("-2", (0, 1))])
def test_where_passes_everything_to_the_chosen_branch(x, slopes):
    """The condition receives nothing."""
    arguments = (Apply("greater", (X, constant(0))), X, Y)
    partials = LOCAL_DERIVATIVES["where"](arguments, Variable("own"))
    assert partials[0] == constant(0)
    assert tuple(value_at(p, 0, x=x, y="7") for p in partials[1:]) == slopes


@pytest.mark.parametrize(
    "comparison", ["greater", "less", "greater_equal", "less_equal", "equal", "not_equal"]
)
@pytest.mark.parametrize("x", ["-1", "0", "1"])
def test_the_two_branches_of_where_share_one_between_them(comparison, x):
    """Whatever the comparison, exactly one branch receives the derivative, also at equality."""
    arguments = (Apply(comparison, (X, constant(0))), X, Y)
    partials = LOCAL_DERIVATIVES["where"](arguments, Variable("own"))
    values = [value_at(p, 0, x=x, y="7") for p in partials[1:]]
    assert sorted(values) == [0, 1]
    holds = POINTWISE[comparison](mpmath.mpf(x), mpmath.mpf(0))
    assert values[0] == (1 if holds else 0)


@pytest.mark.parametrize("operation", ["maximum", "minimum"])
def test_where_extremes_tie_a_constant_wins_and_else_the_first(operation):
    """At the kink of max(z, 0) and max(0, z) alike the slope by z is 0, as I(z > 0) says."""
    zero = Constant(constant(0).value)
    by_first, by_second = rule_value(operation, (X, zero), x="0")
    assert (by_first, by_second) == (0, 1)
    by_first, by_second = rule_value(operation, (zero, X), x="0")
    assert (by_first, by_second) == (1, 0)
    by_first, by_second = rule_value(operation, (X, Y), x="3", y="3")
    assert (by_first, by_second) == (1, 0)


def test_the_slope_of_abs_and_sign_at_zero_is_zero():
    """The language takes sign(0) = 0."""
    assert rule_value("abs", (X,), x="0") == [0]
    assert rule_value("sign", (X,), x="0") == [0]
