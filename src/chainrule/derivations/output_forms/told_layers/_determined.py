"""Layers whose output determines their derivative, whether a formula says so or not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from math import inf
from typing import Any

from chainrule.derivations.algebra._arithmetic import ZERO, negate, rebuilt
from chainrule.derivations.algebra._sympy import attempt
from chainrule.derivations.limits_in_time._remembered import remembered
from chainrule.derivations.output_forms._layers import is_shared
from chainrule.derivations.output_forms.layer_forms._layer_output import form_alone
from chainrule.derivations.output_forms.layer_forms._rectified_layers import PROOF as RECTIFIED
from chainrule.derivations.output_forms.layer_forms._rectified_layers import is_told_by_those_on
from chainrule.derivations.output_forms.rising._rising_in_both import PROOF as IN_BOTH
from chainrule.derivations.output_forms.rising._rising_in_both import is_determined, sign_from
from chainrule.derivations.output_forms.rising._rising_layers import (
    NEGLIGIBLE,
    Rising,
    number_of,
)
from chainrule.derivations.output_forms.rising._rising_layers import PROOF as RISING
from chainrule.derivations.output_forms.told_layers._along_shifts import PROOF as SHIFTED
from chainrule.derivations.output_forms.told_layers._along_shifts import is_told_along_shifts
from chainrule.derivations.output_forms.told_layers._centred_units import PROOF as CENTRED
from chainrule.derivations.output_forms.told_layers._centred_units import is_told_around_middle
from chainrule.derivations.output_forms.told_layers._clamped_units import PROOF as CLAMPED
from chainrule.derivations.output_forms.told_layers._clamped_units import is_told_by_clamped
from chainrule.derivations.output_forms.told_layers._divided_layers import PROOF as DIVIDED
from chainrule.derivations.output_forms.told_layers._divided_layers import is_told_by_divisor
from chainrule.derivations.output_forms.told_layers._mirrored_factors import PROOF as MIRRORED
from chainrule.derivations.output_forms.told_layers._mirrored_factors import is_told_by_sizes
from chainrule.derivations.output_forms.told_layers._proportional_layers import (
    PROOF as PROPORTIONAL,
)
from chainrule.derivations.output_forms.told_layers._proportional_layers import is_proportional
from chainrule.derivations.output_forms.told_layers._shared_terms import PROOF as SHARED
from chainrule.derivations.output_forms.told_layers._shared_terms import is_moved_less
from chainrule.derivations.output_forms.told_layers._shares import PROOF as SHARES
from chainrule.derivations.output_forms.told_layers._shares import is_told_by_shares
from chainrule.formulas import (
    REDUCTIONS,
    Apply,
    Constant,
    Expression,
    Formula,
    is_layer_coupled,
    subexpressions,
    to_text,
    variables_of,
)

_SECONDS, _LONGER = 0.8, 1.2
_OF_INNER = "{} has a form through itself, and a_j, a one-to-one function of it, tells it"
_OFF = ", where outputs are not 0; where they are all of them are, and the derivative is 0"
_ONE_TO_ONE = (
    *("exp", "expm1", "log", "log1p", "sqrt", "tanh", "sinh", "atan", "asinh", "erf", "negate"),
)


@remembered
def why_determined(formula: Formula) -> str:
    """Return the proof that a layer's output determines its derivative; empty where none is found.

    Examples
    --------
    >>> from chainrule.formulas import parse
    >>> print(why_determined(parse("z - max(z)/2 + z**3")))
    a_j = h(z_j) + t with one t for all units, and t never falls by just as much as h rises
    >>> why_determined(parse("z/(1 + sum(z**2))"))
    ''
    """
    values = dict(formula.parameters)

    def sought() -> str:
        subjects = _subjects(formula)
        if any(Rising(values, sign).holds(e) for e in subjects for sign in (1, -1)):
            return RISING
        whole = next(iter(subjects))
        logarithm = _logarithm(whole, values)
        logarithms = {} if logarithm is None else {rebuilt(logarithm): "log|a_j|"}
        for e, subject in (subjects | logarithms).items():
            if any(is_moved_less(e, Rising(values, sign)) for sign in (1, -1)):
                is_off = e in logarithms and any(
                    map(_rectified, subexpressions(formula.expression))
                )
                return SHARED.format(subject) + _OFF * is_off
        for e, subject in subjects.items():
            if is_determined(e, values):
                return IN_BOTH.format(subject)
            if is_told_around_middle(e, values):
                return CENTRED.format(subject)
            if is_proportional(e, values):
                return PROPORTIONAL.format(subject)
            if is_told_by_divisor(e, values):
                return DIVIDED.format(subject)
            if is_told_by_shares(e, values):
                return SHARES.format(subject)
        if any(is_told_by_clamped(e, values) for e in subjects):
            return CLAMPED
        return ""

    return attempt(_SECONDS, sought, "")


@remembered
def why_told(formula: Formula) -> str:
    """Return a proof as `why_determined` does that takes longer, for layers without a witness.

    Examples
    --------
    >>> from chainrule.formulas import parse
    >>> print(why_told(parse("max(z + z**3 - max(z), 0)")).partition("; ")[0])
    a_j = max(h(z_j) - t, 0) with one t for all units
    """
    values = dict(formula.parameters)

    def sought() -> str:
        whole, *inner = _subjects(formula).items()
        for e, subject in reversed(inner):  # the simplest first
            if form_alone(replace(formula, expression=e)) is not None:
                return _OF_INNER.format(subject)
        for e, subject in (whole, *inner):
            if is_told_around_middle(e, values):
                return CENTRED.format(subject)
            if is_proportional(e, values):
                return PROPORTIONAL.format(subject)
            if is_told_by_those_on(e, values):
                return RECTIFIED.format(subject)
            if is_told_by_sizes(e, values):
                return MIRRORED.format(subject)
            if is_told_along_shifts(e, values):
                return SHIFTED.format(subject)
        return ""

    return attempt(_LONGER, sought, "")


def _subjects(formula: Formula) -> dict[Expression, str]:
    """Return a layer, and what remains without its outermost functions, and how these are named."""
    whole, *inner = _without_outer(rebuilt(formula.expression), dict(formula.parameters))
    return {whole: "a_j", **{e: to_text(e) for e in inner}}


def _without_outer(e: Expression, values: Mapping[str, float]) -> Iterator[Expression]:
    """Yield an expression, and what remains of it without its outermost invertible functions."""
    while is_layer_coupled(e):
        yield e
        match e:
            case Apply(operation, (inner,)) if operation in _ONE_TO_ONE:
                e = inner
            case Apply("power", (inner, Constant(exponent))) if _is_odd(exponent):
                e = inner
            case Apply("power", (Apply("maximum", (_, Constant(least))) as inner, Constant(power))):
                if least < 0 or power <= 0:
                    return
                e = inner
            case Apply("add" | "subtract" | "multiply" | "divide" as operation, (x, y)):
                free = [part for part in (x, y) if "z" not in variables_of(part)]
                is_factor = operation in ("multiply", "divide")
                if len(free) != 1 or (is_factor and abs(number_of(free[0], values)) < NEGLIGIBLE):
                    return
                e = y if free[0] == x else x
            case _:
                return


def _logarithm(e: Expression, values: Mapping[str, float]) -> Expression | None:
    """Return that of a product's size, written as a sum; None where a factor may change its sign.

    Of ``max(t, 0)`` with one t for all units it is ``log(t)``: where t is not above 0 all outputs
    are 0, and so is the derivative.
    """
    rectified = _rectified(e)
    if rectified is not None:
        return Apply("log", (rectified,))
    match e:
        case Apply("exp", (x,)):
            return x
        case Apply("power", (x, Constant(exponent) as times)) if exponent >= 1:
            one = _logarithm(x, values)
            return None if one is None else Apply("multiply", (times, one))
        case Apply("multiply" | "divide" as operation, (x, y)):
            one, other = _logarithm(x, values), _logarithm(y, values)
            if one is None or other is None:
                return None
            return Apply("add" if operation == "multiply" else "subtract", (one, other))
        case Apply(operation, (inner,)) if operation in REDUCTIONS and not is_layer_coupled(inner):
            return Apply("log", (e,)) if _is_positive(inner, values) else None
    return Apply("log", (e,)) if not is_layer_coupled(e) and _is_positive(e, values) else None


def _rectified(e: Expression) -> Expression | None:
    """Return t of ``max(t, 0)``, or -t of ``min(t, 0)``, with one t for all units; else None."""
    match e:
        case Apply("maximum" | "minimum" as operation, (x, y)) if ZERO in (x, y):
            t = y if x == ZERO else x
            return (t if operation == "maximum" else negate(t)) if is_shared(t) else None
    return None


def _is_positive(e: Expression, values: Mapping[str, float]) -> bool:
    if not variables_of(e):
        return bool(number_of(e, values) > 0)
    return sign_from(e, values, -inf, None) == (1, True)


def _is_odd(exponent: Any) -> bool:
    return bool(exponent.denominator == 1 and exponent.numerator % 2 == 1 and exponent > 0)
