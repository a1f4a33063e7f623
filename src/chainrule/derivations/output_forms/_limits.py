"""Forms at limits that the output only rounds to: 1 of ``1 - exp(-exp(z))``.

There a form may be 0 times the logarithm of 0, though the slope tends to 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import mpmath

from chainrule.derivations._evaluate import evaluate
from chainrule.derivations.output_forms._candidates import OUTPUT
from chainrule.derivations.pieces._one_sided import one_sided
from chainrule.formulas import Apply, Constant, Expression, Formula, Variable, constant, substitute

_DIGITS = 60
_FAR = tuple(map(mpmath.mpf, ("1e30", "1e12", "1e6", "1000", "100", "30", "10", "5", "2", "1")))
_LARGEST_DENOMINATOR = 64


def with_limits(form: Expression, formula: Formula) -> Expression:
    """Return a form that is 0 at limits of the output where it has no value and tends to 0.

    Parameters
    ----------
    form : Expression
        ∂a/∂z in `a`.
    formula : Formula
        Element-wise.

    Examples
    --------
    >>> from chainrule.formulas import parse, to_text
    >>> form = parse("-((1 - a)*log(1 - a))", variables=("a",)).expression
    >>> to_text(with_limits(form, parse("1 - exp(-exp(z))")))
    'where(a == 1, 0, -((1 - a)*log(1 - a)))'
    """
    values = dict(formula.parameters)
    in_place = substitute(form, lambda e: Variable("z") if e == OUTPUT else None)
    written = form
    with mpmath.workdps(_DIGITS):
        for limit, side in dict.fromkeys(_limits(formula)):
            place = mpmath.mpf(limit.numerator) / limit.denominator
            if mpmath.isfinite(evaluate(form, {**values, OUTPUT.name: place})):
                continue
            if one_sided(in_place, values, place, side) == 0:
                at_limit = Apply("equal", (OUTPUT, Constant(limit)))
                written = Apply("where", (at_limit, constant(0), written))
    return written


def _limits(formula: Formula) -> Iterator[tuple[Fraction, int]]:
    """Yield short numbers that the output tends to far out, and from which side it does."""
    for sign in (1, -1):
        outputs = [
            evaluate(formula.expression, {**dict(formula.parameters), "z": sign * z}) for z in _FAR
        ]
        if not all(map(mpmath.isfinite, outputs[:2])) or abs(outputs[0] - outputs[1]) > 1e-6:
            continue
        limit = Fraction(mpmath.nstr(outputs[0], _DIGITS // 3))
        limit = limit.limit_denominator(_LARGEST_DENOMINATOR)
        apart: list[Any] = [a - mpmath.mpf(limit.numerator) / limit.denominator for a in outputs]
        if abs(apart[0]) < 1e-12:
            sides = [int(mpmath.sign(x)) for x in apart if x != 0]
            yield from ((limit, side) for side in sides[:1])
