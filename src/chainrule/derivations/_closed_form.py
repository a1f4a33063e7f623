"""Closed forms of vector–Jacobian products: ∂J/∂z in the output, by algebra with sums.

Every value is written over what differs from unit to unit, what the layer shares, and sums
``S(m)`` over the units, which are linear: shared factors stand before them. The output's equation
``a = F`` is solved for one per-unit value, which then disappears; the definitions of the
reductions give what is known of the sums (for the softmax ``S(a) = 1``).
"""

from __future__ import annotations

from typing import Any

import mpmath
import sympy

from chainrule.derivations._algebra import (
    ARITHMETIC,
    FAILURES,
    FUNCTIONS,
    Translation,
    without_shared,
)
from chainrule.derivations._arithmetic import ONE, size
from chainrule.derivations._evaluate import evaluate_layer
from chainrule.derivations._graph import UNIT_COUNT, Graph, computation_graph
from chainrule.derivations._time_limit import time_limit
from chainrule.derivations._vector_jacobian import SEED, backward_graph
from chainrule.formulas import REDUCTIONS, Apply, Constant, Expression, Formula, Parameter, Variable

_SECONDS = 5.0
_A, _Z = Variable("a"), Variable("z")


class SumFunction(sympy.Function):  # type: ignore[misc]
    """The sum over the units of the layer, as SymPy sees it."""

    is_real = True


class SumAlgebra:
    """Values of a graph as SymPy expressions in which sums over the units are kept canonical."""

    def __init__(self, graph: Graph, values: dict[str, float]) -> None:
        self.graph = graph
        self.translation = Translation()
        for name, value in values.items():
            self.translation.symbol(Parameter(name), positive=True if value > 0 else None)
        self.count = self.translation.symbol(UNIT_COUNT, positive=True)
        self.shared: dict[int, Any] = {}
        self.built: dict[int, Any] = {}

    def value(self, index: int) -> Any:
        """Return a node's value; reductions of the formula itself are symbols of their own."""
        if index not in self.built:
            self.built[index] = self._value(index)
        return self.built[index]

    def _value(self, index: int) -> Any:
        node = self.graph.nodes[index]
        if node.leaf is not None:
            return self.translation.to_sympy(node.leaf)
        x = [self.value(k) for k in node.arguments]
        if index in self.shared:
            return self.shared[index]
        if node.operation == "reduce_sum":
            return self.sum(x[0])
        if node.operation == "indicator":
            return self.indicator(node.arguments[0])
        if node.operation == "exp":
            return sympy.expand_power_exp(sympy.exp(sympy.expand(x[0])))
        rule = ARITHMETIC.get(node.operation) or FUNCTIONS.get(node.operation)
        if rule is not None:
            return rule(*x)
        return self.translation.symbol(self.graph.expression(index))

    def indicator(self, index: int) -> Any:
        """Return the symbol of I(x > y), or one less it: opposite comparisons share a symbol."""
        node = self.graph.nodes[index]
        opposite = node.operation in ("greater_equal", "less_equal", "not_equal")
        x, y = node.arguments
        if node.operation in ("less", "greater_equal"):
            x, y = y, x
        if node.operation in ("equal", "not_equal"):
            comparison: Expression = Apply(
                "equal", (self.graph.expression(x), self.graph.expression(y))
            )
        else:
            comparison = self.greater(x, y)
        symbol = self.translation.symbol(Apply("indicator", (comparison,)))
        return 1 - symbol if opposite else symbol

    def greater(self, x: int, y: int) -> Expression:
        """Write x > y with what both sides share taken away, where that is shorter."""
        plain = Apply("greater", (self.graph.expression(x), self.graph.expression(y)))
        difference = sympy.expand(self.value(x) - self.value(y))
        over, under = without_shared(difference, self.to_expression)
        is_bound = isinstance(over, Constant)
        short = Apply("less", (under, over)) if is_bound else Apply("greater", (over, under))
        return min((plain, short), key=size)

    def piecewise(self, e: Any) -> Expression:
        """Write an expression with one indicator outside of sums by its two cases, if shorter."""
        whole = self.to_expression(e)
        outside = e.replace(
            lambda part: isinstance(part, SumFunction), lambda part: sympy.Integer(1)
        )
        found = [s for s in outside.free_symbols if _is_indicator(self.translation.meaning.get(s))]
        if len(found) != 1 or any(part.has(found[0]) for part in e.atoms(SumFunction)):
            return whole
        condition = self.translation.meaning[found[0]]
        assert isinstance(condition, Apply)
        cases = (self.to_expression(sympy.factor(e.subs(found[0], k))) for k in (1, 0))
        return min((whole, Apply("where", (condition.arguments[0], *cases))), key=size)

    def name_reductions(self, last: int) -> None:
        """Give every reduction among the first nodes a symbol."""
        for index in range(last + 1):
            node = self.graph.nodes[index]
            if node.operation.startswith("reduce_"):
                positive = True if _is_positive(self.graph, node.arguments[0]) else None
                expression = self.graph.expression(index)
                self.shared[index] = self.translation.symbol(expression, positive=positive)

    def sum(self, e: Any) -> Any:
        """Return the sum over the units, by linearity a combination of sums of products."""
        result = sympy.Integer(0)
        for term in sympy.Add.make_args(sympy.expand(e)):
            shared, own = sympy.Integer(1), sympy.Integer(1)
            for factor in sympy.Mul.make_args(term):
                if self.is_own(factor):
                    own *= factor
                else:
                    shared *= factor
            result += shared * (self.count if own == 1 else SumFunction(own))
        return result

    def is_own(self, factor: Any) -> bool:
        """Tell whether a value differs from unit to unit; a sum over the units does not."""
        outside = factor.replace(
            lambda part: isinstance(part, SumFunction), lambda part: sympy.Integer(1)
        )
        meaning = self.translation.meaning
        return any(s in meaning and _is_per_unit(meaning[s]) for s in outside.free_symbols)

    def canonical(self, e: Any) -> Any:
        """Renew the sums of an expression, the innermost first."""
        e = e.replace(
            lambda part: isinstance(part, SumFunction), lambda part: self.sum(part.args[0])
        )
        return sympy.expand(e)

    def to_expression(self, e: Any) -> Expression:
        """Return an expression in which sums are the language's own."""
        sums = sorted(e.atoms(SumFunction), key=sympy.count_ops, reverse=True)
        for part in sums:
            inner = Apply("sum", (self.to_expression(part.args[0]),))
            symbol = self.translation.symbol(inner)
            e = e.subs(part, symbol)
        return self.translation.to_expression(e)


def _is_indicator(e: Expression | None) -> bool:
    return isinstance(e, Apply) and e.operation == "indicator"


def _is_per_unit(e: Expression) -> bool:
    """Tell whether a value differs from unit to unit, as all variables do outside reductions."""
    if isinstance(e, Apply):
        return e.operation not in REDUCTIONS and any(_is_per_unit(part) for part in e.arguments)
    return isinstance(e, Variable)


def closed_form(
    formula: Formula,
    seed: Expression | None = None,
    assumption: tuple[Expression, Expression] | None = None,
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

    Returns
    -------
    Expression or None
        None where no form is found in the time that is allowed.
    """
    try:
        with time_limit(_SECONDS):
            return _closed_form(formula, seed, assumption)
    except FAILURES:  # fmt: skip
        return None


def _closed_form(
    formula: Formula,
    seed: Expression | None,
    assumption: tuple[Expression, Expression] | None,
) -> Expression | None:
    forward = computation_graph(formula.expression)
    graph, _ = backward_graph(forward)
    algebra = SumAlgebra(graph, dict(formula.parameters))
    algebra.name_reductions(forward.output)
    output, product = algebra.value(forward.output), algebra.value(graph.output)
    z, a = algebra.translation.symbol(_Z), algebra.translation.symbol(_A)
    best: Expression | None = None
    mixed: Expression | None = None
    for own in _solvable(output, algebra):
        replaced = _solved(output, own, a)
        if replaced is None:
            continue
        put = _Substitution(algebra, own, replaced)
        rules = _known_sums(algebra, put, forward.output)
        e = put(product)
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
        e = sympy.factor(sympy.cancel(sympy.together(sympy.expand(e))))
        needs_z = e.has(z)
        if needs_z and (seed is not None or best is not None):
            continue
        found = min(
            (algebra.to_expression(way) for way in (e, sympy.expand(e), _grouped(e))), key=size
        )
        shortest = mixed if needs_z else best
        if shortest is not None and size(found) >= size(shortest):
            continue
        if proved(formula, found, seed, assumption):
            if needs_z:
                mixed = found
            else:
                best = found
    return best or mixed


_PLACES = (
    ("0.61", "-0.87", "1.34", "0.22"),
    ("0.31", "0.83", "0.52", "0.12"),
    ("-0.31", "-0.83", "-1.52", "-2.12"),
    ("-4.7", "5.3", "-2.4", "7.1"),
)
_SLOPES = ("0.4", "-1.3", "0.9", "0.7")
_TARGETS = (("0.5", "0", "0.2", "0.3"), ("1", "0", "0", "0"), ("-1", "1", "1.6", "-0.4"))


def proved(
    formula: Formula,
    product: Expression,
    seed: Expression | None = None,
    assumption: tuple[Expression, Expression] | None = None,
) -> bool:
    """Check a form against central differences of Σ g a in 50 digits; wrong ones are rejected.

    With a `seed` its values stand for g, for several targets: those that it has values for, and
    that satisfy the assumption.
    """
    parameters = dict(formula.parameters)
    checked = 0
    with mpmath.workdps(80):
        for places in _PLACES:
            z = [mpmath.mpf(x) for x in places]
            a = evaluate_layer(formula.expression, {**parameters, "z": z})
            slopes = _slopes(formula, z)
            for targets in _TARGETS if seed is not None else (_SLOPES,):
                y = [mpmath.mpf(x) for x in targets]
                known = {**parameters, "z": z, "a": a, "y": y}
                if assumption is not None and not _holds(assumption, known):
                    continue
                g = y if seed is None else evaluate_layer(seed, known)
                if not all(mpmath.isfinite(x) for x in (*a, *g)):
                    continue
                got = evaluate_layer(product, {**known, "g": g})
                wanted = (mpmath.fdot(g, row) for row in slopes)
                if not all(map(_agree, got, wanted)):
                    return False
                checked += 1
    return checked > 0


def _agree(value: Any, wanted: Any) -> bool:
    # A comparison with NaN is false: what cannot be checked is not proved.
    return bool(abs(value - wanted) < mpmath.mpf(10) ** -30 * (1 + abs(wanted)))


def _slopes(formula: Formula, z: list[Any]) -> list[list[Any]]:
    """Return ∂a_p/∂z_j by central differences, a row for each j."""
    step = mpmath.mpf(10) ** -25
    rows = []
    for j in range(len(z)):
        above, below = (
            evaluate_layer(
                formula.expression,
                {**dict(formula.parameters), "z": [x + s * (k == j) for k, x in enumerate(z)]},
            )
            for s in (step, -step)
        )
        rows.append([(x - y) / (2 * step) for x, y in zip(above, below, strict=True)])
    return rows


def _holds(assumption: tuple[Expression, Expression], known: dict[str, Any]) -> bool:
    left, right = (evaluate_layer(side, known)[0] for side in assumption)
    return bool(abs(left - right) < mpmath.mpf(10) ** -30)


def _grouped(e: Any) -> Any:
    return sympy.factor_terms(sympy.expand(e))


def _solvable(output: Any, algebra: SumAlgebra) -> list[Any]:
    """Return the per-unit values for which the output's equation might be solved."""
    z = algebra.translation.symbol(_Z)
    functions = [f for f in output.atoms(sympy.Function) if f.has(z)]
    return [*sorted(functions, key=sympy.count_ops), z]


def _solved(output: Any, own: Any, a: Any) -> Any:
    """Solve ``a = output`` for a value in which it is linear over shared ones."""
    stand_in = sympy.Dummy("own", real=True)
    above, below = sympy.fraction(sympy.together(output.subs(own, stand_in)))
    equation = sympy.expand(a * below - above)
    if not equation.is_polynomial(stand_in) or sympy.degree(equation, stand_in) != 1:
        return None
    slope = equation.coeff(stand_in, 1)
    if slope.has(a):
        return None
    return sympy.cancel(-equation.coeff(stand_in, 0) / slope)


class _Substitution:
    """Puts the solved value in everywhere, also inside sums."""

    def __init__(self, algebra: SumAlgebra, own: Any, replaced: Any) -> None:
        self.algebra, self.own, self.replaced = algebra, own, replaced

    def __call__(self, e: Any) -> Any:
        return self.algebra.canonical(
            sympy.expand_power_exp(e.subs(self.own, self.replaced)) if e.has(self.own) else e
        )


def _known_sums(algebra: SumAlgebra, put: _Substitution, last: int) -> list[tuple[Any, Any]]:
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


def _is_positive(graph: Graph, index: int) -> bool:
    node = graph.nodes[index]
    if node.operation in ("exp", "cosh"):
        return True
    if node.operation in ("add", "multiply", "reciprocal", "reduce_sum", "reduce_mean"):
        return all(_is_positive(graph, k) for k in node.arguments)
    return False


def cost_gradient(cost: Formula) -> Expression:
    """Return ∂(cost of one example)/∂a in `a` and `y`, by the chain rule through the cost."""
    forward = computation_graph(cost.expression)
    graph, _ = backward_graph(forward, "a", ONE)
    algebra = SumAlgebra(graph, dict(cost.parameters))
    value = algebra.value(graph.output)
    try:
        with time_limit(_SECONDS):
            ways = [sympy.factor(sympy.cancel(sympy.together(value))), value]
            if value.has(sympy.sinh):
                ways.append(sympy.cancel(value.replace(sympy.sinh, _sine_by_tangent)))
            return min((algebra.piecewise(way) for way in ways), key=size)
    except FAILURES:
        return algebra.to_expression(value)


def _sine_by_tangent(x: Any) -> Any:
    """Write the hyperbolic sine over the tangent, which does not overflow."""
    return sympy.tanh(x) * sympy.cosh(x)
