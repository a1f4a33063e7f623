"""What holds where two pieces meet: values, slopes, the slope taken, and why that one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath

from chainrule.derivations._evaluate import evaluate
from chainrule.derivations.pieces._one_sided import one_sided
from chainrule.derivations.pieces._pieces import Breakpoint, Piece, Pieces, is_rounded
from chainrule.documents import text_of
from chainrule.formulas import Apply, Constant, Expression, Formula, subexpressions, variables_of

_DIGITS = 60
_SAME = mpmath.mpf(10) ** -12  # a place found by bisection is the nearest double
_WORDS = {"maximum": "max", "minimum": "min"}


def place_text(location: Expression) -> str:
    """Write where a breakpoint lies; a place that was found by bisection in decimals."""
    if isinstance(location, Constant) and is_rounded(location):
        return f"{float(location.value):.6g}"
    return text_of(location)


def kink_sentence(formula: Formula, pieces: Pieces, k: int, at: str | None = None) -> str:
    r"""Say where the pieces k and k + 1 meet, how, and which slope is taken there, and why.

    Examples
    --------
    >>> from chainrule.derivations import smooth_pieces
    >>> from chainrule.formulas import parse
    >>> relu = parse("max(0, z)")
    >>> print(kink_sentence(relu, smooth_pieces(relu), 0).replace("; ", ";\n"))
    At z = 0 the slope jumps from 0 to 1;
    taken there: 0, since max takes its constant 0 where both arguments are equal.
    """
    b, left, right = pieces.breakpoints[k], pieces.pieces[k], pieces.pieces[k + 1]
    with mpmath.workdps(_DIGITS):
        values = {name: mpmath.mpf(value) for name, value in formula.parameters}
        place = evaluate(b.location, values)
        jump = _jump(left, right, values, place)
        sides = [_slope(piece, values, place, side) for piece, side in ((left, -1), (right, 1))]
        reason = reason_at(formula, {**values, "z": place})
        own = _value_of_its_own(b, left, right, values, place)
    at = f"At z = {place_text(b.location)}" if at is None else at
    if has_gap(formula, b):
        return f"{at} the formula has no value."
    if b.is_kink:
        met = f"the slope jumps from {sides[0]} to {sides[1]}; taken there: {_taken(b, sides)}"
    elif jump:
        met = f"the slope is {b.slope:.6g} on both sides"
    else:
        alone = f", but the value there is one of its own, {own}" if own else ""
        return f"{at} the pieces join smoothly, with slope {b.slope:.6g}{alone}."
    return f"{at} {met}{reason}." + (f" The function itself jumps there, {jump}." if jump else "")


def has_gap(formula: Formula, b: Breakpoint) -> bool:
    """Tell whether a formula has no value where two pieces meet."""
    with mpmath.workdps(_DIGITS):
        values = {name: mpmath.mpf(value) for name, value in formula.parameters}
        place = evaluate(b.location, values)
        value = evaluate(formula.expression, {**values, "z": place})
    return not mpmath.isfinite(value)


def _taken(b: Breakpoint, sides: list[str]) -> str:
    return {"left": sides[0], "right": sides[1]}.get(b.slope_from, f"{b.slope:.6g}")


def _jump(left: Piece, right: Piece, values: dict[str, Any], place: Any) -> str:
    """Return ``from … to …`` where the two pieces have different values at the place."""
    low, high = (evaluate(p.expression, {**values, "z": place}) for p in (left, right))
    if not (mpmath.isfinite(low) and mpmath.isfinite(high)):
        return ""
    if abs(low - high) <= _SAME * (1 + abs(low)):
        return ""
    return f"from {float(low):.6g} to {float(high):.6g}"


def _value_of_its_own(
    b: Breakpoint, left: Piece, right: Piece, values: dict[str, Any], place: Any
) -> str:
    """Return the value at a place where it is what neither piece tends to."""
    value = evaluate(b.value, {**values, "z": place})
    limits = [
        one_sided(piece.expression, values, place, side) for piece, side in ((left, -1), (right, 1))
    ]
    if any(abs(value - limit) <= _SAME * (1 + abs(limit)) for limit in limits):
        return ""
    return f"{float(value):.6g}"


def _slope(piece: Piece, values: dict[str, Any], place: Any, side: int) -> str:
    slope = one_sided(piece.derivative, values, place, side)
    if mpmath.isnan(slope):
        return "undefined"
    return f"{float(slope):.6g}".replace("inf", "∞")


def reason_at(formula: Formula, values: dict[str, Any]) -> str:
    """Return the rules by which the comparisons that are undecided at the place are decided."""
    rules = []
    for e in subexpressions(formula.expression):
        if isinstance(e, Apply):
            rule = _rule(e, values)
            if rule:
                rules.append(rule)
    return ", since " + " and ".join(dict.fromkeys(rules)) if rules else ""


def _rule(e: Apply, values: dict[str, Any]) -> str:
    x = e.arguments
    if e.operation in ("abs", "sign"):
        if not variables_of(x[0]) or not abs(evaluate(x[0], values)) <= _SAME:
            return ""
        return "sign(0) = 0" if e.operation == "abs" else "sign is flat where it is defined to be 0"
    if e.operation in _WORDS:
        return tie_rule(e, text_of)[0] if variables_of(e) and _equal(values, *x) else ""
    if e.operation == "where":
        assert isinstance(x[0], Apply)
        if not _equal(values, *x[0].arguments):
            return ""
        holds = x[0].operation in ("greater_equal", "less_equal", "equal")
        return f"{text_of(x[0])} {'holds' if holds else 'does not hold'} there"
    return ""


def tie_rule(e: Apply, written: Callable[[Expression], str]) -> tuple[str, str]:
    """Return which argument max or min takes where both are equal, as a rule and by itself."""
    constants = [part for part in e.arguments if not variables_of(part)]
    which = "constant" if constants else "first argument"
    taken = written(constants[0] if constants else e.arguments[0])
    word = _WORDS[e.operation]
    return f"{word} takes its {which} {taken} where both arguments are equal", taken


def _equal(values: dict[str, Any], *compared: Expression) -> bool:
    first, second = (evaluate(part, values) for part in compared)
    return bool(abs(first - second) <= _SAME * (1 + abs(first)))
