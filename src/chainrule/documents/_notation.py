"""Short ways to write the notation of derivations."""

from __future__ import annotations

from chainrule.documents._content import Equation
from chainrule.documents._symbols import REDUCED_OVER
from chainrule.formulas import Apply, Constant, Expression, Variable


def partial(of: Expression, by: Expression) -> Expression:
    """Return ∂of/∂by as a symbol."""
    return Apply("partial", (of, by))


def partial_twice(of: Expression, *by: Expression) -> Expression:
    """Return ∂²of/∂by² as a symbol, or ∂²of/∂by∂by with two different ones."""
    return Apply("partial_twice", (of, *by))


def equation(*sides: Expression, remark: str = "") -> Equation:
    """Return a chain of equal sides in which repetitions are left out."""
    kept: list[Expression] = []
    for side in sides:
        if side not in kept:
            kept.append(side)
    return Equation(tuple(kept), remark)


def inner_index(outer: str) -> str:
    """Return the index of the units of a reduction, within one over `outer` another letter."""
    indices = ("k", *REDUCED_OVER)
    if outer not in indices:
        return indices[0]
    return indices[min(indices.index(outer) + 1, len(REDUCED_OVER))]


def reduction_over(index: str, operation: str, argument: Expression) -> Apply:
    """Return a reduction over the units, written with an index."""
    return Apply(f"{operation}_{index}" if index in REDUCED_OVER else operation, (argument,))


def symbol(name: str) -> Variable:
    """Return a name as a symbol."""
    return Variable(name)


def is_negated(e: Expression) -> bool:
    """Tell whether an expression is the negative of another."""
    if isinstance(e, Constant):
        return e.value < 0
    return isinstance(e, Apply) and e.operation == "negate"


def sign_first(e: Apply) -> Apply:
    """Write ``(-x)/y`` as ``-(x/y)``, which needs no brackets."""
    first, second = e.arguments
    positive = Constant(-first.value) if isinstance(first, Constant) else _inner(first)
    return Apply("negate", (Apply(e.operation, (positive, second)),))


def _inner(e: Expression) -> Expression:
    assert isinstance(e, Apply)
    return e.arguments[0]
