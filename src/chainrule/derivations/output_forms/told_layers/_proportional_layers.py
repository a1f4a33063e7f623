"""Layers of ``a_j = h(x_j) t(S)`` in which a common factor of all x passes through h and S.

Let h be strictly monotone, ``h(c x) = c**d h(x)`` and ``S(c x) = c**e S(x)`` for c > 0, and let
two layers x and y have the same outputs. Then all ``h(x_j)`` are one multiple of ``h(y_j)``, so x
is ``c y`` with one c > 0. Along the multiples of y the outputs are ``c**d t(c**e S(y))`` times
those of h: where ``r**d t(r**e)`` rises or falls strictly for r > 0, that tells c.

Here ``S >= 0``, and x is z or what is strictly monotone in it. Layers with ``S = 0`` are multiples
of one another too, and t(0) tells which; where t(0) is 0, they have to be one layer. And t may be
``max(t0, 0)``: where t0 is not above 0 outputs are 0, and so is the derivative.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from math import inf

from chainrule.derivations._graph import computation_graph
from chainrule.derivations.algebra._arithmetic import ONE, ZERO, divide, multiply, negate, rebuilt
from chainrule.derivations.output_forms._layers import (
    common_parts,
    exchanged,
    factors_apart,
)
from chainrule.derivations.output_forms.layer_forms._told_multiples import (
    homogeneous_parts,
    with_grouped_sums,
)
from chainrule.derivations.output_forms.rising._invariance import degree
from chainrule.derivations.output_forms.rising._rising_in_both import sign_from
from chainrule.derivations.output_forms.rising._rising_layers import Rising
from chainrule.formulas import (
    REDUCTIONS,
    Apply,
    Constant,
    Expression,
    Parameter,
    Variable,
    is_layer_coupled,
    subexpressions,
    substitute,
)

PROOF = (
    "{} = h(x_j) t(S) with one S for all units; a factor c > 0 of all x multiplies h and S by "
    "powers of c, and along the multiples of a layer the output rises or falls strictly"
)
_Z, _S = Variable("z"), Parameter("shared_by_the_layer")
_WHOLE = ("sum", "mean", "max")  # of nowhere negative numbers: 0 where all of them are
_WAYS = (1, -1)
_ALGEBRAIC = {"add", "subtract", "multiply", "divide", "negate", "power", "sqrt"}


def is_proportional(e: Expression, values: Mapping[str, float]) -> bool:
    """Tell whether a layer is ``h(x) t(S)`` as above."""
    numbers: dict[Expression, Expression] = {
        Parameter(name): Constant(Fraction(value)) for name, value in values.items()
    }
    e = with_grouped_sums(rebuilt(substitute(e, numbers.get)))
    return any(_tells_multiple(layer) for layer in (e, *_of_inner(e)))


def _of_inner(e: Expression) -> Iterator[Expression]:
    """Yield the formula in x, which is strictly monotone in z and all of it that is used."""
    for part in common_parts(e):
        if part != _Z and not is_layer_coupled(part) and _is_monotone(part):
            yield exchanged(e, part, _Z)


def _is_monotone(e: Expression, low: float = -inf) -> bool:
    return any(Rising({}, way).rises(e, low, strictly=True) for way in _WAYS)


def _tells_multiple(e: Expression) -> bool:
    shared = dict.fromkeys(homogeneous_parts(e))
    if len(shared) != 1:
        return False
    (common,) = shared
    parts = factors_apart(exchanged(e, common, _S), _S)
    if parts is None or not _is_nowhere_negative(common):
        return False
    own, t = parts
    match t:
        case Apply("maximum", (x, y)) if ZERO in (x, y):
            t, is_rectified = (y if x == ZERO else x), True
        case _:
            is_rectified = False
    power, times = (degree(computation_graph(part)) for part in (own, common))
    if not power or power < 0 or times is None or not _is_monotone(own):
        return False
    along = multiply(
        Apply("power", (_Z, Constant(power))),
        exchanged(t, _S, Apply("power", (_Z, Constant(times)))),
    )
    of_shared = exchanged(t, _S, _Z)
    # Where t0 rises and is above 0, ``r**d t0`` rises strictly.
    rises = is_rectified and Rising({}, 1).rises(of_shared, 0.0)
    along = rebuilt(along)
    if not (rises or _rises_by_factors(along) or _is_monotone(along, 0.0)):
        return False
    if is_rectified:
        return _vanishes_at_zero_alone(common)
    if not sign_from(of_shared, {}, 0.0, None)[1]:
        return False
    return sign_from(of_shared, {}, 0.0, 0.0)[1] or _vanishes_at_zero_alone(common)


def _rises_by_factors(e: Expression) -> bool:
    """Tell whether what is algebraic in a product, and what is not, are positive and rise."""
    algebraic, rest = _by_kind(e)
    return all(
        sign_from(part, {}, 0.0, None) == (1, True)
        and Rising({}, 1).rises(part, 0.0, strictly=True)
        for part in map(rebuilt, (algebraic, rest))
    )


def _by_kind(e: Expression) -> tuple[Expression, Expression]:
    """Return the algebraic factors of a product, and the others."""
    match e:
        case Apply("multiply" | "divide" as operation, (x, y)):
            join = multiply if operation == "multiply" else divide
            one, other = map(_by_kind, (x, y))
            return join(one[0], other[0]), join(one[1], other[1])
    parts = (part.operation for part in subexpressions(e) if isinstance(part, Apply))
    return (e, ONE) if _ALGEBRAIC.issuperset(parts) else (ONE, e)


def _is_nowhere_negative(e: Expression) -> bool:
    match e:
        case Apply(operation, (inner,)) if operation in REDUCTIONS and not is_layer_coupled(inner):
            return sign_from(inner, {}, -inf, None)[0] > 0
        case Apply("sqrt", _):
            return True
        case Apply("power", (base, Constant())):
            return _is_nowhere_negative(base)
        case Apply("subtract", (Apply("max", (x,)), Apply("min", (y,)))) if x == y:
            return True
        case Apply("add" | "multiply" | "divide" | "maximum", (x, y)):
            return all(_is_nowhere_negative(part) for part in (x, y))
        case Constant(value):
            return value >= 0
    return False


def _vanishes_at_zero_alone(e: Expression) -> bool:
    """Tell whether what units share is 0 only where all z are."""
    match e:
        case Apply("sqrt", (base,)) | Apply("power", (base, Constant())):
            return _vanishes_at_zero_alone(base)
        case Apply(operation, (inner,)) if operation in _WHOLE and not is_layer_coupled(inner):
            sides = (inner, exchanged(inner, _Z, negate(_Z)))
            return all(sign_from(side, {}, 0.0, None) == (1, True) for side in sides)
    return False
