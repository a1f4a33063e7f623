"""Computation graphs: node for node as they stand in the mathematics."""

from __future__ import annotations

import mpmath
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.formulas.language import (
    PARAMETERS,
    UndefinedError,
    elementwise,
    layer_coupled,
    layer_values,
)

from chainrule.catalogue import activation_formula, activations
from chainrule.derivations import computation_graph, node_names, unit_graph
from chainrule.formulas import Variable, is_layer_coupled, parse, to_text


def listed(graph, names) -> list[str]:
    """Return ``name = operation`` for the numbered nodes, in order."""
    return [f"{to_text(names[k])} = {to_text(graph.definition(k, names))}" for k in graph.order]


def nodes_of(text: str, **parameters: float) -> list[str]:
    graph = computation_graph(parse(text, parameters).expression)
    assert graph.order[-1] == graph.output
    return listed(graph, node_names(graph))


@pytest.mark.parametrize(
    ("name", "nodes"),
    [
        ("identity", ["u0 = z"]),
        ("relu", ["u0 = z", "u1 = max(0, u0)"]),
        ("sigmoid", ["u0 = z", "u1 = -u0", "u2 = exp(u1)", "u3 = 1 + u2", "u4 = 1/u3"]),
        (
            "tanh",
            ["u0 = z", "u1 = -u0", "u2 = exp(u0)", "u3 = exp(u1)", "u4 = u2 - u3", "u5 = u2 + u3",
             "u6 = 1/u5", "u7 = u4*u6"],
        ),
        ("softplus", ["u0 = z", "u1 = exp(u0)", "u2 = 1 + u1", "u3 = log(u2)"]),
        (
            "silu",
            ["u0 = z", "u1 = -u0", "u2 = exp(u1)", "u3 = 1 + u2", "u4 = 1/u3", "u5 = u0*u4"],
        ),
        (
            "mish",
            ["u0 = z", "u1 = exp(u0)", "u2 = 1 + u1", "u3 = log(u2)", "u4 = tanh(u3)",
             "u5 = u0*u4"],
        ),
        ("softmax", ["u0 = z", "u1 = exp(u0)", "u2 = sum(u1)", "u3 = 1/u2", "u4 = u1*u3"]),
    ],
)  # fmt: skip
def test_the_documented_graphs(name, nodes):
    """One operation a node; a value used twice is one node; a quotient is a reciprocal, times."""
    graph = computation_graph(activation_formula(name).expression)
    assert listed(graph, node_names(graph)) == nodes


def test_the_softmax_seen_from_its_own_unit():
    """The graph of a_j by z_j: u_{-1} = z_j, u_{0,p} = z_p, …, u5 = u1 u4."""
    unit = unit_graph(activation_formula("softmax"), same_unit=True)
    names = {k: to_text(name) for k, name in unit.names.items()}
    assert [names[k] for k in sorted(names, key=list(names).index)] == [
        "u_{-1}", "u_{0,p}", "u1", "u_{2,p}", "u3", "u4", "u5",
    ]  # fmt: skip
    by_name = {name: k for k, name in names.items()}
    nodes = unit.graph.nodes

    def uses(name: str) -> tuple[str, list[str]]:
        node = nodes[by_name[name]]
        return node.operation, [names.get(k, nodes[k].operation) for k in node.arguments]

    assert nodes[by_name["u_{-1}"]].leaf == Variable("z_j")
    assert nodes[by_name["u_{0,p}"]].leaf == Variable("z_p")
    assert uses("u1") == ("exp", ["u_{-1}"])
    assert uses("u_{2,p}") == ("exp", ["u_{0,p}"])
    assert uses("u3") == ("add", ["u1", "others"])
    others = nodes[by_name["u3"]].arguments[1]
    assert [names[k] for k in nodes[others].arguments] == ["u_{2,p}"]
    assert uses("u4") == ("reciprocal", ["u3"])
    assert uses("u5") == ("multiply", ["u1", "u4"])
    assert unit.graph.output == by_name["u5"]


def test_the_softmax_seen_from_another_unit():
    """The graph of a_p by z_j has the same nodes but for u5 = u_{2,p} u4."""
    same = unit_graph(activation_formula("softmax"), same_unit=True)
    other = unit_graph(activation_formula("softmax"), same_unit=False)
    names = {k: to_text(name) for k, name in other.names.items()}
    assert sorted(names.values()) == sorted(to_text(name) for name in same.names.values())
    last = other.graph.nodes[other.graph.output]
    assert names[other.graph.output] == "u5"
    assert (last.operation, [names[k] for k in last.arguments]) == ("multiply", ["u_{2,p}", "u4"])


def test_values_without_the_variable_are_no_numbered_nodes():
    """Numbers, parameters and what is made of them stand in the operations that use them."""
    assert nodes_of("alpha*(exp(z) - 1)*sqrt(2/pi)", alpha=1.0) == [
        "u0 = z", "u1 = exp(u0)", "u2 = u1 - 1", "u3 = alpha*u2", "u4 = u3*sqrt(2/pi)",
    ]  # fmt: skip
    assert nodes_of("z/2") == ["u0 = z", "u1 = u0/2"]
    assert nodes_of("where(z > 0, z, 0)")[:2] == ["u0 = z", "u1 = where(u0 > 0, u0, 0)"]


def test_equal_values_are_one_node_however_often_they_are_written():
    """exp(z) three times is computed once."""
    assert nodes_of("exp(z)*exp(z) + sin(exp(z))") == [
        "u0 = z", "u1 = exp(u0)", "u2 = u1*u1", "u3 = sin(u1)", "u4 = u2 + u3",
    ]  # fmt: skip


def test_reductions_of_what_all_units_share():
    """The mean and the largest of equal values are the value; their sum is n times it."""
    shared = nodes_of("z*mean(sum(z))*max(sum(z))")
    assert shared == ["u0 = z", "u1 = sum(u0)", "u2 = u0*u1", "u3 = u2*u1"]
    with mpmath.workdps(40):
        z = [mpmath.mpf(x) for x in ("1", "2", "4")]
        graph = computation_graph(parse("z + sum(mean(z))").expression)
        got = layer_values(graph.expression(), {"z": z})
        assert got == [8, 9, 11]


@pytest.mark.parametrize("name", [entry.name for entry in activations()])
def test_a_graph_written_out_is_the_formula_it_came_from(name):
    """The last node, written down to the variables, is the formula's text for named functions."""
    formula = activation_formula(name)
    graph = computation_graph(formula.expression)
    # A sign before a product is a node of its own behind the product.
    text = to_text(graph.expression()).replace("-(beta*z)", "-beta*z")
    assert text.replace("-(1.702*z)", "-1.702*z") == formula.text
    assert graph.is_layer_coupled == formula.is_layer_coupled


@settings(deadline=None, derandomize=True, max_examples=80)
@given(
    st.one_of(elementwise(leaves=7), layer_coupled(leaves=5)),
    st.lists(st.floats(-3, 3), min_size=2, max_size=3),
)
def test_every_graph_has_the_value_of_its_formula(expression, z):
    """Arguments precede their users, nodes are unique, and the value is the formula's."""
    graph = computation_graph(expression)
    assert len({(n.operation, n.arguments, n.leaf) for n in graph.nodes}) == len(graph.nodes)
    for index, node in enumerate(graph.nodes):
        assert all(argument < index for argument in node.arguments)
    assert graph.is_layer_coupled == is_layer_coupled(expression)
    units = {"z": [mpmath.mpf(x) for x in (z if graph.is_layer_coupled else z[:1])]}
    with mpmath.workdps(40):
        try:
            wanted = layer_values(expression, units, PARAMETERS)
        except UndefinedError:
            return
        got = layer_values(graph.expression(), units, PARAMETERS)
        for one, two in zip(got, wanted, strict=True):
            assert abs(one - two) <= mpmath.mpf(10) ** -30 * (1 + abs(two))
