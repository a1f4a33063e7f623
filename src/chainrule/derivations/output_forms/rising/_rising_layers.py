"""Layers that rise, and whose output therefore determines their derivative.

A map f of a layer rises if ``(f(x) - f(y))·(x - y) >= 0`` for any two layers x and y. Where rising
maps add up to the same output at x and at y, that is 0 for each of them; and if each has the same
derivative at x and y wherever it is 0 for it, so has their sum.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from math import inf
from typing import Any

import mpmath
import sympy

from chainrule.derivations._evaluate import evaluate
from chainrule.derivations.algebra._arithmetic import (
    ONE,
    ZERO,
    add,
    divide,
    multiply,
    negate,
    rebuilt,
    subtract,
)
from chainrule.derivations.algebra._sympy import Translation
from chainrule.derivations.output_forms.signs._domain import domain
from chainrule.derivations.output_forms.signs._signs import proved_sign
from chainrule.derivations.pieces._pieces import (
    Pieces,
    TooManyPiecesError,
    differentiate,
    smooth_pieces,
)
from chainrule.formulas import (
    REDUCTIONS,
    Apply,
    Constant,
    Expression,
    Formula,
    Parameter,
    Variable,
    constant,
    is_layer_coupled,
    subexpressions,
    substitute,
    variables_of,
)

PROOF = (
    "it is a sum of maps f with (f(x) - f(y))·(x - y) ≥ 0 for any two layers x and y, and 0 only "
    "where f has the same derivative at both"
)
TWO = constant(2)
_Z, _RADIUS = Variable("z"), Variable("r")
_SHARED = Parameter("shared_by_the_layer")
_DIGITS = 60
NEGLIGIBLE = mpmath.mpf(10) ** -40
_SUMS = ("sum", "mean")
_SQUARES = (Apply("multiply", (_Z, _Z)), Apply("power", (_Z, constant(2))))


def number_of(e: Expression, values: Mapping[str, float]) -> Any:
    """Return the value of an expression in parameters alone."""
    with mpmath.workdps(_DIGITS):
        return evaluate(e, values)


class Rising:
    """Sums of maps that are proved to rise; with sign -1, to fall."""

    def __init__(self, values: Mapping[str, float], sign: int) -> None:
        self.values, self.sign = values, sign

    def holds(self, e: Expression, *, strictly: bool = False) -> bool:
        """Tell whether all terms rise, and tell their derivatives, or the layer where strictly."""
        per_unit: Expression = ZERO
        mean: Expression = ZERO
        whole: Expression = ZERO
        fallen: Expression = ZERO
        for factor, term in terms_of(e):
            if not is_layer_coupled(term):
                per_unit = add(per_unit, multiply(factor, term))
            elif term == Apply("mean", (_Z,)):
                mean = add(mean, factor)
            elif term == Apply("sum", (_Z,)):
                whole = add(whole, factor)
            elif (rise := self.of_softmax(factor, term)) is not None:
                fallen = subtract(fallen, divide(rise, TWO)) if self.side(rise) < 0 else fallen
            elif not self.is_radial(factor, term):
                return False
        # c z + d mean(z) + s sum(z) rises where c >= 0, c + d >= 0 and s >= 0: as little of z as
        # that takes is left to the linear part, and the rest of what a unit adds rises by itself.
        shared = add(mean, whole)
        least = negate(shared) if self.side(shared) < 0 else ZERO
        # A softmax falls by no more than half of what its exponents rise by.
        rest = rebuilt(subtract(per_unit, multiply(add(least, fallen), _Z)))
        strictly = strictly or fallen != ZERO
        return self.side(whole) >= 0 and self.rises(rest, strictly=strictly, jumps=True)

    def side(self, e: Expression) -> int:
        """Return the sign of a number, turned round where a fall is to be shown."""
        number = number_of(e, self.values)
        return 0 if abs(number) < NEGLIGIBLE else self.sign * int(mpmath.sign(number))

    def of_softmax(self, factor: Expression, term: Expression) -> Expression | None:
        """Return c times the factor of a softmax, else None.

        ``exp(c z)/(b + sum(exp(c z)))`` is c times the gradient of a convex function for b >= 0.
        """
        offset: Expression = ZERO
        match term:
            case Apply("divide", (Apply("exp", (inner,)) as own, Apply("add", (offset, total)))):
                pass
            case Apply("divide", (Apply("exp", (inner,)) as own, total)):
                pass
            case _:
                return None
        if not (
            isinstance(total, Apply) and total.operation in _SUMS and total.arguments == (own,)
        ):
            return None
        named = _with_shared_named(inner)
        slope = differentiate(named)
        if variables_of(slope) | variables_of(offset) or _SHARED in subexpressions(slope):
            return None
        b = number_of(offset, self.values)
        # What all units share cancels where nothing else stands below.
        is_softmax = b >= 0 if named == inner else offset == ZERO
        return multiply(factor, slope) if is_softmax else None

    def is_radial(self, factor: Expression, term: Expression) -> bool:
        """``z h(sum(z**2))`` is the gradient of a convex function where ``r h(r**2)`` rises."""
        squares: dict[Expression, Expression] = {
            e: Apply("power", (_RADIUS, constant(2)))
            for e in subexpressions(term)
            if isinstance(e, Apply) and e.operation in _SUMS and e.arguments[0] in _SQUARES
        }
        along = substitute(term, squares.get)
        if len(squares) != 1 or is_layer_coupled(along):
            return False
        translation = Translation()
        share = sympy.cancel(translation.to_sympy(along) / translation.symbol(_Z))
        if "z" in variables_of(translation.to_expression(share)):
            return False  # also in what algebra does not look into
        radius: dict[Expression, Expression] = {_RADIUS: _Z}
        grown = multiply(factor, substitute(along, radius.get))
        vanishes = abs(_at(grown, ZERO, self.values)) < NEGLIGIBLE
        return bool(vanishes) and self.rises(grown, 0.0) and self.begins(grown, 0.0)

    def rises(
        self, e: Expression, low: float = -inf, *, strictly: bool = False, jumps: bool = False
    ) -> bool:
        """Tell whether what a unit adds rises beyond a place, and tells its slope.

        Where it may jump, it may do so upwards.
        """
        e = e if self.sign > 0 else negate(e)
        try:
            cut = smooth_pieces(Formula(e, tuple(self.values.items())))
        except TooManyPiecesError:
            return False
        if strictly and any(piece.derivative == ZERO for piece in cut.pieces):
            return False
        ends = [-inf, *(b.place for b in cut.breakpoints), inf]
        within = [k for k in range(len(cut.pieces)) if ends[k + 1] > low]
        return all(
            self.piece_rises(cut, k, max(low, ends[k]), ends[k + 1]) for k in within
        ) and all(self.is_joined(cut, k, jumps=jumps) for k in within[1:])

    def piece_rises(self, cut: Pieces, k: int, low: float, high: float) -> bool:
        """Tell whether a piece rises, or is flat and has its slope at its ends too."""
        piece = cut.pieces[k]
        if piece.derivative == ZERO:
            before, after = cut.breakpoints[:k][-1:], cut.breakpoints[k:][:1]
            sides = [*((b, "right") for b in before), *((b, "left") for b in after)]
            return all(
                b.slope_from == side
                or not b.is_kink
                or abs(_at(subtract(b.value, piece.expression), b.location, self.values))
                > NEGLIGIBLE
                for b, side in sides
            )
        stretches = domain(piece.expression, self.values, low, high)
        if stretches is None or len(stretches) != 1:
            return False
        return proved_sign(piece.derivative, self.values, low, high) > 0

    def begins(self, e: Expression, low: float) -> bool:
        """Tell whether an expression has at a place what it tends to on the right of it."""
        cut = smooth_pieces(Formula(e, tuple(self.values.items())))
        right = cut.pieces[sum(b.place <= low for b in cut.breakpoints)].expression
        place = Constant(Fraction(low))
        here, beside = (_at(x, place, self.values) for x in (e, right))
        return bool(abs(here - beside) < NEGLIGIBLE)

    def is_joined(self, cut: Pieces, k: int, *, jumps: bool) -> bool:
        """Tell whether the k-th piece begins where the one before has ended, or above it."""
        b = cut.breakpoints[k - 1]
        before, after = (p.expression for p in cut.pieces[k - 1 : k + 1])
        left, here, right = (_at(e, b.location, self.values) for e in (before, b.value, after))
        steps = (here - left, right - here)
        return all(bool(x > -NEGLIGIBLE and (jumps or x < NEGLIGIBLE)) for x in steps)


def _at(e: Expression, place: Expression, values: Mapping[str, float]) -> Any:
    put: dict[Expression, Expression] = {_Z: place}
    return number_of(substitute(e, put.get), values)


def terms_of(e: Expression, factor: Expression = ONE) -> Iterator[tuple[Expression, Expression]]:
    """Yield the terms of a sum, with the numbers before them."""
    match e:
        case Apply("add", (x, y)):
            yield from terms_of(x, factor)
            yield from terms_of(y, factor)
        case Apply("subtract", (x, y)):
            yield from terms_of(x, factor)
            yield from terms_of(y, negate(factor))
        case Apply("negate", (x,)):
            yield from terms_of(x, negate(factor))
        case Apply("multiply", (x, y)) if "z" not in variables_of(x):
            yield from terms_of(y, multiply(factor, x))
        case Apply("multiply", (x, y)) if "z" not in variables_of(y):
            yield from terms_of(x, multiply(factor, y))
        case Apply("divide", (x, y)) if "z" not in variables_of(y):
            yield from terms_of(x, divide(factor, y))
        case Apply("divide", (Apply("multiply", (x, above)), y)) if "z" not in variables_of(x):
            yield from terms_of(Apply("divide", (above, y)), multiply(factor, x))
        case Apply("divide", (x, Apply("multiply", (y, below)))) if "z" not in variables_of(y):
            yield from terms_of(Apply("divide", (x, below)), divide(factor, y))
        case _:
            yield factor, e


def _with_shared_named(e: Expression) -> Expression:
    def named(part: Expression) -> Expression | None:
        is_reduction = isinstance(part, Apply) and part.operation in REDUCTIONS
        return _SHARED if is_reduction else None

    return substitute(e, named)
