"""Pages of costs: plots of the cost and its slope, and the graph, drawn."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest

import chainrule
from chainrule.kernels import value_and_gradient


def _pictures(cost: str, output: str) -> list[str]:
    page = chainrule.cost(cost).derivation(output).to_html()
    return re.findall(r"<svg.*?</svg>", page, re.DOTALL)


def test_a_cost_that_adds_up_is_plotted_with_its_slope_for_targets_that_it_allows() -> None:
    """Two plots with a curve for each target, then the graph; targets lie between 0 and 1."""
    cost, slope, graph = _pictures("binary_cross_entropy", "sigmoid")
    for plot in (cost, slope):
        ends = re.findall(r"<text[^>]*>(?:<tspan[^>]*>[^<]*</tspan>)+</text>", plot)
        names = {re.sub(r"<[^>]*>", "", end) for end in ends}
        assert {"y = 0", "y = 0.5", "y = 1"} <= names
    assert "log" in graph


@pytest.mark.parametrize(
    ("cost", "output"),
    [("categorical_cross_entropy", "softmax"), ("cosine", "identity"), ("poisson", "identity")],
)
def test_a_cost_that_no_single_output_shows_has_its_graph_alone(cost: str, output: str) -> None:
    """Coupled outputs, a quotient of sums, and a cost without values at outputs: no plot."""
    assert len(_pictures(cost, output)) == 1


def test_a_slope_that_jumps_is_not_joined_and_one_that_bends_is() -> None:
    """The hinge's slope jumps at z = y; the squared hinge's has a kink there, and no gap."""
    _, jumps, _ = _pictures("hinge", "identity")
    _, bends, _ = _pictures("squared_hinge", "identity")
    lines = r'<path d="([^"]*)" style="fill:none'
    assert [path.count("M") for path in re.findall(lines, jumps)] == [2, 2]
    assert [path.count("M") for path in re.findall(lines, bends)] == [1, 1]


def test_value_and_gradient_are_those_of_the_definition() -> None:
    """Of the half squared error behind the hyperbolic tangent, worked by hand."""
    activation = chainrule.activation("tanh").formula
    cost = chainrule.cost("half_squared_error").formula
    z, y = np.array([[0.3, -1.0], [2.0, 0.0]]), np.array([[0.5, 0.5], [-1.0, 0.0]])
    value, gradient = value_and_gradient(activation, cost, z, y)
    a = np.tanh(z)
    np.testing.assert_allclose(value, ((a - y) ** 2).sum(axis=1) / 2, rtol=1e-14)
    np.testing.assert_allclose(gradient, (a - y) * (1 - a**2), rtol=1e-13, atol=1e-16)


@pytest.mark.parametrize(
    ("output", "cost"), [("identity", "huber"), ("softmax", "categorical_cross_entropy")]
)
def test_a_page_shows_the_certificate_and_the_source_linked_with_the_steps(output, cost) -> None:
    """Every step of the cost leads to a line whose comment leads back, or says why not."""
    derivation = chainrule.cost(cost).derivation(output)
    page = derivation.to_html()
    body = ElementTree.fromstring(page[page.index("<body") : page.index("</html>")])
    assert "what rounding z or y explains; passed" in re.sub("<[^>]*>", "", page)
    lines = {e.get("id"): e for e in body.iter("span") if e.get("class") == "line"}
    rows = [e for e in body.iter("tr") if (e.get("id") or "").startswith("cost-")]
    assert len(rows) >= 2 * (len(derivation.graph.order) - 1)
    linked = 0
    for row in rows:
        anchors = [a.get("href", "")[1:] for a in row.iter("a")]
        to_lines = [lines[anchor] for anchor in anchors if anchor in lines]
        linked += bool(to_lines)
        for line in to_lines:
            assert row.get("id") in [a.get("href", "")[1:] for a in line.iter("a")]
        assert to_lines or "no line" in "".join(row.itertext())
    assert linked >= 5
