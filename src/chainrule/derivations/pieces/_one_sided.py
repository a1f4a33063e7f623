"""Values at a place, or their limits from one side of it."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import mpmath

from chainrule.derivations._evaluate import evaluate
from chainrule.formulas import Expression

_DIGITS_NEXT_TO_A_PLACE = 1000
_NEXT_TO_A_PLACE = (20, 40, 60, 80, 100)


def one_sided(expression: Expression, values: Mapping[str, Any], place: Any, side: int) -> Any:
    """Return an expression's value at a place, or its limit from one side; NaN without either.

    A limit that is not reached 1e-100 from the place counts as none.
    """
    value = evaluate(expression, {**values, "z": place})
    if mpmath.isfinite(value):
        return value
    scale = abs(place) or 1
    # With digits to spare: what cancels must look neither like growth nor like nothing.
    with mpmath.workdps(_DIGITS_NEXT_TO_A_PLACE):
        found = [
            evaluate(expression, {**values, "z": place + side * scale * mpmath.mpf(10) ** -digits})
            for digits in _NEXT_TO_A_PLACE
        ]
        if all(abs(a) > abs(b) * mpmath.mpf("1.01") for a, b in pairwise(found)):
            return mpmath.mpf(0)
        if all(abs(b) > abs(a) * mpmath.mpf("1.01") and a * b > 0 for a, b in pairwise(found)):
            return mpmath.sign(found[-1]) * mpmath.inf
        return found[-1] if abs(found[-1] - found[-2]) < 1e-6 * (1 + abs(found[-1])) else mpmath.nan
