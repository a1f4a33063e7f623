"""Forms of layer-coupled functions through the output alone, where the closed form asks for `z`.

Either the output tells what the layer shares, which is put in; or a layer that is made of the
output alone has the same derivative as the one that gave it: ``a = z - max(z)`` is such a layer
itself, since a common shift changes no derivative.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import product as product_of

from chainrule.derivations._graph import computation_graph
from chainrule.derivations.algebra._arithmetic import add, multiply, rebuilt, size, subtract
from chainrule.derivations.algebra._choices import with_choices, with_guards, without_guards
from chainrule.derivations.algebra._sympy import attempt
from chainrule.derivations.layers._boundaries import is_choice
from chainrule.derivations.layers._check import agrees_where_awkward, proved
from chainrule.derivations.layers._closed_form import PART_SECONDS, STAGE_SECONDS, closed_form
from chainrule.derivations.layers._stages import composed_form
from chainrule.derivations.layers._vector_jacobian import SEED, backward_graph
from chainrule.derivations.limits_in_time._remembered import remembered
from chainrule.derivations.output_forms._joined import joined_form
from chainrule.derivations.output_forms._layers import exchanged, is_shared
from chainrule.derivations.output_forms.layer_forms._affine_layers import (
    affine_parts,
    of_affine,
    shared_summands,
)
from chainrule.derivations.output_forms.layer_forms._clamped_values import clamped_values
from chainrule.derivations.output_forms.layer_forms._compared_outputs import (
    with_conditions,
    with_plain_comparisons,
)
from chainrule.derivations.output_forms.layer_forms._extreme_values import compared_extremes
from chainrule.derivations.output_forms.layer_forms._kept_values import determined
from chainrule.derivations.output_forms.layer_forms._layers_of_output import (
    layers_of_the_output,
    preactivations,
)
from chainrule.derivations.output_forms.layer_forms._many_layers import agrees_at_many
from chainrule.derivations.output_forms.layer_forms._moved_layers import moved_layer
from chainrule.derivations.output_forms.layer_forms._multiples import multiples_of_the_output
from chainrule.derivations.output_forms.layer_forms._one_exponential import (
    common_exponential,
    in_powers,
)
from chainrule.derivations.output_forms.layer_forms._put_in import folded, put_in, written_shortly
from chainrule.derivations.output_forms.layer_forms._rectified_layers import is_never_on
from chainrule.derivations.output_forms.layer_forms._related_forms import (
    SOME_OUTPUT,
    composed_forms,
    inner_layers,
    linear_first,
    where_not_zero,
    with_extremes_of_parts,
    without_rectifier,
)
from chainrule.derivations.output_forms.layer_forms._singled_out import singles_out
from chainrule.derivations.output_forms.layer_forms._told_multiples import (
    TOLD,
    forms_of_multiples,
    with_flat_sums,
)
from chainrule.derivations.pieces._branches import shared_choice
from chainrule.derivations.pieces._filled_layers import continued_branch
from chainrule.formulas import (
    Apply,
    Expression,
    Formula,
    Variable,
    constant,
    is_layer_coupled,
    subexpressions,
    substitute,
    variables_of,
)

_A, _Z = Variable("a"), Variable("z")
# A rectified unit is on where its output is not 0, whatever the sign of what it is divided by.
_ON: dict[Expression, Expression] = {
    Apply("greater", (_Z, constant(0))): Apply("not_equal", (_A, constant(0)))
}
_SECONDS, _RELATED_SECONDS, _WRITING_SECONDS, _FIRST_SECONDS = 0.8, 1.3, 1.2, 1.1
_SIMPLER_SECONDS = 2.2  # a function of a layer has a form where that has one itself
_MOST_WAYS = 4
_LONG = 120  # parts before a form is shortened: that of a related layer may be much shorter
_Completion = Callable[[Expression], Expression]
_Form = tuple[Expression, _Completion, Expression, Mapping[Expression, Expression]]
_CENTRED: Mapping[Expression, Expression] = {
    Apply(reduction, (_A,)): constant(0) for reduction in ("sum", "mean")
}
_OF_LAYER = 0.3  # for a number that stands for what a layer shares


@remembered
def layer_output_form(
    formula: Formula,
    products: Sequence[Expression],
    told: Sequence[tuple[Expression, Expression]],
) -> Expression | None:
    """Return ∂J/∂z in `a` and `g` alone, proved like every closed form; None if none is found.

    Parameters
    ----------
    formula : Formula
        Layer-coupled.
    products : sequence of Expression
        ∂J/∂z in `z`, `a` and `g`, written in several ways.
    told : sequence of pair of Expression
        Values of `z` and what they are in `a`.

    Examples
    --------
    >>> from chainrule.formulas import parse, to_text
    >>> chained = "g - where(z >= max(z), sum(g)/sum(where(z >= max(z), 1, 0)), 0)"
    >>> product = parse(chained, variables=("g", "z")).expression
    >>> to_text(layer_output_form(parse("z - max(z)"), (product,), ()))
    'g - where(a >= 0, sum(g)/sum(where(a >= 0, 1, 0)), 0)'
    """
    numbers = dict(formula.parameters)
    if singles_out(formula.expression, numbers):
        return None  # what holds at many layers may not hold at one where a formula is another

    moved = moved_layer(formula.expression)
    if moved is not None:
        inside = replace(formula, expression=moved.layer)
        form = form_alone(inside, composed_form(inside)[0])
        return None if form is None else moved.product(form)

    nothing_common: Expression | None = None
    one = attempt(_SECONDS, lambda: common_exponential(formula.expression), nothing_common)
    if one is not None:
        of_one = replace(formula, expression=in_powers(formula.expression, one))
        in_one = tuple(in_powers(product, one) for product in products)
        known = determined(of_one, computation_graph(of_one.expression))
        form = layer_output_form(of_one, in_one, known)
        if form is not None:
            return form

    whole = rebuilt(formula.expression)
    if attempt(_SECONDS, lambda: is_never_on(whole, numbers), False):
        return constant(0)

    graph = computation_graph(formula.expression)
    chained = backward_graph(graph, selects=True)[0].expression()
    has_guards = chained != backward_graph(graph, selects=True, guards_roots=False)[0].expression()
    plain = tuple(map(without_guards, products)) if has_guards else tuple(products)

    def holds(form: Expression) -> bool:
        return (
            agrees_where_awkward(formula, form, chained)
            and agrees_at_many(formula, form, chained)
            and proved(formula, form)
        )

    def shortest() -> _Form | None:
        at_extremes = {**dict(told), **dict(compared_extremes(told))}
        found = chosen_from(
            at_extremes,
            *({**dict(told), **known} for known in preactivations(formula, [x for x, _ in told])),
            *layers_of_the_output(formula),
            *multiples_of_the_output(formula),
            *clamped_values(formula),
            {_Z: _A},  # as where the identity is chosen everywhere but at a few layers
        )
        is_rectified = found is None and any(x in _ON for x in subexpressions(plain[0]))
        return chosen_from({**at_extremes, **_ON}) if is_rectified else found

    def chosen_from(*values_known: Mapping[Expression, Expression]) -> _Form | None:
        found: dict[Expression, tuple[Expression, Mapping[Expression, Expression]]] = {}
        for written, values in product_of(with_conditions(plain), values_known):
            form = put_in(written, values)
            if "z" not in variables_of(form):
                found.setdefault(form, (written, values))
        forms = sorted(found.items(), key=lambda way: size(way[0]))
        for completed, (form, (written, values)) in ((c, f) for c in completions() for f in forms):
            if holds(completed(form)):
                return form, completed, written, values
        return None

    def completions() -> Iterator[_Completion]:
        yield lambda form: form
        if has_guards:
            yield with_guards
        # Where the layer is 0 what it shares need not be: only z itself is put in.
        own = {x: x if is_shared(x) else value for x, value in told}
        no_ways: list[Expression] = []
        ways = attempt(_SECONDS, lambda: written_shortly(plain[0], own, numbers), no_ways)
        for product in (plain[-1], *ways[:1]):
            yield partial(_without_quotient_at_zero, product=product)

    def first_of(forms: Iterator[Expression], seconds: float) -> Expression | None:
        no_form: Expression | None = None
        return attempt(seconds, lambda: next(filter(holds, forms), None), no_form)

    bare = without_rectifier(formula)
    if bare is not None:
        form = where_not_zero(bare, formula, holds)
        if form is not None:
            return form

    def of_another(way: Iterator[Expression]) -> Expression | None:
        forms = attempt(_SIMPLER_SECONDS, partial(list, way), nowhere)
        return first_of(iter(forms), _SECONDS)

    nowhere: list[Expression] = []
    outer = [outer for _, outer in inner_layers(formula)][-1:]
    if outer and not any(map(is_choice, subexpressions(outer[0]))):
        form = of_another(_of_inner(formula))
        if form is not None:
            return form

    no_pairs: list[tuple[Expression, Expression]] = []
    pairs = attempt(_SECONDS, partial(list, forms_of_multiples(formula)), no_pairs)
    for named, of_output in pairs:
        told_by: dict[Expression, Expression] = {TOLD: of_output}
        whole = with_flat_sums(put_in(named, told_by))
        if first_of(iter((whole,)), _SECONDS) is not None:
            letters = {**numbers, TOLD.name: _OF_LAYER}
            shortly = partial(written_shortly, named, {}, letters)
            ways = attempt(_WRITING_SECONDS, shortly, [named])
            written_out = (with_flat_sums(put_in(way, told_by)) for way in ways)
            return first_of(written_out, _SECONDS) or whole
    simpler = [_of_shifted(formula, dict(told)), _of_extremes(formula)]
    if all(size(value) > _LONG for _, value in told):
        simpler.append(_of_affine(formula))
    for form in map(of_another, simpler):
        if form is not None:
            return form

    nothing: _Form | None = None
    found = attempt(_FIRST_SECONDS, shortest, nothing)
    if found is None:
        related = first_of(_of_related(formula), _RELATED_SECONDS)
        if related is not None:
            return related
        found = attempt(_SECONDS, lambda: chosen_from(dict(told)) if told else None, nothing)
    if found is None:
        return None
    form, completed, written, values = found
    if size(form) > _LONG:
        related = first_of(_of_related(formula), _RELATED_SECONDS)
        if related is not None and size(related) < size(form) / 2:
            return related
    no_ways: list[Expression] = []
    ways = attempt(_WRITING_SECONDS, lambda: written_shortly(written, values, numbers), no_ways)
    ways = ways or [form]
    ways = [with_choices(way) for way in (*with_plain_comparisons(ways[0]), *ways)]
    shorter = [completed(way) for way in ways if _length(way) < _length(form)][:_MOST_WAYS]
    shortened = completed(form)
    return attempt(_SECONDS, lambda: next(filter(holds, shorter), shortened), shortened)


def _length(e: Expression) -> tuple[int, int]:
    """Return how long a form is, and how many quotients it has: of as long ones few are better."""
    quotients = (x for x in subexpressions(e) if isinstance(x, Apply) and x.operation == "divide")
    return size(e), sum(1 for _ in quotients)


def _of_related(formula: Formula) -> Iterator[Expression]:
    """Yield forms of layers that are nearly this one."""
    continued = continued_branch(formula.expression)
    if continued is not None:
        yield from filter(None, (form_alone(replace(formula, expression=continued)),))
    choice = shared_choice(formula.expression)
    if choice is not None:
        condition, *branches = choice
        forms = (form_alone(replace(formula, expression=branch)) for branch in branches)
        found = [form for form in forms if form is not None]
        if len(found) == len(branches):
            yield Apply("where", (exchanged(condition, _Z, _A), *found))
    yield from _of_affine(formula)
    yield from _of_inner(formula)
    first = linear_first(formula)
    if first is not None:
        outer, product = first
        form = form_alone(outer, closed_form(outer, seconds=STAGE_SECONDS))
        if form is not None:
            received: dict[Expression, Expression] = {SEED: form}
            composed = substitute(product, received.get)
            ways = attempt(
                _SECONDS,
                lambda: written_shortly(composed, {}, dict(formula.parameters)),
                [composed],
            )
            yield from sorted((*(put_in(way, _CENTRED) for way in ways), *ways), key=size)


def _of_extremes(formula: Formula) -> Iterator[Expression]:
    """Yield forms of a layer with ``max(max(z, 0))`` for ``max(z)``: another where all is off."""
    for other in with_extremes_of_parts(formula):
        form = form_alone(other, closed_form(other, seconds=PART_SECONDS))
        if form is not None:
            yield form


def _of_inner(formula: Formula) -> Iterator[Expression]:
    """Yield forms of a layer that is a function of each unit of another one."""
    inner = list(inner_layers(formula))
    for layer, outer in dict.fromkeys((*inner[:1], *inner[-1:])):
        # The closed form is known from the stages.
        form = form_alone(layer, closed_form(layer, seconds=PART_SECONDS))
        composed = () if form is None else composed_forms(form, outer, dict(formula.parameters))
        ways = [way for e in composed for way in (*with_plain_comparisons(e), e)]
        if ways:
            yield from ways
            return


def _of_affine(formula: Formula) -> Iterator[Expression]:
    """Yield forms of a layer that is another one times a number and moved by one."""
    part, factor, shift = affine_parts(rebuilt(formula.expression))
    if (factor, shift) == (constant(1), constant(0)):
        return
    inside = replace(formula, expression=part)
    form = form_alone(inside, closed_form(inside, seconds=STAGE_SECONDS))
    composed = None if form is None else of_affine(form, factor, shift, dict(formula.parameters))
    if composed is not None:
        yield from (*with_plain_comparisons(composed), composed)


def _of_shifted(formula: Formula, told: Mapping[Expression, Expression]) -> Iterator[Expression]:
    """Yield forms of a layer moved by what its output tells: ``z/(1 + std) + mean(z)``."""
    for rest, shift in shared_summands(rebuilt(formula.expression)):
        moved = put_in(shift, told)
        if "z" in variables_of(moved) or not is_layer_coupled(rest):
            continue
        backward = backward_graph(computation_graph(shift))[0].expression()
        ways = dict.fromkeys(put_in(way, told) for way in with_conditions((backward,)))
        products = [way for way in ways if "z" not in variables_of(way)]
        inside = replace(formula, expression=rest)
        form = form_alone(inside, closed_form(inside, seconds=STAGE_SECONDS)) if products else None
        if form is not None:
            output: dict[Expression, Expression] = {_A: subtract(_A, moved)}
            own = substitute(form, output.get)
            for whole in (rebuilt(add(own, product)) for product in products):
                yield from (*with_plain_comparisons(whole), whole)


def form_alone(formula: Formula, product: Expression | None = None) -> Expression | None:
    """Return ∂J/∂z of any formula in `a` and `g` alone, as `layer_output_form` does of layers."""
    if "z" not in variables_of(formula.expression):
        return constant(0)
    if not formula.is_layer_coupled:
        slope = joined_form(formula)
        return None if slope is None else rebuilt(multiply(SEED, slope))
    graph = computation_graph(formula.expression)
    chained = backward_graph(graph, guards_roots=False)[0].expression()
    products = (chained,) if product is None else (product, chained)
    return layer_output_form(formula, products, determined(formula, graph))


def _without_quotient_at_zero(form: Expression, product: Expression) -> Expression:
    """Take the product at ``z = 0`` where the whole output is zero, as ``0/0`` says nothing."""
    zero: dict[Expression, Expression] = {_Z: constant(0), _A: constant(0)}
    return Apply("where", (SOME_OUTPUT, form, folded(put_in(product, zero))))
