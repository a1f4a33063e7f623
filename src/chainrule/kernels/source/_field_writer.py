"""Source of quotients of polynomials in the generators of a field."""

from __future__ import annotations

from typing import Any

import sympy

from chainrule.derivations import Field, Generator
from chainrule.formulas import Apply, Expression, Parameter, Variable
from chainrule.kernels.source._lines import number, parameter_name, polynomial, written
from chainrule.kernels.source._rational import (
    FINITE,
    HOLDS_FINITE,
    Lines,
    over_one_sum,
    over_reciprocal,
)
from chainrule.kernels.source._waves import wave_source
from chainrule.kernels.stable_forms._crossings import crossing
from chainrule.kernels.stable_forms._rewrite import rewrite
from chainrule.kernels.stable_forms._roots import (
    root_where_squares_overflow,
    without_cancelling_root,
)

_ZERO_AT_ZERO = ("sqrt", "sin", "sinh", "tanh", "atan", "asinh", "erf")
_HALVES = (sympy.Rational(1, 2), sympy.Rational(1, 4))
_LARGE = 2**20  # a factor that is divided by first, since what stands below may overflow
_CLAMPS = {"x": FINITE, "z": "z_finite"}


class FieldWriter:
    """Writes expressions of a field; ``exp(-x) - 1`` from expm1, ``1 - erf`` from erfc.

    Parameters
    ----------
    field : Field
        With all its generators, for which statements are written first.
    """

    def __init__(self, field: Field) -> None:
        self.field = field
        self.names: dict[Any, str] = {field.x: "z" if field.side is None else "x"}
        self.statements: list[str] = []
        self.vanishing: set[Any] = set()
        self.order: list[Any] = []
        self.below_one: dict[Any, str] = {}  # generator -> source of the argument of expm1
        self.complements: dict[Any, Any] = {}  # erf generator, sign -> symbol of erfc(sign x)
        self.parameters: list[Any] = []
        self.numbers: dict[Any, Any] = {}  # symbol -> the irrational number it stands for
        for symbol, leaf in field.translation.meaning.items():
            if isinstance(leaf, Parameter):
                self.names[symbol] = parameter_name(leaf.name)
                self.parameters.append(symbol)
            elif isinstance(leaf, Variable) and symbol is not field.x:
                self.names[symbol] = leaf.name
                self.parameters.append(symbol)
        for generator in field.generators:
            self.define(generator)

    def write(self, e: Any) -> str:
        return self.horner(e, vanished=False)

    def horner(self, e: Any, *, vanished: bool) -> str:
        order = (*self.order, self.field.x, *self.parameters)
        clamped = {self.field.x: _CLAMPS[self.names[self.field.x]]}
        return polynomial(e, order, self.names, frozenset(self.vanishing), clamped, vanished)

    def quotient(self, e: Any) -> str:
        above, below = sympy.fraction(sympy.cancel(sympy.together(e)))
        if below.is_number:  # a product with one number takes less than a division
            above, below = sympy.expand(above / below), sympy.Integer(1)
        top = self.write(above)
        return top if below == 1 else f"({top}) / ({self.write(below)})"

    def define(self, g: Generator) -> None:
        """Write the statement that computes a generator."""
        name = f"{g.kind[0] if g is self.field.exponential else g.kind}{len(self.order)}"
        if g is self.field.exponential:
            name = "t"
        argument, cancels = self.quotient(g.argument), self.vanishes(g.argument)
        if cancels and g.kind not in ("exp", "sin", "cos"):
            argument = self.product(g.argument)
        text = f"{g.kind}({argument})" if g.kind != "line" else self.product(g.argument)
        if g.kind == "sech":
            text = f"1.0 / cosh({argument})"
        if g.kind == "log_cosh":
            self.statements.append(f"of_{name} = {argument}")
            text = written(rewrite(_log_of_cosh(f"of_{name}")), lambda e: None)
        if g.kind in ("sin", "cos") and (wave := self.wave(g)) is not None:
            text = wave
        if g.kind == "log" and self.tends_to_one(g.argument):
            near_one = f"log1p({self.product(sympy.cancel(g.argument - 1))})"
            text = f"{near_one} if {argument} > 0.5 else {text}" if cancels else near_one
        if g.kind == "sqrt" and (far := self.far_root(g.argument)):
            text = f"{far} if is_far else {text}"
        self.statements.append(f"{name} = {text}")
        self.names[g.symbol] = name
        self.order.append(g.symbol)
        if g.kind == "exp":
            self.below_one[g.symbol] = argument
        if g.kind in ("exp", "sech") and g.argument.is_polynomial(self.field.x):
            self.vanishing.add(g.symbol)
        if g.kind == "erf" and self.field.side is not None:
            for sign in (1, -1):
                complement = sympy.Dummy(f"erfc{len(self.order)}", positive=True)
                self.complements[g.symbol, sign] = complement
                self.names[complement] = f"{name}{self.complement_suffix(g.argument, sign)}"
                self.order.insert(len(self.order) - 1, complement)
                if sign == self.far_sign(g.argument):
                    self.vanishing.add(complement)

    def wave(self, g: Generator) -> str | None:
        """Write a sine or cosine whose argument is not to be rounded, if that is a line in z."""
        translation = self.field.translation
        z = translation.symbol(Variable("z"))
        if not g.argument.free_symbols <= {self.field.x}:
            return None
        argument = g.argument.subs(self.field.x, (self.field.side or 1) * z)
        return wave_source(g.kind, translation.to_expression(argument))

    def far_root(self, argument: Any) -> str:
        """Write a root for an x whose square may overflow, where that is needed."""
        found = root_where_squares_overflow(self.field, argument)
        if found is None:
            return ""
        factor, power = found
        size = "x" if self.field.side else "abs(z)"
        condition = f"is_far = {size} > 1e{power}"
        if condition not in self.statements:
            if any(line.startswith("is_far") for line in self.statements):
                return ""
            self.statements.append(condition)
        return size if factor == 1 else f"{size} * sqrt({self.write(factor)})"

    def complement_suffix(self, argument: Any, sign: int) -> str:
        turned = sign * (self.field.side or 1) if self.is_of_z(argument) else sign
        return "c" if turned > 0 else "m"

    def is_of_z(self, argument: Any) -> bool:
        return bool(argument.free_symbols <= {self.field.x, *self.parameters})

    def of_z(self, argument: Any) -> str:
        """Write an argument over z where that can be: it is one value then for both signs of z."""
        x, side = self.field.x, self.field.side
        if side is None or not self.is_of_z(argument):
            return self.quotient(argument)
        kept, self.names[x] = self.names[x], "z"
        written = self.quotient(argument.subs(x, side * x))
        self.names[x] = kept
        return written

    def far_sign(self, argument: Any) -> int:
        """Return the sign of an argument at large x; 1 where it is no polynomial."""
        if not argument.is_polynomial(self.field.x):
            return 1
        leading = sympy.Poly(argument, self.field.x).LC()
        others = {g.symbol for g in self.field.generators}
        return -1 if not leading.free_symbols & others and self.field.number(leading) < 0 else 1

    def tends_to_one(self, argument: Any) -> bool:
        """Tell whether the argument of a logarithm comes close to 1 somewhere."""
        field = self.field
        gone = dict.fromkeys(self.vanishing, 0)
        if argument.has(*gone) and argument.subs(gone) == 1:
            return True
        if self.has_crossing(argument - 1):
            return True
        at_zero = {field.x: sympy.Integer(0)}
        for g in field.generators:
            if g.kind in _ZERO_AT_ZERO and g.argument.subs(at_zero) == 0:
                at_zero[g.symbol] = sympy.Integer(0)
        if field.exponential is None or not argument.has(field.exponential.symbol):
            return bool(argument.subs(at_zero) == 1)
        t = field.exponential.symbol
        return bool(argument.subs(t, 0) == 1 or argument.subs({t: 1, **at_zero}) == 1)

    def vanishes(self, argument: Any) -> bool:
        """Tell whether exponentials cancel in an argument, as in ``1 - t``, next to 0 or not."""
        ones = {g.symbol: 1 for g in self.field.generators if g.kind == "exp"}
        if argument.has(*ones) and argument.subs({**ones, self.field.x: 0}) == 0:
            return True
        return self.has_crossing(argument)

    def has_crossing(self, argument: Any) -> bool:
        """Tell whether a factor of a quotient vanishes as ``exp(1)*t - 1`` does."""
        if not any(g.kind == "exp" and argument.has(g.symbol) for g in self.field.generators):
            return False
        above, _ = sympy.fraction(sympy.together(argument))
        _, factors = sympy.factor_list(self.without_irrationals(above))
        return any(crossing(self.field, base, self.numbers) is not None for base, _ in factors)

    def lines(self, above: Any, below: Any) -> Lines:
        """Write a quotient of polynomials in the generators."""
        degrees = [sympy.degree(e, self.field.x) for e in (above, below)]
        if not self.field.generators and (form := over_one_sum(self, above, below)) is not None:
            return form
        if not self.field.generators and (min(degrees) > 0 or degrees[1] > 1):
            return over_reciprocal(self, above, below, degrees[0] - degrees[1])
        if below.is_Rational:
            above, below = above / below, sympy.Integer(1)  # once rounded; x*2/2 would overflow
        if {g.kind for g in self.field.generators} == {"sqrt"}:
            numerator, denominator = self.over_roots(above, below)
        else:
            if {g.kind for g in self.field.generators} == {"sqrt", "exp"}:
                above, below = without_cancelling_root(self.field, above, below)
                above, below = sympy.fraction(sympy.cancel(above / below))
            numerator, denominator = self.product(above), self.product(below)
        used = _used(self.statements, numerator + " " + denominator)
        text = " ".join([numerator, denominator, *used])
        if _occurs(_CLAMPS["x"], text):
            used.insert(0, HOLDS_FINITE)
        if _occurs(_CLAMPS["z"], text):
            used.insert(0, "z_finite = z if not abs(z) > 1e60 else (1e60 if z > 0.0 else -1e60)")
        return Lines(tuple(used), numerator, denominator)

    def over_roots(self, above: Any, below: Any) -> tuple[str, str]:
        """Write a quotient in roots of which no part overflows while the whole has not."""
        above, below = without_cancelling_root(self.field, above, below)
        content, _ = sympy.factor_list(self.without_irrationals(below))
        if content.is_Rational and abs(content) > _LARGE:
            above, below = sympy.expand(above / content), sympy.cancel(below / content)
        for g in self.field.generators:
            # Times what it is the root of it may overflow where the quotient has not vanished.
            rest = sympy.cancel(below / g.symbol)
            if sympy.denom(rest).is_number and rest.has(self.field.x):
                return f"({self.sum(above)}) / {self.names[g.symbol]}", self.sum(rest)
        return self.sum(above), self.sum(below)

    def sum(self, e: Any) -> str:
        """Write a product; a sum times a power of two term by term, since it may overflow."""
        content, factors = sympy.factor_list(self.without_irrationals(e))
        if content in _HALVES and [exponent for _, exponent in factors] == [1]:
            return self.write(sympy.expand(e))
        return self.product(e)

    def product(self, e: Any) -> str:
        """Write a polynomial by its factors; a factor ``t - 1`` becomes expm1."""
        if e.is_number:
            return number(float(sympy.N(e, 25)))
        above, below = sympy.fraction(sympy.together(e))
        if not below.is_number:
            return f"({self.product(above)}) / ({self.product(below)})"
        content, factors = sympy.factor_list(self.without_irrationals(e))
        parts: list[str] = []
        sign = ""
        if content != 1:
            value = float(sympy.N(content, 25))
            if value == -1.0:
                sign = "-"
            else:
                parts.append(number(value))
        factors = [(self.complemented(base), exponent) for base, exponent in factors]
        vanishes = any(_is_multiple_of(base, self.vanishing) for base, _ in factors)
        for base, exponent in factors:
            text, flip = self.factor(base, vanishes)
            if flip and exponent % 2:
                sign = "" if sign else "-"
            if " " in text:
                text = f"({text})"
            parts += [text] * int(exponent)
        return f"{sign}{' * '.join(parts)}" if parts else f"{sign}1.0"

    def factor(self, base: Any, vanishes: bool) -> tuple[str, bool]:
        """Return source of a factor, and whether its sign was turned."""
        for symbol, argument in self.below_one.items():
            if sympy.expand(base - (symbol - 1)) == 0 or sympy.expand(base + (symbol - 1)) == 0:
                name = f"{self.names[symbol]}_less_one"
                statement = f"{name} = expm1({argument})"
                if statement not in self.statements:
                    self.statements.append(statement)
                return name, sympy.expand(base - (symbol - 1)) != 0
        if (found := crossing(self.field, base, self.numbers)) is not None:
            factor, argument = found
            text = f"expm1({self.of_z(argument)})"
            return text if factor == 1 else f"({self.write(factor)}) * {text}", False
        return self.horner(self.over_less_one(base), vanished=vanishes), False

    def over_less_one(self, base: Any) -> Any:
        """Write ``1 + t`` as ``2 + (t - 1)`` where ``t - 1`` is there: one exponential less."""
        for symbol, argument in self.below_one.items():
            name = f"{self.names[symbol]}_less_one"
            if f"{name} = expm1({argument})" in self.statements and base.free_symbols == {symbol}:
                constant, slope = base.subs(symbol, 0), base.coeff(symbol, 1)
                if sympy.degree(base, symbol) == 1 and 0 < slope <= constant:
                    less_one = sympy.Dummy(f"less_one{len(self.order)}", real=True)
                    self.names[less_one] = name
                    self.order.append(less_one)
                    return constant + slope + slope * less_one
        return base

    def complemented(self, base: Any) -> Any:
        """Write a factor over erfc instead of erf where that cancels a term, or adds none.

        Both signs of z need one function then, and not two.
        """
        for added in (-1, 0):
            for (symbol, side), complement in self.complements.items():
                if not base.has(symbol):
                    continue
                # erf(x) is 1 - erfc(x), and erfc(-x) - 1
                replaced = sympy.expand(base.subs(symbol, side * (1 - complement)))
                if _count(replaced) > _count(sympy.expand(base)) + added:
                    continue
                source = next(g for g in self.field.generators if g.symbol == symbol)
                argument = self.of_z(side * source.argument)
                statement = f"{self.names[complement]} = erfc({argument})"
                if statement not in self.statements:
                    self.statements.append(statement)
                base = replaced
        return base

    def without_irrationals(self, e: Any) -> Any:
        """Replace numbers such as sqrt(pi) by symbols, which factorisation can handle."""
        numbers = {a for a in e.atoms(sympy.Pow, sympy.NumberSymbol, sympy.exp) if a.is_number}
        order = sorted(numbers, key=lambda x: (-sympy.count_ops(x), sympy.default_sort_key(x)))
        for k, irrational in enumerate(order):
            symbol = sympy.Dummy(f"constant{k}", positive=True)
            self.names[symbol] = number(float(sympy.N(irrational, 25)))
            self.numbers[symbol] = irrational
            self.parameters.append(symbol)
            e = e.subs(irrational, symbol)
        return e


def _log_of_cosh(name: str) -> Expression:
    return Apply("log", (Apply("cosh", (Variable(name),)),))


def _count(total: Any) -> int:
    return len(sympy.Add.make_args(total))


def _is_multiple_of(base: Any, symbols: set[Any]) -> bool:
    return any(sympy.expand(base).subs(symbol, 0) == 0 for symbol in symbols & base.free_symbols)


def _used(statements: list[str], result: str) -> list[str]:
    """Keep the statements whose names the result needs."""
    kept: list[str] = []
    needed = result
    for statement in reversed(statements):
        name = statement.split(" = ")[0]
        if _occurs(name, needed):
            kept.insert(0, statement)
            needed += " " + statement.split(" = ", 1)[1]
    return kept


def _occurs(name: str, text: str) -> bool:
    padded = f" {text} "
    for bracket in "()*,/+-":
        padded = padded.replace(bracket, " ")
    return f" {name} " in padded
