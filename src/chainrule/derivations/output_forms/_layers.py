"""A formula taken apart into layers, outside first: a = h₁(h₂(… hₙ(z))).

A layer is an expression in ``b``, the value of the next one. Where every `z` sits in one common
part, that part begins the next layer. Where none is common but `z` itself, several exponentials
are powers of one, and several roots of a value are powers of one root: ``exp(3*z) + exp(z)`` is
``b**3 + b`` with ``b = exp(z)``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from math import lcm

import sympy

from chainrule.derivations.algebra._arithmetic import ONE, divide, multiply, negate, rebuilt
from chainrule.derivations.algebra._field import Field, NotInFieldError
from chainrule.derivations.algebra._sympy import FAILURES, Translation
from chainrule.derivations.layers._closed_form import without_reductions
from chainrule.formulas import (
    Apply,
    Constant,
    Expression,
    Parameter,
    Pi,
    Variable,
    constant,
    is_layer_coupled,
    subexpressions,
    substitute,
    variables_of,
)

INNER = Variable("b")
_Z = Variable("z")
_LARGEST_ROOT = 12
_Parts = tuple[Expression, Expression]


def is_shared(e: Expression) -> bool:
    """Tell whether a value depends on `z` and is the same for all units of the layer."""
    return "z" in variables_of(e) and "z" not in variables_of(without_reductions(e))


def layers_of(expression: Expression, values: Mapping[str, float]) -> list[Expression]:
    """Return the layers of a smooth expression in `z`, outside first.

    Parameters
    ----------
    expression : Expression
    values : mapping of str to float
        Of the parameters.
    """
    expression = rebuilt(expression)
    if expression == _Z:
        return []
    inner = next(common_parts(expression), _Z)
    if inner != _Z:
        outer = exchanged(expression, inner, _Z)
        return [*layers_of(outer, values), *layers_of(inner, values)]
    if sum(e == _Z for e in subexpressions(expression)) > 1:
        for way in _WAYS:
            parts = way(expression, values)
            if parts is not None and expression not in parts:
                return [layer for part in parts for layer in layers_of(part, values)]
    return [exchanged(expression, _Z, INNER)]


def exchanged(expression: Expression, old: Expression, new: Expression) -> Expression:
    """Return an expression with one part replaced everywhere."""
    return substitute(expression, lambda e: new if e == old else None)


def common_parts(expression: Expression) -> Iterator[Expression]:
    """Yield the proper parts outside of which no `z` occurs, the largest first."""
    for part in subexpressions(expression):
        if part == expression or "z" not in variables_of(part):
            continue
        outside = exchanged(expression, part, INNER)
        if "z" not in variables_of(outside):
            yield part


def _by_exponential(expression: Expression, values: Mapping[str, float]) -> _Parts | None:
    """``exp(3*z) + 2*tanh(z) -> b**3 + …``, ``b = exp(z)``."""
    field = Field(dict(values))
    try:
        exponents = without_bases(expression)
        field.prepare(exponents)
        if field.exponential is None:
            return None
        value = field.normal(field.build(exponents))
        meaning = field.translation.meaning
        meaning[field.exponential.symbol] = _Z
        for g in field.generators:
            if g is not field.exponential:
                meaning[g.symbol] = field.translation.to_expression(
                    getattr(sympy, g.kind)(g.argument)
                )
        meaning[field.x] = Variable("x")  # no function of the exponential
        outer = field.translation.to_expression(value[0] / value[1])
        rate = field.translation.to_expression(field.rate)
    except (NotInFieldError, *FAILURES):
        return None
    if "x" in variables_of(outer) or outer == _Z:
        return None
    return outer, rebuilt(Apply("exp", (Apply("multiply", (rate, _Z)),)))


def without_bases(expression: Expression) -> Expression:
    """``2**z -> exp(log(2)*z)``, where the base is positive."""
    translation = Translation()

    def exponential(e: Expression) -> Expression | None:
        match e:
            case Apply("power", (base, exponent)) if "z" in variables_of(
                exponent
            ) and not variables_of(base):
                logarithm = sympy.expand_log(sympy.log(translation.to_sympy(base)))
                rate = translation.to_expression(logarithm)
                return Apply("exp", (Apply("multiply", (rate, without_bases(exponent))),))
        return None

    return substitute(expression, exponential)


def without_areas(expression: Expression) -> Expression:
    """``asinh(z) -> log(z + sqrt(1 + z**2))``, whose exponential is algebraic."""

    def logarithm(e: Expression) -> Expression | None:
        match e:
            case Apply("asinh", (x,)):
                x = without_areas(x)
                square = Apply("add", (constant(1), Apply("multiply", (x, x))))
                return Apply("log", (Apply("add", (x, Apply("sqrt", (square,)))),))
        return None

    return substitute(expression, logarithm)


def _by_root(expression: Expression, values: Mapping[str, float]) -> _Parts | None:
    """``z**1.5 + z -> b**3 + b**2``, ``b = sqrt(z)``; also roots of a linear function of z."""
    exponents: dict[Expression, list[Fraction]] = {}
    for e in subexpressions(expression):
        found = _fractional_power(e)
        if found is not None:
            exponents.setdefault(found[0], []).append(found[1])
    if len(exponents) != 1:
        return None
    ((base, powers),) = exponents.items()
    order = lcm(*(p.denominator for p in powers))
    solved = _solved_for_z(base, order)
    if solved is None or order > _LARGEST_ROOT:
        return None

    def replaced(e: Expression) -> Expression | None:
        found = _fractional_power(e)
        if found is not None:
            return Apply("power", (_Z, constant(found[1] * order)))
        return solved if e == _Z else None

    root = (
        Apply("sqrt", (base,))
        if order == 2
        else Apply("power", (base, Constant(Fraction(1, order))))
    )
    return rebuilt(substitute(expression, replaced)), root


def _by_power(expression: Expression, values: Mapping[str, float]) -> _Parts | None:
    """``z*(-z)**p -> -b**(p + 1)``, ``b = -z``: powers of one base that multiply to one."""
    bases = {
        e.arguments[0]
        for e in subexpressions(expression)
        if isinstance(e, Apply) and e.operation == "power" and "z" in variables_of(e.arguments[0])
    }
    base = bases.pop() if bases else _Z
    if bases or base not in (_Z, negate(_Z)):
        return None
    translation = Translation()
    for name, value in values.items():
        translation.symbol(Parameter(name), positive=True if value > 0 else None)
    z, power = translation.symbol(_Z), sympy.Dummy("b", positive=True)
    written = translation.to_sympy(expression).subs(z, power if base == _Z else -power)
    short = sympy.powsimp(written)
    if sum(part == power for part in sympy.preorder_traversal(short)) != 1:
        return None
    return translation.to_expression(short.subs(power, z)), base


def _by_letter(expression: Expression, values: Mapping[str, float]) -> _Parts | None:
    """``z/(1 + z**k)**(1/k) -> (b/(1 + b))**(1/k)``, ``b = z**k``: one power of letters."""
    powers = {
        e.arguments
        for e in subexpressions(expression)
        if isinstance(e, Apply) and e.operation == "power" and e.arguments[0] in (_Z, negate(_Z))
    }
    if len(powers) != 1:
        return None
    ((base, exponent),) = powers
    if variables_of(exponent) or isinstance(exponent, Constant):
        return None
    translation = Translation()
    for name, value in values.items():
        translation.symbol(Parameter(name), positive=True if value > 0 else None)
    z, power = translation.symbol(_Z), sympy.Dummy("b", positive=True)
    root = power ** (1 / translation.to_sympy(exponent))
    written = translation.to_sympy(expression).subs(z, root if base == _Z else -root)
    short = sympy.powsimp(sympy.powdenest(written, force=True), force=True)
    parts = list(sympy.preorder_traversal(short))
    if parts.count(power) > 2:
        return None
    of_letters = (x for x in parts if x.is_Pow and x.base == power and not x.exp.is_Number)
    if parts.count(power) == 2 and any(of_letters):
        return None  # z**k + z would become z + z**(1/k), and that z**k + z
    return translation.to_expression(short.subs(power, z)), Apply("power", (base, exponent))


def _fractional_power(e: Expression) -> tuple[Expression, Fraction] | None:
    match e:
        case Apply("sqrt", (base,)) if "z" in variables_of(base):
            return base, Fraction(1, 2)
        case Apply("power", (base, Constant(exponent))) if (
            "z" in variables_of(base) and exponent.denominator > 1
        ):
            return base, exponent
    return None


def _solved_for_z(base: Expression, order: int) -> Expression | None:
    """Return z in ``base = z**order``, where the base is linear in z."""
    if base == _Z:
        return Apply("power", (_Z, constant(order)))
    if any(not _is_polynomial(e) for e in subexpressions(base)):
        return None
    translation = Translation()
    z = translation.symbol(_Z)
    line = sympy.expand(translation.to_sympy(base))
    if not line.is_polynomial(z) or sympy.degree(line, z) != 1:
        return None
    slope, absolute = sympy.Poly(line, z).all_coeffs()
    return translation.to_expression((z**order - absolute) / slope)


def _is_polynomial(e: Expression) -> bool:
    if isinstance(e, Apply):
        arithmetic = ("add", "subtract", "multiply", "divide", "negate")
        return e.operation in arithmetic
    return isinstance(e, Constant | Pi | Parameter | Variable)


_WAYS: tuple[Callable[[Expression, Mapping[str, float]], _Parts | None], ...] = (
    _by_exponential,
    _by_root,
    _by_power,
    _by_letter,
)


def factors_apart(e: Expression, shared: Expression) -> tuple[Expression, Expression] | None:
    """Return the factors of a product in `z` alone, and those in what the units share alone.

    Parameters
    ----------
    e : Expression
    shared : Expression
        What stands in it for a reduction over the units.

    Returns
    -------
    tuple of Expression or None
        None where one factor has both, or another reduction.
    """
    if shared not in subexpressions(e):
        return None if is_layer_coupled(e) else (e, ONE)
    if "z" not in variables_of(e):
        return ONE, e
    match e:
        case Apply("multiply" | "divide" as operation, (x, y)):
            one, other = factors_apart(x, shared), factors_apart(y, shared)
            if one is None or other is None:
                return None
            join = multiply if operation == "multiply" else divide
            return join(one[0], other[0]), join(one[1], other[1])
        case Apply("negate", (x,)):
            inner = factors_apart(x, shared)
            return None if inner is None else (negate(inner[0]), inner[1])
    return None
