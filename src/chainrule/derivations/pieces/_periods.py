"""One period of a formula whose choices repeat themselves for ever, as those by a sine do.

Such a formula has infinitely many kinks. Where everything that it compares holds ``z`` in sines
and cosines alone, whose rates have a common measure, one period tells them all: on stretches a
period apart it is the same smooth expression, and where two of them meet the same choice is made.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Any

import mpmath
import sympy

from chainrule.derivations._evaluate import evaluate
from chainrule.derivations.algebra._arithmetic import rebuilt
from chainrule.derivations.algebra._sympy import Translation, attempt
from chainrule.derivations.limits_in_time._remembered import remembered
from chainrule.derivations.pieces._branches import BRANCHING, difference_of
from chainrule.derivations.pieces._crossings import Crossing, TooManyCrossingsError, bisected
from chainrule.derivations.pieces._pieces import (
    Pieces,
    TooManyPiecesError,
    differentiate,
    pieces_between,
)
from chainrule.formulas import (
    Apply,
    Constant,
    Expression,
    Formula,
    Variable,
    subexpressions,
    variables_of,
)

_Z = Variable("z")
_WAVES = ("sin", "cos")
_DIGITS = 60
_SECONDS = 0.5
_PARTS = 720  # of a turn, at which a comparison is looked at
_MOST_TURNS = 60  # of the fastest wave in a period
_LARGEST_DENOMINATOR = 720
_ZERO, _NEAR = mpmath.mpf(10) ** -50, mpmath.mpf(10) ** -40
_BEFORE = 0.0123  # of a period before 0: no place of a kink


@dataclass(frozen=True)
class PeriodicPieces:
    """The pieces of a formula whose choices have a period, on one of them.

    Parameters
    ----------
    around : Pieces
        Those of one period from a breakpoint to the next of its kind, and one on either side.
    period : Expression
        After which the same choices are made: between places a multiple of it further on, and at
        them, the formula is the same expression.
    length : float
        The same as a number.
    """

    around: Pieces
    period: Expression
    length: float

    @property
    def once(self) -> Pieces:
        """The pieces of one period, and the breakpoints between them."""
        return Pieces(self.around.pieces[1:-1], self.around.breakpoints[1:-1])

    @property
    def places(self) -> tuple[float, ...]:
        """Where the pieces of a period begin, and where the last of them ends."""
        return tuple(b.place for b in self.around.breakpoints)


@remembered
def periodic_pieces(formula: Formula) -> PeriodicPieces | None:
    """Cut one period of a formula, or return None where its choices are not known to have one.

    Examples
    --------
    >>> from chainrule.formulas import parse, to_text
    >>> found = periodic_pieces(parse("abs(sin(z))"))
    >>> to_text(found.period), [to_text(b.location) for b in found.around.breakpoints]
    ('2*pi', ['0', 'pi', '2*pi'])
    """
    values = dict(formula.parameters)
    turns = _turns_of_choices(formula.expression)
    if not turns:
        return None
    # Where the branches have waves, too, a period is one of all of them if there is any.
    branches = [angle for angle in angles_of(formula.expression) if angle is not None]
    ways = (list(dict.fromkeys((*turns, *branches))), turns)
    periods = (attempt(_SECONDS, partial(common_period, way, values), None) for way in ways)
    found = next(filter(None, periods), None)
    if found is None:
        return None
    with mpmath.workdps(_DIGITS):
        repeating = _Repeating(turns, *found, values)
        length = float(repeating.length)
        try:
            cut = partial(pieces_between, formula, crossings=repeating.crossings)
            once = cut(-_BEFORE * length, (1 - _BEFORE) * length)
            if not once.breakpoints:
                return None
            first, last = once.breakpoints[0].place, once.breakpoints[-1].place
            second = once.breakpoints[1].place if len(once.breakpoints) > 1 else first + length
            beside = min(first + length - last, second - first) / 2
            around = cut(first - beside, first + length + beside)
        except TooManyPiecesError:
            return None
    if len(around.breakpoints) != len(once.breakpoints) + 1:
        return None
    return PeriodicPieces(around, repeating.period, length)


def _turns_of_choices(e: Expression) -> list[Expression]:
    """Return the angles in what is compared; none where something else in it holds z."""
    found: list[Expression] = []
    for part in subexpressions(e):
        if isinstance(part, Apply) and part.operation in BRANCHING:
            for angle in angles_of(difference_of(part)):
                if angle is None:
                    return []
                found.append(angle)
    return list(dict.fromkeys(found))


def angles_of(e: Expression) -> Iterator[Expression | None]:
    """Yield the angles of the waves in an expression, and None for each z that is in no wave."""
    if e == _Z:
        yield None
    if not isinstance(e, Apply) or "z" not in variables_of(e):
        return
    if e.operation in _WAVES:
        yield e.arguments[0]
        return
    for part in e.arguments:
        yield from angles_of(part)


def common_period(
    turns: list[Expression], values: Mapping[str, float]
) -> tuple[Expression, int] | None:
    """Return the common period of waves with such angles, and the turns of the fastest in it."""
    translation = Translation()
    rates = []
    for angle in turns:
        rate = rebuilt(differentiate(angle))
        if variables_of(rate):
            return None
        number = evaluate(rate, values)
        if not (mpmath.isfinite(number) and number != 0):
            return None
        rates.append(translation.to_sympy(rate) * int(mpmath.sign(number)))
    ratios = [sympy.cancel(rate / rates[0]) for rate in rates]
    if not all(ratio.is_Rational for ratio in ratios):
        return None
    measure = sympy.Rational(
        math.gcd(*(int(ratio.p) for ratio in ratios)), math.lcm(*(int(ratio.q) for ratio in ratios))
    )
    fastest = max(ratio / measure for ratio in ratios)
    if fastest > _MOST_TURNS:
        return None
    whole = sympy.cancel(rates[0] * measure)
    return translation.to_expression(2 * sympy.pi / whole), int(fastest)


class _Repeating:
    """Where comparisons with a common period change."""

    def __init__(
        self, turns: list[Expression], period: Expression, fastest: int, values: Mapping[str, float]
    ) -> None:
        self.period, self.values = period, values
        self.parts = _PARTS * (1 + fastest // 4)
        self.length = evaluate(period, values)
        self.starts = self._starts(turns)

    def _starts(self, turns: list[Expression]) -> list[tuple[Expression, Any]]:
        """Return places from which crossings are likely to lie short parts of a period away."""
        found: dict[Expression, Any] = {Constant(Fraction(0)): mpmath.mpf(0)}
        for angle in turns:
            offset = evaluate(angle, {**self.values, "z": mpmath.mpf(0)})
            if offset == 0:
                continue
            translation = Translation()
            z = translation.symbol(_Z)
            line = sympy.expand(translation.to_sympy(angle))
            start = translation.to_expression(sympy.cancel(-line.coeff(z, 0) / line.coeff(z, 1)))
            found[start] = evaluate(start, self.values)
        return list(found.items())

    def crossings(
        self, difference: Expression, values: Mapping[str, Any], between: tuple[Any, Any], most: int
    ) -> tuple[list[Crossing], bool]:
        """Return where a comparison changes, or its two sides touch, like `crossings_of`."""
        if "z" not in variables_of(difference):
            return [], False

        def at(share: Any) -> Any:
            return evaluate(difference, {**values, "z": share * self.length})

        shares: list[Any] = []
        before: tuple[Any, Any] | None = None
        for k in range(self.parts + 1):
            share = mpmath.mpf(k) / self.parts
            value = at(share)
            if not mpmath.isfinite(value):
                raise TooManyCrossingsError
            if abs(value) < _ZERO:
                shares.append(share)
                before = None
                continue
            if before is not None and value * before[1] < 0:
                shares.append(bisected(at, before[0], share))
            before = (share, value)
        if len(shares) > most * 2:
            raise TooManyCrossingsError
        # The end of a period is the beginning of the next.
        once = [share for share in shares if share < 1 - _NEAR]
        moved = [
            share + shift
            for share in once
            for shift in range(
                math.floor(between[0] / self.length) - 1, math.ceil(between[1] / self.length) + 1
            )
        ]
        found = [self._located(share) for share in sorted(moved)]
        return [at for at in found if between[0] <= at[1] <= between[1]], True

    def _located(self, share: Any) -> Crossing:
        place = share * self.length
        for start, number in self.starts:
            part = (place - number) / self.length
            short = Fraction(mpmath.nstr(part, 50)).limit_denominator(_LARGEST_DENOMINATOR)
            if abs(mpmath.mpf(short.numerator) / short.denominator - part) < _NEAR:
                location = _shifted(start, short, self.period)
                return location, evaluate(location, self.values)
        return Constant(Fraction(float(place))), place


def _shifted(start: Expression, part: Fraction, period: Expression) -> Expression:
    translation = Translation()
    whole = translation.to_sympy(start) + sympy.Rational(
        part.numerator, part.denominator
    ) * translation.to_sympy(period)
    return translation.to_expression(sympy.expand(whole))
