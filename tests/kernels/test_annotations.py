"""The nodes that lines of generated source are said to compute."""

from __future__ import annotations

import mpmath
import pytest

from chainrule.catalogue import activation_formula, activations
from chainrule.derivations import computation_graph, evaluate, node_names, node_values
from chainrule.documents import text_of
from chainrule.documents._text import equation_text
from chainrule.formulas import parse
from chainrule.kernels._elementwise import scalar_functions
from chainrule.kernels.computed import computed, step_lines
from chainrule.kernels.rows._annotations import names_of_nodes
from chainrule.kernels.source._annotations import as_mathematics, marked

ELEMENTWISE = [
    entry.name for entry in activations() if not activation_formula(entry.name).is_layer_coupled
]


def test_the_lines_of_silu_name_the_nodes_of_its_derivation():
    """u2 = exp(-z) and u3 = 1 + u2 are what is computed for z ≥ 0 alone."""
    source = scalar_functions(activation_formula("silu"), "float32")
    assert "    t = exp(x * -1.0)  # u2 (z >= 0)" in source
    assert "    denominator = (1.0 + t)  # u3 (z >= 0)" in source
    assert "    return numerator / denominator  # u5" in source
    assert "    return numerator / denominator  # ∂a/∂u0" in source


@pytest.mark.parametrize("name", ELEMENTWISE[::3])
def test_every_result_is_named(name):
    """The value is the last node, the derivative ∂a/∂u0, whatever form computes them."""
    formula = activation_formula(name)
    last = len(computation_graph(formula.expression).order) - 1
    results = [
        line for line in scalar_functions(formula, "float32") if line.startswith("    return")
    ]
    assert results[0].endswith(f"  # u{last}")
    assert results[1].endswith("  # ∂a/∂u0")


def test_a_line_that_is_nearly_a_node_is_not_named():
    sigmoid = parse("1/(1 + exp(-z))")
    body = ["t = exp(-z) + 0.000000001", "return 1.0 / (1.0 + t)"]
    assert marked(body, sigmoid, slope=False) == body


def test_what_is_equal_for_one_value_of_a_parameter_is_not_called_equal():
    """With alpha = 1, alpha*(exp(z) - 1) is exp(z) - 1; it is another node for all that."""
    source = scalar_functions(activation_formula("elu"), "float32")
    assert "    t_less_one_0 = expm1(z)  # u2" in source


def test_source_that_cannot_be_read_stays_as_it_is():
    body = ["x = unknown[z]", "return x"]
    assert marked(body, parse("exp(z)"), slope=False) == body


def test_the_values_of_a_graph_are_those_of_central_differences():
    """Forward and backward values of mish at 0.7 against mpmath's own derivative."""
    formula = activation_formula("mish")
    graph = computation_graph(formula.expression)
    with mpmath.workdps(30):
        found = node_values(graph, {"z": mpmath.mpf("0.7")})
        function = lambda z: z * mpmath.tanh(mpmath.log(1 + mpmath.exp(z)))  # noqa: E731
        slope = mpmath.diff(function, mpmath.mpf("0.7"))
        assert abs(found.forward[graph.output] - function(mpmath.mpf("0.7"))) < 1e-25
        assert abs(found.backward[graph.order[0]] - slope) < 1e-15


def test_nodes_over_a_layer_are_named_by_their_values():
    """Layer normalisation is computed as its graph stands: every node of it is found."""
    formula = activation_formula("layer_norm")
    graph = computation_graph(formula.expression)
    names = names_of_nodes(graph, formula)
    assert {names[k] for k in graph.order} == {text_of(n) for n in node_names(graph).values()}


def holds(remark: str, z: mpmath.mpf) -> bool:
    """Tell whether z lies where a remark says, as ``for -3 ≤ z < 0 or z ≥ 3``."""
    stretches = remark.removeprefix("for ").replace("≤", "<=").replace("≥", ">=").split(" or ")
    return not remark or any(eval(stretch, {"z": z}) for stretch in stretches)


def test_long_numbers_are_shown_as_what_they_are_or_rounded():
    """√2, 2√π and 1/6 are known; a polynomial is told by its degree."""
    body = ["def activation(z):", "    q = 2.0 * z", "    return (z * -1.4142135623730951 + "
            "3.544907701811032 * (0.25 + q * (0.16666666666666666 + q * (0.5 + q * 0.1234567890123"
            ")))) if z >= 1.25 else 0.1234567890123 * z"]  # fmt: skip
    formula = parse("z")
    (part,) = computed(formula, "\n".join(body))
    assert [equation_text(e) for e in part.equations] == [
        "q = 2·z",
        "a = 2·sqrt(π)·P1(q) - sqrt(2)·z    for z ≥ 1.25",
        "a = 0.123457·z    for z < 1.25",
        "P1(q)    a polynomial of degree 3 with the source's numbers",
    ]


def test_steps_have_lines_or_a_reason():
    """∂a/∂u1 of gelu is u4, z/sqrt(2) lies inside a line, and a factor of 1 needs none."""
    formula = activation_formula("gelu")
    source = "\n".join(
        line for line in scalar_functions(formula, "float32") if not line.startswith("@")
    )
    steps = {step.name: step for step in step_lines(formula, source)}
    lines = source.splitlines()
    for name, held in (("u2", "erfc"), ("u3", "erfc"), ("∂a/∂u1", "erfc")):
        assert steps[name].lines
        assert all(held in lines[line - 1] for line in steps[name].lines), name
    assert not steps["∂a/∂u5"].lines
    assert steps["∂a/∂u5"].reason == "no line: a factor of 1 costs nothing"
    assert not steps["∂a/∂u2"].lines


@pytest.mark.parametrize(
    "name", ["silu", "mish", "elu", "isru", "hard_swish", "tanh", "gelu", "gelu_tanh", "serf"]
)
def test_what_is_said_to_be_computed_is_the_formula(name):
    """The equations read from the source, followed name by name, give the formula's value."""
    formula = activation_formula(name)
    source = "\n".join(
        line for line in scalar_functions(formula, "float32") if not line.startswith("@")
    )
    part = computed(formula, source)[0]
    given = {key: v for n, v in formula.parameters for key in (n, f"p_{n}")}
    for place in ("1.3", "-1.3"):
        with mpmath.workdps(30):
            values = {**given, "z": mpmath.mpf(place)}
            for e in part.equations:
                if holds(e.remark, values["z"]):
                    values[e.sides[0].name] = evaluate(as_mathematics(e.sides[1]), values)
            wanted = evaluate(formula.expression, {**given, "z": mpmath.mpf(place)})
            assert abs(values["a"] - wanted) < 1e-14
