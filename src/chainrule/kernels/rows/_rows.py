"""Source of kernels that work through a batch row by row: layer-coupled functions and costs.

A pass over the units of a row computes what is known for each unit and accumulates the reductions
of it; between passes, what all units share is computed once. What was costly to compute and is
needed again is kept in a buffer of one row.

Where exponentials of a difference from the row's extreme are all that is costly, what each unit has
may be in float32: what they share, and sums over them, remain in float64.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from chainrule.derivations import Graph
from chainrule.formulas import COMPARISONS, Apply, Expression, Variable
from chainrule.kernels.rows._blocks import indented, over_rows
from chainrule.kernels.rows._lanes import WIDEST, in_lanes
from chainrule.kernels.rows._last_loops import with_loop_in_floats
from chainrule.kernels.rows._row_passes import EXTREMES, RowPasses
from chainrule.kernels.source._lines import in_sum, operation, written
from chainrule.kernels.source._thresholds import threshold
from chainrule.kernels.source._tiers import in_single
from chainrule.kernels.stable_forms._powers import is_any_number

_START = {"sum": "0.0", "mean": "0.0", "max": "-inf", "min": "inf"}
_LONGEST = 16  # float32 in a vector
# What takes as long for a row as for a unit: of several rows it fills a vector.
DEAR = {
    *("exp", "expm1", "log", "log1p", "tanh", "sinh", "cosh", "sin", "cos", "atan", "erf"),
    *("sqrt", "reciprocal"),
}
_OF_ROWS = re.compile(r"\b(columns|p_\w+)\b")


@dataclass(frozen=True, eq=False)
class RowProgram:
    """Writes the body of a kernel for one graph.

    Parameters
    ----------
    passes : RowPasses
        What is to be computed for each unit, or once for each row; if the graph has one more
        result, that is computed for each row and goes to ``costs[i]``.
    inputs : dict of str to str
        For each variable, the source that reads it for unit ``j``.
    one_result : bool
        Whether a row has one result, ``output[i]``, and not one for each unit, ``output[i, j]``.
    names : dict of int to str
        What the derivation calls a node; stands beside the line that computes it.
    ends_in_floats : bool
        Whether the last pass is in float32 where that is possible.
    may_be_narrow : bool
        Whether rows of few units have code of their own.
    """

    passes: RowPasses
    inputs: dict[str, str]
    one_result: bool = False
    names: Mapping[int, str] = field(default_factory=dict)
    ends_in_floats: bool = False
    may_be_narrow: bool = False

    @property
    def graph(self) -> Graph:
        """What is computed."""
        return self.passes.graph

    @property
    def in_floats(self) -> bool:
        """Whether what each unit has is in float32."""
        return self.passes.in_floats

    @cached_property
    def summed(self) -> set[int]:
        """The terms of sums in float64."""
        nodes = [self.graph.nodes[k] for k in self.passes.level]
        sums = (n.arguments[0] for n in nodes if n.operation in ("reduce_sum", "reduce_mean"))
        return set() if self.in_floats else set(sums)

    @property
    def shared(self) -> list[str]:
        """The names of what all units of a row share."""
        return [f"v{k}" for k in self.graph.reached() if not self.graph.nodes[k].per_unit]

    def source(self) -> list[str]:
        """Return the body: a loop over the rows, or over blocks of them."""
        stages = self._stages()
        length, kind = ("columns", "np.float64")
        if self.in_floats:
            length, kind = f"columns + {_LONGEST}", "np.float32"
        rates = [
            f"rate_{k} = {written(power.rate, _count)}"
            for k, power in self.passes.powers.items()
            if power.kind and self.in_floats
        ]
        buffers = [f"kept_{k}" for k in sorted(self.passes.kept)]
        shared = [*self.shared, *(f"factor_{k}" for k in self.passes.powers)]
        lines = over_rows(stages, shared, buffers, f"{length}, {kind}")
        if self.may_be_narrow:
            narrow = in_lanes([line for stage in stages for line in stage], shared)
            lines = [f"if columns <= {WIDEST}:", *indented(narrow), "else:", *indented(lines)]
        return [*rates, *lines]

    def _stages(self) -> list[list[str]]:
        """Return what is done with a row, cut where it may wait for other rows.

        A sum is known some time after its last term, and what all units share of it later still.
        The next row's pass fills that time.
        """
        nodes = self.graph.nodes
        stages: list[list[str]] = [[]]
        for level in range(self.passes.last + 2):
            shared = [
                k
                for k in self.passes.level
                if self.passes.level[k] == level and not nodes[k].per_unit
            ]
            if self._factors(level) or any(nodes[k].operation in DEAR for k in shared):
                stages.append([])
            stages[-1] += self._shared(level)
            stages.append(self._pass(level) if level <= self.passes.last else [])
        stages[-1] += self._result()
        dear = {nodes[k].operation for k in self.passes.level if not nodes[k].per_unit} & DEAR
        if self.in_floats and dear == {"reciprocal"}:
            # What is kept of one row alone stays nearer than what is kept of several.
            stages = [[line for stage in stages for line in stage]]
        return [stage for stage in stages if stage]

    def _result(self) -> list[str]:
        costs = [f"costs[i] = {self._name(k)}" for k in self.graph.others]
        if self.graph.nodes[self.graph.output].per_unit:
            return costs
        name = self._name(self.graph.output)
        if self.one_result:
            return [f"output[i] = {name}"]
        return [*costs, "for j in range(columns):", f"    output[i, j] = {name}"]

    def _pass(self, number: int) -> list[str]:
        """Return one pass over the units of a row."""
        passes, nodes = self.passes, self.graph.nodes
        reductions, writes = passes.reductions(number), passes.writes_in(number)
        if not reductions and not writes:
            return []
        lines: list[str] = []
        before = {k for k in passes.kept if passes.first(k) < number}
        fresh = {k for k in passes.kept if passes.first(k) == number}
        if self.in_floats and fresh:
            lines += self._whole_vectors(fresh, before)
            before |= fresh
        lines += map(self._start, reductions)
        ends = [self._accumulate(index) for index in reductions]
        if writes:
            ends.append(f"output[i, j] = {self._name(self.graph.output)}")
        loop = self._loop(passes.roots(number), before, ends)
        if writes and self.ends_in_floats and passes.is_linear_at_last:
            loop = with_loop_in_floats(loop, self.shared)
        lines += loop
        for index in reductions:
            name = self._name(index)
            if nodes[index].operation == "reduce_mean":
                lines.append(self._marked(f"{name} = {name} / columns", index))
            if self._is_by_place(index):
                place = f"{self._sign(index)}at_place(place_{index})"
                lines.append(self._marked(f"{name} = {place}", index))
        return lines

    def _loop(
        self, roots: Collection[int], known: Collection[int], ends: Collection[str] = ()
    ) -> list[str]:
        """Compute nodes for each unit, some of which are known."""
        needed = self.passes.needed(roots, known)
        body = [line for index in sorted(needed) for line in self._unit(index, known)]
        return ["for j in range(columns):", *indented([*body, *ends])]

    def _whole_vectors(self, roots: Collection[int], known: Collection[int]) -> list[str]:
        """Compute nodes for so many elements as fill vectors, the first ones of the next row too.

        What does not fill one goes element by element, which in short rows takes as long as the
        rest. Apart from the sums, whose float64 would halve the vectors.
        """
        loop = self._loop(roots, known)
        read = sorted(set(re.findall(r"\b(\w+)\[i, j\]", "\n".join(loop))))
        whole = [line.replace("[i, j]", "_on[j]").replace("(columns)", "(filled)") for line in loop]
        return [
            f"filled = (columns + {_LONGEST - 1}) // {_LONGEST} * {_LONGEST}",
            "if i * columns + filled <= rows * columns:",
            *(f"    {name}_on = carray(onward({name}, i * columns), (filled,))" for name in read),
            *indented(whole),
            "else:",
            *indented(loop),
        ]

    def _start(self, index: int) -> str:
        value = _START[self.graph.nodes[index].operation.removeprefix("reduce_")]
        if self._is_by_place(index):
            return f"place_{index} = place(-np.float32(np.inf))"
        return f"{self._name(index)} = {'0' if self.passes.is_count(index) else value}"

    def _is_by_place(self, index: int) -> bool:
        """Whether it is an extreme for which a NaN need not count: it counts in the exponential."""
        return self.in_floats and self.graph.nodes[index].operation in EXTREMES

    def _sign(self, index: int) -> str:
        return "-" * (self.graph.nodes[index].operation == "reduce_min")

    def _unit(self, index: int, known: Collection[int]) -> list[str]:
        node = self.graph.nodes[index]
        name = self._name(index)
        if node.operation == "input":
            assert isinstance(node.leaf, Variable)
            return [self._of_unit(f"{name} = {self.inputs[node.leaf.name]}", index)]
        if index in known:
            return [f"{name} = kept_{index}[j]"]
        if (compared := self._compared(index)) is not None:
            line = self._marked(f"{name} = {compared}", index)
        else:
            line = self._of_unit(f"{name} = {self._operation(index)}", index)
        return [line, f"kept_{index}[j] = {name}"] if index in self.passes.kept else [line]

    def _of_unit(self, line: str, index: int) -> str:
        """Write what is computed for one unit in its format."""
        if self.in_floats:
            line = _OF_ROWS.sub(r"np.float32(\1)", in_single(line))
        return self._marked(line, index)

    def _operation(self, index: int) -> str:
        node = self.graph.nodes[index]
        if self.in_floats and index in self.passes.powers:
            return self._below(index)
        arguments = tuple(self._argument(k, node.per_unit) for k in node.arguments)
        exponent = self.graph.nodes[node.arguments[1]].leaf if node.operation == "power" else None
        line = operation(node.operation, arguments, exponent)
        return in_sum(line) if index in self.summed else line

    def _compared(self, index: int) -> str | None:
        """Compare with what is the same for all rows; None of other operations."""
        node, nodes = self.graph.nodes[index], self.graph.nodes
        if node.operation not in COMPARISONS:
            return None
        for k, other in enumerate(node.arguments):
            is_place = not nodes[other].per_unit and self.passes.level[other] == 0
            if is_place and nodes[node.arguments[1 - k]].per_unit:
                names = [self._name(argument) for argument in node.arguments]
                form = "single" if self.in_floats else "double"
                names[k] = threshold(node.operation, k == 0, names[k], nodes[other].leaf, form)
                return operation(node.operation, tuple(names))
        return None

    def _below(self, index: int) -> str:
        power = self.passes.powers[index]
        some = "multiple_of_" * self._is_any_multiple(index)
        arguments = [f"{power.sign}{self._name(k)}" for k in (power.x, power.extreme)]
        if not some:
            arguments.append(f"factor_{index}")
        rate = [f"rate_{index}"] if power.kind else []
        return f"single.{some}{power.kind}exp_below({', '.join([*arguments, *rate])})"

    def _is_any_multiple(self, index: int) -> bool:
        return is_any_number(self.graph, self.passes.powers, self.passes.powers[index].extreme)

    def _factors(self, level: int) -> list[str]:
        """Compute what exponentials of a difference from an extreme are multiplied by."""
        return [
            f"factor_{k} = single.factor_below({power.sign}{self._name(power.extreme)},"
            f" {f'rate_{k}' if power.kind else '1.0'})"
            for k, power in self.passes.powers.items()
            if self.in_floats and self.passes.level[power.extreme] == level
            if k in self.passes.level and not self._is_any_multiple(k)
        ]

    def _argument(self, index: int, of_unit: bool) -> str:
        name = self._name(index)
        is_shared = not self.graph.nodes[index].per_unit
        if self.in_floats and of_unit and is_shared and name == f"v{index}":
            return f"np.float32({name})"
        return name

    def _accumulate(self, index: int) -> str:
        node = self.graph.nodes[index]
        name, value = self._name(index), self._name(node.arguments[0])
        if self.passes.is_count(index):
            return self._marked(f"{name} = {name} + (1 if {value} > 0.0 else 0)", index)
        if node.operation in ("reduce_sum", "reduce_mean"):
            value = f"np.float64({value})" if self.in_floats else value
            line = f"{name} = accumulate({name}, {value})"
            return line if node.operation == "reduce_mean" else self._marked(line, index)
        if self._is_by_place(index):
            return f"place_{index} = max(place_{index}, place({self._sign(index)}{value}))"
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
            if shared and node.operation != "value" and self.passes.level[index] == level:
                line = f"{self._name(index)} = {self._operation(index)}"
                lines.append(self._marked(line, index))
        return [*lines, *self._factors(level)]

    def _name(self, index: int) -> str:
        node = self.graph.nodes[index]
        if node.operation == "value":
            assert node.leaf is not None
            return written(node.leaf, _count)
        return f"v{index}"


def _count(e: Expression) -> str | None:
    return "columns" if e == Apply("count", ()) else None
