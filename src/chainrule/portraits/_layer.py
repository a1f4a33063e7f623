"""The portrait of a layer-coupled function: invariances, sums, how one output follows its units.

Sums over the units are kept as canonical atoms; what the other units add to a sum is one free
number. A statement holds for every number of units n ≥ 2.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import mpmath
import sympy

from chainrule.derivations import computation_graph, time_limit
from chainrule.derivations._algebra import FAILURES
from chainrule.derivations._evaluate import evaluate_layer
from chainrule.derivations._graph import UNIT_COUNT
from chainrule.derivations._sum_algebra import SumAlgebra, SumFunction
from chainrule.formulas import Apply, Expression, Formula, Parameter, Variable, substitute
from chainrule.portraits._statement import Bounds, Statement, bounds_of, unsettled

_Z = Variable("z")
_BY = Parameter("by")  # what is added to every unit, or multiplies it
_SECONDS = 1.0
_LAYER = ("0.61", "-0.87", "1.34", "0.22")


@dataclass(frozen=True)
class OneOutput:
    """An output as a function of its own pre-activation and of what the others add to the sum.

    Parameters
    ----------
    value : object
        In SymPy's terms.
    own, others : object
        The pre-activation; what the other units add, a number of known sign.
    summand : object
        What one unit adds, by its pre-activation.
    """

    value: Any
    own: Any
    others: Any
    summand: Any


def layer_statements(formula: Formula) -> tuple[Statement, ...]:
    """Return what can be proved of a layer-coupled function.

    Parameters
    ----------
    formula : Formula

    Returns
    -------
    tuple of Statement
    """
    shift = _invariance(formula, Apply("add", (_Z, _BY)), "1.7")
    scale = _invariance(formula, Apply("multiply", (_BY, _Z)), "2.5")
    total = _attempt(lambda: _constant_sum(formula, 1))
    squares = _attempt(lambda: _constant_sum(formula, 2))
    one = _attempt(lambda: _one_output(formula))
    rises = _attempt(lambda: _sign(sympy.diff(one.value, one.own))) if one else None
    follows = _attempt(lambda: _sign_by_others(one)) if one else None
    result = [
        Statement("permutation", "permuting the units permutes the outputs alike", True),
        _stated("shift", "f(z + c) = f(z) for every c", "f(z + c) ≠ f(z) in general", shift),
        _stated("scale", "f(c·z) = f(z) for every c > 0", "f(c·z) ≠ f(z) in general", scale),
        *_sum_statements(total, squares),
        *_one_output_statements(one, rises, follows),
        *_jacobian_statements(shift, scale, total),
    ]
    return (*result, _norm(one, shift, total, rises, follows))


def _attempt(compute: Callable[[], Any]) -> Any:
    try:
        with time_limit(_SECONDS):
            return compute()
    except FAILURES:
        return None


def _stated(subject: str, holds: str, fails: str, known: bool | None) -> Statement:
    if known is None:
        return unsettled(subject)
    return Statement(subject, holds if known else fails, True)


def _without_means(e: Expression) -> Expression:
    """Write means as sums over the number of units, and take shifts and factors out of max."""

    def rule(part: Expression) -> Expression | None:
        if not isinstance(part, Apply):
            return None
        inner = tuple(_without_means(x) for x in part.arguments)
        if part.operation == "mean":
            return Apply("divide", (Apply("sum", inner), UNIT_COUNT))
        first = inner[0] if inner else None
        if part.operation in ("max", "min", "abs") and isinstance(first, Apply):
            if first.operation == "multiply" and first.arguments[0] == _BY:
                return Apply("multiply", (_BY, Apply(part.operation, first.arguments[1:])))
            if first.operation == "add" and first.arguments[1] == _BY and part.operation != "abs":
                return Apply("add", (Apply(part.operation, first.arguments[:1]), _BY))
        return Apply(part.operation, inner)

    return substitute(e, rule)


def _algebra(formula: Formula, e: Expression) -> tuple[SumAlgebra, Any]:
    """Return a layer's expression in SymPy's terms, with canonical sums."""
    graph = computation_graph(_without_means(e))
    algebra = SumAlgebra(graph, dict(formula.parameters))
    algebra.translation.symbol(_BY, positive=True)
    return algebra, algebra.value(graph.output)


def _tidy(e: Any) -> Any:
    """Bring sums under roots and in logarithms to one form."""
    e = e.replace(
        lambda part: part.is_Pow and not part.exp.is_Integer,
        lambda part: sympy.factor(sympy.cancel(part.base)) ** part.exp,
    )
    return sympy.cancel(sympy.together(sympy.expand_log(sympy.powdenest(e))))


def _invariance(formula: Formula, moved: Expression, by: str) -> bool | None:
    """Tell whether moving all pre-activations alike leaves the outputs; None if not settled."""
    e = substitute(formula.expression, lambda part: moved if part == _Z else None)
    with mpmath.workdps(60):
        z = [mpmath.mpf(text) for text in _LAYER]
        values = {**dict(formula.parameters), "z": z, _BY.name: mpmath.mpf(by)}
        pairs = zip(
            evaluate_layer(formula.expression, values), evaluate_layer(e, values), strict=True
        )
        distance = max(abs(x - y) for x, y in pairs)
    if distance > mpmath.mpf(10) ** -30:
        return False

    def proved() -> bool | None:
        difference = Apply("subtract", (e, formula.expression))
        algebra, value = _algebra(formula, difference)
        return True if _tidy(algebra.canonical(value)) == 0 or _tidy(value) == 0 else None

    return _attempt(proved)  # type: ignore[no-any-return]


def _constant_sum(formula: Formula, power: int) -> Any:
    """Return what the outputs, or their squares, add up to where that is a number."""
    algebra, value = _algebra(formula, formula.expression)
    total = _tidy(algebra.sum(sympy.expand(value**power)))
    return total if total.free_symbols <= {algebra.count} and not total.has(SumFunction) else None


def _sum_statements(total: Any, squares: Any) -> list[Statement]:
    result = [
        Statement("sum of the outputs", str(total), True, _bounds(total))
        if total is not None
        else unsettled("sum of the outputs", "no constant is found")
    ]
    if squares is not None:
        result.append(Statement("sum of squares", str(squares), True, _bounds(squares)))
    return result


def _bounds(number: Any) -> Bounds | None:
    return bounds_of(number) if number.is_number else None


def _one_output(formula: Formula) -> OneOutput | None:
    """Return one output by its own unit and the rest of the only sum, if that rest is positive."""
    algebra, value = _algebra(formula, formula.expression)
    totals = list(value.atoms(SumFunction))
    z = algebra.translation.symbol(_Z)
    known = {z, algebra.count, *(s for s, e in algebra.translation.meaning.items()
                                 if isinstance(e, Parameter))}  # fmt: skip
    if len(totals) != 1 or not value.free_symbols <= known:
        return None
    summand = totals[0].args[0]
    if not summand.is_nonnegative:
        return None
    others = sympy.Dummy("R", positive=summand.is_positive, nonnegative=True)
    seen = value.subs(totals[0], summand + others)
    exact = {s: sympy.Rational(dict(formula.parameters)[e.name])
             for s, e in algebra.translation.meaning.items()
             if isinstance(e, Parameter) and e != _BY}  # fmt: skip
    exact[algebra.count] = sympy.Symbol("n", positive=True)
    return OneOutput(seen.subs(exact), z, others, summand.subs(exact))


def _sign(e: Any) -> int | None:
    """Return the strict sign of an expression that SymPy's assumptions settle, or None."""
    for way in (e, sympy.factor(sympy.cancel(sympy.together(e)))):
        for form in (way, sympy.factor(sympy.simplify(way))):
            if form.is_positive:
                return 1
            if form.is_negative:
                return -1
    return None


def _sign_by_others(one: OneOutput) -> int | None:
    """Return the sign of an output's derivative by another unit's pre-activation."""
    by_rest = _sign(sympy.diff(one.value, one.others))
    adds = _sign(sympy.diff(one.summand, one.own))
    return None if by_rest is None or adds is None else by_rest * adds


def _one_output_statements(
    one: OneOutput | None, rises: int | None, follows: int | None
) -> list[Statement]:
    words = {1: "increasing", -1: "decreasing"}
    result = []
    for subject, sign in (("in its own z", rises), ("in another unit's z", follows)):
        text = f"{words[sign]} {subject}" if sign else ""
        result.append(
            Statement("one output", text, True)
            if sign
            else unsettled("one output", f"whether it is monotone {subject}")
        )
    limits = _attempt(lambda: _limits(one, rises)) if one else None
    if limits is None:
        return [*result, unsettled("range of one output")]
    low, high = limits
    bounds = None
    if low.is_number and high.is_number:
        bounds = (bounds_of(low)[0], bounds_of(high)[1])
    text = f"between {low} and {high}, neither attained".replace("oo", "∞")
    return [*result, Statement("range of one output", text, True, bounds)]


def _limits(one: OneOutput, rises: int | None) -> tuple[Any, Any] | None:
    """Return the bounds of an output, by the variable in which it is strictly monotone."""
    by_rest = _sign(sympy.diff(one.value, one.others))
    if by_rest is not None and one.others.is_positive:
        ends = [
            sympy.simplify(sympy.limit(one.value, one.others, end))
            for end in ((0, sympy.oo) if by_rest > 0 else (sympy.oo, 0))
        ]
        if not any(end.free_symbols & {one.own, one.others} for end in ends):
            return ends[0], ends[1]
    if rises is not None:
        ends = [sympy.limit(one.value, one.own, rises * side * sympy.oo) for side in (-1, 1)]
        ends = [sympy.simplify(end) for end in ends]
        if not any(end.free_symbols & {one.own, one.others} for end in ends):
            return ends[0], ends[1]
    return None


def _jacobian_statements(shift: bool | None, scale: bool | None, total: Any) -> list[Statement]:
    found = []
    if shift:
        found.append("J·(1, …, 1) = 0, as f(z + c) = f(z)")
    if scale:
        found.append("J·z = 0, as f(c·z) = f(z)")
    if total is not None:
        found.append("(1, …, 1)·J = 0, as the outputs' sum is constant")
    if not found:
        return []
    rank = "n - 2" if shift and scale else "n - 1"
    more = ", where z is not constant" if rank == "n - 2" else ""
    text = "; ".join(found) + f": rank at most {rank}{more}"
    return [Statement("Jacobian", text, True)]


def _norm(
    one: OneOutput | None, shift: bool | None, total: Any, rises: int | None, follows: int | None
) -> Statement:
    """Bound the Jacobian's norm where its rows sum to 0 and only the diagonal has one sign."""
    subject = "norm of the Jacobian"
    if one is None or not shift or rises is None or follows != -rises:
        return unsettled(subject)
    largest = _attempt(lambda: _largest(rises * sympy.diff(one.value, one.own), one))
    if largest is None:
        return unsettled(subject)
    bound = sympy.nsimplify(2 * largest)
    rows = f"each row's absolute values sum to 2·|∂a_p/∂z_p| ≤ {bound}"
    if total is not None:
        text = f"spectral norm at most {bound}: {rows}, and so do each column's"
    else:
        text = f"row-sum norm at most {bound}: {rows}"
    return Statement(subject, text, True, (0.0, bounds_of(bound)[1]))


def _largest(e: Any, one: OneOutput) -> Any:
    """Return the supremum of an expression over all positive rests, where it is one number."""
    e = sympy.factor(sympy.cancel(sympy.together(e)))
    top = sympy.fraction(sympy.factor(sympy.together(sympy.diff(e, one.others))))[0]
    values = [sympy.limit(e, one.others, end) for end in (0, sympy.oo)]
    places = sympy.roots(sympy.Poly(top, one.others)) if top.has(one.others) else {}
    if sum(places.values()) != (sympy.degree(top, one.others) if top.has(one.others) else 0):
        return None
    values += [e.subs(one.others, place) for place in places]
    values = [sympy.simplify(value) for value in values]
    return max(values) if all(value.is_number and value.is_finite for value in values) else None
