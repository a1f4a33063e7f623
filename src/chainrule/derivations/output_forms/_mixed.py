"""Forms through output and pre-activation: a part of which the output is a linear function.

For ``a = z*tanh(u)`` the part ``tanh(u)`` is ``a/z``, and its slope ``1 - tanh(u)**2`` as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import sympy

from chainrule.derivations.algebra._arithmetic import size
from chainrule.derivations.algebra._sympy import Translation
from chainrule.derivations.output_forms._candidates import OUTPUT, Candidate
from chainrule.derivations.output_forms._composition import Chain
from chainrule.derivations.output_forms._elimination import Elimination
from chainrule.derivations.output_forms._layers import exchanged
from chainrule.derivations.output_forms._places import Place, places_at
from chainrule.derivations.output_forms.shortening._shortening import shortest
from chainrule.derivations.pieces._pieces import Piece, differentiate
from chainrule.formulas import Apply, Expression, Parameter, Variable, subexpressions, variables_of

_PART, _Z = Variable("h"), Variable("z")
_ARITHMETIC = ("add", "subtract", "multiply", "negate")
_MOST = 8  # parts that are tried
_SHORT = 40  # operations of a form that is looked at whatever the derivative's length is


def mixed_forms(piece: Piece, values: dict[str, float], places: list[Place]) -> Iterator[Candidate]:
    """Yield forms in a and z."""
    yield from _through_parts(piece, values, places)
    yield from Elimination(piece, values, places).mixed()


def _through_parts(
    piece: Piece, values: dict[str, float], places: list[Place]
) -> Iterator[Candidate]:
    translation = Translation()
    for name, value in values.items():
        translation.symbol(Parameter(name), positive=True if value > 0 else None)
    a, h, z = (translation.symbol(x) for x in (OUTPUT, _PART, _Z))
    for part in islice(_parts(piece.expression), _MOST):
        whole = translation.to_sympy(exchanged(piece.expression, part, _PART))
        if not whole.is_polynomial(h) or sympy.degree(whole, h) != 1:
            continue
        linear, rest = sympy.Poly(whole, h).all_coeffs()
        solved = (a - rest) / linear
        for slope in _slopes(part, values, places, translation):
            derivative = sympy.diff(whole, z) + linear * slope
            written = derivative.subs(h, solved)
            if sympy.count_ops(written) > max(_SHORT, 0.5 * size(piece.derivative)):
                continue  # no algebra makes that a shorter form
            yield Candidate(shortest(written, translation, places, values), is_identity=False)


def _parts(expression: Expression) -> Iterator[Expression]:
    for part in dict.fromkeys(subexpressions(expression)):
        is_function = isinstance(part, Apply) and part.operation not in _ARITHMETIC
        if part != expression and is_function and "z" in variables_of(part):
            yield part


def _slopes(
    part: Expression, values: dict[str, float], places: list[Place], translation: Translation
) -> Iterator[Any]:
    """Yield the slope of a part in its own value h, and else in z."""
    own = Piece(part, differentiate(part))
    yield translation.to_sympy(exchanged(own.derivative, part, _PART))
    chain = Chain(own, values, places_at(own, values, [p.z for p in places]))
    for slope in islice(chain.derivatives(0, chain.a), 1):
        symbols = {s: translation.symbol(e) for s, e in chain.translation.meaning.items()}
        yield slope.subs({**symbols, chain.a: translation.symbol(_PART)}, simultaneous=True)
