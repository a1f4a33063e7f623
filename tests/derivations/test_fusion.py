"""Costs behind output activations, against differences and hand-worked results."""

from __future__ import annotations

import mpmath
import pytest

from chainrule.catalogue import activation_formula, assumption_on_targets, cost_formula, costs
from chainrule.derivations import derive_cost
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
        else ("identity", "tanh", "relu", "elu", "softmax", "layer_norm", "max(0.1*z, z)")
    )
]


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
