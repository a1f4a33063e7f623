"""Layers with one reduction T over the units: what in them depends on z, and what on T."""

from __future__ import annotations

from collections.abc import Iterator

import sympy

from chainrule.derivations.algebra._arithmetic import ZERO, add, multiply
from chainrule.derivations.algebra._sympy import Translation
from chainrule.derivations.output_forms._layers import exchanged, factors_apart
from chainrule.derivations.output_forms.rising._rising_layers import terms_of
from chainrule.formulas import (
    REDUCTIONS,
    Apply,
    Expression,
    Parameter,
    is_layer_coupled,
    subexpressions,
    variables_of,
)

TOTAL = Parameter("shared_by_the_layer")


def with_total_named(e: Expression) -> tuple[Expression, Apply] | None:
    """Return a layer with a name for the one reduction that it has, and that; None if it has more.

    The name is `TOTAL`.
    """
    shared = {
        part
        for part in subexpressions(e)
        if isinstance(part, Apply) and part.operation in REDUCTIONS and "z" in variables_of(part)
    }
    if len(shared) != 1:
        return None
    (total,) = shared
    named = exchanged(e, total, TOTAL)
    is_plain = not is_layer_coupled(total.arguments[0]) and not is_layer_coupled(named)
    return (named, total) if is_plain else None


def separated(e: Expression) -> Iterator[tuple[Expression, Expression, bool]]:
    """Yield what depends on z alone and what on T alone, that add or multiply to an expression."""
    own: Expression = ZERO
    common: Expression = ZERO
    for term in (multiply(*parts) for parts in terms_of(e)):
        if TOTAL not in subexpressions(term):
            own = add(own, term)
        elif "z" not in variables_of(term):
            common = add(common, term)
        else:
            break
    else:
        yield own, common, False
    parts = factors_apart(e, TOTAL)
    if parts is not None:
        yield *parts, True


def is_nothing(e: Expression) -> bool:
    """Tell whether all terms of an expression cancel."""
    return bool(sympy.expand(Translation().to_sympy(e)) == 0)
