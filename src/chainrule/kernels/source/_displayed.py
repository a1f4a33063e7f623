"""Generated source as a person reads it: short names, known constants, polynomials by degree."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import reduce
from operator import mul

from chainrule.documents import Equation, is_negated
from chainrule.formulas import (
    Apply,
    Constant,
    Expression,
    Pi,
    Variable,
    constant,
    parameters_of,
    substitute,
    to_text,
    variables_of,
)
from chainrule.kernels.source._reading import RESULT, Statement, displayed, on_side

_KEPT = re.compile(r"[atwxz]|p_\w+|t_less_one|[A-Za-z]")
_LONG = 12  # digits: what has so many is no number that a person wrote
_DIGITS = 6
_LARGEST_DENOMINATOR = 100
_SHORTEST_POLYNOMIAL = 3
_ROOT_OF_TWO, _ROOT_OF_PI = Apply("sqrt", (constant(2),)), Apply("sqrt", (Pi(),))
_IRRATIONAL: tuple[tuple[Expression, float], ...] = (
    (_ROOT_OF_TWO, math.sqrt(2)),
    (_ROOT_OF_PI, math.sqrt(math.pi)),
    (Pi(), math.pi),
    (Apply("multiply", (_ROOT_OF_TWO, _ROOT_OF_PI)), math.sqrt(2 * math.pi)),
    (Apply("divide", (_ROOT_OF_TWO, _ROOT_OF_PI)), math.sqrt(2 / math.pi)),
    (Apply("log", (constant(2),)), math.log(2)),
)
_SIDES = {"_left": "for z < 0", "_right": "for z ≥ 0"}

Interval = tuple[Fraction | None, Fraction | None]


def displayed_equations(
    function: str, statements: Sequence[Statement], result: Expression
) -> tuple[Equation, ...]:
    """Return what a function computes, name by name, each equation called ``function-name``.

    Parameters
    ----------
    function : str
    statements : sequence of Statement
        Those that are shown; the last is the result.
    result : Expression
        How the result is written.
    """
    names = _names(statements)
    polynomials: dict[Expression, Apply] = {}
    equations: list[Equation] = []
    for s in statements:
        if s.name != RESULT:
            left = names.get(Variable(s.name), Variable(s.name))
            anchor = f"{function}-{s.name}"
            for value, remark in _sides(s):
                right = _readable(value, names, polynomials)
                equations.append(Equation((left, right), remark, anchor))
                anchor = ""
            continue
        anchor = f"{function}-{RESULT}"
        for value, where in _rows(s.value):
            right = _readable(value, names, polynomials)
            equations.append(Equation((result, right), where, anchor))
            anchor = ""
    said = [
        Equation((call,), f"a polynomial of degree {_degree(horner)} with the source's numbers")
        for horner, call in polynomials.items()
    ]
    return (*equations, *said)


def _sides(s: Statement) -> list[tuple[Expression, str]]:
    """Return what a statement computes: one thing for both signs of z, or two."""
    remark = next((words for end, words in _SIDES.items() if end in s.name), "")
    right, left = (on_side(s.value, right=side) for side in (True, False))
    if remark or left == right:
        return [(s.value, remark)]
    return [(right, _SIDES["_right"]), (left, _SIDES["_left"])]


def is_rounded(equations: Sequence[Equation]) -> bool:
    """Tell whether a number has been rounded to be shown."""
    return any(_holds_rounded(side) for e in equations for side in e.sides)


def _holds_rounded(e: Expression) -> bool:
    if isinstance(e, Apply):
        return any(_holds_rounded(part) for part in e.arguments)
    return isinstance(e, Constant) and len(_significant(e.value)) == _DIGITS


def _names(statements: Sequence[Statement]) -> dict[Expression, Expression]:
    """Call what the source numbers q1, q2, …; letters keep their names."""
    named = (s.name for s in statements if s.name != RESULT and not _KEPT.fullmatch(s.name))
    return {Variable(name): Variable(f"q{k}") for k, name in enumerate(dict.fromkeys(named), 1)}


def _rows(e: Expression) -> list[tuple[Expression, str]]:
    """Return what a result is on the stretches of z, with what tells them."""
    right, left = (on_side(e, right=side) for side in (True, False))
    zero = Fraction(0)
    if right == left:
        stretches = [*_stretches(right, (None, None))]
    else:
        stretches = [*_stretches(right, (zero, None)), *_stretches(left, (None, zero))]
    found: dict[Expression, list[str]] = {}
    for value, interval in stretches:
        found.setdefault(value, []).append(_interval_text(interval))
    if len(found) == 1:
        return [(next(iter(found)), "")]
    return [(value, "for " + " or ".join(texts)) for value, texts in found.items()]


def _stretches(e: Expression, interval: Interval) -> Iterator[tuple[Expression, Interval]]:
    """Yield a value for each stretch that comparisons of z with a number part."""
    low, high = interval
    match e:
        case Apply("where", (Apply(sign, (Variable("z"), Constant(at))), yes, no)) if sign in (
            "greater",
            "greater_equal",
            "less",
            "less_equal",
        ):
            below = (low, at if high is None else min(at, high))
            above = (at if low is None else max(at, low), high)
            first, second = (above, below) if sign.startswith("greater") else (below, above)
            for value, part in ((yes, first), (no, second)):
                if part[0] is None or part[1] is None or part[0] < part[1]:
                    yield from _stretches(value, part)
        case _:
            yield e, interval


def _interval_text(interval: Interval) -> str:
    low, high = (None if end is None else f"{float(end):.5g}" for end in interval)
    if low is None:
        return f"z < {high}"
    return f"z ≥ {low}" if high is None else f"{low} ≤ z < {high}"


def _readable(
    e: Expression, names: dict[Expression, Expression], polynomials: dict[Expression, Apply]
) -> Expression:
    def shown(part: Expression) -> Expression | None:
        if part in names:
            return names[part]
        if isinstance(part, Constant):
            return _known_number(part)
        if _degree(part) >= _SHORTEST_POLYNOMIAL:
            variable = _horner_variable(part)
            index = len(polynomials) + 1
            call = Apply("polynomial", (constant(index), names.get(variable, variable)))
            return polynomials.setdefault(part, call)
        return None

    return _signs_first(displayed(substitute(e, shown)))


def _signs_first(e: Expression) -> Expression:
    """Write numbers before what they multiply, and signs before products."""
    if not isinstance(e, Apply):
        return e
    x = tuple(_signs_first(part) for part in e.arguments)
    match e.operation:
        case "multiply":
            return _product([factor for part in x for factor in _factors(part)])
        case "divide" if is_negated(x[0]):
            return Apply("negate", (Apply("divide", (_positive(x[0]), x[1])),))
        case "negate" if is_negated(x[0]):
            return _positive(x[0])
        case "add" | "subtract" if is_negated(x[1]):
            other = "subtract" if e.operation == "add" else "add"
            return _signs_first(Apply(other, (x[0], _positive(x[1]))))
        case "add" if is_negated(x[0]):
            return Apply("subtract", (x[1], _positive(x[0])))
    return Apply(e.operation, x)


def _factors(e: Expression) -> Iterator[Expression]:
    if is_negated(e):
        yield constant(-1)
        yield from _factors(_positive(e))
    elif isinstance(e, Apply) and e.operation == "multiply":
        for part in e.arguments:
            yield from _factors(part)
    else:
        yield e


def _product(factors: Sequence[Expression]) -> Expression:
    """Return a product: the number, roots and π, then the rest, equal factors as powers."""
    number = reduce(mul, (f.value for f in factors if isinstance(f, Constant)), Fraction(1))
    others = [f for f in factors if not isinstance(f, Constant)]
    ordered = sorted(others, key=lambda f: not _is_number(f))
    parts: list[Expression] = [Constant(abs(number))] if abs(number) != 1 else []
    for factor in dict.fromkeys(ordered):
        times = ordered.count(factor)
        parts.append(factor if times == 1 else Apply("power", (factor, constant(times))))
    product = reduce(lambda x, y: Apply("multiply", (x, y)), parts) if parts else constant(1)
    return Apply("negate", (product,)) if number < 0 else product


def _positive(e: Expression) -> Expression:
    if not is_negated(e):
        return e
    return Constant(-e.value) if isinstance(e, Constant) else _arguments(e)[0]


def _arguments(e: Expression) -> tuple[Expression, ...]:
    return e.arguments if isinstance(e, Apply) else ()


def _is_number(e: Expression) -> bool:
    return not variables_of(e) and not parameters_of(e)


def _known_number(number: Constant) -> Expression | None:
    """Return √2 for 1.4142135623730951, 1/6 and the like, and other long numbers rounded."""
    value = number.value
    if len(_significant(value)) < _LONG:
        return None
    ratio = value.limit_denominator(_LARGEST_DENOMINATOR)
    if math.isclose(float(ratio), float(value), rel_tol=4e-16):
        return Constant(ratio)
    for irrational, size in _IRRATIONAL:
        factor = Fraction(f"{float(value) / size:.12g}")
        is_exact = math.isclose(float(factor) * size, float(value), rel_tol=4e-16)
        if is_exact and len(_significant(factor)) < _DIGITS:
            if abs(factor) == 1:
                return irrational if factor > 0 else Apply("negate", (irrational,))
            return Apply("multiply", (Constant(factor), irrational))
    return Constant(Fraction(f"{float(value):.{_DIGITS}g}"))


def _significant(value: Fraction) -> str:
    digits = to_text(Constant(abs(value))).partition("e")[0].replace(".", "")
    return digits.strip("0")


def _horner(e: Expression) -> tuple[Expression, Expression] | None:
    """Return the variable and the rest of ``number + variable*rest``."""
    match e:
        case Apply("add", (Constant(), Apply("multiply", (Variable() as variable, rest)))):
            return variable, rest
    return None


def _horner_variable(e: Expression) -> Expression:
    found = _horner(e)
    assert found is not None
    return found[0]


def _degree(e: Expression) -> int:
    """Return the degree of a polynomial in Horner's form, -1 for anything else."""
    if isinstance(e, Constant):
        return 0
    found = _horner(e)
    if found is None:
        return -1
    variable, rest = found
    inner = _horner(rest)
    below = _degree(rest)
    return below + 1 if below >= 0 and (inner is None or inner[0] == variable) else -1
