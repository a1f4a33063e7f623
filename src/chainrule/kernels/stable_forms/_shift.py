"""What a formula does when every unit's `z` grows by the same c.

Where ``f(z + c) = f(z) + k c``, ``f(z) = f(z - max(z)) + k max(z)``: the same function, with no
exponential above 1 in its sums. The extreme is *held*: as a constant it passes no derivative back,
and none is lost, for f has the same derivative at z and at z + c.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

import mpmath

from chainrule.derivations import evaluate, evaluate_layer
from chainrule.formulas import (
    REDUCTIONS,
    Apply,
    Constant,
    Expression,
    Formula,
    Variable,
    constant,
    subexpressions,
    substitute,
    variables_of,
)
from chainrule.kernels.stable_forms._scales import without_shared_scale

Behaviour = tuple[str, float] | None
_INVARIANT = ("adds", 0.0)
_Z = Variable("z")
_ORIGIN = Variable("origin")
_LARGEST = sys.float_info.max
_DIGITS = 50
_PARTS = 2**10  # of 1: rates that are seen
_ROW, _CHANGES = ("0.3137", "-1.6183", "0.7291"), ("0.8125", "-1.375")


def shifted(formula: Formula, *, sharp: bool = False) -> Expression:
    """Return a formula's expression with its parts evaluated at ``z - max(z)`` where that is equal.

    Only parts with exponentials of `z` in a sum over the units gain; others are returned as
    they are. Exponentials that fall with z are shifted by ``min(z)``, and where a condition chooses
    them, the extreme is that of the units chosen. With ``sharp``, logarithms of sums are also
    written such that one dominant unit does not hide the others; that form is for values, it has no
    derivative of its own.
    """
    e, values = formula.expression, dict(formula.parameters)
    result = _shifted(e, values, sharp)
    return (without_shared_scale(e, values, as_last=True) or e) if result == e else result


def _shifted(e: Expression, values: Mapping[str, float], sharp: bool) -> Expression:
    whole = _shifted_as_one(e, values, sharp)
    if whole is not None or not isinstance(e, Apply):
        return e if whole is None else whole
    parts = Apply(e.operation, tuple(_shifted(part, values, sharp) for part in e.arguments))
    return (without_shared_scale(e, values) or e) if parts == e else parts


def _shifted_as_one(e: Expression, values: Mapping[str, float], sharp: bool) -> Expression | None:
    expression = _with_unit_at_zero(e, values)
    found = list(_rates_in_sums(expression, values, inside=False))
    rates, masks = [rate for rate, _ in found], {mask for _, mask in found}
    behaviour = behaviour_of(expression, values)
    if behaviour is None and len(masks) == 1:
        behaviour = _measured_behaviour(expression, values)
    if len(masks) != 1 or behaviour is None or behaviour[0] != "adds":
        return None
    if all(rate > 0 for rate in rates):
        reduction, choice, farthest = "max", "maximum", -_LARGEST
    elif all(rate < 0 for rate in rates):
        reduction, choice, farthest = "min", "minimum", _LARGEST
    else:
        return None
    mask = masks.pop()
    chosen = _Z if mask is None else mask.of(_Z, constant(Fraction(farthest)))
    largest: Expression = Apply(reduction, (chosen,))
    if expression != e:
        largest = Apply(choice, (largest, constant(0)))
    extreme = Apply("held", (largest,))
    moved = Apply("subtract", (_Z, extreme))
    result = substitute(expression, lambda part: _moved(part, moved, sharp))
    origin = Apply("negate", (extreme,))
    result = substitute(result, lambda part: origin if part == _ORIGIN else None)
    if behaviour[1] == 0.0:
        return result
    times = _exact(behaviour[1])
    return Apply("add", (result, Apply("multiply", (times, extreme))))


@dataclass(frozen=True)
class _Mask:
    """The units for which a condition holds, or those for which it does not."""

    condition: Expression
    holds: bool

    def of(self, value: Expression, others: Expression) -> Expression:
        """Return a value for these units and one for the others."""
        branches = (value, others) if self.holds else (others, value)
        return Apply("where", (self.condition, *branches))


def is_free_of_origin(formula: Formula) -> bool:
    """Tell whether `z` may be counted from any number: f(z + c) = f(z), without an extreme."""
    parts = subexpressions(formula.expression)
    if any(isinstance(part, Apply) and part.operation == "where" for part in parts):
        return False  # its condition would have to be known to stay
    is_invariant = behaviour_of(formula.expression, dict(formula.parameters)) == _INVARIANT
    return is_invariant and shifted(formula) == formula.expression


def _with_unit_at_zero(expression: Expression, values: Mapping[str, float]) -> Expression:
    """Write numbers next to exponentials as those of a unit that stays at 0.

    ``1 + sum(exp(z)) -> exp(0) + sum(exp(z))``: with the unit at 0 shifted like the others, the
    sum scales. The unit stands as a variable that `shifted` replaces by 0 less the extreme.
    """

    def of_unit(e: Expression) -> Expression | None:
        if isinstance(e, Apply) and e.operation == "where":
            return _in_branches(e, lambda part: _with_unit_at_zero(part, values))
        if not isinstance(e, Apply) or e.operation not in ("add", "subtract"):
            return None
        parts = [_with_unit_at_zero(part, values) for part in e.arguments]
        for here, there in ((0, 1), (1, 0)):
            rate = _rate(behaviour_of(parts[there], values), "scales")
            if not variables_of(parts[here]) and rate:
                power = Apply("exp", (Apply("multiply", (_exact(rate), _ORIGIN)),))
                parts[here] = Apply("multiply", (parts[here], power))
        return Apply(e.operation, tuple(parts))

    return substitute(expression, of_unit)


def _moved(e: Expression, moved: Expression, sharp: bool) -> Expression | None:
    """Replace z; ``log(sum(exp(z))) -> log1p(the sum without its largest term, which is 1)``.

    Where one unit dominates, the sum is 1 and a little, and the little is all of the logarithm;
    where the units are near one another, a mean is 1 less a little.
    """
    match e:
        case Apply("log", (Apply("mean", (Apply("exp", (inner,)),)) as mean,)) if sharp:
            shifted_mean, below = (
                substitute(part, lambda part: moved if part == _Z else None)
                for part in (mean, Apply("mean", (Apply("expm1", (inner,)),)))
            )
            near = Apply("greater", (shifted_mean, constant(Fraction(1, 2))))
            logs = Apply("log1p", (below,)), Apply("log", (shifted_mean,))
            return Apply("where", (near, *logs))
        case Apply("log", (Apply("sum", (Apply("exp", (inner,)),)),)) if (
            sharp and _is_multiple_of_z(inner)
        ):
            shifted_inner = substitute(inner, lambda part: moved if part == _Z else None)
            below = Apply("less", (shifted_inner, constant(0)))
            rest = Apply("where", (below, Apply("exp", (shifted_inner,)), constant(0)))
            ties = Apply("where", (below, constant(0), constant(1)))
            others = Apply("subtract", (Apply("sum", (ties,)), constant(1)))
            return Apply("log1p", (Apply("add", (Apply("sum", (rest,)), others)),))
        case Apply("where"):
            return _in_branches(
                e, lambda branch: substitute(branch, lambda part: _moved(part, moved, sharp))
            )
    return moved if e == _Z else None


def _is_multiple_of_z(e: Expression) -> bool:
    match e:
        case Apply("negate", (inner,)):
            return inner == _Z
        case Apply("multiply", (x, y)):
            return (x == _Z and not variables_of(y)) or (y == _Z and not variables_of(x))
        case Apply("divide", (x, y)):
            return x == _Z and not variables_of(y)
    return e == _Z


def _exact(value: float) -> Constant:
    return constant(Fraction(value))


def _in_branches(e: Apply, change: Callable[[Expression], Expression]) -> Expression:
    """Return a choice with its branches changed: its condition is one of z as it is."""
    condition, *branches = e.arguments
    return Apply("where", (condition, *map(change, branches)))


def _rates_in_sums(
    e: Expression, values: Mapping[str, float], *, inside: bool, mask: _Mask | None = None
) -> Iterator[tuple[float, _Mask | None]]:
    """Yield the rates of exponentials in sums, and of which units they are."""
    if not isinstance(e, Apply):
        return
    if e.operation == "exp" and inside:
        behaviour = behaviour_of(e.arguments[0], values)
        if behaviour is not None and behaviour[0] == "adds" and behaviour[1] != 0.0:
            yield behaviour[1], mask
    inside |= e.operation in REDUCTIONS
    if e.operation != "where":
        for argument in e.arguments:
            yield from _rates_in_sums(argument, values, inside=inside, mask=mask)
        return
    condition, *branches = e.arguments
    for branch, holds in zip(branches, (True, False), strict=True):
        own = _Mask(condition, holds)
        yield from _rates_in_sums(branch, values, inside=inside, mask=own)


def behaviour_of(e: Expression, values: Mapping[str, float]) -> Behaviour:
    """Return ("adds", k) for ``+ k c``, ("scales", k) for ``* exp(k c)``, else None."""
    if e in (_Z, _ORIGIN):
        return ("adds", 1.0)
    if not isinstance(e, Apply):
        return _INVARIANT
    inner = [behaviour_of(argument, values) for argument in e.arguments]
    if all(behaviour == _INVARIANT for behaviour in inner):
        return _INVARIANT
    match e.operation:
        case "add" | "subtract" | "maximum" | "minimum" | "greater" | "less":
            return _pair(e.operation, inner[0], inner[1])
        case "negate":
            return _scaled(inner[0], -1.0)
        case "multiply" | "divide":
            return _product(e, inner, values)
        case "exp" if (rate := _rate(inner[0], "adds")) is not None:
            return ("scales", rate)
        case "log" if (rate := _rate(inner[0], "scales")) is not None:
            return ("adds", rate)
        case "sqrt" if (rate := _rate(inner[0], "scales")) is not None:
            return ("scales", rate / 2)
        case "power" if (rate := _rate(inner[0], "scales")) is not None:
            if not variables_of(e.arguments[1]):
                return ("scales", rate * float(evaluate(e.arguments[1], values)))
        case "sum" if _rate(inner[0], "scales") is not None:
            return inner[0]
        case "mean" | "max" | "min":
            return inner[0]
        case "where":
            return _choice(e, inner[1], inner[2])
    return None


def _measured_behaviour(e: Expression, values: Mapping[str, float]) -> Behaviour:
    """Return ("adds", k) where that is seen in many digits, but not of the parts.

    ``sum(z*exp(z))/sum(exp(z))`` adds c, as a mean does, and ``z*exp(z)`` does nothing of the kind.
    """
    parts = set(subexpressions(e))
    if variables_of(e) != {"z"} or any(getattr(p, "operation", "") == "where" for p in parts):
        return None
    with mpmath.workdps(_DIGITS):
        row = [mpmath.mpf(unit) for unit in _ROW]
        try:
            before = evaluate_layer(e, {**values, "z": row})
            rates = [
                (after - start) / change
                for change in map(mpmath.mpf, _CHANGES)
                for start, after in zip(
                    before,
                    evaluate_layer(e, {**values, "z": [unit + change for unit in row]}),
                    strict=True,
                )
            ]
        except (ArithmeticError, KeyError, TypeError, ValueError):
            return None
        rate = float(mpmath.nint(rates[0] * _PARTS) / _PARTS)
        is_same = all(abs(found - rate) < mpmath.mpf(10) ** (10 - _DIGITS) for found in rates)
    return ("adds", rate) if is_same else None


def _choice(e: Apply, x: Behaviour, y: Behaviour) -> Behaviour:
    """Return how a choice behaves whose condition stays: 0 scales like anything."""
    for own, other, branch in ((x, y, e.arguments[2]), (y, x, e.arguments[1])):
        if own == other or (branch == constant(0) and _rate(own, "scales") is not None):
            return own
    return None


def _rate(behaviour: Behaviour, kind: str) -> float | None:
    """Return k of a behaviour of the given kind."""
    return behaviour[1] if behaviour is not None and behaviour[0] == kind else None


def _scaled(behaviour: Behaviour, factor: float) -> Behaviour:
    if behaviour is None or behaviour[0] == "scales":
        return behaviour
    return ("adds", factor * behaviour[1])


def _pair(operation: str, x: Behaviour, y: Behaviour) -> Behaviour:
    if x is None or y is None or x[0] != y[0]:
        return None
    if operation in ("add", "subtract") and x[0] == "adds":
        return ("adds", x[1] + y[1] if operation == "add" else x[1] - y[1])
    return x if x[1] == y[1] else None


def _product(e: Apply, inner: list[Behaviour], values: Mapping[str, float]) -> Behaviour:
    left, right = (0.0 if b == _INVARIANT else _rate(b, "scales") for b in inner)
    if left is not None and right is not None:
        total = left + right if e.operation == "multiply" else left - right
        return ("scales", total) if total else _INVARIANT
    x, y = e.arguments
    if not variables_of(y) and _rate(inner[0], "adds") is not None:
        factor = float(evaluate(y, values))
        return _scaled(inner[0], factor if e.operation == "multiply" else 1.0 / factor)
    if not variables_of(x) and _rate(inner[1], "adds") is not None and e.operation == "multiply":
        return _scaled(inner[1], float(evaluate(x, values)))
    return None
