"""The shortest of a few ways to write any expression, within a time limit."""

from __future__ import annotations

import sympy

from chainrule.derivations.algebra._arithmetic import LARGEST_DENOMINATOR, written_length
from chainrule.derivations.algebra._sympy import FAILURES, Translation
from chainrule.derivations.limits_in_time._remembered import remembered
from chainrule.derivations.limits_in_time._time_limit import time_limit
from chainrule.derivations.output_forms.shortening._shortening import shortest
from chainrule.formulas import (
    Apply,
    Constant,
    Expression,
    Variable,
    subexpressions,
    substitute,
)

_SECONDS = 0.8


@remembered
def simplified(expression: Expression) -> Expression:
    """Return the shortest of a few ways to write an expression; unchanged if time runs out."""
    translation = Translation(names_long_numbers=True)
    # As a fraction 1.702 would become 851 over 500, in every product anew.
    decimals: dict[Expression, Expression] = {
        e: Variable(f"decimal{k}")
        for k, e in enumerate(sorted(filter(_is_decimal, set(subexpressions(expression))), key=str))
    }
    numbers = {symbol: e for e, symbol in decimals.items()}
    try:
        with time_limit(_SECONDS):
            plain = translation.to_sympy(substitute(expression, decimals.get))
            short = shortest(sympy.together(plain), translation)
            logarithms: dict[Expression, Expression] = {
                translation.to_expression(translation.to_sympy(e)): e
                for e in subexpressions(expression)
                if isinstance(e, Apply) and e.operation == "log1p"
            }
            written = substitute(substitute(short, logarithms.get), numbers.get)
    except FAILURES:
        return expression
    return min(written, expression, key=written_length)


def _is_decimal(e: Expression) -> bool:
    return isinstance(e, Constant) and e.value.denominator > LARGEST_DENOMINATOR
