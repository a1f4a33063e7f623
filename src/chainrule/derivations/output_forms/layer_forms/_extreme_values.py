"""What extremes of the output tell of extremes over `z`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from functools import partial
from typing import Any, TypeGuard

import sympy

from chainrule.derivations._evaluate import evaluate
from chainrule.derivations._graph import Graph
from chainrule.derivations.algebra._arithmetic import ZERO, divide, rebuilt
from chainrule.derivations.algebra._sympy import Translation
from chainrule.derivations.layers._sum_algebra import SumAlgebra
from chainrule.derivations.output_forms._layers import is_shared
from chainrule.formulas import (
    REDUCTIONS,
    Apply,
    Constant,
    Expression,
    Formula,
    Variable,
    parameters_of,
    subexpressions,
    substitute,
    variables_of,
)

_A, _Z = Variable("a"), Variable("z")
_OPPOSITE = {"reduce_max": "reduce_min", "reduce_min": "reduce_max"}


def _linear_in(
    graph: Graph, algebra: SumAlgebra, output: Any
) -> Iterator[tuple[str, Any, Any, Any]]:
    """Yield extremes of values in which the output is linear.

    Yields
    ------
    operation : str
        ``reduce_max`` or ``reduce_min``.
    symbol, slope, rest
        The extreme, and the line.
    """
    for index, symbol in algebra.shared.items():
        node = graph.nodes[index]
        if node.operation not in _OPPOSITE:
            continue
        own = sympy.Dummy("own", real=True)
        line = output.subs(algebra.value(node.arguments[0]), own)
        if line.is_polynomial(own) and sympy.degree(line, own) == 1:
            yield node.operation, symbol, *sympy.Poly(line, own).all_coeffs()


def of_extremes(graph: Graph, algebra: SumAlgebra, output: Any) -> Iterator[tuple[Any, Any]]:
    """Yield the largest or smallest of values in which the output is linear, and its equation."""
    for operation, symbol, slope, rest in _linear_in(graph, algebra, output):
        if not slope.is_number or algebra.is_own(rest):
            continue
        end = operation if slope > 0 else _OPPOSITE[operation]
        extreme = algebra.translation.symbol(Apply(end.removeprefix("reduce_"), (_A,)))
        yield symbol, slope * symbol + rest - extreme


def of_either_sign(
    graph: Graph, algebra: SumAlgebra
) -> Iterator[tuple[Any, Any, Callable[[Expression, Expression], Expression]]]:
    """Yield extremes of what the output is a multiple of, by a number that depends on them.

    Where that is negative the largest unit has the smallest output. The largest output of
    ``z/(1 + max(z))`` tells the largest z if the number that follows from it is positive, else
    the smallest one does; or what follows from the smallest one decides.

    Yields
    ------
    symbol, equation
        The extreme, and what is zero where the number is positive.
    of_sign : callable
        Returns what the extreme is in any case, from the extreme and what it is in that case.
    """
    output, shared = algebra.value(graph.output), set(algebra.shared.values())
    for operation, symbol, slope, rest in _linear_in(graph, algebra, output):
        if (slope.free_symbols | rest.free_symbols) & shared != {symbol}:
            continue
        if slope.is_number or any(map(algebra.is_own, (slope, rest))):
            continue
        same, other = (
            Apply(end.removeprefix("reduce_"), (_A,)) for end in (operation, _OPPOSITE[operation])
        )
        equation = slope * symbol + rest - algebra.translation.symbol(same)
        for looked_at in (same, other):
            ends = (same, other, looked_at)
            yield symbol, equation, partial(_of_sign, algebra.to_expression(slope), ends)


def _of_sign(
    factor: Expression,
    ends: tuple[Expression, Expression, Expression],
    left: Expression,
    right: Expression,
) -> Expression:
    same, other, looked_at = ends
    at_end: dict[Expression, Expression] = {same: looked_at}
    told: dict[Expression, Expression] = {left: substitute(right, at_end.get)}
    translation = Translation()
    number = sympy.cancel(translation.to_sympy(substitute(factor, told.get)))
    _, number = number.as_content_primitive()  # the content is positive
    is_positive = Apply("greater", (translation.to_expression(number), ZERO))
    extreme: dict[Expression, Expression] = {same: Apply("where", (is_positive, same, other))}
    return rebuilt(substitute(right, extreme.get))


def compared_extremes(
    told: Sequence[tuple[Expression, Expression]],
) -> Iterator[tuple[Expression, Expression]]:
    """Yield what tells the largest unit in the output, where either end may be that of it."""
    for left, right in told:
        for part in subexpressions(right):
            match left:
                case Apply("max" | "min", (x,)) if _is_of_either_end(part):
                    yield Apply("equal", (x, left)), Apply("equal", (_A, part))


def of_usual_end(e: Expression) -> Expression:
    """Return what holds where the largest unit has the largest output, if it may have either."""

    def usual(part: Expression) -> Expression | None:
        return part.arguments[1] if _is_of_either_end(part) else None

    return substitute(e, usual)


def _is_of_either_end(e: Expression) -> TypeGuard[Apply]:
    match e:
        case Apply("where", (_, Apply("max" | "min"), Apply("max" | "min"))):
            return True
    return False


def of_extreme_outputs(formula: Formula) -> Iterator[tuple[Expression, Expression]]:
    """Yield what some unit may give out: the mean is the least of ``max(z, mean(z))``."""
    for e in dict.fromkeys(subexpressions(formula.expression)):
        if isinstance(e, Apply) and e.operation in REDUCTIONS and variables_of(e) == {"z"}:
            yield from ((e, Apply(extreme, (_A,))) for extreme in ("max", "min"))


def of_extreme_units(formula: Formula) -> Iterator[tuple[Expression, Expression]]:
    """Yield a divisor told by a unit with a known dividend: the largest of ``z - max(z) + 1`` is 1.

    Not proved.
    """
    match formula.expression:
        case Apply("divide", (own, shared)) if is_shared(shared):
            for extreme in ("max", "min"):
                of_unit: dict[Expression, Expression] = {Apply(extreme, (_Z,)): _Z}
                dividend = rebuilt(substitute(own, of_unit.get))
                if not variables_of(dividend) and not parameters_of(dividend):
                    known = Constant(Fraction(float(evaluate(dividend, {}))))
                    for output in ("max", "min"):
                        yield shared, divide(known, Apply(output, (_A,)))
