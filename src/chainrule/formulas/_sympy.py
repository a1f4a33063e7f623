"""SymPy expressions read into the formula language."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction
from functools import lru_cache, reduce
from typing import Any

import sympy

from chainrule.formulas._errors import FormulaError
from chainrule.formulas._expression import (
    FUNCTIONS,
    Apply,
    Constant,
    Expression,
    Parameter,
    Pi,
    Variable,
    constant,
)
from chainrule.formulas._names import refusal_of_parameter
from chainrule.formulas._parser import MAXIMUM_NESTING, parse_expression
from chainrule.formulas._text import to_text

_MAXIMUM_SIZE = 2000
_RELATIONS = {
    ">": "greater",
    "<": "less",
    ">=": "greater_equal",
    "<=": "less_equal",
    "==": "equal",
    "!=": "not_equal",
}
_FUNCTION_NAMES = {name: name for name in FUNCTIONS} | {"Abs": "abs"}
Leaf = Callable[[Any], Expression]


def from_sympy(source: Any, variables: tuple[str, ...], parameters: frozenset[str]) -> Expression:
    """Read a person's SymPy expression.

    A lone symbol that is neither a variable nor a given parameter stands for `z`.
    """
    _check_extent(source)
    names = {symbol.name for symbol in source.free_symbols}
    unknown = names - parameters - set(variables)
    alias = unknown.pop() if variables == ("z",) and "z" not in names and len(unknown) == 1 else "z"

    def leaf(symbol: Any) -> Expression:
        name = "z" if symbol.name == alias else symbol.name
        if name in variables:
            return Variable(name)
        refusal = refusal_of_parameter(name)
        if refusal is not None:
            raise FormulaError(refusal[0], remedy=refusal[1])
        return Parameter(name)

    # Through the text, so that the same bounds hold and what is shown can be read again.
    return parse_expression(to_text(read_sympy(source, leaf)), variables)


def _check_extent(source: Any) -> None:
    level = [source]
    depth = size = 0
    while level:
        depth += 1
        size += len(level)
        if size > _MAXIMUM_SIZE:
            raise FormulaError(
                f"the SymPy expression has more than {_MAXIMUM_SIZE:,} parts", remedy="Simplify it."
            )
        if depth > MAXIMUM_NESTING:
            raise FormulaError(
                f"the SymPy expression is nested more than {MAXIMUM_NESTING} levels deep",
                remedy="Write it with fewer operations.",
            )
        level = [part for e in level for part in e.args]


def read_sympy(e: Any, leaf: Leaf) -> Expression:
    """Read a SymPy expression whose symbols `leaf` translates.

    SymPy orders sums and products its own way; here they stand as on paper: positive terms before
    negative ones, numbers first, symbols before brackets, quotients as quotients.
    """
    if e.is_Symbol:
        return leaf(e)
    if e.is_Rational:
        return Constant(Fraction(int(e.p), int(e.q)))
    if e.is_Float:
        return Constant(Fraction(str(e)))
    if e == sympy.pi:
        return Pi()
    if e.is_Add:
        return _sum(e, leaf)
    if e.is_Mul:
        return _product(e, leaf)
    if e == sympy.E or isinstance(e, sympy.exp):
        return Apply("exp", (read_sympy(sympy.log(e) if e == sympy.E else e.args[0], leaf),))
    if e.is_Pow:
        return _power(e, leaf)
    if isinstance(e, sympy.Max | sympy.Min):
        word = "maximum" if isinstance(e, sympy.Max) else "minimum"
        parts = sorted(e.args, key=lambda part: (not part.is_number, str(part)))
        return _chain(word, parts, leaf)
    if isinstance(e, sympy.Piecewise):
        return _piecewise(e, leaf)
    if isinstance(e, sympy.erfc):
        return Apply("subtract", (constant(1), Apply("erf", (read_sympy(e.args[0], leaf),))))
    if isinstance(e, sympy.re | sympy.conjugate):
        return read_sympy(e.args[0], leaf)  # everything here is real
    if isinstance(e, sympy.tan):
        angle = read_sympy(e.args[0], leaf)
        return Apply("divide", (Apply("sin", (angle,)), Apply("cos", (angle,))))
    name = _FUNCTION_NAMES.get(type(e).__name__)
    if name is not None and len(e.args) == 1:
        return Apply(name, (read_sympy(e.args[0], leaf),))
    raise FormulaError(
        f"{str(e)[:60]} ({type(e).__name__}) is not in the formula language",
        remedy=f"Expected sums, products, powers, Max, Min, Piecewise and {' '.join(FUNCTIONS)}.",
    )


def _chain(operation: str, parts: list[Any], leaf: Leaf) -> Expression:
    return reduce(lambda x, y: Apply(operation, (x, y)), (read_sympy(part, leaf) for part in parts))


def _ordered(parts: Iterable[Any]) -> list[Any]:
    """Sort the parts of a sum or product; only those that are alike are compared as text."""
    alike: dict[Any, list[Any]] = {}
    for e in parts:
        alike.setdefault(_order(e), []).append(e)
    groups = (alike[key] for key in sorted(alike))
    return [e for group in groups for e in (sorted(group, key=str) if len(group) > 1 else group)]


@lru_cache(maxsize=4096)
def _order(e: Any) -> tuple[Any, ...]:
    return (not e.is_number, e.is_Add, len(e.free_symbols) > 1, int(sympy.count_ops(e)))


def _sum(e: Any, leaf: Leaf) -> Expression:
    terms = _ordered(e.args)
    negative = [-t for t in terms if t.could_extract_minus_sign() and _flipped(t) is None]
    positive = [t for t in terms if -t not in negative]
    if positive:
        result = _chain("add", positive, leaf)
    else:
        result = Apply("negate", (read_sympy(negative.pop(0), leaf),))
    for term in negative:
        result = Apply("subtract", (result, read_sympy(term, leaf)))
    return result


def _product(e: Any, leaf: Leaf) -> Expression:
    number, factors = _number_and_factors(e)
    if number < 0:
        flipped = _flipped(e)
        if flipped is not None:
            return _quotient(-number, flipped, leaf)
        return Apply("negate", (_quotient(-number, factors, leaf),))
    return _quotient(number, factors, leaf)


def _number_and_factors(e: Any) -> tuple[Any, list[Any]]:
    number, rest = e.as_coeff_Mul()
    return number, _ordered(rest.args if rest.is_Mul else [rest])


def _flipped(e: Any) -> list[Any] | None:
    """Return the factors of ``x*(1 - y)``, which reads better than ``-x*(y - 1)``."""
    number, factors = _number_and_factors(e)
    for k, factor in enumerate(factors):
        base, exponent = factor.as_base_exp()
        if number < 0 and exponent in (1, -1) and base.is_Add and _prefers_negation(base):
            return [*factors[:k], (-base) ** exponent, *factors[k + 1 :]]
    return None


def _prefers_negation(e: Any) -> bool:
    signs = [not t.could_extract_minus_sign() for t in e.args]
    numbers = [t for t in e.args if t.is_number]
    return sum(signs) < len(signs) and (not numbers or bool(numbers[0] < 0))


def _quotient(number: Any, factors: list[Any], leaf: Leaf) -> Expression:
    """Write ``number * factors`` as one fraction."""
    above, below = [], []
    if number.is_Rational and not _is_long_decimal(number):
        if number.p != 1:
            above.append(sympy.Integer(number.p))
        if number.q != 1:
            below.append(sympy.Integer(number.q))
    elif number != 1:
        above.append(number)
    for factor in factors:
        inverted = factor.is_Pow and factor.exp.is_number and factor.exp.could_extract_minus_sign()
        (below if inverted and not isinstance(factor, sympy.exp) else above).append(
            1 / factor if inverted and not isinstance(factor, sympy.exp) else factor
        )
    numerator = _chain("multiply", above, leaf) if above else constant(1)
    return Apply("divide", (numerator, _chain("multiply", below, leaf))) if below else numerator


def _is_long_decimal(number: Any) -> bool:
    """Tell whether a number such as 1.702 reads better as a decimal than as a fraction."""
    return bool(number.q > 16 and (10**20) % number.q == 0)


def _power(e: Any, leaf: Leaf) -> Expression:
    base, exponent = e.args
    if base == sympy.E:
        return Apply("exp", (read_sympy(exponent, leaf),))
    if exponent == sympy.Rational(1, 2):
        return Apply("sqrt", (read_sympy(base, leaf),))
    if exponent.is_number and exponent.could_extract_minus_sign():
        return Apply("divide", (constant(1), read_sympy(1 / e, leaf)))
    return Apply("power", (read_sympy(base, leaf), read_sympy(exponent, leaf)))


def _piecewise(e: Any, leaf: Leaf) -> Expression:
    branches = list(e.args)
    if branches[-1][1] != sympy.true:
        raise FormulaError(
            f"the SymPy Piecewise {str(e)[:60]} is undefined in places",
            remedy="End it with (value, True).",
        )
    result = read_sympy(branches[-1][0], leaf)
    for value, condition in reversed(branches[:-1]):
        chosen = (_condition(condition, leaf), read_sympy(value, leaf), result)
        result = Apply("where", chosen)
    return result


def _condition(e: Any, leaf: Leaf) -> Expression:
    if not isinstance(e, sympy.core.relational.Relational) or e.rel_op not in _RELATIONS:
        raise FormulaError(
            f"the condition {e} is not a single comparison", remedy="Nest Piecewise for and, or."
        )
    return Apply(_RELATIONS[e.rel_op], (read_sympy(e.lhs, leaf), read_sympy(e.rhs, leaf)))
