"""Derivatives by parameters and second derivatives, against differences in many digits."""

from __future__ import annotations

import re
from itertools import product

import mpmath
import numpy as np
import pytest
from tests.derivations.shared import derivation_of
from tests.formulas.language import value_at

import chainrule
from chainrule.catalogue import activation_formula, activations
from chainrule.derivations import derive, node_names
from chainrule.derivations._evaluate import evaluate, evaluate_layer
from chainrule.documents import text_of
from chainrule.formulas import parse, to_text

_NAMES = [e.name for e in activations()]
_ELEMENTWISE = [n for n in _NAMES if not activation_formula(n).is_layer_coupled]
_OWN = [
    ("z/(1 + exp(-beta*z))", {"beta": 1.5}),
    ("where(z > theta, alpha*z**2, tanh(beta*z))", {"theta": 0.5, "alpha": 2.0, "beta": 0.75}),
    ("max(alpha*z, min(z, beta)) + abs(z - gamma)", {"alpha": 0.1, "beta": 2.0, "gamma": 1.0}),
    ("log(1 + exp(beta*z))/beta", {"beta": 2.0}),
    ("(1 + z**2)**p", {"p": 0.75}),
    ("exp(z/T)/sum(exp(z/T))", {"T": 2.0}),
    ("(z - mean(z))/sqrt(mean((z - mean(z))**2) + eps)", {"eps": 0.25}),
    ("alpha*z/max(abs(z) + beta*mean(z))", {"alpha": 3.0, "beta": 0.5}),
    ("min(beta*z)*tanh(z - beta)", {"beta": 1.25}),
]
_WITH_PARAMETERS = [
    *((n, dict(activation_formula(n).parameters)) for n in _NAMES
      if activation_formula(n).parameters),
    *_OWN,
]  # fmt: skip
_PLACES = [mpmath.mpf(x) for x in ("-2.3125", "-0.8125", "-0.1875", "0.4375", "1.6875", "3.0625")]
_STEP = mpmath.mpf(10) ** -26


@pytest.mark.parametrize(("text", "parameters"), _WITH_PARAMETERS, ids=lambda x: str(x)[:40])
def test_derivatives_by_parameters_equal_differences(text: str, parameters: dict) -> None:
    """For one layer of units, kinks and nested reductions included, to 30 digits."""
    formula = activation_formula(text, **parameters)
    for found in derivation_of(text, **parameters).by_parameters:
        with mpmath.workdps(80):
            values = {name: mpmath.mpf(value) for name, value in formula.parameters}

            def layer(by, values=values, found=found):
                moved = {**values, found.name: values[found.name] + by, "z": _PLACES}
                return evaluate_layer(formula.expression, moved)

            known = {**values, "z": _PLACES, "a": layer(0)}
            got = evaluate_layer(found.derivative, known)
            for value, above, below in zip(got, layer(_STEP), layer(-_STEP), strict=True):
                slope = (above - below) / (2 * _STEP)
                assert abs(value - slope) < mpmath.mpf(10) ** -30 * (1 + abs(slope))


@pytest.mark.parametrize("text", [*_ELEMENTWISE, "z*tanh(exp(z))", "max(z, 0)**3", "z**2*exp(-z)"])
def test_second_derivatives_equal_differences_of_second_order(text: str) -> None:
    """In z, and through the output where that form is given, between kinks."""
    formula = activation_formula(text)
    derivation = derivation_of(text)
    assert derivation.pieces is not None
    step = mpmath.mpf(10) ** -25
    with mpmath.workdps(100):
        values = {name: mpmath.mpf(value) for name, value in formula.parameters}
        for z in _PLACES:
            k = sum(b.place < z for b in derivation.pieces.breakpoints)

            def at(x, values=values):
                return evaluate(formula.expression, {**values, "z": x})

            bend = (at(z + step) - 2 * at(z) + at(z - step)) / step**2
            found = derivation.second[k]
            for side in (found.by_preactivation, found.through_output):
                if side is not None:
                    got = evaluate(side, {**values, "z": z, "a": at(z)})
                    assert abs(got - bend) < mpmath.mpf(10) ** -30 * (1 + abs(bend))


def test_hand_worked_derivatives() -> None:
    """Tanh'' = -2a(1 - a²), sigmoid'' = a(1 - a)(1 - 2a), and the ELU by alpha."""
    sigmoid = derive(parse("1/(1 + exp(-z))")).second[0].through_output
    assert sigmoid is not None
    with mpmath.workdps(40):
        a = mpmath.mpf("0.3")
        assert abs(evaluate(sigmoid, {"a": a}) - a * (1 - a) * (1 - 2 * a)) < 1e-35
    elu = derive(activation_formula("elu")).by_parameters[0]
    assert [text_of(piece) for piece in elu.pieces] == ["exp(z) - 1", "0"]


def test_a_jump_of_the_slope_has_no_second_derivative() -> None:
    assert "there is no second derivative" in str(chainrule.activation("relu").derivation())


def test_the_jacobian_of_the_softmax_is_the_hand_worked_one() -> None:
    """diag(a) - a aᵀ for every example."""
    softmax = chainrule.activation("softmax")
    z = np.array([[0.5, -1.0, 2.0], [0.0, 0.0, 0.0]])
    a = softmax(z)
    wanted = np.stack([np.diag(row) - np.outer(row, row) for row in a])
    np.testing.assert_allclose(softmax.jacobian(z), wanted, rtol=1e-14, atol=1e-16)


def test_the_jacobian_of_an_elementwise_function_is_diagonal() -> None:
    np.testing.assert_array_equal(chainrule.activation("relu").jacobian([-1, 2]), np.diag([0, 1]))


@pytest.mark.parametrize(
    ("text", "parameters", "name", "z", "wanted"),
    [
        ("max(0, z)**p", {"p": 2.0}, "p", "-1", 0),
        ("max(0, z)**p", {"p": 2.0}, "p", "0", 0),
        ("where(z > 0, z**p, -abs(z)**q)", {"p": 1.5, "q": 2.0}, "p", "-2", 0),
        ("where(z > 0, z, z*alpha)", {"alpha": 0.5}, "alpha", "-3", -3),
    ],
)
def test_a_branch_that_is_not_taken_leaves_no_trace(text, parameters, name, z, wanted) -> None:
    """Also where the other branch's derivative is not defined, and where 0 is raised to p."""
    derivation = derive(parse(text, parameters))
    assert str(derivation)
    found = next(d for d in derivation.by_parameters if d.name == name)
    assert evaluate(found.derivative, {**parameters, "z": mpmath.mpf(z)}) == wanted


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("max(0, z)", "taken there: 0, since max takes its constant 0 where both"),
        ("max(z/2, z)", "taken there: 0.5, since max takes its first argument z/2 where"),
        ("abs(z - 2)", "At z = 2 the slope jumps from -1 to 1; taken there: 0, since sign(0) = 0"),
        ("where(z >= 0, z, 0)", "taken there: 1, since z ≥ 0 holds there"),
        ("where(z > 1, z, 0)", "The function itself jumps there, from 0 to 1"),
        ("where(z > 0, sqrt(z), 0)", "the slope jumps from 0 to ∞"),
        ("where(z > 0, z, exp(z) - 1)", "the second derivative jumps from 1 to 0"),
    ],
)
def test_a_kink_is_stated_with_what_is_taken_and_why(text: str, sentence: str) -> None:
    assert sentence in " ".join(derive(parse(text)).to_text(1000).split())


def test_a_decimal_stays_a_decimal_and_does_not_keep_a_form_from_being_shortened() -> None:
    """As 851 over 500 it would stand in every product, longer than what is simplified."""
    bend = text_of(derive(parse("z/(1 + exp(-1.702*z))")).second[0].by_preactivation)
    assert "1.702" in bend
    assert "851" not in bend
    assert len(bend) < 100


def test_the_softmax_by_its_temperature_is_written_in_the_output() -> None:
    """∂a/∂T = a (Σ a z - z)/T², which the differences above confirm."""
    softmax = derive(parse("exp(z/T)/sum(exp(z/T))", {"T": 2.0})).by_parameters[0]
    assert text_of(softmax.derivative) == "a·(Σ_k a·z - z)/T²"


_IN_OUTPUT = [
    ("z/(1 + exp(-beta*z))", {"beta": 1.5}, ["a·(z - a)"]),
    ("tanh(beta*z + c)", {"beta": 2.0, "c": 1.0}, ["z·(1 - a²)", "1 - a²"]),
    ("(1 + z**2)**p", {"p": 0.75}, ["a·log(1 + z²)"]),
    ("z/sqrt(1 + alpha*z**2)", {"alpha": 0.5}, ["-a³/2"]),
    ("log(1 + exp(beta*z))/beta", {"beta": 2.0}, ["(z - a - z·exp(-a·beta))/beta"]),
    ("where(z > 0, z, alpha*(exp(z) - 1))", {"alpha": 1.5}, ["a/alpha", None]),
    ("max(0, z)**p", {"p": 2.0}, [None, "a·log(z)"]),
]


@pytest.mark.parametrize(("text", "parameters", "wanted"), _IN_OUTPUT)
def test_derivatives_by_parameters_are_written_in_the_output(text, parameters, wanted) -> None:
    """As worked by hand; and each equals the derivative in z, which the differences confirm."""
    derivation = derive(parse(text, parameters))
    found = [form for d in derivation.by_parameters for form in d.through_output]
    assert [form and text_of(form) for form in found] == wanted


@pytest.mark.parametrize(("text", "parameters"), _WITH_PARAMETERS, ids=lambda x: str(x)[:40])
def test_forms_and_steps_by_parameters_have_the_value_of_the_derivative(text, parameters) -> None:
    formula = activation_formula(text, **parameters)
    derivation = derivation_of(text, **parameters)
    if formula.is_layer_coupled or derivation.pieces is None:
        return
    names = node_names(derivation.graph)
    with mpmath.workdps(60):
        values = {name: mpmath.mpf(value) for name, value in formula.parameters}
        for z, found in product(_PLACES, derivation.by_parameters):
            wanted = evaluate(found.derivative, {**values, "z": z})
            k = sum(b.place < z for b in derivation.pieces.breakpoints)
            at = {**values, "z": z, "a": evaluate(formula.expression, {**values, "z": z})}
            nodes = {
                name.name: evaluate(derivation.graph.expression(index), at)
                for index, name in names.items()
            }
            assert found.step is not None
            sides = [(found.step.through_nodes, {**values, **nodes})]
            if found.through_output[k] is not None:
                sides.append((found.through_output[k], at))
            for form, known in sides:
                got = evaluate(form, known)
                assert abs(got - wanted) < mpmath.mpf(10) ** -40 * (1 + abs(wanted))


def test_the_step_to_a_parameter_names_the_nodes_that_use_it() -> None:
    shown = str(derive(parse("log(1 + exp(beta*z))/beta", {"beta": 2.0})))
    assert "∂a/∂beta = ∂a/∂u5·∂u5/∂beta + ∂a/∂u1·∂u1/∂beta" in shown


@pytest.mark.parametrize("n", [0.0, -1.0, -0.5])
def test_a_power_without_a_value_at_zero_has_no_derivative_by_its_exponent_there(n) -> None:
    for text in ("z**n", "max(0, z)**n", "z**(n*mean(z))"):
        found = derive(parse(text, {"n": n})).by_parameters[0]
        known = {"z": [mpmath.mpf(0), mpmath.mpf(1)], "n": n}
        assert mpmath.isnan(evaluate_layer(found.derivative, known)[0]), text


def test_the_limit_that_is_taken_by_an_exponent_is_said() -> None:
    shown = " ".join(str(derive(parse("z**n", {"n": 2.0}))).split())
    assert "Where z = 0 the derivative by n is taken as 0, the limit of log(z)·z^n" in shown
    assert "is taken as 0" not in str(derive(parse("z**n", {"n": -1.0})))


def test_a_power_by_its_exponent_is_zero_at_zero() -> None:
    """0**n stays 0 when n changes, although log(0) is undefined."""
    found = derive(parse("z**n", {"n": 2.0})).by_parameters[0]
    assert evaluate(found.derivative, {"z": 0, "n": 2}) == 0
    with mpmath.workdps(40):
        value = evaluate(found.derivative, {"z": 3, "n": 2})
        assert abs(value - 9 * mpmath.log(3)) < mpmath.mpf(10) ** -35


def test_no_second_derivative_is_stated_where_there_is_none() -> None:
    """Where log(z) has no value there is none, and none at the kink z = 1 either."""
    text = derive(parse("max(log(z), 0)")).to_text()
    assert re.findall(r"∂²a/∂z² = .*", text) == [
        "∂²a/∂z² = 0    where 0 < z < 1",
        "∂²a/∂z² = -1/z² = -exp(-2·a)    where z > 1",
    ]


def test_derivatives_alike_on_pieces_side_by_side_are_stated_once() -> None:
    """By alpha, only max(alpha*z, z) changes: z up to 0, whatever the kink at -2."""
    text = derive(parse("max(alpha*z, z) + abs(z + 2)", {"alpha": 0.1})).to_text()
    assert re.findall(r"∂a/∂alpha = .*", text)[-2:] == [
        "∂a/∂alpha = z    where z ≤ 0",
        "∂a/∂alpha = 0    where z > 0",
    ]


def test_another_order_of_terms_is_not_called_a_simpler_form() -> None:
    """Of z + sinh(z)**2 no form is shorter; of z*(z + 3)/6 inside its kinks 1/2 + z/3 is."""
    assert "shorter form" not in derive(parse("z + sinh(z)**2")).to_text()
    assert "= 1 + 2·sin(z)·cos(z) = 1 + sin(2·z)" in derive(parse("z + sin(z)**2")).to_text()
    inside = parse("where(z <= -3, 0, where(z >= 3, z, z*(z + 3)/6))")
    assert "= 1/2 + z/3    where -3 < z < 3" in derive(inside).to_text()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("tanh(z)/cosh(z)", "tanh(z)*(6*tanh(z)**2 - 5)/cosh(z)"),
        ("log1p(z)/(1 + log1p(z))", "-((3 + log1p(z))/((1 + z)**2*(1 + log1p(z))**3))"),
    ],
)
def test_second_derivatives_are_short_in_the_authors_functions(text: str, wanted: str) -> None:
    """As worked by hand, and right to thirty digits."""
    (bend,) = derive(parse(text)).second
    assert to_text(bend.by_preactivation) == wanted
    for place in _PLACES[3:]:
        with mpmath.workdps(90):
            truth = mpmath.diff(lambda z: value_at(parse(text).expression, z), place, 2)
            assert abs(value_at(bend.by_preactivation, place) - truth) < 1e-30 * abs(truth)


@pytest.mark.parametrize("text", ["max(0, z)", "max(-1, min(1, z))", "abs(z)"])
def test_pieces_with_one_second_derivative_are_shown_as_one(text):
    section = derive(parse(text)).sections[-1]
    (shown,) = section.equations
    assert text_of(shown.sides[-1]) == "0"
    assert shown.remark == "everywhere else"


_WRITTEN = [  # formula, parameters, what its page has, and what not
    (
        "z*tanh(log(1 + exp(beta*z)))/beta",
        {"beta": 0.7},
        "∂a/∂beta = z²·exp(beta·z)·(1 - tanh(log(1 + exp(beta·z)))²)/(beta·(1 + exp(beta·z)))",
        "1/beta·z",
    ),
    (
        "where(z > t, lam*z, lam*alpha*(exp(z) - 1))",
        {"t": 0.3, "lam": 1.05, "alpha": 1.67},
        "= lam·I(u0 > t) + alpha·lam·I(u0 ≤ t)·u2",
        "∂a/∂t = 0 ∂a/∂t = 0",
    ),
    (
        "z/(1 + abs(z)**k)**(1/k)",
        {"k": 3.0},
        "= -a^(k - 1)·(1 - a^k)^((2 + k)/k)·(1 + k) where z > 0",
        "1 + |z|^k = 0",
    ),
]


@pytest.mark.parametrize(("text", "parameters", "shown", "absent"), _WRITTEN)
def test_equal_factors_are_powers_and_parameters_come_first(text, parameters, shown, absent):
    """No fraction within a product, no derivative twice, no limit where no base can be 0."""
    page = " ".join(str(derive(parse(text, parameters))).split())
    assert shown in page
    assert absent not in page
