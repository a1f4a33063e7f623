"""Second derivatives of layer-coupled functions, against differences and hand-worked results."""

from __future__ import annotations

from itertools import product
from xml.etree import ElementTree

import mpmath
import pytest
from tests.cases import bounded
from tests.derivations.shared import derivation_of
from tests.formulas.language import layer_values

from chainrule.catalogue import activation_formula, activations
from chainrule.derivations import Hessian, derive
from chainrule.documents import text_of
from chainrule.formulas import Formula

_NAMED = [e.name for e in activations() if activation_formula(e.name).is_layer_coupled]
_OWN = [
    "z/sqrt(sum(z**2))",
    "z - mean(z)",
    "z/sum(z)",
    "z/max(abs(z))",
    "exp(z - max(z))/sum(exp(z - max(z)))",
    "z*exp(z)/sum(exp(z))",
    "log(sum(exp(z)))",
    "z*tanh(mean(z**2))",
    "sqrt(sum(z**2))*z/(1 + sum(z**2))",
    "where(z > mean(z), z**2, z*sum(z))",
    "exp(z/sqrt(sum(z**2)))/sum(exp(z/sqrt(sum(z**2))))",
    "1/(1 + exp(-(z - mean(z))/sqrt(mean((z - mean(z))**2) + 0.01)))",
]
_LAYER = ("0.7", "-1.3", "2.1", "0.4", "-0.2")


def _entry(found: Hessian, p: int, j: int, q: int) -> tuple[object, dict[str, int]]:
    """Return the form that holds for three units, and which unit each index means."""
    if p == j == q:
        return found.own, {"j": j}
    if p in (j, q):
        return found.mixed, {"j": p, "q": q if p == j else j}
    if j == q:
        return found.other, {"p": p, "j": j}
    return found.apart, {"p": p, "j": j, "q": q}


def _at(form, units, z, a, values):
    """Evaluate an entry: what carries an index is one number, all else a value for each unit."""
    indexed = {
        f"{name}_{index}": layer[unit]
        for index, unit in units.items()
        for name, layer in (("z", z), ("a", a))
    }
    known = {name: [value] * len(z) for name, value in indexed.items()}
    return layer_values(form, {"z": z, "a": a, **known}, values)[0]


def _check(formula: Formula, found: Hessian, digits: int = 25) -> None:
    values = dict(formula.parameters)
    step = mpmath.mpf(10) ** -30
    with mpmath.workdps(120):
        z = [mpmath.mpf(x) for x in _LAYER]

        def moved(j: int, q: int, by_j: int, by_q: int):
            units = list(z)
            units[j] += by_j * step
            units[q] += by_q * step
            return layer_values(formula.expression, {"z": units}, values)

        a = layer_values(formula.expression, {"z": z}, values)
        for j, q in ((0, 0), (2, 2), (0, 1), (2, 4)):
            corners = [moved(j, q, *signs) for signs in product((1, -1), repeat=2)]
            for p in (0, 2, 3):
                bend = corners[0][p] - corners[1][p] - corners[2][p] + corners[3][p]
                bend /= 4 * step**2
                got = _at(*_entry(found, p, j, q), z, a, values)
                assert abs(got - bend) < mpmath.mpf(10) ** -digits * (1 + abs(bend)), (p, j, q)


@pytest.mark.long
@pytest.mark.parametrize("text", [*_NAMED, *_OWN])
def test_second_derivatives_of_a_layer_equal_differences(text: str) -> None:
    """All cases of equal and different units, to 25 digits, nested reductions included."""
    formula = activation_formula(text)
    found = derivation_of(text).hessian
    assert found is not None
    _check(formula, found)


def test_the_check_tells_a_wrong_entry() -> None:
    """The oracle above fails for the entry of other units put where the unit's own belongs."""
    formula = activation_formula("softmax")
    found = derive(formula).hessian
    assert found is not None
    wrong = Hessian(found.own, found.mixed, found.mixed, found.apart, found.product)
    with pytest.raises((AssertionError, KeyError)):
        _check(formula, wrong)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (
            "softmax",
            ["a_j·(a_j - 1)·(2·a_j - 1)", "a_j·a_q·(2·a_j - 1)", "a_j·a_p·(2·a_j - 1)",
             "2·a_j·a_p·a_q"],
        ),
        ("z - mean(z)", ["0", "0", "0", "0"]),
        ("log_softmax", ["exp(a_j)·(exp(a_j) - 1)", "exp(a_j + a_q)"]),
    ],
)  # fmt: skip
def test_hand_worked_second_derivatives(text: str, wanted: list[str]) -> None:
    """Softmax: a_p((δ_pj - a_j)(δ_pq - a_q) - a_j(δ_jq - a_q)), case by case."""
    found = derive(activation_formula(text)).hessian
    assert found is not None
    assert [text_of(e) for e in found.entries[: len(wanted)]] == wanted


def test_the_hessian_vector_product_of_the_softmax_equals_its_entries_put_together() -> None:
    formula = activation_formula("softmax")
    found = derive(formula).hessian
    assert found is not None
    units = range(4)
    with mpmath.workdps(40):
        z, g, v = (
            [mpmath.mpf(x) for x in row]
            for row in (_LAYER[:4], ("1", "-2", "0.5", "3"), ("0.3", "1", "-1", "2"))
        )
        a = layer_values(formula.expression, {"z": z}, {})
        got = layer_values(found.product, {"z": z, "a": a, "g": g, "v": v}, {})
        for j in units:
            wanted = mpmath.fsum(
                g[p] * v[q] * _at(*_entry(found, p, j, q), z, a, {}) for p in units for q in units
            )
            assert abs(got[j] - wanted) < mpmath.mpf(10) ** -35


def test_second_derivatives_are_part_of_the_derivation_as_text_latex_and_page() -> None:
    derivation = derive(activation_formula("softmax"))
    assert "∂²a_p/∂z_j∂z_q = 2·a_j·a_p·a_q    for p, j and q all different" in str(derivation)
    assert r"\frac{\partial^2 a_{p}}{\partial z_{j} \partial z_{q}}" in derivation.to_latex()
    ElementTree.fromstring(f"<page>{derivation._repr_html_()}</page>")
    assert str(derivation.hessian).startswith("Second derivatives of softmax")


def test_where_units_tie_there_is_no_second_derivative() -> None:
    assert "units tie there is no second derivative" in str(derive(activation_formula("z/max(z)")))


def test_a_long_second_derivative_is_bounded_in_time() -> None:
    """A softmax of a normalised layer of gated units is answered, or left out, in two seconds."""
    inner = "(z*tanh(z) - mean(z*tanh(z)))/sqrt(mean((z*tanh(z) - mean(z*tanh(z)))**2) + 0.1)"
    derivation = derive(activation_formula(f"exp({inner})/sum(exp({inner}))"))
    with bounded(2.5):
        found = derivation.hessian
    if found is not None:
        _check(derivation.formula, found)


def test_elementwise_functions_have_no_layer_hessian() -> None:
    assert derive(activation_formula("tanh")).hessian is None
