"""How much an expression rises at least where its values are too large to be computed.

A far number is known by a lower bound alone, and two of them have no difference. What they differ
by has a lower bound nonetheless: ``exp(b) - exp(a)`` is at least ``exp(b)*(1 - exp(a - b))``.
"""

from __future__ import annotations

from chainrule.references import _ball
from chainrule.references._ball import Ball, magnitude

Rise = tuple[int, int]  # sign s and exponent k: s times the rise is 2**k or more
STILL: Rise = (0, _ball.NOTHING)


def rise_of_balls(below: Ball, above: Ball, precision: int) -> Rise | None:
    """Return what two balls tell of their difference."""
    if below == above and _ball.is_exact(below):
        return STILL
    difference = _ball.subtract(above, below, precision)
    sign = None if _ball.is_special(difference[0]) else _ball.sign(difference)
    return (sign, magnitude(difference[0]) - 2) if sign else None


def rise_of_operation(
    operation: str,
    rises: list[Rise | None],
    arguments: list[tuple[Ball, Ball]],
    ends: tuple[Ball, Ball],
) -> Rise | None:
    """Return how much the result of an operation rises at least, or None if nobody can tell.

    Parameters
    ----------
    operation : str
    rises : list of (int, int) or None
        Of the arguments.
    arguments : list of (Ball, Ball)
        Their values below and above.
    ends : tuple of (Ball, Ball)
        The result below and above.
    """
    known = [rise for rise in rises if rise is not None]
    if len(known) < len(rises):
        return None
    match operation:
        case "exp" | "expm1" | "sinh" | "cosh":
            return _exponential(operation, known[0], arguments[0], ends)
        case "negate":
            return -known[0][0], known[0][1]
        case "add":
            return _sum(*known)
        case "subtract":
            return _sum(known[0], (-known[1][0], known[1][1]))
        case "multiply":
            return _product(known, arguments)
    return None


def _exponential(
    operation: str, rise: Rise, argument: tuple[Ball, Ball], ends: tuple[Ball, Ball]
) -> Rise | None:
    sign, least = rise
    larger = [_ball.beyond(end) for end in ends]
    sides = {_ball.sign(end) for end in argument}
    if None in larger or len(sides) != 1 or not sign:
        return None
    (side,) = sides
    if side == -1 and operation == "cosh":
        sign = -sign
    return sign, max(k for k in larger if k is not None) + min(least, 0) - 2


def _sum(first: Rise, second: Rise) -> Rise | None:
    if first[0] * second[0] < 0:
        return None
    return max(first, second, key=lambda rise: rise[1])


def _product(rises: list[Rise], arguments: list[tuple[Ball, Ball]]) -> Rise | None:
    """Both factors keep away from 0: ``bd - ac = b(d - c) + c(b - a)``, of terms of one sign."""
    terms: list[Rise] = []
    for rise, (below, above) in zip(rises, reversed(arguments), strict=True):
        signs = _ball.sign(below), _ball.sign(above)
        if signs[0] != signs[1] or not signs[0]:
            return None
        least = min(
            end[1] if _ball.is_far(end) else magnitude(end[0]) - 2 for end in (below, above)
        )
        terms.append((rise[0] * signs[0], rise[1] + least))
    return _sum(*terms)
