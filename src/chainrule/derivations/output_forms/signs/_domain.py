"""Where a smooth piece is defined: what its logarithms, roots and quotients ask for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import mpmath
import sympy

from chainrule.derivations._evaluate import evaluate
from chainrule.derivations.algebra._sympy import Translation, attempt
from chainrule.derivations.output_forms.signs._signs import proved_sign
from chainrule.derivations.pieces._crossings import crossings_of
from chainrule.derivations.pieces._pieces import differentiate, place_between
from chainrule.formulas import (
    Apply,
    Expression,
    Parameter,
    Variable,
    constant,
    subexpressions,
    variables_of,
)

_Z = Variable("z")
_DIGITS = 60
_SECONDS = 0.5
_MOST = 8  # stretches


@dataclass(frozen=True)
class Stretch:
    """An open interval on which a piece is defined.

    Parameters
    ----------
    low, high : float
    ends : pair of (Expression or None)
        Where the domain ends, exactly; None at infinity and at the ends of the piece.
    """

    low: float
    high: float
    ends: tuple[Expression | None, Expression | None] = (None, None)


def domain(
    expression: Expression, values: Mapping[str, float], low: float, high: float
) -> tuple[Stretch, ...] | None:
    """Return the stretches of (low, high) on which an expression is defined; None if not known."""
    open_conditions = _open_conditions(expression, values, low, high)
    if not open_conditions:
        return (Stretch(low, high),)
    ends: dict[float, Expression] = {}
    for condition, _ in open_conditions:
        if not variables_of(condition) and evaluate(condition, values) == 0:
            return None  # 0**z has values for some exponents
        roots = _roots(condition, values)
        if roots is None:
            roots = _only_root(condition, values, low, high)
        if roots is None:
            return None
        ends |= {place: location for place, location in roots.items() if low < place < high}
    edges = [low, *sorted(ends), high]
    if len(edges) > _MOST + 1:
        return None
    return tuple(
        Stretch(left, right, (ends.get(left), ends.get(right)))
        for left, right in pairwise(edges)
        if _is_defined(expression, values, left, right)
    )


def positive_conditions(
    expression: Expression, values: Mapping[str, float], low: float, high: float
) -> list[Expression]:
    """Return what is positive where an expression is defined, and not everywhere else."""
    return [e for e, positive in _open_conditions(expression, values, low, high) if positive]


def _open_conditions(
    expression: Expression, values: Mapping[str, float], low: float, high: float
) -> list[tuple[Expression, bool]]:
    return [
        (condition, positive)
        for condition, positive in dict.fromkeys(_conditions(expression, values))
        if not _always(condition, positive, values, low, high)
    ]


def has_no_value(
    expression: Expression, values: Mapping[str, float], low: float, high: float
) -> bool:
    """Tell whether an expression is defined nowhere between two places."""
    if _is_defined(expression, values, low, high):
        return False
    return domain(expression, values, low, high) == ()


def _always(
    condition: Expression, positive: bool, values: Mapping[str, float], low: float, high: float
) -> bool:
    """Tell whether a condition is proved to hold everywhere between two places."""
    sign = proved_sign(condition, values, low, high, strict=True)
    return sign > 0 or (sign < 0 and not positive)


def _conditions(e: Expression, values: Mapping[str, float]) -> Iterator[tuple[Expression, bool]]:
    """Yield what must differ from zero, and whether it must be positive."""
    for part in subexpressions(e):
        if not isinstance(part, Apply) or not variables_of(part):
            continue
        x = part.arguments
        match part.operation:
            case "log" | "sqrt":
                yield x[0], True
            case "log1p":
                yield Apply("add", (constant(1), x[0])), True
            case "divide" if variables_of(x[1]):
                yield x[1], False
            case "power":
                exponent = mpmath.nan if variables_of(x[1]) else evaluate(x[1], values)
                if not mpmath.isint(exponent):
                    yield x[0], True
                elif exponent < 0:
                    yield x[0], False


def _roots(condition: Expression, values: Mapping[str, float]) -> dict[float, Expression] | None:
    """Return where a quotient of polynomials in z, or in one exponential, is zero or infinite."""
    return attempt(_SECONDS, lambda: _found_roots(condition, values), None)


def _found_roots(
    condition: Expression, values: Mapping[str, float]
) -> dict[float, Expression] | None:
    translation = Translation()
    z = translation.symbol(_Z)
    e = sympy.together(translation.to_sympy(condition))
    exponentials = {part.args[0] for part in e.atoms(sympy.exp)}
    rate: Any = None
    if len(exponentials) == 1:
        (argument,) = exponentials
        rate = sympy.cancel(argument / z)
        if rate.has(z):
            return None
        z = sympy.Dummy("t", positive=True)
        e = e.subs(sympy.exp(argument), z)
    found: dict[float, Expression] = {}
    for part in sympy.fraction(e):
        if part.has(translation.symbol(_Z)) if rate is not None else not part.is_polynomial(z):
            return None
        if not part.has(z):
            continue
        if not part.is_polynomial(z):
            return None
        roots = sympy.roots(part, z)
        if sum(roots.values()) != sympy.degree(part, z):
            return None
        for root in roots:
            place = _real(root, translation, values)
            if place is None or (rate is not None and place <= 0):
                continue
            location = root if rate is None else sympy.log(root) / rate
            written = translation.to_expression(location)
            found[float(evaluate(written, values))] = written
    return found


def _only_root(
    condition: Expression, values: Mapping[str, float], low: float, high: float
) -> dict[float, Expression] | None:
    """Return the root of what is proved to rise or fall throughout; None where that is not."""
    if _open_conditions(condition, values, low, high):
        return None
    if proved_sign(differentiate(condition), values, low, high) == 0:
        return None
    with mpmath.workdps(_DIGITS):
        crossings, _ = crossings_of(condition, values, (low, high))
    return {float(place): location for location, place in crossings if low < place < high}


def _real(root: Any, translation: Translation, values: Mapping[str, float]) -> float | None:
    numbers = {
        symbol: sympy.Float(values[leaf.name], 30)
        for symbol, leaf in translation.meaning.items()
        if isinstance(leaf, Parameter)
    }
    value = sympy.N(root.subs(numbers), 30)
    return float(sympy.re(value)) if abs(sympy.im(value)) < 1e-20 else None


def _is_defined(e: Expression, values: Mapping[str, float], low: float, high: float) -> bool:
    with mpmath.workdps(_DIGITS):
        place = place_between(mpmath.mpf(low), mpmath.mpf(high))
        return bool(mpmath.isfinite(evaluate(e, {**values, "z": place})))
