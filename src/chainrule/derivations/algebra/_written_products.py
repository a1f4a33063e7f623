"""Products written as on paper: numbers first, then parameters, equal factors as one power."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from functools import reduce

from chainrule.derivations.algebra._arithmetic import (
    LARGEST_DENOMINATOR,
    ONE,
    add,
    divide,
    factors_of,
    fraction_of,
    multiply,
    negate,
    one_fraction,
    subtract,
)
from chainrule.formulas import (
    REDUCTIONS,
    Apply,
    Constant,
    Expression,
    Parameter,
    Variable,
    constant,
)


def numbers_first(e: Expression) -> Expression:
    """Write products anywhere inside as one fraction: ``g*beta*(2*u)/w/4 -> beta*g*u/(2*w)``.

    And ``sum(2*u) -> 2*sum(u)``, ``mean(-u) -> -mean(u)``, ``(u**2)**2 -> u**4``,
    ``sum(u/max(v)) -> sum(u)/max(v)``, ``u*sqrt(v)*sqrt(v) -> u*v``, ``abs(u)**2 -> u**2``,
    ``exp(-u)*(exp(u) - 1) -> 1 - exp(-u)``.
    """
    if not isinstance(e, Apply):
        return e
    e = Apply(e.operation, tuple(map(numbers_first, e.arguments)))
    match e:
        case Apply("multiply", (x, y)):
            return _reduced(*fraction_of(one_fraction(x, y)))
        case Apply("divide", (x, y)):
            above, below = fraction_of(x)
            return _reduced(above, multiply(below, y))
        case Apply("add", (x, y)):
            return add(x, y)
        case Apply("subtract", (x, y)):
            return subtract(x, y)
        case Apply("sum" | "mean" as reduction, (Apply("negate", (x,)),)):
            return negate(numbers_first(Apply(reduction, (x,))))
        case Apply("sum" | "mean" as reduction, (x,)):
            (number, over), (divisor, under) = map(_number_and_factors, fraction_of(x))
            outer, outer_below = ([f for f in side if _is_outer(f)] for side in (over, under))
            kept, kept_below = ([f for f in side if not _is_outer(f)] for side in (over, under))
            if kept and (number != 1 or outer or outer_below):
                rest = divide(_product(Fraction(1), kept), _product(divisor, kept_below))
                whole = _product(number, [*outer, Apply(reduction, (rest,))])
                return _reduced(whole, _product(Fraction(1), outer_below))
        case Apply("power", (Apply("power", (x, Constant(inner))), Constant(outer))):
            if inner.denominator == outer.denominator == 1:
                return Apply("power", (x, Constant(inner * outer)))
        case Apply("power", (Apply("abs", (x,)), Constant(exponent))) if exponent % 2 == 0:
            return Apply("power", (x, Constant(exponent)))
    return e


def _reduced(above: Expression, below: Expression) -> Expression:
    """Order both sides of a fraction, and make one number of theirs; long decimals stay."""
    match above:
        case Apply("negate", (x,)):
            return negate(_reduced(x, below))
    (number, factors), (divisor, factors_below) = map(_number_and_factors, (above, below))
    if max(number.denominator, divisor.denominator) <= LARGEST_DENOMINATOR and divisor != 0:
        quotient = number / divisor
        number, divisor = Fraction(quotient.numerator), Fraction(quotient.denominator)
    factors, factors_below = _without_common(factors, factors_below)
    factors, factors_below = map(_with_exponentials_met, (factors, factors_below))
    return divide(_product(number, factors), _product(divisor, factors_below))


def _without_common(
    above: list[Expression], below: list[Expression]
) -> tuple[list[Expression], list[Expression]]:
    """Cancel parameters, which are not 0 where they are divided by: ``gain/gain**2 -> 1/gain``."""
    bases = [{_base_of(f)[0] for f in side} for side in (above, below)]
    for base in sorted(bases[0] & bases[1], key=str):
        if isinstance(base, Parameter):
            powers = [_sum_of_powers(side, base) for side in (above, below)]
            left = powers[0] - powers[1]
            above, below = ([f for f in side if _base_of(f)[0] != base] for side in (above, below))
            if left:
                (above if left > 0 else below).insert(0, _power_of(base, abs(left)))
    return above, below


def _with_exponentials_met(factors: list[Expression]) -> list[Expression]:
    """``exp(-u), exp(u) - 1 -> 1 - exp(-u)``, which does not overflow either."""
    for small in factors:
        match small:
            case Apply("exp", (Apply("negate", (u,)),)):
                large = Apply("exp", (u,))
            case _:
                continue
        rest = [factor for factor in factors if factor is not small]
        for k, factor in enumerate(rest):
            match factor:
                case Apply("add" | "subtract" as operation, (x, y)) if large in (x, y):
                    terms = (ONE if term == large else multiply(term, small) for term in (x, y))
                    join = add if operation == "add" else subtract
                    return [*rest[:k], join(*terms), *rest[k + 1 :]]
    return factors


def _is_outer(factor: Expression) -> bool:
    """Tell whether a factor is the same for all units, as reductions are, and numbers."""
    if isinstance(factor, Apply) and factor.operation in REDUCTIONS:
        return True
    return not isinstance(factor, Variable) and (
        not isinstance(factor, Apply) or all(map(_is_outer, factor.arguments))
    )


def _product(number: Fraction, factors: Iterable[Expression]) -> Expression:
    start: Expression = constant(number)
    return reduce(multiply, _collected(factors), start)


def _collected(factors: Iterable[Expression]) -> list[Expression]:
    """Write equal factors as one power: ``x, sqrt(y), x, sqrt(y) -> x**2, y``."""
    groups: dict[Expression, list[Expression]] = {}
    for factor in factors:
        groups.setdefault(_base_of(factor)[0], []).append(factor)
    return [
        group[0] if len(group) == 1 else _power_of(base, _sum_of_powers(group, base))
        for base, group in groups.items()
    ]


def _sum_of_powers(factors: Iterable[Expression], base: Expression) -> Fraction:
    powers = (power for other, power in map(_base_of, factors) if other == base)
    return sum(powers, Fraction(0))


def _base_of(factor: Expression) -> tuple[Expression, Fraction]:
    match factor:
        case Apply("sqrt", (base,)):
            return base, Fraction(1, 2)
        case Apply("power", (base, Constant(exponent))) if exponent > 0:
            return base, exponent
    return factor, Fraction(1)


def _power_of(base: Expression, exponent: Fraction) -> Expression:
    is_indicator = isinstance(base, Apply) and base.operation == "indicator"
    return base if is_indicator or exponent == 1 else Apply("power", (base, Constant(exponent)))


def _number_and_factors(e: Expression) -> tuple[Fraction, list[Expression]]:
    """Return the number in a product and its other factors, parameters first."""
    number, factors = Fraction(1), []
    for factor in factors_of(e):
        if isinstance(factor, Constant):
            number *= factor.value
        else:
            factors.append(factor)
    return number, sorted(factors, key=lambda factor: not isinstance(factor, Parameter))
