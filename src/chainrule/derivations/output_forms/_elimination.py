"""Elimination of a piece's generators between a = f and d = f', by resultants.

On a smooth piece f and f' are rational in generators of `z`. From ``a = F``, ``d = F'`` and the
generators' relations the generators are eliminated; what is left is a polynomial in a and d.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sympy

from chainrule.derivations.algebra._field import Field
from chainrule.derivations.output_forms._candidates import (
    LARGEST_DEGREE,
    OUTPUT,
    SLOPE,
    Candidate,
    Relation,
)
from chainrule.derivations.output_forms._layers import without_bases
from chainrule.derivations.output_forms._places import Place, signed_symbol
from chainrule.derivations.output_forms.shortening._shortening import (
    polynomial_in,
    shortest,
    through_cosine,
    with_cosines,
)
from chainrule.derivations.pieces._pieces import Piece
from chainrule.formulas import Expression

_LONGEST_NUMBER = 1 << 12  # bits


class Elimination:
    """The field of a piece, with its value and slope as quotients of polynomials there."""

    def __init__(self, piece: Piece, values: dict[str, float], places: list[Place]) -> None:
        self.places, self.values = places, values
        self.field = Field(values)
        value, slope = map(without_bases, (piece.expression, piece.derivative))
        self.field.prepare(value, slope)
        self.value = self.field.normal(self.field.build(value))
        self.slope = self.field.normal(self.field.build(slope))
        self.a = signed_symbol("a", [place.output for place in places])
        self.field.translation.symbols[OUTPUT] = self.a
        self.field.translation.meaning[self.a] = OUTPUT
        self.d = sympy.Dummy("d", real=True)

    def shortest(self, e: Any) -> Expression:
        """Return the shortest way to write an expression on this piece."""
        return shortest(e, self.field.translation, self.places, self.values)

    def candidates(self) -> Iterator[Candidate | Relation]:
        """Yield forms through the output."""
        slope = self.slope[0] / self.slope[1]
        if not self.field.depends(slope):
            yield Candidate(self.field.translation.to_expression(slope), is_identity=True)
            return
        yield from self.through(self.a, self.value, self.a)
        for g in tuple(self.field.generators):
            if g.kind == "log" and self.value[0].has(g.symbol):
                yield from self.through_exponential(g.symbol)
        yield from self.through_tangent()

    def through_exponential(self, logarithm: Any) -> Iterator[Candidate | Relation]:
        """Where a holds a logarithm, exp(c a) may be rational in the generators: use it for a."""
        value = self.value[0] / self.value[1]
        coefficient = sympy.cancel(sympy.diff(value, logarithm))
        if self.field.depends(coefficient):
            return
        scale = sympy.cancel(1 / coefficient)
        exponential = self.field.exp(sympy.expand(scale * value))
        symbol = sympy.Dummy("A", positive=True)
        written = sympy.exp(scale * self.a)
        yield from self.through(symbol, self.field.normal(exponential), written)

    def through_tangent(self) -> Iterator[Candidate | Relation]:
        """Where a is a sum of arctangents, tan(c a) is rational in the generators: use it for a."""
        value = self.value[0] / self.value[1]
        angles = [g for g in self.field.generators if g.kind == "atan" and value.has(g.symbol)]
        if len(angles) < 2:  # the inverse of a single one is known
            return
        polynomial = sympy.Poly(sympy.expand(value), *(g.symbol for g in angles))
        rest = polynomial.coeff_monomial(1)
        coefficients = [polynomial.coeff_monomial(g.symbol) for g in angles]
        if polynomial.total_degree() > 1 or any(map(self.field.depends, (rest, *coefficients))):
            return
        shares = [sympy.cancel(c / coefficients[0]) for c in coefficients]
        if not all(share.is_Rational for share in shares):
            return
        unit = coefficients[0] * sympy.gcd_list(shares)
        turned = sympy.prod(
            (1 + sympy.I * g.argument) ** sympy.cancel(c / unit)
            for g, c in zip(angles, coefficients, strict=True)
        )
        above, below = sympy.fraction(sympy.together(turned))
        real, imaginary = sympy.expand(above * sympy.conjugate(below)).as_real_imag()
        symbol = sympy.Dummy("A", real=True)
        written = sympy.tan((self.a - rest) / unit)
        yield from self.through(symbol, self.field.normal(imaginary / real), written)

    def through(
        self, symbol: Any, form: tuple[Any, Any], in_output: Any
    ) -> Iterator[Candidate | Relation]:
        """Eliminate the generators between ``symbol = form`` and ``d = slope``."""
        wanted = [
            sympy.expand(symbol * form[1] - form[0]),
            sympy.expand(self.d * self.slope[1] - self.slope[0]),
        ]
        generators = self.generators_of(wanted)
        relations = [r for r in self.field.relations() if r.free_symbols & set(generators)]
        transcendental = [g for g in generators if not self.is_root(g)]
        roots = [g for g in generators if self.is_root(g)]
        inverse: tuple[Expression | None, Expression | None] = None, None
        polynomials = [*wanted, *relations]
        if len(transcendental) == 1:
            inverse = self.inverse(transcendental[0], symbol, wanted[0], roots)
        elif len(transcendental) == 2:
            polynomials = self.in_quotient(polynomials, *transcendental)
            transcendental = transcendental[1:]
        if len(transcendental) != 1:
            return
        for generator in [*reversed(roots), *transcendental]:
            polynomials = self.eliminated(polynomials, generator)
        for polynomial in polynomials:
            if polynomial.has(self.d):
                for solution in self.solutions(polynomial, symbol, in_output):
                    if isinstance(solution, Relation):
                        yield solution
                        continue
                    written = solution.subs(symbol, in_output)
                    proved = self.is_identity(solution, symbol, form)
                    ways = [written, with_cosines(written)]
                    if in_output.has(sympy.tan):
                        ways.append(through_cosine(solution, symbol, in_output.args[0]))
                    for way in dict.fromkeys(ways):
                        yield Candidate(self.shortest(way), proved, *inverse)
                return

    def in_quotient(self, polynomials: list[Any], one: Any, other: Any) -> list[Any]:
        """Write polynomials in two generators in the quotient of these; empty if one is not.

        ``exp(z)/(exp(z) + exp(alpha*z))`` holds ``exp(alpha*z - z)`` alone.
        """
        quotients = [sympy.Poly(p, one, other) for p in polynomials]
        if not all(p.is_homogeneous for p in quotients):
            return []
        return [p.as_expr().subs(one, 1) for p in quotients]

    def generators_of(self, polynomials: list[Any]) -> list[Any]:
        """Return the symbols that occur in polynomials and in the arguments of their roots."""
        field = self.field
        known = [field.x, *(g.symbol for g in field.generators)]
        used = set().union(*(p.free_symbols for p in polynomials)) & set(known)
        for g in reversed(field.generators):
            if g.symbol in used and g.kind == "sqrt":
                used |= g.argument.free_symbols & set(known)
        return [symbol for symbol in known if symbol in used]

    def is_root(self, symbol: Any) -> bool:
        """Tell whether a symbol stands for a square root."""
        return any(g.symbol == symbol and g.kind == "sqrt" for g in self.field.generators)

    def eliminated(self, polynomials: list[Any], generator: Any) -> list[Any]:
        """Return what follows from polynomials without one of their symbols."""
        with_it = [p for p in polynomials if p.has(generator)]
        rest = [p for p in polynomials if not p.has(generator)]
        if not with_it:
            return rest
        with_it.sort(key=lambda p: sympy.degree(p, generator))
        for other in with_it[1:]:
            rest.append(sympy.expand(sympy.resultant(with_it[0], other, generator)))
        return rest

    def solutions(self, polynomial: Any, symbol: Any, in_output: Any) -> Iterator[Any]:
        """Yield the solutions for d of the factors of low degree, and the other factors.

        None where numbers are so long that a prime beyond them takes seconds to find.
        """
        numbers = polynomial.atoms(sympy.Rational)
        if any(max(abs(x.p), x.q).bit_length() > _LONGEST_NUMBER for x in numbers):
            return
        _, factors = sympy.factor_list(polynomial)
        for factor, _ in factors:
            degree = sympy.degree(factor, self.d) if factor.has(self.d) else 0
            if 0 < degree <= 2:
                yield from sympy.solve(factor, self.d)
            elif 0 < degree <= LARGEST_DEGREE:
                self.field.translation.meaning[self.d] = SLOPE
                written = factor.subs(symbol, in_output)
                yield Relation(polynomial_in(written, self.d, self.field.translation))

    def is_identity(self, solution: Any, symbol: Any, form: tuple[Any, Any]) -> bool:
        """Put the value for a and test for zero in the field; a solution with roots is left."""
        if not solution.is_rational_function(symbol):
            return False
        residual = solution.subs(symbol, form[0] / form[1]) - self.slope[0] / self.slope[1]
        return bool(self.field.normal(residual)[0] == 0)

    def inverse(
        self, generator: Any, symbol: Any, polynomial: Any, roots: list[Any]
    ) -> tuple[Expression | None, Expression | None]:
        """Return the eliminated generator and its value in the output, if that is rational."""
        if roots or sympy.degree(polynomial, generator) != 1 or symbol != self.a:
            return None, None
        solved = sympy.solve(polynomial, generator)
        if len(solved) != 1:
            return None, None
        self.name_generators()
        translation = self.field.translation
        return translation.to_expression(generator), self.shortest(solved[0])

    def name_generators(self) -> None:
        """Let expressions hold generators, under their meaning in z."""
        meaning = self.field.translation.meaning
        for g in self.field.generators:
            if g.symbol not in meaning:
                written = getattr(sympy, g.kind)(g.argument)
                meaning[g.symbol] = self.field.translation.to_expression(written)

    def mixed(self) -> Iterator[Candidate]:
        """Yield forms through a and z: generators of which a is a linear function replaced."""
        relation = sympy.expand(self.a * self.value[1] - self.value[0])
        slope = self.slope[0] / self.slope[1]
        for g in self.field.generators:
            if g.kind == "sqrt" or not relation.is_polynomial(g.symbol):
                continue
            if sympy.degree(relation, g.symbol) != 1:
                continue
            polynomial = sympy.Poly(relation, g.symbol)
            linear, rest = polynomial.all_coeffs()
            replaced = sympy.cancel(slope.subs(g.symbol, -rest / linear))
            if not replaced.has(self.a):
                continue
            residual = replaced.subs(self.a, self.value[0] / self.value[1]) - slope
            self.name_generators()
            yield Candidate(
                self.shortest(replaced),
                bool(self.field.normal(residual)[0] == 0),
            )
