"""Building expressions: sums and products that drop what changes nothing (``1*x``, ``x + 0``)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from functools import reduce
from typing import TypeGuard

from chainrule.formulas import (
    Apply,
    Constant,
    Expression,
    constant,
    subexpressions,
)

ZERO = constant(0)
ONE = constant(1)
LARGEST_DENOMINATOR = 16  # of a fraction that is not better kept as a decimal
_NUMBER_BITS = 1 << 13


def add(x: Expression, y: Expression) -> Expression:
    """``0 + x -> x``, ``x + (-y) -> x - y``, ``z - z -> 0``."""
    if x == ZERO:
        return y
    if y == ZERO:
        return x
    if isinstance(x, Constant) and isinstance(y, Constant):
        return Constant(x.value + y.value)
    negated = _negated(y)
    if negated == x and not isinstance(x, Apply):  # which is defined everywhere
        return ZERO
    return Apply("subtract", (x, negated)) if negated is not None else Apply("add", (x, y))


def subtract(x: Expression, y: Expression) -> Expression:
    """``x - 0 -> x``, ``0 - x -> -x``, ``x - (-y) -> x + y``."""
    return add(x, negate(y))


def negate(x: Expression) -> Expression:
    """``-(-x) -> x``, ``-(x/y) -> (-x)/y`` for numbers only."""
    if isinstance(x, Constant):
        return Constant(-x.value)
    negated = _negated(x)
    return negated if negated is not None else Apply("negate", (x,))


def multiply(x: Expression, y: Expression) -> Expression:
    """``1*x -> x``, ``0*x -> 0``, ``x*(1/y) -> x/y``; signs move outside."""
    if x == ZERO or y == ZERO:
        return ZERO
    if x == ONE:
        return y
    if y == ONE:
        return x
    if isinstance(x, Constant) and isinstance(y, Constant):
        return Constant(x.value * y.value)
    for first, second in ((x, y), (y, x)):
        negated = _negated(first)
        if negated is not None:
            return negate(multiply(negated, second) if first is x else multiply(second, negated))
    if isinstance(y, Apply) and y.operation == "divide":
        return divide(multiply(x, y.arguments[0]), y.arguments[1])
    return Apply("multiply", (x, y))


def divide(x: Expression, y: Expression) -> Expression:
    """``x/1 -> x``, ``0/x -> 0``; signs move outside."""
    if x == ZERO and y != ZERO:
        return ZERO
    if y == ONE:
        return x
    if isinstance(x, Constant) and isinstance(y, Constant) and y.value != 0:
        return Constant(x.value / y.value)
    negated = _negated(x)
    if negated is not None:
        return negate(divide(negated, y))
    return Apply("divide", (x, y))


def power(x: Expression, y: Expression) -> Expression:
    """``x**1 -> x``, ``x**0 -> 1``."""
    if y == ONE:
        return x
    if y == ZERO:
        return ONE
    match x, y:
        case Constant(base), Constant(exponent) if is_short_power(base, exponent):
            if base != 0 or exponent > 0:
                return Constant(base ** int(exponent))
    return Apply("power", (x, y))


def is_short_power(base: Fraction, exponent: Fraction) -> bool:
    """Tell whether a power of numbers is a number that can be written down."""
    bits = max(base.numerator.bit_length(), base.denominator.bit_length())
    return exponent.denominator == 1 and abs(exponent) * bits <= _NUMBER_BITS


def total(terms: Iterable[Expression]) -> Expression:
    """Add up any number of terms."""
    result: Expression = ZERO
    for term in terms:
        result = add(result, term)
    return result


def one_fraction(x: Expression, y: Expression) -> Expression:
    """Multiply over one fraction line, numbers first, choices last: ``u*(2*v/w) -> 2*u*v/w``."""
    (above, below), (further_above, further_below) = map(fraction_of, (x, y))
    factors = sorted((*factors_of(above), *factors_of(further_above)), key=_rank)
    return divide(reduce(multiply, factors), multiply(below, further_below))


def fraction_of(e: Expression) -> tuple[Expression, Expression]:
    """Return numerator and denominator as they are written: ``-(x/y)`` has ``-x`` and ``y``."""
    match e:
        case Apply("negate", (x,)):
            above, below = fraction_of(x)
            return negate(above), below
        case Apply("divide", (above, below)):
            return above, below
    return e, ONE


def factors_of(e: Expression) -> Iterator[Expression]:
    """Yield what a product is made of."""
    if isinstance(e, Apply) and e.operation == "multiply":
        for part in e.arguments:
            yield from factors_of(part)
    else:
        yield e


def _rank(factor: Expression) -> int:
    is_choice = isinstance(factor, Apply) and factor.operation == "where"
    return 0 if isinstance(factor, Constant) else 1 + is_choice


def with_exponentials_joined(e: Expression) -> Expression:
    """``x*exp(z)*exp(-z) -> x``, ``exp(z)*exp(2*z) -> exp(3*z)``, in products anywhere inside."""
    if not isinstance(e, Apply):
        return e
    e = Apply(e.operation, tuple(map(with_exponentials_joined, e.arguments)))
    if e.operation != "multiply":
        return e
    factors = list(factors_of(e))
    multiples = [_multiple(x.arguments[0]) for x in factors if _is_exponential(x)]
    cores = [core for core, _ in multiples]
    if len(set(cores)) == len(cores):
        return e
    joined = {
        core: function("exp", multiply(Constant(times), core)) if times else ONE
        for core in dict.fromkeys(cores)
        for times in (sum((times for other, times in multiples if other == core), Fraction(0)),)
    }
    result: Expression = ONE
    for factor in (*(x for x in factors if not _is_exponential(x)), *joined.values()):
        result = multiply(result, factor)
    return result


def _is_exponential(e: Expression) -> TypeGuard[Apply]:
    return isinstance(e, Apply) and e.operation == "exp"


def _multiple(e: Expression) -> tuple[Expression, Fraction]:
    """Return of what an expression is a multiple, and which one."""
    match e:
        case Apply("negate", (x,)):
            core, times = _multiple(x)
            return core, -times
        case Apply("multiply", (Constant(number), x)):
            return x, number
    return e, Fraction(1)


def sums_joined(e: Expression) -> Expression:
    """Write sums anywhere inside without brackets, their numbers as one: ``1 - (a + 2) -> -a - 1``.

    Examples
    --------
    >>> from chainrule.formulas import parse, to_text
    >>> to_text(sums_joined(parse("z*(1 - (z + 1/2)) - (3*z - 2)").expression))
    'z*(1/2 - z) - 3*z + 2'
    """
    if not isinstance(e, Apply):
        return e
    e = Apply(e.operation, tuple(map(sums_joined, e.arguments)))
    if e.operation == "negate":
        return _opposite(e.arguments[0])
    if e.operation not in ("add", "subtract"):
        return e
    terms = list(terms_of(e))
    numbers = [term for term in terms if isinstance(term, Constant)]
    if len(numbers) > 1:
        joined = sum((number.value for number in numbers), Fraction(0))
        others = [term for term in terms if not isinstance(term, Constant)]
        terms = [constant(joined), *others] if joined > 0 else [*others, constant(joined)]
    return total(terms)


def terms_of(e: Expression) -> Iterator[Expression]:
    """Yield what an expression is a sum of: ``x - (y + z)`` of x, -y and -z."""
    match e:
        case Apply("add", (x, y)):
            yield from (*terms_of(x), *terms_of(y))
        case Apply("subtract", (x, y)):
            yield from (*terms_of(x), *map(negate, terms_of(y)))
        case Apply("negate", (x,)):
            yield from map(negate, terms_of(x))
        case _:
            yield e


def signs_outside(e: Expression) -> Expression:
    """``sum(-x) -> -sum(x)``, ``(-x)**2 -> x**2``, ``abs(-x) -> abs(x)``, and products of these."""
    if not isinstance(e, Apply):
        return e
    match rebuilt(Apply(e.operation, tuple(map(signs_outside, e.arguments)))):
        case Apply("sum" | "mean" as reduction, (Apply("negate", (x,)),)):
            return negate(Apply(reduction, (x,)))
        case Apply("power", (Apply("negate", (x,)), Constant(exponent))) if exponent % 2 == 0:
            return power(x, constant(exponent))
        case Apply("abs", (Apply("negate", (x,)),)):
            return Apply("abs", (x,))
        case signs:
            return signs


def _opposite(e: Expression) -> Expression:
    """Return -e, with a difference in a product turned round: ``(x - y)*u -> (y - x)*u``."""
    turned = _turned(e)
    return negate(e) if turned is None else turned


def _turned(e: Expression) -> Expression | None:
    match e:
        case Apply("subtract", (x, y)):
            return total((y, *map(negate, terms_of(x))))
        case Apply("multiply", (x, y)):
            turned = _turned(x)
            if turned is not None:
                return multiply(turned, y)
            turned = _turned(y)
            return None if turned is None else multiply(x, turned)
        case Apply("divide", (x, y)):
            turned = _turned(x)
            return None if turned is None else divide(turned, y)
    return None


def function(name: str, *arguments: Expression) -> Expression:
    """Apply an operation of the language by name."""
    return Apply(name, arguments)


_REBUILD: dict[str, Callable[..., Expression]] = {
    "add": add,
    "subtract": subtract,
    "multiply": multiply,
    "divide": divide,
    "power": power,
    "negate": negate,
}


def rebuilt(expression: Expression) -> Expression:
    """Return an expression without the operations that change nothing (``0 + z -> z``)."""
    if not isinstance(expression, Apply):
        return expression
    arguments = [rebuilt(argument) for argument in expression.arguments]
    constructor = _REBUILD.get(expression.operation)
    if constructor:
        return constructor(*arguments)
    if expression.operation == "exp" and arguments == [ZERO]:
        return ONE
    return Apply(expression.operation, tuple(arguments))


def size(expression: Expression) -> int:
    """Return how many parts an expression has."""
    return sum(1 for _ in subexpressions(expression))


def written_length(expression: Expression) -> int:
    """Return how long an expression reads: fractions such as 1/2 count, and signs in brackets."""
    length = size(expression)
    for part in subexpressions(expression):
        match part:
            case Constant(value) if 1 < value.denominator <= LARGEST_DENOMINATOR:
                length += 2
            case Apply("add" | "subtract", (Apply("negate", _), _)) if part is not expression:
                length += 1
    return length


def _negated(x: Expression) -> Expression | None:
    """Return -x where it is at hand without a new operation."""
    if isinstance(x, Constant):
        return Constant(-x.value) if x.value < 0 else None
    if isinstance(x, Apply):
        if x.operation == "negate":
            return x.arguments[0]
        if x.operation in ("multiply", "divide") and isinstance(x.arguments[0], Constant):
            first = x.arguments[0].value
            if first < Fraction(0):
                combine = multiply if x.operation == "multiply" else divide
                return combine(Constant(-first), x.arguments[1])
    return None
