"""What a layer of clamped units shares, and the units, in the output: to be checked.

Where no unit is at a bound the layer is the one without bounds, whose output may tell T. And
whatever the units are, no ``a_j - T`` is beyond the bounds of ``a_j = h(z_j) + T``, nor ``a_j/T``
beyond those of ``a_j = h(z_j)*T``, while a unit at a bound is there. So T is kept between numbers
as well: ``max(sqrt(mean(abs(a))), max(abs(a)))`` in ``min(max(z, -1), 1)*mean(abs(z))``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product

import mpmath
import sympy

from chainrule.derivations._graph import computation_graph
from chainrule.derivations.algebra._arithmetic import add, divide, negate, rebuilt, subtract
from chainrule.derivations.algebra._sympy import Translation
from chainrule.derivations.output_forms._layers import exchanged
from chainrule.derivations.output_forms.layer_forms._kept_values import determined
from chainrule.derivations.output_forms.layer_forms._multiples import multiples_of_the_output
from chainrule.derivations.output_forms.rising._named_total import TOTAL, with_total_named
from chainrule.derivations.output_forms.rising._rising_layers import number_of
from chainrule.formulas import (
    COMPARISONS,
    Apply,
    Expression,
    Formula,
    Parameter,
    Variable,
    constant,
    subexpressions,
    variables_of,
)

_A, _Z, _UNIT = Variable("a"), Variable("z"), Parameter("clamped_unit")


@dataclass(frozen=True)
class Clamped:
    """A unit that is kept between numbers, as ``max`` and ``min`` do one in another.

    Parameters
    ----------
    low, high : Expression or None
        The bounds, where there are any.
    """

    low: Expression | None
    high: Expression | None


def clamped(e: Expression) -> Clamped | None:
    """Return the bounds of ``min(max(z, low), high)``; None for other expressions."""
    if e == _Z:
        return Clamped(None, None)
    match e:
        case Apply("maximum" | "minimum" as operation, (x, y)) if not (
            variables_of(x) and variables_of(y)
        ):
            bound, inner = (y, x) if variables_of(x) else (x, y)
            found = clamped(inner)
            if found is not None:
                side = "low" if operation == "maximum" else "high"
                return replace(found, **{side: bound})
    return None


def clamped_values(formula: Formula) -> Iterator[dict[Expression, Expression]]:
    """Yield `z` as far as bounds leave it, the clamped unit, and what the layer shares.

    Examples
    --------
    >>> from chainrule.formulas import parse, to_text
    >>> found = next(clamped_values(parse("max(z, 0) + mean(z)")))
    >>> to_text(found[parse("mean(z)").expression])
    'min(sum(a)/(2*count()), min(a))'
    """
    values = dict(formula.parameters)
    for part in dict.fromkeys(subexpressions(formula.expression)):
        bounds = None if part == _Z else clamped(part)
        named = with_total_named(exchanged(formula.expression, part, _UNIT))
        if bounds is None or named is None or "z" in variables_of(named[0]):
            continue
        total = exchanged(named[1], _UNIT, part)
        is_factor = _is_factor(named[0])
        if is_factor is None:
            continue
        free = replace(formula, expression=rebuilt(exchanged(formula.expression, part, _Z)))
        told = dict(determined(free, computation_graph(free.expression)))
        for known in (told, *multiples_of_the_output(free)):
            value = known.get(exchanged(total, part, _Z))
            if value is not None and "z" not in variables_of(value):
                kept = _kept(value, bounds, values, is_factor=is_factor)
                unit = divide(_A, kept) if is_factor else subtract(_A, kept)
                compared = _compared(part, bounds, kept, values, is_factor=is_factor)
                yield {**dict(compared), total: kept, part: unit, _Z: unit}


def _is_factor(layer: Expression) -> bool | None:
    """Tell ``unit*T`` from ``unit + T``; None for what is neither."""
    translation = Translation()
    unit, shared = (translation.symbol(x) for x in (_UNIT, TOTAL))
    written = translation.to_sympy(layer)
    ways = {unit * shared: True, unit + shared: False}
    return next((way for e, way in ways.items() if sympy.expand(written - e) == 0), None)


def _compared(
    unit: Expression,
    bounds: Clamped,
    shared: Expression,
    values: Mapping[str, float],
    *,
    is_factor: bool,
) -> Iterator[tuple[Expression, Expression]]:
    """Yield comparisons of a unit with its bounds, and of what T would be at the bound with T.

    T itself is computed so at a bound: rounding does not tell one from the other.
    """
    inner = [x for x in subexpressions(unit) if variables_of(x) and x != unit]
    for bound in (bounds.low, bounds.high):
        if bound is None:
            continue
        side = mpmath.sign(number_of(bound, values)) if is_factor else 1
        there: Expression = _A if side == 0 else _without(bound, _A, is_factor=is_factor)
        threshold = bound if side == 0 else shared
        sides = (there, threshold) if side >= 0 else (threshold, there)
        for operation, x in product(COMPARISONS, inner):
            yield Apply(operation, (x, bound)), Apply(operation, sides)
            yield Apply(operation, (bound, x)), Apply(operation, sides[::-1])


def _kept(
    value: Expression, bounds: Clamped, values: Mapping[str, float], *, is_factor: bool
) -> Expression:
    """Keep what is shared where no unit is beyond its bounds."""
    low, high = bounds.low, bounds.high
    largest, smallest = Apply("max", (_A,)), Apply("min", (_A,))
    is_even = low is not None and high is not None and number_of(add(low, high), values) == 0
    if is_factor and is_even:
        largest, low = Apply("max", (Apply("abs", (_A,)),)), None
    for bound, extreme, is_high in ((high, largest, True), (low, smallest, False)):
        if bound is None or (is_factor and (number_of(bound, values) > 0) != is_high):
            continue
        at_bound = _without(bound, extreme, is_factor=is_factor)
        operation = "maximum" if is_high or is_factor else "minimum"
        value = Apply(operation, (value, at_bound))
    return value


def _without(bound: Expression, output: Expression, *, is_factor: bool) -> Expression:
    """Return what is shared where a unit at a bound has an output."""
    if is_factor and bound == constant(-1):
        return negate(output)
    return rebuilt((divide if is_factor else subtract)(output, bound))
