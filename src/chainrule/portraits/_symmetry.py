"""Statements that algebra proves: symmetries, period, homogeneity, asymptotes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from typing import Any

import mpmath
import sympy

from chainrule.derivations import Field, NotInFieldError, evaluate, time_limit
from chainrule.derivations.algebra._arithmetic import add, multiply, negate, subtract
from chainrule.derivations.algebra._sympy import FAILURES, Translation
from chainrule.derivations.pieces._pieces import differentiate
from chainrule.formulas import (
    Apply,
    Constant,
    Expression,
    Variable,
    constant,
    subexpressions,
    substitute,
    variables_of,
)
from chainrule.portraits._statement import Statement, bounds_of, rounded, unsettled
from chainrule.portraits.axes._axis import Axis
from chainrule.portraits.axes._domain import Edge, Span
from chainrule.portraits.axes._line import Line
from chainrule.portraits.axes._places import sign_at
from chainrule.portraits.far_out import _tail

_Z = Variable("z")
_PLACES = ("0.37", "1.93", "4.1", "0.06")
_CLOSE = mpmath.mpf(10) ** -40
_SECONDS = 0.5
_REFUSALS = (NotInFieldError, *FAILURES)


def at(e: Expression, place: Expression) -> Expression:
    """Return an expression with something in place of z."""
    return substitute(e, lambda part: place if part == _Z else None)


def is_zero(e: Expression, parameters: Mapping[str, float], span: Span | None = None) -> bool:
    """Tell whether an expression is identically zero on a span, proved by algebra."""
    with mpmath.workdps(60):
        for text in _PLACES:
            z = mpmath.mpf(text)
            if span is not None:
                z = _inside(span, z)
            value = evaluate(e, {**parameters, "z": z})
            if not abs(value) < _CLOSE:
                return False
    try:
        with time_limit(_SECONDS):
            algebra = Field(parameters)
            algebra.prepare(e)
            if algebra.normal(algebra.build(e))[0] == 0:
                return True
    except _REFUSALS:
        pass
    try:
        with time_limit(_SECONDS):
            if _tail.is_zero(_tail.exact_sympy(e, parameters, 1, positive=False)):
                return True
    except _REFUSALS:
        pass
    return span is not None and _is_level(e, parameters, span)


def _is_level(e: Expression, parameters: Mapping[str, float], span: Span) -> bool:
    """Tell whether an expression is 0 at 0, and its slope all over the span around it."""
    if not span.low.place < 0 < span.high.place:
        return False
    try:
        with time_limit(_SECONDS):
            algebra, slope = Field(parameters), differentiate(e)
            algebra.prepare(slope)
            if algebra.normal(algebra.build(slope))[0] != 0:
                return False
            return bool(_tail.exact_sympy(at(e, constant(0)), parameters, 1) == 0)
    except _REFUSALS:
        return False


def _inside(span: Span, z: Any) -> Any:
    low, high = span.low.place, span.high.place
    if math.isfinite(low) and math.isfinite(high):
        return low + (mpmath.mpf(high) - low) * z / 5
    if math.isfinite(low):
        return low + z
    return high - z if math.isfinite(high) else z


def symmetries(axis: Axis) -> list[Statement]:
    """State whether the function is even, odd, symmetric about a point, or a gate's kin."""
    if not _is_mirrored(axis):
        if _outer_edges_mirrored(axis):
            return _no_symmetry(axis)
        return [Statement("symmetry", "neither even nor odd: its domain is not symmetric", True)]
    ways: list[tuple[str, int, Expression]] = [
        ("even: f(-z) = f(z)", -1, constant(0)),
        ("odd: f(-z) = -f(z)", 1, constant(0)),
    ]
    with mpmath.workdps(60):
        centre = _exact(_sum(axis, 1, 1) / 2)
        rate = _exact(_sum(axis, 1, -1))
    if centre:
        text = f"f(z) + f(-z) = {2 * centre}: point symmetric about (0, {centre})"
        ways.append((text, 1, Constant(2 * centre)))
    if rate:
        factor = {"1": "", "-1": "-"}.get(str(rate), f"{rate}·")
        ways.append((f"f(z) - f(-z) = {factor}z", -1, multiply(Constant(rate), _Z)))
    for text, sign, target in ways:
        if _holds(axis, sign, target):
            return [Statement("symmetry", text, True)]
    return _no_symmetry(axis)


def _no_symmetry(axis: Axis) -> list[Statement]:
    """Show by values that the function is neither even nor odd."""
    with mpmath.workdps(60):
        differences = [
            (_sum(axis, mpmath.mpf(text), sign), sign) for text in _PLACES for sign in (1, -1)
        ]
    refuted = {s for value, s in differences if mpmath.isfinite(value) and abs(value) > 1e-30}
    if len(refuted) == 2:
        return [Statement("symmetry", "neither even nor odd", True)]
    return [unsettled("symmetry")]


def _sum(axis: Axis, z: Any, sign: int) -> Any:
    return _value(axis, z) + sign * _value(axis, -z)


def _value(axis: Axis, z: Any) -> Any:
    for line in axis.lines:
        if line.span.low.place <= z <= line.span.high.place:
            return evaluate(line.expression, {**axis.parameters, "z": mpmath.mpf(z)})
    return mpmath.nan


def _exact(number: Any) -> Fraction | None:
    """Return a fraction of small denominator where a number of many digits is one."""
    if not mpmath.isfinite(number):
        return None
    guess = Fraction(mpmath.nstr(number, 30)).limit_denominator(1000)
    close = abs(mpmath.mpf(guess.numerator) / guess.denominator - number) < _CLOSE
    return guess if close else None


def _is_mirrored(axis: Axis) -> bool:
    lows = [line.span.low.exact for line in axis.lines]
    highs = [-line.span.high.exact for line in reversed(axis.lines)]
    edges = [edge.exact for edge in axis.edges]
    return bool(lows == highs and edges == [-edge for edge in reversed(edges)])


def _outer_edges_mirrored(axis: Axis) -> bool:
    return bool(axis.lines[0].span.low.exact == -axis.lines[-1].span.high.exact)


def _holds(axis: Axis, sign: int, target: Expression) -> bool:
    """Tell whether ``f(z) + sign*f(-z) = target`` for every z."""
    combine = add if sign > 0 else subtract
    for line, mirror in zip(axis.lines, reversed(axis.lines), strict=True):
        if line.span.high.place <= 0 and mirror is not line:
            continue
        e = subtract(combine(line.expression, at(mirror.expression, negate(_Z))), target)
        if not is_zero(e, axis.parameters, line.span):
            return False
    for k, edge in enumerate(axis.edges):
        own, mirror_own = axis.owns[k], at(axis.owns[-1 - k], negate(_Z))
        e = subtract(combine(own, mirror_own), target)
        defined = axis.own_value(k) is not None
        if defined and sign_at(e, axis.parameters, edge) != 0:
            return False
    return True


@dataclass(frozen=True)
class Period:
    """``f(z + length) = f(z) + drift``.

    Parameters
    ----------
    length, drift : object
        SymPy numbers.
    """

    length: Any
    drift: Any

    def __str__(self) -> str:
        rises = "" if self.drift == 0 else f" + {self.drift}".replace("+ -", "- ")
        return f"f(z + {self.length}) = f(z){rises}"


def period(axis: Axis) -> Period | None:
    """Return the period of a function's slope, where algebra proves one."""
    if not axis.is_everywhere or len(axis.lines) != 1:
        return None
    e = axis.lines[0].expression
    if not any(isinstance(p, Apply) and p.operation in ("sin", "cos") for p in subexpressions(e)):
        return None
    try:
        with time_limit(_SECONDS):
            exact = _tail.exact_sympy(e, axis.parameters, 1, positive=False)
            return _period(exact)
    except _REFUSALS:
        return None


def _period(exact: Any) -> Period | None:
    z = _tail.REAL
    rates = []
    for wave in exact.atoms(sympy.sin, sympy.cos):
        angle = sympy.expand(wave.args[0])
        if not angle.is_polynomial(z) or sympy.degree(angle, z) != 1:
            return None
        rates.append(abs(angle.coeff(z, 1)))
    ratios = [rate / rates[0] for rate in rates]
    if not ratios or not all(ratio.is_Rational for ratio in ratios):
        return None
    whole = rates[0] * sympy.gcd(ratios) if len(ratios) > 1 else rates[0]
    for length in (sympy.pi / whole, 2 * sympy.pi / whole):
        moved = exact.subs(z, z + length).replace(
            lambda e: isinstance(e, sympy.sin | sympy.cos),
            lambda e: e.func(sympy.expand(e.args[0])),
        )
        drift = sympy.simplify(moved - exact)
        if not drift.has(z) and drift.is_number:
            return Period(length, drift)
    return None


def one_period(axis: Axis, found: Period) -> Axis:
    """Return the function on one period from 0."""
    length = float(sympy.N(found.length, 30))
    span = Span(0, Edge(0.0, sympy.Integer(0)), Edge(length, found.length))
    line = Line(span, axis.lines[0].expression, axis.parameters)
    return replace(axis, lines=(line,), _signs={})


def homogeneous_slopes(axis: Axis) -> tuple[Fraction, Fraction] | None:
    """Return the slopes left and right of 0 of a function with ``f(c·z) = c·f(z)``, c > 0."""
    if not axis.is_everywhere or any(edge.exact != 0 for edge in axis.edges):
        return None
    slopes = []
    for line in axis.lines:
        exact = sympy.expand(_tail.exact_sympy(line.expression, axis.parameters, 1, positive=False))
        slope = exact.coeff(_tail.REAL, 1) if exact.is_polynomial(_tail.REAL) else None
        if slope is None or not slope.is_Rational or exact != slope * _tail.REAL:
            return None
        slopes.append(Fraction(int(slope.p), int(slope.q)))
    owns = [sign_at(own, axis.parameters, axis.edges[k]) for k, own in enumerate(axis.owns)]
    return (slopes[0], slopes[-1]) if all(sign == 0 for sign in owns) else None


def homogeneity(axis: Axis) -> list[Statement]:
    """State that the function keeps positive factors, where it does."""
    if homogeneous_slopes(axis) is None:
        return []
    return [Statement("homogeneity", "f(c·z) = c·f(z) for every c > 0", True)]


def asymptotes(axis: Axis) -> list[Statement]:
    """State the slanted lines to which the function comes ever closer."""
    result = []
    for line, end, side in (
        [(axis.lines[0], 0, "-∞"), (axis.lines[-1], 1, "∞")] if axis.lines else []
    ):
        if line.ends[end].is_finite or not variables_of(line.expression):
            continue
        slope = line.ends[end].limit(1)
        if slope is None or slope == 0 or slope.is_infinite:
            continue
        exact = Translation().to_expression(slope)
        rest = line.transformed(partial(_less_line, exact))
        offset = rest.ends[end].limit(0)
        if offset is None or offset.is_infinite:
            continue
        text = f"a = {_written(slope, offset)} at {side}"
        result.append(Statement("asymptote", text, True))
    return result


def _less_line(slope: Expression, e: Expression) -> Expression:
    return subtract(e, multiply(slope, _Z))


def _written(slope: Any, offset: Any) -> str:
    """Write a line; fractions as fractions where they are short, else as decimals."""
    parts = []
    short = all(not n.is_Rational or max(abs(n.p), n.q) < 1000 for n in (slope, offset))
    for number, unit in ((slope, "z"), (offset, "")):
        text = str(number).replace("*", "·") if short else rounded(bounds_of(number))
        if unit:
            text = {"1": "z", "-1": "-z"}.get(text, f"{text}·z")
        if number != 0:
            parts.append(text)
    return " + ".join(parts).replace("+ -", "- ")
