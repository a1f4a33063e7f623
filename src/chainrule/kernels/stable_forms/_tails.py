"""Fields in which what vanishes faster than any exponential of `z` is a factor of its own.

``1 - erf(u)`` is ``exp(-u**2) erfcx(u)``, so that exponentials cancel before they are computed:
float64 ends where u is 27, and logarithms and quotients of error functions do not.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from functools import reduce
from itertools import pairwise
from typing import Any

import sympy

from chainrule.derivations import Field, Generator
from chainrule.formulas import Apply, Expression, Variable, subexpressions, variables_of
from chainrule.kernels.stable_forms._hyperbolic import HyperbolicField

_Z = Variable("z")
_FAR = 20.0  # from 0, of what the error function is taken of: erfcx overflows at -26
_DIGITS, _MOST_DIGITS = 100, 3000  # 1 - erf(11.3) has lost 57
_AROUND = (0.31, 1.7, 4.9, 11.3)  # where an error function has not become constant


@dataclass(frozen=True)
class Region:
    """An interval of x on which every error function has one tail.

    Parameters
    ----------
    low, high : float
    start : sympy.Expr
        The lower end, over the parameters.
    places : tuple of float
        At which an error function is no constant: forms are compared there. They hold for
        negative x, too.
    digits : int
        That tell error functions there from 1 and -1.
    """

    low: float
    high: float
    start: Any
    places: tuple[float, ...] = _AROUND
    digits: int = _DIGITS

    @property
    def middle(self) -> float:
        """A place on the interval, as far from its ends as can be."""
        return self.high if math.isinf(self.high) else (self.low + self.high) / 2


WHOLE = Region(0.0, math.inf, sympy.Integer(0))


@dataclass
class TailField(HyperbolicField):
    """A field for one sign of `z` that writes error functions over ``erfcx``."""

    region: Region = WHOLE
    squares: dict[Any, Any] = dataclass_field(default_factory=dict)  # -u**2 -> symbol of u

    def prepare(self, *expressions: Expression) -> None:
        """Choose one exponential for all whose exponents are whole multiples of one another."""
        super().prepare(*expressions)
        parts = [e for whole in expressions for e in subexpressions(whole) if isinstance(e, Apply)]
        exponents = [found for e in parts for found in self._exponents_in(e)]
        while exponents:
            first = exponents[0]
            ratios = [sympy.cancel(exponent / first) for exponent in exponents]
            unit = reduce(sympy.gcd, [abs(ratio) for ratio in ratios if ratio.is_Rational])
            if any(e.operation == "sqrt" and variables_of(e) for e in parts):
                unit /= 2
            self._exp_generator(sympy.expand(first * unit))
            exponents = [e for e, r in zip(exponents, ratios, strict=True) if not r.is_Rational]

    def _exponents_in(self, e: Apply) -> Iterator[Any]:
        if e.operation not in ("exp", "erf"):
            return
        argument = sympy.expand(self.translation.to_sympy(e.arguments[0]))
        argument = argument.subs(self.translation.symbol(_Z), self.z)
        if not argument.is_polynomial(self.x):
            return
        if e.operation == "erf" and is_centred_far_out(self, argument):
            u = sympy.expand(self._sign(argument) * argument)
            # Squared, not expanded: far from 0 the terms of its square cancel.
            self.squares.setdefault(sympy.expand(-(u**2)), self._new("line", u))
        exponent = sympy.expand(argument if e.operation == "exp" else -(argument**2))
        if sympy.degree(exponent, self.x) > 1:
            yield exponent if self._leading(exponent) < 0 else -exponent

    def _leading(self, argument: Any) -> float:
        return self.number(sympy.Poly(argument, self.x).LC())

    def _sign(self, argument: Any) -> int:
        """Return the sign of an argument in the region."""
        if math.isinf(self.region.middle) or not is_centred_far_out(self, argument):
            return 1 if self._leading(argument) > 0 else -1
        return 1 if self.number(argument.subs(self.x, self.region.middle)) > 0 else -1

    def _opaque(self, kind: str, argument: Any) -> Any:
        if kind != "erf" or not self.depends(argument) or not self._is_polynomial(argument):
            return super()._opaque(kind, argument)
        sign = self._sign(argument)
        u = sympy.expand(sign * argument)
        square = sympy.expand(-(u**2))
        ratio = self._new("erfcx", self.squares.get(square, u))
        return sign * (1 - self._exp_generator(square) * ratio)

    def _exp_generator(self, argument: Any) -> Any:
        for square, u in self.squares.items():
            times = sympy.cancel(sympy.expand(argument) / square)
            if times.is_Rational:
                power = super()._exp_generator(-abs(times) * u**2)
                return power if times > 0 else 1 / power
        return super()._exp_generator(argument)

    def log(self, argument: Any) -> Any:
        """``log(exp(p)**k R) -> k p + log(R)``."""
        rest, exponent = self._without_exponentials(argument, 1)
        return exponent + super().log(rest)

    def root(self, argument: Any) -> Any:
        """``sqrt(exp(p)**(2 k) R) -> exp(p)**k sqrt(R)``."""
        rest, exponent = self._without_exponentials(argument, 2)
        return self.exp(exponent / 2) * super().root(rest)

    def _without_exponentials(self, argument: Any, step: int) -> tuple[Any, Any]:
        """Return what is left of a quotient, and the exponent of what was taken out of it."""
        rest, exponent = sympy.cancel(sympy.together(argument)), sympy.Integer(0)
        for g in [g for g in self.generators if g.kind == "exp" and g is not self.exponential]:
            for sign, part in zip((1, -1), sympy.fraction(rest), strict=True):
                power = min(monomial[0] for monomial in sympy.Poly(part, g.symbol).monoms())
                power -= power % step
                rest = sympy.cancel(rest / g.symbol ** (sign * power))
                exponent += sign * power * g.argument
        return rest, exponent


def _is_line(field: Field, argument: Any) -> bool:
    is_line = argument.is_polynomial(field.x) and sympy.degree(argument, field.x) == 1
    return is_line and not argument.free_symbols & {g.symbol for g in field.generators}


def is_centred_far_out(field: Field, argument: Any) -> bool:
    """Tell whether an error function's argument changes its sign, and is far from 0 at 0."""
    argument = sympy.expand(argument)
    if not _is_line(field, argument):
        return False
    start = field.number(argument.subs(field.x, 0))
    return abs(start) > _FAR and start * field.number(argument.coeff(field.x, 1)) < 0


def regions(field: Field) -> list[Region]:
    """Return what the centres of error functions far out part the x of one sign into."""
    ends = {0.0: sympy.Integer(0), math.inf: sympy.oo}
    widths: dict[float, float] = {}
    for g in field.generators:
        argument = sympy.expand(g.argument)
        if g.kind == "erf" and _is_line(field, argument):
            centre = sympy.cancel(-argument.subs(field.x, 0) / argument.coeff(field.x, 1))
            place = field.number(centre)
            widths[place] = 1 / abs(field.number(argument.coeff(field.x, 1)))
            if is_centred_far_out(field, argument):
                ends[place] = centre
    return [
        Region(low, high, ends[low], *_compared(low, high, widths))
        for low, high in pairwise(sorted(ends))
    ]


def _compared(low: float, high: float, widths: dict[float, float]) -> tuple[tuple[float, ...], int]:
    """Return places inside a region at which error functions change, and the digits needed."""
    if not widths:
        return _AROUND, _DIGITS
    centre = high if high in widths else low if low in widths else min(widths)
    turned = -1 if centre == high else 1
    places = tuple(centre + turned * widths[centre] * k for k in _AROUND)
    largest = max(abs(x - place) / width for x in places for place, width in widths.items())
    return places, min(_DIGITS + int(largest**2 / math.log(10)), _MOST_DIGITS)


def loses_tails(field: Field, above: Any, below: Any, parts: Sequence[Region]) -> bool:
    """Tell whether all of a quotient vanishes where exponentials have, or of a logarithm.

    Or what some argument is divided by.
    """
    places = {place for region in parts for place in (region.low, region.middle)}
    if len(parts) == 1:
        places = {math.inf}
    return any(_vanishes(field, above, below, place) for place in sorted(places))


def _vanishes(field: Field, above: Any, below: Any, place: float) -> bool:
    gone = {}
    for g in field.generators:
        if g is field.exponential or not g.argument.is_polynomial(field.x):
            continue
        if g.kind not in ("exp", "erf"):
            continue
        at = sympy.Poly(g.argument, field.x).LC()
        if at.free_symbols & {g.symbol for g in field.generators}:
            at = None
        elif not math.isinf(place):
            at = g.argument.subs(field.x, place)
        if g.kind == "exp" and (math.isinf(place) or (at and field.number(at) < -(_FAR**2))):
            gone[g.symbol] = 0
        elif g.kind == "erf" and at and (math.isinf(place) or abs(field.number(at)) > _FAR):
            gone[g.symbol] = 1 if field.number(at) > 0 else -1

    def vanishes(e: Any) -> bool:
        return bool(e.has(*gone) and sympy.expand(e.subs(gone)) == 0)

    def vanishes_in(g: Generator) -> bool:
        above, below = sympy.fraction(sympy.together(g.argument))
        return vanishes(below) or (g.kind in ("log", "sqrt") and vanishes(above))

    is_inside = any(map(vanishes_in, field.generators))
    return bool(gone) and (is_inside or (vanishes(above) and vanishes(below)))
