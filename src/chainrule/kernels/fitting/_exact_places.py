"""Single places at which a result is written down, since no evaluation comes to it.

``z*log(z)`` is 0 at 0, no product; ``2 - exp(z - 1) - z`` is 0 at 1, which ``e * exp(-z)`` is not
when it is added in one step with what it cancels; nor is what two functions cancel in the middle
between their centres. And ``sin(z)/z`` has at 0 the value to which both of its sides tend.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import mpmath
from mpmath import libmp

from chainrule.derivations import evaluate
from chainrule.formulas import Apply, Expression, Formula, subexpressions
from chainrule.kernels.fitting._gaps import distances_in_divisors, zeros_in_divisors
from chainrule.kernels.fitting._judge import Judge, as_float
from chainrule.kernels.source._interpreter import interpreted
from chainrule.kernels.source._lines import number, parameter_name, written
from chainrule.kernels.stable_forms._factors import polynomial_of
from chainrule.references import Reference

Source = tuple[list[str], str]

_ROUNDED = ("exp", "log", "tanh", "sinh", "cosh", "erf", "atan", "asinh", "sin", "cos")
_BESIDE = {"float32": 2.0**-30, "float64": 2.0**-60}  # of 0
_CLOSE = 2.0**-30
_FARTHER = (2.0**-20, 2.0**-13)  # where nothing is fitted, digits are lost nearer to 0
_BESIDE_PARAMETERS = (_CLOSE, *_FARTHER)
_NEAR = 2.0**-10
_OTHERS = (0.61, 1.37)  # times the values of parameters


def runnable(
    source: Source, formula: Formula, values: Mapping[str, float] | None = None
) -> Callable[[float], float]:
    """Return source as a function of `z`, for other values of the parameters if they are given."""
    values = dict(formula.parameters) if values is None else values
    return interpreted(*source, {parameter_name(name): value for name, value in values.items()})


def with_exact_places(
    source: Source, judge: Judge, formula: Formula, *, for_other_values: bool = False
) -> Source:
    """Take what is true where a logarithm is infinite, a zero is missed, or 0 divided by 0.

    `for_other_values` asks for what holds whatever the values of parameters are.
    """

    def holds(z: float, value: float) -> bool:
        return not for_other_values or _is_for_all(judge, formula, z, value)

    source = _with_zeros(source, judge, formula, holds)
    for exact in zeros_in_divisors(formula, judge.form):
        z = float(judge.form.dtype.type(float(exact)))
        place = judge.at(z)
        if place is None or not mpmath.isfinite(place.value):
            continue
        computed = runnable(source, formula)
        if judge.fills(z):
            kind, value = judge.form.dtype.type, _rounded(place.value, judge)
            # Compiled in fewer roundings, no sum comes to 0 that did so by chance.
            if kind(computed(z)) != kind(value) or (z and not value):
                source = _filled(source, judge, formula, z, value, for_other_values)
        elif math.isnan(computed(float(exact))) and holds(z, _rounded(place.value, judge)):
            source = _written(source, z, _rounded(place.value, judge))
    return source


def _rounded(value: Any, judge: Judge) -> float:
    """Return a number, 0 for what is next to nothing in a format."""
    is_zero = abs(value) < mpmath.ldexp(1, judge.form.smallest_exponent - 60)
    return 0.0 if is_zero else as_float(value)


def _written(source: Source, z: float, value: float, *conditions: str) -> Source:
    lines, result = source
    condition = " and ".join([f"z == {number(z)}", *conditions])
    return lines, f"{number(value)} if {condition} else ({result})"


def _with_zeros(
    source: Source, judge: Judge, formula: Formula, holds: Callable[[float, float], bool]
) -> Source:
    computed = runnable(source, formula)
    for z in _zeros_in_functions(formula):
        place = judge.at(z)
        if place is None or not mpmath.isfinite(place.value) or judge.fills(z):
            continue
        value = _rounded(place.value, judge)
        is_missed = math.isnan(computed(z)) or (value == 0.0 and (z or computed(z) != 0.0))
        if is_missed and holds(z, value):
            source = _written(source, z, value)
    return source


def _zeros_in_functions(formula: Formula) -> list[float]:
    """Return where arguments that are linear are 0, and the middle between two such places.

    With 0 where there is a logarithm.
    """
    parts = [e for e in subexpressions(formula.expression) if isinstance(e, Apply)]
    inner = [polynomial_of(e.arguments[0]) for e in parts if e.operation in _ROUNDED]
    lines = [line for line in inner if line is not None and line.degree() == 1]
    centres = {-line.coeff(1) / line.LC for line in lines}
    zeros = {(one + other) / 2 for one in centres for other in centres}
    exact = {float(zero) for zero in zeros if zero.denominator & (zero.denominator - 1) == 0}
    return sorted(exact | ({0.0} if any(e.operation == "log" for e in parts) else set()))


# -- places without a value --------------------------------------------------------------------


def _filled(
    source: Source,
    judge: Judge,
    formula: Formula,
    z: float,
    value: float,
    for_other_values: bool,
) -> Source:
    """Give a place what its sides tend to.

    Where that depends on parameters, it is what is computed beside 0, for any values; where this
    does not come near, it is written for the given values alone.
    """
    if _is_for_all(judge, formula, z, value):
        return _written(source, z, value)
    given = dict(formula.parameters)

    def moved(beside: float) -> Source:
        condition = f"abs(z) < {number(beside)}" if beside > _CLOSE else "z == 0.0"
        return [f"z = {number(beside)} if {condition} else z", *source[0]], source[1]

    def is_near(beside: float, values: Mapping[str, float]) -> bool:
        truth = _truth(judge, formula, z, values)
        got = runnable(moved(beside), formula, values)(0.0)
        apart = max(8 * beside, 1e-14)
        return truth is None or math.isclose(truth, got, rel_tol=apart, abs_tol=apart)

    places = [_BESIDE[judge.form.name], *(_FARTHER if for_other_values else ())]
    for beside in () if z else places:
        if all(is_near(beside, values) for values in (given, *_other_values(formula))):
            return moved(beside)
    if for_other_values:
        return _filled_at_parameters(source, judge, formula, z)
    conditions = (f"{parameter_name(name)} == {number(own)}" for name, own in given.items())
    return _written(source, z, value, *conditions)


def _filled_at_parameters(source: Source, judge: Judge, formula: Formula, z: float) -> Source:
    """Take what is computed beside a place that parameters tell, for any values of theirs."""
    given = dict(formula.parameters)

    def error(moved: Source, place: Expression) -> float:
        largest = 0.0
        for values in (given, *_other_values(formula)):
            own = _number(place, values)
            truth, got = _truth(judge, formula, own, values), runnable(moved, formula, values)(own)
            if truth is None or not math.isfinite(got):
                return math.inf
            largest = max(largest, abs(got - truth) / (1.0 + abs(truth)))
        return largest

    found = {}
    for place in distances_in_divisors(formula):
        if _number(place, given) != z:
            continue
        at = written(place, lambda e: None)
        for beside in _BESIDE_PARAMETERS:
            line = f"z = {at} + {number(beside)} * (1.0 + abs({at})) if z == {at} else z"
            moved = [line, *source[0]], source[1]
            found[error(moved, place)] = moved
    least = min(found, default=math.inf)
    return found[least] if least < _NEAR else source


def _number(place: Expression, values: Mapping[str, float]) -> float:
    return float(evaluate(place, {name: mpmath.mpf(value) for name, value in values.items()}))


def _other_values(formula: Formula) -> list[dict[str, float]]:
    if not formula.parameters:
        return []
    return [{name: value * k for name, value in formula.parameters} for k in _OTHERS]


def _is_for_all(judge: Judge, formula: Formula, z: float, value: float) -> bool:
    others = _other_values(formula)
    return all(_truth(judge, formula, z, values) == value for values in others)


def _truth(judge: Judge, formula: Formula, z: float, values: Mapping[str, float]) -> float | None:
    """Return the value or slope at a place with other parameters, None where there is none."""
    moved = Reference(replace(formula, parameters=tuple(values.items())), judge.form)
    truth = moved.at(libmp.from_float(z))
    found = (None if truth.is_kink else truth.left) if judge.slope else truth.value
    return None if found in (None, libmp.fnan) else _rounded(mpmath.make_mpf(found), judge)
