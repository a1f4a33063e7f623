"""Layers of ``a_j = H(x_j, T)`` told by their units' shares of T, a sum, mean or extreme of |x|**p.

Here x is z, or an exponential of it. Let ``T = r**p`` and ``x_j = r v_j``: what T is of the shares
v is 1 in any layer, so that a sum or an extreme has no share above 1. Let ``H(r v, r**p)`` have the
sign of v and rise strictly in size with |v|, and in size rise, or fall, strictly with r. Where two
layers have the same outputs and r is more in one of them all its shares are less, or all are more;
but then their T is not 1. So r is the same, and with it the layer. Where r is 0 all x are.

Signs are those of coefficients: a share ``v = 1/(1 + s)`` and r leave a polynomial in positive
numbers, of which exponentials are some.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

import sympy

from chainrule.derivations._graph import computation_graph
from chainrule.derivations.algebra._arithmetic import negate, rebuilt
from chainrule.derivations.algebra._sympy import Translation
from chainrule.derivations.output_forms._layers import exchanged
from chainrule.derivations.output_forms.rising._invariance import is_even
from chainrule.derivations.output_forms.rising._named_total import TOTAL, with_total_named
from chainrule.derivations.pieces._pieces import differentiate
from chainrule.formulas import (
    Apply,
    Constant,
    Expression,
    Parameter,
    Variable,
    subexpressions,
    substitute,
    variables_of,
)

PROOF = (
    "{} = H(x_j, T) with one T for all units, and at a larger T the outputs would ask for smaller "
    "shares of it, or for larger ones, of all units"
)
_Z = Variable("z")
_BOUNDED, _TOTALS = ("sum", "max"), ("sum", "mean", "max")
_X, _T, _SHARE, _ROOT, _REST = sympy.symbols("x T v r s", positive=True)


def is_told_by_shares(e: Expression, values: Mapping[str, float]) -> bool:
    """Tell whether a layer is ``H(x, T)`` as above."""
    numbers: dict[Expression, Expression] = {
        Parameter(name): Constant(Fraction(value)) for name, value in values.items()
    }
    parts = with_total_named(rebuilt(substitute(e, numbers.get)))
    if parts is None or parts[1].operation not in _TOTALS:
        return False
    named, total = parts
    share = 1 / (1 + _REST) if total.operation in _BOUNDED else _REST
    return any(_is_told(*way, share) for way in _ways(named, total.arguments[0]))


def _ways(named: Expression, inner: Expression) -> Iterator[tuple[list[Any], Any]]:
    """Yield H over x > 0, and the size of H over x < 0, with what T is of."""
    if is_even(computation_graph(inner)):
        mirrored = negate(exchanged(named, _Z, negate(_Z)))
        yield [_in(side, _X) for side in (named, mirrored)], _in(inner, _X)
    for rate in dict.fromkeys((*_rates(inner), *_rates(named))):
        z = sympy.log(_X) / Translation().to_sympy(rate)
        yield [_in(named, z)], _in(inner, z)


def _rates(e: Expression) -> Iterator[Expression]:
    for part in subexpressions(e):
        match part:
            case Apply("exp", (inner,)) if not variables_of(rate := differentiate(inner)):
                yield rate


def _in(e: Expression, z: Any) -> Any:
    """Return an expression with a value for z, which is its size."""
    sizes: dict[Expression, Expression] = {Apply("abs", (way,)): _Z for way in (_Z, negate(_Z))}
    translation = Translation()
    put = {translation.symbol(_Z): z, translation.symbol(TOTAL): _T}
    return sympy.expand_power_exp(translation.to_sympy(substitute(e, sizes.get)).subs(put))


def _is_told(sides: list[Any], inner: Any, share: Any) -> bool:
    base, power = inner.as_base_exp()
    if base != _X or not power.is_Rational or power < 0:
        return False
    whole = [side.subs({_X: _SHARE * _ROOT, _T: _ROOT**power}) for side in sides]
    if any(_sign(side, share) != 1 for side in whole):
        return False
    along, across = (
        {_sign(sympy.diff(side, x) / side, share) for side in whole} for x in (_SHARE, _ROOT)
    )
    return along == {1} and across in ({1}, {-1})


def _sign(e: Any, share: Any) -> int:
    """Return the sign of an expression in shares and r, if all coefficients tell it, else 0."""
    named: dict[Any, Any] = {}
    e = e.replace(sympy.exp, lambda x: named.setdefault(x, sympy.Dummy(positive=True)))
    sign = 1
    for part in sympy.fraction(sympy.factor(sympy.together(e.subs(_SHARE, share)))):
        generators = part.free_symbols
        if not (generators <= {_REST, _ROOT, *named.values()} and part.is_polynomial(*generators)):
            return 0
        coefficients = sympy.Poly(part, *generators, sympy.Dummy()).coeffs()
        signs = {int(sympy.sign(c)) for c in coefficients}
        if len(signs) != 1:
            return 0
        sign *= signs.pop()
    return sign
