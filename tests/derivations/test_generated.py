"""Formulas that nobody has written: never wrong, never hanging, no error but the package's own.

By default a few fixed examples; ``make fuzz`` draws thousands of new ones.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.cases import bounded
from tests.derivations.oracle import (
    PLACES,
    check_cost,
    check_documents,
    check_elementwise,
    check_parameters,
    check_portrait,
    check_product,
    contradicted,
    settled_places,
)
from tests.formulas.generated import (
    Written,
    cost_formulas,
    coupled_formulas,
    elementwise_formulas,
)

from chainrule.catalogue import activation_formula
from chainrule.derivations import backward_graph, derive, derive_cost
from chainrule.formulas import ChainruleError, Formula, parse, to_text
from chainrule.portraits import portrait

LONGEST = 30.0  # seconds of processor time: more is a hang, on slow machines too
OUTPUTS = ("sigmoid", "tanh", "softmax", "identity", "softplus", "leaky_relu", "z**2")


def examples(count: int) -> Callable[..., object]:
    """Return few fixed examples, or, in the profile for it, as many new ones as that says."""
    if settings.get_current_profile_name() == "fuzz":
        return settings(settings.get_profile("fuzz"))
    return settings(
        max_examples=count,
        derandomize=True,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


def read(w: Written, variables: tuple[str, ...] = ("z",)) -> Formula | None:
    """Parse what was drawn; what the package refuses it refuses by its own errors."""
    try:
        formula = parse(w.text, w.values, variables=variables)
    except ChainruleError:
        return None
    again = parse(to_text(formula.expression), w.values, variables=variables)
    assert again.expression == formula.expression
    return formula


def check_activation(w: Written) -> int:
    """Check everything that is said of an element-wise formula, against the tree as drawn."""
    formula = read(w)
    if formula is None:
        return 0
    with bounded(LONGEST):
        derivation = derive(formula)
        check_documents(derivation)
    return contradicted(lambda: check_elementwise(w.expression, derivation))


@examples(20)
@given(elementwise_formulas())
def test_any_elementwise_formula(w):
    """Pieces, kinks, forms through the output, witnesses, second and parameters' derivatives."""
    check_activation(w)


@examples(9)
@given(coupled_formulas())
def test_any_layer_coupled_formula(w):
    """∂J/∂z of layers of one to four units, plain and in closed form, and by the parameters."""
    formula = read(w)
    if formula is None:
        return
    with bounded(LONGEST):
        derivation = derive(formula)
        check_documents(derivation)
    plain = backward_graph(derivation.graph)[0].expression()
    for product in (plain, derivation.product):
        if product is not None:
            contradicted(lambda p=product: check_product(w.expression, p, w.values))
    contradicted(lambda: check_parameters(w.expression, derivation, ("-2.3", "0.31", "1.7")))


@examples(14)
@given(cost_formulas(), st.sampled_from(OUTPUTS))
def test_any_cost_behind_an_output(w, output):
    """∂J/∂a, and ∂J/∂z through the output, for targets of every kind."""
    cost = read(w, ("a", "y"))
    if cost is None:
        return
    activation = activation_formula(output)
    with bounded(LONGEST):
        derivation = derive_cost(activation, cost)
        check_documents(derivation)
    contradicted(lambda: check_cost(activation, cost, derivation))


@examples(12)
@given(elementwise_formulas(leaves=4, awkward=False))
def test_any_portrait(w):
    """What is proved of range, slopes and stretches holds at every place."""
    formula = read(w)
    if formula is not None:
        settled = settled_places(w.expression, w.values, PLACES)
        found = portrait(formula)
        contradicted(lambda: check_portrait(w.expression, found, settled))


REDUCED = [
    ("sign(min(alpha, z))", {"alpha": 1e-300}),
    ("0**z", {}),
    ("0**where(z < z, z, z)", {}),
    ("where(z <= 3, z, z)**where(z != 3, pi**z, sinh(z))", {}),
    ("exp(exp((z/z)**(-z)))", {}),
    ("z**(-1/3) - min(1e300, z)", {}),
    ("min(1e9, z)**1e9", {}),
    ("((3*z)**1e9)**2", {}),
    ("max(beta**z, where(z >= beta, z, beta))", {"beta": 1e17}),
    ("where(z == z**1e9, tanh(z), z)*max(pi, z)", {}),
    ("where(tanh(asinh(sinh(cos(expm1(sinh(z)))))) < where(z <= 3, z, z), 1, min(1/2, z))", {}),
    ("max(expm1(z), where(z > 1/z, min(1/3, z), pi)**(3 - z))", {}),
    ("max(z, 1e-300)**-2 + 1e9 + z", {}),
    ("2**2**2**2**z", {}),
    ("abs(min(z/(-z), -z))", {}),
    ("sqrt(min(alpha, z))", {"alpha": -1.0}),
    ("sign(z)**alpha", {"alpha": 5e-324}),
    (
        "atan(sin(log(log(asinh(sinh(sqrt(atan(cos(erf(sqrt(erf(z))))))))))))**max(z**100, z**pi)",
        {},
    ),
    ("sinh(tanh(expm1(expm1(-where(z < alpha, alpha, z)))))", {"alpha": 1e8}),
    ("beta_1**z + min(1e300, z)", {"beta_1": 0.1}),
    ("(24*abs(z))**1.9999999999", {}),
    ("alpha**(1e300 - z)", {"alpha": 0.1}),
]


@pytest.mark.long
@pytest.mark.parametrize(("text", "values"), REDUCED, ids=[text for text, _ in REDUCED])
def test_formulas_that_were_once_wrong_or_slow(text, values):
    """Reduced from what generated formulas found."""
    expression = parse(text, values).expression
    w = Written(expression, tuple(values.items()))
    check_activation(w)
    with bounded(LONGEST):
        found = portrait(parse(text, values))
    check_portrait(expression, found, settled_places(expression, values, PLACES))


@pytest.mark.parametrize("name", ["g", "v", "u0", "n", "J", "m"])
def test_a_parameter_may_bear_the_name_of_a_symbol(name):
    """What stands for ∂J/∂a, for a node or for a number of units is no parameter."""
    values = {name: -1.5}
    coupled = parse(f"{name}*exp(z)/sum(exp({name}*z))", values)
    derivation = derive(coupled)
    assert derivation.product is not None
    check_product(coupled.expression, backward_graph(derivation.graph)[0].expression(), values)
    check_product(coupled.expression, derivation.product, values)
    assert str(derivation.hessian)
    cost = parse(f"sum({name}/a + y*a)", values, variables=("a", "y"))
    sigmoid = activation_formula("sigmoid")
    assert check_cost(sigmoid, cost, derive_cost(sigmoid, cost))


@pytest.mark.parametrize(
    "text",
    ["sum((where((a > alpha), pi, a)**2))", "sum((alpha - exp(a)))", "sum(alpha*abs(a - y))"],
)
def test_a_cost_and_its_activation_may_have_parameters_of_one_name(text):
    """Each keeps its own value."""
    activation = activation_formula("leaky_relu")
    cost = parse(text, {"alpha": 1.0}, variables=("a", "y"))
    derivation = derive_cost(activation, cost)
    check_documents(derivation)
    assert check_cost(activation, cost, derivation)
