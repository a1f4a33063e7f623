"""Where an exponential of a line passes 1 away from 0: ``exp(1)*t - 1`` is ``expm1(1 - x)``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sympy

from chainrule.derivations import Field


def crossing(field: Field, base: Any, numbers: Mapping[Any, Any]) -> tuple[Any, Any] | None:
    """Return a and u of a sum ``a*(exp(u) - 1)`` whose zero lies inside the field's x.

    At the zero the constant would be rounded, and all digits be lost.

    Parameters
    ----------
    field : Field
    base : sympy.Expr
        A polynomial in the generators.
    numbers : mapping
        What symbols in it stand for.
    """
    for g in field.generators:
        if g.kind != "exp" or not base.has(g.symbol) or not g.argument.is_polynomial(field.x):
            continue
        terms = sympy.Poly(base, g.symbol).terms()
        if len(terms) != 2 or terms[1][0] != (0,):
            return None
        ((power,), times), (_, rest) = terms
        root, start = (-times / rest).subs(numbers).as_base_exp()
        if root != sympy.E or not _is_constant(field, start) or not _is_constant(field, rest):
            return None
        if field.side is not None and field.number(start) <= 0:
            return None
        return -rest, power * g.argument + start
    return None


def _is_constant(field: Field, e: Any) -> bool:
    return not e.free_symbols & {field.x, *(g.symbol for g in field.generators)}
