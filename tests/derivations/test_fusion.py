"""Costs behind output activations, against differences and hand-worked results."""

from __future__ import annotations

import mpmath
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.formulas.language import layer_values

from chainrule.catalogue import activation_formula, assumption_on_targets, cost_formula, costs
from chainrule.derivations import derive, derive_cost
from chainrule.derivations._evaluate import evaluate_layer
from chainrule.documents import text_of
from chainrule.formulas import parse

_DISTRIBUTION = ("0.5", "0", "0.2", "0.3")
_SIGNS = ("1", "-1", "-1", "1")
_ANY = ("1.5", "-0.25", "0.75", "-2")
_POSITIVE = ("1", "0", "3", "2")
_TARGETS = {
    "hinge": _SIGNS,
    "squared_hinge": _SIGNS,
    "half_squared_error": _ANY,
    "absolute_error": _ANY,
    "huber": _ANY,
    "log_cosh": _ANY,
    "quantile": _ANY,
    "cosine": _ANY,
    "poisson": _POSITIVE,
}
_PROBABILITIES = {
    *("binary_cross_entropy", "categorical_cross_entropy", "focal", "binary_focal"),
    *("label_smoothed_cross_entropy", "kullback_leibler"),
}
_OUTPUTS = ("sigmoid", "softmax", "exp(z - max(z))/sum(exp(z - max(z)))", "softmin")
_PAIRS = [
    (output, cost.name)
    for cost in costs()
    for output in (
        _OUTPUTS
        if cost.name in _PROBABILITIES
        else ("exponential", "softplus")
        if cost.name == "poisson"
        else (
            *("identity", "tanh", "relu", "elu", "softmax", "layer_norm", "max(0.1*z, z)"),
            *("erf", "silu", "absolute", "l2_normalization"),
        )
    )
]


@pytest.mark.long
@pytest.mark.parametrize(("output", "name"), _PAIRS)
def test_fused_gradient_equals_differences_of_the_composed_cost(output: str, name: str) -> None:
    """∂J/∂z agrees with central differences of J(g(z)) to 30 digits, zero targets included."""
    activation, cost = activation_formula(output), cost_formula(name)
    fused = derive_cost(activation, cost, assumption_on_targets(cost)).fused
    if fused.by_preactivation is None:
        return
    parameters = {**dict(activation.parameters), **dict(cost.parameters)}
    with mpmath.workdps(80):
        z = [mpmath.mpf(x) for x in ("0.3", "-1.1", "0.7", "-0.4")]
        y = [mpmath.mpf(x) for x in _TARGETS.get(name, _DISTRIBUTION)]

        def cost_at(units: list[mpmath.mpf]) -> mpmath.mpf:
            a = evaluate_layer(activation.expression, {**parameters, "z": units})
            return evaluate_layer(cost.expression, {**parameters, "a": a, "y": y})[0]

        a = evaluate_layer(activation.expression, {**parameters, "z": z})
        got = evaluate_layer(fused.by_preactivation, {**parameters, "z": z, "a": a, "y": y})
        step = mpmath.mpf(10) ** -26
        for j, value in enumerate(got):
            above = cost_at([x + step * (k == j) for k, x in enumerate(z)])
            below = cost_at([x - step * (k == j) for k, x in enumerate(z)])
            slope = (above - below) / (2 * step)
            assert abs(value - slope) < mpmath.mpf(10) ** -30 * (1 + abs(slope))


@pytest.mark.parametrize(
    ("output", "name", "expected"),
    [
        ("sigmoid", "binary_cross_entropy", "a - y"),
        ("softmax", "categorical_cross_entropy", "a - y"),
        ("exp(z - max(z))/sum(exp(z - max(z)))", "categorical_cross_entropy", "a - y"),
        ("softmax", "kullback_leibler", "a - y"),
        ("log_softmax", "negative_log_likelihood", "exp(a) - y"),
        ("identity", "half_squared_error", "a - y"),
        ("exponential", "poisson", "a - y"),
        ("softmax", "label_smoothed_cross_entropy", "a + epsilon·y - y - epsilon/n"),
        ("identity", "absolute_error", "sign(a - y)"),
        ("identity", "quantile", "I(a > y) - tau"),
        ("identity", "log_cosh", "tanh(a - y)"),
        ("identity", "huber", "where(|a - y| > delta, delta·sign(a - y), a - y)"),
        ("identity", "hinge", "-I(a·y < 1)·y"),
        ("relu", "half_squared_error", "where(a ≤ 0, 0, a - y)"),
        ("elu", "half_squared_error", "(a - y)·where(a ≤ 0, a + alpha, 1)"),
        ("absolute", "half_squared_error", "sign(z)·(a - y)"),
        ("erf", "half_squared_error", "2·exp(-z²)·(a - y)/sqrt(π)"),
        ("sigmoid", "focal", "y·(1 - a)^gamma·(a + a·gamma·log(a) - 1)"),
        ("softmax", "cosine", "a·(a·(Σ_k a·y)/(Σ_k a²) - y)/sqrt((Σ_k a²)·Σ_k y²)"),
        (
            "l2_normalization",
            "cosine",
            "(a·(Σ_k a·y)/(Σ_k a²) - y)/(sqrt(eps + Σ_k z²)·sqrt((Σ_k a²)·Σ_k y²))",
        ),
        (
            "softmax",
            "focal",
            "y·(a·gamma·log(a)·(1 - a)^(gamma - 1) - (1 - a)^gamma) - "
            "a·Σ_k y·(a·gamma·log(a)·(1 - a)^(gamma - 1) - (1 - a)^gamma)",
        ),
    ],
)
def test_known_pairs_have_their_short_form(output: str, name: str, expected: str) -> None:
    cost = cost_formula(name)
    fused = derive_cost(activation_formula(output), cost, assumption_on_targets(cost)).fused
    assert fused.by_preactivation is not None
    assert text_of(fused.by_preactivation) == expected


def test_a_comparison_of_targets_stays_inside_the_sum() -> None:
    """An indicator of y differs from unit to unit: it is not a factor of the layer."""
    cost = parse("sum(where(y > 0, -y*log(a), 0))", variables=("a", "y"))
    fused = derive_cost(activation_formula("softmax"), cost, "sum(y) == 1").fused
    assert fused.by_preactivation is not None
    a, y = [mpmath.mpf("0.25")] * 4, [mpmath.mpf(x) for x in (1, 0, 0, 0)]
    got = evaluate_layer(fused.by_preactivation, {"a": a, "y": y})
    assert [float(x) for x in got] == [-0.75, 0.25, 0.25, 0.25]


def test_a_form_that_hides_the_output_in_a_branch_is_not_computed_with() -> None:
    """Behind ELU the short form rounds where the output saturates."""
    cost = cost_formula("half_squared_error")
    fused = derive_cost(activation_formula("elu"), cost).fused
    assert fused.by_preactivation is not None
    assert not fused.keeps_gradient


def test_where_the_output_does_not_tell_the_slope_it_stands_in_z() -> None:
    """The form is shown, right at the kink too, and not computed with: its factors are."""
    cost = cost_formula("half_squared_error")
    derivation = derive_cost(activation_formula("absolute"), cost)
    form = derivation.fused.by_preactivation
    assert form is not None
    known = {"z": [mpmath.mpf(x) for x in (-2, 0, 3)], "a": [2, 0, 3], "y": [1, 1, 1]}
    assert [int(x) for x in evaluate_layer(form, known)] == [-1, 0, 2]
    assert not derivation.fused.keeps_gradient
    assert "This form asks for z too" in derivation.to_text()


def test_it_is_not_said_that_an_output_that_tells_the_slope_does_not():
    """Softmax-like outputs tell it, as their own page proves, in a form that the cost does not use.

    The largest output is 1 over the sum.
    """
    activation = activation_formula("max(z - max(z) + 1, 0)**2/sum(max(z - max(z) + 1, 0)**2)")
    assert derive(activation).product_from_output is not None
    fused = derive_cost(activation, cost_formula("kullback_leibler"))
    assert "tell" not in fused.fused.reason_for_two_factors


@pytest.mark.parametrize("name", ["categorical_cross_entropy", "poisson"])
def test_an_output_that_has_lost_its_digits_is_no_counterexample(name: str) -> None:
    """At z = -4.7 the steep normal distribution is about 1e-1050, and cancels to 0."""
    fused = derive_cost(
        parse("(1 + erf(16*z/sqrt(2)))/2"), cost_formula(name), targets={"low": 0.0}
    ).fused
    assert fused.by_preactivation is not None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sum(abs(a - y))", [("a = y", "0", False)]),
        ("sum(max(0, 1 - y*a))", [("a·y = 1", "0", False)]),
        ("sum(max(0, 1 - y*a)**2)", [("a·y = 1", "0", True)]),
        ("sum(max(0.25*(y - a), 0.75*(a - y)))", [("y = a", "-1/4", False)]),
        ("sum(where(a > y, 3*(a - y), y - a))", [("a = y", "-1", False)]),
        ("sum((a - y)**2)", []),
    ],
)
def test_kinks_of_a_cost_are_stated(text: str, expected: list[tuple[str, str, bool]]) -> None:
    """Where the branches meet, the slope taken there, and whether it is a kink at all."""
    derivation = derive_cost(activation_formula("identity"), parse(text, variables=("a", "y")))
    found = [(text_of(k.boundary), text_of(k.slope), k.is_smooth) for k in derivation.kinks]
    assert [(set(b.split(" = ")), slope, smooth) for b, slope, smooth in found] == [
        (set(b.split(" = ")), slope, smooth) for b, slope, smooth in expected
    ]


def test_branches_that_meet_smoothly_are_no_kink() -> None:
    """Huber's cost changes its form at |a - y| = delta, not its slope."""
    derivation = derive_cost(activation_formula("identity"), cost_formula("huber"))
    assert derivation.kinks
    assert all(kink.is_smooth for kink in derivation.kinks)
    assert "no kink" in derivation.to_text()


def test_the_document_leads_from_the_cost_to_the_pre_activation() -> None:
    """Every node of the cost, the product before simplification, and the assumption by unit."""
    cost = cost_formula("categorical_cross_entropy")
    derivation = derive_cost(activation_formula("softmax"), cost, assumption_on_targets(cost))
    text = derivation.to_text()
    for line in (
        "∂J_i/∂u4 = -1",
        "∂J_i/∂z_j = a_j·(-y_j/a_j - Σ_k a_k·(-y_k/a_k))",
        "Σ_k y_k = 1 in every example",
        "∂J/∂Z = (A - Y)/m",
    ):
        assert line in text
    assert "\\frac" in derivation.to_latex()


_TERMS = st.sampled_from(
    [
        *("(a - y)**2", "abs(a - y)", "y*a", "log(1 + exp(-y*a))", "max(0, 1 - y*a)", "a**3"),
        *("sqrt(1 + (a - y)**2)", "log(cosh(a - y))", "where(a > y, a - y, 2*(y - a))"),
        *("exp(-(a - y)**2)", "min(abs(a - y), 0.5)", "atan(a - y)", "where(y > 0, a**2, -a)"),
    ]
)
_OUTPUT_ACTIVATIONS = st.sampled_from(
    ["identity", "sigmoid", "tanh", "softplus", "relu", "elu", "softmax", "log_softmax", "rms_norm"]
)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    terms=st.lists(_TERMS, min_size=1, max_size=2),
    weights=st.lists(st.sampled_from(["0.5", "2", "-1.25"]), min_size=2, max_size=2),
    reduction=st.sampled_from(["sum", "mean"]),
    output=_OUTPUT_ACTIVATIONS,
)
def test_costs_of_ones_own_are_never_wrong(terms, weights, reduction, output) -> None:
    """∂J/∂z by values computed here: what is shown is right, or is not shown."""
    weighted = (f"({w})*({t})" for w, t in zip(weights, terms, strict=False))
    text = f"{reduction}({' + '.join(weighted)})"
    activation, cost = activation_formula(output), parse(text, variables=("a", "y"))
    fused = derive_cost(activation, cost).fused
    if fused.by_preactivation is None:
        return
    values = dict(activation.parameters)
    with mpmath.workdps(80):
        z = [mpmath.mpf(x) for x in ("0.43", "-1.21", "0.77", "-0.34")]
        y = [mpmath.mpf(x) for x in ("0.61", "-0.37", "1.13", "0.29")]

        def cost_at(units: list[mpmath.mpf]) -> mpmath.mpf:
            a = layer_values(activation.expression, {"z": units}, values)
            return layer_values(cost.expression, {"a": a, "y": y}, values)[0]

        a = layer_values(activation.expression, {"z": z}, values)
        got = layer_values(fused.by_preactivation, {"a": a, "y": y, "z": z}, values)
        step = mpmath.mpf(10) ** -26
        for j, value in enumerate(got):
            up, down = (cost_at([x + s * (k == j) for k, x in enumerate(z)]) for s in (step, -step))
            slope = (up - down) / (2 * step)
            assert abs(value - slope) < mpmath.mpf(10) ** -30 * (1 + abs(slope))


def test_each_adjoint_is_written_with_those_of_the_nodes_that_use_it() -> None:
    """Equal adjoints are one node, but a reader follows the graph: u6 is used by u7 alone."""
    cost = cost_formula("binary_cross_entropy")
    text = derive_cost(activation_formula("sigmoid"), cost).to_text()
    assert "∂J_i/∂u6 = ∂J_i/∂u7·u3" in text
    assert "∂J_i/∂u2 = ∂J_i/∂u5·u0" in text
