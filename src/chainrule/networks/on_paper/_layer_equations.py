"""The equations of a network's layers and cost: what each section of its propagation shows."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from chainrule.derivations import (
    backward_graph,
    batch_form,
    batch_mean,
    computation_graph,
    derive,
    matrix_form,
)
from chainrule.documents import Equation, Section, partial, symbol, text_of
from chainrule.formulas import Apply, Expression, Formula, Parameter, constant, parse, substitute
from chainrule.networks.on_paper._layer_notation import Notation, before

if TYPE_CHECKING:
    from chainrule.networks.on_paper._equations import Propagation

_J, _COST_OF_ONE = symbol("J"), symbol("J_i")
_PENALTY, _SQUARES = symbol("lambda"), symbol("S")
_WEIGHT = symbol("s_i")
_ALL_WEIGHTS = Apply("sum_examples", (_WEIGHT,))
_FEWEST_ALIKE = 3  # that many like layers in a row share one general equation


def _mean(network: Propagation, of_examples: Expression) -> Expression:
    """Return what each example passes on, as a part of the mean over the batch."""
    if not network.weighted:
        return batch_mean(of_examples)
    weights = Apply("broadcast", (symbol("s"),))
    return Apply("divide", (Apply("hadamard", (weights, of_examples)), _ALL_WEIGHTS))


@dataclass(frozen=True)
class Layers:
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


def groups(activations: tuple[Formula, ...]) -> tuple[Layers, ...]:
    """Return the layers, those alike in a row together; the output stands alone."""
    found = []
    last = len(activations)
    for formula, run in groupby(range(1, last), key=lambda layer: activations[layer - 1]):
        alike = list(run)
        if len(alike) < _FEWEST_ALIKE:
            found += [Layers(layer, layer, formula) for layer in alike]
        else:
            found.append(Layers(alike[0], alike[-1], formula))
    return (*found, Layers(last, last, activations[-1]))


def forward_section(network: Propagation, notation: Notation, layers: Layers) -> Section:
    """Return the equations of a layer, or of several that are alike, from inputs to activations."""
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
    remark = ", ".join([notation.shape("A", layer), *values_of(formula)])
    activation = _named(shown, notation, layer, remark)
    kind = "Layer-coupled" if formula.is_layer_coupled else "Element-wise"
    return Section(f"Forward, {layers.title}", (f"{kind}: {formula.title}.",), (affine, activation))


def _named(shown: Equation, notation: Notation, layer: str, remark: str) -> Equation:
    return Equation(tuple(notation.of_layer(side, layer) for side in shown.sides), remark)


def values_of(formula: Formula) -> list[str]:
    return [f"{name} = {value:.12g}" for name, value in formula.parameters]


def cost_section(network: Propagation, notation: Notation) -> Section:
    """Return the equations of the cost, with weights of examples and the penalty."""
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
                (_COST_OF_ONE, notation.of_layer(of_one, last)), ", ".join(values_of(network.cost))
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


def section_between_layers() -> Section:
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


def output_section(network: Propagation, notation: Notation, layers: Layers) -> Section:
    """Return what the cost passes back through the output layer."""
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


def hidden_section(network: Propagation, notation: Notation, layers: Layers) -> Section:
    """Return what a hidden layer passes back, or several that are alike."""
    equations = (
        *_through_activation(network, notation, layers),
        *_to_layer_before(network, notation, layers.index, first=layers.first),
    )
    return Section(f"Backward, {layers.title}", (), equations)


def _through_activation(network: Propagation, notation: Notation, layers: Layers) -> list[Equation]:
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
