"""Layer-coupled forms checked against central differences in many digits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import pairwise
from typing import Any

import mpmath

from chainrule.derivations._evaluate import LayerProgram, Values, evaluate_layer
from chainrule.derivations._graph import computation_graph
from chainrule.derivations._scales import scales_of
from chainrule.derivations.layers._vector_jacobian import SEED, backward_graph
from chainrule.formulas import (
    Apply,
    Expression,
    Formula,
    is_layer_coupled,
    subexpressions,
    variables_of,
)

PLACES = (
    ("0.61", "-0.87", "1.34", "0.22"),
    ("0.31", "0.83", "0.52", "0.12"),
    ("-0.31", "-0.83", "-1.52", "-2.12"),
    ("-4.7", "5.3", "-2.4", "7.1"),
)
AWKWARD = (
    ("0", "1.3", "-0.4", "0"),
    ("0.7", "-0.7", "0.3", "-0.3"),
    ("0", "-0.7", "-1.3", "0"),
    ("0", "0.7", "1.3", "0"),
    ("0", "0", "0", "0"),
    ("0.5", "0.5", "0.5", "0.5"),
    ("-0.5", "-0.5", "-0.5", "-0.5"),
    ("7", "-7", "3", "-3"),
    ("0.06", "-0.02", "-0.03", "-0.01"),
)
SLOPES = ("0.4", "-1.3", "0.9", "0.7")
_HALVINGS = 60
_TIP = mpmath.mpf("1e-8")  # less than slopes on either side of one differ by
_TARGETS = (("0.5", "0.1", "0.125", "0.275"), ("1", "0", "0", "0"), ("-1", "1", "1.6", "-0.4"))


def proved(
    formula: Formula,
    product: Expression,
    seed: Expression | None = None,
    assumption: tuple[Expression, Expression] | None = None,
) -> bool:
    """Check a form against central differences of Σ g a in 50 digits; wrong ones are rejected.

    With a `seed` its values stand for g, for several targets: those that it has values for, and
    that satisfy the assumption.
    """
    parameters = dict(formula.parameters)
    checked = 0
    with mpmath.workdps(80):
        for places in PLACES:
            there = _outputs_and_slopes(formula, places)
            if there is None:
                continue
            z, a, slopes = there
            for targets in _TARGETS if seed is not None else (SLOPES,):
                y = [mpmath.mpf(x) for x in targets]
                known: Values = {**parameters, "z": z, "a": a, "y": y}
                if assumption is not None and not _holds(assumption, known):
                    continue
                g = y if seed is None else evaluate_layer(seed, known)
                if not all(mpmath.isfinite(x) for x in (*a, *g)):
                    continue
                got = evaluate_layer(product, {**known, SEED: g})
                wanted = (mpmath.fdot(g, row) for row in slopes)
                if not all(map(agree, got, wanted)):
                    return False
                checked += 1
    return checked > 0


@lru_cache(maxsize=64)
def _outputs_and_slopes(
    formula: Formula, places: tuple[str, ...]
) -> tuple[list[Any], list[Any], list[list[Any]]] | None:
    """Return a layer, its outputs and their differences, which are the same for every form.

    None where the outputs lack digits.
    """
    z = [mpmath.mpf(x) for x in places]
    a = evaluate_layer(formula.expression, {**dict(formula.parameters), "z": z})
    return (z, a, _slopes(formula, z)) if _is_exact(formula, z, a) else None


def _is_exact(formula: Formula, z: list[Any], a: list[Any]) -> bool:
    """Tell whether the outputs have most of their digits: where they cancel they have none."""
    with mpmath.workdps(5 * mpmath.mp.dps):
        exact = evaluate_layer(formula.expression, {**dict(formula.parameters), "z": z})
        pairs = [(x, y) for x, y in zip(a, exact, strict=True) if mpmath.isfinite(y)]
        return all(abs(x - y) <= mpmath.mpf(10) ** -60 * abs(y) for x, y in pairs)


def agree(value: Any, wanted: Any) -> bool:
    # A comparison with NaN is false: what cannot be checked is not proved.
    return bool(abs(value - wanted) < mpmath.mpf(10) ** -30 * (1 + abs(wanted)))


def _slopes(formula: Formula, z: list[Any]) -> list[list[Any]]:
    """Return ∂a_p/∂z_j by central differences, a row for each j."""
    step, outputs = mpmath.mpf(10) ** -25, LayerProgram(formula.expression)
    rows = []
    for j in range(len(z)):
        above, below = (
            outputs(
                {**dict(formula.parameters), "z": [x + s * (k == j) for k, x in enumerate(z)]},
            )
            for s in (step, -step)
        )
        rows.append([(x - y) / (2 * step) for x, y in zip(above, below, strict=True)])
    return rows


def _holds(assumption: tuple[Expression, Expression], known: Values) -> bool:
    left, right = (evaluate_layer(side, known)[0] for side in assumption)
    return bool(abs(left - right) < mpmath.mpf(10) ** -30)


def agrees_where_awkward(
    formula: Formula,
    product: Expression,
    chained: Expression,
    seed: Expression | None = None,
) -> bool:
    """Tell whether a form holds at zeros, at ties and where sums vanish, as the chain rule does.

    There the slopes at kinks are those that are taken, and a form that divides by what may
    vanish has no value although the derivative has one.
    """
    parameters = dict(formula.parameters)
    output, written = LayerProgram(formula.expression), LayerProgram(product)
    by_chain_rule = LayerProgram(chained)
    with mpmath.workdps(80):
        usual = (*AWKWARD, *_where_divisors_vanish(product, parameters))
        layers = [[mpmath.mpf(x) for x in places] for places in usual]
        for scale in scales_of(formula.expression, parameters):
            layers += [[scale * x for x in layer] for layer in layers[: len(AWKWARD)]]
        for z in layers:
            y = [mpmath.mpf(x) for x in _TARGETS[0]]
            a = output({**parameters, "z": z})
            known: Values = {**parameters, "z": z, "a": a, "y": y}
            slopes = [mpmath.mpf(x) for x in SLOPES]
            g = slopes if seed is None else evaluate_layer(seed, known)
            wanted = by_chain_rule({**known, SEED: g})
            if not all(mpmath.isfinite(x) for x in (*a, *g, *wanted)):
                continue
            got = written({**known, SEED: g})
            if not (all(map(agree, got, wanted)) or _is_at_a_tip(formula, z, got)):
                return False
    return True


def _is_at_a_tip(formula: Formula, z: list[Any], got: list[Any]) -> bool:
    """Tell whether a root that vanishes has no slope at a layer, so that any value may do.

    The output of that layer may be the one of a layer beside which all is smooth.
    """
    graph = computation_graph(formula.expression)
    plain = backward_graph(graph, selects=True, guards_roots=False)[0].expression()
    seeds = [mpmath.mpf(x) for x in SLOPES]
    known: Values = {**dict(formula.parameters), "z": z, SEED: seeds}
    if all(map(mpmath.isfinite, evaluate_layer(plain, known))):
        return False  # no root vanishes
    rises = (_one_sided(formula, z, j) for j in range(len(z)))
    return all(map(mpmath.isfinite, got)) and not all(
        abs(x - y) < _TIP for above, below in rises for x, y in zip(above, below, strict=True)
    )


def _one_sided(formula: Formula, z: list[Any], j: int) -> tuple[list[Any], list[Any]]:
    """Return ∂a_p/∂z_j for each p by a step up and by a step down."""
    parameters, step = dict(formula.parameters), mpmath.mpf(10) ** -25
    here = evaluate_layer(formula.expression, {**parameters, "z": z})

    def slopes(sign: int) -> list[Any]:
        moved = [x + sign * step * (k == j) for k, x in enumerate(z)]
        there = evaluate_layer(formula.expression, {**parameters, "z": moved})
        return [sign * (x - y) / step for x, y in zip(there, here, strict=True)]

    return slopes(1), slopes(-1)


def _where_divisors_vanish(
    form: Expression, parameters: Mapping[str, float]
) -> Iterator[tuple[Any, ...]]:
    """Yield layers of which two units are zeros of what is divided by: of ``z - 1``."""
    divisors = {
        factor
        for e in subexpressions(form)
        if isinstance(e, Apply) and e.operation == "divide"
        for factor in _factors(e.arguments[1])
    }
    for divisor in sorted(filter(_is_of_one_unit, divisors), key=str):

        def value(z: Any, divisor: Expression = divisor) -> Any:
            return evaluate_layer(divisor, {**parameters, "z": [z]})[0]

        known = [(z, value(z)) for z in (mpmath.mpf(k) / 4 for k in range(-24, 25))]
        for (low, below), (high, above) in pairwise(known):
            if not below * above <= 0 or above == 0:
                continue
            for _ in range(_HALVINGS if below else 0):
                middle = (low + high) / 2
                low, high = (middle, high) if value(middle) * below > 0 else (low, middle)
            root = high if below else low
            if value(root) == 0:  # else no number of the machine is one
                yield root, *AWKWARD[0][1:3], root
                yield root, root + 1, root + 2, root  # to have values above a least place


def _factors(e: Expression) -> Iterator[Expression]:
    match e:
        case Apply("multiply", factors):
            for factor in factors:
                yield from _factors(factor)
        case Apply("power", (base, _)):
            yield from _factors(base)
        case _:
            yield e


def _is_of_one_unit(e: Expression) -> bool:
    return variables_of(e) == {"z"} and not is_layer_coupled(e)


def same_values(formula: Formula, form: Expression, wanted: Expression) -> bool:
    """Tell whether a form in `a` and `z` is another in `z`, wherever that has a value."""
    parameters = dict(formula.parameters)
    checked = 0
    with mpmath.workdps(80):
        for places in (*PLACES, *AWKWARD):
            z = [mpmath.mpf(x) for x in places]
            a = evaluate_layer(formula.expression, {**parameters, "z": z})
            known = {**parameters, "z": z, "a": a}
            values = evaluate_layer(wanted, known)
            if not all(mpmath.isfinite(x) for x in (*a, *values)):
                continue
            if not all(map(agree, evaluate_layer(form, known), values)):
                return False
            checked += 1
    return checked > 0
