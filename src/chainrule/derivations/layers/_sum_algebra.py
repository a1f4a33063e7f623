"""Values of a layer's graph as SymPy expressions in which sums over the units are canonical.

Sums ``S(m)`` over the units are linear: what the layer shares stands before them.
"""

from __future__ import annotations

from typing import Any

import sympy

from chainrule.derivations._graph import UNIT_COUNT, Graph, Node
from chainrule.derivations.algebra._arithmetic import size
from chainrule.derivations.algebra._sympy import (
    ARITHMETIC,
    FUNCTIONS,
    Translation,
    is_written_short,
    without_shared,
)
from chainrule.formulas import REDUCTIONS, Apply, Constant, Expression, Parameter, Variable


class SumFunction(sympy.Function):  # type: ignore[misc]
    """The sum over the units of the layer, as SymPy sees it."""

    is_real = True


class MeanFunction(sympy.Function):  # type: ignore[misc]
    """The mean over the units of the layer, in what is to be written."""

    is_real = True


class SumAlgebra:
    """Values of a graph as SymPy expressions in which sums over the units are kept canonical.

    Parameters
    ----------
    graph : Graph
    values : dict of str to float
        Of the parameters.
    kept : set of int
        Nodes that are symbols of their own: ``sum(g*(z - 1)**4)`` stays one sum.
    """

    def __init__(
        self, graph: Graph, values: dict[str, float], kept: frozenset[int] = frozenset()
    ) -> None:
        self.graph, self.values, self.kept = graph, values, kept
        self.translation = Translation(names_long_numbers=True)
        for name, value in values.items():
            self.translation.symbol(Parameter(name), positive=True if value > 0 else None)
        self.count = self.translation.symbol(UNIT_COUNT, positive=True)
        self.shared: dict[int, Any] = {}
        self.built: dict[int, Any] = {}

    def value(self, index: int) -> Any:
        """Return a node's value; reductions of the formula itself are symbols of their own."""
        if index not in self.built:
            self.built[index] = self._value(index)
        return self.built[index]

    def _value(self, index: int) -> Any:
        node = self.graph.nodes[index]
        if node.leaf is not None:
            return self.translation.to_sympy(node.leaf)
        if index in self.kept:
            return self.translation.symbol(self.graph.expression(index))
        if index in self.shared:
            return self.shared[index]
        if node.operation == "where" and (masked := self._masked(node)) is not None:
            return masked
        x = [self.value(k) for k in node.arguments]
        if node.operation == "reduce_sum":
            return self.sum(x[0])
        if node.operation == "indicator":
            return self.indicator(node.arguments[0])
        if node.operation == "exp" and is_written_short("exp", x):
            return sympy.expand_power_exp(sympy.exp(sympy.expand(x[0])))
        rule = ARITHMETIC.get(node.operation) or FUNCTIONS.get(node.operation)
        if rule is not None and is_written_short(node.operation, x):
            return rule(*x)
        return self.translation.symbol(self.graph.expression(index))

    def _masked(self, node: Node) -> Any | None:
        """Write ``where(condition, x, 0)`` as a product, which the backward pass has, too."""
        condition, *branches = node.arguments
        x, y = (self.value(k) for k in branches)
        if y == 0:
            return self.indicator(condition) * x
        return (1 - self.indicator(condition)) * y if x == 0 else None

    def indicator(self, index: int) -> Any:
        """Return the symbol of I(x > y), or one less it: opposite comparisons share a symbol."""
        node = self.graph.nodes[index]
        opposite = node.operation in ("greater_equal", "less_equal", "not_equal")
        x, y = node.arguments
        if sympy.expand(self.value(x) - self.value(y)) == 0:
            return sympy.Integer(node.operation in ("equal", "greater_equal", "less_equal"))
        if node.operation in ("less", "greater_equal"):
            x, y = y, x
        if node.operation in ("equal", "not_equal"):
            comparison: Expression = Apply(
                "equal", (self.graph.expression(x), self.graph.expression(y))
            )
        else:
            comparison = self.greater(x, y)
        symbol = self.translation.symbol(Apply("indicator", (comparison,)))
        return 1 - symbol if opposite else symbol

    def greater(self, x: int, y: int) -> Expression:
        """Write x > y with what both sides share taken away, where that is shorter."""
        plain = Apply("greater", (self.graph.expression(x), self.graph.expression(y)))
        difference = sympy.expand(self.value(x) - self.value(y))
        over, under = without_shared(difference, self.to_expression)
        if isinstance(over, Constant):
            return min((Apply("less", (under, over)), plain), key=size)
        return min((plain, Apply("greater", (over, under))), key=size)

    def piecewise(self, e: Any) -> Expression:
        """Write an expression with one indicator outside of sums by its two cases, if shorter."""
        whole = self.to_expression(e)
        outside = e.replace(
            lambda part: isinstance(part, SumFunction), lambda part: sympy.Integer(1)
        )
        found = [s for s in outside.free_symbols if is_indicator(self.translation.meaning.get(s))]
        if len(found) != 1 or any(part.has(found[0]) for part in e.atoms(SumFunction)):
            return whole
        condition = self.translation.meaning[found[0]]
        assert isinstance(condition, Apply)
        cases = (self.to_expression(sympy.factor(e.subs(found[0], k))) for k in (1, 0))
        return min((whole, Apply("where", (condition.arguments[0], *cases))), key=size)

    def name_reductions(self, last: int) -> None:
        """Give every reduction among the first nodes a symbol."""
        for index in range(last + 1):
            node = self.graph.nodes[index]
            if node.operation.startswith("reduce_"):
                positive = True if _is_positive(self.graph, node.arguments[0]) else None
                expression = self.graph.expression(index)
                self.shared[index] = self.translation.symbol(expression, positive=positive)

    def sum(self, e: Any) -> Any:
        """Return the sum over the units, by linearity a combination of sums of products."""
        result = sympy.Integer(0)
        for term in sympy.Add.make_args(sympy.expand(e)):
            shared, own = sympy.Integer(1), sympy.Integer(1)
            for factor in sympy.Mul.make_args(term):
                if self.is_own(factor):
                    own *= factor
                else:
                    shared *= factor
            result += shared * (self.count if own == 1 else SumFunction(own))
        return result

    def is_own(self, factor: Any) -> bool:
        """Tell whether a value differs from unit to unit; a sum over the units does not."""
        outside = factor.replace(
            lambda part: isinstance(part, SumFunction), lambda part: sympy.Integer(1)
        )
        meaning = self.translation.meaning
        return any(s in meaning and is_per_unit(meaning[s]) for s in outside.free_symbols)

    def canonical(self, e: Any) -> Any:
        """Renew the sums of an expression, the innermost first."""
        e = e.replace(
            lambda part: isinstance(part, SumFunction), lambda part: self.sum(part.args[0])
        )
        return sympy.expand(e)

    def with_means(self, e: Any) -> Any:
        """Write sums over the units as their number times means."""
        return e.replace(SumFunction, lambda part: self.count * MeanFunction(part))

    def to_expression(self, e: Any) -> Expression:
        """Return an expression in which sums are the language's own."""
        parts = e.atoms(SumFunction, MeanFunction)
        for part in sorted(parts, key=sympy.count_ops, reverse=True):
            operation = "sum" if isinstance(part, SumFunction) else "mean"
            inner = Apply(operation, (self.to_expression(part.args[0]),))
            e = e.subs(part, self.translation.symbol(inner))
        return self.translation.to_expression(e)


def is_indicator(e: Expression | None) -> bool:
    return isinstance(e, Apply) and e.operation == "indicator"


def is_per_unit(e: Expression) -> bool:
    """Tell whether a value differs from unit to unit, as all variables do outside reductions."""
    if isinstance(e, Apply):
        return e.operation not in REDUCTIONS and any(is_per_unit(part) for part in e.arguments)
    return isinstance(e, Variable)


def _is_positive(graph: Graph, index: int) -> bool:
    node = graph.nodes[index]
    if node.operation in ("exp", "cosh"):
        return True
    if node.operation in ("add", "multiply", "reciprocal", "reduce_sum", "reduce_mean"):
        return all(_is_positive(graph, k) for k in node.arguments)
    return False
