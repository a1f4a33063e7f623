"""Exponentials in sums kept below 1, where a factor that all units share drops out of the whole.

``exp(x) = exp(x - c) * exp(c)``: with c the largest x, ``sum(z*exp(z))/sum(exp(z))`` is a quotient
of sums of which none overflows, and of which the factor exp(c) is gone. What the units share in the
exponent itself goes the same way: ``exp(z - mean(z))/sum(exp(z - mean(z)))`` has no mean left.

This asks for less than a function that a shift of `z` leaves alone, which `_shift` writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

from chainrule.derivations import evaluate
from chainrule.formulas import (
    REDUCTIONS,
    Apply,
    Constant,
    Expression,
    Variable,
    constant,
    subexpressions,
    variables_of,
)

_ZERO, _ONE = constant(0), constant(1)
Sum = tuple[tuple[Expression, Fraction], ...]


@dataclass(frozen=True)
class _Scaled:
    """``rest * exp(scale)``: the scale is a sum of multiples of what all units share."""

    rest: Expression
    scale: Sum = ()


def without_shared_scale(
    e: Expression, values: Mapping[str, float], *, as_last: bool = False
) -> Expression | None:
    """Return an expression with its exponentials in sums below 1; None where there is no such form.

    Parameters
    ----------
    e : Expression
    values : mapping of str to float
        Of the parameters, whose signs tell which exponent of a layer is the largest.
    as_last : bool
        Whether a factor may be left, by which a product is multiplied at last.
    """
    if not any(map(_has_exponentials, _reduced(e))):
        return None
    found = _scaled(e, values)
    if found is None or found.rest == e:
        return None
    if not found.scale:
        return found.rest
    if not as_last or not isinstance(e, Apply) or e.operation in ("sum", "mean"):
        return None
    first, *others = found.scale
    return Apply("multiply", (found.rest, Apply("exp", (_plus(_multiple(*first), others),))))


def _reduced(e: Expression) -> Iterator[Expression]:
    if isinstance(e, Apply):
        if e.operation in REDUCTIONS:
            yield from e.arguments
        for part in e.arguments:
            yield from _reduced(part)


def _has_exponentials(e: Expression) -> bool:
    if not isinstance(e, Apply):
        return False
    return (e.operation == "exp" and is_of_unit(e)) or any(map(_has_exponentials, e.arguments))


def is_of_unit(e: Expression) -> bool:
    """Tell whether an expression differs from unit to unit."""
    if not isinstance(e, Apply):
        return isinstance(e, Variable)
    return e.operation not in REDUCTIONS and any(map(is_of_unit, e.arguments))


def _scaled(e: Expression, values: Mapping[str, float]) -> _Scaled | None:
    """Return an expression with its scale; None where parts of different scales meet.

    What a unit has by itself may stay as it is: it is no sum over the units.
    """
    found = _scaled_as_one(e, values)
    return _Scaled(e) if found is None and not _is_of_layer(e) else found


def _scaled_as_one(e: Expression, values: Mapping[str, float]) -> _Scaled | None:
    if not isinstance(e, Apply):
        return _Scaled(e)
    if e.operation == "exp":
        return _exponential(e, values)
    if e.operation == "where":
        return _choice(e, values)
    parts: list[_Scaled] = []
    for part in e.arguments:
        found = _scaled(part, values)
        if found is None:
            return None
        parts.append(found)
    rest = Apply(e.operation, tuple(part.rest for part in parts))
    scales = [part.scale for part in parts]
    if not any(scales):
        return _Scaled(rest)
    match e.operation:
        case "multiply":
            return _Scaled(rest, _total(scales[0], scales[1]))
        case "divide":
            return _Scaled(rest, _total(scales[0], _times(scales[1], -1)))
        case "add" | "subtract" | "maximum" | "minimum" if scales[0] == scales[1]:
            return _Scaled(rest, scales[0])
        case "negate" | "abs" | "sum" | "mean" | "max" | "min":
            return _Scaled(rest, scales[0])
        case "sqrt":
            return _Scaled(rest, _times(scales[0], Fraction(1, 2)))
        case "power" if isinstance(e.arguments[1], Constant):
            return _Scaled(rest, _times(scales[0], e.arguments[1].value))
        case "log" if _is_of_layer(rest):
            return _Scaled(_plus(rest, scales[0]))
        case "greater" | "less" | "greater_equal" | "less_equal" if scales[0] == scales[1]:
            return _Scaled(rest)
    return None


def _is_of_layer(e: Expression) -> bool:
    """Tell whether sums over the units are in it: of one unit's exponential all might be lost."""
    parts = subexpressions(e)
    return any(isinstance(part, Apply) and part.operation in REDUCTIONS for part in parts)


def _choice(e: Apply, values: Mapping[str, float]) -> _Scaled | None:
    """Scale the branches of a choice, of which 0 has any scale."""
    parts = [_scaled(branch, values) for branch in e.arguments[1:]]
    scales = {part.scale for part in parts if part is not None and part.rest != _ZERO}
    if None in parts or len(scales) > 1:
        return None
    rests = tuple(part.rest for part in parts if part is not None)
    return _Scaled(Apply("where", (e.arguments[0], *rests)), *scales)


def _exponential(e: Apply, values: Mapping[str, float]) -> _Scaled | None:
    """Return ``exp(k*x + c)`` as ``exp(k*(x - extreme)) * exp(k*extreme + c)``."""
    inner = _scaled(e.arguments[0], values)
    if inner is None or inner.scale:
        return None
    terms = _terms(inner.rest, Fraction(1), values)
    own = [(x, k) for x, k in terms if is_of_unit(x)]
    shared = _total((), tuple((x, k) for x, k in terms if not is_of_unit(x)))
    if not own:
        return _Scaled(_ONE, shared)
    x, rate = own[0]
    if len(own) > 1:
        x, rate = _plus(_multiple(x, rate), own[1:]), Fraction(1)
    extreme = Apply("held", (Apply("max" if rate > 0 else "min", (x,)),))
    below = _multiple(Apply("subtract", (x, extreme)), rate)
    return _Scaled(Apply("exp", (below,)), _total(((extreme, rate),), shared))


def _terms(e: Expression, factor: Fraction, values: Mapping[str, float]) -> Sum:
    """Return the terms of a sum with their numbers."""
    if isinstance(e, Apply):
        x, *others = e.arguments
        match e.operation:
            case "negate":
                return _terms(x, -factor, values)
            case "add" | "subtract":
                sign = 1 if e.operation == "add" else -1
                return (*_terms(x, factor, values), *_terms(others[0], sign * factor, values))
            case "multiply" if not variables_of(x) and (k := _number(x, values)):
                return _terms(others[0], factor * k, values)
            case "multiply" if not variables_of(others[0]) and (k := _number(others[0], values)):
                return _terms(x, factor * k, values)
            case "divide" if not variables_of(others[0]) and (k := _number(others[0], values)):
                return _terms(x, factor / k, values)
    return ((e, factor),)


def _number(e: Expression, values: Mapping[str, float]) -> Fraction:
    return e.value if isinstance(e, Constant) else Fraction(float(evaluate(e, values)))


def _total(x: Sum, y: Sum) -> Sum:
    """Return the sum of two sums, in an order of its own."""
    total = dict(x)
    for term, factor in y:
        total[term] = total.get(term, Fraction(0)) + factor
    return tuple(sorted(((t, k) for t, k in total.items() if k), key=str))


def _times(x: Sum, factor: Fraction | int) -> Sum:
    return tuple((term, k * factor) for term, k in x)


def _plus(e: Expression, terms: Iterable[tuple[Expression, Fraction]]) -> Expression:
    """Return an expression and the terms added up."""
    for term, k in terms:
        e = Apply("add" if k > 0 else "subtract", (e, _multiple(term, abs(k))))
    return e


def _multiple(e: Expression, factor: Fraction) -> Expression:
    if factor == 1:
        return e
    if factor == -1:
        return Apply("negate", (e,))
    return Apply("multiply", (constant(factor), e))
