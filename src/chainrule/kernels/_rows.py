"""Source of kernels that work through a batch row by row: layer-coupled functions and costs.

The graph is cut into passes over the units of a row. A pass computes what is known for each unit
and accumulates the reductions of it; between passes, what all units share is computed once. What
was costly to compute and is needed again is kept in a buffer of one row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from chainrule.derivations import Graph
from chainrule.formulas import COMPARISONS, Apply, Expression, Variable
from chainrule.kernels._source import operation, written

_CHEAP = (
    *("add", "subtract", "negate", "multiply", "maximum", "minimum", "abs", "sign", "where"),
    *("indicator", *COMPARISONS),
)
_START = {"sum": "0.0", "mean": "0.0", "max": "-inf", "min": "inf"}


@dataclass
class RowProgram:
    """Writes the body of a kernel for one graph.

    Parameters
    ----------
    graph : Graph
        What is to be computed for each unit, or once for each row.
    inputs : dict of str to str
        For each variable, the source that reads it for unit ``j``.
    one_result : bool
        Whether a row has one result, ``output[i]``, and not one for each unit, ``output[i, j]``.
    names : dict of int to str
        What the derivation calls a node; stands beside the line that computes it.
    """

    graph: Graph
    inputs: dict[str, str]
    one_result: bool = False
    names: Mapping[int, str] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.level: dict[int, int] = {}
        for index in self.graph.reached():
            node = self.graph.nodes[index]
            inner = max((self.level[k] for k in node.arguments), default=0)
            self.level[index] = inner + (1 if node.operation.startswith("reduce_") else 0)
        self.kept = self._kept()

    def _kept(self) -> set[int]:
        """Return the per-unit nodes that are costly and used in a later pass than their own."""
        used_in: dict[int, set[int]] = {}
        last = max(self.level.values())
        for pass_number in range(last + 1):
            for index in self._roots(pass_number):
                for below in self._units_below(index):
                    used_in.setdefault(below, set()).add(pass_number)
        return {
            index
            for index, passes in used_in.items()
            if len(passes) > 1 and self.graph.nodes[index].operation not in (*_CHEAP, "input")
        }

    def _roots(self, pass_number: int) -> list[int]:
        """Return the per-unit nodes whose values a pass must have."""
        nodes = self.graph.nodes
        roots = [
            nodes[index].arguments[0]
            for index in self.graph.reached()
            if nodes[index].operation.startswith("reduce_")
            and self.level[nodes[index].arguments[0]] == pass_number
        ]
        if nodes[self.graph.output].per_unit and self._last() == pass_number:
            roots.append(self.graph.output)
        return roots

    def _last(self) -> int:
        return self.level[self.graph.output]

    def _units_below(self, index: int) -> set[int]:
        found: set[int] = set()
        stack = [index]
        while stack:
            current = stack.pop()
            if current not in found and self.graph.nodes[current].per_unit:
                found.add(current)
                stack.extend(self.graph.nodes[current].arguments)
        return found

    def source(self) -> list[str]:
        """Return the body: a loop over the rows."""
        buffers = [f"kept_{k} = np.empty(columns)" for k in sorted(self.kept)]
        self.lines = []
        shared = self._shared(0)
        for pass_number in range(self._last() + 1):
            self._pass(pass_number)
        if not self.graph.nodes[self.graph.output].per_unit:
            name = self._name(self.graph.output)
            if self.one_result:
                self.lines.append(f"output[i] = {name}")
            else:
                self.lines += ["for j in range(columns):", f"    output[i, j] = {name}"]
        return [*buffers, "for i in range(rows):", *(f"    {x}" for x in [*shared, *self.lines])]

    def _pass(self, pass_number: int) -> None:
        nodes = self.graph.nodes
        reductions = [
            index
            for index in self.graph.reached()
            if nodes[index].operation.startswith("reduce_")
            and self.level[nodes[index].arguments[0]] == pass_number
        ]
        writes = nodes[self.graph.output].per_unit and self._last() == pass_number
        if reductions or writes:
            for index in reductions:
                start = _START[nodes[index].operation.removeprefix("reduce_")]
                self.lines.append(f"{self._name(index)} = {start}")
            self.lines.append("for j in range(columns):")
            body: list[str] = []
            needed = set().union(*(self._units_below(root) for root in self._roots(pass_number)))
            computed_before = {k for k in self.kept if self._first_pass(k) < pass_number}
            hidden = set()
            for root in self._roots(pass_number):
                hidden |= self._reached_without(root, computed_before)
            for index in sorted(needed & hidden):
                body += self._unit(index, pass_number)
            for index in reductions:
                body.append(self._accumulate(index))
            if writes:
                body.append(f"output[i, j] = {self._name(self.graph.output)}")
            self.lines += [f"    {line}" for line in body]
            for index in reductions:
                if nodes[index].operation == "reduce_mean":
                    name = self._name(index)
                    self.lines.append(self._marked(f"{name} = {name} / columns", index))
        self.lines += self._shared(pass_number + 1)

    def _first_pass(self, index: int) -> int:
        return min(
            number
            for number in range(self._last() + 1)
            if any(index in self._units_below(root) for root in self._roots(number))
        )

    def _reached_without(self, root: int, stops: set[int]) -> set[int]:
        """Return the per-unit nodes to compute for a root when those in `stops` are read back."""
        found: set[int] = set()
        stack = [root]
        while stack:
            current = stack.pop()
            if current in found or not self.graph.nodes[current].per_unit:
                continue
            found.add(current)
            if current not in stops:
                stack.extend(self.graph.nodes[current].arguments)
        return found

    def _unit(self, index: int, pass_number: int) -> list[str]:
        node = self.graph.nodes[index]
        name = self._name(index)
        if node.operation == "input":
            assert isinstance(node.leaf, Variable)
            return [self._marked(f"{name} = {self.inputs[node.leaf.name]}", index)]
        if index in self.kept and self._first_pass(index) < pass_number:
            return [f"{name} = kept_{index}[j]"]
        line = self._marked(f"{name} = {self._operation(index)}", index)
        return [line, f"kept_{index}[j] = {name}"] if index in self.kept else [line]

    def _operation(self, index: int) -> str:
        node = self.graph.nodes[index]
        arguments = tuple(self._name(k) for k in node.arguments)
        exponent = self.graph.nodes[node.arguments[1]].leaf if node.operation == "power" else None
        return operation(node.operation, arguments, exponent)

    def _accumulate(self, index: int) -> str:
        node = self.graph.nodes[index]
        name, value = self._name(index), self._name(node.arguments[0])
        if node.operation in ("reduce_sum", "reduce_mean"):
            line = f"{name} = accumulate({name}, {value})"
            return line if node.operation == "reduce_mean" else self._marked(line, index)
        chosen = "larger" if node.operation == "reduce_max" else "smaller"
        return self._marked(f"{name} = {chosen}({name}, {value})", index)

    def _marked(self, line: str, index: int) -> str:
        return f"{line}  # {self.names[index]}" if index in self.names else line

    def _shared(self, level: int) -> list[str]:
        """Compute what all units of a row share and what is known after `level` reductions."""
        lines = []
        for index in self.graph.reached():
            node = self.graph.nodes[index]
            shared = not node.per_unit and not node.operation.startswith("reduce_")
            if shared and node.operation != "value" and self.level[index] == level:
                line = f"{self._name(index)} = {self._operation(index)}"
                lines.append(self._marked(line, index))
        return lines

    def _name(self, index: int) -> str:
        node = self.graph.nodes[index]
        if node.operation == "value":
            assert node.leaf is not None
            return written(node.leaf, _count)
        return f"v{index}"


def _count(e: Expression) -> str | None:
    return "columns" if e == Apply("count", ()) else None
