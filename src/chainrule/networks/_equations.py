"""A network's propagation on paper: its own equations, forward and backward, layer by layer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby, pairwise

from chainrule.catalogue import assumption_on_targets, domain_of_targets
from chainrule.derivations import (
    CostDerivation,
    Derivation,
    backward_graph,
    batch_form,
    batch_mean,
    computation_graph,
    derive,
    derive_cost,
    matrix_form,
)
from chainrule.documents import (
    Document,
    Documented,
    Equation,
    Section,
    Table,
    partial,
    symbol,
    text_of,
)
from chainrule.formulas import Apply, Expression, Formula, Parameter, constant, parse, substitute
from chainrule.networks._errors import NetworkError
from chainrule.networks._layer_notation import Notation, before

_J, _COST_OF_ONE = symbol("J"), symbol("J_i")
_PENALTY, _SQUARES = symbol("lambda"), symbol("S")
_WEIGHT = symbol("s_i")
_ALL_WEIGHTS = Apply("sum_examples", (_WEIGHT,))
_MOST_SIZES_IN_TITLE = 8
_FEWEST_ALIKE = 3  # that many like layers in a row share one general equation


@dataclass(frozen=True)
class Propagation(Documented):
    """The forward and backward equations of a network, with the shapes of its matrices.

    Where rows are examples, as the program stores them, a layer computes
    ``Z[l] = A[l-1] W[l] + broadcast(b[l])`` and ``A[l] = g(Z[l])``; with ``axis=0`` columns are
    examples and ``Z[l] = W[l] A[l-1] + broadcast(b[l])``.

    Parameters
    ----------
    sizes : tuple of int
        The number of inputs, then the number of units of every layer.
    activations : tuple of Formula
    cost : Formula
        The cost of one example.
    item_size : int
        The bytes of one number.
    batch : int, optional
        The number of examples; None leaves it `m`.
    axis : {-1, 0}
        The axis of the units.
    penalty : float
        Strength λ of the penalty λ/(2m)·Σ W² on the weights; at 0 it is left out.
    weighted : bool
        Whether every example i has a weight s_i; J is the weighted mean then, and Σ s_i stands
        where m does.
    blocks : tuple of int
        How many units each block of the output layer has; empty for one block of all.
    """

    sizes: tuple[int, ...]
    activations: tuple[Formula, ...]
    cost: Formula
    item_size: int
    batch: int | None = None
    axis: int = -1
    penalty: float = 0.0
    weighted: bool = False
    blocks: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        whole = isinstance(self.batch, int) and not isinstance(self.batch, bool)
        if self.batch is not None and (not whole or self.batch < 1):
            raise NetworkError(
                f"the batch is a positive whole number of examples, got {self.batch!r}"
            )
        if self.axis not in (0, -1, 1):
            raise NetworkError(
                f"axis {self.axis!r} of the units is neither -1 (rows are examples) nor 0 "
                "(columns are examples)"
            )
        if not 0.0 <= self.penalty < math.inf:
            raise NetworkError(
                f"the penalty is a finite number of at least 0, got {self.penalty!r}"
            )
        object.__setattr__(self, "axis", 0 if self.axis == 0 else -1)

    @property
    def title(self) -> str:
        """The sizes, and what stands at the output."""
        shown = "-".join(map(str, self.sizes))
        if len(self.sizes) > _MOST_SIZES_IN_TITLE:
            shown = f"of {len(self.sizes) - 1} layers"
        return f"Network {shown}: {self.behind.title}"

    @cached_property
    def derivations(self) -> dict[Formula, Derivation]:
        """The derivation of each activation."""
        return {formula: derive(formula) for formula in dict.fromkeys(self.activations)}

    @cached_property
    def behind(self) -> CostDerivation:
        """The derivation of the cost behind the output activation."""
        assumption, targets = assumption_on_targets(self.cost), domain_of_targets(self.cost)
        return derive_cost(self.activations[-1], self.cost, assumption, targets)

    @cached_property
    def sections(self) -> tuple[Section, ...]:
        """The equations as titled sections."""
        notation = Notation(self.sizes, self.batch, self.axis, len(self.blocks) > 1)
        layers = _groups(self.activations)
        *hidden, output = layers
        backward = (
            _output(self, notation, output),
            *(_hidden(self, notation, layer) for layer in reversed(hidden)),
        )
        return (
            _notation_section(self, notation, backward),
            *(_forward(self, notation, layer) for layer in layers),
            _cost(self, notation),
            _between_layers(),
            *backward,
            _what_it_costs(self),
        )

    @property
    def document(self) -> Document:
        """The equations as a document."""
        return Document(self.title, self.sections)


def _mean(network: Propagation, of_examples: Expression) -> Expression:
    """Return what each example passes on, as a part of the mean over the batch."""
    if not network.weighted:
        return batch_mean(of_examples)
    weights = Apply("broadcast", (symbol("s"),))
    return Apply("divide", (Apply("hadamard", (weights, of_examples)), _ALL_WEIGHTS))


@dataclass(frozen=True)
class _Layers:
    """One layer, or several alike in a row."""

    first: int
    last: int
    formula: Formula

    @property
    def index(self) -> str:
        return str(self.first) if self.first == self.last else "l"

    @property
    def title(self) -> str:
        if self.first == self.last:
            return f"layer {self.first}"
        return f"layers l = {self.first}, …, {self.last}"


def _groups(activations: tuple[Formula, ...]) -> tuple[_Layers, ...]:
    """Return the layers, those alike in a row together; the output stands alone."""
    groups = []
    last = len(activations)
    for formula, run in groupby(range(1, last), key=lambda layer: activations[layer - 1]):
        alike = list(run)
        if len(alike) < _FEWEST_ALIKE:
            groups += [_Layers(layer, layer, formula) for layer in alike]
        else:
            groups.append(_Layers(alike[0], alike[-1], formula))
    return (*groups, _Layers(last, last, activations[-1]))


def _notation_section(
    network: Propagation, notation: Notation, backward: tuple[Section, ...]
) -> Section:
    batch = "m" if network.batch is None else f"m = {network.batch}"
    kind = "Columns" if notation.examples_are_columns else "Rows"
    last = len(network.sizes) - 1
    rows = [("0", str(network.sizes[0]), "inputs", "", "", notation.shape("A", "0"), "")]
    for layer, formula in enumerate(network.activations, 1):
        name = str(layer)
        rows.append(
            (
                name,
                str(network.sizes[layer]),
                formula.title,
                notation.shape("W", name),
                notation.shape("b", name),
                notation.shape("Z", name),
                f"{_parameters(network.sizes, layer):,}",
            )
        )
    total = sum(_parameters(network.sizes, layer) for layer in range(1, last + 1))
    rows.append(("all", str(sum(network.sizes)), "", "", "", "", f"{total:,}"))
    header = ("layer", "units", "activation", "W[l]", "b[l]", "Z[l], A[l]", "parameters")
    sentences = [
        f"{kind} are examples: {batch} in a batch. A[0] = X holds the inputs, Y the targets; "
        "⊙ is the element-wise product."
    ]
    if notation.has_blocks:
        *first, rest = map(str, network.blocks)
        sentences.append(
            f"The output layer falls into {len(network.blocks)} blocks of {', '.join(first)} and "
            f"{rest} units: there, what goes over units goes over those of one block, n_k in "
            "block k."
        )
    if any(_has_two_forms(section) for section in backward):
        sentences.append(
            "Where a form through A[l] stands beside one through Z[l], the form through Z[l] is "
            "computed: it keeps the gradient where A[l] rounds."
        )
    return Section("Notation and shapes", tuple(sentences), (), (Table(header, tuple(rows)),))


def _has_two_forms(section: Section) -> bool:
    lefts = [shown.sides[0] for shown in section.equations]
    return len(set(lefts)) < len(lefts)


def _parameters(sizes: tuple[int, ...], layer: int) -> int:
    return (sizes[layer - 1] + 1) * sizes[layer]


def _forward(network: Propagation, notation: Notation, layers: _Layers) -> Section:
    formula, layer, previous = layers.formula, layers.index, before(layers.index)
    shapes = [notation.shape("W", layer), notation.shape("A", previous)]
    left, right = shapes if notation.examples_are_columns else reversed(shapes)
    weighted = notation.product(notation.matrix("W", layer), notation.matrix("A", previous))
    shifted = Apply("add", (weighted, Apply("broadcast", (notation.matrix("b", layer),))))
    affine = Equation(
        (notation.matrix("Z", layer), shifted),
        f"{notation.shape('Z', layer)} = ({left})({right}) + {notation.shape('b', layer)}",
    )
    shown = matrix_form(network.derivations[formula]).equations[0]
    remark = ", ".join([notation.shape("A", layer), *_values(formula)])
    activation = _named(shown, notation, layer, remark)
    kind = "Layer-coupled" if formula.is_layer_coupled else "Element-wise"
    return Section(f"Forward, {layers.title}", (f"{kind}: {formula.title}.",), (affine, activation))


def _named(shown: Equation, notation: Notation, layer: str, remark: str) -> Equation:
    return Equation(tuple(notation.of_layer(side, layer) for side in shown.sides), remark)


def _values(formula: Formula) -> list[str]:
    return [f"{name} = {value:.12g}" for name, value in formula.parameters]


def _cost(network: Propagation, notation: Notation) -> Section:
    last = str(len(network.sizes) - 1)
    of_one = substitute(batch_form(network.cost.expression), _without_broadcast)
    sentences = [f"{network.cost.title}: J_i of each example i, and their mean J."]
    if notation.has_blocks:
        sentences.append(
            "The equation of J_i gives the cost of one block; the blocks' costs are summed."
        )
    if network.behind.warning:
        sentences.append(network.behind.warning)
    mean, remark = batch_mean(Apply("sum_examples", (_COST_OF_ONE,))), ""
    if network.weighted:
        sentences.append("Example i has the weight s_i; s holds the weights of the batch.")
        weighted = Apply("sum_examples", (Apply("multiply", (_WEIGHT, _COST_OF_ONE)),))
        mean = Apply("divide", (weighted, _ALL_WEIGHTS))
    if network.penalty:
        sentences.append(
            "J includes a penalty on the weights. S is the sum of the squares of all entries of "
            "all W[l]; biases are free."
        )
        square: Expression = Apply("power", (symbol("z"), constant(2)))
        added = _with_penalty_named(network, _penalty(network).expression, {square: _SQUARES})
        mean = Apply("add", (mean, added))
        remark = f"lambda = {network.penalty:.12g}"
    return Section(
        "Cost",
        tuple(sentences),
        (
            Equation(
                (_COST_OF_ONE, notation.of_layer(of_one, last)), ", ".join(_values(network.cost))
            ),
            Equation((_J, mean), remark),
        ),
    )


def _penalty(network: Propagation) -> Formula:
    """Return what one weight z adds to the cost."""
    return parse("p*z**2/(2*m)", {"p": network.penalty, "m": 1.0})


def _with_penalty_named(
    network: Propagation, e: Expression, named: dict[Expression, Expression]
) -> Expression:
    count = _ALL_WEIGHTS if network.weighted else symbol("m")
    return substitute(e, (named | {Parameter("p"): _PENALTY, Parameter("m"): count}).get)


def _without_broadcast(e: Expression) -> Expression | None:
    # The outermost reduction is the cost itself, one number for an example.
    return e.arguments[0] if isinstance(e, Apply) and e.operation == "broadcast" else None


def _between_layers() -> Section:
    """Derive what one product w a + b passes back, and sum over those that share a factor."""
    graph = computation_graph(parse("w*a + b", variables=("w", "a", "b")).expression)
    received = partial(_J, symbol("z_{j,i}"))
    indexed: dict[Expression, Expression] = {
        symbol("w"): symbol("w_{j,k}"),
        symbol("a"): symbol("a_{k,i}"),
        symbol("b"): symbol("b_j"),
        symbol("g"): received,
    }
    weighted = Apply("multiply", (indexed[symbol("w")], indexed[symbol("a")]))
    affine = Apply("add", (Apply("sum", (weighted,)), indexed[symbol("b")]))
    equations = [Equation((symbol("z_{j,i}"), affine))]
    for name, total in (("w", "sum_examples"), ("b", "sum_examples"), ("a", "sum_next_units")):
        passed = backward_graph(graph, name)[0].expression()
        shared = Apply(total, (substitute(passed, indexed.get),))
        equations.append(Equation((partial(_J, indexed[symbol(name)]), shared)))
    sentence = (
        "j counts the units of a layer, k those of the layer before, i the examples. All examples "
        "share w and b, and all units of a layer share the a below them: what is shared receives "
        "the sum of what is passed back to it."
    )
    return Section("Between layers", (sentence,), tuple(equations))


def _output(network: Propagation, notation: Notation, layers: _Layers) -> Section:
    fused, layer = network.behind.fused, layers.index
    shape = notation.shape("Z", layer)

    def mean_of(e: Expression) -> Expression:
        return notation.of_layer(_mean(network, batch_form(e)), layer)

    by_output = Equation(
        (partial(_J, notation.matrix("A", layer)), mean_of(fused.by_output)), shape
    )
    from_output = [by_output, *_through_activation(network, notation, layers)]
    sentences: list[str] = []
    equations = from_output
    if fused.by_preactivation is None:
        sentences.append("No shorter form of the cost and the output activation was found.")
    else:
        left = partial(_J, notation.matrix("Z", layer))
        together = Equation((left, mean_of(fused.by_preactivation)), shape)
        sentences.append("The cost and the output activation are differentiated together.")
        if fused.assumption:
            left_of, right_of = fused.assumption.split("==")
            total = text_of(parse(left_of.strip(), variables=("a", "y")).expression)
            given = f"{total} = {right_of.strip()}"
            every = "block of every example" if notation.has_blocks else "example"
            sentences.append(f"The form below holds for targets with {given} in every {every}.")
        equations = [together]
        if not fused.keeps_gradient:
            sentences.append(fused.reason_for_two_factors)
            equations += from_output
    equations += _to_layer_before(network, notation, layer)
    return Section(f"Backward, {layers.title}", tuple(sentences), tuple(equations))


def _hidden(network: Propagation, notation: Notation, layers: _Layers) -> Section:
    equations = (
        *_through_activation(network, notation, layers),
        *_to_layer_before(network, notation, layers.index, first=layers.first),
    )
    return Section(f"Backward, {layers.title}", (), equations)


def _through_activation(
    network: Propagation, notation: Notation, layers: _Layers
) -> list[Equation]:
    """Return ∂J/∂Z from ∂J/∂A, as the activation's derivation has it."""
    shape = notation.shape("Z", layers.index)
    shown = matrix_form(network.derivations[layers.formula]).equations[1:]
    return [
        _named(each, notation, layers.index, f"{shape}, {each.remark}" if each.remark else shape)
        for each in shown
    ]


def _to_layer_before(
    network: Propagation, notation: Notation, layer: str, *, first: int = 0
) -> list[Equation]:
    """Return what ∂J/∂Z gives for the weights, the biases, and the layer before."""
    previous = before(layer)
    z = partial(_J, notation.matrix("Z", layer))
    w, b, a = (
        notation.matrix("W", layer),
        notation.matrix("b", layer),
        notation.matrix("A", previous),
    )
    to_weights: Expression = notation.product(z, Apply("transpose", (a,)))
    if network.penalty:
        slope = derive(_penalty(network)).steps[-1].in_variables
        to_weights = Apply(
            "add", (to_weights, _with_penalty_named(network, slope, {symbol("z"): w}))
        )
    to_layer = notation.product(Apply("transpose", (w,)), z)
    equations = [
        Equation((partial(_J, w), to_weights), notation.shape("W", layer)),
        Equation((partial(_J, b), notation.sum_over_examples(z)), notation.shape("b", layer)),
    ]
    if previous != "0":
        only = ", for l > 1" if layer == "l" and first == 1 else ""
        shape = notation.shape("A", previous)
        equations.append(Equation((partial(_J, a), to_layer), f"{shape}{only}"))
    return equations


def _what_it_costs(network: Propagation) -> Section:
    """State the numbers kept between forward and backward, and the multiply-adds."""
    sizes, last = network.sizes, len(network.sizes) - 1

    def count(numbers: int) -> str:
        return f"{numbers:,} m" if network.batch is None else f"{numbers * network.batch:,}"

    kept = [sizes[0], *(2 * width for width in sizes[1:last]), sizes[last]]
    forward = [below * width for below, width in pairwise(sizes)]
    backward = [product * (1 if layer == 0 else 2) for layer, product in enumerate(forward)]
    rows = [("0", "A[0]", count(kept[0]), "", "")]
    for layer in range(1, last + 1):
        what = f"Z[{layer}]" if layer == last else f"Z[{layer}], A[{layer}]"
        products = count(forward[layer - 1]), count(backward[layer - 1])
        rows.append((str(layer), what, count(kept[layer]), *products))
    rows.append(("all", "", count(sum(kept)), count(sum(forward)), count(sum(backward))))
    header = ("layer", "kept for the way back", "numbers", "multiply-adds forward", "backward")
    bytes_kept = count(sum(kept) * network.item_size)
    sentences = (
        f"What is kept takes {bytes_kept} bytes, at {network.item_size} bytes a number.",
        "The multiply-adds are those of the matrix products. The activations come on top: m·n[l] "
        "evaluations forward, and as many backward.",
        "∂J/∂A[0] is not computed: nothing below the inputs is learned.",
    )
    return Section("Memory and operations", sentences, (), (Table(header, tuple(rows)),))
