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
from fractions import Fraction
from itertools import pairwise
from typing import Any

import mpmath
import sympy

from chainrule.derivations._algebra import Translation
from chainrule.derivations._arithmetic import ONE, ZERO, multiply, negate, rebuilt, total
from chainrule.derivations._evaluate import evaluate
from chainrule.derivations._graph import computation_graph
from chainrule.derivations._operations import LOCAL_DERIVATIVES
from chainrule.formulas import (
    COMPARISONS,
    Apply,
    Constant,
    Expression,
    Formula,
    Parameter,
    Variable,
    constant,
    subexpressions,
    substitute,
    variables_of,
)

MAXIMUM_PIECES = 16
_DIGITS = 60
_BRANCHING = ("where", "maximum", "minimum", "abs", "sign")
_Z = Variable("z")


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
        The slopes on either side; infinite where they grow without bound.
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


def chosen(e: Apply, difference: Any, branches: tuple[Expression, ...]) -> Expression:
    """Return one of the branches of a choice, by the difference of what it compares.

    Where ``max`` or ``min`` tie it is that of a constant argument, else of the first.
    """
    if e.operation == "where":
        comparison = e.arguments[0]
        assert isinstance(comparison, Apply)
        holds = evaluate(Apply(comparison.operation, (Variable("d"), ZERO)), {"d": difference})
        return branches[1] if holds else branches[2]
    if e.operation in ("maximum", "minimum"):
        if difference == 0:
            return branches[0] if variables_of(e.arguments[1]) else branches[1]
        return branches[0] if (difference > 0) == (e.operation == "maximum") else branches[1]
    if mpmath.isnan(difference):
        return branches[0]
    if e.operation == "sign":
        return constant(int(mpmath.sign(difference)))
    if difference == 0:
        return ZERO
    return branches[0] if difference > 0 else negate(branches[0])


class TooManyPiecesError(Exception):
    """The formula has more breakpoints than can be told apart."""


def smooth_pieces(formula: Formula) -> Pieces:
    """Cut an element-wise formula at its kinks.

    Raises
    ------
    TooManyPiecesError
        More than `MAXIMUM_PIECES`, as of a comparison with a periodic function.
    """
    with mpmath.workdps(_DIGITS):
        return _Cutter(formula).pieces()


class _Cutter:
    def __init__(self, formula: Formula) -> None:
        self.expression = formula.expression
        self.values: dict[str, Any] = dict(formula.parameters)
        self.scanned = False

    def at(self, expression: Expression, z: Any) -> Any:
        return evaluate(expression, {**self.values, "z": z})

    def pieces(self) -> Pieces:
        cut = self.cut(self.expression, mpmath.mpf("-inf"), mpmath.mpf("inf"))
        merged: list[tuple[Expression, Expression | None, Any]] = []  # expression, where it begins
        for expression, location, place in cut:
            if not merged or merged[-1][0] != expression or self.has_own_value(expression, place):
                merged.append((expression, location, place))
        smooth = tuple(Piece(e, differentiate(e)) for e, _, _ in merged)
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
        for number in places:
            place = mpmath.mpf(number)
            k = sum(b.place < number for b in breakpoints)
            wanted, got = self.at(self.expression, place), self.at(smooth[k].expression, place)
            if mpmath.isnan(wanted) and mpmath.isnan(got):
                continue
            if not (wanted == got or self.is_zero((wanted - got) / (1 + abs(wanted)))):
                return False
        return True

    def cut(self, e: Expression, low: Any, high: Any) -> list[tuple[Expression, Any, Any]]:
        """Return (smooth expression, location and place of its left end) from left to right."""
        branching = _innermost_branching(e)
        if branching is None:
            return [(e, None, low)]
        roots = self.roots(_difference(branching), low, high)
        edges = [(None, low), *roots, (None, high)]
        result: list[tuple[Expression, Any, Any]] = []
        for (location, left), (_, right) in pairwise(edges):
            chosen = self.branch(branching, _between(left, right))
            inner = self.cut(_replaced(e, branching, chosen), left, right)
            result += [(inner[0][0], location, left), *inner[1:]]
            if len(result) > MAXIMUM_PIECES:
                raise TooManyPiecesError
        return result

    def branch(self, e: Apply, z: Any) -> Expression:
        """Return the branch taken at a place between two roots of what is compared."""
        return chosen(e, self.compared(_difference(e), z), e.arguments)

    def compared(self, difference: Expression, z: Any) -> Any:
        """Return the difference on which a choice rests; what changes with the digits is zero."""
        value = self.at(difference, z)
        with mpmath.workdps(2 * _DIGITS):
            finer = self.at(difference, z)
        is_rounding = abs(finer - value) > mpmath.mpf(10) ** -10 * abs(finer)
        return mpmath.mpf(0) if is_rounding else value

    @staticmethod
    def is_zero(value: Any) -> bool:
        return bool(abs(value) < mpmath.mpf(10) ** (-_DIGITS + 15))

    def has_own_value(self, expression: Expression, place: Any) -> bool:
        """Tell whether the formula differs from the piece around a place at the place itself."""
        own = self.at(self.expression, place)
        around = self.at(expression, place)
        return not (own == around or self.is_zero(own - around) or mpmath.isnan(own))

    def breakpoint(self, location: Expression, place: Any, left: Piece, right: Piece) -> Breakpoint:
        own = rebuilt(self.own(self.expression, place))
        slopes = [
            one_sided(left.derivative, self.values, place, -1),
            one_sided(right.derivative, self.values, place, 1),
        ]
        value_from = self.value_owner(own, place, left, right)
        smooth = slopes[0] == slopes[1] or bool(
            abs(slopes[0] - slopes[1]) < mpmath.mpf(10) ** -12 * (1 + abs(slopes[0]))
        )
        if smooth and mpmath.isfinite(self.at(left.derivative, place)):
            slope_from, slope = "left", slopes[0]
        elif smooth and mpmath.isfinite(self.at(right.derivative, place)):
            slope_from, slope = "right", slopes[1]
        elif smooth:
            slope_from, slope = "own", (slopes[0] + slopes[1]) / 2
        elif own == left.expression:
            slope_from, slope = "left", slopes[0]
        elif own == right.expression:
            slope_from, slope = "right", slopes[1]
        else:
            slope_from, slope = "own", self.at(differentiate(own), place)
        if mpmath.isnan(slope) or (slope_from == "own" and mpmath.isinf(slope)):
            slope_from, slope = "left", slopes[0]
        return Breakpoint(
            location, float(place), value_from, slope_from, own, float(slope),
            float(slopes[0]), float(slopes[1]),
        )  # fmt: skip

    def value_owner(self, own: Expression, place: Any, left: Piece, right: Piece) -> str:
        if own in (left.expression, right.expression):
            return "left" if own == left.expression else "right"
        value = self.at(own, place)
        for piece, side in ((left, "left"), (right, "right")):
            there = self.at(piece.expression, place)
            if not mpmath.isnan(there) and self.is_zero(there - value):
                return side
        return "own"

    def own(self, e: Expression, place: Any) -> Expression:
        """Return the smooth expression that holds at a breakpoint itself."""
        if not isinstance(e, Apply):
            return e
        arguments = tuple(self.own(part, place) for part in e.arguments)
        if e.operation not in _BRANCHING:
            return Apply(e.operation, arguments)
        difference = _difference(Apply(e.operation, arguments))
        value = self.compared(difference, place)
        # A place is rounded: what a move by as much changes is not told from zero.
        moved = self.at(difference, place * (1 + mpmath.mpf(10) ** (15 - _DIGITS)))
        is_tie = abs(value) <= abs(moved - value)
        return chosen(e, mpmath.mpf(0) if is_tie else value, arguments)

    def roots(self, difference: Expression, low: Any, high: Any) -> list[tuple[Any, Any]]:
        """Return where a smooth difference changes sign or vanishes, exact where it is linear."""
        if "z" not in variables_of(difference):
            return []
        polynomial = self.polynomial_roots(difference)
        found = polynomial if polynomial is not None else self.scanned_roots(difference)
        inside = [(location, place) for location, place in found if low < place < high]
        return sorted(inside, key=lambda root: root[1])

    def polynomial_roots(self, difference: Expression) -> list[tuple[Any, Any]] | None:
        translation = Translation()
        z = translation.symbol(_Z)
        e = sympy.expand(translation.to_sympy(difference))
        hidden = (translation.meaning[symbol] for symbol in e.free_symbols if symbol != z)
        if any("z" in variables_of(part) for part in hidden):
            return None
        if not e.is_polynomial(z) or sympy.degree(e, z) > 2:
            return None
        found = []
        for root in sympy.roots(e, z):
            if not self.is_real(root, translation):
                continue
            location = translation.to_expression(root)
            place = evaluate(location, self.values)
            if mpmath.isfinite(place):
                found.append((location, place))
        return found

    def is_real(self, root: Any, translation: Translation) -> bool:
        values = {
            symbol: sympy.Float(self.values[leaf.name], 30)
            for symbol, leaf in translation.meaning.items()
            if isinstance(leaf, Parameter)
        }
        return bool(abs(sympy.im(sympy.N(root.subs(values), 30))) < 1e-25)

    def scanned_roots(self, difference: Expression) -> list[tuple[Any, Any]]:
        self.scanned = True
        half = [mpmath.sinh(mpmath.mpf(k) / 12) for k in range(1, 121)]
        half += [half[-1] * mpmath.mpf(2) ** k for k in range(1, 118)]
        grid = [-x for x in reversed(half)] + [mpmath.mpf(0)] + half
        exact: list[Any] = []
        changes: list[tuple[Any, Any]] = []
        before: tuple[Any, Any] | None = None  # the last place with a sign, and its value
        for x in grid:
            value = self.at(difference, x)
            if value == 0:
                exact.append(x)
                before = None
            elif mpmath.isfinite(value):
                if before is not None and value * before[1] < 0:
                    changes.append((before[0], x))
                before = (x, value)
        if len(exact) + len(changes) >= MAXIMUM_PIECES:
            raise TooManyPiecesError
        for low, high in changes:
            # A root, or a pole: on either side of it the comparison falls out differently.
            root = _bisect(lambda t: self.at(difference, t), low, high)
            exact.append(self.snapped(difference, root))
        return [(_rational(x), x) for x in exact]

    def snapped(self, difference: Expression, root: Any) -> Any:
        nice = Fraction(str(mpmath.nstr(root, 30))).limit_denominator(1000)
        candidate = mpmath.mpf(nice.numerator) / nice.denominator
        value = self.at(difference, candidate)
        close = abs(candidate - root) < mpmath.mpf(10) ** -25
        return candidate if close and (self.is_zero(value) or not mpmath.isfinite(value)) else root


def one_sided(expression: Expression, values: Mapping[str, Any], place: Any, side: int) -> Any:
    """Return an expression's value at a place, or its limit from one side; NaN without either."""
    value = evaluate(expression, {**values, "z": place})
    if mpmath.isfinite(value):
        return value
    near, nearer = (
        evaluate(expression, {**values, "z": place + side * (1 + abs(place)) * step})
        for step in (mpmath.mpf(10) ** -20, mpmath.mpf(10) ** -40)
    )
    if abs(nearer) > 1 and abs(nearer) > abs(near) * mpmath.mpf("1.01"):
        return mpmath.sign(nearer) * mpmath.inf
    return nearer


def _replaced(expression: Expression, old: Expression, new: Expression) -> Expression:
    return rebuilt(substitute(expression, lambda part: new if part == old else None))


def _innermost_branching(expression: Expression) -> Apply | None:
    found = [
        e for e in subexpressions(expression) if isinstance(e, Apply) and e.operation in _BRANCHING
    ]
    return found[-1] if found else None


def _difference(branching: Apply) -> Expression:
    x = branching.arguments
    if branching.operation == "where":
        assert isinstance(x[0], Apply)
        assert x[0].operation in COMPARISONS
        return Apply("subtract", x[0].arguments)
    return Apply("subtract", x) if len(x) == 2 else x[0]


def _between(low: Any, high: Any) -> Any:
    if mpmath.isinf(low) and mpmath.isinf(high):
        return mpmath.mpf("0.7320508")
    if mpmath.isinf(low):
        return high - 1 - abs(high) / 8
    return low + 1 + abs(low) / 8 if mpmath.isinf(high) else (low + high) / 2


def _bisect(function: Callable[[Any], Any], low: Any, high: Any) -> Any:
    below = function(low)
    for _ in range(4 * _DIGITS):
        middle = (low + high) / 2
        value = function(middle)
        if value == 0:
            return middle
        if value * below > 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _rational(place: Any) -> Constant:
    """Return a place as an exact number: short where it is one, else the nearest double."""
    short = Fraction(mpmath.nstr(place, 30)).limit_denominator(1000)
    if abs(mpmath.mpf(short.numerator) / short.denominator - place) < mpmath.mpf(10) ** -40:
        return Constant(short)
    return Constant(Fraction(float(place)))
