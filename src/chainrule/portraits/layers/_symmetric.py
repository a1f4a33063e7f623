"""The norm of a symmetric Jacobian ``c (I - Σ w u uᵀ)`` with shared c > 0 and w ≥ 0.

Its quadratic form is ``c (|g|² - Σ w (u·g)²)``. By Cauchy's inequality it lies between
``c (1 - Σ w |u|²) |g|²`` and ``c |g|²``, so that the norm is at most c where ``Σ w |u|² ≤ 2``;
with more units than vectors u some g is orthogonal to all of them, and the norm is c.
"""

from __future__ import annotations

from typing import Any

import sympy

from chainrule.derivations import computation_graph
from chainrule.derivations.layers._closed_form import closed_form, known_sums
from chainrule.derivations.layers._jacobian import NotLinearError, entries
from chainrule.derivations.layers._sum_algebra import SumAlgebra
from chainrule.formulas import Apply, Constant, Expression, Formula, Parameter, Variable

_A, _Z, _OTHER = Variable("a"), Variable("z"), Variable("a_p")
_SECONDS = 0.6  # of the second for all: the shortest form is among the first, and the rest is quick


def largest_factor(formula: Formula) -> tuple[Any, int] | None:
    """Return the supremum of c over all layers, and of how many vectors u the sum is.

    Parameters
    ----------
    formula : Formula
        Layer-coupled.

    Returns
    -------
    supremum : sympy.Expr
    count : int
        None where the Jacobian is not proved to be of this form.

    Examples
    --------
    >>> from chainrule.formulas import parse
    >>> largest_factor(parse("z/sqrt(sum(z**2) + 4)"))
    (1/2, 1)
    """
    product = closed_form(formula, seconds=_SECONDS)
    if product is None:
        return None
    try:
        own, cross = entries(product)
    except NotLinearError:
        return None
    graph = computation_graph(formula.expression)
    algebra = SumAlgebra(graph, dict(formula.parameters))
    algebra.name_reductions(graph.output)
    translation = algebra.translation
    factor, across = translation.to_sympy(own), translation.to_sympy(cross)
    a, other = translation.symbol(_A), translation.symbol(_OTHER)
    if factor.has(a, other, translation.symbol(_Z)):
        return None
    outer = sympy.expand(sympy.cancel(-across / factor))
    if not outer.is_polynomial(a, other):
        return None
    sizes = {0: algebra.count, 1: _squares(algebra, graph.output)}
    known = _what_is_known(algebra, formula)
    total: Any = sympy.Integer(0)
    terms = sympy.Poly(outer, a, other).terms()
    for (power, same), weight in terms:
        weight = weight.subs(known)
        if power != same or power not in sizes or not weight.is_nonnegative:
            return None
        total += weight * sizes[power].subs(known)
    factor = factor.subs(known)
    rest = sympy.factor(sympy.together(2 - total))
    if not (rest.is_nonnegative and factor.is_positive):
        return None
    supremum = _supremum(factor)
    return None if supremum is None else (supremum, len(terms))


def _squares(algebra: SumAlgebra, last: int) -> Any:
    """Return what the squares of the outputs add up to, in the layer's reductions."""
    total = algebra.canonical(algebra.sum(sympy.expand(algebra.value(last) ** 2)))
    for atom, known in known_sums(algebra, algebra.canonical, last):
        total = sympy.expand(total.subs(atom, known))
    return sympy.cancel(sympy.together(total))


def _what_is_known(algebra: SumAlgebra, formula: Formula) -> dict[Any, Any]:
    """Return the parameters' numbers, and symbols that know of reductions what sign they have."""
    parameters = dict(formula.parameters)
    known: dict[Any, Any] = {}
    for symbol, e in algebra.translation.meaning.items():
        if isinstance(e, Parameter) and e.name in parameters:
            known[symbol] = sympy.Rational(parameters[e.name])
        elif isinstance(e, Apply) and e.operation in ("sum", "mean") and _is_square(e.arguments[0]):
            known[symbol] = sympy.Dummy(f"v{len(known)}", nonnegative=True)
    return known


def _is_square(e: Expression) -> bool:
    match e:
        case Apply("power", (_, Constant(exponent))):
            return exponent.denominator == 1 and exponent.numerator % 2 == 0
    return False


def _supremum(factor: Any) -> Any:
    """Return a number, or the limit at 0 of what falls in the one value that it depends on."""
    if factor.is_number:
        return factor
    if len(factor.free_symbols) != 1:
        return None
    (value,) = factor.free_symbols
    slope = sympy.factor(sympy.diff(factor, value))
    limit = sympy.limit(factor, value, 0, "+")
    return limit if slope.is_nonpositive and limit.is_finite else None
