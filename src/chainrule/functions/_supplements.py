"""What a page shows beside the derivation: pictures, portrait, certificate, kernel source."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule.formulas import Formula

if TYPE_CHECKING:
    from chainrule.derivations import Derivation
    from chainrule.documents import Curve, Section

Array = NDArray[Any]

_POINTS = 601
_OTHER_UNITS = (0.5, -0.5, 1.0)


def supplements(derivation: Derivation) -> tuple[Section, ...]:
    """Return the sections that a page has beyond its derivation.

    Parameters
    ----------
    derivation : Derivation

    Returns
    -------
    tuple of Section
        Computation graph, plot, portrait, certificate in float32 and the generated source.
    """
    from chainrule.certificates import certify
    from chainrule.documents import Listing, Section
    from chainrule.kernels import activation_kernels
    from chainrule.portraits import portrait

    formula = derivation.formula
    source = activation_kernels(formula, np.float32).forward.source
    stable = (
        "The nodes u of this source are those of its stable form, in which the largest "
        "unit is subtracted first; their numbers are its own."
        if formula.is_layer_coupled
        else "The source computes a stable form of the same value and derivative."
    )
    return (
        _graph_section(derivation),
        _plot_section(derivation),
        *portrait(formula).sections,
        Section("Certificate", blocks=(Listing(str(certify(formula)), "certificate"),)),
        Section("Kernel source", (stable,), blocks=(Listing(source, "source"),)),
    )


def _graph_section(derivation: Derivation) -> Section:
    from chainrule.derivations import node_names
    from chainrule.documents import Figure, GraphNode, Section, graph_picture, text_of

    graph = derivation.graph
    names = node_names(graph)
    position = {index: k for k, index in enumerate(names)}
    depths = graph.depths

    def named_below(index: int) -> tuple[int, ...]:
        found: list[int] = []
        for argument in graph.nodes[index].arguments:
            inner = (argument,) if argument in position else named_below(argument)
            found += [k for k in inner if k not in found]
        return tuple(found)

    nodes = tuple(
        GraphNode(
            f"{text_of(name)} = {text_of(graph.definition(index, names))}",
            depths[index],
            tuple(position[k] for k in named_below(index)),
        )
        for index, name in names.items()
    )
    title = f"Computation graph of {derivation.title}"
    return Section("Graph drawn", blocks=(Figure(graph_picture(nodes, title), title),))


def _plot_section(derivation: Derivation) -> Section:
    from chainrule.documents import Figure, Section, plot_picture

    formula = derivation.formula
    kinks = tuple(b.place for b in derivation.pieces.breakpoints) if derivation.pieces else ()
    kinks = tuple(k for k in kinks if np.isfinite(k))
    low, high = min((-6.0, *(1.4 * k for k in kinks))), max((6.0, *(1.4 * k for k in kinks)))
    z = np.linspace(low, high, _POINTS)
    curves = _layer_curves(formula, z) if formula.is_layer_coupled else _curves(formula, z, kinks)
    words = (
        f"The first unit's value and derivatives by z₁; the others are held at {_OTHER_UNITS}."
        if formula.is_layer_coupled
        else "The function and its derivative" + ("; kinks are dashed." if kinks else ".")
    )
    figure = Figure(plot_picture(curves, words, kinks), words)
    return Section("The function and its derivative", blocks=(figure,))


def _curves(formula: Formula, z: Array, kinks: tuple[float, ...]) -> tuple[Curve, ...]:
    from chainrule.documents import Curve
    from chainrule.kernels import backward, forward

    parts = np.split(z, np.searchsorted(z, kinks, side="right"))
    values = [(part, forward(formula, part)) for part in parts]
    slopes = [(part, backward(formula, np.ones_like(part), part)) for part in parts]
    return tuple(
        Curve(name, tuple(tuple(zip(x.tolist(), y.tolist(), strict=True)) for x, y in pairs))
        for name, pairs in (("a", values), ("∂a/∂z", slopes))
    )


def _layer_curves(formula: Formula, z: Array) -> tuple[Curve, ...]:
    from chainrule.documents import Curve
    from chainrule.kernels import backward, forward

    layer = np.column_stack([z, *(np.full_like(z, value) for value in _OTHER_UNITS)])
    lines = [("a₁", forward(formula, layer)[:, 0])]
    for unit, name in ((0, "∂a₁/∂z₁"), (1, "∂a₂/∂z₁")):
        seed = np.zeros_like(layer)
        seed[:, unit] = 1.0
        lines.append((name, backward(formula, seed, layer)[:, 0]))
    return tuple(
        Curve(name, (tuple(zip(z.tolist(), y.tolist(), strict=True)),)) for name, y in lines
    )
