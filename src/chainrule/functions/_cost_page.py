"""The page of a cost behind an output activation: plots, and the derivation with its graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule.catalogue import assumption_on_targets
from chainrule.formulas import Apply, Expression, is_layer_coupled, variables_of
from chainrule.functions._graph_figure import graph_figure, reasons_of, with_figures

if TYPE_CHECKING:
    from chainrule.certificates import Certificate
    from chainrule.derivations import CostDerivation
    from chainrule.documents import Curve, Section

Array = NDArray[Any]

_REACH, _POINTS = 6.0, 801
_ANY_TARGETS = (-2.0, 0.0, 2.0)
_STEPS_ABOVE = (0.0, 1.0, 3.0)
_SUDDEN = 8.0  # times what changes beside it: a jump, or a kink of the slope


def cost_supplements(derivation: CostDerivation) -> tuple[Section, ...]:
    """Return the sections of a cost's page.

    Parameters
    ----------
    derivation : CostDerivation

    Returns
    -------
    tuple of Section
        A summary, plots where units add up, the derivation with its graph drawn, the certificate
        in float32, and the generated source.
    """
    from chainrule.certificates import certify_cost
    from chainrule.derivations import node_names

    graph = derivation.graph
    parameters = dict(derivation.cost.parameters)
    figure = graph_figure(parameters, graph, node_names(graph), (), "J_i", "cost: ")
    certificate = certify_cost(
        derivation.activation,
        derivation.cost,
        assumption=assumption_on_targets(derivation.cost),
        targets=derivation.targets,
    )
    return (
        _summary(derivation, certificate),
        *_plots(derivation),
        *with_figures(derivation.sections, iter((figure,))),
        *certificate.sections,
        _source(derivation),
    )


def _summary(derivation: CostDerivation, certificate: Certificate) -> Section:
    from chainrule.documents import Section, Table

    first, last = derivation.sections[0], derivation.sections[-1]
    equations = tuple(replace(e, name="", see=()) for e in (*first.equations, *last.equations))
    rows = (
        ("output activation", str(derivation.activation)),
        ("certificate", certificate.summary.partition(": ")[2]),
    )
    table = Table(("property", "value"), rows)
    return Section("The cost in short", (*first.sentences, *last.sentences), equations, (table,))


def _source(derivation: CostDerivation) -> Section:
    from chainrule.documents import Listing, Section
    from chainrule.kernels import cost_kernels
    from chainrule.kernels.computed import line_names

    source = cost_kernels(derivation.activation, derivation.cost, np.float32).value.source
    marks = tuple((line, name) for line, name in line_names(source) if name.startswith("cost: "))
    reasons = reasons_of(derivation.sections, "another form is computed")
    about = (
        "Generated from the derivation and compiled as it stands here. A comment names the steps "
        "of the cost's derivation, or the output activation's, that a line computes."
    )
    return Section(
        "Kernel source of the cost",
        (about,),
        blocks=(Listing(source, "cost-source", marks, (), reasons),),
    )


def _plots(derivation: CostDerivation) -> tuple[Section, ...]:
    """Plot the cost of one output and its slope over z, for a few targets."""
    from chainrule.documents import Figure, Section, plot_picture
    from chainrule.kernels import value_and_gradient

    activation, cost = derivation.activation, derivation.cost
    if activation.is_layer_coupled or not _adds_up(cost.expression):
        return ()
    z = np.linspace(-_REACH, _REACH, _POINTS)
    costs: list[Curve] = []
    slopes: list[Curve] = []
    for target in _targets(derivation.targets):
        rows = z.reshape(-1, 1)
        values, slope = value_and_gradient(activation, cost, rows, np.full_like(rows, target))
        costs.append(_curve(f"y = {target:g}", z, values))
        slopes.append(_curve(f"y = {target:g}", z, slope[:, 0]))
    if not all(np.isfinite(y) for curve in costs for part in curve.stretches for _, y in part):
        return ()
    given = ", ".join(
        f"{name} = {value:.6g}" for name, value in (*activation.parameters, *cost.parameters)
    )
    given = f" Parameters: {given}." if given else ""
    figures = tuple(
        Figure(plot_picture(tuple(curves), words), words)
        for curves, words in (
            (costs, f"The cost J_i of one output over its z, for targets y.{given}"),
            (slopes, "Its derivative ∂J_i/∂z, for the same targets."),
        )
    )
    return (Section("Plot of the cost and its derivative", blocks=figures),)


def _adds_up(e: Expression) -> bool:
    """Tell whether a cost is a sum over the outputs, each by itself, or a multiple of one."""
    if not isinstance(e, Apply):
        return False
    if e.operation == "sum":
        return not is_layer_coupled(e.arguments[0])
    if e.operation in ("negate", "add", "subtract"):
        return all(map(_adds_up, e.arguments))
    if e.operation in ("multiply", "divide"):
        first, second = e.arguments
        return (_adds_up(first) and not variables_of(second)) or (
            e.operation == "multiply" and not variables_of(first) and _adds_up(second)
        )
    return False


def _targets(allowed: Mapping[str, Any]) -> tuple[float, ...]:
    if "values" in allowed:
        return tuple(allowed["values"])
    low, high = allowed.get("low"), allowed.get("high")
    if low is not None and high is not None:
        return low, (low + high) / 2, high
    return _ANY_TARGETS if low is None else tuple(low + step for step in _STEPS_ABOVE)


def _curve(name: str, z: Array, heights: Array) -> Curve:
    """Return a curve that is not joined where it jumps."""
    from chainrule.documents import Curve

    steps = np.abs(np.diff(heights))
    beside = np.maximum(np.append(steps[1:], np.inf), np.append(np.inf, steps[:-1]))
    jumps = np.flatnonzero(steps > _SUDDEN * beside + 1e-6 * np.ptp(heights)) + 1
    return Curve(
        name,
        tuple(
            tuple(zip(x.tolist(), y.tolist(), strict=True))
            for x, y in zip(np.split(z, jumps), np.split(heights, jumps), strict=True)
        ),
    )
