"""Derivatives of layer-coupled formulas by their parameters, through the output."""

from __future__ import annotations

import sympy

from chainrule.derivations._arithmetic import size
from chainrule.derivations._closed_form import ways, writings
from chainrule.derivations._graph import GraphBuilder
from chainrule.derivations._layer_check import same_values
from chainrule.derivations._sum_algebra import SumAlgebra
from chainrule.derivations._time_limit import TimeLimitError, time_limit
from chainrule.formulas import Expression, Formula, Variable

_SECONDS = 0.5


def shortened(formula: Formula, derivative: Expression) -> Expression:
    """Return a derivative by a parameter in the output `a` too, where that is shorter.

    Every form is compared with the derivative in many digits; that of the softmax by its
    temperature becomes ``-a (z - Σ a z)/T²``.

    Parameters
    ----------
    formula : Formula
        Layer-coupled.
    derivative : Expression
        ∂a/∂parameter in `z`.

    Examples
    --------
    >>> from chainrule.derivations._further_derivatives import by_parameter
    >>> from chainrule.formulas import parse, to_text
    >>> softmax = parse("exp(z/T)/sum(exp(z/T))", {"T": 2.0})
    >>> to_text(shortened(softmax, by_parameter(softmax.expression, "T")))
    'a*(sum(a*z) - z)/T**2'
    """
    best = derivative
    try:
        with time_limit(_SECONDS):
            builder = GraphBuilder()
            last = builder.insert(formula.expression)
            algebra = SumAlgebra(
                builder.graph(builder.insert(derivative)), dict(formula.parameters)
            )
            algebra.name_reductions(last)
            output, plain = algebra.value(last), algebra.value(algebra.graph.output)
            a = algebra.translation.symbol(Variable("a"))
            for e, rules in ways(output, plain, algebra, last, a):
                for atom, known in rules:
                    e = e.subs(atom, known)
                e = sympy.factor(sympy.cancel(sympy.together(sympy.expand(e))))
                found = min(map(algebra.to_expression, writings(e, algebra)), key=size)
                if size(found) < size(best) and same_values(formula, found, derivative):
                    best = found
    except (TimeLimitError, sympy.PolynomialError, NotImplementedError, ArithmeticError, TypeError,
            ValueError):  # fmt: skip
        return best
    return best
