"""Exponentials of what a unit lacks of its row's extreme, which keep their digits in float32."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from chainrule.derivations import Graph, evaluate
from chainrule.formulas import Apply, Expression, Variable, constant

_ONE, _LESS_ONE = constant(1), constant(-1)


@dataclass(frozen=True)
class Power:
    """``exp(rate*(x - extreme))``, never above 1.

    Parameters
    ----------
    x : int
        The node of an input.
    extreme : int
        The node of its largest value in a row, or of something larger that the row shares; where
        `rate` is negative, of its least.
    rate : Expression
        Without a variable.
    """

    x: int
    extreme: int
    rate: Expression

    @property
    def kind(self) -> str:
        """What the function that computes it has in its name before ``exp_below``."""
        return "" if self.rate in (_ONE, _LESS_ONE) else "scaled_"

    @property
    def sign(self) -> str:
        """Of both arguments of that function."""
        return "-" if self.rate == _LESS_ONE else ""


def powers(graph: Graph, values: Mapping[str, float]) -> dict[int, Power]:
    """Return all of them in a graph, by the node of the exponential."""
    found = ((k, _power(graph, k, values)) for k in graph.reached())
    return {k: power for k, power in found if power is not None}


def is_any_number(graph: Graph, powers: Mapping[int, Power], extreme: int) -> bool:
    """Tell whether the result is the same for any other number in an extreme's place.

    That is so where it is held, and stands in such exponents alone, all of one rate.
    """
    rates = {power.rate for power in powers.values() if power.extreme == extreme}
    held = graph.nodes[extreme].operation == "held"
    return held and len(rates) == 1 and stands_in(graph, powers, extreme)


def stands_in(graph: Graph, powers: Mapping[int, Power], index: int) -> bool:
    """Tell whether all that a node is used for are powers."""
    users = [k for k in graph.reached() if index in graph.nodes[k].arguments]
    return bool(users) and all(k in powers or stands_in(graph, powers, k) for k in users)


def outweighs_powers(graph: Graph, powers: Mapping[int, Power]) -> bool:
    """Tell whether a power is multiplied by `z`, as is what subnormal ones lack."""
    nodes = graph.nodes
    plain: dict[int, bool] = {}
    decayed: dict[int, bool] = {}
    for k in graph.reached():
        units = [i for i in nodes[k].arguments if nodes[i].per_unit and k not in powers]
        plain[k] = nodes[k].leaf == Variable("z") or any(plain[i] for i in units)
        decayed[k] = k in powers or any(decayed[i] for i in units)
        if nodes[k].operation == "multiply" and len(units) == 2:
            x, y = units
            if (plain[x] and decayed[y]) or (plain[y] and decayed[x]):
                return True
    return False


def _power(graph: Graph, index: int, values: Mapping[str, float]) -> Power | None:
    nodes = graph.nodes
    if nodes[index].operation != "exp":
        return None
    inner, rate = _multiple(graph, nodes[index].arguments[0])
    if nodes[inner].operation != "subtract" or (falls := _is_negative(rate, values)) is None:
        return None
    x, extreme = nodes[inner].arguments
    source = nodes[extreme]
    if source.operation == "held":
        source = nodes[source.arguments[0]]
    if source.operation == ("minimum" if falls else "maximum"):
        source = nodes[source.arguments[0]]
    is_extreme = source.operation == ("reduce_min" if falls else "reduce_max")
    is_extreme &= source.arguments[:1] == (x,) and nodes[x].operation == "input"
    return Power(x, extreme, rate) if is_extreme else None


def _multiple(graph: Graph, index: int, rate: Expression = _ONE) -> tuple[int, Expression]:
    """Write a multiple of a node as one of another node, not itself a multiple."""
    node = graph.nodes[index]
    if node.operation == "negate":
        return _multiple(graph, node.arguments[0], _product(rate, _LESS_ONE))
    if node.operation in ("multiply", "divide"):
        for number, other in (node.arguments, node.arguments[::-1]):
            leaf = graph.nodes[number].leaf
            if graph.nodes[number].operation == "value" and leaf is not None:
                factor = leaf if node.operation == "multiply" else Apply("divide", (_ONE, leaf))
                return _multiple(graph, other, _product(rate, factor))
    return index, rate


def _product(x: Expression, y: Expression) -> Expression:
    return y if x == _ONE else Apply("multiply", (x, y))


def _is_negative(rate: Expression, values: Mapping[str, float]) -> bool | None:
    """Tell whether a number is below 0; None where it is 0 or depends on the units' number."""
    try:
        value = evaluate(rate, values)
    except (ArithmeticError, KeyError, ValueError):
        return None
    return bool(value < 0) if value and value == value else None
