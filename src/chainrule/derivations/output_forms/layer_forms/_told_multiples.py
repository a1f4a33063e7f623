"""Layers ``a = z t(T)``, where a factor of all z multiplies T by a power of it: what a tells of T.

With ``T(c z) = c**d T(z)`` the output has ``T(a) = t(T)**d T``: where that can be solved for T it
tells what the layer shares, and ``z = a/t(T)``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

import sympy

from chainrule.derivations._graph import computation_graph
from chainrule.derivations.algebra._arithmetic import (
    add,
    divide,
    fraction_of,
    multiply,
    negate,
    power,
    rebuilt,
    size,
    subtract,
    terms_of,
    total,
    written_length,
)
from chainrule.derivations.algebra._sympy import Translation
from chainrule.derivations.layers._vector_jacobian import backward_graph
from chainrule.derivations.output_forms._inverses import inverted
from chainrule.derivations.output_forms._layers import (
    exchanged,
    factors_apart,
    is_shared,
    layers_of,
)
from chainrule.derivations.output_forms.layer_forms._compared_outputs import with_conditions
from chainrule.derivations.output_forms.layer_forms._put_in import put_in
from chainrule.derivations.output_forms.rising._invariance import degree
from chainrule.formulas import (
    Apply,
    Expression,
    Formula,
    Parameter,
    Variable,
    constant,
    subexpressions,
    substitute,
    variables_of,
)

_A, _Z = Variable("a"), Variable("z")
_T, TOLD = Parameter("shared_by_the_layer"), Parameter("told_by_the_layer")
_MOST_LAYERS = 6


def told_multiples(
    e: Expression, values: Mapping[str, float]
) -> Iterator[tuple[Expression, dict[Expression, Expression], Expression]]:
    """Yield a layer with its sums grouped, what the output may tell of it, and T(a); not proved.

    In what is told `TOLD` stands for T(a).

    Examples
    --------
    >>> from chainrule.formulas import parse, to_text
    >>> ((_, told, of_output), *_) = told_multiples(parse("z/(1 + max(z) - min(z))").expression, {})
    >>> to_text(told[parse("max(z) - min(z)").expression]), to_text(told[parse("z").expression])
    ('told_by_the_layer/(1 - told_by_the_layer)', 'a/(1 - told_by_the_layer)')
    >>> to_text(of_output)
    'max(a) - min(a)'
    """
    grouped = with_grouped_sums(rebuilt(e))
    shared = dict.fromkeys(homogeneous_parts(grouped))
    if len(shared) != 1:
        return
    (common,) = map(_without_power, shared)
    parts = factors_apart(exchanged(grouped, common, _T), _T)
    times = degree(computation_graph(common))
    if parts is None or parts[0] != _Z or times is None:
        return
    t = exchanged(parts[1], _T, _Z)
    layers = layers_of(rebuilt(multiply(_Z, power(t, constant(times)))), values)
    if len(layers) > _MOST_LAYERS:
        return
    shared_parts = [
        (e, named)
        for e in dict.fromkeys(subexpressions(grouped))
        for named in (exchanged(e, common, _T),)
        if _T in subexpressions(named) and "z" not in variables_of(named)
    ]
    for inverse in dict.fromkeys(map(_without_size, inverted(layers, values))):
        told: dict[Expression, Expression] = {_A: TOLD}
        put: dict[Expression, Expression] = {_T: substitute(inverse, told.get)}
        known = {e: _as_fraction(substitute(named, put.get)) for e, named in shared_parts}
        above, below = fraction_of(_as_fraction(substitute(parts[1], put.get)))
        known[_Z] = divide(multiply(_A, below), above)
        yield grouped, known, exchanged(common, _Z, _A)


def _as_fraction(e: Expression) -> Expression:
    """Return an expression with one fraction under each root, and outside; no longer than it."""
    translation = Translation()

    def joined(part: Any) -> Any:
        above, below = sympy.fraction(sympy.factor(sympy.together(part.base)))
        if above.could_extract_minus_sign():
            above, below = -above, -below
        return above**part.exp / sympy.expand(below) ** part.exp

    whole = translation.to_sympy(e).replace(lambda part: part.is_Pow, joined)
    short = sympy.factor(sympy.together(whole)).replace(
        lambda part: part.is_Pow and not part.exp.is_Integer,
        lambda part: sympy.expand(part.base) ** part.exp,
    )
    written = translation.to_expression(short)
    return min(written, e, key=written_length)


def _without_size(e: Expression) -> Expression:
    """Take what is the same of layer and output for positive: ``abs(max(a) - min(a))``."""
    return substitute(e, lambda part: _A if part == Apply("abs", (_A,)) else None)


def forms_of_multiples(formula: Formula) -> Iterator[tuple[Expression, Expression]]:
    """Yield forms of a layer that is z times what its multiples tell, and T(a); not proved."""
    for layer, told, of_output in told_multiples(formula.expression, dict(formula.parameters)):
        product = backward_graph(computation_graph(layer), guards_roots=False)[0].expression()
        ways = dict.fromkeys(put_in(way, told) for way in with_conditions((product,)))
        forms = sorted((way for way in ways if "z" not in variables_of(way)), key=size)
        yield from ((form, of_output) for form in forms)


def with_grouped_sums(e: Expression) -> Expression:
    """Return an expression with summands together that a factor of all z multiplies alike.

    ``1 + max(z) - min(z) -> 1 + (max(z) - min(z))``.
    """
    if not isinstance(e, Apply):
        return e
    e = Apply(e.operation, tuple(map(with_grouped_sums, e.arguments)))
    terms = list(terms_of(e))
    groups: dict[Fraction, list[Expression]] = {}
    for term in terms:
        power_of = _power_of(term)
        if power_of is not None:
            groups.setdefault(power_of, []).append(term)
    several = [group for group in groups.values() if 1 < len(group) < len(terms)]
    if len(several) != 1:
        return e
    (group,) = several
    rest = total(term for term in terms if term not in group)
    opposite = [negate(term) for term in group]
    if all(isinstance(term, Apply) and term.operation == "negate" for term in group):
        return subtract(rest, total(opposite))
    return add(rest, total(group))


def with_flat_sums(e: Expression) -> Expression:
    """``1 - (x + y) -> 1 - x - y``."""
    if not isinstance(e, Apply):
        return e
    e = Apply(e.operation, tuple(map(with_flat_sums, e.arguments)))
    return total(terms_of(e)) if e.operation in ("add", "subtract") else e


def homogeneous_parts(e: Expression) -> Iterator[Expression]:
    """Yield the largest shared parts that a factor of all z multiplies by a power of it."""
    is_negated = isinstance(e, Apply) and e.operation == "negate"
    if _power_of(e) is not None and not is_negated:
        yield e
    elif isinstance(e, Apply):
        for part in e.arguments:
            yield from homogeneous_parts(part)


def _without_power(e: Expression) -> Expression:
    match e:
        case Apply("power", (base, _)):
            return base
    return e


def _power_of(e: Expression) -> Fraction | None:
    found = degree(computation_graph(e)) if is_shared(e) else None
    return found if found is not None and found > 0 else None
