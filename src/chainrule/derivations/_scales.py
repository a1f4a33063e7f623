"""Sizes of `z`, far from 1, at which a formula may change: told by its numbers.

``z/(10000 + z**2)`` turns at 100, ``z*exp(-z**2/1e9)`` beyond 20000, and ``max(z, 50)`` at 50.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import log10

from chainrule.formulas import (
    COMPARISONS,
    Apply,
    Constant,
    Expression,
    Parameter,
    subexpressions,
)

_FAR, _BESIDE = 2.5, 0.4  # powers of ten from 1: of any number, and of one that is compared
_MOST = 4


def scales_of(e: Expression, values: Mapping[str, float]) -> tuple[float, ...]:
    """Return an extreme number's size, its root and their reciprocals, the nearest to 1 first.

    Examples
    --------
    >>> from chainrule.formulas import parse
    >>> scales_of(parse("z/(10000 + z**2)").expression, {})
    (0.01, 100.0, 0.0001, 10000.0)
    >>> [scales_of(parse(text).expression, {}) for text in ("max(z, 50)", "max(z - 50, 0)")]
    [(100.0,), (100.0,)]
    """
    numbers = (_power_of_ten(part, values) for part in subexpressions(e))
    powers = {
        share * power
        for power in numbers
        if power is not None and abs(power) > _FAR
        for share in (-1, -0.5, 0.5, 1)
    }
    compared = (_power_of_ten(part, values) for part in _compared(e))
    powers |= {power + log10(2) for power in compared if power and abs(power) > _BESIDE}
    near = sorted(powers, key=lambda power: (abs(power), power))
    return tuple(float(f"{10**power:.3g}") for power in near[:_MOST])


def _power_of_ten(e: Expression, values: Mapping[str, float]) -> float | None:
    match e:
        case Constant(value):
            number = float(value)
        case Parameter(name):
            number = values[name]
        case _:
            return None
    return log10(abs(number)) if number else None


def _compared(e: Expression) -> Iterator[Expression]:
    for part in subexpressions(e):
        if isinstance(part, Apply) and part.operation in (*COMPARISONS, "maximum", "minimum"):
            yield from part.arguments
            for argument in part.arguments:
                yield from _summands(argument)


def _summands(e: Expression) -> Iterator[Expression]:
    match e:
        case Apply("add" | "subtract", parts):
            for part in parts:
                yield part
                yield from _summands(part)
