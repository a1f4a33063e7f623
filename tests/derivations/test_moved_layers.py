"""Layers moved by a number have the forms of what is moved, as short as these.

The oracle is the difference quotient of the formula; a form may ask for the output alone.
"""

from __future__ import annotations

import mpmath
import pytest
from tests.derivations.oracle import check_product
from tests.derivations.shared import derivation_of
from tests.formulas.language import layer_values

from chainrule.derivations import evaluate_layer
from chainrule.derivations.algebra._arithmetic import size
from chainrule.formulas import to_text, variables_of

_LONGEST = 120  # parts of what a page tells
_NORMALISED = [
    "{gain}*(z - mean(z))/(sqrt(mean((z - mean(z))**2)) + eps) + {bias}",
    "{gain}*(z - mean(z))/sqrt(mean((z - mean(z))**2) + eps) + {bias}",
    "{gain}*z/(sqrt(mean(z**2)) + eps) + {bias}",
    "{gain}*z/sqrt(sum(z**2) + eps) - {bias}",
    "{bias} - {gain}*exp(z)/sum(exp(z))",
    "3*({gain}*z/(1 + sum(abs(z))) + {bias}) - eps",
]
_NAMES = [("gain", 1.5, "bias", 0.25), ("w", -2.0, "k", 0.0)]


@pytest.mark.parametrize("names", _NAMES, ids=str)
@pytest.mark.parametrize("text", _NORMALISED)
def test_a_moved_layer_has_a_form_through_the_output_alone(text, names):
    """The form and what is told have the values of the formula's own, and are short."""
    gain, factor, bias, shift = names
    values = {gain: factor, bias: shift, "eps": 0.001}
    text = text.format(gain=gain, bias=bias)
    derivation = derivation_of(text, **{k: v for k, v in values.items() if k in text})
    form, expression = derivation.product_from_output, derivation.formula.expression
    assert form is not None
    assert variables_of(form) <= {"a", "g"}
    assert check_product(expression, derivation.product, values)
    assert check_product(expression, form, values)
    assert size(form) <= _LONGEST
    with mpmath.workdps(60):
        z = [mpmath.mpf(x) for x in ("0.7", "-1.3", "2.2", "0.1")]
        a = layer_values(expression, {"z": z}, values)
        for left, right in derivation.told_by_output:
            sides = [evaluate_layer(side, {**values, "z": z, "a": a}) for side in (left, right)]
            assert all(abs(x - y) < 1e-40 for x, y in zip(*sides, strict=False))
            assert size(right) <= _LONGEST


@pytest.mark.parametrize(
    ("text", "product"),
    [
        ("1 - exp(z)/sum(exp(z))", "(a - 1)*(g + sum((a - 1)*g))"),
        ("2*exp(z)/sum(exp(z)) - 1", "(a + 1)*(g - sum((a + 1)*g)/2)"),
        ("2 + log(sum(exp(z))) - z", "sum(g)*exp(2 - a) - g"),
        ("exp(z)/(exp(z) + max(exp(z))) - 1/2 + (2 - 3/2)", None),
    ],
)
def test_numbers_are_joined_and_signs_stand_outside(text, product):
    """``a - (-1)`` is ``a + 1``, and of a number less a layer the differences are turned round."""
    derivation = derivation_of(text)
    if product is not None:
        assert to_text(derivation.product) == product
    assert check_product(derivation.formula.expression, derivation.product, {})


def test_a_stage_gives_out_the_moved_layer():
    """No stage of its own adds the number."""
    text = "gain*(z - mean(z))/(sqrt(mean((z - mean(z))**2)) + eps) + bias"
    stages = derivation_of(text, gain=1.5, eps=0.001, bias=0.25).stages
    definitions = [to_text(stage.definition) for stage in stages]
    assert definitions == ["z - mean(z)", "gain*z/(sqrt(mean(z**2)) + eps) + bias"]


_NORMAL = "(z - mean(z))/sqrt(mean((z - mean(z))**2) + eps)"


@pytest.mark.parametrize(
    "text", [f"gain*tanh({_NORMAL}) + bias", f"tanh({_NORMAL})", f"tanh(gain*{_NORMAL} - bias)"]
)
def test_a_function_of_a_normalised_layer_has_its_form(text):
    """It has the formula's own slopes, and stands on the page."""
    values = {"gain": 1.5, "eps": 0.1, "bias": 0.25}
    derivation = derivation_of(text, **{k: v for k, v in values.items() if k in text})
    form = derivation.product_from_output
    assert form is not None
    assert check_product(derivation.formula.expression, form, values)
    assert "No form through the output alone" not in derivation.to_text()


def test_a_clipped_layer_is_not_told_where_two_units_are_clipped():
    """Both layers have the outputs that the formula gives, and other slopes."""
    text = f"max(min({_NORMAL}, 2), -2)"
    derivation = derivation_of(text, eps=0.1)
    witness = derivation.layer_witness
    assert witness is not None
    assert "times" in str(witness)
    with mpmath.workdps(60):
        one, two = (
            layer_values(
                derivation.formula.expression, {"z": list(map(mpmath.mpf, z))}, {"eps": 0.1}
            )
            for z in (witness.first, witness.second)
        )
    assert all(abs(x - y) < 1e-6 for x, y in zip(one, two, strict=True))
    assert abs(witness.slopes[0] - witness.slopes[1]) > 1e-3


def test_choices_inside_an_equation_are_indicators_and_signs_are_not_doubled():
    """A page reads ``∂J/∂a_j/(…) - …·I(… > 0)``, parameters first, and no ``+ -``."""
    text = "gain*(z - mean(z))/(sqrt(mean((z - mean(z))**2)) + eps) + bias"
    page = derivation_of(text, gain=1.5, eps=0.001, bias=0.25).to_text()
    assert "where(" not in page
    assert "+ -" not in page
    assert "gain·∂J/∂a_j/(eps + sqrt(mean_k h_k²))" in page
    assert "(a_j - bias)·(mean_k (a_k - bias)·∂J/∂a_k)/(gain·sqrt(mean_k h_k²))" in page


def test_a_bend_at_the_largest_unit_is_told_once():
    """``abs(z - max(z))`` bends where several units share the largest z, and nowhere else."""
    (kink,) = derivation_of("abs(z - max(z))").layer_kinks
    assert to_text(kink.choice) == "max(z)"
