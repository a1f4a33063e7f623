"""An element-wise formula cut at its kinks into smooth pieces.

Every ``where``, ``max``, ``min``, ``abs`` and ``sign`` compares two values; where the comparison
changes there may be a kink. Between two such places the formula is one smooth expression. At a
place itself the slopes of the two sides are compared: where they agree the join is smooth,
whatever the operations that meet there.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import mpmath

from chainrule.derivations._chain_rule import derivative_in_variables
from chainrule.derivations._evaluate import evaluate
from chainrule.derivations._graph import computation_graph
from chainrule.derivations._operations import LOCAL_DERIVATIVES
from chainrule.derivations.algebra._arithmetic import (
    ONE,
    ZERO,
    add,
    divide,
    multiply,
    rebuilt,
    subtract,
    total,
)
from chainrule.derivations.limits_in_time._remembered import remembered
from chainrule.derivations.pieces._branches import (
    BRANCHING,
    chosen,
    difference_of,
    innermost_branching,
    places_touched,
)
from chainrule.derivations.pieces._crossings import (
    MANY_DIGITS,
    Crossing,
    TooManyCrossingsError,
    crossings_of,
)
from chainrule.derivations.pieces._one_sided import one_sided
from chainrule.formulas import (
    Apply,
    Constant,
    Expression,
    Formula,
    Variable,
    constant,
    subexpressions,
    substitute,
    variables_of,
)

MAXIMUM_PIECES = 16
_DIGITS = 60
_LARGEST_DENOMINATOR = 10**12  # of a place that is known exactly
_Z = Variable("z")

Crossings = Callable[
    [Expression, Mapping[str, Any], tuple[Any, Any], int], tuple[list[Crossing], bool]
]


@dataclass(frozen=True)
class Piece:
    """A smooth expression and its derivative, between two breakpoints."""

    expression: Expression
    derivative: Expression


@dataclass(frozen=True)
class Breakpoint:
    """A place where two pieces meet.

    Parameters
    ----------
    location : Expression
        Its place on the axis of `z`, exact where the comparison is linear in `z`.
    place : float
        The same as a number, for the formula's parameter values.
    value_from, slope_from : {"left", "right", "own"}
        Which piece gives the value and the slope at the place itself.
    value : Expression
        The expression that holds at the place itself.
    slope : float
        The slope taken there.
    left_slope, right_slope : float
        The slopes on either side; infinite where they grow without bound, NaN where the formula
        is undefined.
    """

    location: Expression
    place: float
    value_from: str
    slope_from: str
    value: Expression
    slope: float
    left_slope: float
    right_slope: float

    @property
    def is_end_of_domain(self) -> bool:
        """Whether the formula is undefined on one side alone."""
        return math.isnan(self.left_slope) != math.isnan(self.right_slope)

    @property
    def is_kink(self) -> bool:
        """Whether the slope jumps."""
        if self.left_slope == self.right_slope:  # also where both are infinite
            return False
        if math.isinf(self.left_slope) or math.isinf(self.right_slope):
            return True
        return abs(self.left_slope - self.right_slope) > 1e-12 * (
            1 + abs(self.left_slope) + abs(self.right_slope)
        )


@dataclass(frozen=True)
class Pieces:
    """The smooth pieces of a formula from left to right, and the breakpoints between them."""

    pieces: tuple[Piece, ...]
    breakpoints: tuple[Breakpoint, ...]


def is_rounded(location: Expression) -> bool:
    """Tell whether a place was found by bisection, and stands there as the nearest double."""
    return isinstance(location, Constant) and location.value.denominator > _LARGEST_DENOMINATOR


def differentiate(expression: Expression, variable: Expression = _Z) -> Expression:
    """Return the derivative of a smooth element-wise expression, by the chain rule."""
    graph = computation_graph(expression)
    written = {index: graph.expression(index) for index in graph.order}
    slopes: dict[int, Expression] = {graph.output: ONE}
    parts: dict[int, list[Expression]] = {}
    result: Expression = ZERO
    for index in reversed(graph.order):
        slope = slopes.get(index, total(parts.get(index, [])))
        node = graph.nodes[index]
        if node.leaf == variable:
            result = slope
        if node.operation == "input" or slope == ZERO:
            continue
        arguments = tuple(written.get(k) or graph.expression(k) for k in node.arguments)
        partials = LOCAL_DERIVATIVES[node.operation](arguments, written[index])
        for argument, partial in zip(node.arguments, partials, strict=True):
            parts.setdefault(argument, []).append(multiply(slope, partial))
    return result


class TooManyPiecesError(Exception):
    """The formula has more breakpoints than can be told apart."""


@remembered
def smooth_pieces(formula: Formula) -> Pieces:
    """Cut an element-wise formula at its kinks.

    Raises
    ------
    TooManyPiecesError
        More than `MAXIMUM_PIECES`, as of a comparison with a periodic function.
    """
    with mpmath.workdps(_DIGITS):
        return _Cutter(formula).pieces()


def pieces_between(
    formula: Formula, low: float, high: float, crossings: Crossings = crossings_of
) -> Pieces:
    """Cut what an element-wise formula is between two places, like `smooth_pieces`."""
    with mpmath.workdps(_DIGITS):
        return _Cutter(formula, low, high, crossings).pieces()


class _Cutter:
    def __init__(
        self,
        formula: Formula,
        low: float = -math.inf,
        high: float = math.inf,
        crossings: Crossings = crossings_of,
    ) -> None:
        self.expression, self.low, self.high = formula.expression, low, high
        self.crossings = crossings
        self.values: dict[str, Any] = dict(formula.parameters)
        self.scanned = False

    def at(self, expression: Expression, z: Any) -> Any:
        return evaluate(expression, {**self.values, "z": z})

    def pieces(self) -> Pieces:
        cut = self.cut(self.expression, mpmath.mpf(self.low), mpmath.mpf(self.high))
        merged: list[tuple[Expression, Expression | None, Any]] = []  # expression, where it begins
        for expression, location, place in cut:
            is_new = not merged or merged[-1][0] != expression
            ends_here = (self.has_own_value, self.begins, self.bends)
            if is_new or any(ends(expression, place) for ends in ends_here):
                merged.append((expression, location, place))
        smooth = tuple(Piece(e, _derivative(e)) for e, _, _ in merged)
        breakpoints = tuple(
            self.breakpoint(location, place, smooth[k], smooth[k + 1])
            for k, (_, location, place) in enumerate(merged[1:])
            if location is not None
        )
        if self.scanned and not self.agrees(smooth, breakpoints):
            raise TooManyPiecesError
        return Pieces(smooth, breakpoints)

    def agrees(self, smooth: tuple[Piece, ...], breakpoints: tuple[Breakpoint, ...]) -> bool:
        """Check the pieces against the formula; a scan may have missed a change of branch."""
        generator = random.Random(0)
        places = [generator.uniform(-12, 12) for _ in range(300)]
        places += [s * 10 ** generator.uniform(-8, 38) for _ in range(60) for s in (-1, 1)]
        if math.isfinite(self.high - self.low):
            places += [generator.uniform(self.low, self.high) for _ in range(300)]
        for number in (x for x in places if self.low < x < self.high):
            place = mpmath.mpf(number)
            k = sum(b.place < number for b in breakpoints)
            wanted, got = self.at(self.expression, place), self.at(smooth[k].expression, place)
            if mpmath.isnan(wanted) and mpmath.isnan(got):
                continue
            if not (wanted == got or self.is_zero((wanted - got) / (1 + abs(wanted)), 1)):
                return False
        return True

    def cut(self, e: Expression, low: Any, high: Any) -> list[tuple[Expression, Any, Any]]:
        """Return (smooth expression, location and place of its left end) from left to right."""
        branching = innermost_branching(e)
        if branching is None:
            touched = sorted(places_touched(e, self.values), key=lambda crossing: crossing[1])
            inside = [(e, *at) for at in touched if low < at[1] < high and self.bends(e, at[1])]
            return [(e, None, low), *inside]
        try:
            crossings, is_scanned = self.crossings(
                difference_of(branching), self.values, (low, high), MAXIMUM_PIECES + 1
            )
        except TooManyCrossingsError as error:
            raise TooManyPiecesError from error
        self.scanned = self.scanned or is_scanned
        roots = [(location, place) for location, place in crossings if low < place < high]
        if len(roots) >= MAXIMUM_PIECES:
            raise TooManyPiecesError
        edges = [(None, low), *roots, (None, high)]
        result: list[tuple[Expression, Any, Any]] = []
        for (location, left), (_, right) in pairwise(edges):
            chosen = self.branch(branching, place_between(left, right))
            inner = self.cut(_replaced(e, branching, chosen), left, right)
            result += [(inner[0][0], location, left), *inner[1:]]
            if len(result) > MAXIMUM_PIECES:
                raise TooManyPiecesError
        return result

    def branch(self, e: Apply, z: Any) -> Expression:
        """Return the branch taken at a place between two roots of what is compared."""
        undefined = self.undefined(e.operation, e.arguments, z)
        return undefined or chosen(e, self.compared(difference_of(e), z), e.arguments)

    def undefined(
        self, operation: str, branches: tuple[Expression, ...], z: Any
    ) -> Expression | None:
        """Return the branch without a value: where there is one, ``max`` and ``min`` have none."""
        if operation not in ("maximum", "minimum"):
            return None
        return next((x for x in branches if mpmath.isnan(self.at(x, z))), None)

    def compared(self, difference: Expression, z: Any) -> Any:
        """Return the difference on which a choice rests; what changes with the digits is zero."""
        for digits in (_DIGITS, MANY_DIGITS):
            with mpmath.workdps(digits):
                value = self.at(difference, z)
            with mpmath.workdps(2 * digits):
                finer = self.at(difference, z)
            if mpmath.isnan(finer) or not (
                finer == 0 or abs(finer - value) > mpmath.mpf(10) ** -10 * abs(finer)
            ):
                return finer
        return mpmath.mpf(0)

    @staticmethod
    def is_zero(value: Any, place: Any) -> bool:
        """Tell whether a value near a place is zero up to rounding."""
        scale = min(1, abs(place)) or 1
        return bool(abs(value) < scale * mpmath.mpf(10) ** (-_DIGITS + 15))

    def has_own_value(self, expression: Expression, place: Any) -> bool:
        """Tell whether the formula differs from the piece around a place at the place itself."""
        own = self.at(self.expression, place)
        around = self.at(expression, place)
        return not (own == around or self.is_zero(own - around, place) or mpmath.isnan(own))

    def begins(self, expression: Expression, place: Any) -> bool:
        """Tell whether an expression is defined on one side of a place alone."""
        left, right = (mpmath.isnan(self.beside(expression, place, side)) for side in (-1, 1))
        return bool(left != right)

    def bends(self, expression: Expression, place: Any) -> bool:
        """Tell whether an expression may have a kink of its own, as ``sqrt(z**2)`` at 0."""
        beside = (self.beside(expression, place, side) for side in (0, -1, 1))
        slope = self.at(differentiate(expression), place)
        return all(map(mpmath.isfinite, beside)) and not mpmath.isfinite(slope)

    def breakpoint(self, location: Expression, place: Any, left: Piece, right: Piece) -> Breakpoint:
        own = rebuilt(self.own(self.expression, place))
        slopes = [self.slope_beside(piece, place, s) for piece, s in ((left, -1), (right, 1))]
        sides = [("left", left, slopes[0]), ("right", right, slopes[1])]
        if mpmath.isnan(slopes[0]):
            sides.reverse()  # both may be one expression, which begins to be defined here
        value_from = self.value_owner(own, place, sides)
        smooth = slopes[0] == slopes[1] or bool(
            abs(slopes[0] - slopes[1]) < mpmath.mpf(10) ** -12 * (1 + abs(slopes[0]))
        )
        is_cusp = bool(mpmath.isinf(slopes[0]) and slopes[0] == -slopes[1])
        mean = self.mean_slope(left, right, location, place) if is_cusp else sum(slopes) / 2
        slope_from, slope = "own", mean
        is_of_one = left.expression == right.expression
        is_chosen = own in (left.expression, right.expression) and not is_of_one
        is_of_root = not is_chosen if is_cusp else is_of_one and mpmath.isfinite(slope)
        if smooth:
            for side, piece, beside in sides:
                if slope_from == "own" and mpmath.isfinite(self.at(piece.derivative, place)):
                    slope_from, slope = side, beside
        elif not is_of_root:  # where a root touches 0 its slope is 0, as that of |z| is
            owners = [(side, beside) for side, piece, beside in sides if own == piece.expression]
            slope_from, slope = owners[0] if owners else ("own", self.own_slope(own, place))
        if mpmath.isnan(slope) or (slope_from == "own" and mpmath.isinf(slope)):
            slope_from, slope = "left", slopes[0]
        owner = {"left": left, "right": right}.get(slope_from)
        if (
            owner
            and mpmath.isfinite(slope)
            and not mpmath.isfinite(self.at(owner.derivative, place))
        ):
            slope_from = "own"  # it is a limit, which the piece does not tell at the place
        return Breakpoint(
            location, float(place), value_from, slope_from, own, float(slope),
            float(slopes[0]), float(slopes[1]),
        )  # fmt: skip

    def slope_beside(self, piece: Piece, place: Any, side: int) -> Any:
        """Return a piece's slope on one side of a place; NaN where it is undefined there."""
        if mpmath.isnan(self.beside(piece.expression, place, side)):
            return mpmath.nan
        return one_sided(piece.derivative, self.values, place, side)

    def mean_slope(self, left: Piece, right: Piece, location: Expression, place: Any) -> Any:
        """Return the mean of the slopes that grow without bound on either side of a cusp.

        It is 0 unless there is a limit: that of ``sqrt(abs(z)) + z`` is the slope of z.
        """
        mirrored: dict[Expression, Expression] = {_Z: subtract(multiply(constant(2), location), _Z)}
        both = add(substitute(left.derivative, mirrored.get), right.derivative)
        mean = one_sided(divide(both, constant(2)), self.values, place, 1)
        return mean if mpmath.isfinite(mean) else mpmath.mpf(0)

    def beside(self, expression: Expression, place: Any, side: int) -> Any:
        return self.at(expression, place + side * (abs(place) or 1) * mpmath.mpf(10) ** -30)

    def own_slope(self, own: Expression, place: Any) -> Any:
        """Return the slope of what holds at a place itself, or its limit, as of ``z**0``."""
        derivative = differentiate(own)
        left, right = (one_sided(derivative, self.values, place, side) for side in (-1, 1))
        return left if self.is_zero((left - right) / (1 + abs(left)), 1) else mpmath.nan

    def value_owner(self, own: Expression, place: Any, sides: list[tuple[str, Piece, Any]]) -> str:
        for side, piece, _ in sides:
            if own == piece.expression:
                return side
        value = self.at(own, place)
        for side, piece, _ in sides:
            there = self.at(piece.expression, place)
            if not mpmath.isnan(there) and self.is_zero(there - value, place):
                return side
        return "own"

    def own(self, e: Expression, place: Any) -> Expression:
        """Return the smooth expression that holds at a breakpoint itself."""
        if not isinstance(e, Apply):
            return e
        arguments = tuple(self.own(part, place) for part in e.arguments)
        if e.operation not in BRANCHING:
            return Apply(e.operation, arguments)
        undefined = self.undefined(e.operation, arguments, place)
        if undefined is not None:
            return undefined
        difference = difference_of(Apply(e.operation, arguments))
        value = self.compared(difference, place)
        # A place is rounded: what a move by as much changes is not told from zero.
        moved = self.at(difference, place * (1 + mpmath.mpf(10) ** (15 - _DIGITS)))
        is_tie = abs(value) <= abs(moved - value)
        return chosen(e, mpmath.mpf(0) if is_tie else value, arguments)


def _derivative(expression: Expression) -> Expression:
    """Differentiate; a logarithm of a base that cancels has no value where that is negative."""
    if any(
        isinstance(e, Apply) and e.operation == "power" and variables_of(e.arguments[1])
        for e in subexpressions(expression)
    ):
        return derivative_in_variables(expression)
    return differentiate(expression)


def _replaced(expression: Expression, old: Expression, new: Expression) -> Expression:
    return rebuilt(substitute(expression, lambda part: new if part == old else None))


def place_between(low: Any, high: Any) -> Any:
    """Return a place on a stretch, no short number: at those a formula may be undefined."""
    share = mpmath.mpf("0.5320508")
    if mpmath.isinf(low) and mpmath.isinf(high):
        return share
    if mpmath.isinf(low):
        return high - share * max(1, abs(high))
    if mpmath.isinf(high):
        return low + share * max(1, abs(low))
    return low + share * (high - low)
