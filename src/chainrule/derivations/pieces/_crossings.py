"""Where the two sides of a comparison meet, and where one of them ceases to be defined."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from functools import partial
from typing import Any

import mpmath
import sympy

from chainrule.derivations._evaluate import evaluate
from chainrule.derivations.algebra._sympy import Translation, attempt
from chainrule.formulas import Apply, Constant, Expression, Parameter, Variable, variables_of

MANY_DIGITS = 400  # by which the smallest doubles are told from rounding
_Z = Variable("z")
_SMALL = (330, 300, 250, 200, 150, 100, 60, 40, 25, 15, 8, 4)  # powers of ten near 0
_SECONDS = 0.5
_FAR = 1000  # exponentials of less can be had
_LEAST = mpmath.mpf(10) ** -400_000  # of less, one side may be too small to be had
_NEAR = 30  # digits to which a short fraction must be the place

Crossing = tuple[Expression, Any]


class TooManyCrossingsError(Exception):
    """There are more crossings than are of use."""


def crossings_of(
    difference: Expression,
    values: Mapping[str, Any],
    between: tuple[Any, Any] = (-mpmath.inf, mpmath.inf),
    most: int | None = None,
) -> tuple[list[Crossing], bool]:
    """Return where a smooth difference changes sign, vanishes, or begins or ceases to be defined.

    Parameters
    ----------
    difference : Expression
    values : mapping of str to float
        Of the parameters.
    between : pair of mpf
        Where they are of interest; others may be found too.
    most : int, optional
        How many are of use.

    Returns
    -------
    tuple
        Locations, exact where the difference is a quotient of polynomials of low degree, with their
        places in mpmath's current precision, from left to right; and whether they were looked for
        on a grid, which may miss some.

    Raises
    ------
    TooManyCrossingsError
        There are more between the two places.
    """
    if "z" not in variables_of(difference):
        return [], False
    exact = exact_crossings(difference, values)
    found = exact if exact is not None else _Scan(difference, values).crossings(between, most)
    return sorted(found, key=lambda crossing: crossing[1]), exact is None


def exact_crossings(difference: Expression, values: Mapping[str, Any]) -> list[Crossing] | None:
    """Return where a quotient of polynomials of low degree is zero, or has a pole and changes sign.

    None of anything else.
    """
    return attempt(_SECONDS, lambda: _roots(difference, values), None)


def _roots(difference: Expression, values: Mapping[str, Any]) -> list[Crossing] | None:
    translation = Translation()
    z = translation.symbol(_Z)
    quotient = sympy.cancel(sympy.together(translation.to_sympy(difference)))
    hidden = (translation.meaning[symbol] for symbol in quotient.free_symbols if symbol != z)
    if any("z" in variables_of(part) for part in hidden):
        return None
    above, below = map(sympy.expand, sympy.fraction(quotient))
    if any(not e.is_polynomial(z) or sympy.degree(e, z) > 2 for e in (above, below)):
        return None
    poles = sympy.roots(below, z) if below.has(z) else {}
    odd = (pole for pole, multiplicity in poles.items() if multiplicity % 2)
    found: dict[Any, Expression] = {}
    for root in (*sympy.roots(above, z), *odd):
        if not _is_real(root, translation, values):
            continue
        location = translation.to_expression(root)
        place = evaluate(location, values)
        if mpmath.isfinite(place):
            # Two roots that are one, for these values, are no root of either name.
            found[place] = _located(place) if place in found else location
    return [(location, place) for place, location in found.items()]


def _is_real(root: Any, translation: Translation, values: Mapping[str, Any]) -> bool:
    numbers = {
        symbol: sympy.Float(values[leaf.name], 30)
        for symbol, leaf in translation.meaning.items()
        if isinstance(leaf, Parameter)
    }
    value = sympy.N(root.subs(numbers), 30)
    return bool(abs(sympy.im(value)) <= 1e-25 * abs(value))


class _Scan:
    """A search for crossings on a grid that covers the doubles."""

    def __init__(self, difference: Expression, values: Mapping[str, Any]) -> None:
        self.difference, self.values = difference, values

    def at(self, z: Any, digits: int = 0) -> Any:
        # Next to 0 a difference of numbers about 1 needs as many digits as z has zeros.
        usual = MANY_DIGITS if 0 < abs(z) < 1e-8 else mpmath.mp.dps
        with mpmath.workdps(digits or usual):
            return evaluate(self.difference, {**self.values, "z": z})

    def value(self, z: Any) -> Any:
        value = self.at(z)
        # Or two sides touch nearby, at 0.
        return self.at(z, 3 * MANY_DIGITS) if value == 0 and z != 0 else value

    def is_defined(self, z: Any) -> bool:
        return not mpmath.isnan(self.at(z))

    def is_beyond_numbers(self, z: Any) -> bool:
        """Tell whether two exponentials are compared that are too large, or small, to be had."""
        parts = self.difference.arguments if isinstance(self.difference, Apply) else ()
        if len(parts) != 2:
            return False
        values = [evaluate(part, {**self.values, "z": z}) for part in parts]
        return all(map(mpmath.isinf, values)) or (abs(z) > _FAR and not any(values))

    def crossings(self, between: tuple[Any, Any], most: int | None) -> list[Crossing]:
        found: list[Callable[[], Any]] = []
        before: tuple[Any, Any] | None = None  # the last place with a sign, and its value
        last: tuple[Any, bool] | None = None
        grid = _grid()
        values = [self.value(x) for x in grid]
        for k, (x, value) in enumerate(zip(grid, values, strict=True)):
            if (value == 0 or mpmath.isnan(value)) and self.is_beyond_numbers(x):
                continue
            defined = not mpmath.isnan(value)
            is_of_interest = between[0] < x and (last is None or last[0] < between[1])
            if last is not None and last[1] != defined:
                if is_of_interest:
                    found.append(partial(self.end_of_domain, last[0], x))
                before = None
            last = (x, defined)
            beside = (*values[max(k - 1, 0) : k], *values[k + 1 : k + 2])
            if 0 < abs(value) < _LEAST or (value == 0 and 0 in beside):
                continue  # zeros stand alone: the sides are equal, or too close to be told apart
            if value == 0:
                if is_of_interest:
                    found.append(partial(_itself, x))
                before = None
            elif mpmath.isfinite(value):
                if before is not None and value * before[1] < 0 and is_of_interest:
                    # A root, or a pole: on either side the comparison falls out differently.
                    found.append(partial(self.root, before[0], x))
                before = (x, value)
        if most is not None and len(found) > most:
            raise TooManyCrossingsError
        return [(_located(x), x) for x in dict.fromkeys(find() for find in found)]

    def root(self, low: Any, high: Any) -> Any:
        return self.snapped(bisected(self.at, low, high))

    def end_of_domain(self, low: Any, high: Any) -> Any:
        begins = self.is_defined(high)
        end = bisected(lambda t: 1 if self.is_defined(t) == begins else -1, low, high)
        short = _short(end)
        step = (abs(short) or 1) * mpmath.mpf(10) ** -_NEAR
        sides = [self.is_defined(short + sign * step) for sign in (1, -1)]
        is_hole = all(sides) and _is_near(short, end, -_NEAR) and not self.is_defined(short)
        return short if is_hole or sides == [begins, not begins] else end

    def snapped(self, root: Any) -> Any:
        short = _short(root)
        value = self.at(short)
        vanishes = abs(value) < mpmath.mpf(10) ** -45 or not mpmath.isfinite(value)
        return short if _is_near(short, root, -25) and vanishes else root


def _itself(place: Any) -> Any:
    return place


def _grid() -> list[Any]:
    half = [mpmath.sinh(mpmath.mpf(k) / 12) for k in range(1, 121)]
    half += [half[-1] * mpmath.mpf(2) ** k for k in range(1, 118)]
    half = [*(mpmath.mpf(10) ** -k for k in _SMALL), *half]
    return [-x for x in reversed(half)] + [mpmath.mpf(0)] + half


def _short(place: Any) -> Any:
    nice = Fraction(str(mpmath.nstr(place, _NEAR))).limit_denominator(1000)
    return mpmath.mpf(nice.numerator) / nice.denominator


def _is_near(short: Any, place: Any, power: int) -> bool:
    if short == 0:
        return bool(abs(place) < mpmath.mpf(10) ** -_SMALL[0])
    return bool(abs(short - place) < abs(place) * mpmath.mpf(10) ** power)


def bisected(function: Callable[[Any], Any], low: Any, high: Any) -> Any:
    """Return where a function changes its sign between two places, to all digits there are."""
    below = function(low)
    for _ in range(4 * mpmath.mp.dps):
        middle = (low + high) / 2
        if low * high > 0 and max(low / high, high / low) > 4:
            middle = mpmath.sign(low) * mpmath.sqrt(low * high)
        value = function(middle)
        if value == 0:
            return middle
        if value * below > 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _located(place: Any) -> Expression:
    """Return a place as an expression: a short number of a few kinds, else the nearest double."""
    short = Fraction(mpmath.nstr(place, _NEAR)).limit_denominator(1000)
    if _is_near(mpmath.mpf(short.numerator) / short.denominator, place, -40):
        return Constant(short)
    for candidate in _candidates(place):
        if _is_near(evaluate(candidate, {}), place, -50):
            return candidate
    return Constant(Fraction(float(place)))


def _candidates(place: Any) -> Iterator[Expression]:
    """Yield a quadratic number, a logarithm and an exponential that are near a place."""
    if not mpmath.mpf(10) ** -6 < abs(place) < mpmath.mpf(10) ** 6:
        return
    translation = Translation()
    coefficients = mpmath.findpoly(place, 2, maxcoeff=100, tol=mpmath.mpf(10) ** -45)
    if coefficients:
        polynomial = sympy.Poly(coefficients, sympy.Dummy("z"))
        roots: list[Any] = attempt(_SECONDS, lambda: list(sympy.roots(polynomial)), [])
        yield from map(translation.to_expression, roots)
    ratio = Fraction(mpmath.nstr(mpmath.exp(place), _NEAR)).limit_denominator(1000)
    if ratio > 0:
        yield Apply("log", (Constant(ratio),))
    if place > 0:
        exponent = Fraction(mpmath.nstr(mpmath.log(place), _NEAR)).limit_denominator(100)
        yield Apply("exp", (Constant(exponent),))
