"""Generated functions in float32: plain, or with the rounding errors kept of what they add up.

In the second way every operation of a function's source becomes one on pairs of numbers
(``elementary/pairs.py``); the elementary functions in it stay those of float32, and what is exact
stays a single number. In both what vanishes far out and is multiplied with something is raised by a
power of two until the end, for the product need not vanish there.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from chainrule.kernels.source._lines import ELEMENTARY
from chainrule.kernels.source._thresholds import place_beside

LARGEST = 1e30  # of the numbers by which infinite z is bounded in float32, with room for a square
_SIGNS: dict[type[ast.cmpop], str] = {
    ast.Gt: ">", ast.Lt: "<", ast.GtE: ">=", ast.LtE: "<=", ast.Eq: "==", ast.NotEq: "!=",
}  # fmt: skip


@dataclass(frozen=True)
class _Part:
    """Source of a value.

    Parameters
    ----------
    text : str
    is_pair : bool
        Whether it is a pair of numbers.
    power : str
        Source of the power of two by which it still has to be multiplied; empty for 1.
    low, high : float
        Between which numbers it lies.
    factors : tuple of str
        Source of a pair and a number of which it is the product; empty for other values.
    terms : str
        Source of two numbers of which it is the sum, a power of two and one that is not larger;
        empty for other values.
    """

    text: str
    is_pair: bool = False
    power: str = ""
    low: float = -math.inf
    high: float = math.inf
    terms: str = ""
    factors: tuple[str, ...] = ()

    @property
    def raised(self) -> str:
        """Source of the pair, less its power."""
        return self.text if self.is_pair else f"pairs.lifted({self.text})"

    @property
    def pair(self) -> str:
        """Source of the pair."""
        return f"pairs.lowered_pair({self.raised}, {self.power})" if self.power else self.raised

    @property
    def rounded(self) -> str:
        """Source of one number, less its power."""
        return f"pairs.rounded({self.text})" if self.is_pair else self.text

    @property
    def number(self) -> str:
        """Source of the value as one number."""
        return f"pairs.lowered({self.rounded}, {self.power})" if self.power else self.rounded

    @property
    def only_scales(self) -> bool:
        """Whether it is plus or minus a power of two."""
        return self.low == self.high and math.frexp(abs(self.low))[0] == 0.5

    def is_below(self, other: _Part) -> bool:
        """Tell whether its magnitude is known not to exceed another one's."""
        largest = max(abs(self.low), abs(self.high))
        return largest <= max(other.low, -other.high) and largest < math.inf


class FloatFunction:
    """Writes the lines of one function in float32.

    Parameters
    ----------
    keeps : {"nothing", "quotients", "everything"}
        Whose rounding errors are kept: those of quotients, of what they are divided by, and of the
        arguments of exponentials, or all.
    rounded : collection of int
        The operations, counted as they are written, whose errors are not kept all the same.

    Examples
    --------
    >>> function = FloatFunction(keeps="everything")
    >>> for line in ("t = exp(-z)", "return z / (1.0 + t)"):
    ...     print(*function.lines(line))
    t = single.exp(-z)
    return pairs.quotient(pairs.lifted(z), pairs.add(pairs.lifted(np.float32(1.0)), \
pairs.lifted(t)))
    """

    def __init__(self, *, keeps: str, rounded: Collection[int] = ()) -> None:
        self.keeps, self.rounded = keeps, rounded
        self.written = 0  # operations that may keep their errors
        self.compensates = keeps == "everything"  # what is being written
        self.known: dict[str, _Part] = {}
        self.vanishing: dict[str, tuple[str, ast.expr]] = {}
        self.before: list[str] = []

    def lines(self, line: str) -> list[str]:
        """Return what takes the place of an assignment to a plain name, or of a result."""
        text, mark, comment = line.partition("  # ")
        indent = text[: len(text) - len(text.lstrip())]
        match ast.parse(text.strip()).body:
            case [ast.Assign(targets=[ast.Name(id=name)], value=value)]:
                part = self.kept(value) if name == "denominator" else self.part(value)
                written = [f"{name} = {_bare(part.text)}{mark}{comment}"]
                power = f"{name}_power" if part.power else ""
                if power:
                    written.append(f"{power} = {part.power}")
                self.known[name] = replace(part, text=name, power=power, factors=())
                match value:
                    case ast.Call(func=ast.Name(id=function), args=[argument]):
                        if function == "exp" or (function == "erfc" and part.is_pair):
                            self.vanishing[name] = function, argument
            case [ast.Return(value=ast.expr() as value)]:
                written = [f"return {_bare(self.result(value))}{mark}{comment}"]
            case _:
                return [line]
        before, self.before = self.before, []
        return [f"{indent}{statement}" for statement in [*before, *written]]

    def result(self, node: ast.expr) -> str:
        """Return source of a function's result: the last quotient is rounded at once."""
        match node:
            case ast.BinOp(left=left, op=ast.Div(), right=right) if self.keeps != "nothing":
                above, below = self.part(left), self.kept(right)
                if below.low < below.high and not self.keeps_error():
                    return _plain_quotient(above, below).number
                if below.terms:
                    bounded = "bounded_" if 0 <= above.low <= above.high < math.inf else ""
                    text = f"pairs.{bounded}quotient_of_sum({above.raised}, {below.terms})"
                    return _Part(text, False, above.power).number
                if below.low < below.high:
                    is_bounded = above.low >= 0 and max(above.high, below.high) < math.inf
                    is_bounded &= below.low > 0
                    bounded = "bounded_" if is_bounded else ""
                    text = f"pairs.{bounded}quotient({above.raised}, {below.pair})"
                    return _Part(text, False, above.power).number
            case ast.BinOp(left=ast.BinOp(op=ast.Div()) as size, op=ast.Mult(), right=ast.Call()):
                return f"{self.result(size)} * {self.part(node.right).text}"
        return self.part(node).number

    def part(self, node: ast.expr) -> _Part:
        match node:
            case ast.Constant(value=int() | float() as value):
                return self.constant(float(value))
            case ast.Name(id=name):
                return self.known.get(name, _Part(name))
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=float() as value)):
                return self.constant(-value)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return self.negated(self.part(operand))
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return _Part(f"not {self.part(operand).text}")
            case ast.BinOp(op=ast.Mult()):
                return self.product(node)
            case ast.BinOp(left=left, op=ast.Div(), right=right):
                below = self.kept(right)
                scaled = below.low == below.high and not below.only_scales
                return self.divided(self.product(left, others=int(scaled)), below)
            case ast.BinOp(left=left, op=op, right=right):
                return self.added(self.part(left), self.part(right), isinstance(op, ast.Sub))
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                a, b = self.part(left).number, self.part(right)
                is_far = b.low == b.high and abs(b.low) >= LARGEST
                beside = None if is_far else place_beside(node, "single")
                return _Part(f"{a} {_SIGNS[type(op)]} {beside or b.number}")
            case ast.BoolOp(op=op, values=values):
                word = " and " if isinstance(op, ast.And) else " or "
                return _Part(word.join(self.part(value).text for value in values))
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return _choice(self.part(test).text, self.part(body), self.part(orelse))
            case ast.Call(func=ast.Attribute(value=ast.Name(id="turns"))):
                return _Part(f"np.float32({ast.unparse(node)})", low=-1.0, high=1.0)
            case ast.Call(func=ast.Attribute(attr="float64"), args=[argument]):
                return _Part(f"np.float32({self.part(argument).number})")
            case ast.Call(func=ast.Name(id="exp"), args=[argument]):
                # An exponential multiplies what rounding takes from its argument.
                return self.call("exp", [self.kept(argument)])
            case ast.Call(func=ast.Name(id=name), args=arguments):
                return self.call(name, [self.part(argument) for argument in arguments])
        return _Part(ast.unparse(node))

    def negated(self, a: _Part) -> _Part:
        text = f"pairs.negate({a.text})" if a.is_pair else f"-{a.text}"
        return replace(a, text=text, low=-a.high, high=-a.low, terms="", factors=())

    def kept(self, node: ast.expr) -> _Part:
        """Return a part whose rounding errors are kept if those of any are."""
        before, self.compensates = self.compensates, self.keeps != "nothing"
        part = self.part(node)
        self.compensates = before
        return part

    def keeps_error(self) -> bool:
        """Tell whether the error of the operation that is written next is kept."""
        if self.keeps == "nothing":
            return False
        self.written += 1
        return self.written - 1 not in self.rounded

    def constant(self, value: float) -> _Part:
        if math.isfinite(value):
            value = max(-LARGEST, min(LARGEST, value))
        is_exact = float(np.float32(value)) == value or abs(value) in (LARGEST, math.inf)
        if is_exact or not self.compensates:
            sign = "-" if math.copysign(1.0, value) < 0 else ""
            return _Part(f"{sign}np.float32({abs(value)!r})", low=value, high=value)
        return _Part(f"pairs.parts({value!r})", True, low=value, high=value)

    def added(self, a: _Part, b: _Part, subtracts: bool) -> _Part:
        low, high = a.low + b.low, a.high + b.high
        if subtracts:
            low, high = a.low - b.high, a.high - b.low
        if math.isnan(low) or math.isnan(high):
            low, high = -math.inf, math.inf
        if not (self.compensates and self.keeps_error()):
            return _Part(f"({a.number} {'-' if subtracts else '+'} {b.number})", low=low, high=high)
        name = "subtract" if subtracts else "add"
        if b.is_below(a):
            name += "_smaller"
        elif a.is_below(b) and not subtracts:
            a, b, name = b, a, "add_smaller"
        terms = ""
        if name == "add_smaller" and a.only_scales and b.low >= 0 and a.low > 0 and not b.is_pair:
            terms = f"{a.number}, {b.number}"
        text = f"pairs.{name}({a.pair}, {b.pair})"
        return _Part(text, True, low=low, high=high, terms=terms)

    def product(self, node: ast.expr, others: int = 0) -> _Part:
        """Multiply factors from left to right; the first of several that vanishes is raised.

        What is subnormal has few digits, and takes a processor a hundred times as long.
        """
        factors = _factors(node)
        parts = [self.part(factor) for factor in factors]
        if sum(part.low < part.high for part in parts) + others > 1:
            for k, factor in enumerate(factors):
                match factor:
                    case ast.Name(id=name) if name in self.vanishing:
                        parts[k] = self.raised_factor(name)
                        break
                    case ast.UnaryOp(op=ast.USub(), operand=ast.Name(id=name)) if (
                        name in self.vanishing
                    ):
                        parts[k] = self.negated(self.raised_factor(name))
                        break
        scale = math.prod(part.low for part in parts if part.only_scales)
        parts = [part for part in parts if not part.only_scales]
        if scale != 1.0 or not parts:
            # A number is scaled at less cost than a pair.
            k = next((k for k, part in enumerate(parts) if not part.is_pair), 0)
            parts[k : k + 1] = [self.multiplied(self.constant(scale), *parts[k : k + 1])]
        result = parts[0]
        for part in parts[1:]:
            result = self.multiplied(result, part)
        return result

    def raised_factor(self, name: str) -> _Part:
        raised = f"{name}_raised"
        if raised not in self.known:
            function, argument = self.vanishing[name]
            part = self.kept(argument) if function == "exp" else self.part(argument)
            value, power = self.call(f"raised_{function}", [part]), "pairs.LOWERED"
            self.before.append(f"{raised} = {value.text}")
            if function == "erfc":
                power = f"{raised}_power"
                self.before.append(f"{power} = pairs.power_of_erfc({part.pair})")
            self.known[raised] = replace(
                self.known[name],
                text=raised,
                is_pair=value.is_pair,
                power=power,
                terms="",
                factors=(),
            )
        return self.known[raised]

    def multiplied(self, a: _Part, b: _Part | None = None) -> _Part:
        if b is None:
            return a
        ends = [x * y for x in (a.low, a.high) for y in (b.low, b.high)]
        low, high = (-math.inf, math.inf) if any(map(math.isnan, ends)) else (min(ends), max(ends))
        power = " * ".join(part.power for part in (a, b) if part.power)
        if a.only_scales:
            a, b = b, a
        is_exact = b.only_scales and not a.is_pair
        if is_exact or not (self.compensates and (b.only_scales or self.keeps_error())):
            return _Part(f"({a.rounded} * {b.rounded})", False, power, low, high)
        if b.only_scales:
            text = f"pairs.doubled({a.text}, {b.text})"
        elif a.is_pair and b.is_pair:
            text = f"pairs.multiply({a.text}, {b.text})"
        elif a.is_pair or b.is_pair:
            pair, number = (a, b) if a.is_pair else (b, a)
            text, factors = _scaled(pair.text, number.text), (pair.text, number.text)
            return _Part(text, True, power, low, high, factors=factors)
        else:
            text = f"pairs.product({a.text}, {b.text})"
        return _Part(text, True, power, low, high)

    def divided(self, a: _Part, b: _Part) -> _Part:
        if self.keeps == "nothing":
            return _Part(f"({a.text} / {b.number})", power=a.power)
        if b.only_scales:
            return self.multiplied(a, self.constant(1.0 / b.low))
        if not self.keeps_error():
            return _plain_quotient(a, b)
        if b.low == b.high:
            return _Part(f"pairs.divide_by_constant({a.raised}, {b.low!r})", True, a.power)
        return _Part(f"pairs.divide({a.raised}, {b.pair})", True, a.power)

    def call(self, name: str, arguments: Sequence[_Part]) -> _Part:
        text = ", ".join(a.number for a in arguments)
        match name, arguments:
            case "exp" | "raised_exp", [a]:
                high = 1.0 if a.high <= 0 else math.inf
                name = f"{name}_below_one" if a.high <= 0 else name
                if a.is_pair:
                    return _Part(f"pairs.{name}({a.pair})", True, low=0.0, high=high)
                return _Part(f"single.{name}({text})", low=0.0, high=high)
            case "erfc" | "raised_erfc", [a] if self.compensates:
                return _Part(f"pairs.{name}({a.pair})", True, low=0.0, high=2.0)
            case "expm1", [a] if a.high <= 0:
                kind = "pairs" if self.compensates and not a.is_pair else "single"
                text = f"{kind}.expm1_below_zero({text})"
                return _Part(text, kind == "pairs", low=-1.0, high=0.0)
            case "sqrt", [a] if self.compensates and self.keeps_error():
                return _Part(f"pairs.square_root({a.pair})", True, low=0.0)
            case "abs", [_]:
                return _Part(f"abs({text})", low=0.0)
        return _Part(f"{'single.' if name in ELEMENTARY else ''}{name}({text})")


def _bare(text: str) -> str:
    """Leave out the brackets around a whole expression."""
    if not (text.startswith("(") and text.endswith(")")):
        return text
    depth = 0
    for k, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if depth == 0:
            return text[1:-1] if k == len(text) - 1 else text
    return text


def _factors(node: ast.expr) -> list[ast.expr]:
    match node:
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            return [*_factors(left), *_factors(right)]
    return [node]


def _plain_quotient(a: _Part, b: _Part) -> _Part:
    return _Part(f"({a.rounded} / {b.number})", power=a.power)


def _scaled(pair: str, number: str) -> str:
    return f"pairs.scaled({pair}, {number})"


def _choice(condition: str, yes: _Part, no: _Part) -> _Part:
    power = yes.power
    if yes.power != no.power:
        one = "np.float32(1.0)"
        power = f"({yes.power or one} if {condition} else {no.power or one})"
    low, high = min(yes.low, no.low), max(yes.high, no.high)
    if yes.factors and no.factors and yes.factors[0] == no.factors[0]:
        number = f"({yes.factors[1]} if {condition} else {no.factors[1]})"
        factors = (yes.factors[0], number)
        return _Part(_scaled(*factors), True, power, low, high, factors=factors)
    if yes.is_pair or no.is_pair:
        text = f"({yes.raised} if {condition} else {no.raised})"
        return _Part(text, True, power, low, high)
    return _Part(f"({yes.text} if {condition} else {no.text})", False, power, low, high)
