"""Costs as users write them, behind several outputs, against differences in many digits."""

from __future__ import annotations

import random

import mpmath
import pytest
from tests.derivations.oracle import UnsettledError, slope_of
from tests.formulas.language import UndefinedError, layer_values

from chainrule.catalogue import activation_formula
from chainrule.derivations import derive_cost, fused_gradient
from chainrule.formulas import parse, to_text

COSTS = [
    ("contrastive", "sum(y*a**2 + (1 - y)*max(0, margin - a)**2)/2", {"margin": 1.0}),
    ("margin of classes", "max(0, 1 + max(a - y) - sum(y*a))", {}),
    ("largest other class", "max(a*(1 - y)) - sum(a*y)", {}),
    ("Dice", "1 - (2*sum(a*y) + s)/(sum(a) + sum(y) + s)", {"s": 1.0}),
    ("squared Dice", "1 - 2*sum(a*y)/(sum(a**2) + sum(y**2) + 0.01)", {}),
    ("IoU", "1 - (sum(a*y) + 0.1)/(sum(a) + sum(y) - sum(a*y) + 4)", {}),
    ("Tversky", "1 - sum(a*y)/(sum(a*y) + p*sum((1 - y)*a) + q*sum(y*(1 - a)) + 5)",
     {"p": 0.3, "q": 0.7}),
    ("log-cosh", "sum(log(cosh(a - y)))", {}),
    ("scaled log-cosh", "sum(log(cosh(k*(a - y))))/k", {"k": 3.0}),
    ("mean log-cosh of ratios", "mean(log(cosh((a - y)/(1 + y**2))))", {}),
    ("weighted squares", "sum((1 + 4*y)*(a - y)**2)", {}),
    ("weighted by distance", "sum(abs(a - y)*(a - y)**2)", {}),
    ("asymmetric", "sum(where(a > y, alpha*(a - y)**2, (a - y)**2))", {"alpha": 0.2}),
    ("pinball", "sum(max(tau*(y - a), (tau - 1)*(y - a)))", {"tau": 0.9}),
    ("epsilon-insensitive", "sum(max(0, abs(a - y) - epsilon))", {"epsilon": 0.1}),
    ("tempered", "log(sum(exp(a/T))) - sum(y*a)/T", {"T": 2.0}),
    ("root of mean squares", "sqrt(mean((a - y)**2) + 1e-3)", {}),
    ("generalised", "sum(((a - y)**2 + c)**p)", {"c": 0.5, "p": 0.4}),
    ("Cauchy", "sum(log(1 + ((a - y)/c)**2))", {"c": 2.0}),
    ("Welsch", "sum(1 - exp(-(a - y)**2/2))", {}),
    ("Geman-McClure", "sum((a - y)**2/(1 + (a - y)**2))", {}),
    ("largest error", "max(abs(a - y))", {}),
    ("variance of errors", "mean((a - y - mean(a - y))**2)", {}),
    ("cosine distance", "1 - sum(a*y)/sqrt((sum(a**2) + 0.01)*(sum(y**2) + 0.01))", {}),
    ("elastic", "sum((a - y)**2) + l*sum(abs(a))", {"l": 0.3}),
]  # fmt: skip
TURNS = 1  # of random layers and targets a pair
OUTPUTS = ("sigmoid", "softmax", "identity", "tanh")
TOLERANCE = mpmath.mpf(10) ** -30


def _random(seed: str) -> tuple[list[mpmath.mpf], list[mpmath.mpf]]:
    numbers = random.Random(seed)
    return tuple(
        [mpmath.mpf(numbers.randint(-2000, 2000)) / 1024 for _ in range(3)] for _ in range(2)
    )


def test_a_cost_of_positive_targets_has_its_short_form() -> None:
    """Behind the sigmoid the output cancels: (log a - log y)² of one unit."""
    cost = parse("sum((log(a) - log(y))**2)/2", variables=("a", "y"))
    short = derive_cost(activation_formula("sigmoid"), cost).fused.by_preactivation
    assert short is not None
    assert to_text(short) == "(1 - a)*(log(a) - log(y))"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "sum(sqrt(1 + (a - y)**2/delta**2) - 1)*delta**2",
            "(a - y)/sqrt(1 + (a - y)**2/delta**2)",
        ),
        ("sum(log(1 + (a - y)**2/2))", "(a - y)/(1 + (a - y)**2/2)"),
        ("sum((a - y)**2/(1 + (a - y)**2))", "2*(a - y)/(1 + (a - y)**2)**2"),
    ],
    ids=["pseudo-Huber", "Lorentz", "Geman-McClure"],
)
def test_what_depends_on_the_difference_alone_is_written_in_it(text: str, expected: str) -> None:
    """Common factors are cancelled without multiplying out what the author squared."""
    values = {"delta": 0.5} if "delta" in text else {}
    cost = parse(text, values, variables=("a", "y"))
    derivation = derive_cost(activation_formula("identity"), cost)
    assert to_text(derivation.fused.by_output) == expected


SHORT = [
    ("sum((a - y)**2)/(1 + sum((a - y)**2))", "identity", "2*(a - y)/(1 + sum((a - y)**2))**2"),
    (
        "sum((a - y)**2)/(1 + sum((a - y)**2))",
        "sigmoid",
        "2*a*(1 - a)*(a - y)/(1 + sum((a - y)**2))**2",
    ),
    (
        "sum((a - y)**2)/(1 + sum((a - y)**2))",
        "softmax",
        "2*a*(a - y - sum(a*(a - y)))/(1 + sum((a - y)**2))**2",
    ),
    (
        "sqrt(sum((a - y)**2))",
        "softmax",
        "where(sqrt(sum((a - y)**2)) > 0, a*(a - sum(a*(a - y)) - y)/sqrt(sum((a - y)**2)), 0)",
    ),
    ("sum(sqrt(1 + (a - y)**2) - 1)", "sigmoid", "a*(1 - a)*(a - y)/sqrt(1 + (a - y)**2)"),
    ("sum((sqrt(a) - y)**2)", "sigmoid", "(1 - a)*(a - y*sqrt(a))"),
    ("sum(log(1 + exp(-y*a)))", "tanh", "y*(a**2 - 1)/(1 + exp(a*y))"),
    (
        "-sum((2*y - 1)*a)/(1 + sum(abs(a)))",
        "softmax",
        "a*(1 + sign(a)*sum((2*y - 1)*a)/(1 + sum(abs(a))) - 2*y - "
        "sum(a*(1 + sign(a)*sum((2*y - 1)*a)/(1 + sum(abs(a))) - 2*y)))/(1 + sum(abs(a)))",
    ),
]


@pytest.mark.parametrize(("text", "output", "expected"), SHORT)
def test_sums_of_a_cost_stay_together(text: str, output: str, expected: str) -> None:
    """What outputs share stands once before the rest, and equals differences."""
    activation, cost = activation_formula(output), parse(text, variables=("a", "y"))
    form = derive_cost(activation, cost).fused.by_preactivation
    assert form is not None
    assert to_text(form) == expected
    with mpmath.workdps(60):
        z, y = _random(text)
        step = mpmath.mpf(10) ** -20

        def total(units: list[mpmath.mpf]) -> mpmath.mpf:
            a = layer_values(activation.expression, {"z": units})
            return layer_values(cost.expression, {"a": a, "y": y})[0]

        got = layer_values(form, {"a": layer_values(activation.expression, {"z": z}), "y": y})
        for j in range(3):
            up, down = (
                total([x + side * step * (k == j) for k, x in enumerate(z)]) for side in (1, -1)
            )
            assert abs(got[j] - (up - down) / (2 * step)) < 1e-30


@pytest.mark.long
@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize(("name", "text", "parameters"), COSTS, ids=[c[0] for c in COSTS])
def test_gradients_of_users_costs_equal_differences(name, text, parameters, output) -> None:
    """∂J/∂a, and ∂J/∂z in its short form or by the two factors, to 30 digits."""
    activation, cost = activation_formula(output), parse(text, parameters, variables=("a", "y"))
    derivation = derive_cost(activation, cost)
    checked = 0
    for turn in range(TURNS):
        with mpmath.workdps(80):
            z, y = _random(f"{name} {output} {turn}")
            a = layer_values(activation.expression, {"z": z})
        forms = [(derivation.fused.by_output, a, lambda a: a)]
        if derivation.fused.by_preactivation is not None:
            through = activation.expression
            forms.append(
                (
                    derivation.fused.by_preactivation,
                    z,
                    lambda z, through=through: layer_values(through, {"z": z}),
                )
            )
        for form, units, outputs in forms:
            with mpmath.workdps(150):
                known = {"z": z, "y": y, "a": layer_values(activation.expression, {"z": z})}
                got = layer_values(form, known, parameters)
            for j in range(3):

                def total(t, j=j, units=units, outputs=outputs, y=y):
                    moved = [t if k == j else x for k, x in enumerate(units)]
                    return layer_values(cost.expression, {"a": outputs(moved), "y": y}, parameters)[
                        0
                    ]

                try:
                    wanted = slope_of(total, units[j])
                except (UnsettledError, UndefinedError):
                    continue
                assert abs(got[j] - wanted) < TOLERANCE * (1 + abs(wanted)), (form, j)
                checked += 1
    assert checked


@pytest.mark.parametrize(
    ("text", "kink"),
    [
        ("sum(y*a**2 + (1 - y)*max(0, 1 - a)**2)/2", "The branches meet"),
        ("sum(max(0, abs(a - y) - 0.1))", "The cost has a kink where"),
        ("sum(where(a > y, (a - y)**2/5, (a - y)**2))", "with one slope: no kink"),
        ("sum(abs(a - y) + abs(a))", "The cost has a kink where a_j = 0"),
    ],
)
def test_kinks_of_users_costs_are_stated(text: str, kink: str) -> None:
    derivation = derive_cost(activation_formula("identity"), parse(text, variables=("a", "y")))
    assert kink in " ".join(str(derivation).split())


@pytest.mark.parametrize(
    ("text", "parameters", "gradient"),
    [
        ("1 - 2*sum(a*y)/(sum(a) + sum(y))", {}, "2*a*(sum(a*y) - y)/(1 + sum(y))"),
        (
            "1 - (2*sum(a*y) + s)/(sum(a) + sum(y) + s)",
            {"s": 1.0},
            "2*a*(sum(a*y) - y)/(1 + s + sum(y))",
        ),
    ],
)
def test_outputs_that_add_up_to_a_number_are_not_added_up(text, parameters, gradient):
    """Behind a softmax the Dice loss has 1 for the sum of the outputs."""
    cost = parse(text, parameters, variables=("a", "y"))
    fused = fused_gradient(activation_formula("softmax"), cost)
    assert to_text(fused.by_preactivation) == gradient
