"""One output of a layer-coupled function, as its own unit and the others change.

What the other units add to a sum is one free number of known sign. Of ``sum(z)`` and
``sum(z**2)`` the others' part is written by their mean, which a shift brings to 0, and by their
squared distances from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from typing import Any

import mpmath
import sympy

from chainrule.derivations import time_limit
from chainrule.derivations._evaluate import evaluate, evaluate_layer
from chainrule.derivations.algebra._sympy import FAILURES
from chainrule.derivations.layers._sum_algebra import SumAlgebra, SumFunction
from chainrule.derivations.pieces._branches import BRANCHING, chosen
from chainrule.derivations.pieces._crossings import crossings_of
from chainrule.formulas import (
    COMPARISONS,
    REDUCTIONS,
    Apply,
    Constant,
    Expression,
    Formula,
    Parameter,
    Variable,
    subexpressions,
)
from chainrule.portraits._statement import Statement, bounds_of, unsettled

_SECONDS = 1.0
_Z = Variable("z")
COUNT = sympy.Symbol("n", positive=True)
_MORE = sympy.Dummy("k", positive=True)  # units besides the one
# Layers of which values refute what does not always hold.
LAYERS = (
    ("0.61", "-0.87", "1.34", "0.22"), ("-0.61", "0.87", "-1.34", "0.22"),
    ("0.61", "0.87"), ("-0.61", "-0.87"), ("0", "0"), ("2.3", "-0.4", "0.7"),
)  # fmt: skip
_STEPS = ("0.35", "-0.35", "2.1", "-2.1")
_LARGEST_DENOMINATOR = 1000
_APART = mpmath.mpf(10) ** -30


@dataclass(frozen=True)
class OneOutput:
    """An output as a function of its own pre-activation and of what the others add to the sum.

    Parameters
    ----------
    value : object
        In SymPy's terms.
    own, others : object
        The pre-activation, or its size; what the other units add, a number of known sign.
    side : int
        1 where `own` grows with the pre-activation, -1 where it falls.
    summand : object or None
        What one unit adds, by its pre-activation.
    """

    value: Any
    own: Any
    others: Any
    side: int
    summand: Any


def one_outputs(formula: Formula, algebra: SumAlgebra, value: Any) -> tuple[OneOutput, ...]:
    """Return one output, case by case for negative and positive pre-activations where need be."""
    totals = list(value.atoms(SumFunction))
    parameters = dict(formula.parameters)
    meaning = algebra.translation.meaning
    numbers = _numbers(formula, algebra)
    z = algebra.translation.symbol(_Z)
    degrees = {total.args[0] for total in totals}
    if z in degrees and degrees <= {z, z**2}:
        return _by_distances(value.subs(numbers), z, algebra.count)
    if len(totals) != 1:
        return ()
    parts = {s: e for s, e in meaning.items() if s in value.free_symbols and _branches(e)}
    summand = totals[0].args[0]
    parts |= {s: e for s, e in meaning.items() if s in summand.free_symbols and _branches(e)}
    found = []
    for side in (1, -1) if parts else (0,):
        own = sympy.Dummy("x", positive=True) if side else z
        resolved = {s: _resolved(e, side, algebra, parameters) for s, e in parts.items()}
        if None in resolved.values():
            return ()
        at_own = {z: side * own} if side else {}
        adds = summand.subs(resolved).subs(at_own).subs(numbers)
        if not adds.is_nonnegative:
            return ()
        others = sympy.Dummy("R", positive=adds.is_positive, nonnegative=True)
        seen = value.subs(totals[0], others + summand).subs(resolved).subs(at_own).subs(numbers)
        seen = seen.subs(algebra.count, COUNT)
        if not seen.free_symbols <= {own, others, COUNT}:
            return ()
        found.append(OneOutput(seen, own, others, side or 1, adds))
    return tuple(found)


def _numbers(formula: Formula, algebra: SumAlgebra) -> dict[Any, Any]:
    parameters = dict(formula.parameters)
    return {
        symbol: sympy.Rational(parameters[e.name])
        for symbol, e in algebra.translation.meaning.items()
        if isinstance(e, Parameter) and e.name in parameters
    }


def by_plain_sum(
    formula: Formula, algebra: SumAlgebra, value: Any
) -> tuple[int | None, int | None]:
    """Return the signs of an output's derivatives by its own unit and by another.

    They are sought where it depends on its own pre-activation and the sum of all of them alone.
    """
    z = algebra.translation.symbol(_Z)
    if value.atoms(SumFunction) != {SumFunction(z)}:
        return None, None
    own, total = sympy.symbols("z s", real=True)
    beyond_two = sympy.Dummy("k", nonnegative=True)  # units
    seen = value.subs(SumFunction(z), total).subs(z, own).subs(_numbers(formula, algebra))
    seen = seen.subs(algebra.count, 2 + beyond_two)
    if not seen.free_symbols <= {own, total, beyond_two}:
        return None, None
    by_total = _without_tangents(sympy.diff(seen, total))
    return sign_of(_without_tangents(sympy.diff(seen, own)) + by_total), sign_of(by_total)


def _without_tangents(e: Any) -> Any:
    """``1 - tanh(x)**2 -> 1/cosh(x)**2``, which is seen to be positive."""
    return e.replace(
        lambda part: part.is_Pow and isinstance(part.base, sympy.tanh) and part.exp == 2,
        lambda part: 1 - sympy.cosh(part.base.args[0]) ** -2,
    )


def _by_distances(value: Any, z: Any, count: Any) -> tuple[OneOutput, ...]:
    """Return an output that a shift leaves alone, by the distance from the others' mean."""
    mean, own = sympy.symbols("m w", real=True)
    spread = sympy.Dummy("Q", nonnegative=True)
    seen = value.subs(
        {SumFunction(z): z + _MORE * mean, SumFunction(z**2): z**2 + _MORE * mean**2 + spread}
    ).subs({count: 1 + _MORE, z: own + mean})
    seen = seen.replace(
        lambda part: part.is_Pow and not part.exp.is_Integer,
        lambda part: sympy.factor(sympy.cancel(part.base)) ** part.exp,
    )
    seen = sympy.cancel(sympy.together(seen))
    if not seen.free_symbols <= {own, spread, _MORE}:
        return ()
    return (OneOutput(seen, own, spread, 1, None),)


def _branches(e: Expression) -> bool:
    return isinstance(e, Apply) and e.operation in BRANCHING


def _resolved(
    e: Expression, side: int, algebra: SumAlgebra, parameters: Mapping[str, float]
) -> Any:
    """Return the branch that holds on one side of 0, or None where it changes elsewhere."""
    assert isinstance(e, Apply)
    x = e.arguments[0]
    if e.operation == "where":
        assert isinstance(x, Apply)
        difference: Expression = Apply("subtract", x.arguments)
    else:
        difference = Apply("subtract", e.arguments) if len(e.arguments) == 2 else x
    if any(_branches(part) or _reduces(part) for part in subexpressions(difference)):
        return None
    places, is_scanned = crossings_of(difference, parameters)
    if is_scanned or any(place != 0 for _, place in places):
        return None
    value = evaluate(difference, {**parameters, "z": mpmath.mpf(side)})
    return algebra.translation.to_sympy(chosen(e, value, e.arguments))


def _reduces(e: Expression) -> bool:
    return isinstance(e, Apply) and e.operation in (*REDUCTIONS, "count")


def sign_of(e: Any) -> int | None:
    """Return the strict sign of an expression that SymPy's assumptions settle, or None."""
    for form in _ways(e):
        if form.is_positive:
            return 1
        if form.is_negative:
            return -1
    return None


def _ways(e: Any) -> Iterator[Any]:
    """Yield ways to write an expression, those that take long last."""
    yield e
    fraction = sympy.factor(sympy.cancel(sympy.together(e)))
    yield fraction
    for way in (e, fraction):
        yield sympy.factor(sympy.simplify(way))


def by_own(outputs: tuple[OneOutput, ...]) -> int | None:
    """Return the sign of an output's derivative by its own pre-activation."""
    return _common(outputs, lambda one: _by_z(one, one.value))


def by_another(outputs: tuple[OneOutput, ...]) -> int | None:
    """Return the sign of an output's derivative by another unit's pre-activation."""
    # The cases of the other unit are not those of this one: each must have one sign for all.
    by_rest = _common(outputs, lambda one: sign_of(sympy.diff(one.value, one.others)))
    adds = _common(outputs, lambda one: one.summand and _by_z(one, one.summand))
    return None if by_rest is None or adds is None else by_rest * adds


def _by_z(one: OneOutput, e: Any) -> int | None:
    sign = sign_of(sympy.diff(e, one.own))
    return None if sign is None else one.side * sign


def _common(outputs: tuple[OneOutput, ...], sign: Callable[[OneOutput], int | None]) -> int | None:
    try:
        with time_limit(_SECONDS):
            found = {sign(one) for one in outputs}
    except FAILURES:
        return None
    return found.pop() if len(found) == 1 else None


def is_made_of_steps(e: Expression) -> bool:
    """Tell whether the pre-activations are compared alone: the value changes in jumps only."""
    if not isinstance(e, Apply):
        return e != _Z
    if e.operation in COMPARISONS:
        return True
    if e.operation == "sign":
        return True
    return all(is_made_of_steps(part) for part in e.arguments)


def one_output_statements(
    formula: Formula, outputs: tuple[OneOutput, ...], own: int | None, other: int | None
) -> list[Statement]:
    """State how one output follows its own unit and another, and between which bounds."""
    if is_made_of_steps(formula.expression):
        text = "constant wherever it does not jump"
        return [Statement("one output", text, True), _range_of_steps(formula)]
    words = {1: "increasing", -1: "decreasing"}
    result = []
    for unit, subject, sign in ((0, "in its own z", own), (1, "in another unit's z", other)):
        if sign:
            result.append(Statement("one output", f"{words[sign]} {subject}", True))
        elif _goes_both_ways(formula, unit):
            which = "own unit" if unit == 0 else "other units"
            text = "one output rises with its z at some layers, and falls at others"
            text = text if unit == 0 else text.replace("its z", "another unit's z")
            result.append(Statement(which, text, True))
        else:
            result.append(unsettled("one output", f"whether it is monotone {subject}"))
    return [*result, _range(outputs, own)]


def _values(formula: Formula, layer: Sequence[Any]) -> list[Any]:
    with mpmath.workdps(60):
        units = [mpmath.mpf(z) for z in layer]
        return evaluate_layer(formula.expression, {**dict(formula.parameters), "z": units})


def sum_varies(formula: Formula, power: int = 1) -> bool:
    """Tell whether layers of as many units have outputs, or squares of them, of different sums."""
    with mpmath.workdps(60):
        outputs = [_values(formula, layer) for layer in LAYERS]
        sums = [(len(layer), mpmath.fsum(x**power for x in layer)) for layer in outputs]
    pairs = ((a, b) for (m, a), (n, b) in product(sums, sums) if m == n)
    return any(abs(a - b) > _APART for a, b in pairs)


def _goes_both_ways(formula: Formula, unit: int) -> bool:
    """Tell whether the first output rises somewhere with a unit, and falls elsewhere."""
    seen = set()
    for layer, text in product(LAYERS, _STEPS):
        with mpmath.workdps(60):
            step = mpmath.mpf(text)
            moved = [mpmath.mpf(z) + (step if k == unit else 0) for k, z in enumerate(layer)]
            change = (_values(formula, moved)[0] - _values(formula, layer)[0]) * step
            if mpmath.isfinite(change) and abs(change) > _APART:
                seen.add(change > 0)
    return len(seen) == 2


def _range_of_steps(formula: Formula) -> Statement:
    """State the values that a function of comparisons alone takes, where all are met."""
    subject = "range of one output"
    possible = _possible(formula.expression)
    seen = {a for layer in LAYERS for a in _values(formula, layer)}
    if possible is None or {mpmath.mpf(x.numerator) / x.denominator for x in possible} != seen:
        return unsettled(subject)
    least, most = min(possible), max(possible)
    text = "attains " + ", ".join(map(str, sorted(possible))) + " and nothing else"
    return Statement(subject, text, True, (float(least), float(most)))


def _possible(e: Expression) -> set[Fraction] | None:
    """Return all values that an expression of comparisons may have, or None."""
    if isinstance(e, Constant):
        return {e.value}
    if not isinstance(e, Apply):
        return None
    if e.operation == "sign":
        return {Fraction(-1), Fraction(0), Fraction(1)}
    parts = [_possible(x) for x in (e.arguments[1:] if e.operation == "where" else e.arguments)]
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    if e.operation == "where":
        return set().union(*known)
    rule = _EXACT.get(e.operation)
    return None if rule is None else {rule(*values) for values in product(*known)}


_EXACT: dict[str, Callable[..., Fraction]] = {
    "add": lambda x, y: x + y,
    "subtract": lambda x, y: x - y,
    "multiply": lambda x, y: x * y,
    "negate": lambda x: -x,
}


def _range(outputs: tuple[OneOutput, ...], own: int | None) -> Statement:
    try:
        with time_limit(_SECONDS):
            found = [_limits(one, own) for one in outputs]
    except FAILURES:
        found = []
    known = [ends for ends in found if ends is not None]
    subject = "range of one output"
    if not known or len(known) < len(found):
        return unsettled(subject)
    # Of cases that meet at 0 the outer ends bound all; a strict change does not attain them.
    low, high = sympy.Min(*(a for a, _ in known)), sympy.Max(*(b for _, b in known))
    bounds = None
    if low.is_number and high.is_number:
        bounds = (bounds_of(low)[0], bounds_of(high)[1])
    text = f"between {written(low)} and {written(high)}, neither attained"
    return Statement(subject, text, True, bounds)


def written(exact: Any) -> str:
    """Write a SymPy number; one that is a rounded decimal as it is usually read."""
    rounded = {
        x: sympy.Symbol(f"{float(x):.10g}")
        for x in exact.atoms(sympy.Rational)
        if x.q > _LARGEST_DENOMINATOR
    }
    return str(exact.xreplace(rounded)).replace("oo", "∞")


def _limits(one: OneOutput, rises: int | None) -> tuple[Any, Any] | None:
    """Return the bounds of an output, by the variable in which it is strictly monotone."""
    by_rest = sign_of(sympy.diff(one.value, one.others)) if one.others.is_positive else None
    if by_rest is not None:
        ends = [
            sympy.simplify(sympy.limit(one.value, one.others, end))
            for end in ((0, sympy.oo) if by_rest > 0 else (sympy.oo, 0))
        ]
        if not any(end.free_symbols & {one.own, one.others} for end in ends):
            return ends[0], ends[1]
    if rises is None:
        return None
    places = (0, sympy.oo) if one.own.is_positive else (-sympy.oo, sympy.oo)
    ends = [sympy.limit(one.value, one.own, place) for place in places[:: rises * one.side]]
    ends = [sympy.simplify(sympy.simplify(end).subs(_MORE, COUNT - 1)) for end in ends]
    if any(end.free_symbols & {one.own, one.others} for end in ends):
        return None
    return ends[0], ends[1]
