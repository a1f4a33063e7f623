"""Sizes of `z`, far from 1, at which a formula may change: told by its numbers.

``z/(10000 + z**2)`` turns at 100, and ``z*exp(-z**2/1e9)`` beyond 20000.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import log10

from chainrule.formulas import Constant, Expression, Parameter, subexpressions

_FAR = 2.5  # powers of ten from 1
_MOST = 4


def scales_of(e: Expression, values: Mapping[str, float]) -> tuple[float, ...]:
    """Return an extreme number's size, its root and their reciprocals, the nearest to 1 first.

    Examples
    --------
    >>> from chainrule.formulas import parse
    >>> scales_of(parse("z/(10000 + z**2)").expression, {})
    (0.01, 100.0, 0.0001, 10000.0)
    """
    sizes = {abs(number) for number in _numbers(e, values) if number}
    powers = {
        power * log10(x) for x in sizes if abs(log10(x)) > _FAR for power in (-1, -0.5, 0.5, 1)
    }
    near = sorted(powers, key=lambda power: (abs(power), power))
    return tuple(float(f"{10**power:.3g}") for power in near[:_MOST])


def _numbers(e: Expression, values: Mapping[str, float]) -> list[float]:
    return [
        float(part.value) if isinstance(part, Constant) else values[part.name]
        for part in subexpressions(e)
        if isinstance(part, Constant | Parameter)
    ]
