"""The computation graph: one elementary operation a node, every value once."""

from __future__ import annotations

from dataclasses import dataclass, field

from chainrule.derivations.algebra._arithmetic import ONE, multiply
from chainrule.formulas import (
    COMPARISONS,
    REDUCTIONS,
    Apply,
    Expression,
    Variable,
    variables_of,
)

UNIT_COUNT = Apply("count", ())
_UNNUMBERED = (*COMPARISONS, "value", "others", "others_max", "others_min")


@dataclass(frozen=True, slots=True)
class Node:
    """One elementary operation.

    Parameters
    ----------
    operation : str
        ``input`` for a variable, ``value`` for what holds no variable (numbers, parameters and
        what is made of them), else an elementary operation; ``reduce_sum`` and the like reach
        over the units of the layer.
    arguments : tuple of int
        Indices of the nodes it uses.
    leaf : Expression or None
        The expression of an ``input`` or a ``value``.
    per_unit : bool
        Whether the value differs from unit to unit.
    """

    operation: str
    arguments: tuple[int, ...]
    leaf: Expression | None
    per_unit: bool


@dataclass(frozen=True)
class Graph:
    """Nodes in an order in which each follows its arguments.

    Parameters
    ----------
    nodes : tuple of Node
    output : int
        The result.
    others : tuple of int
        Further results, where several are computed together.
    """

    nodes: tuple[Node, ...]
    output: int
    others: tuple[int, ...] = ()

    @property
    def order(self) -> tuple[int, ...]:
        """The numbered nodes: by depth, negations first within a level, then as first met."""
        depth = self.depths
        numbered = (k for k in self.reached() if self.nodes[k].operation not in _UNNUMBERED)
        return tuple(
            sorted(numbered, key=lambda k: (depth[k], self.nodes[k].operation != "negate", k))
        )

    @property
    def depths(self) -> tuple[int, ...]:
        """The longest way from an input to each node, in operations."""
        depth: list[int] = []
        for node in self.nodes:
            inner = [depth[argument] for argument in node.arguments]
            depth.append(-1 if node.operation == "value" else 1 + max(inner) if inner else 0)
        return tuple(depth)

    def reached(self) -> tuple[int, ...]:
        """Return the indices of the nodes that the results need, in order."""
        needed = {self.output, *self.others}
        for index in range(max(needed), -1, -1):
            if index in needed:
                needed.update(self.nodes[index].arguments)
        return tuple(sorted(needed))

    @property
    def is_layer_coupled(self) -> bool:
        """Whether a reduction over the units occurs."""
        return any(self.nodes[k].operation.startswith("reduce_") for k in self.reached())

    def definition(self, index: int, names: dict[int, Expression]) -> Expression:
        """Return a node's operation applied to its arguments' names."""
        node = self.nodes[index]
        if node.leaf is not None:
            return node.leaf
        arguments = tuple(self._named(argument, names) for argument in node.arguments)
        if node.operation == "reciprocal":
            return Apply("divide", (ONE, *arguments))
        if node.operation == "multiply":
            return multiply(*arguments)
        return Apply(node.operation.removeprefix("reduce_"), arguments)

    def _named(self, index: int, names: dict[int, Expression]) -> Expression:
        return names[index] if index in names else self.definition(index, names)

    def is_condition(self, index: int) -> bool:
        """Tell whether a node is a comparison."""
        return self.nodes[index].operation in COMPARISONS

    def expression_of_condition(self, index: int) -> Expression:
        """Return a comparison of nodes by their plain indices, ``u3 > u5``."""
        node = self.nodes[index]
        if node.leaf is not None:
            return node.leaf
        parts = tuple(
            self.expression(k) if self.nodes[k].operation == "value" else Variable(f"u{k}")
            for k in node.arguments
        )
        return Apply(node.operation, parts)

    def expression(self, index: int | None = None) -> Expression:
        """Return a node written out down to the variables."""
        return self._named(self.output if index is None else index, {})


@dataclass
class GraphBuilder:
    """Collects nodes; an operation that is there already is not added again."""

    nodes: list[Node] = field(default_factory=list)
    _index: dict[tuple[str, tuple[int, ...], Expression | None], int] = field(default_factory=dict)

    def copy(self, node: Node) -> int:
        """Add a node of another graph whose nodes before it have been added alike."""
        return self._node(node.operation, node.arguments, node.leaf)

    def insert(self, expression: Expression, known: dict[Expression, int] | None = None) -> int:
        """Add an expression and return its node; `known` names nodes that stand for variables."""
        if known and expression in known:
            return known[expression]
        if not variables_of(expression):
            return self._node("value", (), expression)
        if isinstance(expression, Variable):
            return self._node("input", (), expression)
        assert isinstance(expression, Apply)
        operation, parts = expression.operation, expression.arguments
        if operation == "divide" and variables_of(parts[1]):
            above = None if parts[0] == ONE else self.insert(parts[0], known)
            below = self._node("reciprocal", (self.insert(parts[1], known),))
            return below if above is None else self._node("multiply", (above, below))
        arguments = tuple(self.insert(part, known) for part in parts)
        if operation in REDUCTIONS:
            if self.nodes[arguments[0]].per_unit:
                return self._node(f"reduce_{operation}", arguments)
            # What all units share is its own mean, and its own largest value.
            if operation != "sum":
                return arguments[0]
            return self._node("multiply", (self._node("value", (), UNIT_COUNT), *arguments))
        return self._node(operation, arguments)

    def _node(
        self, operation: str, arguments: tuple[int, ...], leaf: Expression | None = None
    ) -> int:
        key = (operation, arguments, leaf)
        if key not in self._index:
            per_unit = operation == "input" or (
                not operation.startswith("reduce_")
                and any(self.nodes[argument].per_unit for argument in arguments)
            )
            self.nodes.append(Node(operation, arguments, leaf, per_unit))
            self._index[key] = len(self.nodes) - 1
        return self._index[key]

    def graph(self, output: int, others: tuple[int, ...] = ()) -> Graph:
        """Return what has been collected as a value."""
        return Graph(tuple(self.nodes), output, others)


def computation_graph(expression: Expression) -> Graph:
    """Return the computation graph of an expression.

    A quotient ``x/y`` is a reciprocal and a product, as in a derivation on paper; a quotient by
    something that holds no variable stays one operation.

    Examples
    --------
    >>> from chainrule.formulas import parse
    >>> graph = computation_graph(parse("1/(1 + exp(-z))").expression)
    >>> [graph.nodes[k].operation for k in graph.order]
    ['input', 'negate', 'exp', 'add', 'reciprocal']
    """
    builder = GraphBuilder()
    return builder.graph(builder.insert(expression))
