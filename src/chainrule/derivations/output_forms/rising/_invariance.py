"""What a common factor of all pre-activations does to a layer's values, operation by operation.

Under ``z -> c z`` a value may be multiplied by a power of c, for all c > 0 (it is homogeneous), or
keep or change its sign with c = -1 (it is even or odd). Both follow from the computation graph by
one rule for every operation, and are proved by it.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from chainrule.derivations._evaluate import evaluate_layer
from chainrule.derivations._graph import Graph, Node, computation_graph
from chainrule.derivations.algebra._arithmetic import ZERO
from chainrule.formulas import COMPARISONS, Apply, Constant, Expression, Formula, substitute

_ODD = ("tanh", "sinh", "sin", "atan", "asinh", "erf", "sign", "negate", "reciprocal")
_EVEN = ("abs", "cos", "cosh")
_ALIKE = ("add", "subtract", "maximum", "minimum", *COMPARISONS)
_Degrees = dict[int, Fraction | None]


def degree(graph: Graph) -> Fraction | None:
    """Return the power of a factor c > 0 of all `z` by which the output is multiplied, if any.

    Parameters
    ----------
    graph : Graph

    Examples
    --------
    >>> from chainrule.derivations import computation_graph
    >>> from chainrule.formulas import parse
    >>> str(degree(computation_graph(parse("z/sqrt(sum(z**2))").expression)))
    '0'
    """
    found: _Degrees = {}
    for index in graph.reached():
        found[index] = _degree(graph, graph.nodes[index], found)
    return found[graph.output]


def degree_as_decided(formula: Formula, layers: Sequence[Sequence[Any]]) -> Fraction | None:
    """Return the degree that a formula has at some layers, by the branches that it takes there.

    None, too, where it has no choices, and its degree at these layers is that anywhere.
    """

    def decided(e: Expression) -> Expression | None:
        match e:
            case Apply("maximum" | "minimum", (x, y)):
                condition: Expression = Apply("greater", (x, y))
                branches = (x, y) if e.operation == "maximum" else (y, x)
            case Apply("where", (condition, x, y)):
                branches = x, y
            case _:
                return None
        choice, known = Apply("indicator", (condition,)), dict(formula.parameters)
        taken = {x == 1 for z in layers for x in evaluate_layer(choice, {**known, "z": list(z)})}
        if len(taken) > 1:
            return None
        return substitute(branches[0 if True in taken else 1], decided)

    expression = substitute(formula.expression, decided)
    return None if expression == formula.expression else degree(computation_graph(expression))


def _degree(graph: Graph, node: Node, found: _Degrees) -> Fraction | None:
    if node.leaf is not None:
        return Fraction(node.operation == "input")
    # Zero has every degree.
    known = [found[k] for k in node.arguments if graph.nodes[k].leaf != ZERO]
    x = [degree for degree in known if degree is not None]
    if len(x) < len(known) or not x:
        return None
    match node.operation:
        case operation if operation in _ALIKE:
            common = x[0] if len(set(x)) == 1 else None
            return Fraction(0) if common is not None and operation in COMPARISONS else common
        case "where":
            return x[1] if len(x) == 2 or x[1] == x[2] else None
        case "multiply":
            return sum(x, Fraction(0)) if len(x) == 2 else None
        case "divide":
            return x[0] - x[1] if len(x) == 2 else None
        case "reciprocal":
            return -x[0]
        case "sqrt":
            return x[0] / 2
        case "negate" | "abs" | "reduce_sum" | "reduce_mean" | "reduce_max" | "reduce_min":
            return x[0]
        case "sign" | "indicator":
            return Fraction(0)
        case "power":
            exponent = graph.nodes[node.arguments[1]].leaf
            if isinstance(exponent, Constant):
                return x[0] * exponent.value
    return Fraction(0) if not any(x) else None


def is_even(graph: Graph) -> bool:
    """Tell whether the output is the same for `z` and for ``-z``, by the operations' rules."""
    return _parity_of(graph) == 1


def is_odd(graph: Graph) -> bool:
    """Tell whether the output changes its sign with `z`, by the operations' rules."""
    return _parity_of(graph) == -1


def _parity_of(graph: Graph) -> int:
    found: dict[int, int] = {}
    for index in graph.reached():
        found[index] = _parity(graph, graph.nodes[index], found)
    return found[graph.output]


def _parity(graph: Graph, node: Node, found: dict[int, int]) -> int:
    """Return 1 for an even value, -1 for an odd one, 0 where neither is known."""
    if node.leaf is not None:
        return -1 if node.operation == "input" else 1
    x = [found[k] for k in node.arguments]
    if all(parity == 1 for parity in x):
        return 1
    match node.operation:
        case "add" | "subtract" | "equal" | "not_equal":
            same = x[0] if x[0] == x[1] else 0
            return same * same if node.operation in COMPARISONS else same
        case "multiply" | "divide":
            return x[0] * x[1]
        case "where":
            return x[1] if x[0] == 1 and x[1] == x[2] else 0
        case "reduce_sum" | "reduce_mean":
            return x[0]
        case "power":
            exponent = graph.nodes[node.arguments[1]].leaf
            if isinstance(exponent, Constant) and exponent.value.denominator == 1:
                return x[0] if exponent.value.numerator % 2 else x[0] * x[0]
        case operation if operation in _ODD:
            return x[0]
        case operation if operation in _EVEN:
            return x[0] * x[0]
    return 0
