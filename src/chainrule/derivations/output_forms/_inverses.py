"""Inverses: the real solutions b of a = h(b), a branch each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import reduce
from typing import Any

import sympy

from chainrule.derivations._evaluate import evaluate
from chainrule.derivations.algebra._sympy import Translation, atoms_of
from chainrule.derivations.output_forms._layers import INNER
from chainrule.formulas import Apply, Expression, Variable, subexpressions, substitute, variables_of

_A, _Z = Variable("a"), Variable("z")
_TRIED = ("1.7", "0.3", "-0.6", "-2.1")


def inverses(layer: Expression, a: Any, b: Any, translation: Translation) -> Iterator[Any]:
    """Yield solutions b of ``a = layer(b)`` as SymPy expressions in a.

    Parameters
    ----------
    layer : Expression
        In ``b``.
    a, b : sympy.Symbol
        The layer's output, and what it is given.
    translation : Translation
    """
    match layer:
        case Apply(operation, (argument,)) if argument == INNER:
            yield from _INVERSES.get(operation, lambda a: ())(a)
            return
        case Apply("power", (base, exponent)) if base == INNER and not variables_of(exponent):
            yield from _roots(a, translation.to_sympy(exponent))
            return
        case Apply("power", (base, exponent)) if exponent == INNER:
            yield sympy.log(a) / sympy.log(translation.to_sympy(base))
            return
    polynomial = layer_polynomial(layer, a, b, translation)
    if polynomial is not None:
        for factor, _ in sympy.factor_list(polynomial)[1]:
            if not (factor.has(b) and factor.has(a)):
                continue
            is_even = a.is_positive is None and sympy.expand(factor - factor.subs(b, -b)) == 0
            for solution in solutions(sympy.Poly(factor, b)):
                yield solution
                if is_even:  # the layer may be odd: the sign is the output's
                    yield sympy.sign(a) * solution


def inverted(layers: list[Expression], values: Mapping[str, float]) -> Iterator[Expression]:
    """Yield z in a for ``a = h₁(h₂(… z))``, a branch each, as far as it holds somewhere."""
    if not layers:
        yield _A
        return
    translation = Translation()
    a, b = translation.symbol(_A), translation.symbol(INNER)
    for solution in inverses(layers[0], a, b, translation):
        inner = translation.to_expression(solution)
        if any(_agrees(layers[0], inner, values, place) for place in _TRIED):
            put_in: dict[Expression, Expression] = {_A: inner}
            yield from (substitute(z, put_in.get) for z in inverted(layers[1:], values))


def _agrees(layer: Expression, inner: Expression, values: Mapping[str, float], place: str) -> bool:
    if INNER in subexpressions(inner):
        return False  # of a part that algebra does not look into
    output = evaluate(layer, {**values, "b": place})
    return bool(abs(evaluate(inner, {**values, "a": output}) - evaluate(_Z, {"z": place})) < 1e-9)


def layer_polynomial(layer: Expression, a: Any, b: Any, translation: Translation) -> Any:
    """Return a polynomial in a and b that is 0 where ``a = layer(b)``; None for other layers."""
    h = translation.to_sympy(layer).subs(translation.symbol(INNER), b)
    relations: list[tuple[Any, Any]] = []
    while not h.is_rational_function(b):
        named = _with_root_named(h, b, len(relations))
        if named is None:
            return None
        h, root, relation = named
        relations.append((root, relation))
    above, below = sympy.fraction(sympy.together(h))
    polynomial = sympy.expand(above - a * below)
    for root, relation in reversed(relations):
        polynomial = sympy.resultant(polynomial, relation, root)
    return polynomial


def _with_root_named(h: Any, b: Any, depth: int) -> tuple[Any, Any, Any] | None:
    """Put a symbol for an innermost root; return it with the polynomial that vanishes."""
    roots = [p for p in atoms_of(h, sympy.Pow) if p.has(b) and p.exp.is_Rational and p.exp.q > 1]
    innermost = [p for p in roots if p.base.is_rational_function(b)]
    if not innermost:
        return None
    base, order = innermost[0].base, innermost[0].exp.q
    root = sympy.Dummy(f"root{depth}", positive=True)

    def is_power(part: Any) -> bool:
        return part.is_Pow and part.base == base and (part.exp * order).is_Integer is True

    named = h.replace(is_power, lambda part: root ** (part.exp * order))
    above, below = sympy.fraction(sympy.together(base))
    return named, root, sympy.expand(root**order * below - above)


def without_cancellation(polynomial: Any) -> Iterator[Any]:
    """Yield roots of ``A x**2 + B x + C`` as ``2 C/(-B ± …)``: one has no pole at A = 0."""
    if polynomial.degree() == 2:
        second, first, absolute = polynomial.all_coeffs()
        root = sympy.sqrt(sympy.factor(first**2 - 4 * second * absolute))
        yield from (2 * absolute / (sign * root - first) for sign in (1, -1))


def solutions(polynomial: Any) -> Iterator[Any]:
    """Yield the real solutions of a polynomial of degree up to three, or composed of such."""
    parts = sympy.decompose(polynomial.as_expr(), polynomial.gen)
    if len(parts) > 1:
        outermost = sympy.Poly(parts[0], polynomial.gen)
        inner = reduce(lambda f, g: g.subs(polynomial.gen, f), reversed(parts[1:]))
        for root in solutions(outermost):
            if not root.has(sympy.Piecewise):
                yield from solutions(sympy.Poly(sympy.expand(inner - root), polynomial.gen))
        return
    coefficients = polynomial.all_coeffs()
    if len(coefficients) == 2:
        yield sympy.cancel(-coefficients[1] / coefficients[0])
    elif len(coefficients) == 3:
        p, q = (sympy.cancel(c / coefficients[0]) for c in coefficients[1:])
        root = sympy.sqrt(sympy.factor(p**2 / 4 - q))
        yield -p / 2 + root
        yield -p / 2 - root
    elif polynomial.is_monomial or not any(coefficients[1:-1]):
        absolute = sympy.cancel(-coefficients[-1] / coefficients[0])
        yield from _roots(absolute, sympy.Integer(polynomial.degree()))
    elif len(coefficients) == 4:
        yield from _cubic(*(sympy.cancel(c / coefficients[0]) for c in coefficients[1:]))


def _cubic(second: Any, first: Any, absolute: Any) -> Iterator[Any]:
    """Yield the real solutions of x³ + second x² + first x + absolute, without complex numbers."""
    p = sympy.cancel(first - second**2 / 3)
    q = sympy.cancel(2 * second**3 / 27 - second * first / 3 + absolute)
    shift = -second / 3
    if p == 0:
        yield from (shift + root for root in _roots(-q, sympy.Integer(3)))
        return
    if p.is_negative is not True and p.is_nonpositive is not True:
        width = sympy.sqrt(p / 3)
        yield shift - 2 * width * sympy.sinh(sympy.asinh(3 * q / (2 * p * width)) / 3)
    if p.is_negative:
        width = sympy.sqrt(-p / 3)
        ratio = sympy.cancel(3 * q / (2 * p)) / width
        alone = [
            shift + sign * 2 * width * sympy.cosh(_area_cosines(sign * ratio)[0] / 3)
            for sign in (1, -1)
        ]
        yield from alone
        angle = _arc_cosines(ratio)[0]
        for k in range(3):
            one_of_three = shift + 2 * width * sympy.cos((angle - 2 * sympy.pi * k) / 3)
            yield one_of_three
            for sign, beyond in zip((1, -1), alone, strict=True):
                far = _at_least(sign * ratio, sympy.Integer(1))
                yield sympy.Piecewise((beyond, far), (one_of_three, True))
    elif p.is_positive is not True:
        yield from _cubic_by_cases(p, q, shift)


def _cubic_by_cases(p: Any, q: Any, shift: Any) -> Iterator[Any]:
    """Yield solutions of x³ + p x + q, moved, whatever the sign of p: alone, or one of three.

    Written as ``-q/(u² - u v + v²)`` with ``x = u + v`` and ``u v = -p/3``, the one that is alone
    does not cancel.
    """
    discriminant = sympy.cancel(4 * p**3 + 27 * q**2)
    larger = sympy.cbrt(sympy.Abs(q) / 2 + sympy.sqrt(discriminant / 108))
    alone = shift - q / (larger**2 + p / 3 + p**2 / (9 * larger**2))
    yield alone
    width = sympy.sqrt(-p / 3)
    angle = _arc_cosines(3 * q / (2 * p * width))[0]
    for k in range(3):
        one_of_three = shift + 2 * width * sympy.cos((angle - 2 * sympy.pi * k) / 3)
        yield sympy.Piecewise((alone, discriminant >= 0), (one_of_three, True))


def _at_least(e: Any, bound: Any) -> Any:
    """Return ``e >= bound``, solved for the one symbol in which e is linear."""
    symbols = [s for s in e.free_symbols if e.is_polynomial(s) and sympy.degree(e, s) == 1]
    if len(e.free_symbols) == 1 and len(symbols) == 1:
        slope = e.coeff(symbols[0], 1)
        place = sympy.simplify((bound - e.coeff(symbols[0], 0)) / slope)
        return symbols[0] >= place if slope.is_positive else symbols[0] <= place
    return e >= bound


def _roots(a: Any, exponent: Any) -> Iterator[Any]:
    """Yield the real solutions b of b**exponent = a."""
    yield a ** (1 / exponent)
    if exponent.is_Integer and exponent % 2 == 0:
        yield -(a ** (1 / exponent))
    elif exponent.is_Integer:
        yield -((-a) ** (1 / exponent))
        yield sympy.sign(a) * sympy.Abs(a) ** (1 / exponent)


def _arc_sines(a: Any) -> tuple[Any, ...]:
    """Return the angle between -π/2 and π/2, and those half a turn further on either side."""
    angle = sympy.atan(a / sympy.sqrt(1 - a**2))
    return angle, sympy.pi - angle, -sympy.pi - angle


def _arc_cosines(a: Any) -> tuple[Any, ...]:
    angle = sympy.pi / 2 - sympy.atan(a / sympy.sqrt(1 - a**2))
    return angle, -angle


def _area_cosines(a: Any) -> tuple[Any, ...]:
    root = sympy.log(a + sympy.sqrt(a**2 - 1))
    return root, -root


_INVERSES: dict[str, Any] = {
    "negate": lambda a: (-a,),
    "exp": lambda a: (sympy.log(a),),
    "expm1": lambda a: (sympy.log(1 + a),),
    "log": lambda a: (sympy.exp(a),),
    "log1p": lambda a: (sympy.exp(a) - 1,),
    "sqrt": lambda a: (a**2,),
    "tanh": lambda a: (sympy.log((1 + a) / (1 - a)) / 2,),
    "sinh": lambda a: (sympy.asinh(a),),
    "asinh": lambda a: (sympy.sinh(a),),
    "cosh": _area_cosines,
    "atan": lambda a: (sympy.tan(a),),
    "sin": _arc_sines,
    "cos": _arc_cosines,
}
