"""The Jacobian ∂a_p/∂z_j, its entries for p = j and for p ≠ j.

Row p of the Jacobian is the vector–Jacobian product with g = 1 at unit p and 0 elsewhere. Every
value that is linear in g is then ``δ·own + cross``: own where its unit is p, cross at all units.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from chainrule.derivations._graph import UNIT_COUNT
from chainrule.derivations.algebra._arithmetic import (
    ONE,
    ZERO,
    add,
    divide,
    multiply,
    negate,
    size,
    subtract,
    sums_joined,
)
from chainrule.derivations.layers._vector_jacobian import SEED
from chainrule.documents import (
    Document,
    Documented,
    Equation,
    Section,
    inner_index,
    partial,
    reduction_over,
    symbol,
)
from chainrule.formulas import REDUCTIONS, Apply, Expression, Variable, variables_of

_BOUND = ("z", "a", "g", "v")


@dataclass(frozen=True)
class Jacobian(Documented):
    """The entries of a Jacobian.

    Parameters
    ----------
    own : Expression
        ∂a_j/∂z_j in ``z_j``, ``a_j`` and what the layer shares: in a reduction `z` and `a` run
        over the units.
    cross : Expression
        ∂a_p/∂z_j for p ≠ j, in ``z_p`` and ``a_p`` besides.

    Examples
    --------
    >>> from chainrule.derivations import derive
    >>> from chainrule.formulas import parse, to_text
    >>> jacobian = derive(parse("exp(z)/sum(exp(z))")).jacobian
    >>> to_text(jacobian.own), to_text(jacobian.cross)
    ('a_j*(1 - a_j)', '-(a_j*a_p)')
    """

    own: Expression
    cross: Expression
    title: str = "Jacobian"

    @property
    def document(self) -> Document:
        """The entries as a document."""
        of, by = symbol("a_p"), symbol("z_j")
        equations = (
            Equation((partial(symbol("a_j"), by), bound(self.own))),
            Equation((partial(of, by), bound(self.cross)), "for p ≠ j"),
        )
        return Document(self.title, (Section("Jacobian of one example", (), equations),))


class NotLinearError(Exception):
    """An expression is not built as a linear one in the seed."""


def entries(
    product: Expression, seed: Expression = SEED, unit: str = "p"
) -> tuple[Expression, Expression]:
    """Return what a product linear in a seed is where the seed is 1 at one unit, 0 elsewhere.

    Parameters
    ----------
    product : Expression
        Linear in `seed`.
    seed : Variable
    unit : str
        The index of the unit at which it is 1.

    Returns
    -------
    own, cross : Expression
        The value is ``own + cross`` at that unit and ``cross`` at all others; what belongs to
        that unit carries its index.

    Raises
    ------
    NotLinearError
        The seed stands where only linear operations may.
    """
    assert isinstance(seed, Variable)

    def parts(e: Expression) -> tuple[Expression, Expression]:
        if e == seed:
            return ONE, ZERO
        if seed.name not in variables_of(e):
            return ZERO, e
        assert isinstance(e, Apply)
        holds = [seed.name in variables_of(argument) for argument in e.arguments]
        match e.operation:
            case "add" | "subtract":
                combine = add if e.operation == "add" else subtract
                (x, far_x), (y, far_y) = map(parts, e.arguments)
                return combine(x, y), combine(far_x, far_y)
            case "negate":
                return _each(parts(e.arguments[0]), negate)
            case "multiply" if not all(holds):
                factor = e.arguments[holds.index(False)]
                return _each(parts(e.arguments[holds.index(True)]), lambda x: multiply(factor, x))
            case "divide" if not holds[1]:
                return _each(parts(e.arguments[0]), lambda x: divide(x, e.arguments[1]))
            case "where" if not holds[0]:
                (x, far_x), (y, far_y) = map(parts, e.arguments[1:])
                condition = e.arguments[0]
                return _choice(condition, x, y), _choice(condition, far_x, far_y)
            case "sum" | "mean":
                own, cross = parts(e.arguments[0])
                chosen = at_unit(own, unit)
                if e.operation == "mean":
                    chosen = divide(chosen, UNIT_COUNT)
                return ZERO, add(chosen, ZERO if cross == ZERO else Apply(e.operation, (cross,)))
        raise NotLinearError(e.operation)

    return parts(product)


def _each(
    both: tuple[Expression, Expression], change: Callable[[Expression], Expression]
) -> tuple[Expression, Expression]:
    return change(both[0]), change(both[1])


def _choice(condition: Expression, x: Expression, y: Expression) -> Expression:
    return x if x == y else Apply("where", (condition, x, y))


def at_unit(e: Expression, unit: str) -> Expression:
    """Give the per-unit values outside of reductions the index of a unit."""
    if isinstance(e, Variable) and e.name in _BOUND:
        return Variable(f"{e.name}_{unit}")
    if not isinstance(e, Apply) or e.operation in REDUCTIONS:
        return e
    return Apply(e.operation, tuple(at_unit(part, unit) for part in e.arguments))


def bound(e: Expression, index: str = "") -> Expression:
    """Give the per-unit values inside reductions an index, to show them."""
    if index and isinstance(e, Variable) and e.name in _BOUND:
        return Variable(f"{e.name}_{index}")
    if not isinstance(e, Apply):
        return e
    if e.operation in REDUCTIONS:
        inner = inner_index(index)
        return reduction_over(inner, e.operation, bound(e.arguments[0], inner))
    return Apply(e.operation, tuple(bound(part, index) for part in e.arguments))


def at_same_unit(e: Expression, unit: str, same: str) -> Expression:
    """Let one unit's index be another's."""
    if isinstance(e, Variable) and e.name.endswith(f"_{unit}"):
        return Variable(e.name.removesuffix(unit) + same)
    if not isinstance(e, Apply):
        return e
    return Apply(e.operation, tuple(at_same_unit(part, unit, same) for part in e.arguments))


def jacobian_of(
    product: Expression, simplified: Callable[[Expression], Expression]
) -> Jacobian | None:
    """Return the Jacobian's entries from ∂J/∂z_j; None where it is not written linearly in g."""
    try:
        own, cross = (at_unit(part, "j") for part in entries(product))
    except NotLinearError:
        return None
    together = add(own, at_same_unit(cross, "p", "j"))
    plain = map(sums_joined, (together, cross))
    own, cross = (min(simplified(e), e, key=size) for e in plain)
    return Jacobian(own, cross)
