"""What a backward pass needs besides the output: values of the layer, and whether a tells them."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from dataclasses import replace
from functools import partial
from itertools import chain
from math import lcm
from typing import Any

import mpmath
import sympy

from chainrule.derivations._evaluate import LayerProgram
from chainrule.derivations._graph import Graph, computation_graph
from chainrule.derivations._scales import scales_of
from chainrule.derivations.algebra._arithmetic import ZERO
from chainrule.derivations.algebra._sympy import FAILURES, with_factors_joined
from chainrule.derivations.layers._check import AWKWARD, PLACES, agree
from chainrule.derivations.layers._closed_form import known_sums
from chainrule.derivations.layers._sum_algebra import MeanFunction, SumAlgebra, SumFunction
from chainrule.derivations.limits_in_time._remembered import remembered
from chainrule.derivations.limits_in_time._time_limit import time_limit
from chainrule.derivations.output_forms._inverses import (
    inverted,
    solutions,
    without_cancellation,
)
from chainrule.derivations.output_forms._layers import common_parts, exchanged, is_shared, layers_of
from chainrule.derivations.output_forms.layer_forms._broken_factors import of_broken_factors
from chainrule.derivations.output_forms.layer_forms._extreme_values import (
    of_either_sign,
    of_extreme_outputs,
    of_extreme_units,
    of_extremes,
    of_usual_end,
)
from chainrule.derivations.output_forms.layer_forms._moved_layers import moved_layer
from chainrule.derivations.output_forms.layer_forms._shared_factor import (
    equations_of_factor,
    factor_of,
)
from chainrule.derivations.output_forms.layer_forms._unit_equations import unit_equations
from chainrule.formulas import (
    REDUCTIONS,
    Apply,
    Constant,
    Expression,
    Formula,
    Variable,
    constant,
    is_layer_coupled,
    subexpressions,
    substitute,
    variables_of,
)

_A, _Z = Variable("a"), Variable("z")
_SECONDS = 0.5
_DIGITS = 80
_LARGEST_DEGREE = 12
_OTHER_COUNTS = (("-0.8", "2.3"), ("0.9", "-0.4", "-2.6"), ("1.7", "-2.9", "0.4", "1.1", "-0.6"))
# Of two roots of an equation one may hold for all layers but small ones, or large ones.
_OTHER_SIZES = (
    *(("0.04", "-0.06", "0.02"), ("-0.03", "-0.05"), ("0.2", "0.3", "-0.1", "0.25")),
    *(("11", "-17", "4"), ("-9", "-23"), ("13", "5", "8"), ("4e-7", "-9e-7", "2e-7")),
)
_LARGE = (("4e6", "-9e6", "2e6"),)  # where functions other than these are as good as constant
_PLAIN = (
    *("add", "subtract", "multiply", "divide", "negate", "power", "sqrt", "abs", "sign"),
    *("maximum", "minimum", "sum", "mean", "max", "min", "count"),
)
_Equation = tuple[Any, Any, tuple[tuple[Expression, Any], ...]]


def kept_values(product: Expression) -> tuple[Expression, ...]:
    """Return what of `z` a product needs: reductions over the layer, or `z` of each unit.

    Examples
    --------
    >>> from chainrule.formulas import parse, to_text
    >>> product = parse("(g - a*sum(a*g))/sqrt(sum(z**2))", variables=("g", "a", "z"))
    >>> [to_text(e) for e in kept_values(product.expression)]
    ['sum(z**2)']
    """
    return tuple(dict.fromkeys(_kept(product)))


def _kept(e: Expression) -> Iterator[Expression]:
    if "z" not in variables_of(e):
        return
    is_shared = isinstance(e, Apply) and e.operation in REDUCTIONS and variables_of(e) == {"z"}
    if e == _Z or is_shared:
        yield e
    elif isinstance(e, Apply):
        for part in e.arguments:
            yield from _kept(part)


@remembered
def determined(
    formula: Formula,
    graph: Graph,
    rectified: Formula | None = None,
    *,
    is_positive: bool = False,
) -> tuple[tuple[Expression, Expression], ...]:
    """Return reductions over `z`, and `z` itself, where the output tells them, each in `a`.

    Parameters
    ----------
    formula : Formula
        Layer-coupled.
    graph : Graph
        Its computation graph.
    rectified : Formula, optional
        A formula that is the first one wherever it is not 0: there it has to hold for that.
    is_positive : bool
        Whether it has to hold for layers of positive units alone.

    Examples
    --------
    >>> from chainrule.derivations import computation_graph
    >>> from chainrule.formulas import parse, to_text
    >>> formula = parse("z/sqrt(sum(z**2) + 1)")
    >>> [(left, right), own] = determined(formula, computation_graph(formula.expression))
    >>> to_text(left), to_text(right)
    ('sum(z**2)', 'sum(a**2)/(1 - sum(a**2))')
    >>> [to_text(e) for e in own]
    ['z', 'a*sqrt(1 + sum(z**2))']
    """
    moved = moved_layer(formula.expression)
    if moved is not None and rectified is None:
        told = determined(replace(formula, expression=moved.layer), computation_graph(moved.layer))
        return tuple((left, moved.of_output(right)) for left, right in told)
    found: dict[Expression, Expression] = {}
    holds = partial(
        _holds,
        rectified or formula,
        is_rectified=rectified is not None,
        is_positive=is_positive,
    )
    try:
        with time_limit(_SECONDS):
            algebra = SumAlgebra(graph, dict(formula.parameters))
            algebra.name_reductions(graph.output)
            for symbol, equation, told in _equations(graph, algebra):
                for left, right in _roots(equation, symbol, algebra, found):
                    if "z" in variables_of(right):
                        continue  # in what algebra does not look into
                    if left not in found and holds(left, right):
                        found[left] = right
                for left, value in told if algebra.translation.meaning[symbol] in found else ():
                    for part, right in _with_root(left, algebra.to_expression(value)):
                        if part not in found and holds(part, right):
                            found[part] = right
            for symbol, equation, of_sign in of_either_sign(graph, algebra):
                for left, right in _roots(equation, symbol, algebra, found):
                    for value in (right, of_sign(left, right)):
                        if left not in found and holds(left, value):
                            found[left] = value
            for left, right in of_broken_factors(formula):
                if left not in found and holds(left, right):
                    found[left] = right
            factor = factor_of(graph, algebra)
            if factor is not None and _Z not in found and _is_told(factor, algebra, found):
                own = algebra.to_expression(algebra.translation.symbol(_A) * factor)
                if holds(_Z, own):
                    found[_Z] = own
            for left, right in (*of_extreme_outputs(formula), *of_extreme_units(formula)):
                if left not in found and holds(left, right):
                    found[left] = right
            if all(map(is_shared, found)):
                for left, right in _of_common_parts(formula):
                    for value in dict.fromkeys((of_usual_end(right), right)):
                        if left not in found and holds(left, value):
                            found[left] = value
    except FAILURES:
        pass
    return tuple(found.items())


def told_by_factor(formula: Formula) -> Iterator[dict[Expression, Expression]]:
    """Yield what the output tells of layers that are z by what they share; not proved.

    It may hold for some layers alone, as for those of which the least unit is 0.
    """
    graph = computation_graph(formula.expression)
    algebra = SumAlgebra(graph, dict(formula.parameters))
    algebra.name_reductions(graph.output)
    factor = factor_of(graph, algebra)
    for symbol, equation in equations_of_factor(graph, algebra):
        for left, right in _roots(equation, symbol, algebra):
            own = algebra.to_expression(algebra.translation.symbol(_A) * factor)
            yield {left: right, _Z: own}


def _equations(graph: Graph, algebra: SumAlgebra) -> Iterator[_Equation]:
    """Yield reductions, what is zero in them and in sums over the output, and what that tells."""
    for symbol, equation in _of_layers(graph, algebra):
        yield symbol, equation, ()
    yield from unit_equations(graph, algebra)


def _of_layers(graph: Graph, algebra: SumAlgebra) -> Iterator[tuple[Any, Any]]:
    """Yield reductions and what is zero, from sums over the output and common factors."""
    output = algebra.value(graph.output)
    a, z = (algebra.translation.symbol(x) for x in (_A, _Z))
    rules = known_sums(algebra, lambda e: algebra.canonical(e), graph.output)
    shared = list(algebra.shared.values())
    for power in (1, 2):
        total = algebra.canonical(algebra.sum(output**power))
        for atom, known in rules:
            total = sympy.expand(total.subs(atom, known))
        total = sympy.cancel(sympy.together(total))
        inside = [symbol for symbol in shared if total.has(symbol)]
        relation = total - algebra.sum(a**power)
        if len(inside) == 1 and not total.has(z):
            yield inside[0], relation
        rules += _solved_for_sum(relation, z)
    yield from of_extremes(graph, algebra, output)
    yield from equations_of_factor(graph, algebra)


def _solved_for_sum(relation: Any, z: Any) -> list[tuple[Any, Any]]:
    """Return the sum over `z` that a relation holds, and its value, where it holds one alone."""
    sums = [part for part in relation.atoms(SumFunction) if part.has(z)]
    if len(sums) != 1 or relation.subs(sums[0], 0).has(z):
        return []
    slope = sympy.expand(relation).coeff(sums[0], 1)
    return [(sums[0], sums[0] - relation / slope)] if slope.is_number and slope != 0 else []


def _is_told(factor: Any, algebra: SumAlgebra, found: Mapping[Expression, Expression]) -> bool:
    shared = factor.free_symbols & set(algebra.shared.values())
    return all(algebra.translation.meaning[symbol] in found for symbol in shared)


def _roots(
    equation: Any, symbol: Any, algebra: SumAlgebra, found: Container[Expression] = ()
) -> Iterator[tuple[Expression, Expression]]:
    """Yield values that the layer shares with what they are: a sum over z, or a root of it.

    Nothing is sought any more once all of them are found.
    """
    unknown, norm = (sympy.Dummy(name, positive=True) for name in ("unknown", "norm"))
    a = algebra.translation.symbol(_A)
    base, order = _root_in(equation, symbol)
    left, rooted = (algebra.to_expression(e) for e in (symbol, base))
    sought = (left, Apply("sqrt", (rooted,))) if order == 2 else (left,)
    if all(value in found for value in sought):
        return
    absolute, slope = base.subs(symbol, 0), sympy.diff(base, symbol)
    # Named by its root, the sum of squares lets equations of squares be factored.
    squares, root = SumFunction(a**2), sympy.sqrt(SumFunction(a**2))
    times = sympy.S.One
    if equation.has(algebra.count):
        times, root = algebra.count, sympy.sqrt(MeanFunction(a**2))
    named = equation.subs(symbol, (unknown**order - absolute) / slope)
    above = sympy.fraction(sympy.together(named.subs(squares, times * norm**2)))[0]
    if not above.is_polynomial(unknown):
        for value in _by_inversion(above, unknown, algebra):
            if order == 1:
                yield left, value
            elif order == 2 and base == symbol:
                yield Apply("sqrt", (left,)), value
                yield left, Apply("power", (value, constant(2)))
        return
    for factor, _ in sympy.factor_list(above)[1]:
        if not 0 < sympy.degree(factor, unknown) <= _LARGEST_DEGREE:
            continue
        polynomial = sympy.Poly(factor, unknown)
        for solution in chain(without_cancellation(polynomial), solutions(polynomial)):
            if all(value in found for value in sought):
                return
            if not solution.has(sympy.Piecewise, sympy.sign):
                value = sympy.factor(solution)
                whole = sympy.factor((value**order - absolute) / slope)
                yield left, algebra.to_expression(with_factors_joined(whole).subs(norm, root))
                if order == 2:
                    yield Apply("sqrt", (rooted,)), algebra.to_expression(value.subs(norm, root))


def _root_in(equation: Any, symbol: Any) -> tuple[Any, int]:
    """Return of what line in a symbol roots are taken, and the least root of which all are powers.

    The line is the symbol itself where there is no other, or more than one.
    """
    powers = [part for part in equation.atoms(sympy.Pow) if part.exp.is_Rational]
    orders: dict[Any, int] = {}
    for part in powers:
        if part.base.has(symbol) and part.base.is_polynomial(symbol) and part.exp.q > 1:
            orders[part.base] = lcm(orders.get(part.base, 1), int(part.exp.q))
    (base, order), *others = orders.items() or [(symbol, 1)]
    if others or sympy.degree(base, symbol) != 1:
        return symbol, orders.get(symbol, 1)
    return base, order


def _by_inversion(equation: Any, unknown: Any, algebra: SumAlgebra) -> Iterator[Expression]:
    """Yield solutions where one sum over the output is a function of the unknown that has inverses.

    ``tanh(u)**2 - sum(a**2)``, for example.
    """
    meaning, z = algebra.translation.meaning, algebra.translation.symbol(_Z)
    sums = [
        *equation.atoms(SumFunction),
        *(s for s in equation.free_symbols if _is_over_outputs(meaning.get(s))),
    ]
    if len(sums) != 1 or not equation.is_polynomial(sums[0]) or equation.has(z):
        return
    for value in solutions(sympy.Poly(equation, sums[0])):
        function = algebra.to_expression(value.subs(unknown, z))
        if variables_of(function) == {"z"} and not is_layer_coupled(function):
            put_in: dict[Expression, Expression] = {_A: algebra.to_expression(sums[0])}
            parameters = algebra.values
            for inverse in inverted(layers_of(function, parameters), parameters):
                yield substitute(inverse, put_in.get)


def _is_over_outputs(e: Expression | None) -> bool:
    return isinstance(e, Apply) and e.operation in REDUCTIONS and variables_of(e) == {"a"}


def _of_common_parts(formula: Formula) -> Iterator[tuple[Expression, Expression]]:
    """Yield what the output tells of a part that stands for all of `z`: ``max(z, 0)``, say."""
    for part in common_parts(formula.expression):
        outer = replace(formula, expression=exchanged(formula.expression, part, _Z))
        if part == _Z or not is_layer_coupled(outer.expression):
            continue
        graph = computation_graph(outer.expression)
        # It may hold for units that are not negative alone.
        rectified = formula if _is_rectifier(part) else None
        is_positive = isinstance(part, Apply) and part.operation == "exp"
        told = determined(outer, graph)
        if rectified is not None or is_positive:
            told += determined(outer, graph, rectified, is_positive=is_positive)
        for sides in dict.fromkeys(told):
            left, right = (exchanged(side, _Z, part) for side in sides)
            yield left, right


def _is_rectifier(e: Expression) -> bool:
    return isinstance(e, Apply) and e.operation == "maximum" and set(e.arguments) == {_Z, ZERO}


def _with_root(left: Expression, right: Expression) -> Iterator[tuple[Expression, Expression]]:
    """Yield what is told, and what it is a square of: ``max(z, 0)`` with ``max(z, 0)**2``."""
    yield left, right
    match left:
        case Apply("power", (base, Constant(exponent))) if exponent == 2 and base != _Z:
            yield base, Apply("sqrt", (right,))


def _holds(
    formula: Formula,
    left: Expression,
    right: Expression,
    *,
    is_rectified: bool,
    is_positive: bool,
) -> bool:
    """Compare both sides in many digits, wherever the output is defined, and not 0 if rectified."""
    checked = 0
    parts = (e for e in subexpressions(formula.expression) if isinstance(e, Apply))
    large = _LARGE if all(e.operation in _PLAIN for e in parts) else ()
    output, told, wanted = map(LayerProgram, (formula.expression, right, left))
    scales = scales_of(formula.expression, dict(formula.parameters))
    with mpmath.workdps(_DIGITS):
        usual = (*PLACES, *AWKWARD, *_OTHER_COUNTS, *_OTHER_SIZES, *large)
        layers = [[mpmath.mpf(x) for x in places] for places in usual]
        layers += [[scale * x for x in layers[k]] for scale in scales for k in (0, 2, 3)]
        for z in ([abs(x) for x in layer] if is_positive else layer for layer in layers):
            a = output({**dict(formula.parameters), "z": z})
            known = {**dict(formula.parameters), "z": z, "a": a}
            if not all(map(mpmath.isfinite, a)) or (is_rectified and not any(a)):
                continue
            got = told(known)
            if mpmath.isnan(got[0]) and not (is_shared(left) and any(a)):
                continue  # 0/0, where all of the layer vanishes
            if not all(map(agree, got, wanted(known))):
                return False
            checked += 1
    return checked > 0
