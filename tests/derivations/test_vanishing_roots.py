"""Roots of what is never negative, at layers where that vanishes."""

from __future__ import annotations

import mpmath
import pytest

from chainrule.derivations import backward_graph, derive, evaluate_layer
from chainrule.formulas import parse

_SLOPES = ("0.4", "-1.3", "0.9")
_ZERO, _EQUAL, _ONE = ("0", "0", "0"), ("2", "2", "2"), ("1.7",)


def _differences(expression, z, g, values):
    """Return ∂(Σ g a)/∂z by steps up and down, which agree where a derivative exists."""
    step = mpmath.mpf(10) ** -40
    here = evaluate_layer(expression, {**values, "z": z})

    def slope(j, sign):
        moved = [x + sign * step * (k == j) for k, x in enumerate(z)]
        there = evaluate_layer(expression, {**values, "z": moved})
        return sign * (mpmath.fdot(g, there) - mpmath.fdot(g, here)) / step

    sides = [[slope(j, sign) for j in range(len(z))] for sign in (1, -1)]
    assert all(abs(x - y) < mpmath.mpf(10) ** -12 for x, y in zip(*sides, strict=True))
    return sides[0]


@pytest.mark.parametrize(
    ("text", "values", "places"),
    [
        ("z/(1 + sqrt(sum(z**2)))", {}, _ZERO),
        ("z*sqrt(sum(z**2))", {}, _ZERO),
        ("z/(c + mean(z**2)**0.5)", {"c": 2.0}, _ZERO),
        ("z/(1 + sum(abs(z)**p)**(1/p))", {"p": 3.0}, _ZERO),
        ("z*exp(-sqrt(2*sum(z**2)))", {}, _ZERO),
        ("(z - mean(z))*sqrt(mean((z - mean(z))**2))", {}, _EQUAL),
        ("(z - mean(z))/(1 + sqrt(mean(z**2) - mean(z)**2))", {}, _EQUAL),
        ("where(sqrt(sum(z**2)) > 1, z/sqrt(sum(z**2)), z*sqrt(sum(z**2)))", {}, _ZERO),
        ("z + sqrt(mean((z - mean(z))**2))", {}, _ONE),
        ("z + sqrt(max(z) - z)", {}, ("0.5", "3", "-1")),
        ("z + sqrt((z - mean(z))**4)", {}, _EQUAL),
        ("z + sqrt(mean(z**4))", {}, _ZERO),
    ],
)
def test_the_derivative_is_right_wherever_there_is_one(text, values, places):
    """A root at its least has slope 0 or none; compared with steps to either side."""
    formula = parse(text, values)
    derivation = derive(formula)
    forms = [
        backward_graph(derivation.graph)[0].expression(),
        backward_graph(derivation.graph, selects=True)[0].expression(),
        derivation.product,
        derivation.product_from_output,
    ]
    with mpmath.workdps(130):
        z = [mpmath.mpf(x) for x in places]
        g = [mpmath.mpf(x) for x in _SLOPES[: len(z)]]
        wanted = _differences(formula.expression, z, g, values)
        a = evaluate_layer(formula.expression, {**values, "z": z})
        for form in filter(None, forms):
            got = evaluate_layer(form, {**values, "z": z, "a": a, "g": g})
            for x, y in zip(got, wanted, strict=True):
                assert abs(x - y) < mpmath.mpf(10) ** -12


def test_between_the_slopes_of_a_tip_0_is_taken():
    """The norm of a layer of zeros rises in every direction: its own part passes nothing back."""
    derivation = derive(parse("z + sqrt(sum(z**2))"))
    for form in (backward_graph(derivation.graph)[0].expression(), derivation.product):
        known = {"z": [mpmath.mpf(0)] * 2, "a": [mpmath.mpf(0)] * 2}
        got = evaluate_layer(form, {**known, "g": [mpmath.mpf(3), mpmath.mpf(-5)]})
        assert got == [3, -5]


@pytest.mark.parametrize("text", ["z/sqrt(sum(z**2))", "z/sqrt(mean(z**2) + eps)", "sqrt(sum(z))"])
def test_a_root_that_vanishes_nowhere_where_the_formula_has_a_value_is_left_alone(text):
    """As one whose radicand may be negative, where the slope tends to infinity."""
    formula = parse(f"z + {text}", {"eps": 1e-5} if "eps" in text else {})
    assert "where" not in str(backward_graph(derive(formula).graph, selects=True)[0].expression())
