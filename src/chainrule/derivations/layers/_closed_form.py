"""Closed forms of vector–Jacobian products: ∂J/∂z in the output, by algebra with sums.

Every value is written over what differs from unit to unit, what the layer shares, and sums
``S(m)`` over the units, which are linear: shared factors stand before them. The output's equation
``a = F`` is solved for one per-unit value, which then disappears; the definitions of the
reductions give what is known of the sums (for the softmax ``S(a) = 1``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import lcm
from typing import Any

import sympy

from chainrule.derivations._graph import Graph, computation_graph
from chainrule.derivations.algebra._arithmetic import ONE, size
from chainrule.derivations.algebra._choices import with_choices
from chainrule.derivations.algebra._sympy import FAILURES, atoms_of
from chainrule.derivations.layers._check import agrees_where_awkward, proved
from chainrule.derivations.layers._sum_algebra import SumAlgebra, SumFunction, is_indicator
from chainrule.derivations.layers._vector_jacobian import SEED, backward_graph
from chainrule.derivations.limits_in_time._remembered import remembered
from chainrule.derivations.limits_in_time._time_limit import time_limit
from chainrule.formulas import (
    REDUCTIONS,
    Apply,
    Expression,
    Formula,
    Variable,
    subexpressions,
    substitute,
    variables_of,
)

_SECONDS = 5.0
_COST_SECONDS = 1.5
_A, _Y, _Z = Variable("a"), Variable("y"), Variable("z")
_DIFFERENCE = Variable("d")
_SHORT = (False, 20)  # what is in the output alone and as short as this needs no further search
STAGE_SECONDS = 0.9  # of processor time for one of several stages
PART_SECONDS = 0.5  # for a stage that may be cut in two instead
_PARTS = 1.4  # for every operation at least, however a form is written
_OWN_PREACTIVATION = 8  # by how many parts a form may be longer to do without it


@remembered
def closed_form(
    formula: Formula,
    seed: Expression | None = None,
    assumption: tuple[Expression, Expression] | None = None,
    seconds: float = _SECONDS,
    *,
    divides: bool = False,
) -> Expression | None:
    """Return ∂J/∂z of a layer-coupled formula in `a`, `g = ∂J/∂a` and what the layer shares.

    Where the output alone does not do and there is no `seed`, `z` itself stands in it too.

    Parameters
    ----------
    formula : Formula
        An activation.
    seed : Expression, optional
        ∂J/∂a in `a` and `y`, to be put in for `g`.
    assumption : pair of Expression, optional
        A sum over the units and its value, such as ``sum(y)`` and 1.
    seconds : float
        Processor time after which the shortest form so far is taken.
    divides : bool
        Whether a value is replaced by a quotient in the output, as ``exp(z)`` by ``m*a/(1 - a)``;
        otherwise none is.

    Returns
    -------
    Expression or None
        None where no form is found in the time that is allowed.
    """
    try:
        with time_limit(seconds):
            return _shortest(formula, seed, assumption, divides)
    except FAILURES:
        return None


@remembered
def _shortest(
    formula: Formula,
    seed: Expression | None,
    assumption: tuple[Expression, Expression] | None,
    divides: bool,
) -> Expression | None:
    """Return the shortest form, or that until the time was up: a whole search serves any time."""
    best: Expression | None = None
    try:
        for found in _shorter_and_shorter(formula, seed, assumption, divides):
            best = found
    except FAILURES:
        return best
    return best


def _shorter_and_shorter(
    formula: Formula,
    seed: Expression | None,
    assumption: tuple[Expression, Expression] | None,
    divides: bool,
) -> Iterator[Expression]:
    """Yield forms that are proved, each shorter than the one before."""
    forward = computation_graph(formula.expression)
    graph, _ = backward_graph(forward)
    chained = backward_graph(forward, selects=True)[0].expression()
    best: tuple[bool, int] | None = None
    looked_at = _dividing_ways if divides else ways
    for e, rules, algebra in (
        (*way, known)
        for known in _algebras(graph, forward.output, dict(formula.parameters))
        for way in looked_at(
            known.value(forward.output),
            known.value(graph.output),
            known,
            forward.output,
            known.translation.symbol(_A),
        )
    ):
        z = algebra.translation.symbol(_Z)
        if seed is not None:
            g = algebra.translation.symbol(SEED)
            e = algebra.canonical(e.subs(g, algebra.translation.to_sympy(seed)))
        for atom, known in rules:
            e = e.subs(atom, known)
        if assumption is not None:
            total, known = assumption
            assert isinstance(total, Apply)
            atom = SumFunction(algebra.translation.to_sympy(total.arguments[0]))
            e = e.subs(atom, algebra.translation.to_sympy(known))
        e, roots = _with_roots_named(e, algebra)
        e = sympy.factor(sympy.cancel(sympy.together(sympy.expand(e))))
        if seed is not None and e.has(z):
            continue
        if best is not None and (e.has(z), _PARTS * sympy.count_ops(e)) > best:
            continue  # no way to write it is shorter
        written = (
            way.subs(roots)
            for form in dict.fromkeys((e, _by_indicators(e, algebra)))
            for way in writings(form, algebra)
        )
        found = with_choices(min(map(algebra.to_expression, written), key=size))
        if best is not None and length(found) >= best:
            continue
        if agrees_where_awkward(formula, found, chained, seed) and proved(
            formula, found, seed, assumption
        ):
            best = length(found)
            yield found
            if best <= _SHORT:
                return


def _with_roots_named(e: Any, algebra: SumAlgebra) -> tuple[Any, dict[Any, Any]]:
    """``s + c*sqrt(s) -> r**2 + c*r``: what the layer shares is a power of the roots taken of it.

    Also returned is what every root stands for.
    """
    shared = set(algebra.shared.values())
    orders: dict[Any, int] = {}
    for part in e.atoms(sympy.Pow):
        if part.base in shared and part.exp.is_Rational:
            orders[part.base] = lcm(orders.get(part.base, 1), int(part.exp.q))
    roots = {s: sympy.Dummy("root", positive=True) for s, order in orders.items() if order > 1}
    back = {root: s ** sympy.Rational(1, orders[s]) for s, root in roots.items()}
    return e.subs({s: root ** orders[s] for s, root in roots.items()}), back


def _by_indicators(e: Any, algebra: SumAlgebra) -> Any:
    """``(I*(z + z/s) + g)/(1 + s) -> I*z/s + g/(1 + s)``: what one holds cancels by itself."""
    meaning = algebra.translation.meaning
    found = [symbol for symbol in e.free_symbols if is_indicator(meaning.get(symbol))]
    if len(found) != 1 or any(part.has(found[0]) for part in e.atoms(SumFunction)):
        return e
    off, on = (e.subs(found[0], held) for held in (0, 1))
    return found[0] * sympy.factor(sympy.cancel(on - off)) + sympy.factor(off)


def _algebras(graph: Graph, last: int, values: dict[str, float]) -> Iterator[SumAlgebra]:
    """Yield the plain algebra, and one in which sums stay that powers are taken of."""
    plain = SumAlgebra(graph, values)
    plain.name_reductions(last)
    yield plain
    bases = {
        node.arguments[0]
        for node in map(graph.nodes.__getitem__, graph.reached())
        if node.operation == "power" and graph.nodes[node.arguments[0]].per_unit
    }
    kept = frozenset(k for k in bases if graph.nodes[k].operation in ("add", "subtract"))
    if kept:
        keeping = SumAlgebra(graph, values, kept)
        keeping.name_reductions(last)
        yield keeping


def ways(
    output: Any, product: Any, algebra: SumAlgebra, last: int, a: Any
) -> Iterator[tuple[Any, list[tuple[Any, Any]]]]:
    """Yield the product with a value replaced by the output: everywhere, or in sums alone.

    In sums alone it keeps forms without a division by a unit's own value. Then come the product
    as it is, since sums of z may be shorter than those of the output, and the product in which
    whole multiples of the output are named.
    """
    for own in _solvable(output, algebra):
        replaced = _solved(output, own, a)
        if replaced is None:
            continue
        put = _Substitution(algebra, own, replaced)
        rules = known_sums(algebra, put, last)
        yield put(product), rules
        yield put.in_sums(product), rules
    yield product, []
    named = _outputs_named(product, output, algebra, a)
    if named != product:
        yield named, []
    yield a * sympy.cancel(sympy.together(named / output)), []


def _dividing_ways(
    output: Any, product: Any, algebra: SumAlgebra, last: int, a: Any
) -> Iterator[tuple[Any, list[tuple[Any, Any]]]]:
    """Yield the product with a value replaced by a quotient in the output: ``m*a/(1 - a)``."""
    for own in _solvable(output, algebra):
        replaced = _solved(output, own, a, divides=True)
        if replaced is not None:
            put = _Substitution(algebra, own, replaced, divides=True)
            yield put(product), known_sums(algebra, put, last)


def _outputs_named(product: Any, output: Any, algebra: SumAlgebra, a: Any) -> Any:
    """Write sums of multiples of the output by the output: ``S(g exp(z))/S -> S(g a)``."""
    g = algebra.translation.symbol(SEED)

    def named(part: Any) -> Any:
        ratio = sympy.cancel(sympy.together(part.args[0] / (g * output)))
        return part if algebra.is_own(ratio) else ratio * SumFunction(a * g)

    return product.replace(lambda part: isinstance(part, SumFunction) and part.has(g), named)


def length(product: Expression) -> tuple[bool, int]:
    """Return what forms are ordered by: those in the output alone come first, then short ones."""
    if "z" not in variables_of(product):
        return False, size(product)
    outside = without_reductions(product)
    # Division by a unit's own value is worth avoiding too: it loses digits where that is small.
    divisors = (
        e.arguments[1]
        for e in subexpressions(outside)
        if isinstance(e, Apply) and e.operation == "divide"
    )
    times = sum("z" in variables_of(e) for e in (outside, *divisors))
    return True, size(product) + _OWN_PREACTIVATION * times


def without_reductions(e: Expression) -> Expression:
    """Return what an expression is outside of its reductions over the units."""
    if not isinstance(e, Apply):
        return e
    if e.operation in REDUCTIONS:
        return ONE
    return Apply(e.operation, tuple(map(without_reductions, e.arguments)))


def writings(e: Any, algebra: SumAlgebra) -> list[Any]:
    """Return ways to write a product; one collects what stands before each linear part in g."""
    g = algebra.translation.symbol(SEED)
    linear = [g, *(part for part in atoms_of(e, SumFunction) if part.has(g))]
    expanded = sympy.expand(e)
    collected = _collected(expanded, linear)
    grouped = sympy.factor_terms(expanded)
    ways = [e, expanded, grouped, collected]
    if linear[1:] and e.has(algebra.count):
        ways.append(sympy.factor(sympy.cancel(algebra.with_means(e))))
        ways.append(_by_denominators(algebra.with_means(collected)))
        of_means = map(algebra.with_means, (expanded, grouped, collected))
        ways += [way for way in of_means if not way.has(algebra.count)]
    return ways


def _collected(e: Any, linear: list[Any]) -> Any:
    """Factor what stands before each linear part of a sum: SymPy looks into all that is inside."""
    before: dict[Any, list[Any]] = {}
    for term in sympy.Add.make_args(e):
        factors = sympy.Mul.make_args(term)
        part = next((x for x in linear if x in factors), sympy.Integer(1))
        before.setdefault(part, []).append(term / part)
    return sympy.Add(*(part * sympy.factor(sympy.Add(*terms)) for part, terms in before.items()))


def _by_denominators(e: Any) -> Any:
    """``u/s + w - v/s -> (u - v)/s + w``."""
    above: dict[Any, Any] = {}
    for term in sympy.Add.make_args(e):
        over, under = sympy.fraction(sympy.cancel(term))
        above[under] = above.get(under, 0) + over
    return sympy.Add(*(sympy.factor_terms(over) / under for under, over in above.items()))


def _solvable(output: Any, algebra: SumAlgebra) -> list[Any]:
    """Return the per-unit values for which the output's equation might be solved."""
    z = algebra.translation.symbol(_Z)
    functions = [f for f in atoms_of(output, sympy.Function) if f.has(z)]
    return [*sorted(functions, key=sympy.count_ops), z]


def _solved(output: Any, own: Any, a: Any, *, divides: bool = False) -> Any:
    """Solve ``a = output`` for a value in which it is linear over shared ones, or over a too."""
    stand_in = sympy.Dummy("own", real=True)
    above, below = sympy.fraction(sympy.together(output.subs(own, stand_in)))
    equation = sympy.expand(a * below - above)
    if not equation.is_polynomial(stand_in) or sympy.degree(equation, stand_in) != 1:
        return None
    slope = equation.coeff(stand_in, 1)
    if slope.has(a) != divides:
        return None
    return sympy.cancel(-equation.coeff(stand_in, 0) / slope)


class _Substitution:
    """Puts the solved value in everywhere, also inside sums."""

    def __init__(
        self, algebra: SumAlgebra, own: Any, replaced: Any, *, divides: bool = False
    ) -> None:
        self.algebra, self.own, self.replaced = algebra, own, replaced
        self.divides = divides

    def __call__(self, e: Any) -> Any:
        if not e.has(self.own):
            return self.algebra.canonical(e)
        e = sympy.expand_power_exp(e.subs(self.own, self.replaced))
        if self.divides:
            # What is shared becomes a factor of a sum's terms only where these are cancelled.
            e = e.replace(SumFunction, lambda part: SumFunction(sympy.cancel(part)))
        return self.algebra.canonical(e)

    def in_sums(self, e: Any) -> Any:
        """Put the solved value into the sums alone."""
        return self.algebra.canonical(
            e.replace(lambda part: isinstance(part, SumFunction), lambda part: self(part))
        )


def known_sums(algebra: SumAlgebra, put: Callable[[Any], Any], last: int) -> list[tuple[Any, Any]]:
    """Return what the definitions of the reductions say of single sums."""
    rules: list[tuple[Any, Any]] = []
    for index, symbol in algebra.shared.items():
        node = algebra.graph.nodes[index]
        if index > last or node.operation not in ("reduce_sum", "reduce_mean"):
            continue
        total = put(algebra.sum(algebra.value(node.arguments[0])))
        weight = algebra.count if node.operation == "reduce_mean" else sympy.Integer(1)
        relation = sympy.expand(total - weight * symbol)
        for atom, known in rules:
            relation = sympy.expand(relation.subs(atom, known))
        atoms = list(relation.atoms(SumFunction))
        if len(atoms) == 1:
            slope = relation.coeff(atoms[0], 1)
            if slope != 0 and not slope.has(SumFunction):
                rest = sympy.expand(relation - slope * atoms[0])
                rules.append((atoms[0], sympy.cancel(-rest / slope)))
    return rules


@remembered
def cost_gradient(cost: Formula) -> Expression:
    """Return ∂(cost of one example)/∂a in `a` and `y`, by the chain rule through the cost."""
    forward = computation_graph(cost.expression)
    graph, _ = backward_graph(forward, "a", ONE)
    plain, written = graph.expression(), list[Expression]()
    try:
        with time_limit(_COST_SECONDS):
            algebra = SumAlgebra(graph, dict(cost.parameters))
            value = algebra.value(graph.output)
            plain = algebra.to_expression(value)
            written.extend(_gradient_ways(value, algebra))
            if value.has(SumFunction):
                keeping = SumAlgebra(graph, dict(cost.parameters))
                keeping.name_reductions(forward.output)
                written.extend(_gradient_ways(keeping.value(graph.output), keeping))
    except FAILURES:
        pass  # what was found until then is right
    return with_choices(min(written, key=size, default=plain))


def _gradient_ways(value: Any, algebra: SumAlgebra) -> Iterator[Expression]:
    if value.has(algebra.count):
        yield algebra.piecewise(sympy.factor(sympy.cancel(algebra.with_means(value))))
    yield algebra.piecewise(sympy.factor(sympy.cancel(sympy.together(value))))
    yield algebra.piecewise(value)
    yield algebra.piecewise(sympy.factor_terms(value))
    if value.has(sympy.sinh):
        yield algebra.piecewise(sympy.cancel(value.replace(sympy.sinh, _sine_by_tangent)))
    yield from _in_difference(value, algebra)


def _in_difference(value: Any, algebra: SumAlgebra) -> Iterator[Expression]:
    """Write in ``a - y`` what depends on that alone; over one denominator it stays in brackets."""
    a, y = (algebra.translation.symbol(v) for v in (_A, _Y))
    difference = algebra.translation.symbol(_DIFFERENCE)
    if value.has(SumFunction):
        return
    way = sympy.factor(sympy.cancel(sympy.together(value.subs(a, y + difference))))
    if not way.has(y):
        bracket = Apply("subtract", (_A, _Y))
        yield substitute(algebra.piecewise(way), lambda e: bracket if e == _DIFFERENCE else None)


def _sine_by_tangent(x: Any) -> Any:
    """Write the hyperbolic sine over the tangent, which does not overflow."""
    return sympy.tanh(x) * sympy.cosh(x)
