"""What holds far out: one term of a sum of powers and exponentials outweighs the others."""

from __future__ import annotations

from typing import Any

import mpmath
import sympy

_LEAST_LEADING = mpmath.mpf("1e-20")  # less may be a zero that was not seen


def far_logarithm(
    argument: Any, exponential: Any, rate: Any, far: float, side: int
) -> tuple[Any, Any]:
    """Write ``log(P(E))`` beyond ``side*far`` as a line in ``log(E)``, named E, and a rest.

    The rest falls off as ``exp(-|rate z|)`` does; its bound at ``side*far`` is None where the
    leading term does not outweigh the others.
    """
    line, bound = sympy.Integer(0), mpmath.mpf(0)
    grows = 1 if rate * side > 0 else -1
    for part, sign in zip(sympy.fraction(sympy.together(argument)), (1, -1), strict=True):
        terms = sympy.Poly(part, exponential).terms()
        (power,), leading = max(terms, key=lambda term: grows * term[0][0])
        if not leading.is_positive:
            return line, None
        others = mpmath.fsum(
            abs(mpmath.mpf(sympy.N(c / leading, 30))) * mpmath.exp(-abs((n - power) * rate) * far)
            for (n,), c in terms
            if n != power
        )
        if others > mpmath.mpf("0.5"):
            return line, None
        line += sign * (power * exponential + sympy.log(leading))
        bound += 2 * others  # log(1 + x) is that much at most for |x| of one half at most
    return line, bound


def outweighing(
    terms: list[tuple[tuple[int, ...], Any]], rate: Any, far: float, side: int, bounds: list[Any]
) -> int:
    """Return the sign of a sum of c z**n exp(k rate z) r**m beyond ``side*far``; 0 if not proved.

    The rests r have bounds there and fall off as ``exp(-|rate z|)`` does. Next to the term that
    grows fastest, each other one is at most ``z**n exp(-decay z)``, which falls beyond
    ``n/decay``.
    """

    def growth(powers: tuple[int, ...]) -> tuple[Any, int]:
        return side * powers[1] * mpmath.sign(rate) - sum(powers[2:]), powers[0]

    leading_powers, leading = max(terms, key=lambda term: growth(term[0]))
    if any(leading_powers[2:]) or abs(leading) < _LEAST_LEADING:
        return 0
    power, times = leading_powers[:2]
    others = mpmath.mpf(0)
    for powers, coefficient in terms:
        n, k, *rests = powers
        if powers == leading_powers:
            continue
        decay = side * (times - k) * rate
        if n - power > (decay + sum(rests) * abs(rate)) * far:
            return 0
        ratio = mpmath.mpf(far) ** (n - power) * mpmath.exp(-decay * far)
        for bound, m in zip(bounds, rests, strict=True):
            ratio *= bound**m
        others += abs(coefficient / leading) * ratio
    if others > mpmath.mpf("0.9"):
        return 0
    return int(mpmath.sign(leading)) * (-1 if side < 0 and power % 2 else 1)
