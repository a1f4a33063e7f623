"""Second derivatives of layer-coupled functions: ∂²a_p/∂z_j∂z_q by which units are the same.

The vector–Jacobian product differentiated once more, along a direction v, is the Hessian–vector
product of Σ g a; it is linear in g and in v. With g = 1 at unit p and v = 1 at unit q, and 0
elsewhere, it is the entry ∂²a_p/∂z_j∂z_q.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import mpmath
import sympy

from chainrule.derivations._evaluate import evaluate_layer
from chainrule.derivations._graph import Graph
from chainrule.derivations.algebra._arithmetic import ONE, ZERO, add, rebuilt, size, total
from chainrule.derivations.algebra._sympy import FAILURES
from chainrule.derivations.layers._check import AWKWARD, PLACES, SLOPES, agree
from chainrule.derivations.layers._closed_form import length, ways, writings
from chainrule.derivations.layers._jacobian import (
    NotLinearError,
    at_same_unit,
    at_unit,
    bound,
    entries,
)
from chainrule.derivations.layers._sum_algebra import SumAlgebra
from chainrule.derivations.layers._vector_jacobian import DIRECTION, SEED, backward_graph
from chainrule.derivations.limits_in_time._remembered import remembered
from chainrule.derivations.limits_in_time._time_limit import time_limit
from chainrule.documents import Document, Documented, Equation, Section, partial_twice, symbol
from chainrule.formulas import (
    REDUCTIONS,
    Apply,
    Constant,
    Expression,
    Formula,
    Variable,
    substitute,
)

_SECONDS = 1.1
_SHORT = 140  # parts of all entries, which need no further search
_SWOLLEN = 4  # times as long as the best: cut here, where work would be cut by its time elsewhere
_LARGEST = 4000  # parts of the chain rule's own form, beyond which nothing is tried
_DIGITS = 100
_STEP = mpmath.mpf(10) ** -25
_DIRECTION_VALUES = ("1.1", "0.6", "-0.8", "0.3")
CASES = ("", "for q ≠ j", "for p ≠ j", "for p, j and q all different")
_UNITS = ((0, 0, 0), (1, 1, 2), (2, 0, 0), (2, 0, 1))  # p, j and q of every case, for checks


@dataclass(frozen=True)
class Hessian(Documented):
    """The second derivatives of a layer-coupled function, away from its kinks.

    Parameters
    ----------
    own : Expression
        ∂²a_j/∂z_j², in ``z_j``, ``a_j`` and what the layer shares: in a reduction `z` and `a` run
        over the units.
    mixed : Expression
        ∂²a_j/∂z_j∂z_q for q ≠ j, in ``z_q`` and ``a_q`` besides.
    other : Expression
        ∂²a_p/∂z_j² for p ≠ j, in ``z_p`` and ``a_p`` besides.
    apart : Expression
        ∂²a_p/∂z_j∂z_q for three different units.
    product : Expression
        The Hessian–vector product Σ_q ∂²(Σ_p g_p a_p)/∂z_j∂z_q v_q.

    Examples
    --------
    >>> from chainrule.derivations import derive
    >>> from chainrule.formulas import parse, to_text
    >>> hessian = derive(parse("exp(z)/sum(exp(z))")).hessian
    >>> to_text(hessian.mixed), to_text(hessian.apart)
    ('a_j*a_q*(2*a_j - 1)', '2*a_j*a_p*a_q')
    """

    own: Expression
    mixed: Expression
    other: Expression
    apart: Expression
    product: Expression
    title: str = "Second derivatives"

    @property
    def entries(self) -> tuple[Expression, Expression, Expression, Expression]:
        """The entries in the order in which they are described."""
        return self.own, self.mixed, self.other, self.apart

    @property
    def equations(self) -> tuple[Equation, ...]:
        """An equation for every case."""
        z_j, z_q = symbol("z_j"), symbol("z_q")
        lefts = (
            partial_twice(symbol("a_j"), z_j),
            partial_twice(symbol("a_j"), z_j, z_q),
            partial_twice(symbol("a_p"), z_j),
            partial_twice(symbol("a_p"), z_j, z_q),
        )
        return tuple(
            Equation((left, bound(entry)), case)
            for left, entry, case in zip(lefts, self.entries, CASES, strict=True)
        )

    @property
    def document(self) -> Document:
        """The entries as a document."""
        section = Section("Second derivatives of one example", (), self.equations)
        return Document(self.title, (section,))


@remembered
def hessian_of(
    formula: Formula, graph: Graph, simplified: Callable[[Expression], Expression]
) -> Hessian | None:
    """Return the second derivatives of a layer-coupled formula, checked in many digits.

    Parameters
    ----------
    formula : Formula
        Layer-coupled.
    graph : Graph
        Its computation graph.
    simplified : callable
        What shortens an entry.

    Returns
    -------
    Hessian or None
        None where the form is too long, or cannot be checked.
    """
    bent = _bent(graph)
    if _written_size(bent) > _LARGEST:
        return None
    product = rebuilt(bent.expression())
    try:
        best = _by_cases(product)
        with time_limit(_SECONDS):
            if not _equals_differences(formula, best):
                return None
    except (NotLinearError, *FAILURES):
        return None
    try:
        with time_limit(_SECONDS):
            truth = _values_of(formula, best)
            algebra = SumAlgebra(bent, dict(formula.parameters))
            for e in _with_output(algebra, bent.output, graph.output):
                if sympy.count_ops(e) > _SWOLLEN * size(best.product):
                    continue
                e = sympy.cancel(sympy.together(sympy.expand(e)))
                expanded = sympy.expand(e)
                if sympy.count_ops(expanded) > _SWOLLEN * size(best.product):
                    continue
                found = _by_cases(algebra.to_expression(expanded))
                if _is_swollen(found, best):
                    continue
                found = _shortened(found, simplified)
                if _score(found) >= _score(best) or not truth.holds(found):
                    continue
                best = found
                written = map(algebra.to_expression, writings(e, algebra))
                products = sorted((found.product, *written), key=size)
                ways_to_write = (replace(found, product=way) for way in products)
                best = next(filter(truth.holds, ways_to_write))
                if _score(best)[1] <= _SHORT:
                    break
    except (NotLinearError, *FAILURES):
        return best
    return best


def _bent(graph: Graph) -> Graph:
    """Return the graph of the Hessian–vector product: two vector–Jacobian products."""
    return backward_graph(backward_graph(graph)[0], seed=DIRECTION)[0]


def _written_size(graph: Graph) -> int:
    """Return how many parts the output has when it is written out, without writing it."""
    sizes: list[int] = []
    for node in graph.nodes:
        sizes.append(1 + sum(sizes[k] for k in node.arguments))
    return sizes[graph.output]


def _with_output(algebra: SumAlgebra, bent: int, last: int) -> Iterator[Any]:
    """Yield the Hessian–vector product with the output in it, in several ways."""
    algebra.name_reductions(last)
    a = algebra.translation.symbol(Variable("a"))
    output, plain = algebra.value(last), algebra.value(bent)
    for e, rules in ways(output, plain, algebra, last, a):
        for atom, known in rules:
            e = e.subs(atom, known)
        yield e


def _is_swollen(found: Hessian, best: Hessian) -> bool:
    """Tell whether entries are so much longer that no simplification makes up for it."""
    (needs_z, parts), (needed_z, fewest) = _score(found), _score(best)
    return needs_z >= needed_z and parts > _SWOLLEN * fewest


def _by_cases(product: Expression) -> Hessian:
    """Read the entries off a Hessian–vector product by its linearity in g and in v."""
    at_p = Variable(f"{DIRECTION.name}_p")
    own, cross = entries(product, SEED, "p")
    both, own_far = entries(own, DIRECTION, "q")
    given = _put(cross, {at_p: ONE, DIRECTION: ZERO})
    rest, apart = entries(_put(cross, {at_p: ZERO}), DIRECTION, "q")
    both, own_far, given, rest, apart = (
        at_unit(part, "j") for part in (both, own_far, given, rest, apart)
    )

    def same(e: Expression, *units: str) -> Expression:
        for unit in units:
            e = at_same_unit(e, unit, "j")
        return e

    return Hessian(
        total((both, same(own_far, "q"), same(given, "p"), same(rest, "p"), same(apart, "p", "q"))),
        add(own_far, same(apart, "p")),
        add(rest, same(apart, "q")),
        apart,
        product,
    )


def _put(e: Expression, values: dict[Variable, Expression]) -> Expression:
    """Put numbers for seeds, in sums too; what vanishes is left out."""

    def vanishing(part: Expression) -> Expression | None:
        if isinstance(part, Apply) and part.operation in (*REDUCTIONS, "where"):
            inner = [_put(argument, values) for argument in part.arguments]
            if all(x == ZERO for x in inner[-2:]):
                return ZERO
            return Apply(part.operation, tuple(inner))
        return values.get(part) if isinstance(part, Variable) else None

    return rebuilt(substitute(e, vanishing))


def _shortened(hessian: Hessian, simplified: Callable[[Expression], Expression]) -> Hessian:
    own, mixed, other, apart = (_without_powers_of_steps(simplified(e)) for e in hessian.entries)
    return Hessian(own, mixed, other, apart, hessian.product)


def _without_powers_of_steps(e: Expression) -> Expression:
    """``I(x > y)**2 -> I(x > y)``."""

    def alone(part: Expression) -> Expression | None:
        match part:
            case Apply("power", (Apply("indicator") as step, Constant())):
                return step
        return None

    return substitute(e, alone)


def _score(hessian: Hessian) -> tuple[bool, int]:
    """Return what forms are ordered by: those without pre-activations come first."""
    found = [length(_without_units(e)) for e in hessian.entries]
    return any(x for x, _ in found), sum(x for _, x in found)


def _without_units(e: Expression) -> Expression:
    names: dict[Expression, Expression] = {
        Variable(f"{name}_{unit}"): Variable(name) for name in "za" for unit in "jpq"
    }
    return substitute(e, names.get)


def entry_values(
    hessian: Hessian, values: dict[str, Any], units: tuple[tuple[int, int, int], ...] = _UNITS
) -> list[Any]:
    """Return the entry of every case at units p, j and q, in mpmath's current precision."""
    found = []
    for entry, (p, j, q) in zip(hessian.entries, units, strict=True):
        own = {
            f"{name}_{unit}": values[name][index]
            for name in "za"
            for unit, index in (("p", p), ("j", j), ("q", q))
        }
        found.append(evaluate_layer(entry, {**values, **own})[0])
    return found


def _equals_differences(formula: Formula, hessian: Hessian) -> bool:
    """Compare the entries with differences of second order at places without kinks."""
    checked = 0
    with mpmath.workdps(_DIGITS):
        for places in PLACES[:2]:
            known = _layer(formula, places)
            if not all(map(mpmath.isfinite, known["a"])):
                continue
            got = entry_values(hessian, known)
            for value, (p, j, q) in zip(got, _UNITS, strict=True):
                if not agree(value, _difference(formula, known["z"], p, j, q)):
                    return False
            checked += 1
    return checked > 0


def _layer(formula: Formula, places: tuple[str, ...]) -> dict[str, Any]:
    known = {**dict(formula.parameters), "z": [mpmath.mpf(x) for x in places]}
    return {**known, "a": evaluate_layer(formula.expression, known)}


def _difference(formula: Formula, z: list[Any], p: int, j: int, q: int) -> Any:
    def moved(by_j: int, by_q: int) -> Any:
        units = list(z)
        units[j] += by_j * _STEP
        units[q] += by_q * _STEP
        values = {**dict(formula.parameters), "z": units}
        return evaluate_layer(formula.expression, values)[p]

    corners = moved(1, 1) - moved(1, -1) - moved(-1, 1) + moved(-1, -1)
    return corners / (4 * _STEP**2)


@dataclass(frozen=True)
class _Values:
    """What a Hessian is at some places, zeros and ties among them: other forms must agree."""

    known: tuple[dict[str, Any], ...]
    wanted: tuple[list[Any], ...]

    def holds(self, hessian: Hessian) -> bool:
        """Tell whether a form has these values, wherever they are finite."""
        with mpmath.workdps(_DIGITS):
            return all(
                agree(got, true)
                for known, wanted in zip(self.known, self.wanted, strict=True)
                for got, true in zip(_all_values(hessian, known), wanted, strict=True)
                if mpmath.isfinite(true)
            )


def _values_of(formula: Formula, hessian: Hessian) -> _Values:
    with mpmath.workdps(_DIGITS):
        directions = {
            SEED: [mpmath.mpf(x) for x in SLOPES],
            DIRECTION: [mpmath.mpf(x) for x in _DIRECTION_VALUES],
        }
        known = tuple(
            {**_layer(formula, places), **directions} for places in (*PLACES[:2], *AWKWARD)
        )
        return _Values(known, tuple(_all_values(hessian, k) for k in known))


def _all_values(hessian: Hessian, known: dict[str, Any]) -> list[Any]:
    return [*entry_values(hessian, known), *evaluate_layer(hessian.product, known)]
