"""Choices of a formula that is not cut into pieces, brought to the outside.

So every branch is a smooth expression, which is written in its own stable form: that of
``where(sin(z) > 0, log(1 + exp(z)), z)`` does not overflow where its graph would.
"""

from __future__ import annotations

from dataclasses import dataclass

from chainrule.derivations import innermost_branching, rebuilt
from chainrule.formulas import Apply, Expression, constant, substitute, variables_of

_MOST = 9  # expressions between which is chosen
_ZERO = constant(0)


@dataclass(frozen=True)
class Choice:
    """What holds where a comparison of two smooth expressions does, and what holds elsewhere.

    Without either there is no value.
    """

    comparison: Apply
    yes: Branches
    no: Branches | None


Branches = Expression | Choice


def branches_of(e: Expression) -> Choice | None:
    """Return an expression as a choice, or None where there is none or there are too many.

    Examples
    --------
    >>> from chainrule.formulas import parse, to_text
    >>> choice = branches_of(parse("1 + max(sin(z), z)").expression)
    >>> to_text(choice.comparison), to_text(choice.yes), to_text(choice.no.yes)
    ('sin(z) >= z', '1 + sin(z)', '1 + z')
    """
    counted = 0

    def branches(part: Expression) -> Branches | None:
        nonlocal counted
        branching = innermost_branching(part)
        if branching is None:
            counted += 1
            return part
        result: Branches | None = None
        for comparison, branch in reversed(_cases(branching)):
            if counted > _MOST:
                return None
            chosen = branches(rebuilt(_replaced(part, branching, branch)))
            if comparison is None or chosen is None:
                result = chosen
            else:
                result = Choice(comparison, chosen, result)
        return result

    found = branches(e)
    return found if isinstance(found, Choice) and counted <= _MOST else None


def _replaced(e: Expression, old: Expression, new: Expression) -> Expression:
    return substitute(e, lambda part: new if part == old else None)


def _cases(branching: Apply) -> list[tuple[Apply | None, Expression]]:
    """Return the branches of a choice, each with the comparison by which it is taken."""
    x, *others = branching.arguments
    if branching.operation == "where":
        assert isinstance(x, Apply)
        return [(x, others[0]), (None, others[1])]
    if branching.operation in ("maximum", "minimum"):
        (y,) = others
        # At a tie the slope is that of a number, else of what comes first.
        ties = ("_equal", "") if variables_of(y) else ("", "_equal")
        sides = ("greater", "less") if branching.operation == "maximum" else ("less", "greater")
        return [
            (Apply(side + tie, (x, y)), branch)
            for side, tie, branch in zip(sides, ties, (x, y), strict=True)
        ]
    values = (
        (x, Apply("negate", (x,))) if branching.operation == "abs" else (constant(1), constant(-1))
    )
    return [
        (Apply(comparison, (x, _ZERO)), branch)
        for comparison, branch in zip(("greater", "less", "equal"), (*values, _ZERO), strict=True)
    ]
