"""Layers whose output determines their derivative, whether a formula says so or not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from chainrule.derivations._algebra import attempt
from chainrule.derivations._arithmetic import rebuilt
from chainrule.derivations._remembered import remembered
from chainrule.derivations.output_forms._rising_layers import (
    NEGLIGIBLE,
    Rising,
    number_of,
)
from chainrule.derivations.output_forms._rising_layers import PROOF as RISING
from chainrule.derivations.output_forms._shared_terms import PROOF as SHARED
from chainrule.derivations.output_forms._shared_terms import is_moved_less
from chainrule.formulas import Apply, Constant, Expression, Formula, is_layer_coupled, variables_of

_SECONDS = 0.5
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
    a_j = h(z_j) + t with one t for all units, and t falls by less than h rises
    >>> why_determined(parse("z/(1 + sum(z**2))"))
    ''
    """
    values = dict(formula.parameters)

    def sought() -> str:
        sums = list(_without_outer(rebuilt(formula.expression), values))
        ways = [(e, Rising(values, sign)) for e in sums for sign in (1, -1)]
        if any(rising.holds(e) for e, rising in ways):
            return RISING
        return SHARED if any(is_moved_less(e, rising) for e, rising in ways) else ""

    return attempt(_SECONDS, sought, "")


def _without_outer(e: Expression, values: Mapping[str, float]) -> Iterator[Expression]:
    """Yield an expression, and what remains of it without its outermost invertible functions."""
    while is_layer_coupled(e):
        yield e
        match e:
            case Apply(operation, (inner,)) if operation in _ONE_TO_ONE:
                e = inner
            case Apply("power", (inner, Constant(exponent))) if _is_odd(exponent):
                e = inner
            case Apply("add" | "subtract" | "multiply" | "divide" as operation, (x, y)):
                free = [part for part in (x, y) if "z" not in variables_of(part)]
                is_factor = operation in ("multiply", "divide")
                if len(free) != 1 or (is_factor and abs(number_of(free[0], values)) < NEGLIGIBLE):
                    return
                e = y if free[0] == x else x
            case _:
                return


def _is_odd(exponent: Any) -> bool:
    return bool(exponent.denominator == 1 and exponent.numerator % 2 == 1 and exponent > 0)
