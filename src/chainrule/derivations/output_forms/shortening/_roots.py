"""Forms with one root, written in it: what is under it is its square."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import sympy

from chainrule.derivations.algebra._sympy import atoms_of, with_factors_joined

# Of what tangents are taken: they come from inverses of atan alone, so that it is positive.
COSINE = sympy.Dummy("cosine", positive=True)


def with_one_root(e: Any) -> list[Any]:
    """``sqrt(x) + x**(3/2)/y -> sqrt(x)*(1 + x/y)``, cancelled: where there is one root."""
    roots = [part for part in e.atoms(sympy.Pow) if part.exp.is_Rational and part.exp.q == 2]
    bases = {part.base for part in roots}
    if len(roots) < 2 or len(bases) != 1:
        return []
    base, root = bases.pop(), sympy.Dummy("root", positive=True)
    named = _with_root_named(e, base, root)
    above, below = sympy.fraction(sympy.together(named))
    if not (above.is_polynomial(root) and below.is_polynomial(root)):
        return []
    base = sympy.cancel(sympy.together(base))
    above, below = (sympy.rem(part, root**2 - base, root) for part in (above, below))
    joined = with_factors_joined(sympy.factor(sympy.cancel(sympy.together(above / below))))
    ways = [joined.subs(root, sympy.sqrt(base))]
    for angle in dict.fromkeys(part.args[0] for part in atoms_of(e, sympy.tan)):
        inside = _with_double_angle(base, angle)
        ways.append(_with_double_angle(joined, angle).subs(root, sympy.sqrt(inside)))
        ways[-1] = ways[-1].subs(COSINE, sympy.cos(angle))
    return ways


def through_square(e: Any, letters: Iterable[Any]) -> Iterator[Any]:
    """``c*sqrt(x) - x -> r*(c - r)`` where ``r = sqrt(x)``, and r for squares of letters in x."""
    roots = [part for part in e.atoms(sympy.Pow) if part.exp.is_Rational and part.exp.q == 2]
    bases = {part.base for part in roots}
    if len(bases) != 1:
        return
    base, root = bases.pop(), sympy.Dummy("root", positive=True)
    parts = sympy.fraction(sympy.together(_with_root_named(e, base, root)))
    for letter in letters:
        if not base.is_polynomial(letter) or sympy.degree(base, letter) != 2:
            continue
        if not all(part.is_polynomial(letter, root) for part in parts):
            continue
        above, below = (sympy.rem(part, base - root**2, letter) for part in parts)
        absolute = base.subs(letter, 0)
        grouped = sympy.factor(sympy.expand(base - absolute)) + sympy.factor(absolute)
        short = sympy.factor(sympy.cancel(above / below))
        yield short.subs(root, sympy.sqrt(min(base, grouped, key=sympy.count_ops)))


def _with_root_named(e: Any, base: Any, root: Any) -> Any:
    return e.replace(
        lambda part: part.is_Pow and part.base == base and (2 * part.exp).is_Integer is True,
        lambda part: root ** (2 * part.exp),
    )


def _with_double_angle(e: Any, angle: Any) -> Any:
    """``1 - tan(x)**2 -> cos(2*x)/c**2``, where c is the cosine of x, which is positive."""
    tangent, double = sympy.tan(angle), sympy.Dummy("double")
    e = e.replace(
        lambda part: part.is_Pow and part.base == tangent and part.exp.is_even is True,
        lambda part: ((1 - double) / (1 + double)) ** (part.exp / 2),
    )
    factored = sympy.factor(sympy.cancel(sympy.together(e)))
    return factored.subs(1 + double, 2 * COSINE**2).subs(double, sympy.cos(2 * angle))


def with_conjugate(e: Any) -> list[Any]:
    """``(x - sqrt(y))/b -> (x**2 - y)/((x + sqrt(y))*b)``, where that cancels what is left."""
    roots = [part for part in e.atoms(sympy.Pow) if part.exp.is_Rational and part.exp.q == 2]
    bases = {part.base for part in roots}
    if len(bases) != 1 or not next(iter(bases)).is_Add:
        return []
    base, root = bases.pop(), sympy.Dummy("root", positive=True)
    named = _with_root_named(e, base, root)
    # In the root what is under it is a polynomial, where it is linear in one exponential or letter.
    for inner in (*atoms_of(base, sympy.exp), *sorted(base.free_symbols, key=str)):
        letter = sympy.Dummy("letter", positive=True)
        line = base.subs(inner, letter)
        if not line.is_polynomial(letter) or sympy.degree(line, letter) != 1:
            continue
        solved = sympy.solve(root**2 - line, letter)
        whole = _with_powers_of(named, inner, letter)
        if len(solved) == 1 and whole.is_rational_function(root, letter):
            short = sympy.factor(sympy.cancel(sympy.together(whole.subs(letter, solved[0]))))
            return [short.subs(root, sympy.sqrt(base))] if not short.has(letter) else []
    return []


def _with_powers_of(e: Any, inner: Any, letter: Any) -> Any:
    """Put a letter for a symbol, or for an exponential and its powers."""
    if not isinstance(inner, sympy.exp):
        return e.subs(inner, letter)

    def times(part: Any) -> Any:
        return sympy.cancel(part.args[0] / inner.args[0])

    return e.replace(
        lambda part: isinstance(part, sympy.exp) and times(part).is_Integer is True,
        lambda part: letter ** times(part),
    )
