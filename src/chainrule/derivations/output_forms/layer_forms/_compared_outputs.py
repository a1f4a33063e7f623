"""Products that compare the output where they compare `z`: to be checked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from chainrule.derivations.algebra._arithmetic import negate
from chainrule.derivations.output_forms._layers import exchanged
from chainrule.formulas import (
    COMPARISONS,
    Apply,
    Expression,
    Variable,
    constant,
    substitute,
    variables_of,
)

_A, _Z = Variable("a"), Variable("z")
_SIZE = Apply("abs", (_A,))
_IS_EXTREME = (
    *(Apply("equal", (_Z, Apply(extreme, (_Z,)))) for extreme in ("max", "min")),
    Apply("equal", (Apply("abs", (_Z,)), Apply("max", (Apply("abs", (_Z,)),)))),
)
_OPPOSITE = {"max": "min", "min": "max"}


def with_conditions(products: Sequence[Expression]) -> Iterator[Expression]:
    """Yield products, then those that compare the output where they compare `z`, or it with 0."""
    yield from products

    def compared(
        e: Expression, operation: str, extremes: bool, own: Expression = _A
    ) -> Expression | None:
        if isinstance(e, Apply) and "z" in variables_of(e):
            if extremes and e in _IS_EXTREME:
                return exchanged(e, _Z, _A)
            if e.operation in COMPARISONS:
                return Apply(operation, (own, constant(0)))
            if e.operation == "sign":
                return Apply("sign", (_A,))
        return None

    def of_outputs(e: Expression) -> Expression | None:
        if isinstance(e, Apply) and e.operation in (*COMPARISONS, "sign"):
            return exchanged(e, _Z, _A)
        return None

    def at_bounds(e: Expression) -> Expression | None:
        if isinstance(e, Apply) and e.operation in COMPARISONS:
            sides = tuple(_A if "z" in variables_of(x) else x for x in e.arguments)
            return Apply(e.operation, sides) if sides != (_A, _A) else None
        return None

    def falling(e: Expression) -> Expression | None:
        match e:
            case Apply("equal", (x, Apply("max" | "min" as extreme, (y,)))) if x == y == _Z:
                return Apply("equal", (_A, Apply(_OPPOSITE[extreme], (_A,))))
            case Apply("sign", (x,)) if "z" in variables_of(x):
                return negate(Apply("sign", (_A,)))
        return None

    def of_own_outputs(e: Expression) -> Expression | None:
        if isinstance(e, Apply) and e.operation in COMPARISONS and _Z in e.arguments:
            return Apply(e.operation, tuple(_A if x == _Z else x for x in e.arguments))
        return None

    for product in products:
        ways: list[Callable[[Expression], Expression | None]] = [
            of_outputs,
            of_own_outputs,
            at_bounds,
            falling,
        ]
        ways += [
            partial(compared, operation=operation, extremes=extremes)
            for extremes in (False, True)
            for operation in ("greater", "less")
        ]
        ways.append(partial(compared, operation="greater", extremes=True, own=_SIZE))
        for way in ways:
            written = substitute(product, way)
            if written != product:
                yield written


def with_plain_comparisons(form: Expression) -> Iterator[Expression]:
    """Yield a form that compares outputs, or their sizes, for what may rise and fall with them.

    ``tanh(a) == max(tanh(a)) -> a == max(a)``.
    """
    for plain in (_A, _SIZE):

        def compared(e: Expression, plain: Expression = plain) -> Expression | None:
            match e:
                case Apply("equal", (x, Apply("max" | "min" as extreme, (y,)))) if x == y != _A:
                    return Apply("equal", (plain, Apply(extreme, (plain,))))
                case Apply("sign", _):
                    return Apply("sign", (_A,))
            return None

        written = substitute(form, compared)
        if written != form:
            yield written
