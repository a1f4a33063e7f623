"""The chain rule, outside first: every ∂a/∂u through the nodes and in z."""

from __future__ import annotations

import mpmath
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.formulas.language import (
    PARAMETERS,
    POINTWISE,
    UndefinedError,
    central_difference,
    elementwise,
    layer_values,
    value_at,
)

from chainrule.catalogue import activation_formula, activations
from chainrule.derivations import chain_rule, computation_graph, node_names, unit_graph
from chainrule.documents import text_of
from chainrule.formulas import to_text, variables_of

ELEMENTWISE = [e.name for e in activations() if not activation_formula(e.name).is_layer_coupled]


def steps_of(name: str):
    graph = computation_graph(activation_formula(name).expression)
    names = node_names(graph)
    return {to_text(names[step.node]): step for step in chain_rule(graph)}


def run(graph, place, parameters, moved=None, by=0):
    """Return the value of every node, with one node moved away from what it computes."""
    values = []
    for index, node in enumerate(graph.nodes):
        if node.operation == "input":
            value = mpmath.mpf(place)
        elif node.operation == "value":
            value = value_at(node.leaf, 0, parameters)
        elif node.operation == "where":
            condition, x, y = node.arguments
            value = values[x] if values[condition] else values[y]
        else:
            value = POINTWISE[node.operation](*(values[k] for k in node.arguments))
        values.append(value + by if index == moved else value)
    return values


def check_steps(graph, steps, place, parameters) -> int:
    """Compare every step with what the output does when the node is moved; count the nodes."""
    names = node_names(graph)
    compared = 0
    with mpmath.workdps(90):
        values = run(graph, place, parameters)
        known = {names[k].name: values[k] for k in names}
        h = mpmath.mpf(10) ** -30
        for step in steps:
            up, down = (
                run(graph, place, parameters, step.node, by)[graph.output] for by in (h, -h)
            )
            here = values[graph.output]
            wanted = (up - down) / (2 * h)
            if abs((up - here) - (here - down)) > mpmath.mpf(10) ** -15 * h * (1 + abs(wanted)):
                continue  # the place is on a kink
            got = value_at(step.through_nodes, place, parameters, **known)
            assert abs(got - wanted) < mpmath.mpf(10) ** -18 * (1 + abs(wanted)), text_of(
                step.through_nodes
            )
            assert variables_of(step.in_variables) <= {"z"}
            try:
                written = value_at(step.in_variables, place, parameters)
            except UndefinedError:
                pytest.fail(f"{text_of(step.in_variables)} is undefined at {place}")
            assert abs(written - got) < mpmath.mpf(10) ** -50 * (1 + abs(got)), text_of(
                step.in_variables
            )
            compared += 1
    return compared


# -- the documented derivations -----------------------------------------------------------------


def test_the_relu():
    """∂a/∂z = I(z > 0)."""
    steps = steps_of("relu")
    assert list(steps) == ["u1", "u0"]
    assert text_of(steps["u0"].through_nodes) == "I(u0 > 0)"
    assert text_of(steps["u0"].in_variables) == "I(z > 0)"


def test_the_sigmoid():
    """∂a/∂u4 = 1, -1/u3², -1/u3², -u2/u3², u2/u3², and each of them in z."""
    steps = steps_of("sigmoid")
    assert {name: text_of(step.through_nodes) for name, step in steps.items()} == {
        "u4": "1",
        "u3": "-1/u3²",
        "u2": "-1/u3²",
        "u1": "-u2/u3²",
        "u0": "u2/u3²",
    }
    assert {name: text_of(step.in_variables) for name, step in steps.items()} == {
        "u4": "1",
        "u3": "-1/(1 + exp(-z))²",
        "u2": "-1/(1 + exp(-z))²",
        "u1": "-exp(-z)/(1 + exp(-z))²",
        "u0": "exp(-z)/(1 + exp(-z))²",
    }


def test_the_tanh():
    """Both ∂a/∂u2 and ∂a/∂u3 have two users; ∂a/∂u0 = u2 ∂a/∂u2 - ∂a/∂u1."""
    steps = steps_of("tanh")
    assert list(steps) == ["u7", "u6", "u5", "u4", "u3", "u2", "u1", "u0"]
    through = {name: text_of(step.through_nodes) for name, step in steps.items()}
    assert {k: through[k] for k in ("u7", "u6", "u5", "u4", "u3", "u2")} == {
        "u7": "1",
        "u6": "u4",
        "u5": "-u4/u5²",
        "u4": "u6",
        "u3": "-u6 - u4/u5²",
        "u2": "u6 - u4/u5²",
    }
    assert {name: len(step.contributions) for name, step in steps.items()} == {
        "u7": 0, "u6": 1, "u5": 1, "u4": 1, "u3": 2, "u2": 2, "u1": 1, "u0": 2,
    }  # fmt: skip
    with mpmath.workdps(40):
        for place in ("-2.2", "-0.3", "0", "1.7"):
            z = mpmath.mpf(place)
            up, down = mpmath.exp(z), mpmath.exp(-z)
            u4, u5, u6 = up - down, up + down, 1 / (up + down)
            known = {"u0": z, "u1": -z, "u2": up, "u3": down, "u4": u4, "u5": u5, "u6": u6}
            by_u3, by_u2 = -2 * up / u5**2, 2 * down / u5**2
            wanted = {
                "u7": 1, "u6": u4, "u5": -u4 / u5**2, "u4": u6, "u3": by_u3, "u2": by_u2,
                "u1": down * by_u3, "u0": 4 / u5**2,
            }  # fmt: skip
            for name, value in wanted.items():
                one = value_at(steps[name].through_nodes, z, **known)
                two = value_at(steps[name].in_variables, z)
                assert abs(one - value) < 1e-35
                assert abs(two - value) < 1e-35
    assert text_of(steps["u3"].in_variables) == "-2·exp(z)/(exp(z) + exp(-z))²"
    assert text_of(steps["u2"].in_variables) == "2·exp(-z)/(exp(z) + exp(-z))²"
    assert text_of(steps["u0"].in_variables) == "4/(exp(z) + exp(-z))²"


def layer_value(expression, z, j, p):
    """Return an expression of a unit's graph, for given units j and p of a layer.

    ``Σ_k`` runs over all units, ``Σ_{p≠j}`` over all but j.
    """

    def walk(e, k, names):
        operation = getattr(e, "operation", None)
        if operation == "sum":
            return mpmath.fsum(walk(e.arguments[0], i, names) for i in range(len(z)))
        if operation == "others":
            return mpmath.fsum(
                walk(e.arguments[0], k, {**names, "z_p": z[i]}) for i in range(len(z)) if i != j
            )
        if operation is None:
            if hasattr(e, "name"):
                return z[k] if e.name == "z_k" else names[e.name]
            return value_at(e, 0)
        return POINTWISE[operation](*(walk(argument, k, names) for argument in e.arguments))

    return walk(expression, None, {"z_j": z[j], "z_p": z[p]})


def test_the_softmax_from_its_own_unit():
    """It gives ∂a_j/∂z_j = a_j(1 - a_j), each step as worked by hand."""
    unit = unit_graph(activation_formula("softmax"), same_unit=True)
    through = {to_text(unit.names[s.node]): text_of(s.through_nodes) for s in unit.steps}
    assert through == {
        "u5": "1",
        "u4": "u1",
        "u3": "-u1/u3²",
        "u1": "u4 - u1/u3²",
        "u_{-1}": "u1·(u4 - u1/u3²)",
    }
    by_zj = unit.steps[-1].in_variables
    with mpmath.workdps(40):
        z = [mpmath.mpf(x) for x in ("0.3", "-1.1", "2", "0.7")]
        total = mpmath.fsum(map(mpmath.exp, z))
        for j, p in ((0, 1), (2, 0), (3, 2)):
            a = mpmath.exp(z[j]) / total
            assert abs(layer_value(by_zj, z, j, p) - a * (1 - a)) < 1e-36


def test_the_softmax_from_another_unit():
    """It gives ∂a_p/∂z_j = -a_p a_j, whose numerator is exp(z_p) exp(z_j)."""
    unit = unit_graph(activation_formula("softmax"), same_unit=False)
    through = {to_text(unit.names[s.node]): text_of(s.through_nodes) for s in unit.steps}
    assert through == {
        "u5": "1",
        "u4": "u_{2,p}",
        "u3": "-u_{2,p}/u3²",
        "u1": "-u_{2,p}/u3²",
        "u_{-1}": "-u1·u_{2,p}/u3²",
    }
    by_zj = unit.steps[-1].in_variables
    assert text_of(by_zj) == "-exp(z_j)·exp(z_p)/(Σ_k exp(z_k))²"
    with mpmath.workdps(40):
        z = [mpmath.mpf(x) for x in ("0.3", "-1.1", "2", "0.7")]
        total = mpmath.fsum(map(mpmath.exp, z))
        for j, p in ((0, 1), (2, 0), (3, 2)):
            wanted = -mpmath.exp(z[j]) * mpmath.exp(z[p]) / total**2
            assert abs(layer_value(by_zj, z, j, p) - wanted) < 1e-36


@pytest.mark.parametrize(
    "text", ["log_softmax", "softmin", "rms_norm", "z*sum(tanh(z))", "z - mean(z)", "z/max(abs(z))"]
)
def test_unit_graphs_give_the_entries_of_the_jacobian(text):
    """∂a_j/∂z_j and ∂a_p/∂z_j agree with central differences of the layer."""
    formula = activation_formula(text)
    units = [mpmath.mpf(x) for x in ("0.3", "-1.1", "2.25", "0.7")]
    parameters = dict(formula.parameters)

    def walk(e, z, j, p):
        operation = getattr(e, "operation", None)
        everyone = range(len(z))
        if operation in ("sum", "max", "min"):
            inner = [walk_k(e.arguments[0], z, k) for k in everyone]
            return {"sum": mpmath.fsum, "max": max, "min": min}[operation](inner)
        if operation in ("others", "others_max", "others_min"):
            inner = [walk(e.arguments[0], z, j, k) for k in everyone if k != j]
            reduce = {"others": mpmath.fsum, "others_max": max, "others_min": min}[operation]
            return reduce(inner)
        if operation == "count":
            return mpmath.mpf(len(z))
        if operation is None:
            if getattr(e, "name", "") in ("z_j", "z_p"):
                return z[j] if e.name == "z_j" else z[p]
            return value_at(e, 0, parameters)
        return POINTWISE[operation](*(walk(argument, z, j, p) for argument in e.arguments))

    def walk_k(e, z, k):
        operation = getattr(e, "operation", None)
        if operation is None:
            return z[k] if getattr(e, "name", "") == "z_k" else value_at(e, 0, parameters)
        if operation == "count":
            return mpmath.mpf(len(z))
        return POINTWISE[operation](*(walk_k(argument, z, k) for argument in e.arguments))

    with mpmath.workdps(90):
        for same in (True, False):
            step = unit_graph(formula, same_unit=same).steps[-1]
            for j, p in ((0, 1), (2, 0), (1, 3), (3, 2)):
                unit = j if same else p

                def activation(t, j=j, unit=unit):
                    z = [t if k == j else units[k] for k in range(4)]
                    return layer_values(formula.expression, {"z": z}, parameters)[unit]

                wanted = central_difference(activation, units[j])
                got = walk(step.in_variables, units, j, p)
                assert abs(got - wanted) < 1e-25 * (1 + abs(wanted))


# -- every function -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_every_step_of_every_named_function(name):
    """Moving one node moves the output by ∂a/∂u times as much."""
    formula = activation_formula(name)
    graph = computation_graph(formula.expression)
    steps = chain_rule(graph)
    for place in ("-2.63", "-0.41", "0.87", "3.9"):
        assert check_steps(graph, steps, place, dict(formula.parameters)) == len(graph.order)


@settings(deadline=None, derandomize=True, max_examples=40, suppress_health_check=list(HealthCheck))
@given(elementwise(leaves=6), st.sampled_from(["-1.37", "-0.21", "0.43", "1.83"]))
def test_every_step_of_any_formula(expression, place):
    """Also of formulas that nobody has written before, wherever they are defined."""
    graph = computation_graph(expression)
    try:
        check_steps(graph, chain_rule(graph), place, PARAMETERS)
    except UndefinedError:
        return


def test_steps_go_from_the_output_inwards():
    """Every node that depends on z has one step, after all of its users."""
    graph = computation_graph(activation_formula("gelu_tanh").expression)
    steps = [step.node for step in chain_rule(graph)]
    assert steps == list(reversed(graph.order))
    for position, node in enumerate(steps):
        users = [k for k in graph.order if node in graph.nodes[k].arguments]
        assert all(steps.index(user) < position for user in users)


def test_a_deeply_nested_formula_is_derived():
    """Forty functions inside one another: no simplification may run out of stack."""
    from chainrule.derivations import derive
    from chainrule.formulas import parse

    assert derive(parse("tanh(" * 40 + "z" + ")" * 40)).steps
