"""What holds far out: one term of a sum of powers and exponentials outweighs the others."""

from __future__ import annotations

from typing import Any

import mpmath
import sympy

from chainrule.derivations.algebra._field import Field, Generator

_LEAST_LEADING = mpmath.mpf("1e-20")  # less may be a zero that was not seen


def far_sign(
    factor: Any, field: Field, falling: tuple[list[Generator], ...], far: float, side: int
) -> int:
    """Return the sign of a polynomial in generators beyond ``side*far``; 0 if not proved.

    Parameters
    ----------
    factor : sympy.Expr
    field : Field
    falling : tuple of list of Generator
        Logarithms in the exponential; exponentials of concave polynomials; error functions of
        lines: what these differ by from lines and from numbers falls off.
    far : float
    side : int
    """
    logarithms, bells, areas = falling
    x = field.x
    falls = [
        mpmath.mpf(sympy.N(-side * sympy.diff(g.argument, x).subs(x, side * far), 30))
        for g in bells
    ]
    ends = [mpmath.mpf(sympy.N(g.argument.subs(x, side * far), 30)) for g in areas]
    rates = [mpmath.mpf(sympy.N(sympy.diff(g.argument, x), 30)) for g in areas]
    # Beyond u what erf lacks of 1 falls by 2 u at least.
    falls += [2 * side * rate * u for rate, u in zip(rates, ends, strict=True)]
    if field.exponential is None:
        exponential, rate = sympy.Dummy("t", positive=True), min(falls)
    else:
        exponential = field.exponential.symbol
        rate = mpmath.mpf(field.number(field.rate))
    if any(fall < abs(rate) for fall in falls):
        return 0
    rests: list[tuple[Any, mpmath.mpf]] = []
    for g in logarithms:
        line, bound = _far_logarithm(g.argument, exponential, rate, far, side)
        if bound is None:
            return 0
        rests.append((sympy.Dummy(f"rest{len(rests)}", real=True), bound))
        factor = factor.subs(g.symbol, line.subs(exponential, field.rate * x) + rests[-1][0])
    for g in bells:
        bound = mpmath.exp(mpmath.mpf(sympy.N(g.argument.subs(x, side * far), 30)))
        rests.append((sympy.Dummy(f"rest{len(rests)}", real=True), bound))
        factor = factor.subs(g.symbol, rests[-1][0])
    for g, u in zip(areas, ends, strict=True):
        rests.append((sympy.Dummy(f"rest{len(rests)}", real=True), mpmath.erfc(abs(u))))
        factor = factor.subs(g.symbol, int(mpmath.sign(u)) + rests[-1][0])
    symbols = x, exponential, *(rest for rest, _ in rests)
    polynomial = sympy.Poly(sympy.expand(factor), *symbols)
    terms = [
        (powers, mpmath.mpf(sympy.N(coefficient, 30))) for powers, coefficient in polynomial.terms()
    ]
    return _outweighing(terms, rate, far, side, [bound for _, bound in rests])


def _far_logarithm(
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


def _outweighing(
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
