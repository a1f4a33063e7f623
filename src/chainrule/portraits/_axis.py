"""Signs of a formula's derivatives and its limits on the whole axis, piece by piece."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import mpmath

from chainrule.derivations import Breakpoint, Piece, Pieces, TimeLimitError, evaluate, time_limit
from chainrule.derivations._pieces import differentiate
from chainrule.formulas import Expression, Formula, constant
from chainrule.portraits import _tail
from chainrule.portraits._interval import Program
from chainrule.portraits._signs import Signs, Stretch, Zero, sign_at, signs_between

_REACH = 64.0
_STEP_SECONDS = 1.0
_ZERO = mpmath.mpf(10) ** -40
_FAR = (8, 16, 32)  # powers of ten


@dataclass(frozen=True)
class Order:
    """The signs of one derivative on the axis, its programs and its limits.

    Parameters
    ----------
    signs : Signs
    programs : tuple of Program
        One a piece.
    limits : tuple
        At -inf and at inf: SymPy numbers, or None where not settled.
    """

    signs: Signs
    programs: tuple[Program, ...]
    limits: tuple[Any, Any]


def axis(formula: Formula, pieces: Pieces, deadline: float) -> tuple[Order, Order, Order]:
    """Return function (its signs unsettled), derivative and second derivative on the axis."""
    parameters = dict(formula.parameters)
    chains = [_chain(piece) for piece in pieces.pieces]
    programs = [tuple(Program(chain[k], parameters) for chain in chains) for k in range(4)]
    ends = [_End(chains[0], parameters, -1), _End(chains[-1], parameters, 1)]
    limits = [(ends[0].limit(k), ends[1].limit(k)) for k in range(3)]
    places = [b.place for b in pieces.breakpoints]
    orders = [Order(Signs((), ()), programs[0], limits[0])]
    for k in (1, 2):
        stretches: list[Stretch] = []
        zeros: list[Zero] = []
        tails = [end.sign(k, _least(places, end.side), programs) for end in ends]
        for j, chain in enumerate(chains):
            low = places[j - 1] if j else -tails[0][0]
            high = places[j] if j < len(places) else tails[1][0]
            if j == 0:
                stretches.append(Stretch(-math.inf, low, tails[0][1]))
            if chain[k] == constant(0):
                stretches.append(Stretch(low, high, 0))
            else:
                at_ends = (
                    _sign(chain[k], parameters, pieces.breakpoints[j - 1]) if j else tails[0][1],
                    _sign(chain[k], parameters, pieces.breakpoints[j])
                    if j < len(places)
                    else tails[1][1],
                )
                found = signs_between(
                    programs[k][j], programs[k + 1][j], low, high, deadline, at_ends
                )
                stretches += found.stretches
                zeros += found.zeros
            if j == len(chains) - 1:
                stretches.append(Stretch(high, math.inf, tails[1][1]))
        orders.append(Order(Signs(tuple(stretches), tuple(zeros)), programs[k], limits[k]))
    return orders[0], orders[1], orders[2]


def _chain(piece: Piece) -> tuple[Expression, Expression, Expression, Expression]:
    second = differentiate(piece.derivative)
    return piece.expression, piece.derivative, second, differentiate(second)


def _least(places: list[float], side: int) -> float:
    if not places:
        return 0.0
    return max(side * (places[-1] if side > 0 else places[0]), 0.0)


def _sign(e: Expression, parameters: dict[str, float], b: Breakpoint) -> int | None:
    """Return the sign at a breakpoint; 0 only where algebra shows that it is zero."""
    with mpmath.workdps(60):
        value = evaluate(e, {**parameters, "z": mpmath.mpf(b.place)})
        if not mpmath.isfinite(value):
            return None
        if abs(value) >= _ZERO:
            return int(mpmath.sign(value))
    try:
        with time_limit(0.2):
            return 0 if _tail.vanishes(e, parameters, b.location) else None
    except (TimeLimitError, ArithmeticError, ValueError, TypeError, NotImplementedError):
        return None


class _End:
    """The function and its derivatives towards one end of the axis."""

    def __init__(
        self, chain: tuple[Expression, ...], parameters: dict[str, float], side: int
    ) -> None:
        self.side, self.chain, self.parameters = side, chain, parameters
        self.forms: list[Any] = [None] * 3
        self.tails: list[_tail.Tail | None] = [None] * 3
        for k in range(3):
            try:
                with time_limit(_STEP_SECONDS):
                    self.forms[k] = _tail.exact_sympy(chain[k], parameters, side)
                    self.tails[k] = _tail.tail(self.forms[k])
            except (TimeLimitError, ArithmeticError, ValueError, TypeError, NotImplementedError):
                self.tails[k] = None

    def limit(self, order: int) -> Any:
        """Return the limit at this end, or None."""
        try:
            with time_limit(_STEP_SECONDS):
                found = self.tails[order]
                if found is not None:
                    return found.limit()
                if self.forms[order] is None:
                    return None
                value = _tail.limit_of(self.forms[order])
                return value if self._agrees(order, value) else None
        except Exception:  # SymPy's limits raise whatever they meet
            return None

    def _agrees(self, order: int, limit: Any) -> bool:
        """Check a limit against the values far out, which come ever closer to it."""
        if not (limit.is_number and limit.is_extended_real):
            return False
        with mpmath.workdps(60):
            far = [
                evaluate(
                    self.chain[order], {**self.parameters, "z": self.side * mpmath.mpf(10) ** k}
                )
                for k in _FAR
            ]
            if limit.is_infinite:
                sizes = [value if limit > 0 else -value for value in far]
                return bool(1 < sizes[0] <= sizes[1] <= sizes[2])
            exact = mpmath.mpf(str(limit.evalf(50)))
            errors = [abs(value - exact) for value in far]
            close = 1e-3 * (1 + abs(exact))
            return bool(close > errors[0] >= errors[1] >= errors[2] and errors[2] < close / 1e3)

    def sign(
        self, order: int, least: float, programs: list[tuple[Program, ...]]
    ) -> tuple[float, int | None]:
        """Return a place and the sign beyond it, None where not settled."""
        found = self._by_dominance(order, least)
        if found is None and order == 1:
            found = self._by_slope(least, programs[1][0 if self.side < 0 else -1])
        return found or (max(_REACH, 2 * least), None)

    def _by_dominance(self, order: int, least: float) -> tuple[float, int] | None:
        quotient = self.tails[order]
        if quotient is None:
            return None
        try:
            with time_limit(_STEP_SECONDS):
                found = _tail.first_place(quotient, least)
        except (TimeLimitError, ArithmeticError, ValueError, TypeError):
            return None
        return None if found is None else (float(found[0]), found[1])

    def _by_slope(self, least: float, function: Program) -> tuple[float, int] | None:
        """Settle a sign by a derivative that is monotone towards a known limit."""
        second, limit = self._by_dominance(2, least), self.limit(1)
        if second is None or limit is None:
            return None
        place, outward = second[0], self.side * second[1]
        if outward and limit * outward <= 0:
            return place, -outward
        if limit.is_finite and limit != 0 and outward:
            sign = sign_at(function, self.side * place)
            if sign == (1 if limit > 0 else -1):
                return place, sign
        return None
