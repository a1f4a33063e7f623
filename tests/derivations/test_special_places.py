"""Places at which a formula is something else, or is not smooth although no branch ends there."""

from __future__ import annotations

import math

import mpmath
import pytest
from tests.formulas.language import UndefinedError, layer_gradient, layer_values, value_at

from chainrule.derivations import (
    NoOutputFormError,
    backward_graph,
    derive,
    evaluate_layer,
    smooth_pieces,
    through_output,
)
from chainrule.formulas import parse, to_text


def shown_slope(text: str, **parameters: float) -> str:
    return to_text(derive(parse(text, parameters)).steps[-1].in_variables)


def form_of(text: str, **parameters: float) -> str:
    return to_text(through_output(derive(parse(text, parameters))))


@pytest.mark.parametrize(
    ("text", "slope"),
    [
        ("where(z == 0, 1, (exp(z) - 1)/z)", 0.5),
        ("where(z == 0, 1, sinh(z)/z)", 0),
        ("where(z == 0, 1/6, (z - sin(z))/z**3)", 0),
        ("where(z == 0, 1/2, 1/z - 1/(exp(z) - 1))", -1 / 12),
        ("where(z != 1, (z**3 - 1)/(z - 1), 3)", 3),
        ("where(z == 2, 7, z)", 1),
    ],
)
def test_the_slope_where_a_value_is_filled_in_is_the_limit(text, slope):
    """However much cancels beside the place."""
    (at,) = smooth_pieces(parse(text)).breakpoints
    assert at.slope == pytest.approx(slope, abs=1e-14)
    shown = derive(parse(text)).steps[-1].in_variables
    with mpmath.workdps(50):
        assert abs(value_at(shown, mpmath.mpf(at.place), {}) - slope) < 1e-14


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("where(z == 1, 1, z)", "1"),
        ("where(z == 1, 3, z)", "1"),
        ("where(z != 2, z**2, 4)", "2*z"),
        ("where(z != 2, z**2*exp(z), 4*exp(2))", "z*exp(z)*(2 + z)"),
        ("where(z*(z - 1) == 0, 2, z)", "1"),
        ("where(z == 0, 1, (exp(z) - 1)/z)", "where(z == 0, 1/2, (1 + z*exp(z) - exp(z))/z**2)"),
        ("where(z <= 0, where(z == 0, 1, -1), 1)*abs(z)", "1"),
        ("where(z == max(z, 0), z, exp(z) - 1)", "where(z <= 0, exp(z), 1)"),
        ("where(z > 0, z/(1 + z), z/(1 - z))", "where(z <= 0, 1/(1 - z)**2, 1/(1 + z)**2)"),
        ("max(0, z)", "indicator(z > 0)"),
    ],
)
def test_the_slope_that_is_shown_is_the_one_that_is_taken(text, wanted):
    """Also at a place that one condition singles out, and where two branches join smoothly."""
    assert shown_slope(text) == wanted


def test_a_value_of_its_own_is_told():
    """The function jumps there, though the pieces join."""
    text = str(derive(parse("where(z == 1, 3, z)")))
    assert "with slope 1, but the value there is one of its own, 3." in text
    assert "of its own" not in str(derive(parse("where(z == 0, 1, (exp(z) - 1)/z)")))


@pytest.mark.parametrize(
    ("text", "parameters", "place", "sides"),
    [
        ("sqrt(z**2)", {}, 0, (-1, 1)),
        ("sqrt((z - 1)**2) + z", {}, 1, (0, 2)),
        ("(z + sqrt(z**2 + alpha))/2", {"alpha": 0.0}, 0, (0, 1)),
        ("z + (z**2)**0.5", {}, 0, (0, 2)),
        ("z*sqrt(z**2)", {}, 0, (0, 0)),
        ("(z**2)**(1/3)", {}, 0, (-math.inf, math.inf)),
        ("sqrt(1 - exp(-z**2))", {}, 0, (-1, 1)),
        ("sqrt(2*log(cosh(z))) - z", {}, 0, (-2, 0)),
        ("z*sqrt(cosh(z) - 1)", {}, 0, (0, 0)),
    ],
)
def test_a_root_may_have_a_kink_of_its_own(text, parameters, place, sides):
    """Where what it is taken of touches 0; the slope taken there is the middle, as that of |z|."""
    (at,) = smooth_pieces(parse(text, parameters)).breakpoints
    assert (at.place, at.left_slope, at.right_slope) == (place, *sides)
    if math.isfinite(sides[0]):
        assert at.slope == pytest.approx(sum(sides) / 2, abs=1e-15)


@pytest.mark.parametrize("text", ["sqrt(1 + z**2)", "sqrt(z)", "sqrt(1 - z**2)", "sqrt(exp(z))"])
def test_a_root_that_touches_nothing_has_none(text):
    """Its domain may end."""
    assert smooth_pieces(parse(text)).breakpoints == ()


@pytest.mark.parametrize(
    ("text", "parameters", "wanted"),
    [
        ("2*z + sqrt(z**2)", {}, "where(a == 0, 2, where(a < 0, 1, 3))"),
        ("2*z + abs(z)", {}, "where(a == 0, 2, where(a < 0, 1, 3))"),
        ("z*sqrt(z**2)", {}, "where(a < 0, 2*sqrt(-a), 2*sqrt(a))"),
        ("where(z > 0, sqrt(z), -sqrt(-z))", {}, "where(a <= 0, -(1/(2*a)), 1/(2*a))"),
        ("sign(z)*abs(z)**(1/3)", {}, "1/(3*a**2)"),
        ("z**alpha", {"alpha": 0.0}, "0"),
        ("z**alpha", {"alpha": 3.0}, "3*abs(a)**(2/3)"),
        ("z/(1 + exp(-beta*z))", {"beta": 0.0}, "1/2"),
    ],
)
def test_forms_through_the_output(text, parameters, wanted):
    """On either side of a hidden kink, of a slope without bound, and for special parameters."""
    assert form_of(text, **parameters) == wanted


@pytest.mark.parametrize("text", ["z**3/(1 + z**2)", "z**3/(1 + z**2) + 1"])
def test_a_form_has_a_value_where_it_would_be_0_over_0(text):
    """At the place where the root of a cubic equation is a triple one."""
    form = through_output(derive(parse(text)))
    there = value_at(parse(text).expression, mpmath.mpf(0))
    with pytest.raises(UndefinedError):
        value_at(form.arguments[2], 0, a=there)
    assert value_at(form, 0, a=there) == 0


@pytest.mark.parametrize(
    ("text", "parameters"),
    [
        ("z**alpha", {"alpha": 2.0}),
        ("z**alpha", {"alpha": -2.0}),
        ("z**alpha", {"alpha": 12.0}),
        ("where(z == 0, 1, sinh(z)/z)", {}),
        ("where(z > 0, z + tanh(z), z/10 + tanh(z)/2 + 1)", {}),
        ("max(sin(z), cos(z))", {}),
        ("abs(sin(z))", {}),
    ],
)
def test_places_with_one_output_on_any_two_pieces_exclude_a_form(text, parameters):
    """Also where a piece by itself tells its slope, and where there are too many pieces."""
    formula = parse(text, parameters)
    with pytest.raises(NoOutputFormError, match=r"alone: f\(") as caught:
        through_output(derive(formula))
    one, two = str(caught.value).partition("alone: f(")[2].split(") = ")[:2]
    places = [mpmath.mpf(x.removeprefix("f(")) for x in (one, two)]
    values = [value_at(formula.expression, z, parameters) for z in places]
    assert abs(values[0] - values[1]) < 1e-5


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("where(z == 1, z, z**3) + mean(z)", 1),
        ("where((z - 1)**2 <= 0, z, z**3) + mean(z)", 1),
        ("where(0 < abs(z - 1), z**3, z) * mean(z)", 1),
        ("where(z != 0, exp(z), 1)/sum(exp(z))", 0),
        ("where(z**2 - 4*z + 4 > 0, sqrt(1 + z), sqrt(3)) + max(z)", 2),
        ("where(z == 1, where(z <= 3, z, 0), z**3) + mean(z)", 1),
        ("where(z == 0, 1, (exp(z) - 1)/z) + mean(z)", 0),
        ("where(z != 1, log(z)/(z - 1), 1)/sum(exp(z))", 1),
        ("where(abs(z) > 0, sin(3*z)/z, 3)*max(z)", 0),
        ("where(z == 0, -1, (exp(-z) - 1)/z) - sum(z)", 0),
    ],
)
def test_layers_have_the_slope_of_the_branch_that_a_place_continues(text, place):
    """Compared with central differences, of which the ends lie on that branch."""
    formula = parse(text)
    graph = derive(formula).graph
    with mpmath.workdps(60):
        z, g = [mpmath.mpf(place), mpmath.mpf("2.6")], [mpmath.mpf("0.7"), mpmath.mpf("-1.9")]
        wanted = layer_gradient(formula.expression, z, g)
        a = layer_values(formula.expression, {"z": z})
        for selects in (False, True):
            chained = backward_graph(graph, selects=selects)[0].expression()
            got = evaluate_layer(chained, {"z": z, "a": a, "g": g})
            assert all(abs(x - y) < 1e-15 for x, y in zip(got, wanted, strict=True))


@pytest.mark.parametrize(
    ("text", "slope"), [("where(z == 2, z - 7, 3*z) + mean(z)", 1), ("where(z < 2, z, 3*z - 4)", 3)]
)
def test_a_branch_that_is_not_continued_keeps_its_slope(text, slope):
    """Where the value jumps, or the other side is more than a place."""
    graph = derive(parse(text)).graph
    got = evaluate_layer(
        backward_graph(graph)[0].expression(), {"z": [mpmath.mpf(2)] * 2, "g": [mpmath.mpf(1)] * 2}
    )
    assert got == [slope + ("mean" in text)] * 2


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("where(sum(z**2) == 0, mean(z), z)", 0),
        ("where(sum((z - 1)**2) <= 0, mean(z), z)", 1),
        ("where(mean(abs(z)) > 0, z*sqrt(sum(z**2)), 0)", 0),
        ("where(sum(abs(z)) == 0, 0, z/(1 + sum(abs(z))))", 0),
        ("where(max(abs(2*z - 6)) != 0, z*mean(z) + exp(z), 9 + exp(z))", 3),
    ],
)
def test_a_layer_that_continues_a_branch_has_its_slope(text, place):
    """By central differences of the layer of units that are alike, and in no kink."""
    formula = parse(text)
    derivation = derive(formula)
    g = [mpmath.mpf(x) for x in ("0.7", "-1.3", "0.4")]
    for units in (1, 2, 3):
        z, seeds = [mpmath.mpf(place)] * units, g[:units]
        with mpmath.workdps(50):
            wanted = layer_gradient(formula.expression, z, seeds, {})
            backward = backward_graph(derivation.graph)[0].expression()
            known = {"z": z, "a": layer_values(formula.expression, {"z": z}, {}), "g": seeds}
            forms = (backward, derivation.product, derivation.product_from_output)
            for form in filter(None, forms):
                got = evaluate_layer(form, known)
                assert all(abs(x - y) < 1e-15 for x, y in zip(got, wanted, strict=True))
    choices = [kink.choice.operation for kink in derivation.layer_kinks]
    assert "where" not in choices


@pytest.mark.parametrize(
    ("text", "place", "wanted"),
    [
        ("where(sum(z**2) == 0, 5, z)", 0, [0, 0]),
        ("where(sum(z**2) == 0, z, 2*max(z) + 0*z)", 0, [1, 2]),
        ("where(sum((z**2 - 1)**2) == 0, mean(z), z)", 1, [1.5, 1.5]),
    ],
)
def test_a_layer_that_continues_no_smooth_branch_keeps_its_own_slope(text, place, wanted):
    """Two units with ∂J/∂a = 1 and 2; of units that are 1 or -1 there are many layers."""
    backward = backward_graph(derive(parse(text)).graph)[0].expression()
    known = {"z": [mpmath.mpf(place)] * 2, "g": [mpmath.mpf(1), mpmath.mpf(2)]}
    assert evaluate_layer(backward, known) == wanted
