"""Expressions written as on paper: numbers and parameters first, one fraction a product."""

from __future__ import annotations

import mpmath
import pytest
from tests.formulas.language import layer_values

from chainrule.derivations import derive
from chainrule.derivations.algebra._written_products import numbers_first
from chainrule.formulas import parse, to_text

WRITTEN = {
    "z*2*exp(z)*beta": "2*beta*z*exp(z)",
    "z*exp(z)*z*sqrt(exp(z))": "z**2*exp(z)**(3/2)",
    "z*abs(z - 1)**2": "z*(z - 1)**2",
    "z*beta**2*2/(4*beta)": "beta*z/2",
    "sum(z*exp(z)/max(z))*z": "sum(z*exp(z))*z/max(z)",
    "z*beta*(2*exp(z))/sinh(z)/4": "beta*z*exp(z)/(2*sinh(z))",
    "(-z)*beta*6/(4*z)": "-(3*beta*z/(2*z))",
    "z/(exp(z)*3*beta)/(z*2)": "z/(6*beta*exp(z)*z)",
    "z*0.3/7": "3*z/70",
    "z*1.702/7*2": "3.404*z/7",
    "sum(z*2*beta)": "2*beta*sum(z)",
    "mean(-z) + sum(-3*z/exp(z))": "-mean(z) - 3*sum(z/exp(z))",
    "z - mean(-z)": "z + mean(z)",
    "z*exp(-z)*(exp(z) - 1)": "z*(1 - exp(-z))",
    "(3*z + exp(z))*exp(-z)/z": "(3*z*exp(-z) + 1)/z",
    "(z**2)**3 + (z**2)**0.5": "z**6 + (z**2)**(1/2)",
    "where(z > 0, 2*z, z*2)*3": "3*where(z > 0, 2*z, 2*z)",
}


@pytest.mark.parametrize("text", WRITTEN)
def test_numbers_and_parameters_come_first_in_one_fraction(text: str) -> None:
    numbers = {"beta": 1.7} if "beta" in text else {}
    formula = parse(text, numbers)
    written = numbers_first(formula.expression)
    assert to_text(written) == WRITTEN[text]
    z = [mpmath.mpf(x) for x in ("0.7", "-1.3", "2.1")]
    one, other = (layer_values(e, {"z": z}, numbers) for e in (formula.expression, written))
    assert all(abs(x - y) < 1e-14 * abs(x) for x, y in zip(one, other, strict=True))


def test_second_derivatives_of_layers_are_written_so() -> None:
    text = str(derive(parse("(z - mean(-z))/(2 + sum(z**2))")))
    assert "∂w/∂z_j = -2·v_j·(Σ_k ∂J/∂a_k·(z_k + mean_l z_l))/(2 + Σ_k z_k²)²" in text
