"""The remaining elementary functions on balls, and the table of the language's operations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mpmath import libmp

from chainrule.references import _ball
from chainrule.references._ball import ONE, UNKNOWN, ZERO, Ball, Raw, magnitude

_LARGEST_ANGLE = 5000
_SURELY_SATURATED = 16
_SURELY_SMALL = 2  # from 2**1 on ``1 - erf`` cancels
_SURELY_ASYMPTOTIC = 500  # from 2**499 on it is ``exp(-x**2)/(x sqrt(pi))``; mpmath overflows


def _smooth(
    raw: Callable[..., Raw], x: Ball, precision: int, steepest: int = 0, *, at_zero: Ball = ZERO
) -> Ball:
    """Evaluate one of mpmath's functions whose slope stays below ``2**steepest``."""
    if x == ZERO:
        return at_zero
    value = raw(x[0], precision, "n")
    return value, max(x[1] + steepest, magnitude(value) - precision + 3) + 1


def _saturating(raw: Callable[..., Raw], x: Ball, precision: int) -> Ball:
    """Evaluate tanh or erf, which differ from their limit by less than ``exp(-|x|)``."""
    if (missing := _ball.missing_argument(x)) is not None:
        return missing
    least = _ball.beyond(x)
    if least is not None and least >= _SURELY_SATURATED:
        return libmp.from_int(_ball.sign(x)), -_ball.tower(least)
    return _smooth(raw, x, precision, 1)


def tanh(x: Ball, precision: int) -> Ball:
    """Return the hyperbolic tangent."""
    return _saturating(libmp.mpf_tanh, x, precision)


def erf(x: Ball, precision: int) -> Ball:
    """Return the error function."""
    return _saturating(libmp.mpf_erf, x, precision)


def erfc(x: Ball, precision: int) -> Ball:
    """Return ``1 - erf(x)``, which is far below what that difference shows at large x.

    Its slope is less than ``2 max(x, 0) + 2`` times its value; within a ball in which that changes
    by less than one it stays below four times that.
    """
    u, p = x
    if (missing := _ball.missing_argument(x)) is not None:
        return missing
    size = max(magnitude(u), 0)
    if u[0] or size < _SURELY_SMALL or p > -size - 3:
        return _ball.subtract(ONE, erf(x, precision), precision)
    if size > _SURELY_ASYMPTOTIC:
        square = _ball.multiply(x, x, precision)
        above = _ball.exp(_ball.negate(square, precision), precision)
        below = _ball.multiply(x, _ball.sqrt(_ball.pi(precision), precision), precision)
        value, error = _ball.divide(above, below, precision)
        return value, max(error, magnitude(value) - 2 * size + 2) + 1
    value = libmp.mpf_erfc(u, precision, "n")
    m = magnitude(value)
    return value, max(m + size + p + 4, m - precision + 3) + 1


def difference_of_erf(x: Ball, y: Ball, precision: int) -> Ball:
    """Return ``erf(x) - erf(y)``, of which no precision that is affordable shows the tails."""
    side = _ball.sign(_ball.add(x, y, precision))
    if side is None:
        return _ball.subtract(erf(x, precision), erf(y, precision), precision)
    if side < 0:
        x, y = _ball.negate(y, precision), _ball.negate(x, precision)
    return _ball.subtract(erfc(y, precision), erfc(x, precision), precision)


def _exponential(raw: Callable[..., Raw], x: Ball, precision: int, at_zero: Ball) -> Ball:
    """Evaluate sinh or cosh, whose slope is below twice the exponential of the magnitude."""
    u, p = x
    if (missing := _ball.missing_argument(x)) is not None:
        return missing
    if _ball.is_far(x) or p > -1 or magnitude(u) > _ball.LARGEST:
        least = _ball.beyond(x)
        if least is None:
            return UNKNOWN
        negative = at_zero == ZERO and _ball.sign(x) == -1
        return _ball.far(negative, _ball.tower(least))
    if x == ZERO:
        return at_zero
    value = raw(u, precision, "n")
    steepest = max(magnitude(value), 0) + 2
    return value, max(p + steepest, magnitude(value) - precision + 3) + 1


def sinh(x: Ball, precision: int) -> Ball:
    """Return the hyperbolic sine."""
    return _exponential(libmp.mpf_sinh, x, precision, ZERO)


def cosh(x: Ball, precision: int) -> Ball:
    """Return the hyperbolic cosine."""
    return _exponential(libmp.mpf_cosh, x, precision, ONE)


def _periodic(raw: Callable[..., Raw], x: Ball, precision: int, at_zero: Ball) -> Ball:
    if (missing := _ball.missing_argument(x)) is not None:
        return missing
    if _ball.is_far(x) or x[1] > 0 or magnitude(x[0]) > _LARGEST_ANGLE:
        return libmp.fzero, 0
    return _smooth(raw, x, precision, at_zero=at_zero)


def sin(x: Ball, precision: int) -> Ball:
    """Return the sine."""
    return _periodic(libmp.mpf_sin, x, precision, ZERO)


def cos(x: Ball, precision: int) -> Ball:
    """Return the cosine."""
    return _periodic(libmp.mpf_cos, x, precision, ONE)


def atan(x: Ball, precision: int) -> Ball:
    """Return the inverse tangent."""
    if (missing := _ball.missing_argument(x)) is not None:
        return missing
    if _ball.is_far(x):
        half, error = libmp.mpf_shift(libmp.mpf_pi(precision, "n"), -1), 3 - precision
        value = half if x[0] == libmp.finf else libmp.mpf_neg(half)
        return value, max(error, 1 - x[1]) + 1
    return _smooth(libmp.mpf_atan, x, precision, -2 * _surely_above(x))


def asinh(x: Ball, precision: int) -> Ball:
    """Return the inverse hyperbolic sine."""
    if (missing := _ball.missing_argument(x)) is not None:
        return missing
    if _ball.is_far(x):
        return _ball.far(x[0] == libmp.fninf, x[1].bit_length() - 2)
    return _smooth(libmp.mpf_asinh, x, precision, -_surely_above(x))


def _surely_above(x: Ball) -> int:
    """Return k where all of a ball is at least ``2**k`` in magnitude, or 0."""
    return max(magnitude(x[0]) - 2, 0) if x[1] < magnitude(x[0]) - 1 else 0


OPERATIONS: dict[str, Callable[..., Ball]] = {
    "add": _ball.add,
    "subtract": _ball.subtract,
    "multiply": _ball.multiply,
    "divide": _ball.divide,
    "power": _ball.power,
    "negate": _ball.negate,
    "maximum": _ball.maximum,
    "minimum": _ball.minimum,
    "exp": _ball.exp,
    "expm1": _ball.expm1,
    "log": _ball.log,
    "log1p": _ball.log1p,
    "sqrt": _ball.sqrt,
    "abs": _ball.absolute,
    "sign": _ball.signum,
    "tanh": tanh,
    "sinh": sinh,
    "cosh": cosh,
    "sin": sin,
    "cos": cos,
    "atan": atan,
    "asinh": asinh,
    "erf": erf,
    "erfc": erfc,
    "difference_of_erf": difference_of_erf,
}

ORDERS: dict[str, Callable[[int], bool]] = {
    "greater": lambda order: order > 0,
    "less": lambda order: order < 0,
    "greater_equal": lambda order: order >= 0,
    "less_equal": lambda order: order <= 0,
    "equal": lambda order: order == 0,
    "not_equal": lambda order: order != 0,
}


def choose(comparison: str, left: Ball, right: Ball, first: Ball, second: Ball) -> Ball:
    """Return ``where(comparison(left, right), first, second)``."""
    if (missing := _ball.missing_argument(left, right)) is not None:
        return missing
    order = _ball.compare(left, right)
    if order is None:
        return first if first == second else UNKNOWN
    return first if ORDERS[comparison](order) else second


REDUCTIONS: dict[str, Callable[[list[Ball], int], Ball]] = {}


def _reduction(function: Callable[[Ball, Ball, int], Ball]) -> Callable[[list[Ball], int], Ball]:
    def reduce(units: list[Ball], precision: int) -> Ball:
        total = units[0]
        for unit in units[1:]:
            total = function(total, unit, precision)
        return total

    return reduce


def _mean(units: list[Ball], precision: int) -> Ball:
    count: Any = libmp.from_int(len(units))
    return _ball.divide(REDUCTIONS["sum"](units, precision), _ball.exact(count), precision)


REDUCTIONS |= {
    "sum": _reduction(_ball.add),
    "mean": _mean,
    "max": _reduction(_ball.maximum),
    "min": _reduction(_ball.minimum),
}
