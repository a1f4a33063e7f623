"""Layers that are another one times a number and moved by one: ``gain*layer(z) + bias``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from chainrule.derivations._evaluate import evaluate
from chainrule.derivations._graph import UNIT_COUNT
from chainrule.derivations.algebra._arithmetic import (
    ONE,
    ZERO,
    add,
    divide,
    multiply,
    negate,
    rebuilt,
    subtract,
)
from chainrule.derivations.output_forms._layers import is_shared
from chainrule.formulas import Apply, Expression, Variable, subexpressions, substitute, variables_of

_A = Variable("a")


def affine_parts(e: Expression) -> tuple[Expression, Expression, Expression]:
    """Return what a layer is made of by a factor and a summand without variables, and these.

    Examples
    --------
    >>> from chainrule.formulas import parse, to_text
    >>> wrapped = parse("3 - 2*(z - mean(z))/sum(abs(z))").expression
    >>> [to_text(part) for part in affine_parts(wrapped)]
    ['(z - mean(z))/sum(abs(z))', '-2', '3']
    """
    match e:
        case Apply("add" | "subtract" as sign, (x, y)) if is_number(x) or is_number(y):
            inner, factor, shift = affine_parts(y if is_number(x) else x)
            if is_number(x) and sign == "subtract":
                return inner, negate(factor), subtract(x, shift)
            if is_number(x):
                return inner, factor, add(shift, x)
            return inner, factor, (add if sign == "add" else subtract)(shift, y)
    number, rest = _factors(e)
    if number == ONE:
        return e, ONE, ZERO
    inner, factor, shift = affine_parts(rest)
    return inner, multiply(number, factor), multiply(number, shift)


def shared_summands(e: Expression) -> Iterator[tuple[Expression, Expression]]:
    """Yield what a layer is a sum of, where one part is the same for all units: it stands second.

    Examples
    --------
    >>> from chainrule.formulas import parse, to_text
    >>> moved = parse("tanh(z - mean(z)) - max(z)").expression
    >>> [[to_text(part) for part in parts] for parts in shared_summands(moved)]
    [['tanh(z - mean(z))', '-max(z)']]
    """
    match e:
        case Apply("add", (x, y)):
            yield from ((rest, part) for rest, part in ((x, y), (y, x)) if is_shared(part))
            for inner, other in ((x, y), (y, x)):
                for rest, part in shared_summands(inner):
                    yield add(rest, other), part
        case Apply("subtract", (x, y)):
            yield from shared_summands(Apply("add", (x, negate(y))))


def of_affine(
    form: Expression, factor: Expression, shift: Expression, values: Mapping[str, float]
) -> Expression | None:
    """Return ∂J/∂z of a layer from the form of the one inside; None where the factor is 0."""
    if not evaluate(factor, values):
        return None
    inside = divide(subtract(_A, shift), factor)
    known: dict[Expression, Expression] = {_A: inside}
    return rebuilt(multiply(factor, substitute(form, known.get)))


def _factors(e: Expression) -> tuple[Expression, Expression]:
    """Return the numbers of a product or quotient, and the rest."""
    match e:
        case Apply("negate", (x,)):
            number, rest = _factors(x)
            return negate(number), rest
        case Apply("multiply", (x, y)):
            if is_number(x) or is_number(y):
                number, rest = _factors(y if is_number(x) else x)
                return multiply(x if is_number(x) else y, number), rest
            (first, x), (second, y) = _factors(x), _factors(y)
            return multiply(first, second), multiply(x, y)
        case Apply("divide", (x, y)) if is_number(y):
            number, rest = _factors(x)
            return divide(number, y), rest
        case Apply("divide", (x, y)) if not is_number(x):
            number, rest = _factors(x)
            return number, divide(rest, y)
    return ONE, e


def is_number(e: Expression) -> bool:
    """Tell whether an expression is the same number in every layer."""
    return not variables_of(e) and UNIT_COUNT not in subexpressions(e)
