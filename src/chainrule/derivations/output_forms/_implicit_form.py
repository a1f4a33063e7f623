"""An equation between output and slope, P(a, d) = 0, and which of its roots the slope is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import mpmath
import sympy

from chainrule.derivations._evaluate import evaluate
from chainrule.derivations.algebra._sympy import Translation
from chainrule.derivations.output_forms._candidates import SLOPE, Relation
from chainrule.derivations.output_forms._places import (
    DIGITS,
    NEGLIGIBLE,
    WORKING_DIGITS,
    Place,
)
from chainrule.formulas import Expression

_ROOT_DIGITS = 60
_FAR = 20  # where the slope has all but vanished its root is not told from others
_FEWEST = 5
_ORDINALS = ("", "second ", "third ", "fourth ", "fifth ", "sixth ")


@dataclass(frozen=True)
class ImplicitForm:
    """An equation for the slope in the output, which no formula of the language solves shortly.

    Parameters
    ----------
    polynomial : Expression
        P(a, d), a polynomial in ``d`` that is 0 where d = ∂a/∂z.
    branch : str
        Which of its roots ∂a/∂z is, such as ``the largest real root``.
    proof : str
        How both are known.
    """

    polynomial: Expression
    branch: str
    proof: str


def implicit_form(
    relation: Relation, places: list[Place], values: Mapping[str, float]
) -> ImplicitForm | None:
    """Return an equation for the slope if it holds and one description of the root always fits."""
    coefficients = _coefficients(relation.polynomial)
    positions = []
    count = 0
    for place in places:
        with mpmath.workdps(WORKING_DIGITS):
            numbers = [evaluate(c, {**values, "a": place.output}) for c in coefficients]
            if not all(mpmath.isfinite(x) for x in numbers):
                continue
            terms = [x * place.slope**k for k, x in enumerate(reversed(numbers))]
            if not any(abs(term) > NEGLIGIBLE for term in terms):
                continue
            if abs(mpmath.fsum(terms)) > mpmath.mpf(10) ** -DIGITS * max(map(abs, terms)):
                return None
            count += 1
        if abs(place.z) <= _FAR:
            position = _position(numbers, place.slope)
            positions += [position] if position else []
    branch = _description(positions)
    if branch is None or count < _FEWEST:
        return None
    proof = f"checked to {DIGITS} digits at {count} places"
    return ImplicitForm(relation.polynomial, branch, proof)


def _coefficients(polynomial: Expression) -> list[Expression]:
    translation = Translation()
    d = translation.symbol(SLOPE)
    written = sympy.Poly(translation.to_sympy(polynomial), d)
    return [translation.to_expression(c) for c in written.all_coeffs()]


@dataclass(frozen=True)
class _Position:
    """How many real roots lie above and below the slope: all of them, and those of its sign."""

    above: int
    below: int
    sign: int
    outward: int
    inward: int


def _position(coefficients: list[Any], slope: Any) -> _Position | None:
    with mpmath.workdps(_ROOT_DIGITS):
        try:
            roots = mpmath.polyroots(coefficients, maxsteps=200, extraprec=200)
        except (mpmath.libmp.NoConvergence, ZeroDivisionError, ValueError):
            return None
        scale = max(abs(slope), mpmath.mpf(10) ** -30)
        near = [r for r in roots if abs(r - slope) < scale * mpmath.mpf(10) ** -20]
        if len(near) != 1:
            return None
        others = [
            mpmath.re(r)
            for r in roots
            if r is not near[0] and abs(mpmath.im(r)) < mpmath.mpf(10) ** -25 * (1 + abs(r))
        ]
        sign = int(mpmath.sign(slope))
        same = [r for r in others if r * sign > 0]
        return _Position(
            above=sum(r > slope for r in others),
            below=sum(r < slope for r in others),
            sign=sign,
            outward=sum(abs(r) > abs(slope) for r in same),
            inward=sum(abs(r) < abs(slope) for r in same),
        )


def _description(positions: list[_Position]) -> str | None:
    """Return a description of the root that fits at all places."""
    if len(positions) < _FEWEST:
        return None
    above, below = ({p.above for p in positions}, {p.below for p in positions})
    signs = {p.sign for p in positions}
    outward, inward = ({p.outward for p in positions}, {p.inward for p in positions})
    if above == below == {0}:
        return "the only real root"
    kind = {frozenset({1}): "positive", frozenset({-1}): "negative"}.get(frozenset(signs))
    if kind and outward == inward == {0}:
        return f"the only {kind} root"
    for counts, word in ((above, "largest"), (below, "smallest")):
        if counts == {0}:
            return f"the {word} real root"
    for counts, word in ((inward, "nearest to"), (outward, "farthest from")):
        if kind and counts == {0}:
            return f"the {kind} root {word} 0"
    for counts, word in ((above, "largest"), (below, "smallest")):
        if len(counts) == 1 and max(counts) < len(_ORDINALS):
            return f"the {_ORDINALS[max(counts)]}{word} real root"
    return None
