"""Layers that are z by a factor which the units share: what the output tells of that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import lcm
from typing import Any

import sympy

from chainrule.derivations._graph import Graph
from chainrule.derivations.layers._sum_algebra import SumAlgebra
from chainrule.derivations.output_forms._inverses import solutions, without_cancellation
from chainrule.derivations.output_forms.rising._invariance import degree
from chainrule.formulas import Variable, substitute

_A, _Z = Variable("a"), Variable("z")


def factor_of(graph: Graph, algebra: SumAlgebra) -> Any:
    """Return D where z = a D and D is shared, else None."""
    z = algebra.translation.symbol(_Z)
    factor = sympy.cancel(z / algebra.value(graph.output))
    return None if algebra.is_own(factor) else factor


def equations_of_factor(graph: Graph, algebra: SumAlgebra) -> Iterator[tuple[Any, Any]]:
    """Yield what is zero where z = a D: a reduction of degree d over z is that over a, times D**d.

    Several reductions have D in common, which is the only unknown then.
    """
    factor = factor_of(graph, algebra)
    inside = [
        (index, symbol)
        for index, symbol in algebra.shared.items()
        if factor is not None and factor.has(symbol)
    ]
    if not inside:
        return
    over_outputs = {}
    for index, symbol in inside:
        times = degree(Graph(graph.nodes, index))
        if times is None:
            return
        power = sympy.Rational(times.numerator, times.denominator)
        outputs = substitute(graph.expression(index), lambda e: _A if e == _Z else None)
        over_outputs[symbol] = power, algebra.translation.symbol(outputs)
    if len(inside) == 1:
        ((symbol, (power, outputs)),) = over_outputs.items()
        yield symbol, symbol - factor**power * outputs
        return
    yield from _of_common_factor(factor, over_outputs)


def _of_common_factor(
    factor: Any, over_outputs: Mapping[Any, tuple[Any, Any]]
) -> Iterator[tuple[Any, Any]]:
    """Yield reductions, told by the factor that they share, a root of which solves an equation."""
    base, exponent = factor.as_base_exp()
    inside = factor.atoms(sympy.Pow) if not exponent.is_Rational or exponent.q == 1 else ()
    order = lcm(1, *(int(part.exp.q) for part in inside if part.exp.is_Rational))
    root = sympy.Dummy("root", positive=True)
    in_root = {s: root ** (order * power) * total for s, (power, total) in over_outputs.items()}

    def value(part: Any) -> Any:
        return sympy.factor(part.base.subs(in_root)) ** part.exp

    if inside or not exponent.is_Rational:
        known = factor.replace(lambda part: part in inside and part.exp.q > 1, value)
        relation = root**order - known.subs(in_root)
    else:
        relation = root**exponent.q - base.subs(in_root) ** exponent.p
    above = sympy.fraction(sympy.together(relation))[0]
    if not above.is_polynomial(root) or sympy.degree(above, root) > 2:
        return
    polynomial = sympy.Poly(above, root)
    for solution in (*solutions(polynomial), *without_cancellation(polynomial)):
        yield from ((symbol, symbol - e.subs(root, solution)) for symbol, e in in_root.items())
