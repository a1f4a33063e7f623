"""Choices that differ from one of their branches at single places alone, where they continue it.

``where(z == 1, z, z**3)`` is ``z**3``, also at 1: there its slope is 3, not that of ``z``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

import mpmath

from chainrule.derivations._chain_rule import derivative_in_variables
from chainrule.derivations._evaluate import evaluate
from chainrule.derivations._graph import Graph
from chainrule.derivations.algebra._arithmetic import ZERO
from chainrule.derivations.limits_in_time._remembered import remembered
from chainrule.derivations.pieces._branches import difference_of
from chainrule.derivations.pieces._crossings import TooManyCrossingsError, crossings_of
from chainrule.derivations.pieces._one_sided import one_sided
from chainrule.derivations.pieces._pieces import place_between
from chainrule.formulas import (
    Apply,
    Constant,
    Expression,
    constant,
    is_layer_coupled,
    parameters_of,
    variables_of,
)

_DIGITS = 60
_PLACES = ("-7.3", "-2.1", "-0.37", "0.41", "1.9", "6.7")
_BESIDE = mpmath.mpf(10) ** -20
_ALIKE = mpmath.mpf(10) ** -15
_LARGEST_DENOMINATOR, _NEGLIGIBLE = 1000, Fraction(1, 10**40)
_NO_VALUES: Mapping[str, Any] = {}


@dataclass(frozen=True)
class FilledChoice:
    """A choice that is one of its branches but at single places, and has the slope of that there.

    Parameters
    ----------
    position : int
        Which argument of the choice that branch is.
    slope : Expression or None
        The limit of its slope at the places, at which it has no value itself; else None.
    """

    position: int
    slope: Expression | None = None


def filled_choices(graph: Graph) -> dict[int, FilledChoice]:
    """Return for choices that continue one of their branches which that is."""
    chosen = (k for k in graph.reached() if graph.nodes[k].operation == "where")
    found = {k: _filled(e) for k in chosen if _is_of_one_unit(e := graph.expression(k))}
    return {k: choice for k, choice in found.items() if choice is not None}


def _is_of_one_unit(e: Expression) -> bool:
    return variables_of(e) == {"z"} and not is_layer_coupled(e) and not parameters_of(e)


@remembered
def _filled(choice: Expression) -> FilledChoice | None:
    """Return how a choice in `z` continues one of its branches at single places, if it does."""
    assert isinstance(choice, Apply)
    condition, *branches = choice.arguments
    with mpmath.workdps(_DIGITS):
        sides = {_holds(condition, mpmath.mpf(z)) for z in _PLACES}
        if len(sides) != 1:
            return None
        try:
            crossings, _ = crossings_of(with_same_zeros(difference_of(choice)), _NO_VALUES)
        except TooManyCrossingsError:
            return None
        position = 1 if sides.pop() else 2
        places = [place for _, place in crossings]
        edges = [-mpmath.inf, *places, mpmath.inf]
        stretches = [place_between(*edge) for edge in pairwise(edges)]
        is_single = all(_holds(condition, z) == (position == 1) for z in stretches)
        singled = [z for z in places if _holds(condition, z) != (position == 1)]
        if not singled or not is_single:
            return None
        rest, own = branches[position - 1], branches[2 - position]
        if all(_continues(own, rest, z) for z in singled):
            return FilledChoice(position)
        limits = {_limit_of_slope(own, rest, z) for z in singled}
    limit = limits.pop()
    return None if limits or limit is None else FilledChoice(position, limit)


def _limit_of_slope(own: Expression, rest: Expression, place: Any) -> Expression | None:
    """Return the slope that an expression tends to at a place at which it has no value itself.

    None unless it tends there from both sides to the value of another one.
    """
    if mpmath.isfinite(evaluate(rest, {"z": place})):
        return None
    value, slope = evaluate(own, {"z": place}), derivative_in_variables(rest)
    ends = [one_sided(rest, {}, place, side) for side in (-1, 1)]
    slopes = [one_sided(slope, {}, place, side) for side in (-1, 1)]
    if not all(abs(x - value) < _ALIKE * (1 + abs(value)) for x in ends):
        return None
    low, high = slopes
    return constant(_as_fraction(low)) if abs(low - high) < _ALIKE * (1 + abs(low)) else None


def _as_fraction(value: Any) -> Fraction:
    """Return a short fraction that is a number to many digits, else the number as it is."""
    exact = Fraction(*map(int, mpmath.libmp.to_rational(value._mpf_)))
    short = exact.limit_denominator(_LARGEST_DENOMINATOR)
    return short if abs(short - exact) < _NEGLIGIBLE else exact


def _holds(condition: Expression, z: Any) -> bool:
    return bool(evaluate(condition, {"z": z}))


def with_same_zeros(e: Expression) -> Expression:
    """Return what is 0 at the same places, and changes its sign there: ``z - 1`` for its size."""
    match e:
        case Apply("subtract", (x, y)) if ZERO in (x, y):
            return with_same_zeros(y if x == ZERO else x)
        case Apply("abs" | "sqrt" | "negate", (x,)):
            return with_same_zeros(x)
        case Apply("power", (x, Constant(exponent))) if exponent > 0:
            return with_same_zeros(x)
    return e


def _continues(own: Expression, rest: Expression, place: Any) -> bool:
    """Tell whether two expressions are alike at a place at which the second one is smooth."""
    value, wanted = (evaluate(e, {"z": place}) for e in (own, rest))
    slope = derivative_in_variables(rest)
    slopes = [evaluate(slope, {"z": place + k * _BESIDE}) for k in (-1, 0, 1)]
    return bool(abs(value - wanted) < _ALIKE) and all(
        abs(x - slopes[1]) < _ALIKE * (1 + abs(slopes[1])) for x in slopes
    )
