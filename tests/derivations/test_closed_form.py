"""∂J/∂z of layer-coupled functions in closed form, and of costs behind their activations."""

from __future__ import annotations

import mpmath
import pytest
from tests.formulas.language import central_difference, layer_gradient, layer_values

from chainrule.catalogue import activation_formula, assumption_on_targets, cost_formula
from chainrule.derivations import backward_graph, closed_form, computation_graph, fused_gradient
from chainrule.derivations.algebra._arithmetic import size
from chainrule.derivations.layers import _closed_form
from chainrule.derivations.layers._closed_form import cost_gradient
from chainrule.documents import text_of
from chainrule.formulas import parse, to_text, variables_of

LAYERS = [
    (("0.3", "-1.1", "2.25", "0.7"), ("0.9", "-0.4", "1.3", "0.2")),
    (("-4", "5.5", "0.125"), ("2", "0", "-3")),
    (("0.75", "-0.5"), ("-1", "1")),
]
CLOSED = {
    "softmax": ("exp(z)/sum(exp(z))", {}, {"a", "g"}),
    "softmin": ("exp(-z)/sum(exp(-z))", {}, {"a", "g"}),
    "softmax shifted by its largest": ("exp(z - max(z))/sum(exp(z - max(z)))", {}, {"a", "g"}),
    "softmax with a temperature": ("exp(z/T)/sum(exp(z/T))", {"T": 2.5}, {"a", "g"}),
    "log-softmax": ("z - log(sum(exp(z)))", {}, {"a", "g"}),
    "layer norm": ("(z - mean(z))/sqrt(mean((z - mean(z))**2) + eps)", {"eps": 0.001}, None),
    "RMS norm": ("z/sqrt(mean(z**2) + eps)", {"eps": 0.001}, None),
    "L2 norm": ("z/sqrt(sum(z**2))", {}, None),
    "centred": ("z - mean(z)", {}, {"g"}),
    "share": ("z/sum(z)", {}, None),
    "L2 norm with eps": ("z/sqrt(sum(z**2) + eps)", {"eps": 0.001}, None),
    "L1 norm": ("z/sum(abs(z))", {}, None),
    "squash": ("z*sqrt(sum(z**2))/(1 + sum(z**2))", {}, None),
    "power norm": ("z/(sum(z**4))**0.25", {}, None),
    "softmax of an inner function": ("exp(z**3)/sum(exp(z**3))", {}, None),
    "softmax of a tanh": ("exp(tanh(z))/sum(exp(tanh(z)))", {}, None),
    "share of softplus": ("log(1 + exp(z))/sum(log(1 + exp(z)))", {}, None),
    "log of the mean": ("z - log(mean(exp(z)))", {}, None),
    "standardised without eps": ("(z - mean(z))/sqrt(mean((z - mean(z))**2))", {}, None),
}


def mpf(values):
    return [mpmath.mpf(x) for x in values]


@pytest.mark.parametrize("name", CLOSED)
def test_closed_forms_agree_with_differences_of_the_layer(name):
    """Σ g a, differentiated by every z_j with ninety digits, to thirty of them."""
    text, parameters, variables = CLOSED[name]
    formula = parse(text, parameters)
    product = closed_form(formula)
    assert product is not None
    if variables is not None:
        assert variables_of(product) <= variables
    for units, seeds in LAYERS:
        z, g = mpf(units), mpf(seeds)
        with mpmath.workdps(120):
            a = layer_values(formula.expression, {"z": z}, parameters)
            got = layer_values(product, {"a": a, "g": g, "z": z}, parameters)
            wanted = layer_gradient(formula.expression, z, g, parameters, digits=120)
            for one, two in zip(got, wanted, strict=True):
                assert abs(one - two) < mpmath.mpf(10) ** -30 * (1 + abs(two))


def test_the_softmax_is_equation_eight():
    """∂J/∂Z = A ⊙ (∂J/∂A - broadcast(Σ ∂J/∂A ⊙ A))."""
    product = closed_form(activation_formula("softmax"))
    assert product is not None
    for units, seeds in LAYERS:
        a, g = mpf(units), mpf(seeds)  # as an identity in a and g, not only for a softmax's a
        total = mpmath.fsum(x * y for x, y in zip(a, g, strict=True))
        got = layer_values(product, {"a": a, "g": g})
        for one, x, y in zip(got, a, g, strict=True):
            assert abs(one - x * (y - total)) < 1e-12


@pytest.mark.parametrize("name", [*CLOSED, "max over the layer", "nested", "mixed"])
def test_the_backward_graph_agrees_with_differences_of_the_layer(name):
    """The vector-Jacobian product before any simplification, for nested reductions too."""
    more = {
        "max over the layer": ("z*max(z) - min(z)**2", {}, None),
        "nested": ("tanh(z - mean(exp(z - max(z))))*sum(sin(z)*mean(z))", {}, None),
        "mixed": ("where(z > mean(z), z, alpha*z) + sum(max(z, 0))", {"alpha": 0.3}, None),
    }
    text, parameters, _ = {**CLOSED, **more}[name]
    formula = parse(text, parameters)
    graph, adjoints = backward_graph(computation_graph(formula.expression))
    assert set(adjoints) <= set(range(len(computation_graph(formula.expression).nodes)))
    for units, seeds in LAYERS:
        z, g = mpf(units), mpf(seeds)
        with mpmath.workdps(90):
            a = layer_values(formula.expression, {"z": z}, parameters)
            got = layer_values(graph.expression(), {"g": g, "z": z, "a": a}, parameters)
            wanted = layer_gradient(formula.expression, z, g, parameters)
            for one, two in zip(got, wanted, strict=True):
                assert abs(one - two) < mpmath.mpf(10) ** -20 * (1 + abs(two))


def test_units_that_share_the_largest_value_share_its_derivative():
    """At a tie of max(z) the slope is divided among the units that attain it."""
    graph, _ = backward_graph(computation_graph(parse("z - max(z)").expression))
    with mpmath.workdps(30):
        z, g = mpf(("2", "1", "2")), mpf(("1", "1", "1"))
        got = layer_values(graph.expression(), {"z": z, "g": g})
        assert got == [mpmath.mpf("-0.5"), 1, mpmath.mpf("-0.5")]


# -- costs --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("activation", "cost"),
    [
        ("identity", "half_squared_error"),
        ("sigmoid", "binary_cross_entropy"),
        ("softmax", "categorical_cross_entropy"),
    ],
)
def test_the_canonical_pairs_reduce_to_a_minus_y(activation, cost):
    """∂J/∂z = a - y for one example, derived."""
    formula = cost_formula(cost)
    fused = fused_gradient(activation_formula(activation), formula, assumption_on_targets(formula))
    assert fused.by_preactivation is not None
    assert text_of(fused.by_preactivation) == "a - y"
    assert fused.keeps_gradient
    needs = "sum(y) == 1" if activation == "softmax" else ""
    assert fused.assumption == needs


def test_the_softmax_pair_without_the_assumption_keeps_the_sum_of_the_targets():
    """Without Σy = 1 the truth is a Σy - y."""
    fused = fused_gradient(activation_formula("softmax"), cost_formula("categorical_cross_entropy"))
    assert fused.by_preactivation is not None
    assert fused.assumption == ""
    with mpmath.workdps(30):
        a, y = mpf(("0.5", "0.3", "0.2")), mpf(("1", "2", "0.5"))
        got = layer_values(fused.by_preactivation, {"a": a, "y": y})
        for one, x, t in zip(got, a, y, strict=True):
            assert abs(one - (x * mpmath.mpf("3.5") - t)) < 1e-28


def test_an_assumption_that_shortens_nothing_is_not_made():
    """Half squared error behind the softmax is the same with targets that sum to one."""
    fused = fused_gradient(
        activation_formula("softmax"), cost_formula("half_squared_error"), "sum(y) == 1"
    )
    assert fused.assumption == ""


PAIRS = [
    (activation, cost)
    for activation in ("identity", "sigmoid", "tanh", "softplus", "softmax", "log_softmax")
    for cost in (
        "half_squared_error",
        "categorical_cross_entropy",
        "binary_cross_entropy",
        "sum(sqrt((a - y)**2 + 1) - 1)",
        "sum(exp(a - y) - (a - y) - 1)",
        "mean((a - y)**4)",
        "log(sum(exp((a - y)**2)))",
    )
]


@pytest.mark.parametrize(("activation", "cost"), PAIRS)
def test_costs_behind_activations_agree_with_differences(activation, cost):
    """∂J/∂a and, where a form is found, ∂J/∂z of named costs and of a user's own."""
    inner, outer = activation_formula(activation), cost_formula(cost)
    fused = fused_gradient(inner, outer)
    y = mpf(("0.25", "0.5", "0.75"))
    # Behind these activations a lies in (0, 1), where both cross-entropies are defined.
    inside = {
        "identity": ("0.3", "0.6", "0.8"),
        "tanh": ("0.2", "1.1", "0.7"),
        "softplus": ("-1.2", "-0.3", "-2"),
    }
    z = mpf(inside.get(activation, ("0.4", "-1.3", "0.9")))
    if activation == "log_softmax" and "cross_entropy" in cost:
        pytest.skip("the logarithm of a negative output is not real")
    with mpmath.workdps(90):
        a = layer_values(inner.expression, {"z": z})

        def cost_of(values):
            return layer_values(outer.expression, {"a": values, "y": y})[0]

        def moved(values, j, t):
            return [t if k == j else v for k, v in enumerate(values)]

        by_output = layer_values(fused.by_output, {"a": a, "y": y})
        for j in range(3):
            wanted = central_difference(lambda t, j=j: cost_of(moved(a, j, t)), a[j])
            assert abs(by_output[j] - wanted) < mpmath.mpf(10) ** -20 * (1 + abs(wanted))
        if fused.by_preactivation is None:
            return
        assert variables_of(fused.by_preactivation) <= {"a", "y"}
        got = layer_values(fused.by_preactivation, {"a": a, "y": y})
        for j in range(3):
            wanted = central_difference(
                lambda t, j=j: cost_of(layer_values(inner.expression, {"z": moved(z, j, t)})), z[j]
            )
            assert abs(got[j] - wanted) < mpmath.mpf(10) ** -20 * (1 + abs(wanted))


def test_forms_that_are_not_linear_in_the_output_do_not_keep_the_gradient():
    """a(1 - a)(a - y) is 0 where a rounds to 1; the kernels must not use it."""
    squared = cost_formula("half_squared_error")
    assert not fused_gradient(activation_formula("sigmoid"), squared).keeps_gradient
    assert not fused_gradient(activation_formula("tanh"), squared).keeps_gradient
    assert not fused_gradient(activation_formula("softmax"), squared).keeps_gradient


@pytest.mark.parametrize(
    ("text", "values", "root", "longest"),
    [
        ("(z + 1)**2*mean(exp(z))", {}, "-1", 25),
        ("z**2/(1 + mean((z - 2)**3))", {}, "2", 30),
        ("(z - beta)**4/(1 + mean(z**2))", {"beta": 0.1}, "0.1", 45),
        ("tanh(z - 1)**2/(1 + sum(cosh(z + 1)))", {}, "1", 40),
    ],
)
def test_powers_of_sums_are_kept_and_no_divisor_vanishes_at_a_unit(text, values, root, longest):
    """Written out, ``sum(g*(z - beta)**4)`` is five sums; and 0/0 has no value at z = beta."""
    formula = parse(text, values)
    product = closed_form(formula)
    assert size(product) <= longest
    with mpmath.workdps(40):
        # As a double: there beta is the same number.
        z = [mpmath.mpf(float(root)), mpmath.mpf("0.7"), mpmath.mpf(float(root))]
        g = [mpmath.mpf(x) for x in ("0.9", "-0.4", "1.3")]
        a = layer_values(formula.expression, {"z": z}, values)
        got = layer_values(product, {"z": z, "a": a, "g": g}, values)
        wanted = layer_gradient(formula.expression, z, g, values)
        assert all(abs(x - y) < mpmath.mpf(10) ** -12 for x, y in zip(got, wanted, strict=True))


@pytest.mark.parametrize(
    ("text", "written"),
    [
        (
            "z/(1 + sqrt(sum(z**2)))",
            "g/(1 + sqrt(sum(z**2))) - where(sqrt(sum(z**2)) > 0, a*sum(a*g)/sqrt(sum(z**2)), 0)",
        ),
        (
            "(z - mean(z))/(1 + sqrt(mean((z - mean(z))**2)))",
            "(g - mean(g))/(1 + sqrt(mean((z - mean(z))**2))) "
            "- where(sqrt(mean((z - mean(z))**2)) > 0, "
            "a*mean(a*g)/sqrt(mean((z - mean(z))**2)), 0)",
        ),
    ],
)
def test_what_is_shared_is_the_square_of_its_root(text, written):
    """By hand: dr = z·dz/r for the norm r, so ∂J/∂z = g/(1 + r) - z Σ(g z)/(r (1 + r)²)."""
    assert to_text(closed_form(parse(text))) == written


def test_the_gradient_of_a_cost_of_centred_units_is_written_in_means():
    """By hand: what is centred passes back its own mean alone."""
    cost = parse("sum((a - mean(a) - y)**2)", variables=("a", "y"))
    assert to_text(cost_gradient(cost)) == "2*a + 2*mean(y) - 2*mean(a) - 2*y"


def test_a_whole_search_is_remembered_whatever_time_it_was_allowed(monkeypatch):
    """Stages and inner layers ask for the same form with limits of their own."""
    formula = parse("(z - mean(z))/sqrt(mean((z - mean(z))**2) + 0.0123)")
    found = closed_form(formula, seconds=20.0)
    assert found is not None
    monkeypatch.setattr(_closed_form, "_shorter_and_shorter", lambda *_: iter(()))
    assert closed_form(formula, seconds=1.5) == found


def test_what_an_indicator_holds_cancels_by_itself():
    """By hand: with r the length of z, (z + z/r**2)/(1 + r**2) is z/r**2 wherever r is not 0."""
    product = closed_form(parse("z*sqrt(sum(z**2))/(1 + sum(z**2))"))
    assert to_text(product) == (
        "where(sqrt(sum(z**2)) > 0, sum(a*g)*z/sum(z**2), 0)"
        " + (g*sqrt(sum(z**2)) - 2*sum(a*g)*z)/(1 + sum(z**2))"
    )
