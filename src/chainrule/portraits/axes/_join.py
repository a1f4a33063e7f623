"""How two pieces meet at a breakpoint: whether the function jumps, and how its slope turns."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import mpmath
import sympy

from chainrule.derivations import time_limit
from chainrule.derivations.algebra._sympy import FAILURES
from chainrule.formulas import Expression
from chainrule.portraits._statement import Bounds
from chainrule.portraits.axes._axis import Axis
from chainrule.portraits.axes._domain import Edge
from chainrule.portraits.axes._line import Line
from chainrule.portraits.axes._places import exact_value
from chainrule.portraits.far_out import _tail

_SECONDS = 0.2
_APART = mpmath.mpf(10) ** -40
_DIGITS = 60


@dataclass(frozen=True)
class Join:
    """A breakpoint, and what is known of the function on both sides of it.

    Parameters
    ----------
    edge : Edge
    steps : tuple of int or None
        The sign of the value itself less that on the left, and of that on the right less the
        value itself; None where not settled.
    turn : int or None
        The sign of the slope on the right less that on the left.
    values, slopes : tuple of Bounds or None
        On the left and on the right.
    own : Bounds or None
        The value at the breakpoint itself.
    """

    edge: Edge
    steps: tuple[int | None, int | None]
    turn: int | None
    values: tuple[Bounds | None, Bounds | None]
    slopes: tuple[Bounds | None, Bounds | None]
    own: Bounds | None

    @property
    def jumps(self) -> bool | None:
        """Whether the function jumps; None where not settled."""
        if any(self.steps):
            return True
        return None if None in self.steps else False

    @property
    def bends(self) -> bool:
        """Whether the slopes on the two sides are not known to be equal."""
        return self.turn != 0

    def keeps(self, order: int, sign: int | None) -> bool:
        """Tell whether a derivative of one sign on both sides has it across the breakpoint.

        Parameters
        ----------
        order : int
            1 where the function is monotone, 2 where it is bent.
        sign : int, optional
        """
        allowed = (0, sign) if sign else (0,)
        if order == 1:
            return all(step in allowed for step in self.steps)
        return self.jumps is False and self.turn in allowed


def joins(axis: Axis) -> tuple[Join, ...]:
    """Return how the pieces meet at each breakpoint."""
    return tuple(_join(axis, k) for k in range(len(axis.edges)))


def _join(axis: Axis, k: int) -> Join:
    edge = axis.edges[k]
    left = next((line for line in axis.lines if line.span.high.breakpoint == k), None)
    right = next((line for line in axis.lines if line.span.low.breakpoint == k), None)
    (before, after), slopes = (
        [
            _Number.beside(line, end, order) if line else None
            for line, end in ((left, 1), (right, 0))
        ]
        for order in (0, 1)
    )
    own = _Number.own(axis, k)
    return Join(
        edge,
        (_step(before, own), _step(own, after)),
        _step(*slopes),
        (_bounds(before), _bounds(after)),
        (_bounds(slopes[0]), _bounds(slopes[1])),
        _bounds(own),
    )


def _bounds(number: _Number | None) -> Bounds | None:
    return None if number is None else number.bounds


@dataclass(frozen=True)
class _Number:
    """A number: between bounds, and in SymPy's terms where it is exact."""

    bounds: Bounds
    exact: Any

    @classmethod
    def beside(cls, line: Line, end: int, order: int) -> _Number | None:
        """Return the limit of a derivative at an end of a span."""
        bounds = line.at_end(end, order)
        if bounds is None:
            return None
        edge = line.ends[end].edge
        if line.is_regular(end, order):
            return cls(bounds, _exact(line.derivative(order), line.parameters, edge))
        return cls(bounds, line.ends[end].limit(order))

    @classmethod
    def own(cls, axis: Axis, k: int) -> _Number | None:
        """Return the value at a breakpoint itself."""
        bounds = axis.own_value(k)
        if bounds is None:
            return None
        return cls(bounds, _exact(axis.owns[k], axis.parameters, axis.edges[k]))


def _exact(e: Expression, parameters: dict[str, float], edge: Edge) -> Any:
    return None if edge.is_rounded else exact_value(e, parameters, edge.exact)


def _step(below: _Number | None, above: _Number | None) -> int | None:
    """Return the sign of a difference, or None where not settled."""
    if below is None or above is None:
        return None
    if below.bounds[1] < above.bounds[0]:
        return 1
    if below.bounds[0] > above.bounds[1]:
        return -1
    if below.exact is None or above.exact is None:
        # At a place that is known to the last digit alone, so are the values that meet there.
        rounded = below.exact is above.exact is None
        return 0 if rounded and all(map(math.isfinite, (*below.bounds, *above.bounds))) else None
    if below.exact == above.exact:
        return 0
    return _sign_of_number(below.exact, above.exact)


def _sign_of_number(below: Any, above: Any) -> int | None:
    try:
        with time_limit(_SECONDS):
            difference = above - below
            with mpmath.workdps(_DIGITS):
                value = mpmath.mpf(str(sympy.N(difference, _DIGITS)))
                if abs(value) > _APART:
                    return int(mpmath.sign(value))
            if difference.is_Rational:
                return int(sympy.sign(difference))
            return 0 if _tail.is_zero(difference) else None
    except FAILURES:
        return None
