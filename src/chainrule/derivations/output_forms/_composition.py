"""Forms through the output of composed functions: a = h(b) with b = u(z).

    ∂a/∂z = h'(b) ∂b/∂z,    b = h⁻¹(a)

If u has a form through its own output, and h an inverse, so has the composition. What the outer
function's derivative says of its own value (``tanh' = 1 - tanh²``) needs no inverse.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from typing import Any

import sympy

from chainrule.derivations._algebra import Translation
from chainrule.derivations._arithmetic import rebuilt
from chainrule.derivations._operations import LOCAL_DERIVATIVES
from chainrule.derivations._pieces import Piece, differentiate
from chainrule.derivations.output_forms._elimination import OUTPUT, Candidate, shortest
from chainrule.formulas import (
    Apply,
    Expression,
    Variable,
    subexpressions,
    substitute,
    variables_of,
)

_Z = Variable("z")
_INNER = Variable("b")
_MOST = 12  # branches that are followed


def compositions(piece: Piece, translation: Translation) -> Iterator[Candidate]:
    """Yield the forms that the structure of a piece suggests, one for each choice of branches."""
    layers = _layers(rebuilt(piece.expression))
    a = translation.symbol(OUTPUT)
    value = translation.to_sympy(piece.expression)
    slope = translation.to_sympy(piece.derivative)
    for derivative in _derivatives(layers, a, translation):
        residual = sympy.together(derivative.subs(a, value) - slope)
        proved = bool(residual == 0 or sympy.cancel(residual) == 0)
        for way in (derivative, _with_cosines(derivative)):
            yield Candidate(shortest(_without_signs(way), translation), proved)


def _layers(expression: Expression) -> list[Expression]:
    """Take a formula apart, outside first, wherever all its `z` sit in one common part."""
    layers = []
    while expression != _Z:
        inner = _common_part(expression)
        replaced = _exchanged(expression, inner, _INNER)
        layers.append(replaced)
        expression = inner
    return layers


def _exchanged(expression: Expression, old: Expression, new: Expression) -> Expression:
    return substitute(expression, lambda e: new if e == old else None)


def _common_part(expression: Expression) -> Expression:
    """Return the largest proper part outside of which no `z` occurs."""
    for part in subexpressions(expression):
        if part == expression or "z" not in variables_of(part):
            continue
        outside = _exchanged(expression, part, _INNER)
        if "z" not in variables_of(outside):
            return part
    return _Z


def _derivatives(layers: list[Expression], a: Any, translation: Translation) -> Iterator[Any]:
    if not layers:
        yield sympy.Integer(1)
        return
    outer, rest = layers[0], layers[1:]
    b = sympy.Dummy("b", real=True)  # its own for every layer
    own = {translation.symbol(_INNER): b}
    local = _local_derivative(outer, a, translation).subs(own)
    inverses = list(_inverses(outer, a, translation))[:_MOST]
    for inner in _derivatives(rest, b, translation):
        product = local * inner
        if not product.has(b):
            yield product
            continue
        for inverse in inverses:
            yield product.subs(b, inverse)


def _local_derivative(outer: Expression, a: Any, translation: Translation) -> Any:
    """Return h'(b), in h's own value where the table of operations writes it so."""
    if isinstance(outer, Apply) and outer.arguments.count(_INNER) == 1:
        others = [x for x in outer.arguments if x != _INNER]
        if not any("b" in variables_of(x) for x in others):
            partials = LOCAL_DERIVATIVES[outer.operation](outer.arguments, OUTPUT)
            # The own value of this layer is `a` here, whatever the layer.
            written = translation.to_sympy(partials[outer.arguments.index(_INNER)])
            return written.subs(translation.symbol(OUTPUT), a)
    derivative = _exchanged(differentiate(_exchanged(outer, _INNER, _Z)), _Z, _INNER)
    return translation.to_sympy(derivative)


def _inverses(outer: Expression, a: Any, translation: Translation) -> Iterator[Any]:
    """Yield the solutions b of a = h(b), one for each branch."""
    b = translation.symbol(_INNER)
    if isinstance(outer, Apply) and outer.arguments[0] == _INNER and len(outer.arguments) == 1:
        yield from _INVERSES.get(outer.operation, lambda a: ())(a)
        return
    match outer:
        case Apply("power", (base, exponent)) if base == _INNER and not variables_of(exponent):
            yield from _roots(a, translation.to_sympy(exponent))
            return
        case Apply("power", (base, exponent)) if exponent == _INNER:
            yield sympy.log(a) / sympy.log(translation.to_sympy(base))
            return
    h = translation.to_sympy(outer)
    if not h.is_rational_function(b):
        return
    above, below = sympy.fraction(sympy.together(h))
    polynomial = sympy.Poly(sympy.expand(above - a * below), b)
    yield from _solutions(polynomial)


def _solutions(polynomial: Any) -> Iterator[Any]:
    """Yield the real solutions of a polynomial of degree up to three, or composed of such."""
    parts = sympy.decompose(polynomial.as_expr(), polynomial.gen)
    if len(parts) > 1:
        outermost = sympy.Poly(parts[0], polynomial.gen)
        inner = reduce(lambda f, g: g.subs(polynomial.gen, f), reversed(parts[1:]))
        for root in _solutions(outermost):
            yield from _solutions(sympy.Poly(sympy.expand(inner - root), polynomial.gen))
        return
    coefficients = polynomial.all_coeffs()
    if len(coefficients) == 2:
        yield -coefficients[1] / coefficients[0]
    elif len(coefficients) == 3:
        p, q = (c / coefficients[0] for c in coefficients[1:])
        root = sympy.sqrt(sympy.factor(p**2 / 4 - q))
        yield -p / 2 + root
        yield -p / 2 - root
    elif polynomial.is_monomial or not any(coefficients[1:-1]):
        yield from _roots(-coefficients[-1] / coefficients[0], sympy.Integer(polynomial.degree()))
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
    if p.is_negative is not True:
        width = sympy.sqrt(p / 3)
        yield shift - 2 * width * sympy.sinh(sympy.asinh(3 * q / (2 * p * width)) / 3)
    if p.is_positive is not True:
        width = sympy.sqrt(-p / 3)
        ratio = sympy.cancel(3 * q / (2 * p)) / width
        for angle in _arc_cosines(ratio):
            for k in range(3):
                yield shift + 2 * width * sympy.cos((angle - 2 * sympy.pi * k) / 3)
        for sign in (1, -1):
            for growth in _area_cosines(-sign * ratio):
                yield shift - sign * 2 * width * sympy.cosh(growth / 3)


def _roots(a: Any, exponent: Any) -> Iterator[Any]:
    """Yield the real solutions b of b**exponent = a."""
    if exponent.is_Integer and exponent % 2:
        yield sympy.sign(a) * sympy.Abs(a) ** (1 / exponent)
        return
    yield a ** (1 / exponent)
    if exponent.is_Integer:
        yield -(a ** (1 / exponent))


def _arc_cosines(a: Any) -> tuple[Any, ...]:
    return (sympy.pi / 2 - sympy.atan(a / sympy.sqrt(1 - a**2)),)


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
    "sin": lambda a: (sympy.atan(a / sympy.sqrt(1 - a**2)),),
    "cos": lambda a: (_arc_cosines(a)[0], -_arc_cosines(a)[0]),
}


def _without_signs(e: Any) -> Any:
    """``sign(x)**2 -> 1``; the limit at 0 is the other factor's."""
    return e.replace(
        lambda part: part.is_Pow and isinstance(part.base, sympy.sign) and part.exp.is_even,
        lambda part: sympy.Integer(1),
    )


def _with_cosines(e: Any) -> Any:
    """Write even powers of tangents and of (hyperbolic) sines through the cosines."""
    e = e.replace(
        lambda part: part.is_Pow and isinstance(part.base, sympy.sinh) and part.exp == 2,
        lambda part: sympy.cosh(part.base.args[0]) ** 2 - 1,
    )
    e = e.replace(
        lambda part: part.is_Pow and isinstance(part.base, sympy.tan) and part.exp == 2,
        lambda part: 1 / sympy.cos(part.base.args[0]) ** 2 - 1,
    )
    for angle in {part.args[0] for part in e.atoms(sympy.tan)}:
        s, c = sympy.Dummy("s"), sympy.Dummy("c")
        above, below = sympy.fraction(sympy.together(e.subs(sympy.tan(angle), s / c)))
        if not (above.is_polynomial(s, c) and below.is_polynomial(s, c)):
            continue
        relation = s**2 + c**2 - 1
        e = sympy.cancel(sympy.rem(above, relation, s) / sympy.rem(below, relation, s))
        e = e.subs({s: sympy.sin(angle), c: sympy.cos(angle)})
    return e
