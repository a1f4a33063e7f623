"""Parameters at whose value a formula changes its form: ``where(alpha == 0, z, …)`` at alpha = 0.

The branch that is taken there holds for no value beside it and says nothing of the derivative by
the parameter. That is the limit of the derivatives beside, from either side, where they agree.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import mpmath
import sympy

from chainrule.derivations._evaluate import evaluate, evaluate_layer
from chainrule.derivations.algebra._sympy import Translation, attempt
from chainrule.derivations.by_parameters._derivative import by_parameter
from chainrule.derivations.layers._check import PLACES
from chainrule.formulas import Apply, Expression, Parameter, substitute, variables_of

_SECONDS = 0.6
_DIGITS = 80
_BESIDE = mpmath.mpf(10) ** -25
_ROUNDING = mpmath.mpf(10) ** -20


def forms_beside(
    expression: Expression, name: str, values: Mapping[str, float]
) -> tuple[Expression, Expression] | None:
    """Return a formula's form just below and above a parameter's value; None if it is that there.

    Examples
    --------
    >>> from chainrule.formulas import parse, to_text
    >>> formula = parse("where(alpha == 0, z, sinh(alpha*z)/alpha)", {"alpha": 0})
    >>> below, above = forms_beside(formula.expression, "alpha", {"alpha": 0})
    >>> to_text(above)
    'sinh(alpha*z)/alpha'
    """
    with mpmath.workdps(_DIGITS):
        at, below, above = (
            _chosen(expression, {**values, name: values[name] + step * _BESIDE})
            for step in (0, -1, 1)
        )
    return None if at == below == above else (below, above)


def _chosen(expression: Expression, values: Mapping[str, Any]) -> Expression:
    def branch(e: Expression) -> Expression | None:
        match e:
            case Apply("where", (condition, x, y)) if not variables_of(condition):
                return _chosen(x if evaluate(condition, values) else y, values)
        return None

    return substitute(expression, branch)


def limit_of_slopes(
    expression: Expression,
    forms: tuple[Expression, Expression],
    name: str,
    values: Mapping[str, float],
) -> Expression | None:
    """Return the derivative by a parameter as the limit from both sides, if it is one."""
    found = attempt(_SECONDS, lambda: _limit(forms, name, values), None)
    return found if found is not None and _holds(expression, found, name, values) else None


def _limit(
    forms: tuple[Expression, Expression], name: str, values: Mapping[str, float]
) -> Expression | None:
    translation = Translation()
    parameter = translation.symbol(Parameter(name))
    place = sympy.Rational(*Fraction(values[name]).as_integer_ratio())
    below, above = (
        sympy.limit(translation.to_sympy(by_parameter(form, name, values)), parameter, place, side)
        for form, side in zip(forms, "-+", strict=True)
    )
    same = below.is_finite is not False and sympy.simplify(below - above) == 0
    return translation.to_expression(above) if same else None


def _holds(
    expression: Expression, slope: Expression, name: str, values: Mapping[str, float]
) -> bool:
    """Compare with difference quotients to either side at a few layers."""
    steps = (-_BESIDE, _BESIDE)
    with mpmath.workdps(_DIGITS):
        for places in PLACES:
            z = [mpmath.mpf(x) for x in places]
            at, *beside = (
                evaluate_layer(expression, {**values, name: values[name] + step, "z": z})
                for step in (0, *steps)
            )
            got = evaluate_layer(slope, {**values, "z": z})
            for step, outputs in zip(steps, beside, strict=True):
                wanted = [(y - x) / step for x, y in zip(at, outputs, strict=True)]
                pairs = zip(got, wanted, strict=True)
                if not all(abs(x - y) <= _ROUNDING * (1 + abs(y)) for x, y in pairs):
                    return False
    return True
