"""What the outputs of a layer add up to, put in where a cost asks for it: 1 for the softmax."""

from __future__ import annotations

import sympy

from chainrule.derivations._graph import computation_graph
from chainrule.derivations.algebra._sympy import attempt
from chainrule.derivations.layers._closed_form import known_sums
from chainrule.derivations.layers._sum_algebra import SumAlgebra
from chainrule.formulas import Apply, Expression, Formula, Variable, subexpressions, substitute

_TOTAL = Apply("sum", (Variable("a"),))
_SECONDS = 0.3


def with_known_total(e: Expression, activation: Formula) -> Expression:
    """Return an expression in the outputs with a number for their sum, if that is one.

    Examples
    --------
    >>> from chainrule.formulas import parse, to_text
    >>> softmax = parse("exp(z)/sum(exp(z))")
    >>> cost = parse("y/(sum(a) + sum(y))", variables=("a", "y"))
    >>> to_text(with_known_total(cost.expression, softmax))
    'y/(1 + sum(y))'
    """
    if _TOTAL not in subexpressions(e):
        return e
    unknown: Expression | None = None
    total = attempt(_SECONDS, lambda: _total(activation), unknown)
    return e if total is None else substitute(e, lambda part: total if part == _TOTAL else None)


def _total(activation: Formula) -> Expression | None:
    graph = computation_graph(activation.expression)
    algebra = SumAlgebra(graph, dict(activation.parameters))
    algebra.name_reductions(graph.output)
    total = algebra.canonical(algebra.sum(sympy.expand(algebra.value(graph.output))))
    for atom, known in known_sums(algebra, algebra.canonical, graph.output):
        total = total.subs(atom, known)
    total = sympy.cancel(sympy.together(total))
    return algebra.to_expression(total) if total.is_Rational else None
