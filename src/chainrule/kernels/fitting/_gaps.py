"""Places at which a formula may have no value while both of its sides have a limit: 0 by 0."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import combinations

import numpy as np
from mpmath import libmp
from numpy.typing import NDArray

from chainrule.formulas import (
    Apply,
    Constant,
    Expression,
    Formula,
    Parameter,
    Variable,
    constant,
    subexpressions,
    substitute,
    variables_of,
)
from chainrule.kernels.stable_forms._factors import polynomial_of, rational_zeros
from chainrule.references import Format, Reference

_MOST_LINES = 8
_NUMBERS = tuple(polynomial_of(constant(k)) for k in (0, 1))


def filled_places(formula: Formula, form: Format) -> list[float]:
    """Return the numbers of a format at which an element-wise formula has a limit and no value."""
    reference = Reference(formula, form)
    places = {float(form.dtype.type(float(zero))) for zero in zeros_in_divisors(formula, form)}
    return sorted(z for z in places if reference.at(libmp.from_float(z)).is_limit)


def around(places: Sequence[float], form: Format) -> NDArray[np.float64]:
    """Return the numbers of a format at every distance from places, and these themselves."""
    distances = np.ldexp(1.0, np.arange(-form.precision - 2, 1))
    steps = np.concatenate([-distances, [0.0], distances])
    found = np.multiply.outer(np.asarray(places, np.float64), 1.0 + steps).ravel()
    return np.unique(found.astype(form.dtype).astype(np.float64))


def zeros_in_divisors(formula: Formula, form: Format) -> list[Fraction]:
    """Return where a divisor may be 0: zeros of polynomials in it, and where two lines are equal.

    Lines are arguments of functions, with the numbers that are: ``exp(z) - exp(2)`` is 0 at 2, and
    ``log(1 + z)`` where ``1 + z`` is 1.
    """
    values = dict(formula.parameters)

    def given(e: Expression) -> Expression | None:
        return constant(Fraction(values[e.name])) if isinstance(e, Parameter) else None

    found: set[Fraction] = set()
    for divisor in _divisors(substitute(formula.expression, given)):
        polynomials = {p for e in subexpressions(divisor) if (p := polynomial_of(e)) is not None}
        found.update(zero for p in polynomials for zero in rational_zeros(p))
        lines = sorted((p for p in polynomials if p.degree() <= 1), key=str)[:_MOST_LINES]
        for one, other in combinations([*lines, *_NUMBERS], 2):
            found.update(rational_zeros(one - other))
    largest = 2**form.largest_exponent
    return sorted(zero for zero in found if abs(zero) < largest)


def distances_in_divisors(formula: Formula) -> list[Expression]:
    """Return what `z` is compared with in divisors, of parameters alone: ``z - theta`` is 0 there.

    ``z + theta`` is so at ``-theta``.
    """
    found: list[Expression] = []
    for divisor in _divisors(formula.expression):
        for e in subexpressions(divisor):
            match e:
                case Apply("subtract", (Variable("z"), other) | (other, Variable("z"))):
                    place = other
                case Apply("add", (Variable("z"), other) | (other, Variable("z"))):
                    place = Apply("negate", (other,))
                case _:
                    continue
            if not variables_of(place) and place not in found:
                found.append(place)
    return found


def _divisors(expression: Expression) -> Iterator[Expression]:
    for e in subexpressions(expression):
        match e:
            case Apply("divide", (_, divisor)):
                yield divisor
            case Apply("power", (base, exponent)) if not (
                isinstance(exponent, Constant) and exponent.value >= 0
            ):
                yield base
