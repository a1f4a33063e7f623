"""Functions of `z` as rational expressions in a few generators.

A smooth formula is rewritten over generators (`z`, one exponential of a multiple of z, logarithms,
roots, error functions, …) such that it and its derivative are rational in them. Algebra on the
generators then finds what rewriting formulas cannot: the form through the output, and forms that
neither overflow nor cancel.

With ``side=+1`` or ``side=-1`` only ``z >= 0`` or ``z <= 0`` is meant: the generators are
``x = |z|`` and exponentials that *decay* in x, so that quotients are bounded where they should be.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

import mpmath
import sympy

from chainrule.derivations.algebra._sympy import ARITHMETIC, HIGHEST_DEGREE, Translation, is_short
from chainrule.formulas import Apply, Constant, Expression, Parameter, Variable, subexpressions

_Z = Variable("z")
_EXPONENTIALS = {"exp": 1, "expm1": 1, "tanh": 2, "sinh": 1, "cosh": 1}
_LOOKED_AT = (0, 0.1, 1, 10, 100)
_ODD = ("erf", "atan", "asinh", "sin")


class NotInFieldError(Exception):
    """The formula is not rational in generators that are known here."""


@dataclass(frozen=True)
class Generator:
    """A function of `z` that is treated as one symbol.

    Parameters
    ----------
    symbol : sympy.Symbol
    kind : str
        ``exp``, ``log``, ``sqrt`` or another function of the language; ``erfcx``, ``sech``,
        ``log_cosh``; ``line`` for the argument itself, where it is to stay one factor.
    argument : sympy.Expr
        Rational in `z` and earlier generators.
    """

    symbol: Any
    kind: str
    argument: Any


@dataclass
class Field:
    """The generators met so far, and the rewriting of formulas into them."""

    values: Mapping[str, float]
    side: int | None = None
    translation: Translation = field(default_factory=Translation)
    generators: list[Generator] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name, value in self.values.items():
            self.translation.symbol(Parameter(name), positive=True if value > 0 else None)
        if self.side is None:
            self.x = self.z = self.translation.symbol(_Z)
        else:
            self.x = sympy.Dummy("x", nonnegative=True)
            self.z = self.side * self.x
        self.exponential: Generator | None = None
        self.rate: Any = None
        self._built: dict[Expression, Any] = {}

    # -- reading formulas ---------------------------------------------------------------------

    def prepare(self, *expressions: Expression) -> None:
        """Choose the exponential of z of which all others that occur are whole powers.

        Where these would be too high (1 and the double next to 1/3 are 2**54 and more times their
        common divisor), exponentials of other rates become generators of their own.
        """
        rates = [rate for expression in expressions for rate in self._rates_in(expression)]
        if self.side is not None:
            # Of an exponential that is taken out of a root half the rate is left.
            roots = [e for whole in expressions for e in subexpressions(whole) if _is_root(e)]
            rates += [rate / 2 for root in roots for rate in self._rates_in(root)]
        if not rates:
            return
        ratios = [sympy.cancel(rate / rates[0]) for rate in rates]
        commensurable = [abs(ratio) for ratio in ratios if ratio.is_Rational]
        unit = reduce(sympy.gcd, commensurable)
        if max(commensurable) > HIGHEST_DEGREE * unit:
            unit = 1
        self.rate = sympy.cancel(rates[0] * unit)
        if self.number(self.rate) < 0:
            self.rate = -self.rate
        argument = self.rate * self.x if self.side is None else -self.rate * self.x
        self.exponential = Generator(sympy.Dummy("t", positive=True), "exp", argument)
        self.generators.insert(0, self.exponential)

    def _rates_in(self, expression: Expression) -> list[Any]:
        """Return the rates of the exponentials of multiples of z."""
        calls = [e for e in subexpressions(expression) if isinstance(e, Apply)]
        rates = [self._rate_of(e) for e in calls if e.operation in _EXPONENTIALS]
        return [rate for rate in rates if rate is not None]

    def _rate_of(self, e: Apply) -> Any:
        symbol = self.translation.symbol(_Z)
        argument = sympy.expand(self.translation.to_sympy(e.arguments[0]))
        if not argument.is_polynomial(symbol) or sympy.degree(argument, symbol) != 1:
            return None
        return _EXPONENTIALS[e.operation] * argument.coeff(symbol, 1)

    def build(self, expression: Expression) -> Any:
        """Return an expression as a rational expression in the generators."""
        if expression not in self._built:
            self._built[expression] = self._build(expression)
        return self._built[expression]

    def _build(self, e: Expression) -> Any:
        if e == _Z:
            return self.z
        if not isinstance(e, Apply):
            return self.translation.to_sympy(e)
        x = [self.build(argument) for argument in e.arguments]
        match e.operation:
            case "add" | "subtract" | "multiply" | "divide" | "negate":
                return ARITHMETIC[e.operation](*x)
            case "power":
                return self._power(x[0], x[1])
            case "exp":
                return self.exp(x[0])
            case "expm1":
                return self.exp(x[0]) - 1
            case "log":
                return self.log(x[0])
            case "log1p":
                return self.log(1 + x[0])
            case "sqrt":
                return self.root(x[0])
            case "tanh" if self._is_polynomial(x[0]) or self._has_logarithm(x[0]):
                w = self.exp(2 * x[0])
                return (w - 1) / (w + 1)
            case "sinh" | "cosh" if self._is_polynomial(x[0]):
                w = self.exp(x[0])
                return (w - 1 / w) / 2 if e.operation == "sinh" else (w + 1 / w) / 2
            case "tanh" if self.side is not None and (sign := self._sign_far_from_zero(x[0])):
                # The slope holds 1 - tanh(u)**2, of which no digit is left where u is large.
                w = self._exp_generator(-2 * sign * x[0])
                return sign * (1 - w) / (1 + w)
            case "tanh" | "sinh" | "cosh" | "erf" | "atan" | "asinh" | "sin" | "cos":
                return self._opaque(e.operation, sympy.cancel(x[0]))
        raise NotInFieldError(e.operation)

    def _sign_far_from_zero(self, e: Any) -> int:
        """Return the sign of what stays away from 0 wherever it was looked; 0 for all else."""
        sign = 1 if e.is_positive else -1 if e.is_negative else 0
        if not sign or not self.depends(e) or self.side is None:
            return 0
        with mpmath.workdps(20):
            least = min(abs(self.tried(e, self.side * mpmath.mpf(x))) for x in _LOOKED_AT)
        return sign if least > 0.5 else 0

    def _power(self, base: Any, exponent: Any) -> Any:
        if exponent.is_Integer and abs(exponent) <= 64 and is_short(base, exponent):
            return base**exponent
        if exponent.is_Rational and exponent.q == 2 and abs(exponent) <= 32:
            return self.root(base) ** int(2 * exponent)
        raise NotInFieldError("power")

    def _symbols(self) -> set[Any]:
        return {self.x, *(g.symbol for g in self.generators)}

    def depends(self, e: Any) -> bool:
        """Tell whether an expression changes with `z`."""
        return bool(e.free_symbols & self._symbols())

    def _is_polynomial(self, e: Any) -> bool:
        free = self._symbols() - {self.x}
        return bool(e.is_polynomial(self.x)) and not (e.free_symbols & free)

    def _has_logarithm(self, e: Any) -> bool:
        return any(g.kind == "log" and e.has(g.symbol) for g in self.generators)

    # -- generators -----------------------------------------------------------------------------

    def exp(self, argument: Any) -> Any:
        """``exp(k z + r log(R) + rest) -> t**k * R**r * exp(rest)``."""
        result: Any = sympy.Integer(1)
        rest: Any = sympy.Integer(0)
        logarithms = {g.symbol: g for g in self.generators if g.kind == "log"}
        for term in sympy.Add.make_args(sympy.expand(argument)):
            coefficient, core = term.as_independent(*self._symbols(), as_Add=False)
            if core == self.x and self.exponential is not None:
                per_unit = self.exponential.argument / self.x
                times = sympy.cancel(coefficient / per_unit)
                if times.is_Integer:
                    result *= self.exponential.symbol**times
                    continue
            if core in logarithms and coefficient.is_Integer:
                result *= logarithms[core].argument ** coefficient
                continue
            rest += term
        return result * self._exp_generator(rest) if rest != 0 else result

    def _exp_generator(self, argument: Any) -> Any:
        argument = sympy.expand(argument)
        if not self.depends(argument):
            return sympy.exp(argument)
        for g in self.generators:
            if g.kind == "exp" and g is not self.exponential:
                times = sympy.cancel(argument / g.argument)
                if times.is_Integer:
                    return g.symbol**times
        if self._is_polynomial(argument):
            leading = sympy.Poly(argument, self.x).LC()
            if self.side is not None and self.number(leading) > 0:
                return 1 / self._new("exp", -argument)
        return self._new("exp", argument)

    def log(self, argument: Any) -> Any:
        """``log(t**k R) -> k log(t) + log(R)``; quotients of positive sums are split."""
        above, below = sympy.fraction(sympy.cancel(sympy.together(argument)))
        result: Any = sympy.Integer(0)
        if self.exponential is not None:
            t = self.exponential.symbol
            for sign, part in ((1, above), (-1, below)):
                if part.has(t):
                    power = min(monomial[0] for monomial in sympy.Poly(part, t).monoms())
                    result += sign * power * self.exponential.argument
                    if sign > 0:
                        above = sympy.expand(above / t**power)
                    else:
                        below = sympy.expand(below / t**power)
        if above.free_symbols and below.free_symbols and self._positive(above, below):
            return result + self._log_generator(above) - self._log_generator(below)
        return result + self._log_generator(sympy.cancel(above / below))

    def _positive(self, *sums: Any) -> bool:
        return all(sympy.expand(e).is_positive for e in sums)

    def _log_generator(self, argument: Any) -> Any:
        if argument == 1:
            return sympy.Integer(0)
        if not self.depends(argument):
            return sympy.log(argument)
        return self._new("log", argument)

    def root(self, argument: Any) -> Any:
        """``sqrt(t**(2 k) R) -> t**k s`` with a generator s and the relation ``s**2 = R``."""
        argument, taken = sympy.cancel(argument), sympy.Integer(1)
        if self.side is not None and self.exponential is not None:
            # Exponentials that grow overflow long before their root does.
            t = self.exponential.symbol
            for sign, part in zip((1, -1), sympy.fraction(argument), strict=True):
                power = min(monomial[0] for monomial in sympy.Poly(part, t).monoms()) // 2
                taken *= t ** (sign * power)
            argument = sympy.cancel(argument / taken**2)
        if not self.depends(argument):
            return taken * sympy.sqrt(argument)
        return taken * self._new("sqrt", argument)

    def _opaque(self, kind: str, argument: Any) -> Any:
        if not self.depends(argument):
            return getattr(sympy, kind)(argument)
        if kind in (*_ODD, "tanh", "sinh") and argument.could_extract_minus_sign():
            return -self._new(kind, -argument)
        if kind in ("cos", "cosh") and argument.could_extract_minus_sign():
            argument = -argument
        return self._new(kind, argument)

    def _new(self, kind: str, argument: Any) -> Any:
        for g in self.generators:
            if g.kind == kind and g.argument == argument:
                return g.symbol
        positive = True if kind in ("exp", "sqrt", "cosh", "sech", "erfcx", "line") else None
        # Symbols of one name are sorted by chance.
        name = f"{kind}{len(self.generators)}"
        symbol = sympy.Dummy(name, real=True, positive=positive)
        self.generators.append(Generator(symbol, kind, argument))
        return symbol

    def relations(self) -> list[Any]:
        """Return the polynomials that vanish between the generators."""
        found = []
        for g in self.generators:
            if g.kind == "sqrt":
                above, below = sympy.fraction(sympy.together(g.argument))
                found.append(sympy.expand(g.symbol**2 * below - above))
        return found

    # -- reading forms back ----------------------------------------------------------------------

    def normal(self, e: Any) -> tuple[Any, Any]:
        """Return numerator and denominator without a common factor, roots reduced."""
        above, below = sympy.fraction(sympy.cancel(sympy.together(e)))
        for g in reversed(self.generators):
            if g.kind == "sqrt" and g.argument.is_polynomial(*self._symbols()):
                relation = g.symbol**2 - g.argument
                above = sympy.rem(above, relation, g.symbol)
                below = sympy.rem(below, relation, g.symbol)
        above, below = sympy.fraction(sympy.cancel(above / below))
        return above, below

    def number(self, e: Any) -> float:
        """Return the value of an expression in parameters alone."""
        replaced = {
            symbol: sympy.Float(self.values[leaf.name], 30)
            for symbol, leaf in self.translation.meaning.items()
            if isinstance(leaf, Parameter)
        }
        return float(sympy.N(e.subs(replaced), 30))

    def tried(self, e: Any, z: Any) -> Any:
        """Return the value at a place where other variables have some value."""
        leaves = self.translation.meaning.values()
        others = {leaf.name: mpmath.mpf("0.37") for leaf in leaves if isinstance(leaf, Variable)}
        return self.evaluate(e, z, others)

    def evaluate(self, e: Any, z: Any, variables: Mapping[str, Any] | None = None) -> Any:
        """Return the value of a form at a place, in mpmath's current precision."""
        values = {**self.values, **(variables or {}), "z": z}
        known = {self.x: z if self.side is None else self.side * z}
        for symbol, leaf in self.translation.meaning.items():
            if isinstance(leaf, Parameter | Variable) and leaf.name in values:
                known.setdefault(symbol, mpmath.mpf(values[leaf.name]))
        functions = {
            "exp": mpmath.exp, "log": mpmath.log, "sqrt": mpmath.sqrt, "erf": mpmath.erf,
            "atan": mpmath.atan, "asinh": mpmath.asinh, "sin": mpmath.sin, "cos": mpmath.cos,
            "tanh": mpmath.tanh, "sinh": mpmath.sinh, "cosh": mpmath.cosh,
            "erfcx": lambda u: mpmath.exp(u * u) * mpmath.erfc(u), "line": lambda u: u,
            "sech": mpmath.sech, "log_cosh": lambda u: mpmath.log(mpmath.cosh(u)),
        }  # fmt: skip
        for g in self.generators:
            known[g.symbol] = functions[g.kind](_number(g.argument, known))
        return _number(e, known)


def _is_root(e: Expression) -> bool:
    match e:
        case Apply("sqrt", _):
            return True
        case Apply("power", (_, Constant(value))):
            return value.denominator == 2
    return False


def _number(e: Any, known: Mapping[Any, Any]) -> Any:
    symbols = sorted(e.free_symbols, key=str)
    return sympy.lambdify(symbols, e, "mpmath")(*(known[s] for s in symbols))
