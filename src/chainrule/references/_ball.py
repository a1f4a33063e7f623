"""Numbers with a proven error: the arithmetic of the reference.

A ball ``(value, error)`` stands for a real number within ``2**error`` of `value`, which is one of
mpmath's raw floats. An operation returns a ball that holds the true result whatever the precision,
so that a result that lost all its digits says so, and one whose ball is small enough is right. Two
values stand for something else:

- an infinite value is a *far* number: finite, of known sign, at least ``2**error`` in magnitude;
- a not-a-number is `UNDEFINED` (no real value, as ``log(-1)``) or `UNKNOWN` (the precision did not
  suffice to tell).

Exponentials of numbers beyond ``2**4000`` are far or within ``2**-(2**4000)`` of zero and are never
computed; this, and the bound on the precision, is what keeps ``exp(-exp(1e6))`` from hanging.
"""

from __future__ import annotations

from fractions import Fraction

from mpmath import libmp

Raw = tuple[int, int, int, int]
Ball = tuple[Raw, int]

LARGEST = 4000
EXACT = -(1 << (LARGEST + 200))
_ABOUT_EXACT = -(1 << (LARGEST + 100))
NOTHING = -(1 << (LARGEST + 300))  # magnitude of zero
_SURELY_FAR = 12  # exponentials of 2**12 and more leave every format
_LARGEST_INTEGER_POWER = 1024
_PRECISION_OF_INTEGER_POWERS = 600

NO_NUMBER: Raw = libmp.fnan
ZERO: Ball = (libmp.fzero, EXACT)
ONE: Ball = (libmp.fone, EXACT)
UNDEFINED: Ball = (libmp.fnan, 0)
UNKNOWN: Ball = (libmp.fnan, 1)


def magnitude(value: Raw) -> int:
    """Return m with ``2**(m-1) <= |value| < 2**m``."""
    return value[2] + value[3] if value[1] else NOTHING


def is_far(ball: Ball) -> bool:
    """Tell whether a ball stands for a finite number too large to be computed."""
    return ball[0] in (libmp.finf, libmp.fninf)


def is_exact(ball: Ball) -> bool:
    """Tell whether the value is the number itself."""
    return ball[1] < _ABOUT_EXACT


def exact(value: Raw) -> Ball:
    """Return a raw float as a ball of no width."""
    return value, EXACT


def from_fraction(value: Fraction, precision: int) -> Ball:
    """Return the ball of a rational number."""
    raw = libmp.from_rational(value.numerator, value.denominator, precision, "n")
    if libmp.to_rational(raw) == (value.numerator, value.denominator):
        return raw, EXACT
    return raw, magnitude(raw) - precision


def pi(precision: int) -> Ball:
    """Return the ball of the circle's constant."""
    return libmp.mpf_pi(precision, "n"), 3 - precision


def sign(ball: Ball) -> int | None:
    """Return -1, 0 or 1 where the ball settles it, else None."""
    value, error = ball
    if not value[1]:
        if value in (libmp.finf, libmp.fninf):
            return -1 if value == libmp.fninf else 1
        return 0 if value == libmp.fzero and error < _ABOUT_EXACT else None
    if magnitude(value) - 2 < error:
        return None
    return -1 if value[0] else 1


def compare(left: Ball, right: Ball) -> int | None:
    """Return the sign of ``left - right`` where the balls settle it, else None."""
    if is_exact(left) and is_exact(right):
        order: int = libmp.mpf_cmp(left[0], right[0])
        return order
    return sign(subtract(left, right, 64 + max(left[0][3], right[0][3], 0)))


def is_special(value: Raw) -> bool:
    return not value[1] and value != libmp.fzero


def missing_argument(*balls: Ball) -> Ball | None:
    """Return what a missing argument makes of the result, or None if all are numbers."""
    missing = [ball for ball in balls if ball[0] == libmp.fnan]
    if not missing:
        return None
    return UNKNOWN if UNKNOWN in missing else UNDEFINED


def far(negative: bool | int, least: int) -> Ball:
    if least < _SURELY_FAR:
        return UNKNOWN
    return (libmp.fninf if negative else libmp.finf), least


def tower(exponent: int) -> int:
    """Return ``2**exponent``, or less where that is more than anything needs."""
    return 1 << min(exponent, LARGEST)


def beyond(ball: Ball) -> int | None:
    """Return k where the number is certainly at least ``2**k`` in magnitude and k is large."""
    if is_far(ball):
        return ball[1]
    least = magnitude(ball[0]) - 2
    return least if least >= ball[1] and least >= _SURELY_FAR else None


def negate(x: Ball, precision: int) -> Ball:
    """Return the number of opposite sign."""
    return libmp.mpf_neg(x[0]), x[1]


def add(x: Ball, y: Ball, precision: int) -> Ball:
    """Return the sum."""
    (u, p), (v, q) = x, y
    if is_special(u) or is_special(v):
        return _add_special(x, y)
    total = libmp.mpf_add(u, v, precision, "n")
    rounding = magnitude(total) - precision
    error = max(p, q)
    if error < _ABOUT_EXACT:
        close = abs(u[2] - v[2]) < 4 * precision
        if not total[1] or (close and total == libmp.mpf_add(u, v)):
            return total, EXACT
        return total, rounding
    return total, max(error + 1, rounding) + 1


def _add_special(x: Ball, y: Ball) -> Ball:
    if (missing := missing_argument(x, y)) is not None:
        return missing
    if is_far(x) and is_far(y):
        return (x[0], max(x[1], y[1])) if x[0] == y[0] else UNKNOWN
    large, small = (x, y) if is_far(x) else (y, x)
    if max(magnitude(small[0]), small[1]) + 2 > large[1]:
        return UNKNOWN
    return far(large[0] == libmp.fninf, large[1] - 1)


def subtract(x: Ball, y: Ball, precision: int) -> Ball:
    """Return the difference."""
    return add(x, (libmp.mpf_neg(y[0]), y[1]), precision)


def multiply(x: Ball, y: Ball, precision: int) -> Ball:
    """Return the product."""
    (u, p), (v, q) = x, y
    if is_special(u) or is_special(v):
        return _multiply_special(x, y)
    product = libmp.mpf_mul(u, v, precision, "n")
    if p < _ABOUT_EXACT and q < _ABOUT_EXACT and u[3] + v[3] <= precision:
        return product, EXACT
    if x == ZERO or y == ZERO:
        return ZERO
    a, b = magnitude(u), magnitude(v)
    return product, max(a + q, b + p, p + q, magnitude(product) - precision) + 2


def _multiply_special(x: Ball, y: Ball) -> Ball:
    if (missing := missing_argument(x, y)) is not None:
        return missing
    signs = sign(x), sign(y)
    if 0 in signs:
        return ZERO  # a far number is finite
    if None in signs:
        return UNKNOWN
    least = sum(ball[1] if is_far(ball) else magnitude(ball[0]) - 2 for ball in (x, y))
    return far(signs[0] != signs[1], least)


def divide(x: Ball, y: Ball, precision: int) -> Ball:
    """Return the quotient; undefined where the divisor is zero."""
    (u, p), (v, q) = x, y
    if (missing := missing_argument(x, y)) is not None:
        return missing
    negative = sign(y)
    if not negative:
        return UNKNOWN if negative is None else UNDEFINED
    if is_far(y):
        return UNKNOWN if is_far(x) else (libmp.fzero, max(magnitude(u), p) + 1 - q)
    if is_far(x):
        return far((u == libmp.fninf) != (negative < 0), p - magnitude(v) - 1)
    quotient = libmp.mpf_div(u, v, precision, "n")
    if p < _ABOUT_EXACT and q < _ABOUT_EXACT:
        if libmp.mpf_mul(quotient, v) == u:
            return quotient, EXACT
        return quotient, magnitude(quotient) - precision
    a, b = magnitude(u), magnitude(v)
    return quotient, max(p - b + 2, a + q - 2 * b + 3, magnitude(quotient) - precision) + 2


def exp(x: Ball, precision: int) -> Ball:
    """Return the exponential."""
    u, p = x
    if x == ZERO:
        return ONE
    if (missing := missing_argument(x)) is not None:
        return missing
    least = beyond(x)
    if is_far(x) or p > -1 or magnitude(u) > LARGEST:
        if least is None:
            return UNKNOWN
        return (libmp.fzero, -tower(least)) if sign(x) == -1 else far(False, tower(least))
    if u[2] >= 0 and precision > _PRECISION_OF_INTEGER_POWERS:
        # mpmath would raise e to this integer, which takes a thousand times longer.
        u = libmp.mpf_add(u, libmp.mpf_shift(libmp.fone, -precision - 4))
    value = libmp.mpf_exp(u, precision, "n")
    m = magnitude(value)
    return value, max(m + p + 1, m - precision + 3) + 1


def expm1(x: Ball, precision: int) -> Ball:
    """Return ``exp(x) - 1``."""
    u, p = x
    if x == ZERO:
        return ZERO
    if is_special(u) or magnitude(u) > 4 or p > -1:
        return subtract(exp(x, precision), ONE, precision)
    if magnitude(u) < -precision:
        return libmp.mpf_pos(u, precision, "n"), max(p, magnitude(u) - precision) + 2
    full = libmp.mpf_exp(u, precision + max(0, -magnitude(u)) + 10, "n")
    value = libmp.mpf_sub(full, libmp.fone, precision, "n")
    return value, max(magnitude(full) + p + 1, magnitude(value) - precision + 3) + 1


def log(x: Ball, precision: int) -> Ball:
    """Return the natural logarithm; far below zero at zero, undefined at negative numbers."""
    u, p = x
    if (missing := missing_argument(x)) is not None:
        return missing
    positive = sign(x)
    if positive != 1:
        if positive == 0:
            return far(True, 1 << LARGEST)
        return UNKNOWN if positive is None else UNDEFINED
    if is_far(x):
        return far(False, p.bit_length() - 2)
    value = libmp.mpf_log(u, precision, "n")
    if is_exact(x) and value == libmp.fzero:
        return ZERO
    return value, max(p - magnitude(u) + 3, magnitude(value) - precision + 3) + 1


def log1p(x: Ball, precision: int) -> Ball:
    """Return ``log(1 + x)``."""
    u, p = x
    if x == ZERO or is_special(u) or u == libmp.fzero:
        return x if x == ZERO else log(add(x, ONE, precision), precision)
    if magnitude(u) < -precision:
        return libmp.mpf_pos(u, precision, "n"), max(p, magnitude(u) - precision) + 2
    more = precision + max(0, -magnitude(u))
    value, error = log(add(x, ONE, more), more)
    return value, error


def sqrt(x: Ball, precision: int) -> Ball:
    """Return the square root; undefined at negative numbers."""
    u, p = x
    if (missing := missing_argument(x)) is not None:
        return missing
    positive = sign(x)
    if positive is None:
        return libmp.fzero, (max(magnitude(u), p) + 1) // 2 + 1
    if positive < 1:
        return ZERO if positive == 0 else UNDEFINED
    if is_far(x):
        return far(False, p // 2)
    value = libmp.mpf_sqrt(u, precision, "n")
    if is_exact(x) and libmp.mpf_mul(value, value) == u:
        return value, EXACT
    m = magnitude(value)
    return value, max(p - m + 2, m - precision) + 1


def absolute(x: Ball, precision: int) -> Ball:
    """Return the magnitude."""
    return (x[0] if x[0] == libmp.fnan else libmp.mpf_abs(x[0])), x[1]


def signum(x: Ball, precision: int) -> Ball:
    """Return -1, 0 or 1."""
    if (missing := missing_argument(x)) is not None:
        return missing
    found = sign(x)
    return UNKNOWN if found is None else (libmp.from_int(found), EXACT)


def power(x: Ball, y: Ball, precision: int) -> Ball:
    """Return ``x**y``; a negative base needs an exponent that is exactly an integer."""
    if (missing := missing_argument(x, y)) is not None:
        return missing
    v = y[0]
    whole = is_exact(y) and not is_far(y) and (v[2] >= 0 or not v[1])
    exponent = int(libmp.to_int(v)) if whole and magnitude(v) <= LARGEST else None
    if whole and exponent is not None and 0 <= exponent <= _LARGEST_INTEGER_POWER:
        result, square = ONE, x
        while exponent:
            if exponent & 1:
                result = multiply(result, square, precision)
            exponent >>= 1
            square = multiply(square, square, precision) if exponent else square
        return result
    if whole and exponent is not None and -_LARGEST_INTEGER_POWER <= exponent < 0:
        return divide(ONE, power(x, negate(y, precision), precision), precision)
    base = sign(x)
    if base is None:
        return UNKNOWN
    if base == 0:
        rising = sign(y)
        return UNKNOWN if rising is None else (ZERO if rising > 0 else UNDEFINED)
    if base < 0 and not whole:
        return UNDEFINED if is_exact(y) or _surely_between_integers(y) else UNKNOWN
    logarithm = log(absolute(x, precision), precision)
    result = exp(multiply(y, logarithm, precision), precision)
    odd = whole and v[2] == 0 and bool(v[1])
    return negate(result, precision) if base < 0 and odd else result


def _surely_between_integers(y: Ball) -> bool:
    nearest = libmp.mpf_nint(y[0], 53, "n") if magnitude(y[0]) < 53 else y[0]
    return magnitude(libmp.mpf_sub(y[0], nearest, 53, "n")) - 1 > y[1]


def maximum(x: Ball, y: Ball, precision: int) -> Ball:
    """Return the larger of two numbers."""
    if (missing := missing_argument(x, y)) is not None:
        return missing
    order = compare(x, y)
    if order is None:
        if is_far(x) or is_far(y):
            return UNKNOWN
        gap = magnitude(libmp.mpf_sub(x[0], y[0], 53, "n"))
        return x[0], max(gap, x[1], y[1]) + 1
    return x if order >= 0 else y


def minimum(x: Ball, y: Ball, precision: int) -> Ball:
    """Return the smaller of two numbers."""
    return negate(maximum(negate(x, precision), negate(y, precision), precision), precision)
