"""What a layer shares, from what each unit adds to it: solved for that in the output, and summed.

``a = (exp(z) - 1)/(exp(z) + T)`` with ``T = sum(exp(z))`` makes ``exp(z) = (1 + a T)/(1 - a)``;
over the units that is ``T = sum(1/(1 - a)) + T sum(a/(1 - a))``, in which T is the only unknown.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sympy

from chainrule.derivations._graph import Graph
from chainrule.derivations.layers._sum_algebra import SumAlgebra, SumFunction
from chainrule.derivations.output_forms._inverses import solutions
from chainrule.formulas import Apply, Expression, Variable

_A, _Z = Variable("a"), Variable("z")
_MAGNITUDE, _SIGN, _SIZE = Apply("abs", (_Z,)), Apply("sign", (_Z,)), Apply("abs", (_A,))
_HIGHEST, _HIGHEST_POWER = 2, 12  # degree of what is solved for a unit
# Of a unit: its part of z, that as a symbol, the output or its size, and both in the symbol.
_Unit = tuple[Expression, Any, Any, Any, Any]


def unit_equations(
    graph: Graph, algebra: SumAlgebra
) -> Iterator[tuple[Any, Any, tuple[tuple[Expression, Any], ...]]]:
    """Yield a reduction, what is zero in it and the output, and parts of z that it tells.

    Parameters
    ----------
    graph : Graph
        Of a layer-coupled formula.
    algebra : SumAlgebra
        Of this graph, with its reductions named.
    """
    output = algebra.value(graph.output)
    shared = {index: s for index, s in algebra.shared.items() if output.has(s)}
    if len(shared) != 1:
        return
    ((index, total),) = shared.items()
    node = graph.nodes[index]
    inner = algebra.value(node.arguments[0])
    if any(inner.has(s) for s in algebra.shared.values()):
        return
    of_z = [algebra.translation.symbol(e) for e in (_Z, _MAGNITUDE, _SIGN)]
    for part, w, a, own, added in _units(output, inner, algebra):
        if own.has(*of_z) or added.has(*of_z):
            continue
        for value in _solved(sympy.Dummy("added", real=True), added, own - a, w):
            told = [(part, x) for x in _solved(w, w, own - a, w)]
            if part == _MAGNITUDE:
                signed = algebra.translation.symbol(_A)
                of_units = [(_Z, signed * sympy.cancel(x / a)) for _, x in told]
                has_size = output.has(of_z[1]) or inner.has(of_z[1])
                told = [*(told if has_size else ()), *of_units]
            for equation in _over_units(node.operation, total, value, a, algebra):
                yield total, equation, tuple(told)


def _units(output: Any, inner: Any, algebra: SumAlgebra) -> Iterator[_Unit]:
    """Yield ways to write the output and what is added up as rational functions of one part."""
    a, z = (algebra.translation.symbol(e) for e in (_A, _Z))
    w = sympy.Dummy("part", positive=True)
    if output.has(inner) and not inner.is_number:
        yield algebra.translation.to_expression(inner), w, a, output.subs(inner, w), w
    power = sympy.exp(z)
    if output.has(sympy.exp):
        yield Apply("exp", (_Z,)), w, a, output.subs(power, w), inner.subs(power, w)
    yield _Z, w, a, output.subs(z, w), inner.subs(z, w)
    magnitude, sign = (algebra.translation.symbol(e) for e in (_MAGNITUDE, _SIGN))
    turned = {z: -z, sign: -sign}
    if output.subs(turned, simultaneous=True) == -output and inner.subs(turned) == inner:
        positive = {magnitude: w, z: w, sign: 1}
        size = algebra.translation.symbol(_SIZE)
        yield _MAGNITUDE, w, size, output.subs(positive), inner.subs(positive)


def _solved(unknown: Any, value: Any, relation: Any, w: Any) -> Iterator[Any]:
    """Yield a value of w where a relation between w and the output is zero."""
    above = sympy.fraction(sympy.together(relation))[0]
    if not (above.is_polynomial(w) and value.is_rational_function(w)):
        return
    if unknown != w:
        top, bottom = sympy.fraction(sympy.together(value))
        above = sympy.resultant(above, sympy.expand(top - unknown * bottom), w)
    for factor, _ in sympy.factor_list(above)[1]:
        polynomial = sympy.Poly(factor, unknown)
        is_power = not any(polynomial.all_coeffs()[1:-1])
        if 0 < polynomial.degree() <= (_HIGHEST_POWER if is_power else _HIGHEST):
            for solution in map(_with_factors_apart, solutions(polynomial)):
                if not any(part.base.is_negative for part in solution.atoms(sympy.Pow)):
                    yield solution


def _with_factors_apart(value: Any) -> Any:
    """``(a*T)**(1/2) -> a**(1/2)*T**(1/2)``, which is right where both are positive."""
    return sympy.expand_power_base(value, force=True)


def _over_units(
    operation: str, total: Any, value: Any, a: Any, algebra: SumAlgebra
) -> Iterator[Any]:
    if operation in ("reduce_max", "reduce_min"):
        for extreme in ("max", "min"):
            of_outputs = Apply(extreme, (algebra.translation.meaning[a],))
            yield total - value.subs(a, algebra.translation.symbol(of_outputs))
        return
    summed = algebra.sum(sympy.expand(value))
    if not any(part.has(total) for part in summed.atoms(SumFunction)):
        yield (algebra.count if operation == "reduce_mean" else 1) * total - summed
