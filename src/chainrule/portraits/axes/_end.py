"""A function and its derivatives towards an end: limits, and the sign near enough to it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import partial
from typing import Any

import sympy

from chainrule.derivations import time_limit
from chainrule.derivations.algebra._sympy import FAILURES
from chainrule.formulas import Expression
from chainrule.portraits.axes._domain import Edge
from chainrule.portraits.enclosures._interval import Program
from chainrule.portraits.far_out import _tail
from chainrule.portraits.far_out._expansion import (
    STARTS,
    expansion,
    first_place,
    first_place_in_logarithm,
    has_logarithm,
    in_logarithm,
    limit_by_continuity,
    limit_of_factors,
)
from chainrule.portraits.far_out._factors import sign_of_factors, strict_sign
from chainrule.portraits.far_out._series import NotExpandedError, Series, Wave

_STEP_SECONDS = 1.0
_REACH = 64.0


class End:
    """The way to one end of a span: to ±∞, or to a place from one side.

    Parameters
    ----------
    derivative : callable
        Returns the function's derivative of an order.
    parameters : mapping of str to float
    edge : Edge
    side : int
        1 where the span lies left of the edge, -1 where it lies right of it.
    """

    def __init__(
        self,
        derivative: Callable[[int], Expression],
        parameters: Mapping[str, float],
        edge: Edge,
        side: int,
    ) -> None:
        self.edge, self.side, self.parameters = edge, side, parameters
        self.derivative = derivative
        self._forms: dict[int, Any] = {}
        self._tails: dict[int, _tail.Tail | None] = {}
        self._limits: dict[int, Any] = {}
        self._series: dict[tuple[int, Fraction, bool], Series | None] = {}

    @property
    def is_finite(self) -> bool:
        """Whether it is a place on the axis."""
        return bool(self.edge.exact.is_finite)

    def form(self, order: int) -> Any:
        """Return a derivative in x, which goes to ∞, or None where algebra cannot look into it."""
        if self.edge.is_rounded:
            return None
        if order not in self._forms:
            form = None
            try:
                with time_limit(_STEP_SECONDS):
                    e = self.derivative(order)
                    form = (
                        _tail.near(e, self.parameters, self.edge.exact, -self.side)
                        if self.is_finite
                        else _tail.exact_sympy(e, self.parameters, self.side)
                    )
            except FAILURES:
                pass
            known = form is not None and form.free_symbols <= {_tail.X}
            self._forms[order] = form if known else None
        return self._forms[order]

    def tail(self, order: int) -> _tail.Tail | None:
        """Return a derivative as a quotient of sums of terms in x, or None."""
        if order not in self._tails:
            try:
                with time_limit(_STEP_SECONDS):
                    form = self.form(order)
                    self._tails[order] = None if form is None else _tail.tail(form)
            except FAILURES:
                self._tails[order] = None
        return self._tails[order]

    def series(self, order: int, start: Fraction, *, logarithmic: bool = False) -> Series | None:
        """Return a derivative's expansion for every x from a start on, or None.

        Parameters
        ----------
        order : int
        start : Fraction
        logarithmic : bool
            Whether it is one in log x, and so is the start.
        """
        key = (order, start, logarithmic)
        if key not in self._series:
            found = None
            try:
                with time_limit(_STEP_SECONDS):
                    form = self.form(order)
                    if form is not None and (not logarithmic or has_logarithm(form)):
                        found = expansion(in_logarithm(form) if logarithmic else form, start)
            except FAILURES:
                pass
            self._series[key] = found
        return self._series[key]

    def wave(self, order: int) -> Wave | None:
        """Return how a derivative swings for ever towards this end, where it is proved to."""
        form = self.form(order)
        if form is None or not form.has(sympy.sin, sympy.cos):
            return None
        found = self.series(order, Fraction(STARTS[-1]))
        try:
            return None if found is None else found.wave()
        except NotExpandedError:
            return None

    def size_beyond(self, order: int, place: float) -> float:
        """Bound a derivative's size from a place on to an infinite end; ∞ where none is known."""
        try:
            with time_limit(_STEP_SECONDS):
                found = self.series(order, Fraction(math.floor(self.side * place)))
                return math.inf if found is None else float(found.size()) * (1 + 1e-12)
        except FAILURES:
            return math.inf

    def limit(self, order: int) -> Any:
        """Return the limit at this end, a SymPy number or ±oo, or None."""
        if order not in self._limits:
            self._limits[order] = self._limit(order)
        return self._limits[order]

    def _limit(self, order: int) -> Any:
        start = Fraction(STARTS[-1])
        try:
            with time_limit(_STEP_SECONDS):
                form = self.form(order)
                found = None if form is None else limit_by_continuity(form)
                if found is not None:
                    return found
        except FAILURES:
            pass
        ways: tuple[Callable[[], _tail.Tail | Series | None], ...] = (
            lambda: self.tail(order),
            lambda: self.series(order, start),
            lambda: self.series(order, start, logarithmic=True),
        )
        for way in ways:
            expanded = way()
            try:
                with time_limit(_STEP_SECONDS):
                    if expanded is not None:
                        return expanded.limit()
            except FAILURES:
                continue
        try:
            with time_limit(_STEP_SECONDS):
                form = self.form(order)
                is_known = form is not None and has_logarithm(form)
                return limit_of_factors(form, start) if is_known else None
        except FAILURES:
            return None

    def sign(self, order: int, least: float) -> tuple[float, int] | None:
        """Return a place and the sign from there to the end, or None where it is not settled.

        Parameters
        ----------
        order : int
        least : float
            The least x, of ``side*z`` or of one over the distance, at which the place may lie.
        """
        quotient = self.tail(order)
        wave = self.wave(order)
        if wave is not None and wave.turns:
            return None
        try:
            with time_limit(_STEP_SECONDS):
                if quotient is not None:
                    found = _tail.first_place(quotient, least)
                else:
                    found = first_place(partial(self.series, order), least)
                    found = found or first_place_in_logarithm(
                        partial(self.series, order, logarithmic=True), least
                    )
                    if found is None and self.form(order) is not None:
                        found = sign_of_factors(self.form(order), least)
        except FAILURES:
            found = None
        if found is None or float(found[0]) < least:
            return None
        return self.at(float(found[0])), found[1]

    def strict_sign(self, program: Program, least: float) -> tuple[float, int] | None:
        """Return a place and the sign from there to the end by the signs of a program's lines."""
        for factor in (1.01, 2.0, 4.0, 16.0, 64.0):
            place = self.at(max(least, 1.0) * factor)
            sign = strict_sign(program, *sorted((place, self.edge.place)))
            if sign:
                return place, sign
        return None

    def at(self, x: float) -> float:
        """Return the place on the axis for an x."""
        if not self.is_finite:
            return self.side * x
        return self.inside - self.side * (1 - 1e-15) / x

    def sign_by_slope(
        self, order: int, beyond: tuple[float, int] | None, function: Program
    ) -> tuple[float, int] | None:
        """Settle a sign by a derivative of known sign beyond a place, and the limit.

        Parameters
        ----------
        order : int
        beyond : tuple of float and int, optional
            From where on the next derivative has which sign.
        function : Program
        """
        limit = self.limit(order) if beyond is not None and beyond[1] else None
        if beyond is None or limit is None:
            return None
        place, outward = beyond[0], self.side * beyond[1]
        if limit * outward <= 0:
            return place, -outward
        if self.is_finite:
            return None
        # It moves away from zero: once it has the limit's sign, it keeps it.
        wanted = 1 if limit > 0 else -1
        for factor in (1.0, 2.0, 4.0, 16.0, 256.0):
            further = self.side * max(abs(place), 1.0) * factor
            low, high = function.at(further)
            if low * wanted > 0 and high * wanted > 0:
                return further, wanted
        return None

    @property
    def inside(self) -> float:
        """The double nearest to a place, on the side of the span."""
        low, high = self.edge.bounds
        return low if self.side > 0 else high

    def unsettled_place(self, least: float) -> float:
        """Return where the axis is cut when nothing is known of the way to the end."""
        return self.at(max(_REACH, 2 * least)) if not self.is_finite else self.edge.place
