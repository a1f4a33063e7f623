"""A layer-coupled formula as a composition, and its backward pass stage by stage.

A per-unit value through which all ways from ``z`` to the output lead cuts a formula in two. The
softmax of a normalised layer is the normalisation and the softmax: each has its own short form,
and ∂J/∂z follows from one and then the other.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise

from chainrule.derivations._chain_rule import chain_rule
from chainrule.derivations._graph import Graph, computation_graph
from chainrule.derivations.algebra._arithmetic import ZERO, multiply, negate, rebuilt, size
from chainrule.derivations.layers._check import agrees_where_awkward, proved
from chainrule.derivations.layers._closed_form import (
    PART_SECONDS,
    STAGE_SECONDS,
    closed_form,
    length,
)
from chainrule.derivations.layers._vector_jacobian import SEED, backward_graph
from chainrule.derivations.limits_in_time._remembered import remembered
from chainrule.derivations.output_forms._output_form import OutputForm, output_form
from chainrule.derivations.output_forms.layer_forms._moved_layers import MovedLayer, moved_layer
from chainrule.derivations.pieces._branches import shared_choice
from chainrule.derivations.pieces._filled_layers import continued_branch
from chainrule.derivations.pieces._pieces import TooManyPiecesError, smooth_pieces
from chainrule.formulas import (
    COMPARISONS,
    Apply,
    Expression,
    Formula,
    Variable,
    is_layer_coupled,
    parameters_of,
    substitute,
    variables_of,
)

_A, _Z = Variable("a"), Variable("z")
_SHORT = 30  # parts: a form as short as this is not looked at in stages
_A_CUT = 6  # by how many parts every stage more must shorten the others
_MOST_CUTS = 5


@dataclass(frozen=True)
class Stage:
    """One of the functions of which a formula is composed.

    Parameters
    ----------
    definition : Expression
        Its output, with `z` for its input.
    product : Expression
        ∂J/∂(its input), with `g` for ∂J/∂(its output), `a` for its output and `z` for its input.
    """

    definition: Expression
    product: Expression


@remembered
def composed_form(formula: Formula) -> tuple[Expression | None, tuple[Stage, ...]]:
    """Return ∂J/∂z of a layer-coupled formula, and the stages where it is clearer in stages.

    Parameters
    ----------
    formula : Formula

    Returns
    -------
    product : Expression or None
        As by `closed_form`; the stages put into one another where there are any.
    stages : tuple of Stage
        From the pre-activation to the output; empty where one formula says it all.

    Examples
    --------
    >>> from chainrule.formulas import parse, to_text
    >>> _, stages = composed_form(parse("1/(1 + exp(-(z - mean(z))))"))
    >>> [to_text(stage.product) for stage in stages]
    ['g - mean(g)', 'g*a*(1 - a)']
    """
    moved = moved_layer(formula.expression)
    if moved is not None:
        product, stages = composed_form(replace(formula, expression=moved.layer))
        whole = None if product is None else moved.product(product)
        return whole, _moved(stages, moved)
    product, stages = _composed_form(formula)
    chosen = _of_branches(formula)
    if chosen is not None and (product is None or length(chosen) < length(product)):
        return chosen, ()
    if product is None or "z" in variables_of(product):
        seconds = PART_SECONDS if stages else STAGE_SECONDS
        divided = closed_form(formula, seconds=seconds, divides=True)
        if divided is not None and "z" not in variables_of(divided):
            return divided, stages
    return product, stages


def _moved(stages: tuple[Stage, ...], moved: MovedLayer) -> tuple[Stage, ...]:
    """Return stages of which the last gives out the layer that is moved."""
    if not stages:
        return ()
    *first, last = stages
    return (*first, Stage(moved.moved(last.definition), moved.product(last.product)))


def _of_branches(formula: Formula) -> Expression | None:
    """Return the products of two layers between which something that units share decides."""
    choice = shared_choice(formula.expression)
    if choice is None:
        return None
    condition, *branches = choice
    continued = continued_branch(formula.expression)
    products = []
    for branch in branches if continued is None else (continued,):
        part = replace(formula, expression=branch)
        stage = None if "z" not in variables_of(branch) else _stage(part, is_first=True)
        if stage is None and "z" in variables_of(branch):
            return None
        products.append(ZERO if stage is None else stage.product)
    return products[0] if continued is not None else Apply("where", (condition, *products))


def _composed_form(formula: Formula) -> tuple[Expression | None, tuple[Stage, ...]]:
    graph = computation_graph(formula.expression)
    cuts = _cuts(graph)
    if len(cuts) == 2:
        return closed_form(formula), ()
    whole = closed_form(formula, seconds=PART_SECONDS)
    if whole is not None and _score(whole) <= _SHORT:
        return whole, ()
    values = dict(formula.parameters)

    @cache
    def direct(first: int, last: int) -> Stage | None:
        if (first, last) == (0, len(cuts) - 1):
            return None if whole is None else Stage(formula.expression, whole)
        definition = _between(graph, cuts[first], cuts[last])
        names = parameters_of(definition)
        part = Formula(definition, tuple((name, values[name]) for name in names))
        seconds = STAGE_SECONDS if last == first + 1 else PART_SECONDS
        return _stage(part, is_first=first == 0, seconds=seconds)

    @cache
    def best(first: int, last: int) -> tuple[Stage, ...] | None:
        alone = direct(first, last)
        ways: list[tuple[Stage, ...]] = [] if alone is None else [(alone,)]
        if alone is None or _score(alone.product) > _SHORT:
            for cut in range(first + 1, last):
                before, after = best(first, cut), best(cut, last)
                if before is not None and after is not None:
                    ways.append((*before, *after))
        return min(ways, key=_total_score, default=None)

    stages = best(0, len(cuts) - 1)
    if stages is None or len(stages) == 1:
        return whole, ()
    product = inlined(stages)
    chained = backward_graph(graph, selects=True)[0].expression()
    if not (proved(formula, product) and agrees_where_awkward(formula, product, chained)):
        return whole, ()
    return (product if whole is None or length(product) < length(whole) else whole), stages


def inlined(stages: tuple[Stage, ...]) -> Expression:
    """Return ∂J/∂z of a composition in `z`, in `g` and in the output `a` of the last stage."""
    inputs: list[Expression] = [_Z]
    for stage in stages:
        inputs.append(_put(stage.definition, {_Z: inputs[-1]}))
    received: Expression = SEED
    for k in range(len(stages) - 1, -1, -1):
        output = _A if k == len(stages) - 1 else inputs[k + 1]
        received = _put(stages[k].product, {SEED: received, _A: output, _Z: inputs[k]})
    return received


def _put(e: Expression, values: dict[Expression, Expression]) -> Expression:
    return substitute(e, values.get)


def _score(product: Expression) -> int:
    return length(product)[1]


def _total_score(stages: Iterable[Stage]) -> int:
    return sum(_score(stage.product) + _A_CUT for stage in stages)


def _cuts(graph: Graph) -> list[int]:
    """Return the per-unit nodes through which all ways from the input lead, a few at most.

    Of a run of element-wise operations the ends are kept.
    """
    reached = graph.reached()
    start = next(k for k in reached if graph.nodes[k].operation == "input")
    through = [
        k
        for k in reached
        if graph.nodes[k].per_unit
        and graph.nodes[k].operation not in COMPARISONS
        and k >= start
        and not _reaches_around(graph, k, start)
    ]
    coupled = [is_layer_coupled(_between(graph, low, high)) for low, high in pairwise(through)]
    ends = [
        k
        for position, k in enumerate(through)
        if position in (0, len(through) - 1) or coupled[position - 1] or coupled[position]
    ]
    inner = ends[1:-1]
    return [ends[0], *inner[-_MOST_CUTS:], ends[-1]]


def _reaches_around(graph: Graph, node: int, start: int) -> bool:
    """Tell whether the output depends on the input when a node is held."""
    if node in (start, graph.output):
        return False
    changes = {start}
    for k in graph.reached():
        if k != node and any(argument in changes for argument in graph.nodes[k].arguments):
            changes.add(k)
    return graph.output in changes


def _between(graph: Graph, low: int, high: int) -> Expression:
    """Return a node written in an earlier one, which is called z."""
    names: dict[int, Expression] = {low: _Z}
    return rebuilt(graph.definition(high, names)) if high != low else _Z


def _stage(formula: Formula, *, is_first: bool, seconds: float = STAGE_SECONDS) -> Stage | None:
    if formula.is_layer_coupled:
        product = closed_form(formula, seconds=seconds)
        return None if product is None else Stage(formula.expression, product)
    slope = chain_rule(computation_graph(formula.expression))[-1].in_variables
    through = None if is_first else _slope_in_output(formula)
    if through is not None and size(through) <= size(slope) + _A_CUT:
        slope = through
    return Stage(formula.expression, rebuilt(_times_each(SEED, slope)))


def _times_each(x: Expression, y: Expression) -> Expression:
    """``x*(y1*y2) -> x*y1*y2``."""
    if isinstance(y, Apply) and y.operation == "multiply":
        return multiply(_times_each(x, y.arguments[0]), y.arguments[1])
    if isinstance(y, Apply) and y.operation == "negate":
        return negate(_times_each(x, y.arguments[0]))
    return multiply(x, y)


def _slope_in_output(formula: Formula) -> Expression | None:
    """Return the slope of a smooth function in its output, or in its output and input."""
    try:
        pieces = smooth_pieces(formula).pieces
    except TooManyPiecesError:
        return None
    if len(pieces) != 1:
        return None
    form = output_form(pieces[0], dict(formula.parameters), float("-inf"), float("inf"))
    if isinstance(form, OutputForm):
        return form.derivative
    mixed = form.through_preactivation
    return mixed.derivative if mixed is not None else None
