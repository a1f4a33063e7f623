"""Derivatives written over one denominator, which is kept as the author wrote it.

Every node of the graph is a symbol. A sum is put in for its symbol above the fraction line alone,
so that ``(1 + exp(-z))**2`` below stays a square; what the sum then has in common with a
denominator is cancelled. Roots and absolute values are lowered by what is known of their squares.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import sympy

from chainrule.derivations._graph import Graph
from chainrule.derivations.algebra._arithmetic import with_exponentials_joined, written_length
from chainrule.derivations.algebra._sympy import (
    FAILURES,
    Translation,
    put_in,
    with_factors_joined,
    with_names_put_back,
    with_powers_named,
)
from chainrule.derivations.limits_in_time._time_limit import time_limit
from chainrule.formulas import Apply, Expression, substitute

_SECONDS = 1.0
_MERGING_SECONDS = 0.5
_ARITHMETIC = ("add", "subtract", "multiply", "divide", "negate")
_SIGNS = ("abs", "sign")
_CIRCULAR = (sympy.sinh, sympy.cosh, sympy.sin, sympy.cos)
_SQUARES = (
    (sympy.sinh, sympy.cosh, lambda c: c**2 - 1),
    (sympy.sin, sympy.cos, lambda c: 1 - c**2),
)


class Tidy:
    """The short ways to write derivatives by a graph's nodes.

    Parameters
    ----------
    graph : Graph
    names : dict of int to Expression
        The nodes' names.
    written : callable
        What is done to nodes that are written out in the variables.
    """

    def __init__(
        self,
        graph: Graph,
        names: dict[int, Expression],
        written: Callable[[Expression], Expression] = lambda e: e,
    ) -> None:
        self.graph, self.names = graph, names
        self.translation = Translation(names_long_numbers=True)
        self.symbol = {index: self.translation.symbol(name) for index, name in names.items()}
        self.reciprocals: dict[Any, Any] = {}
        self.sums: dict[Any, Any] = {}  # also what is no sum: all that arithmetic makes
        self.products: dict[Any, Any] = {}
        self.roots: dict[Any, Any] = {}
        self.signs: dict[Any, tuple[Any, Any]] = {}  # arguments with their abs and their sign
        self.functions: dict[Any, Any] = {}  # sines and cosines, their symbols
        self.tangents: dict[Any, Any] = {}  # arguments of hyperbolic tangents, their symbols
        self.named: dict[Any, Any] = {}  # of exponentials and powers by letters, their symbols
        self.written: dict[Expression, Expression] = {}
        for index in reversed(graph.order):
            self.written[names[index]] = written(graph.expression(index))
            self._read(index)

    def _read(self, index: int) -> None:
        node, own = self.graph.nodes[index], self.symbol[index]
        if self._holds_others(index):
            return  # what the other units contribute stays one sum
        definition = self.graph.definition(index, self.names)
        match definition:
            case Apply(operation, _) if operation in _ARITHMETIC:
                value = self.translation.to_sympy(definition)
                if node.operation == "reciprocal":
                    self.reciprocals[own] = self.products[own] = value
                    return
                self.sums[own] = value
                if not value.is_Add:
                    self.products[own] = value
            case Apply("power", _):
                value = self.translation.to_sympy(definition)
                if value.is_Pow:
                    self.products[own] = value
            case Apply("sqrt", (argument,)):
                self.roots[own] = self.translation.to_sympy(argument)
            case Apply("sinh" | "cosh" | "sin" | "cos", _):
                self.functions[self.translation.to_sympy(definition)] = own
            case Apply("tanh", (argument,)):
                self.tangents[self.translation.to_sympy(argument)] = own
            case Apply("abs" | "sign" as operation, (argument,)):
                # The local derivative of abs is a sign, which may be a node of its own.
                self.translation.symbols[Apply(operation, (argument,))] = own
                x = self.translation.to_sympy(argument)
                if x.is_Symbol:
                    absolute, sign = (
                        self.translation.symbol(Apply(name, (argument,))) for name in _SIGNS
                    )
                    self.signs[x] = (absolute, sign)

    def _holds_others(self, index: int) -> bool:
        return any(
            self.graph.nodes[k].operation.startswith("others")
            for k in self.graph.nodes[index].arguments
        )

    def merged(self, through: Expression) -> Expression:
        """Collect equal factors: ``u2/u3/u3 -> u2/u3**2``."""
        try:
            with time_limit(_MERGING_SECONDS):
                return self.translation.to_expression(self.translation.to_sympy(through))
        except FAILURES:
            return through

    def in_variables(self, through: Expression) -> Expression:
        """Return a derivative in the nodes' names in the variables, in the shortest way."""
        candidates = [substitute(through, self.written.get)]
        try:
            with time_limit(_SECONDS):
                for way in self._ways(self._with_roots_named(self.translation.to_sympy(through))):
                    candidates.insert(-1, self._expression(way))
        except FAILURES:
            pass  # a form that is nested too deep is no shorter
        return min(map(with_exponentials_joined, candidates), key=written_length)

    def _with_roots_named(self, e: Any) -> Any:
        """Put the nodes for roots that local derivatives hold: of asinh(z) it is 1/sqrt(1 + z²)."""
        known = {self._written_out(argument): own for own, argument in self.roots.items()}

        def named(part: Any) -> Any:
            own = known.get(self._written_out(part.base))
            return part if own is None else own ** (2 * part.exp)

        def is_root(part: Any) -> bool:
            return bool(part.is_Pow and part.exp.is_Rational and part.exp.q == 2)

        return e.replace(is_root, named) if known else e

    def _written_out(self, e: Any) -> Any:
        for index in reversed(self.graph.order):
            own = self.symbol[index]
            value = self.sums.get(own, self.products.get(own))
            if value is not None:
                e = put_in(e, own, value)
        return sympy.expand(e)

    def _ways(self, e: Any) -> Iterator[Any]:
        for sines in dict.fromkeys((e, self._by_tangents(e))):
            yield from self._short_fractions(sines)
        above, below = sympy.fraction(sympy.together(_replaced(e, self.reciprocals)))
        yield from _fractions(_replaced(above, self.sums), below)
        terms = sympy.Add.make_args(e)
        if len(terms) == 1:
            return
        yield sympy.Add(*(self._shortest_fraction(term) for term in terms))
        whole = [term for term in terms if sympy.fraction(self._without_products(term))[1] == 1]
        if 0 < len(whole) < len(terms) - 1:
            rest = sympy.Add(*(term for term in terms if term not in whole))
            yield sympy.Add(*map(self._shortest_fraction, (*whole, rest)))

    def _by_tangents(self, e: Any) -> Any:
        """``sinh(x) -> tanh(x)*cosh(x)``, where both are nodes."""
        for argument, tangent in self.tangents.items():
            cosine = self.functions.get(sympy.cosh(argument))
            if cosine is not None:
                e = e.subs(sympy.sinh(argument), tangent * cosine)
        return e

    def _short_fractions(self, e: Any) -> Iterator[Any]:
        fraction = self._cancelled(*self._fraction(e))
        for way in _fractions(*fraction):
            way = way.replace(
                lambda part: part.is_Pow and part.base in self.roots and abs(part.exp) > 1,
                lambda part: self.roots[part.base] ** (part.exp / 2),
            )
            yield sympy.powsimp(with_names_put_back(way, self.named)) if self.named else way

    def _shortest_fraction(self, e: Any) -> Any:
        ways = (*self._short_fractions(e), e)
        return min(ways, key=lambda way: written_length(self._expression(way)))

    def _expression(self, e: Any) -> Expression:
        return substitute(self.translation.to_expression(e), self.written.get)

    def _without_products(self, e: Any) -> Any:
        """Put in products and powers; exponentials and powers by letters become symbols."""

        def named(part: Any) -> Any:
            name = f"exp{len(self.named)}"
            return self.named.setdefault(part, sympy.Dummy(name, positive=True))

        e = e.replace(lambda part: isinstance(part, _CIRCULAR), self._circular)
        e = _replaced(e, self.products).replace(sympy.exp, lambda x: named(sympy.exp(x)))
        return with_powers_named(e, self.named)

    def _circular(self, part: Any) -> Any:
        if part not in self.functions:
            symbol = sympy.Dummy(f"circular{len(self.functions)}", real=True)
            self.functions[part] = self.named[part] = symbol
        return self.functions[part]

    def _fraction(self, e: Any) -> tuple[Any, Any]:
        """Return a fraction with all sums put in above the line, and none below."""
        above, below = sympy.fraction(sympy.together(self._without_products(e)))
        for index in reversed(self.graph.order):
            own = self.symbol[index]
            if own in self.roots:
                above = _with_squares_lowered(own, self.roots[own], above)
            if own in self.signs:
                above = self._in_argument(own, above)
                above = _with_signs_lowered(own, *self.signs[own], above)
            if own in self.sums and above.has(own):
                written = self._without_products(put_in(above, own, self.sums[own]))
                above, further = sympy.fraction(sympy.together(written))
                below = below * further
        for sine, cosine, square in self._circular_pairs():
            above = _with_squares_lowered(sine, square(cosine), above)
        return sympy.expand(above), below

    def _in_argument(self, x: Any, above: Any) -> Any:
        """Write ``z`` by ``x = alpha*z - c``, of which the sign is taken, where it is linear."""
        value = self.sums.get(x)
        for index in self.graph.reached():
            z = self.symbol.get(index)
            if value is None or self.graph.nodes[index].operation != "input" or not value.has(z):
                continue
            if value.is_polynomial(z) and sympy.degree(value, z) == 1:
                slope, absolute = sympy.Poly(value, z).all_coeffs()
                return sympy.expand(above.subs(z, (x - absolute) / slope))
        return above

    def _circular_pairs(self) -> Iterator[tuple[Any, Any, Callable[[Any], Any]]]:
        """Yield sines and cosines of one argument, and the square of the one by the other."""
        for sine, cosine, square in _SQUARES:
            for part, symbol in tuple(self.functions.items()):
                other = self.functions.get(cosine(*part.args)) if isinstance(part, sine) else None
                if other is not None:
                    yield symbol, other, square

    def _cancelled(self, above: Any, below: Any) -> tuple[Any, Any]:
        """Divide by what a fraction has in common above and below: ``x/sqrt(x) -> sqrt(x)``."""
        kept = []
        for factor in sympy.Mul.make_args(below):
            base, exponent = factor.as_base_exp()
            step = 2 if base in self.roots else 1
            value, denominator = self._fraction(self.roots.get(base, base))
            while denominator == 1 and exponent.is_Rational and exponent >= 1:
                if not value.free_symbols & above.free_symbols:
                    break
                quotient, rest = sympy.div(above, value)
                if rest != 0:
                    break
                above, exponent = quotient, exponent - step
            kept.append(base**exponent)
        return above, sympy.Mul(*kept)


def _replaced(e: Any, values: dict[Any, Any]) -> Any:
    for symbol, value in values.items():
        e = put_in(e, symbol, value)
    return e


def _fractions(above: Any, below: Any) -> Iterator[Any]:
    number, rest = below.as_coeff_Mul()
    factored = sympy.factor(sympy.expand(above))
    yield factored / below
    yield with_factors_joined(factored) / below
    yield sympy.expand(above / number) / rest  # 1.702 shall not become 851 over 500


def _with_squares_lowered(root: Any, argument: Any, e: Any) -> Any:
    """``sqrt(x)**2 -> x``."""
    e = sympy.expand(e)
    if not e.has(root) or not e.is_polynomial(root):
        return e
    terms = sympy.Poly(e, root).terms()
    return sympy.Add(*(c * root ** (n % 2) * argument ** (n // 2) for (n,), c in terms))


def _with_signs_lowered(x: Any, absolute: Any, sign: Any, e: Any) -> Any:
    """``sign(x)*x -> abs(x)``, ``sign(x)*abs(x) -> x``, ``abs(x)**2 -> x**2``: also where x = 0."""
    e = sympy.expand(e)
    if not (e.has(sign) or e.has(absolute)) or not e.is_polynomial(x, absolute, sign):
        return e
    lowered = []
    for (plain, magnitude, signs), coefficient in sympy.Poly(e, x, absolute, sign).terms():
        power = plain + magnitude
        if power == 0:
            lowered.append(coefficient * sign ** (signs and 2 - signs % 2))
        elif (plain + signs + power) % 2 == 0:
            lowered.append(coefficient * x**power)
        else:
            lowered.append(coefficient * absolute * x ** (power - 1))
    return sympy.Add(*lowered)
