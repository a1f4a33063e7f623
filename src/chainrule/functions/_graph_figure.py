"""Computation graphs drawn, and put into the sections that list them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from chainrule.derivations import Example, Graph, Step
    from chainrule.documents import Figure, Section
    from chainrule.formulas import Expression

_WHOLE = {"J": "the layer", "J_i": "the cost"}


def with_figures(sections: tuple[Section, ...], figures: Iterator[Figure]) -> tuple[Section, ...]:
    """Put one figure after another below the sections that list computation graphs."""
    return tuple(
        replace(section, blocks=(*section.blocks, next(figures)))
        if section.title.startswith("Computation graph")
        else section
        for section in sections
    )


def reasons_of(sections: tuple[Section, ...], why: str) -> tuple[tuple[str, str], ...]:
    """Return, for nodes and steps, why no line of source may compute them by themselves."""
    from chainrule.formulas import constant

    return tuple(
        (
            e.name,
            "no line: a factor of 1 costs nothing"
            if e.sides[-1] == constant(1)
            else f"no line of its own: {why if '∂' in e.name else 'another form is computed'}",
        )
        for section in sections
        for e in section.equations
        if e.name
    )


def graph_figure(
    parameters: Mapping[str, float],
    graph: Graph,
    names: dict[int, Expression],
    steps: Sequence[Step],
    output: str,
    prefix: str,
) -> Figure:
    """Draw a computation graph: with values and local derivatives where it has steps.

    Parameters
    ----------
    parameters : mapping of str to float
    graph : Graph
    names : dict of int to Expression
        What its nodes are called.
    steps : sequence of Step
        The chain rule along it; none where the derivation shows adjoints of all units.
    output : str
        What is differentiated.
    prefix : str
        What the names of its equations begin with.
    """
    from chainrule.derivations import example
    from chainrule.documents import Figure, GraphNode, graph_picture, text_of

    position = {index: k for k, index in enumerate(names)}
    followed = example(graph, parameters) if steps else None
    local = {
        (user, step.node): text_of(partial_derivative)
        for step in steps
        for user, partial_derivative in step.contributions
    }
    differentiated = {step.node for step in steps}
    nodes = []
    for index, name in names.items():
        arguments = _named_below(graph, index, position)
        last = f" = {output}" if index == graph.output and output != "J" else ""
        nodes.append(
            GraphNode(
                f"{text_of(name)} = {text_of(graph.definition(index, names))}{last}",
                graph.depths[index],
                tuple(position[k] for k in arguments),
                tuple(local.get((index, k), "") for k in arguments) if local else (),
                followed.forward(index) if followed else "",
                followed.backward(index) if followed and index in differentiated else "",
                f"{prefix}∂{output}/∂{text_of(name)}"
                if index in differentiated or output in _WHOLE
                else f"{prefix}{text_of(name)}",
            )
        )
    what = _WHOLE.get(output, output)
    words = f"Computation graph of {what}." + _legend(followed, output)
    return Figure(graph_picture(tuple(nodes), words), words)


def _legend(followed: Example | None, output: str) -> str:
    if followed is None:
        return ""
    return (
        f" In each node its value, on the left, and ∂{output}/∂u, on the right, for the example "
        f"{followed.place}; at each arrow the local derivative."
    )


def _named_below(graph: Graph, index: int, position: dict[int, int]) -> tuple[int, ...]:
    found: list[int] = []
    for argument in graph.nodes[index].arguments:
        inner = (argument,) if argument in position else _named_below(graph, argument, position)
        found += [k for k in inner if k not in found]
    return tuple(found)
