"""The portrait of a layer-coupled function: invariances, sums, how one output follows its units.

Sums over the units are kept as canonical atoms; what the other units add to a sum is one free
number. A statement holds for every number of units n ≥ 2.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import mpmath
import sympy

from chainrule.derivations import SEED, backward_graph, computation_graph, time_limit
from chainrule.derivations._evaluate import Values, evaluate_layer
from chainrule.derivations._graph import UNIT_COUNT
from chainrule.derivations.algebra._sympy import FAILURES
from chainrule.derivations.layers._sum_algebra import SumAlgebra, SumFunction
from chainrule.formulas import (
    COMPARISONS,
    Apply,
    Expression,
    Formula,
    Parameter,
    Variable,
    substitute,
)
from chainrule.portraits._statement import Bounds, Statement, bounds_of, rounded, unsettled
from chainrule.portraits.layers._one_output import (
    COUNT,
    LAYERS,
    OneOutput,
    by_another,
    by_own,
    by_plain_sum,
    is_made_of_steps,
    one_output_statements,
    one_outputs,
    sign_of,
    sum_varies,
    written,
)
from chainrule.portraits.layers._symmetric import largest_factor

_Z = Variable("z")
_BY = Parameter("by")  # what is added to every unit, or multiplies it
_SECONDS = 1.0
_CLEARLY = mpmath.mpf(10) ** -20
_NORM_OF_DIRECTIONS = Statement(
    "norm of the Jacobian",
    "∞: f(c·z) = f(z) gives J(c·z) = J(z)/c, which grows without bound as c falls to 0",
    True,
    (math.inf, math.inf),
)


def layer_statements(formula: Formula) -> Iterator[Statement]:
    """Yield what can be proved of a layer-coupled function.

    Parameters
    ----------
    formula : Formula

    Yields
    ------
    Statement
    """
    yield Statement("permutation", "permuting the units permutes the outputs alike", True)
    shift = _invariance(formula, Apply("add", (_Z, _BY)), "1.7")
    yield _stated("shift", "f(z + c) = f(z) for every c", "f(z + c) ≠ f(z) in general", shift)
    scale = _invariance(formula, Apply("multiply", (_BY, _Z)), "2.5")
    yield _stated("scale", "f(c·z) = f(z) for every c > 0", "f(c·z) ≠ f(z) in general", scale)
    total, squares = (_total(formula, power) for power in (1, 2))
    yield from _sum_statements(formula, total, squares)
    outputs = _attempt(lambda: one_outputs(formula, *_algebra(formula, formula.expression))) or ()
    own, other = by_own(outputs), by_another(outputs)
    plain = _attempt(lambda: by_plain_sum(formula, *_algebra(formula, formula.expression)))
    signs = [known or sign for known, sign in zip((own, other), plain or (None, None), strict=True)]
    yield from one_output_statements(formula, outputs, *signs)
    yield from _jacobian_statements(shift, scale, total)
    if scale and _has_slope(formula):
        yield _NORM_OF_DIRECTIONS
    else:
        yield _norm(formula, outputs, shift, total, own, other)


def _total(formula: Formula, power: int) -> Any:
    """Return what the outputs, or their squares, add up to; None where that varies, or may."""
    return None if sum_varies(formula, power) else _attempt(lambda: _constant_sum(formula, power))


def _has_slope(formula: Formula) -> bool:
    """Tell whether the Jacobian is not 0 at some layer."""
    product = backward_graph(computation_graph(formula.expression))[0].expression()
    with mpmath.workdps(60):
        for places in LAYERS:
            z = [mpmath.mpf(text) for text in places]
            seeds = [mpmath.mpf(k == 0) for k in range(len(z))]
            known: Values = {**dict(formula.parameters), "z": z, SEED: seeds}
            if any(abs(x) > _CLEARLY for x in evaluate_layer(product, known)):
                return True
    return False


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
        if part.operation in COMPARISONS:
            return Apply(part.operation, _without_common(*inner))
        if part.operation in ("max", "min", "abs") and isinstance(first, Apply):
            if first.operation == "multiply" and first.arguments[0] == _BY:
                return Apply("multiply", (_BY, Apply(part.operation, first.arguments[1:])))
            if first.operation == "add" and first.arguments[1] == _BY and part.operation != "abs":
                return Apply("add", (Apply(part.operation, first.arguments[:1]), _BY))
        return Apply(part.operation, inner)

    return substitute(e, rule)


def _without_common(x: Expression, y: Expression) -> tuple[Expression, Expression]:
    """Take away what is added to both sides of a comparison, or multiplies both."""
    if isinstance(x, Apply) and isinstance(y, Apply) and x.operation == y.operation:
        for operation, place in (("add", 1), ("multiply", 0)):
            if x.operation == operation and x.arguments[place] == y.arguments[place] == _BY:
                return x.arguments[1 - place], y.arguments[1 - place]
    return x, y


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
        z = [mpmath.mpf(text) for text in LAYERS[0]]
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
    """Return what the outputs, or their squares, add up to where no pre-activation changes it."""
    algebra, value = _algebra(formula, formula.expression)
    factors = sympy.Mul.make_args(value**power)
    # A divisor that all units share is no factor any more once it is multiplied out.
    shared = sympy.Mul(*(factor for factor in factors if not algebra.is_own(factor)))
    own = sympy.Mul(*(factor for factor in factors if algebra.is_own(factor)))
    total = _tidy(shared * algebra.sum(sympy.expand(own)))
    meaning = algebra.translation.meaning.items()
    names = {x: sympy.Symbol(e.name) for x, e in meaning if isinstance(e, Parameter)}
    names[algebra.count] = COUNT
    if total.has(SumFunction) or not total.free_symbols <= names.keys():
        return None
    return total.subs(names)


def _sum_statements(formula: Formula, total: Any, squares: Any) -> list[Statement]:
    subject = "sum of the outputs"
    if total is not None:
        result = [Statement(subject, written(total), True, _bounds(total))]
    elif sum_varies(formula):
        result = [Statement("sum", "what the outputs add up to depends on the layer", True)]
    else:
        result = [unsettled(subject, "no constant is found")]
    if squares is not None:
        result.append(Statement("sum of squares", written(squares), True, _bounds(squares)))
    return result


def _bounds(number: Any) -> Bounds | None:
    return bounds_of(number) if number.is_number else None


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
    formula: Formula, outputs: tuple[OneOutput, ...], shift: bool | None, total: Any,
    own: int | None, other: int | None,
) -> Statement:  # fmt: skip
    """Bound the Jacobian's norm where only its diagonal has one sign, and so have its row sums."""
    subject = "norm of the Jacobian"
    if is_made_of_steps(formula.expression):
        return Statement(subject, "0 wherever the function does not jump", True)
    if len(outputs) != 1 or own is None or other != -own:
        return _symmetric_norm(formula, subject)
    (one,) = outputs
    if not (shift or _attempt(lambda: _follows_shift(one)) == own):
        return _symmetric_norm(formula, subject)
    largest = _attempt(lambda: _largest(own * sympy.diff(one.value, one.own), one))
    if largest is None:
        return unsettled(subject)
    bound = sympy.nsimplify(2 * largest)
    rows = f"each row's absolute values sum to {'' if shift else 'at most '}2·|∂a_p/∂z_p| ≤ {bound}"
    if shift and total is not None:
        text = f"spectral norm at most {bound}: {rows}, and so do each column's"
    else:
        text = f"row-sum norm at most {bound}: {rows}"
    return Statement(subject, text, True, (0.0, bounds_of(bound)[1]))


def _symmetric_norm(formula: Formula, subject: str) -> Statement:
    """Bound the spectral norm of what is a shared factor times I less a few squares."""
    found = _attempt(lambda: largest_factor(formula))
    if found is None:
        return unsettled(subject)
    supremum, count = found
    bounds = bounds_of(supremum)
    text = (
        f"spectral norm at most {rounded(bounds)}, its supremum for n > {count}: "
        "J = c·(I - Σ w·u·uᵀ) with w ≥ 0 and Σ w·|u|² ≤ 2"
    )
    return Statement(subject, text, True, (0.0, bounds[1]))


def _follows_shift(one: OneOutput) -> int | None:
    """Return the sign of an output's derivative by a shift of all units, if their summands tell.

    A summand that a shift multiplies, as it does an exponential, tells what the others' sum does.
    """
    if one.summand is None:
        return None
    rate = sympy.simplify(sympy.diff(one.summand, one.own) / one.summand)
    if rate.free_symbols:
        return None
    by_rest = rate * one.others * sympy.diff(one.value, one.others)
    return sign_of(sympy.diff(one.value, one.own) + by_rest)


def _largest(e: Any, one: OneOutput) -> Any:
    """Return the supremum of an expression over all positive rests, where it is one number."""
    e = sympy.factor(sympy.cancel(sympy.together(e)))
    top = sympy.fraction(sympy.factor(sympy.together(sympy.diff(e, one.others))))[0]
    values = [sympy.limit(e, one.others, end) for end in (0, sympy.oo)]
    places = sympy.roots(sympy.Poly(top, one.others)) if top.has(one.others) else {}
    if sum(places.values()) != (sympy.degree(top, one.others) if top.has(one.others) else 0):
        return None
    values += [e.subs(one.others, place) for place in places]
    known = [(value, sympy.simplify(value)) for value in values]
    numbers = [simple for _, simple in known if simple.is_number]
    if not numbers or not all(value.is_finite for value in numbers):
        return None
    largest = max(numbers)
    others = [value for value, simple in known if not simple.is_number]
    below = (sympy.factor(sympy.together(largest - value)) for value in others)
    return largest if all(distance.is_nonnegative for distance in below) else None
