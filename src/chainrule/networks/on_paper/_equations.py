"""A network's propagation on paper: its own equations, forward and backward, layer by layer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from chainrule.catalogue import assumption_on_targets, domain_of_targets
from chainrule.derivations import CostDerivation, Derivation, derive, derive_cost
from chainrule.documents import Document, Documented, Section, Table
from chainrule.formulas import Formula
from chainrule.networks._errors import NetworkError
from chainrule.networks.on_paper._layer_equations import (
    cost_section,
    forward_section,
    groups,
    hidden_section,
    output_section,
    section_between_layers,
)
from chainrule.networks.on_paper._layer_notation import Notation

_MOST_SIZES_IN_TITLE = 8


@dataclass(frozen=True)
class Propagation(Documented):
    """The forward and backward equations of a network, with the shapes of its matrices.

    Where rows are examples, as the program stores them, a layer computes
    ``Z[l] = A[l-1] W[l] + broadcast(b[l])`` and ``A[l] = g(Z[l])``; with ``axis=0`` columns are
    examples and ``Z[l] = W[l] A[l-1] + broadcast(b[l])``.

    Parameters
    ----------
    sizes : tuple of int
        The number of inputs, then the number of units of every layer.
    activations : tuple of Formula
    cost : Formula
        The cost of one example.
    item_size : int
        The bytes of one number.
    batch : int, optional
        The number of examples; None leaves it `m`.
    axis : {-1, 0}
        The axis of the units.
    penalty : float
        Strength λ of the penalty λ/(2m)·Σ W² on the weights; at 0 it is left out.
    weighted : bool
        Whether every example i has a weight s_i; J is the weighted mean then, and Σ s_i stands
        where m does.
    blocks : tuple of int
        How many units each block of the output layer has; empty for one block of all.
    """

    sizes: tuple[int, ...]
    activations: tuple[Formula, ...]
    cost: Formula
    item_size: int
    batch: int | None = None
    axis: int = -1
    penalty: float = 0.0
    weighted: bool = False
    blocks: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        whole = isinstance(self.batch, int) and not isinstance(self.batch, bool)
        if self.batch is not None and (not whole or self.batch < 1):
            raise NetworkError(
                f"the batch is a positive whole number of examples, got {self.batch!r}"
            )
        if self.axis not in (0, -1, 1):
            raise NetworkError(
                f"axis {self.axis!r} of the units is neither -1 (rows are examples) nor 0 "
                "(columns are examples)"
            )
        if not 0.0 <= self.penalty < math.inf:
            raise NetworkError(
                f"the penalty is a finite number of at least 0, got {self.penalty!r}"
            )
        object.__setattr__(self, "axis", 0 if self.axis == 0 else -1)

    @property
    def title(self) -> str:
        """The sizes, and what stands at the output."""
        shown = "-".join(map(str, self.sizes))
        if len(self.sizes) > _MOST_SIZES_IN_TITLE:
            shown = f"of {len(self.sizes) - 1} layers"
        return f"Network {shown}: {self.behind.title}"

    @cached_property
    def derivations(self) -> dict[Formula, Derivation]:
        """The derivation of each activation."""
        return {formula: derive(formula) for formula in dict.fromkeys(self.activations)}

    @cached_property
    def behind(self) -> CostDerivation:
        """The derivation of the cost behind the output activation."""
        assumption, targets = assumption_on_targets(self.cost), domain_of_targets(self.cost)
        return derive_cost(self.activations[-1], self.cost, assumption, targets)

    @cached_property
    def sections(self) -> tuple[Section, ...]:
        """The equations as titled sections."""
        notation = Notation(self.sizes, self.batch, self.axis, len(self.blocks) > 1)
        layers = groups(self.activations)
        *hidden, output = layers
        backward = (
            output_section(self, notation, output),
            *(hidden_section(self, notation, layer) for layer in reversed(hidden)),
        )
        return (
            _notation_section(self, notation, backward),
            *(forward_section(self, notation, layer) for layer in layers),
            cost_section(self, notation),
            section_between_layers(),
            *backward,
            _what_it_costs(self),
        )

    @property
    def document(self) -> Document:
        """The equations as a document."""
        return Document(self.title, self.sections)


def _notation_section(
    network: Propagation, notation: Notation, backward: tuple[Section, ...]
) -> Section:
    batch = "m" if network.batch is None else f"m = {network.batch}"
    kind = "Columns" if notation.examples_are_columns else "Rows"
    last = len(network.sizes) - 1
    rows = [("0", str(network.sizes[0]), "inputs", "", "", notation.shape("A", "0"), "")]
    for layer, formula in enumerate(network.activations, 1):
        name = str(layer)
        rows.append(
            (
                name,
                str(network.sizes[layer]),
                formula.title,
                notation.shape("W", name),
                notation.shape("b", name),
                notation.shape("Z", name),
                f"{_parameters(network.sizes, layer):,}",
            )
        )
    total = sum(_parameters(network.sizes, layer) for layer in range(1, last + 1))
    rows.append(("all", str(sum(network.sizes)), "", "", "", "", f"{total:,}"))
    header = ("layer", "units", "activation", "W[l]", "b[l]", "Z[l], A[l]", "parameters")
    sentences = [
        f"{kind} are examples: {batch} in a batch. A[0] = X holds the inputs, Y the targets; "
        "⊙ is the element-wise product."
    ]
    if notation.has_blocks:
        *first, rest = map(str, network.blocks)
        sentences.append(
            f"The output layer falls into {len(network.blocks)} blocks of {', '.join(first)} and "
            f"{rest} units: there, what goes over units goes over those of one block, n_k in "
            "block k."
        )
    if any(_has_two_forms(section) for section in backward):
        sentences.append(
            "Where a form through A[l] stands beside one through Z[l], the form through Z[l] is "
            "computed: it keeps the gradient where A[l] rounds."
        )
    return Section("Notation and shapes", tuple(sentences), (), (Table(header, tuple(rows)),))


def _has_two_forms(section: Section) -> bool:
    lefts = [shown.sides[0] for shown in section.equations]
    return len(set(lefts)) < len(lefts)


def _parameters(sizes: tuple[int, ...], layer: int) -> int:
    return (sizes[layer - 1] + 1) * sizes[layer]


def _what_it_costs(network: Propagation) -> Section:
    """State the numbers kept between forward and backward, and the multiply-adds."""
    sizes, last = network.sizes, len(network.sizes) - 1

    def count(numbers: int) -> str:
        return f"{numbers:,} m" if network.batch is None else f"{numbers * network.batch:,}"

    kept = [sizes[0], *(2 * width for width in sizes[1:last]), sizes[last]]
    forward = [below * width for below, width in pairwise(sizes)]
    backward = [product * (1 if layer == 0 else 2) for layer, product in enumerate(forward)]
    rows = [("0", "A[0]", count(kept[0]), "", "")]
    for layer in range(1, last + 1):
        what = f"Z[{layer}]" if layer == last else f"Z[{layer}], A[{layer}]"
        products = count(forward[layer - 1]), count(backward[layer - 1])
        rows.append((str(layer), what, count(kept[layer]), *products))
    rows.append(("all", "", count(sum(kept)), count(sum(forward)), count(sum(backward))))
    header = ("layer", "kept for the way back", "numbers", "multiply-adds forward", "backward")
    bytes_kept = count(sum(kept) * network.item_size)
    sentences = (
        f"What is kept takes {bytes_kept} bytes, at {network.item_size} bytes a number.",
        "The multiply-adds are those of the matrix products. The activations come on top: m·n[l] "
        "evaluations forward, and as many backward.",
        "∂J/∂A[0] is not computed: nothing below the inputs is learned.",
    )
    return Section("Memory and operations", sentences, (), (Table(header, tuple(rows)),))
