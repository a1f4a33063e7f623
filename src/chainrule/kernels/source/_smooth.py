"""Source of a smooth function of `z` that neither overflows nor cancels at large |z|.

For each sign of z the function is written over ``x = |z|`` and exponentials that decay in x;
``exp(-x) - 1`` is taken from expm1, ``1 - erf`` from erfc, ``log(1 + …)`` from log1p.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd
from typing import Any

import mpmath
import sympy

from chainrule.derivations import (
    Field,
    Generator,
    NotInFieldError,
    TimeLimitError,
    evaluate,
    time_limit,
)
from chainrule.formulas import Apply, Expression, subexpressions, variables_of
from chainrule.kernels.source._field_writer import FieldWriter
from chainrule.kernels.source._rational import Lines, chosen
from chainrule.kernels.stable_forms._hyperbolic import HyperbolicField
from chainrule.kernels.stable_forms._tails import WHOLE, Region, TailField, loses_tails, regions

_TRANSCENDENTAL = ("exp", "expm1", "log", "log1p", "tanh", "sinh", "cosh", "erf")
_LARGEST_FORM = 80
_MOST_GENERATORS = 6  # of more no fraction is brought to its lowest terms in the time
_NOTHING = 690.0  # exponentials of minus that are above 1e-300
_NO_FORM = (NotInFieldError, sympy.PolynomialError, ArithmeticError, TypeError, ValueError,
            RecursionError)  # fmt: skip
_SMALLEST = mpmath.mpf(10) ** -400


def stable_form(
    expression: Expression, values: dict[str, float], side: int | None, *, always: bool = False
) -> Lines | None:
    """Return source for one sign of `z`, or None where no such form is found and proved.

    ``side=None`` asks for a form that holds for both signs; there is one where nothing can
    overflow over something that overflows. `always` asks for a fraction even where nothing can.
    """
    if not (always or _worthwhile(expression)):
        return None
    try:
        with time_limit(9.0):
            found = _quotient(HyperbolicField(values, side), expression)
            if found is None:
                return None
            if side is not None and loses_tails(*found, parts := regions(found[0])):
                starts = [FieldWriter(found[0]).quotient(region.start) for region in parts]
                lines = _in_tails(values, side, expression, parts, starts)
                if lines is not None:
                    return lines
            return _proved(*found, expression, values)
    except (*_NO_FORM, TimeLimitError):
        return None


def _quotient(field: Field, expression: Expression) -> tuple[Field, Any, Any] | None:
    """Return an expression as a quotient in a field, if it is short."""
    field.prepare(expression)
    built = field.build(expression)
    if sum(g.kind != "line" for g in field.generators) > _MOST_GENERATORS:
        return None
    above, below = field.normal(built)
    if field.side is None and not _safe_unsided(field, below):
        return None
    if len(sympy.Add.make_args(sympy.expand(above))) > _LARGEST_FORM:
        return None
    return field, above, below


def _in_tails(
    values: dict[str, float],
    side: int,
    expression: Expression,
    parts: Sequence[Region],
    starts: Sequence[str],
) -> Lines | None:
    """Write a quotient for each region, and choose among them."""
    whole: Lines | None = None
    for k, (region, start) in enumerate(zip(parts, starts, strict=True)):
        try:
            found = _quotient(TailField(values, side, region=region), expression)
        except _NO_FORM:
            return None
        form = None if found is None else _proved(*found, expression, values, region)
        if form is None:
            return None
        whole = chosen(f"x > {start}", form.renamed(f"far{k}"), whole) if whole else form
    return whole


def _proved(
    field: Field,
    above: Any,
    below: Any,
    expression: Expression,
    values: dict[str, float],
    region: Region = WHOLE,
) -> Lines | None:
    """Write a quotient that is seen to be the expression."""
    above, below = _over_whole_power(field, above, below)
    form = above / below
    if form.has(sympy.zoo, sympy.nan) or not _agrees(field, form, expression, values, region):
        return None
    return _with_tail(field, above, below)


def _worthwhile(expression: Expression) -> bool:
    return any(
        isinstance(e, Apply)
        and (
            (e.operation in (*_TRANSCENDENTAL, "sqrt") and "z" in variables_of(e))
            or (e.operation == "divide" and "z" in variables_of(e.arguments[1]))
        )
        for e in subexpressions(expression)
    )


def _safe_unsided(field: Field, below: Any) -> bool:
    kinds = {g.kind for g in field.generators}
    if not kinds:
        return True
    return kinds <= {"exp"} and not field.depends(below)


def _over_whole_power(field: Field, above: Any, below: Any) -> tuple[Any, Any]:
    """Take ``exp(-2*x)`` for the exponential where ``exp(-x)`` occurs in even powers alone."""
    known = field.exponential
    if known is None or any(g.argument.has(known.symbol) for g in field.generators):
        return above, below
    exponents = [
        monomial[0] for e in (above, below) for monomial in sympy.Poly(e, known.symbol).monoms()
    ]
    power = gcd(*exponents)
    if power < 2:
        return above, below
    symbol = sympy.Dummy("t", positive=True)
    field.exponential = Generator(symbol, "exp", power * known.argument)
    field.generators[field.generators.index(known)] = field.exponential
    root = symbol ** sympy.Rational(1, power)
    return sympy.expand(above).subs(known.symbol, root), sympy.expand(below).subs(
        known.symbol, root
    )


def _agrees(
    field: Field,
    form: Any,
    expression: Expression,
    values: dict[str, float],
    region: Region,
) -> bool:
    """Check the form against the formula in many digits; one that is not proved is not used."""
    others = {name: mpmath.mpf("0.37") for name in variables_of(expression) - {"z"}}
    compared = 0
    with mpmath.workdps(region.digits):
        for place in region.places:
            z = mpmath.mpf(place) * (field.side or 1)
            wanted = evaluate(expression, {**values, **others, "z": z})
            if not mpmath.isfinite(wanted):
                continue
            got = field.evaluate(form, z, others)
            if abs(got - wanted) > mpmath.mpf(10) ** -20 * (1 + abs(wanted)):
                return False
            compared += 1
    return compared > 1


def _with_tail(field: Field, above: Any, below: Any) -> Lines:
    """Write a quotient, and what is left of it where a power of t that it divides by is 0.

    Both parts are 0 there where all else in the numerator vanishes faster: ``exp(-2/t)/t``.
    """
    writer = FieldWriter(field)
    lines = writer.lines(above, below)
    known = field.exponential
    if known is None:
        return lines
    power = min(monomial[0] for monomial in sympy.Poly(below, known.symbol).monoms())
    if not power:
        return lines
    rate = -field.number(known.argument / field.x)
    limits = _limits(field, _NOTHING / (power * rate))
    if not limits:
        return lines
    tail = sympy.fraction(sympy.cancel(above.subs(limits) / below.subs(limits)))
    far = writer.lines(*tail)
    return chosen(f"{writer.names[known.symbol]} < 1e-{300 // power}", far, lines)


def _limits(field: Field, far: float) -> dict[Any, int]:
    """Return the generators that have all digits of a limit from x = `far` on."""
    limits = {}
    with mpmath.workdps(40):
        for g in field.generators:
            if g is field.exponential or g.kind not in ("exp", "erf", "tanh"):
                continue
            values = [field.tried(g.symbol, (field.side or 1) * far * k) for k in (1, 2, 4)]
            if g.kind == "exp" and all(value < _SMALLEST for value in values):
                limits[g.symbol] = 0
            elif g.kind in ("erf", "tanh") and all(value == values[0] for value in values):
                limits[g.symbol] = int(mpmath.sign(values[0]))
    return limits
