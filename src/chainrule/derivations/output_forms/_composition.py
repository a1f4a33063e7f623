"""Forms through the output of composed functions: a = h(b) with b = u(z).

    ∂a/∂z = h'(b) ∂b/∂z,    b = h⁻¹(a)

If u has a form through its own output, and h an inverse, so has the composition. What the outer
function's derivative says of its own value (``tanh' = 1 - tanh²``) needs no inverse. Where h has
no inverse but is algebraic, eliminating b leaves an equation between a and ∂a/∂z.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import mpmath
import sympy

from chainrule.derivations._evaluate import evaluate
from chainrule.derivations._operations import LOCAL_DERIVATIVES
from chainrule.derivations.algebra._arithmetic import size
from chainrule.derivations.algebra._sympy import Translation
from chainrule.derivations.output_forms._candidates import (
    LARGEST_DEGREE,
    OUTPUT,
    SLOPE,
    Candidate,
    Relation,
)
from chainrule.derivations.output_forms._inverses import inverses, layer_polynomial
from chainrule.derivations.output_forms._layers import INNER, exchanged, layers_of
from chainrule.derivations.output_forms._places import WORKING_DIGITS, Place, signed_symbol
from chainrule.derivations.output_forms.shortening._shortening import (
    polynomial_in,
    shortest,
    with_cosines,
)
from chainrule.derivations.pieces._pieces import Piece, differentiate
from chainrule.formulas import (
    Apply,
    Expression,
    FormulaError,
    Parameter,
    Variable,
    variables_of,
)

_Z = Variable("z")
_TOLERANCE = 1e-15
_FEWEST = 5
# Beyond these a layer's output may have reached its limit within the working precision.
_FAR, _EXTREME = 15, mpmath.mpf(10) ** 60
_LARGEST_IDENTITY = 60  # operations of a form whose identity is tested symbolically


def compositions(
    piece: Piece, values: Mapping[str, float], places: list[Place]
) -> Iterator[Candidate | Relation]:
    """Yield the forms that the structure of a piece suggests, then equations for the slope."""
    chain = Chain(piece, values, places)
    translation = chain.translation
    value = translation.to_sympy(piece.expression)
    slope = translation.to_sympy(piece.derivative)
    found = sorted(dict.fromkeys(chain.derivatives(0, chain.a)), key=sympy.count_ops)
    for derivative in found:
        if derivative.count_ops() > max(_LARGEST_IDENTITY, 2 * found[0].count_ops()):
            break
        if derivative.has(sympy.Piecewise):
            yield Candidate(shortest(derivative, translation, places, values), is_identity=False)
            continue
        proved = False
        if derivative.count_ops() < _LARGEST_IDENTITY:
            residual = sympy.together(derivative.subs(chain.a, value) - slope)
            proved = bool(residual == 0 or sympy.cancel(residual) == 0)
        for way in dict.fromkeys((derivative, with_cosines(derivative))):
            yield Candidate(shortest(way, translation, places, values), proved)
    yield from chain.relations()


class Chain:
    """The layers of a piece, with their values at places."""

    def __init__(self, piece: Piece, values: Mapping[str, float], places: list[Place]) -> None:
        self.values = values
        self.translation = Translation()
        for name, value in values.items():
            self.translation.symbol(Parameter(name), positive=True if value > 0 else None)
        self.a = signed_symbol("a", [place.output for place in places])
        self.translation.symbols[OUTPUT] = self.a
        self.translation.meaning[self.a] = OUTPUT
        self.layers = layers_of(piece.expression, values)
        with mpmath.workdps(WORKING_DIGITS):
            levels = [[place.z for place in places]]
            for layer in reversed(self.layers):
                levels.append([evaluate(layer, {**values, INNER: b}) for b in levels[-1]])
        self.levels = levels[::-1]  # the output of layer k, and last z

    @cached_property
    def symbols(self) -> list[Any]:
        """The output of every layer, and z, as symbols that know their sign."""
        return [
            self.a,
            *(signed_symbol(f"b{k}", level) for k, level in enumerate(self.levels[1:])),
        ]

    def derivatives(self, k: int, a: Any) -> Iterator[Any]:
        """Yield ∂a/∂z of the layers from the k-th inwards, in their output a."""
        if k == len(self.layers):
            yield sympy.Integer(1)
            return
        b = self.symbols[k + 1]
        local = self.local_derivative(k)
        inverse: Any = None
        for inner in self.derivatives(k + 1, b):
            product = local * inner
            if not product.has(b):
                yield product
                continue
            inverse = inverse if inverse is not None else self.inverse(k)
            if inverse is None:
                return
            for way in self.reduced(k, product):
                if isinstance(inverse, sympy.Piecewise):
                    yield sympy.Piecewise(*((way.subs(b, x), held) for x, held in inverse.args))
                else:
                    yield way.subs(b, inverse)

    def reduced(self, k: int, product: Any) -> Iterator[Any]:
        """Yield a slope in b, and the same as a polynomial in b lowered by ``a = h(b)``."""
        yield product
        a, b = self.symbols[k], self.symbols[k + 1]
        if not product.is_rational_function(b):
            return
        above, below = sympy.fraction(sympy.cancel(sympy.together(product)))
        polynomial = layer_polynomial(self.layers[k], a, b, self.translation)
        if polynomial is None or sympy.degree(polynomial, b) < 2:
            return
        if below.has(b):
            inverse = sympy.invert(below, polynomial, b)
            yield sympy.factor(sympy.rem(sympy.expand(above * inverse), polynomial, b))
        elif sympy.degree(above, b) >= sympy.degree(polynomial, b):
            yield sympy.rem(above, polynomial, b) / below

    def local_derivative(self, k: int) -> Any:
        """Return h'(b), in h's own value where the table of operations writes it so."""
        outer = self.layers[k]
        translation = self.translation
        own = {translation.symbol(INNER): self.symbols[k + 1], self.a: self.symbols[k]}
        if isinstance(outer, Apply) and outer.arguments.count(INNER) == 1:
            others = [x for x in outer.arguments if x != INNER]
            if not any("b" in variables_of(x) for x in others):
                partials = LOCAL_DERIVATIVES[outer.operation](outer.arguments, OUTPUT)
                written = translation.to_sympy(partials[outer.arguments.index(INNER)])
                return written.subs(own, simultaneous=True)
        derivative = exchanged(differentiate(exchanged(outer, INNER, _Z)), _Z, INNER)
        return translation.to_sympy(derivative).subs(own)

    def inverse(self, k: int) -> Any:
        """Return the shortest solution of ``a = h(b)`` that has b's value at all places."""
        a, b = self.symbols[k], self.symbols[k + 1]
        best: tuple[int, int, Any] | None = None
        for solution in inverses(self.layers[k], a, b, self.translation):
            if solution.has(sympy.I, sympy.zoo, sympy.nan):
                continue
            meaning = {**self.translation.meaning, a: OUTPUT}
            try:
                written = Translation(meaning=meaning).to_expression(solution)
            except FormulaError:
                continue  # SymPy has put a function in that the language lacks
            agreeing = self.agreeing(k, written)
            if agreeing >= min(_FEWEST, len(self.levels[k])):
                rank = (-agreeing, size(written), solution)
                if best is None or rank[:2] < best[:2]:
                    best = rank
        return None if best is None else best[2]

    def agreeing(self, k: int, solution: Expression) -> int:
        """Return at how many places a solution has b's value; 0 if it has another at one."""
        count = 0
        with mpmath.workdps(WORKING_DIGITS):
            levels = zip(self.levels[k], self.levels[k + 1], self.levels[-1], strict=True)
            for output, wanted, z in levels:
                if abs(z) > _FAR or not 1 / _EXTREME < abs(wanted) < _EXTREME:
                    continue
                got = evaluate(solution, {**self.values, "a": output})
                if mpmath.isfinite(got):
                    if abs(got - wanted) > _TOLERANCE * abs(wanted):
                        return 0
                    count += 1
        return count

    def relations(self) -> Iterator[Relation]:
        """Yield P(a, d) = 0 between output and slope: a layer without inverse is eliminated."""
        output, outside = self.a, sympy.Integer(1)
        slope = sympy.Dummy("d", real=True)
        for k in range(len(self.layers)):
            own, b = self.symbols[k], self.symbols[k + 1]
            inverse = self.inverse(k)
            if inverse is None or inverse.has(sympy.Piecewise):
                for inner in self.derivatives(k + 1, b):
                    found = self.eliminated(k, self.local_derivative(k) * inner, slope)
                    if found is not None:
                        written = found.subs({own: output, slope: slope / outside})
                        yield from self.relation(written, slope)
                return
            outside = (outside * self.local_derivative(k)).subs(b, inverse).subs(own, output)
            output = inverse.subs(own, output)

    def eliminated(self, k: int, product: Any, slope: Any) -> Any:
        """Return a polynomial in the k-th layer's output and its slope, which is a product in b."""
        a, b = self.symbols[k], self.symbols[k + 1]
        polynomial = layer_polynomial(self.layers[k], a, b, self.translation)
        if polynomial is None or not product.is_rational_function(b):
            return None
        above, below = sympy.fraction(sympy.together(product))
        return sympy.resultant(polynomial, sympy.expand(slope * below - above), b)

    def relation(self, equation: Any, slope: Any) -> Iterator[Relation]:
        above, _ = sympy.fraction(sympy.together(equation))
        translation = Translation(meaning={**self.translation.meaning, slope: SLOPE})
        for factor, _ in sympy.factor_list(above)[1]:
            if factor.has(slope) and sympy.degree(factor, slope) <= LARGEST_DEGREE:
                yield Relation(polynomial_in(factor, slope, translation))
