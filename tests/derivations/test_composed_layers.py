"""Compositions of layer-coupled functions: their products, stages and Jacobians."""

from __future__ import annotations

import mpmath
import pytest
from tests.derivations.oracle import check_product
from tests.formulas.language import layer_gradient, layer_values

from chainrule.catalogue import activation_formula, cost_formula
from chainrule.derivations import closed_form, derive, fused_gradient, undefined_output
from chainrule.derivations._evaluate import evaluate_layer
from chainrule.formulas import parse, to_text, variables_of

_NORM = "(z - mean(z))/sqrt(mean((z - mean(z))**2) + eps)"
COMPOSED = [
    ("exp(max(z, 0))/sum(exp(max(z, 0)))", {}),
    ("z**2/sum(z**2)", {}),
    ("abs(z)**p/sum(abs(z)**p)", {"p": 1.5}),
    ("(z - min(z))/(max(z) - min(z))", {}),
    ("max(z, 0)/(eps + sum(max(z, 0)))", {"eps": 0.01}),
    ("1/(1 + exp(-(z - mean(z))))", {}),
    ("max(z - mean(z), 0)", {}),
    (f"exp({_NORM})/sum(exp({_NORM}))", {"eps": 1e-5}),
    ("where(z > 0, z, alpha*z)/(1 + sum(z**2))", {"alpha": 0.1}),
    ("z*exp(z)/sum(exp(z))", {}),
    ("z*tanh(sum(z))", {}),
    ("mean(z) + abs(z - mean(z))", {}),
]
UNITS, SEEDS = ("0.3", "-1.1", "2.25", "0.7"), ("0.9", "-0.4", "1.3", "0.2")


def mpf(values):
    return [mpmath.mpf(x) for x in values]


@pytest.mark.long
@pytest.mark.parametrize(("text", "parameters"), COMPOSED)
def test_products_and_jacobians_agree_with_differences(text, parameters):
    """Σ g a differentiated by every z_j, and every entry ∂a_p/∂z_j, to thirty digits."""
    formula = parse(text, parameters)
    derivation = derive(formula)
    assert derivation.product is not None
    jacobian = derivation.jacobian
    assert jacobian is not None
    with mpmath.workdps(120):
        z, g = mpf(UNITS), mpf(SEEDS)
        a = layer_values(formula.expression, {"z": z}, parameters)
        got = layer_values(derivation.product, {"a": a, "g": g, "z": z}, parameters)
        wanted = layer_gradient(formula.expression, z, g, parameters, digits=120)
        close = mpmath.mpf(10) ** -30
        assert all(abs(x - y) < close for x, y in zip(got, wanted, strict=True))
        for p in range(4):
            unit = [mpmath.mpf(k == p) for k in range(4)]
            row = layer_gradient(formula.expression, z, unit, parameters, digits=120)
            for j in range(4):
                known = {**parameters, "z": z, "a": a}
                known |= {"z_j": z[j], "a_j": a[j], "z_p": z[p], "a_p": a[p]}
                entry = jacobian.own if p == j else jacobian.cross
                assert abs(evaluate_layer(entry, known)[0] - row[j]) < close


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("exp(max(z, 0))/sum(exp(max(z, 0)))", "a*indicator(z > 0)*(g - sum(a*g))"),
        ("z**2/sum(z**2)", "2*z*(g - sum(a*g))/sum(z**2)"),
        (
            "(z - mean(z))/(1 + mean((z - mean(z))**2))",
            "(g - mean(g))/(1 + mean((z - mean(z))**2)) - 2*a*mean(a*g)",
        ),
        ("max(z - mean(z), 0)", "g*indicator(z > mean(z)) - mean(g*indicator(z > mean(z)))"),
    ],
)
def test_an_inner_function_stands_before_the_closed_form(text, expected):
    assert to_text(derive(parse(text)).product) == expected


def test_a_form_has_a_value_wherever_the_derivative_has_one():
    """Z exp(z)/Σ exp(z): solving for exp(z) would divide by z, which may be 0."""
    product = closed_form(parse("z*exp(z)/sum(exp(z))"))
    assert product is not None
    z = mpf(("0", "1", "-2"))
    a = layer_values(parse("z*exp(z)/sum(exp(z))").expression, {"z": z})
    got = layer_values(product, {"a": a, "g": mpf(("1", "0", "0")), "z": z})
    assert abs(got[0] - a[0] - 1 / mpmath.fsum(map(mpmath.exp, z))) < 1e-14


def test_a_softmax_behind_a_normalisation_is_shown_in_two_stages():
    derivation = derive(parse(f"exp({_NORM})/sum(exp({_NORM}))", {"eps": 1e-5}))
    normalisation, softmax = derivation.stages
    assert to_text(softmax.product) == "a*(g - sum(a*g))"
    assert "g - mean(g) - a*mean(a*g)" in to_text(normalisation.product)
    text = str(derivation)
    assert "∂J/∂H = A ⊙ (∂J/∂A - broadcast(Σ_axis A ⊙ ∂J/∂A))" in text


def test_the_jacobian_of_an_elementwise_function_is_diagonal():
    jacobian = derive(parse("1/(1 + exp(-z))")).jacobian
    assert to_text(jacobian.own) == "a_j*(1 - a_j)"
    assert to_text(jacobian.cross) == "0"
    assert "∂a_p/∂z_j = 0" in str(jacobian)


@pytest.mark.parametrize("cost", ["categorical_cross_entropy", "kullback_leibler"])
def test_a_form_that_vanishes_where_the_output_rounds_is_not_lossless(cost):
    """Y (a - 1) is 0 from z = 37 on behind the sigmoid; the truth is -y exp(-z)."""
    fused = fused_gradient(activation_formula("sigmoid"), cost_formula(cost))
    assert variables_of(fused.by_preactivation) == {"a", "y"}
    assert not fused.keeps_gradient
    softmax = fused_gradient(activation_formula("softmax"), cost_formula(cost), "sum(y) == 1")
    assert softmax.keeps_gradient


def test_a_cost_without_a_value_at_common_outputs_is_found():
    """log(a) has none where a ≤ 0, which the identity gives and the exponential does not."""
    poisson = cost_formula("poisson")
    output = undefined_output(activation_formula("identity"), poisson, {"low": 0.0})
    assert output is not None
    assert output <= 0.0
    assert undefined_output(activation_formula("exponential"), poisson, {"low": 0.0}) is None


@pytest.mark.parametrize(
    "text", ["exp(z)/(exp(z) + mean(exp(z)))", "exp(z)/(1 + exp(z) + sum(exp(z)))"]
)
def test_a_form_that_divides_by_what_the_output_leaves_is_found(text):
    """``exp(z) = m*a/(1 - a)``: the output tells all, and z is not needed."""
    formula = parse(text)
    derivation = derive(formula)
    assert derivation.product is not None
    assert variables_of(derivation.product) == {"a", "g"}
    assert check_product(formula.expression, derivation.product, {}) > 2
