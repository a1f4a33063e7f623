"""Layers ``a = z T`` in which the output, a multiple of the layer, tells which multiple it is.

Let T > 0 be shared by the units, and ``T(c z) = c**d T(z)`` for c > 0. Then T(a) is ``T**(d + 1)``,
which tells T. What is multiplied by a power of c as well is that power of ``1/T`` times what it
is of the output: ``max(z) = max(a)/T``.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from chainrule.derivations._graph import computation_graph
from chainrule.derivations.algebra._arithmetic import ONE, divide, multiply, power, rebuilt
from chainrule.derivations.output_forms._layers import exchanged, is_shared
from chainrule.derivations.output_forms.rising._invariance import degree
from chainrule.formulas import (
    REDUCTIONS,
    Apply,
    Expression,
    Formula,
    Variable,
    constant,
    subexpressions,
    substitute,
)

_A, _Z = Variable("a"), Variable("z")


def multiples_of_the_output(formula: Formula) -> Iterator[dict[Expression, Expression]]:
    """Yield `z`, and what the layer shares, in the output; not proved.

    Examples
    --------
    >>> from chainrule.formulas import parse, to_text
    >>> (found,) = multiples_of_the_output(parse("z*(max(z) - min(z))"))
    >>> [(to_text(left), to_text(right)) for left, right in found.items()][-1]
    ('z', 'a/sqrt(max(a) - min(a))')
    """
    times = _times(formula.expression)
    own = _degree(times) if is_shared(times) else None
    if own is None or own == -1:
        return
    of_output, exponent = exchanged(times, _Z, _A), 1 / (1 + own)
    found: dict[Expression, Expression] = {}
    for e in filter(is_shared, subexpressions(formula.expression)):
        known = _degree(e)
        if known is not None:
            found[e] = _divided(exchanged(e, _Z, _A), of_output, known * exponent)
    found[times] = _divided(ONE, of_output, -exponent)
    yield {**found, _Z: _divided(_A, of_output, exponent)}


def _times(e: Expression) -> Expression:
    """Return what a unit of 1 gives out, whatever the layer shares."""
    own = substitute(e, lambda part: part if _is_reduction(part) else ONE if part == _Z else None)
    return rebuilt(own)


def _is_reduction(e: Expression) -> bool:
    return isinstance(e, Apply) and e.operation in REDUCTIONS


def _degree(e: Expression) -> Fraction | None:
    return degree(computation_graph(e))


def _divided(e: Expression, base: Expression, exponent: Fraction) -> Expression:
    """Return ``e/base**exponent`` for a positive base."""
    match base:
        case Apply("divide", (x, y)) if x == ONE:
            return _divided(e, y, -exponent)
        case Apply("sqrt", (x,)):
            return _divided(e, x, exponent / 2)
    root = abs(exponent) == Fraction(1, 2)
    factor = Apply("sqrt", (base,)) if root else power(base, constant(abs(exponent)))
    return multiply(e, factor) if exponent < 0 else divide(e, factor)
