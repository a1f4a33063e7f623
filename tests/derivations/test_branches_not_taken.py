"""Slopes where a branch is not taken whose own slope is undefined there: it contributes 0."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from tests.derivations.oracle import slope_of
from tests.formulas.language import layer_values

import chainrule
from chainrule.derivations import backward_graph, derive, evaluate_layer
from chainrule.derivations._evaluate import evaluate
from chainrule.formulas import parse

_COUPLED = [
    "sqrt(sum(max(z, 0)**2))",
    "z + sqrt(mean(max(z, 0)))",
    "where(z > 0, sqrt(z), 0)*sum(z)",
    "max(z, 0)*sqrt(max(z, 0))/(1 + sum(sqrt(max(z, 0))))",
    "z*sum(where(z > 1, log(z - 1), 0))",
    "z - sqrt(max(max(z - 2, 0)))",
    "z + sqrt(sum(max(min(z, 3), 0)))",
]
_ELEMENTWISE = [
    "where(z > 0, z**0.5, exp(z))",
    "sqrt(max(z, 0))",
    "z*sqrt(max(z, 0))",
    "exp(z)*sqrt(max(z, 0))",
    "where(z > 1, log(z - 1), 0)*z",
    "log(1 + sqrt(max(z, 0)))",
    "sqrt(max(z, 0)**2) - z",
]


@pytest.mark.parametrize("text", _COUPLED)
@pytest.mark.parametrize("z", [(-1, -2), (-0.5, 3.7, -2), (1.3, 2.9)])
def test_layers_have_the_slopes_of_difference_quotients(text, z):
    """Written out by the chain rule and in closed form, and as the kernel computes them."""
    formula = parse(text)
    derivation = derive(formula)
    g = [mpmath.mpf(k + 2) / 3 for k in range(len(z))]
    kernel = chainrule.activation(text).backward(
        np.array([[float(x) for x in g]]), np.array([z], dtype=float)
    )
    known = {"z": list(map(mpmath.mpf, z)), "g": g}
    known["a"] = evaluate_layer(formula.expression, known)
    written = [backward_graph(derivation.graph)[0].expression(), derivation.product]
    assert written[1] is not None
    for j in range(len(z)):

        def cost(t, j=j):
            moved = [t if k == j else mpmath.mpf(x) for k, x in enumerate(z)]
            return mpmath.fdot(g, layer_values(formula.expression, {"z": moved}))

        wanted = slope_of(cost, known["z"][j])
        assert kernel[0, j] == pytest.approx(float(wanted), rel=1e-13, abs=1e-15)
        for product in written:
            assert abs(evaluate_layer(product, known)[j] - wanted) < 1e-13


@pytest.mark.parametrize("text", _ELEMENTWISE)
@pytest.mark.parametrize("place", [-1.7, -0.3, 0.4, 2.6])
def test_functions_have_the_slopes_of_difference_quotients(text, place):
    formula = parse(text)
    wanted = slope_of(lambda t: layer_values(formula.expression, {"z": [t]})[0], mpmath.mpf(place))
    slope = derive(formula).steps[-1].in_variables
    assert abs(evaluate(slope, {"z": mpmath.mpf(place)}) - wanted) < 1e-13


_CHOSEN = {
    "where(sum(abs(z)) == 0, 0, z/sum(abs(z)))": [0, 0, 0],
    "where(max(abs(z)) > 0, z/max(abs(z)), z)": [2, -1, 3],
    "where(max(z) == min(z), 3*z, (z - min(z))/(max(z) - min(z)))": [6, -3, 9],
    "where(sum(z**2) == 0, z/2, z*tanh(sqrt(sum(z**2)))/sqrt(sum(z**2)))": [1, -0.5, 1.5],
}


@pytest.mark.parametrize(("text", "wanted"), _CHOSEN.items())
def test_a_choice_of_the_whole_layer_keeps_out_what_is_undefined(text, wanted):
    """What all units share is not asked for what the branch that is not taken would pass back."""
    z, g = np.zeros((1, 3)), np.array([[2.0, -1.0, 3.0]])
    assert chainrule.activation(text).backward(g, z).tolist() == [wanted]
    product = derive(parse(text)).product
    known = {name: list(map(mpmath.mpf, row[0])) for name, row in (("z", z), ("g", g))}
    known["a"] = evaluate_layer(parse(text).expression, known)
    assert evaluate_layer(product, known) == wanted


def test_a_kink_of_a_unit_is_no_kink_of_what_is_not_taken():
    """At 0 the slope of max(z, 0) is taken as 0, whatever it multiplies."""
    z, g = np.zeros((1, 2)), np.ones((1, 2))
    assert chainrule.activation("z + sqrt(sum(max(z, 0)**2))").backward(g, z).tolist() == [[1, 1]]


def test_only_an_indicator_makes_zero_of_what_is_undefined():
    """A zero that was computed does not: 0/0 stays undefined."""
    e = parse("max(z, 0)*(1/max(z, 0))").expression
    assert mpmath.isnan(evaluate(e, {"z": mpmath.mpf(-1)}))
