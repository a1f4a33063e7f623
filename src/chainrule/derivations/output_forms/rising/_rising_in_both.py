"""Layers of ``a_j = H(z_j, T)`` with one ``T = R(u(z))``, a sum, mean or extreme over the units.

Let H rise strictly with z_j and rise with T, and T with every unit; and let two layers z and w have
the same outputs, with T at z no less than at w. Then no z_j is above w_j, as ``H(z_j, T)`` would be
above ``H(w_j, T)``, which is at least a_j; so T is no more at z than at w, hence the same, and with
it the layer. Likewise where H falls with T, and T with every unit. And where T is the largest or
smallest ``u(z)`` and u strictly monotone, one unit's output is ``H(z, u(z))``: where that rises
strictly, the largest or smallest output tells T.

Where H is odd in z and u even the same holds of the units' magnitudes. And where ``H(0, T)`` is
one number for any T, and H rises with z on either side, outputs tell the units' signs, and the
argument is made for either sign by itself: ``tanh(z)*mean(max(z, 0))``.

Where T may be 0, and all outputs are 0 then whatever z is, H need not rise: these layers have no
derivative, as u is nowhere negative and tells its slope, which is 0 where u is. Nor need it where
only a layer of zeros has T = 0, and ``H(0, T) = 0``: that is the only one with such outputs.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from itertools import pairwise
from math import inf

from chainrule.derivations._graph import computation_graph
from chainrule.derivations.algebra._arithmetic import ZERO, negate, rebuilt
from chainrule.derivations.output_forms.rising._invariance import is_even, is_odd
from chainrule.derivations.output_forms.rising._rising_layers import NEGLIGIBLE, Rising, number_of
from chainrule.derivations.output_forms.signs._signs import proved_sign
from chainrule.derivations.pieces._pieces import TooManyPiecesError, smooth_pieces
from chainrule.formulas import (
    REDUCTIONS,
    Apply,
    Constant,
    Expression,
    Formula,
    Parameter,
    Variable,
    is_layer_coupled,
    subexpressions,
    substitute,
    variables_of,
)

PROOF = (
    "{} = H(z_j, T) with one T for all units, H rises or falls strictly with z_j, and the output "
    "tells T"
)
_Z, _T = Variable("z"), Parameter("shared_by_the_layer")
_EXTREMES = ("max", "min")
_WHOLE = ("sum", "mean", "max")  # of nowhere negative numbers: 0 where all of them are
_Ways = tuple[int, int | None, bool]
_RISE = ("exp", "expm1", "log", "log1p", "sqrt", "tanh", "sinh", "atan", "asinh", "erf")


class _UnknownError(Exception):
    """A direction or a sign that is not proved."""


def is_determined(e: Expression, values: Mapping[str, float]) -> bool:
    """Tell whether a layer is ``H(z, T)`` as above."""
    shared = dict.fromkeys(part for part in subexpressions(e) if _is_reduction(part))
    if len(shared) != 1:
        return False
    (total,) = shared
    assert isinstance(total, Apply)
    inner = total.arguments[0]
    named = substitute(e, lambda part: _T if part == total else None)
    if is_layer_coupled(inner) or is_layer_coupled(named):
        return False
    mirrored: dict[Expression, Expression] = {_Z: negate(_Z)}
    turned = substitute(inner, mirrored.get)
    sign, is_positive = sign_from(inner, values, -inf, None)
    least = 0.0 if sign > 0 else -inf  # that T may be
    bounds = [None if is_positive else least]  # of T, where it may be it
    if bounds[0] == 0 and total.operation in _WHOLE:
        is_zero_alone = all(sign_from(u, values, 0.0, None) == (1, True) for u in (inner, turned))
        if _vanishes(named, _T, values) or (is_zero_alone and _vanishes(named, _Z, values)):
            bounds.append(None)

    def tells(h: Expression, u: Expression, low: float, bound: float | None, *, one: bool) -> int:
        try:
            return _Directions(u, values, low, least, bound).tell(h, total, one=one)
        except _UnknownError:
            return 0

    other_side = negate(substitute(named, mirrored.get))
    sides = [(_one_side(e, values), u) for e, u in ((named, inner), (other_side, turned))]
    alike = is_odd(computation_graph(named)) and is_even(computation_graph(inner))
    return any(
        tells(named, inner, -inf, bound, one=True)
        or (alike and tells(named, inner, 0.0, bound, one=True))
        or (
            _is_fixed_at_zero(named, values)
            and {tells(h, u, 0.0, bound, one=False) for h, u in sides} in ({1}, {-1})
        )
        for bound in bounds
    )


def _one_side(e: Expression, values: Mapping[str, float]) -> Expression:
    """Take the branches that z above 0 takes, if both they and the others begin with 0 there."""
    beyond = _beyond_zero(e, values)
    return beyond if all(_vanishes(part, _Z, values) for part in (beyond, e)) else e


def _beyond_zero(e: Expression, values: Mapping[str, float]) -> Expression:
    """Take the branches that z above 0 takes, where a condition on z alone tells."""

    def chosen(part: Expression) -> Expression | None:
        match part:
            case Apply("where", (Apply(comparison, (x, y)), above, below)):
                apart = Apply("subtract", (x, y))
                if _T in subexpressions(apart):
                    return None
                side, is_nowhere_zero = sign_from(apart, values, 0.0, None)
                if not is_nowhere_zero or comparison in ("equal", "not_equal"):
                    return None
                holds = (side > 0) == comparison.startswith("greater")
                return _beyond_zero(above if holds else below, values)
        return None

    return substitute(e, chosen)


def _is_fixed_at_zero(e: Expression, values: Mapping[str, float]) -> bool:
    """Tell whether ``H(0, T)`` is the same for any T."""
    if _T not in subexpressions(e) or _vanishes(e, _Z, values):
        return True
    match e:
        case Apply("add" | "subtract", parts) | Apply("negate", parts):
            return all(_is_fixed_at_zero(part, values) for part in parts)
    return False


def _vanishes(e: Expression, variable: Expression, values: Mapping[str, float]) -> bool:
    """Tell whether ``H(z, T)`` is 0 wherever one of the two is."""
    if not {_Z, _T} <= set(subexpressions(e)):
        if variable not in subexpressions(e):
            return False
        zero: dict[Expression, Expression] = {variable: ZERO}
        return bool(abs(number_of(substitute(e, zero.get), values)) < NEGLIGIBLE)
    match e:
        case Apply("add" | "subtract" | "maximum" | "minimum", (x, y)):
            return _vanishes(x, variable, values) and _vanishes(y, variable, values)
        case Apply("where", (_, x, y)):
            return _vanishes(x, variable, values) and _vanishes(y, variable, values)
        case Apply("multiply", (x, y)):
            return _vanishes(x, variable, values) or _vanishes(y, variable, values)
        case Apply("divide" | "negate", (x, *_)):
            return _vanishes(x, variable, values)
    return False


def _is_reduction(e: Expression) -> bool:
    return isinstance(e, Apply) and e.operation in REDUCTIONS and "z" in variables_of(e)


class _Directions:
    """Which way expressions go with z, from a place on, and with T, from the least it may be."""

    def __init__(
        self,
        inner: Expression,
        values: Mapping[str, float],
        low: float,
        least: float,
        bound: float | None,
    ) -> None:
        self.inner, self.values, self.low = inner, values, low
        self.least, self.bound = least, bound
        self.upwards, self.downwards = Rising(values, 1), Rising(values, -1)

    def tell(self, e: Expression, total: Apply, *, one: bool) -> int:
        """Return which way the output goes with z where it determines the layer, else 0.

        If need be, and wanted, by `one` unit that has T.
        """
        own, shared, strict = self.of(e)
        if not own or not strict:
            return 0
        if shared is not None:
            along = self.direction(self.inner, self.low)
            if along is not None and own * shared * along >= 0:
                return own
        if not one or total.operation not in _EXTREMES or not self.of_one(self.inner, self.low)[0]:
            return 0
        there = rebuilt(substitute(e, lambda part: self.inner if part == _T else None))
        return own if self.of_one(there, self.low)[1] else 0

    def direction(self, e: Expression, low: float, *, closed: bool = True) -> int | None:
        """Return the direction of an expression in z alone, if it has one."""
        try:
            return self.of_one(e, low, closed=closed)[0]
        except _UnknownError:
            return None

    def of(self, e: Expression) -> _Ways:
        """Return 1, -1 or 0 for z and for T, and whether strictly so with z; None if unknown."""
        has_z, has_t = _Z in subexpressions(e), _T in subexpressions(e)
        if not has_t:
            direction, strict = self.of_one(e, self.low) if has_z else (0, False)
            return direction, 0, strict
        if not has_z:
            along = self.direction(_with_z_for_t(e), self.least, closed=self.bound is not None)
            return 0, along, False
        match e:
            case Apply("add", (x, y)):
                return _together(self.of(x), self.of(y))
            case Apply("subtract", (x, y)):
                return _together(self.of(x), _turned(self.of(y), -1))
            case Apply("minimum" | "maximum", (x, y)):
                one, other = self.of(x), self.of(y)
                return (*_together(one, other)[:2], one[2] and other[2])
            case Apply("multiply", (x, y)):
                return self.product(x, y)
            case Apply("divide", (x, y)):
                return self.product(x, Apply("reciprocal", (y,)))
            case Apply("negate", (x,)):
                return _turned(self.of(x), -1)
            case Apply(operation, (x,)) if operation in _RISE:
                return self.of(x)
        raise _UnknownError

    def product(self, x: Expression, y: Expression) -> _Ways:
        parts = []
        for one, other in ((x, y), (y, x)):
            directions = self.of_factor(one)
            if directions[:2] != (0, 0):
                sign, strict = self.sign(other)
                own, shared, own_strict = _turned(directions, sign)
                parts.append((own, shared, own_strict and strict))
        return _together(*parts) if len(parts) == 2 else parts[0]

    def of_factor(self, e: Expression) -> _Ways:
        if isinstance(e, Apply) and e.operation == "reciprocal":
            if not self.sign(e.arguments[0])[1]:
                raise _UnknownError
            return _turned(self.of(e.arguments[0]), -1)
        return self.of(e)

    def of_one(self, e: Expression, low: float, *, closed: bool = True) -> tuple[int, bool]:
        """Return the direction of an expression in z alone, and whether strictly so.

        From a place on: where that counts itself, the expression must not jump there.
        """
        e = rebuilt(e)
        for rising, direction in ((self.upwards, 1), (self.downwards, -1)):
            if rising.rises(e, low) and (low == -inf or not closed or rising.begins(e, low)):
                return direction, rising.rises(e, low, strictly=True)
        raise _UnknownError

    def sign(self, e: Expression) -> tuple[int, bool]:
        """Return the sign of an expression in z or in T, and whether it vanishes nowhere."""
        if isinstance(e, Apply) and e.operation == "reciprocal":
            return self.sign(e.arguments[0])
        has_z, has_t = _Z in subexpressions(e), _T in subexpressions(e)
        if not has_z and not has_t:
            number = number_of(e, self.values)
            return int(number > 0) - int(number < 0), bool(abs(number) > NEGLIGIBLE)
        if has_z and has_t:
            raise _UnknownError
        if has_z:
            return sign_from(e, self.values, self.low, self.low)
        return sign_from(_with_z_for_t(e), self.values, self.least, self.bound)


def sign_from(
    e: Expression, values: Mapping[str, float], low: float, first: float | None
) -> tuple[int, bool]:
    """Return the sign of an expression in z alone from a place on, and whether it vanishes nowhere.

    Parameters
    ----------
    e : Expression
    values : mapping of str to float
        Of the parameters.
    low : float
        The place, which may be infinite.
    first : float or None
        The same, or None where the place itself does not count.

    Returns
    -------
    tuple of int and bool
        0 where no sign is proved.
    """
    if e == _Z and low == 0:
        return 1, first is None
    try:
        cut = smooth_pieces(Formula(rebuilt(e), tuple(values.items())))
    except TooManyPiecesError:
        return 0, False
    ends = [-inf, *(b.place for b in cut.breakpoints), inf]
    places: list[Expression] = [b.location for b in cut.breakpoints if b.place > low]
    if first is not None and first > -inf:
        places.append(Constant(Fraction(first)))
    put_in: list[dict[Expression, Expression]] = [{_Z: place} for place in places]
    there = [number_of(substitute(e, known.get), values) for known in put_in]
    for strict in (True, False):
        signs = {
            _sign_of_piece(piece.expression, values, max(low, left), right, strict=strict)
            for piece, (left, right) in zip(cut.pieces, pairwise(ends), strict=True)
            if right > low
        }
        if not strict and len(signs) == 2:
            signs.discard(0)
        (sign, *others) = signs
        if sign and not others:
            if not all(sign * value > -NEGLIGIBLE for value in there):
                return 0, False
            return sign, strict and all(sign * value > NEGLIGIBLE for value in there)
    return 0, False


def _sign_of_piece(
    piece: Expression, values: Mapping[str, float], low: float, high: float, *, strict: bool
) -> int | None:
    """Return 0 where a piece is zero, and None where its sign is not proved."""
    if piece == ZERO:
        return 0
    return proved_sign(piece, values, low, high, strict=strict) or None


def _with_z_for_t(e: Expression) -> Expression:
    return substitute(e, lambda part: _Z if part == _T else None)


def _turned(directions: _Ways, sign: int) -> _Ways:
    if sign == 0:
        raise _UnknownError
    own, shared, strict = directions
    return sign * own, None if shared is None else sign * shared, strict


def _together(one: _Ways, other: _Ways) -> _Ways:
    if one[0] * other[0] < 0:
        raise _UnknownError
    known = [shared for shared in (one[1], other[1]) if shared is not None]
    is_known = len(known) == 2 and min(known) * max(known) >= 0
    return one[0] or other[0], (known[0] or known[1]) if is_known else None, one[2] or other[2]
