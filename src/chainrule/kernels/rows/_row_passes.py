"""What is known of a graph that is computed row by row: its passes, and what each of them needs.

A pass goes over the units of a row once. A reduction ends a pass: what is made of it is known in
the next one only.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from chainrule.derivations import Graph
from chainrule.formulas import COMPARISONS, constant
from chainrule.kernels.rows._last_loops import LINEAR
from chainrule.kernels.stable_forms._passes import levels
from chainrule.kernels.stable_forms._powers import Power, outweighs_powers, powers, stands_in

EXTREMES = ("reduce_max", "reduce_min")
_CHEAP = (
    *("add", "subtract", "negate", "multiply", "maximum", "minimum", "abs", "sign", "where"),
    *("indicator", *COMPARISONS),
)


@dataclass(frozen=True, eq=False)
class RowPasses:
    """The passes in which the nodes of a graph are computed for a row.

    Parameters
    ----------
    graph : Graph
    values : dict of str to float
        Of the parameters: their signs tell what does not overflow.
    in_floats : bool
        Whether what each unit has is in float32.
    """

    graph: Graph
    values: Mapping[str, float] = field(default_factory=dict)
    in_floats: bool = False

    @cached_property
    def level(self) -> dict[int, int]:
        """For each node, after how many passes it is known, or in which one."""
        return levels(self.graph)

    @cached_property
    def powers(self) -> dict[int, Power]:
        """The exponentials of a difference from an extreme of the row."""
        return powers(self.graph, self.values)

    @property
    def last(self) -> int:
        """The number of the last pass."""
        return max(self.level[k] for k in (self.graph.output, *self.graph.others))

    @cached_property
    def costly(self) -> list[int]:
        """What takes long to compute and is computed for each unit."""
        nodes = self.graph.nodes
        cheap = (*_CHEAP, "input")
        reached = self.graph.reached()
        return [k for k in reached if nodes[k].per_unit and nodes[k].operation not in cheap]

    @cached_property
    def kept(self) -> set[int]:
        """What is costly, computed for each unit and used in a later pass than its own."""
        kept: set[int] = set()
        for index in sorted(self.costly, reverse=True):
            passes = [p for p in range(self.last + 1) if index in self._computed(p, kept)]
            if len(passes) > 1 or (self.in_floats and passes and self.reductions(passes[0])):
                kept.add(index)
        return kept

    def _computed(self, number: int, kept: set[int]) -> set[int]:
        """Return the per-unit nodes that a pass computes, or reads back."""
        before = {k for k in kept if self.first(k) < number}
        return self.needed(self.roots(number), before)

    @property
    def has_floats(self) -> bool:
        """Whether what is costly for each unit keeps its digits in float32."""
        reached, nodes = self.graph.reached(), self.graph.nodes
        extremes = [k for k in reached if nodes[k].operation in EXTREMES]
        return (
            len(extremes) <= 1
            and not outweighs_powers(self.graph, self.powers)
            and all(
                k in self.powers
                or self._is_exp_of_input(k)
                or stands_in(self.graph, self.powers, k)
                for k in self.costly
            )
        )

    def _is_exp_of_input(self, index: int) -> bool:
        nodes = self.graph.nodes
        node = nodes[index]
        return node.operation == "exp" and nodes[node.arguments[0]].operation == "input"

    @property
    def is_linear_at_last(self) -> bool:
        """Whether the last pass but adds and multiplies inputs and what all units share."""
        below = self.needed([self.graph.output])
        return self.last > 0 and all(
            self.graph.nodes[k].operation in ("input", *LINEAR) for k in below
        )

    def is_count(self, index: int) -> bool:
        """Whether it is a sum of ones and zeros in float32, which are counted at less cost."""
        nodes = self.graph.nodes
        summed = nodes[nodes[index].arguments[0]]
        if not self.in_floats or nodes[index].operation != "reduce_sum":
            return False
        values = {nodes[k].leaf for k in summed.arguments[1:]}
        return summed.operation == "where" and values == {constant(0), constant(1)}

    def reductions(self, number: int) -> list[int]:
        """Return the sums and extremes that are taken in a pass."""
        nodes = self.graph.nodes
        return [
            index
            for index in self.graph.reached()
            if nodes[index].operation.startswith("reduce_")
            and self.level[nodes[index].arguments[0]] == number
        ]

    def writes_in(self, number: int) -> bool:
        """Whether a pass computes the results."""
        output = self.graph.output
        return self.graph.nodes[output].per_unit and self.level[output] == number

    def roots(self, number: int) -> list[int]:
        """Return the per-unit nodes whose values a pass must have."""
        nodes = self.graph.nodes
        roots = [nodes[index].arguments[0] for index in self.reductions(number)]
        if self.writes_in(number):
            roots.append(self.graph.output)
        return roots

    def first(self, index: int) -> int:
        """Return the first pass that needs a node."""
        return next(p for p in range(self.last + 1) if index in self.needed(self.roots(p)))

    def needed(self, roots: Collection[int], known: Collection[int] = ()) -> set[int]:
        """Return the per-unit nodes to compute for others when those in `known` are read back."""
        found: set[int] = set()
        stack = list(roots)
        while stack:
            current = stack.pop()
            if current in found or not self.graph.nodes[current].per_unit:
                continue
            found.add(current)
            if current not in known:
                stack.extend(self._arguments(current))
        return found

    def _arguments(self, index: int) -> tuple[int, ...]:
        """Return what a node is computed of; in float32, powers at once."""
        power = self.powers.get(index) if self.in_floats else None
        return self.graph.nodes[index].arguments if power is None else (power.x, power.extreme)
