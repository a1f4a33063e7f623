"""A cost's derivative put into the form of a layer-coupled activation, and simplified.

    ∂J/∂z = r (g - a Σ g a),    g = ∂J/∂a

The form is linear in ``g`` and in its sums, so that what ``g`` holds comes out of the sums,
cancels, and is gathered into as few sums as there are factors before them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import sympy

from chainrule.derivations._graph import UNIT_COUNT, Graph, computation_graph
from chainrule.derivations.algebra._arithmetic import divide, size
from chainrule.derivations.layers._sum_algebra import SumAlgebra, SumFunction
from chainrule.derivations.output_forms.shortening._shortening import usual_ways
from chainrule.formulas import (
    REDUCTIONS,
    Apply,
    Expression,
    Parameter,
    subexpressions,
    substitute,
    variables_of,
)


def simplified(
    joined: Expression,
    by_output: Expression,
    values: dict[str, float],
    assumption: tuple[Expression, Expression] | None = None,
) -> Expression:
    """Return the shortest way to write a layer's form into which ∂J/∂a was put.

    Parameters
    ----------
    joined : Expression
        In `a`, `y` and sums or means of `z`.
    by_output : Expression
        ∂J/∂a, whose sums over the units may stay as they are: ``sum((a - y)**2)``.
    values : dict of str to float
        Of the parameters.
    assumption : pair of Expression, optional
        A sum over the units and its value.
    """
    graph = computation_graph(_without_means(joined))
    sums = {e for e in subexpressions(_without_means(by_output)) if _is_reduction(e)}
    ways = (
        way
        for kept in dict.fromkeys((frozenset[Expression](), frozenset(sums)))
        for way in _written(graph, values, kept, assumption)
    )
    return min(ways, key=size)


def _written(
    graph: Graph,
    values: dict[str, float],
    kept: frozenset[Expression],
    assumption: tuple[Expression, Expression] | None,
) -> Iterator[Expression]:
    algebra = SumAlgebra(graph, values)
    for index in graph.reached():
        expression = graph.expression(index)
        if _is_reduction(expression) and (variables_of(expression) == {"z"} or expression in kept):
            algebra.shared[index] = algebra.translation.symbol(expression)
    e = sympy.expand(algebra.value(graph.output))
    if assumption is not None:
        total, known = assumption
        assert isinstance(total, Apply)
        atom = SumFunction(algebra.translation.to_sympy(total.arguments[0]))
        e = sympy.expand(e.subs(atom, algebra.translation.to_sympy(known)))
    yield from map(algebra.to_expression, _writings(e, algebra))


def _is_reduction(e: Expression) -> bool:
    return isinstance(e, Apply) and e.operation in REDUCTIONS


def _without_means(e: Expression) -> Expression:
    """Write means of what the outputs and targets say as sums, which are linear."""

    def as_sum(part: Expression) -> Expression | None:
        match part:
            case Apply("mean", (inner,)) if variables_of(inner) != {"z"}:
                return divide(Apply("sum", (_without_means(inner),)), UNIT_COUNT)
        return None

    return substitute(e, as_sum)


def _writings(e: Any, algebra: SumAlgebra) -> Iterator[Any]:
    """Yield ways to write a sum of terms: sums over the units with one factor are one sum."""
    gathered: dict[Any, Any] = {}
    rest = sympy.Integer(0)
    for term in sympy.Add.make_args(e):
        sums = [factor for factor in sympy.Mul.make_args(term) if isinstance(factor, SumFunction)]
        if len(sums) != 1:
            rest += term
            continue
        factor, constant = _apart(term / sums[0], algebra, _is_constant)
        gathered[factor] = gathered.get(factor, 0) + constant * sums[0].args[0]
    whole = _shortest(rest, algebra)
    for factor, inner in gathered.items():
        own, shared = _apart(_shortest(inner, algebra), algebra, _is_shared)
        whole += factor * shared * SumFunction(own)
    for way in (whole, sympy.factor_terms(whole), sympy.factor(whole)):
        yield from (way, algebra.with_means(way), sympy.factor_terms(algebra.with_means(way)))


def _apart(
    e: Any, algebra: SumAlgebra, holds: Callable[[SumAlgebra, Any], bool]
) -> tuple[Any, Any]:
    """Return the product of the factors of which something does not hold, and the others'."""
    without, those = sympy.Integer(1), sympy.Integer(1)
    for factor in sympy.Mul.make_args(e):
        if holds(algebra, factor):
            those *= factor
        else:
            without *= factor
    return without, those


def _is_constant(algebra: SumAlgebra, factor: Any) -> bool:
    meaning = algebra.translation.meaning
    return not factor.has(SumFunction) and all(
        isinstance(meaning[symbol], Parameter) for symbol in factor.free_symbols
    )


def _is_shared(algebra: SumAlgebra, factor: Any) -> bool:
    return not algebra.is_own(factor)


def _shortest(e: Any, algebra: SumAlgebra) -> Any:
    return min(usual_ways(e), key=lambda way: size(algebra.to_expression(way)))
