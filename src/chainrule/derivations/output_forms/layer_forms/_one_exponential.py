"""Layers of several exponentials of which all are powers of one: ``exp(-z)`` is ``1/exp(z)``."""

from __future__ import annotations

import sympy

from chainrule.derivations.algebra._arithmetic import ONE, divide, power
from chainrule.derivations.algebra._sympy import Translation
from chainrule.formulas import Apply, Expression, constant, subexpressions, substitute, variables_of


def common_exponential(e: Expression) -> Expression | None:
    """Return the exponential of which all others are powers; None if there are no others.

    Examples
    --------
    >>> from chainrule.formulas import parse, to_text
    >>> to_text(common_exponential(parse("exp(z/2)/sum(exp(-z/2) + exp(z))").expression))
    'exp(z/2)'
    """
    exponentials = list(dict.fromkeys(filter(_is_exponential, subexpressions(e))))
    for one in exponentials if len(exponentials) > 1 else ():
        if all(_in_one(other, one) is not None for other in exponentials):
            return one
    return None


def in_powers(e: Expression, one: Expression) -> Expression:
    """Return an expression with powers of one exponential for those that are some.

    Examples
    --------
    >>> from chainrule.formulas import parse, to_text
    >>> layer = parse("exp(z/2)/sum(exp(-z/2) + exp(z))").expression
    >>> to_text(in_powers(layer, parse("exp(z/2)").expression))
    'exp(z/2)/sum(1/exp(z/2) + exp(z/2)**2)'
    """
    return substitute(e, lambda part: _in_one(part, one) if _is_exponential(part) else None)


def _is_exponential(e: Expression) -> bool:
    return isinstance(e, Apply) and e.operation == "exp" and "z" in variables_of(e)


def _in_one(e: Expression, one: Expression) -> Expression | None:
    """Return an exponential as a power of another one; None if it is no whole power."""
    assert isinstance(e, Apply)
    assert isinstance(one, Apply)
    translation = Translation()
    exponent, unit = (translation.to_sympy(x.arguments[0]) for x in (e, one))
    times = sympy.cancel(exponent / unit)
    if not times.is_Integer:
        return None
    whole = power(one, constant(abs(int(times))))
    return divide(ONE, whole) if times < 0 else whole
