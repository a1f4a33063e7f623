"""Forms in exponentials, written by hyperbolic functions, under roots and as powers."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import sympy

from chainrule.derivations.algebra._sympy import atoms_of

_FAST = 64
_LARGEST_POWER = 2  # of a hyperbolic function
_PLACES = (sympy.Rational(17, 13), sympy.Rational(31, 11), sympy.Rational(5, 7))
_ROUNDING = 1e-9


def with_hyperbolic_functions(e: Any) -> Iterator[Any]:
    """``(exp(2*x) - 1)/(exp(2*x) + 1) -> tanh(x)``, ``2*exp(x)/(1 + exp(2*x)) -> 1/cosh(x)``."""
    for exponential in atoms_of(e, sympy.exp):
        x, u = exponential.args[0], exponential
        known = {
            sympy.tanh(x): (u**2 - 1) / (u**2 + 1),
            sympy.tanh(x / 2): (u - 1) / (u + 1),
            1 / sympy.cosh(x): 2 * u / (1 + u**2),
        }
        for function, rational in known.items():
            for power in range(1, _LARGEST_POWER + 1):
                if not _seems_multiple(e, rational**power, x):
                    continue
                rest = sympy.cancel(sympy.together(e / rational**power))
                if not rest.has(sympy.exp):
                    yield rest * function**power


def _seems_multiple(e: Any, other: Any, x: Any) -> bool:
    """Tell whether what exponentials of multiples of x are divided by leaves none of them.

    Compared at a few places, which takes less time than algebra does.
    """
    exponentials = list(dict.fromkeys((*atoms_of(e, sympy.exp), *atoms_of(other, sympy.exp))))
    rates = [sympy.cancel(part.args[0] / x) for part in exponentials]
    if not all(rate.is_Rational for rate in rates):
        return False
    letters = sorted(e.free_symbols | x.free_symbols, key=str)
    others = {letter: k + _PLACES[0] for k, letter in enumerate(letters)}
    ratios = []
    for place in _PLACES:
        known = {part: place**rate for part, rate in zip(exponentials, rates, strict=True)}
        one, two = (part.xreplace(known).xreplace(others) for part in (e, other))
        ratios.append(sympy.N(one / two))
    if not all(ratio.is_finite for ratio in ratios):
        return True  # for algebra to tell
    return all(abs(ratio - ratios[0]) < _ROUNDING * abs(ratios[0]) for ratio in ratios[1:])


def with_fast_exponential_named(e: Any, names: dict[Any, Any]) -> Any:
    """Put a symbol for ``exp(1000*x)``: algebra takes it for a power of a thousand factors."""
    exponentials = atoms_of(e, sympy.exp)
    if not exponentials:
        return e
    first = exponentials[0].args[0]
    ratios = [sympy.cancel(part.args[0] / first) for part in exponentials]
    if not all(ratio.is_Rational for ratio in ratios):
        return e
    unit = first * sympy.gcd_list(ratios)
    if abs(unit.as_coeff_Mul()[0]) < _FAST:
        return e
    symbol = sympy.Dummy("fast", positive=True)
    names[symbol] = sympy.exp(unit)
    return e.xreplace({part: symbol ** (part.args[0] / unit) for part in exponentials})


def with_exponentials_in_roots(e: Any) -> Any:
    """``exp(-x)*sqrt(exp(2*x) - 1) -> sqrt(1 - exp(-2*x))``."""

    def joined(product: Any) -> Any:
        factors = list(product.args)
        outside = [part for part in factors if isinstance(part, sympy.exp)]
        roots = [part for part in factors if _is_root(part) and part.has(sympy.exp)]
        if len(outside) != 1 or len(roots) != 1:
            return product
        base, exponent = roots[0].as_base_exp()
        inside = sympy.expand(base * sympy.exp(outside[0].args[0] / exponent))
        rest = [part for part in factors if part not in (*outside, *roots)]
        return sympy.Mul(*rest, inside**exponent)

    return e.replace(lambda part: part.is_Mul, joined)


def _is_root(part: Any) -> bool:
    return bool(part.is_Pow and part.exp.is_Rational and part.exp.q == 2 and part.exp > 0)


def with_short_exponents(e: Any) -> Any:
    """``x**(1/k + (k - 1)/k) -> x`` and ``exp(log(x)/k) -> x**(1/k)``."""
    e = e.replace(lambda part: isinstance(part, sympy.exp), _as_power)
    e = e.replace(
        lambda part: part.is_Mul and any(map(is_power_of_letters, part.args)),
        _with_powers_joined,
    )
    return e.replace(
        lambda part: is_power_of_letters(part) and part.exp.is_Add,
        lambda part: part.base ** _shorter(part.exp),
    )


def is_power_of_letters(part: Any) -> bool:
    return bool(part.is_Pow and part.exp.free_symbols)


def _with_powers_joined(product: Any) -> Any:
    exponents: dict[Any, Any] = {}
    for factor in product.args:
        base, exponent = factor.as_base_exp()
        exponents[base] = exponents.get(base, 0) + exponent
    return sympy.Mul(*(base**exponent for base, exponent in exponents.items()))


@lru_cache(maxsize=256)
def _shorter(e: Any) -> Any:
    """Return an exponent in factors where that is shorter; the same few come up in every way."""
    return min((e, sympy.factor(sympy.cancel(sympy.together(e)))), key=sympy.count_ops)


def _as_power(exponential: Any) -> Any:
    factors = sympy.Mul.make_args(exponential.args[0])
    logarithms = [part for part in factors if isinstance(part, sympy.log)]
    if len(logarithms) != 1 or len(factors) == 1:
        return exponential
    return logarithms[0].args[0] ** sympy.Mul(*(x for x in factors if x != logarithms[0]))
