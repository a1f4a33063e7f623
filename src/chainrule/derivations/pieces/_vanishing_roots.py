"""Roots of what is never negative, where that vanishes: ``sqrt(sum(z**2))`` at a layer of zeros.

There such a root is at its least. So its slope is 0 wherever it has one, and where it has none, as
at the tip of a cone, 0 lies between the slopes on either side, as ``sign(0)`` does for ``abs``.
"""

from __future__ import annotations

from collections.abc import Mapping

from chainrule.derivations._graph import UNIT_COUNT, Graph, Node
from chainrule.formulas import Constant, Expression, Pi

_KEEP_SIGN = ("sqrt", "tanh", "sinh", "asinh", "atan", "erf", "expm1", "log1p", "held")
_POSITIVE, _NEVER_NEGATIVE = 2, 1
_UNDEFINED_AT_ZERO = ("reciprocal", "log")


def vanishing_roots(
    graph: Graph, conditions: Mapping[int, frozenset[Expression]]
) -> frozenset[int]:
    """Return the roots that may vanish where the formula has a value, of what is never negative.

    Parameters
    ----------
    graph : Graph
    conditions : mapping of int to frozenset of Expression
        For every node what must hold for its value to be needed.
    """
    signs = _signs(graph)
    found = set()
    for k in graph.reached():
        node = graph.nodes[k]
        if node.operation == "sqrt" or _is_fractional_power(graph, node):
            base = _without_numbers(graph, node.arguments[0])
            may_vanish = signs[base] == _NEVER_NEGATIVE
            if may_vanish and not _forbids_zero(graph, {k, node.arguments[0], base}, conditions):
                found.add(k)
    return frozenset(found)


def _is_fractional_power(graph: Graph, node: Node) -> bool:
    if node.operation != "power" or graph.nodes[node.arguments[1]].operation != "value":
        return False
    exponent = graph.nodes[node.arguments[1]].leaf
    return not isinstance(exponent, Constant) or 0 < exponent.value < 1


def _without_numbers(graph: Graph, index: int) -> int:
    """Return what a node is a multiple of; were the number negative, the root would be none."""
    node = graph.nodes[index]
    for number, argument in zip(node.arguments[::-1], node.arguments, strict=True):
        is_multiple = node.operation == "multiply" or (
            node.operation == "divide" and argument == node.arguments[0]
        )
        if is_multiple and graph.nodes[number].operation == "value":
            return _without_numbers(graph, argument)
    return index


def _forbids_zero(
    graph: Graph, vanishing: set[int], conditions: Mapping[int, frozenset[Expression]]
) -> bool:
    """Tell whether the formula divides by what vanishes, or takes its logarithm, in any case."""
    vanishing = set(vanishing)
    for k in graph.reached():
        node = graph.nodes[k]
        if not vanishing.intersection(node.arguments):
            continue
        if node.operation in _UNDEFINED_AT_ZERO and not conditions.get(k):
            return True
        if node.operation in (*_KEEP_SIGN, "multiply", "negate", "abs"):
            vanishing.add(k)
        if node.operation in ("power", "divide") and node.arguments[0] in vanishing:
            exponent = graph.nodes[node.arguments[1]].leaf
            is_negative = isinstance(exponent, Constant) and exponent.value < 0
            if node.operation == "power" and is_negative and not conditions.get(k):
                return True
            vanishing.add(k)
    return False


def _signs(graph: Graph) -> dict[int, int]:
    """Return for every node 2 where it is positive, 1 where it is never negative, else 0."""
    signs: dict[int, int] = {}
    for k in graph.reached():
        node = graph.nodes[k]
        signs[k] = _sign(graph, node, [signs[argument] for argument in node.arguments])
    return signs


def _sign(graph: Graph, node: Node, signs: list[int]) -> int:
    match node.operation:
        case "value":
            return _sign_of_number(node.leaf)
        case "exp" | "cosh":
            return _POSITIVE
        case "abs":
            return max(_NEVER_NEGATIVE, signs[0])
        case "indicator":
            return _NEVER_NEGATIVE
        case "power" if _is_even(graph.nodes[node.arguments[1]].leaf):
            return max(_NEVER_NEGATIVE, signs[0])
        case "multiply" if node.arguments[0] == node.arguments[1]:
            return max(_NEVER_NEGATIVE, signs[0])
        case "subtract" if _is_spread(graph, *node.arguments):
            return _NEVER_NEGATIVE
        case "multiply" | "divide" | "minimum":
            return min(signs)
        case "where":
            return min(signs[1:])
        case "add":
            return max(signs) if min(signs) else 0
        case "maximum":
            return max(signs)
        case "power":
            return signs[0]
        case "reciprocal" | "reduce_sum" | "reduce_mean" | "reduce_max" | "reduce_min":
            return signs[0]
        case operation if operation in _KEEP_SIGN:
            return signs[0]
    return 0


def _sign_of_number(e: Expression | None) -> int:
    if isinstance(e, Constant):
        return 0 if e.value < 0 else _POSITIVE if e.value else _NEVER_NEGATIVE
    return _POSITIVE if isinstance(e, Pi) or e == UNIT_COUNT else 0


def _is_even(exponent: Expression | None) -> bool:
    return isinstance(exponent, Constant) and exponent.value % 2 == 0 and exponent.value > 0


def _is_spread(graph: Graph, above: int, below: int) -> bool:
    """Tell a difference from the largest or smallest unit, and a mean of squares less a square."""
    high, low = graph.nodes[above], graph.nodes[below]
    for extreme, end, other in ((high, "reduce_max", below), (low, "reduce_min", above)):
        if extreme.operation == end and _is_between(graph, other, extreme.arguments[0]):
            return True
    root = _squared(graph, below)
    mean = None if root is None else graph.nodes[root]
    if mean is None or mean.operation != "reduce_mean" or high.operation != "reduce_mean":
        return False
    return _squared(graph, high.arguments[0]) == mean.arguments[0]


def _is_between(graph: Graph, index: int, x: int) -> bool:
    """Tell whether a node is no more than the largest unit of x, and no less than the smallest."""
    node = graph.nodes[index]
    is_reduced = node.operation in ("reduce_mean", "reduce_min", "reduce_max")
    return index == x or (is_reduced and node.arguments == (x,))


def _squared(graph: Graph, index: int) -> int | None:
    """Return what a node is the square of."""
    node = graph.nodes[index]
    if node.operation == "multiply" and node.arguments[0] == node.arguments[1]:
        return node.arguments[0]
    if node.operation == "power":
        exponent = graph.nodes[node.arguments[1]].leaf
        return node.arguments[0] if isinstance(exponent, Constant) and exponent.value == 2 else None
    return None
