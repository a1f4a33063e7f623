"""Numbers of units for which a form of layers divides by 0, as by ``k - count()``."""

from __future__ import annotations

from collections.abc import Mapping

from chainrule.derivations._graph import UNIT_COUNT
from chainrule.derivations.output_forms._layers import exchanged
from chainrule.derivations.output_forms.rising._rising_layers import NEGLIGIBLE, number_of
from chainrule.formulas import Apply, Expression, constant, subexpressions, variables_of

_LARGEST = 512


def excluded_counts(form: Expression, values: Mapping[str, float]) -> tuple[int, ...]:
    """Return the numbers of units for which a form has no value, whatever the layer.

    Examples
    --------
    >>> from chainrule.derivations.algebra._arithmetic import divide, subtract
    >>> from chainrule.formulas import Variable
    >>> excluded_counts(divide(Variable("g"), subtract(constant(7), UNIT_COUNT)), {})
    (7,)
    """
    divisors = {
        e.arguments[1]
        for e in subexpressions(form)
        if isinstance(e, Apply) and e.operation == "divide"
    }
    of_count = [e for e in divisors if UNIT_COUNT in subexpressions(e) and not variables_of(e)]
    return tuple(
        units
        for units in range(1, _LARGEST + 1 if of_count else 1)
        if any(
            abs(number_of(exchanged(e, UNIT_COUNT, constant(units)), values)) < NEGLIGIBLE
            for e in of_count
        )
    )
