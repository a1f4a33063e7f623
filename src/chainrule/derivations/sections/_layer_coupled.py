"""The sections of a layer-coupled formula's derivation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from chainrule.derivations._chain_rule import node_names
from chainrule.derivations._example import example
from chainrule.derivations._graph import Graph
from chainrule.derivations.algebra._arithmetic import ONE, ZERO, rebuilt, size
from chainrule.derivations.algebra._choices import as_shown
from chainrule.derivations.layers._jacobian import bound
from chainrule.derivations.layers._stages import Stage
from chainrule.derivations.layers._vector_jacobian import SEED, backward_graph
from chainrule.derivations.output_forms.layer_forms._kept_values import kept_values
from chainrule.derivations.output_forms.told_layers._excluded_counts import excluded_counts
from chainrule.derivations.sections._elementwise import (
    A_J,
    A_P,
    MATRIX_A,
    MATRIX_Z,
    Z_J,
    A,
    J,
    Z,
    assembly_section,
    batch_form,
    formula_section,
    graph_equations,
    per_unit,
    step_equations,
)
from chainrule.derivations.sections._kinks_of_layers import layer_kink_sentences
from chainrule.documents import (
    Equation,
    Section,
    equation,
    inner_index,
    partial,
    reduction_over,
    symbol,
    text_of,
)
from chainrule.formulas import (
    REDUCTIONS,
    Apply,
    Expression,
    parameters_of,
    substitute,
    variables_of,
)

if TYPE_CHECKING:
    from chainrule.derivations._derivation import Derivation

_LONGEST_WHOLE = 40  # parts of a product that is shown as a whole beside its stages
_LONGEST_TOLD = 120  # parts of what the output tells of the layer
_LONGEST_ENTRY = 80  # parts of a Jacobian's entry that are still shown beside the one in z


def coupled_sections(derivation: Derivation) -> tuple[Section, ...]:
    """Return the sections of a layer-coupled formula's derivation."""
    sections = [formula_section(derivation.formula)]
    if derivation.unit_graphs:
        for graph, output, title, prefix in zip(
            derivation.unit_graphs,
            (A_J, A_P),
            ("a_j", "a_p for p ≠ j"),
            ("", "p ≠ j: "),
            strict=True,
        ):
            followed = example(graph.graph, dict(derivation.formula.parameters))
            sections.append(
                Section(
                    f"Computation graph of {title}",
                    (),
                    graph_equations(graph.graph, graph.names, output, prefix),
                )
            )
            sections.append(
                Section(
                    f"Chain rule for ∂{title[:3]}/∂z_j, outside first",
                    (),
                    step_equations(graph.steps, graph.names, output, followed, prefix),
                )
            )
    else:
        sections += _layer_sections(derivation)
    sections.append(_coupled_simplification(derivation))
    if derivation.stages:
        sections.append(_stages_section(derivation.stages))
    sections.append(assembly_section(_assembled(derivation)))
    sections.append(coupled_matrix_form(derivation))
    return tuple(sections)


def _layer_sections(derivation: Derivation) -> tuple[Section, ...]:
    """Show a formula with nested reductions as one graph of the layer, and its adjoints."""
    return adjoint_sections(derivation.graph, "layer", A, J)


def adjoint_sections(
    graph: Graph,
    title: str,
    output: Expression,
    cost: Expression,
    variable: str = "z",
    seed: Expression = SEED,
) -> tuple[Section, ...]:
    """Show a graph over all units, and the derivative of `cost` by each node, outside first."""
    names = node_names(graph)
    prefix = "" if title == "layer" else f"{title}: "
    backward, adjoints = backward_graph(graph, variable, seed)
    known: dict[int, Expression] = dict(names)
    for index, node in adjoints.items():
        if index in names:
            known[node] = partial(cost, names[index])
    equations = []
    for index in reversed(graph.order):
        if index not in adjoints or variable not in variables_of(graph.expression(index)):
            continue
        left = partial(cost, names[index])
        # Equal adjoints are one node: it is called by a node that uses this one.
        users = [k for k in _users(graph, index, names) if k in adjoints]
        passed = {adjoints[k]: partial(cost, names[k]) for k in reversed(users)}
        others = {k: v for k, v in (known | passed).items() if k != adjoints[index]}
        if (
            index != graph.output
            and adjoints[index] in passed
            and not _is_number(backward.expression(adjoints[index]))
        ):
            right = passed[adjoints[index]]
        elif index != graph.output:
            right = backward.definition(adjoints[index], others)
        else:
            right = seed if seed == ONE else partial(cost, output)
        if right != left:
            own, below = text_of(left), text_of(names[index])
            equations.append(
                Equation((left, right), "", f"{prefix}{own}", see=(f"{prefix}{below}",))
            )
    return (
        Section(
            f"Computation graph of the {title}",
            ("A sum or mean over the units is one node, shared by all of them.",),
            graph_equations(graph, names, output, prefix, cost),
        ),
        Section(
            f"Chain rule through the {title}, outside first",
            ("What all units share receives the sum of what they pass back.",),
            tuple(equations),
        ),
    )


def _users(graph: Graph, index: int, names: dict[int, Expression]) -> list[int]:
    """Return the named nodes that a node is an argument of, also by way of unnamed ones."""
    found: list[int] = []
    for k, node in enumerate(graph.nodes):
        if index in node.arguments:
            found += [k] if k in names else _users(graph, k, names)
    return found


def _is_number(e: Expression) -> bool:
    return not variables_of(e) and not parameters_of(e)


def _coupled_simplification(derivation: Derivation) -> Section:
    in_z: list[Expression | None] = [None, None]
    if derivation.unit_graphs:
        in_z = [
            graph.steps[-1].in_variables if graph.steps else ZERO
            for graph in derivation.unit_graphs
        ]
    # What says most is sought while there is time.
    alone = derivation.product_from_output if derivation.needs_preactivation else None
    jacobian = derivation.jacobian
    through = (None, None) if jacobian is None else (jacobian.own, jacobian.cross)
    equations = []
    for output, written, short, remark in zip(
        (A_J, A_P), in_z, through, ("", "for p ≠ j"), strict=True
    ):
        sides = [] if written is None else [written]
        if short is not None and size(short) <= _LONGEST_ENTRY:
            sides.append(bound(as_shown(short)))
        if sides:
            e = equation(partial(output, Z_J), *sides)
            equations.append(Equation(e.sides, remark))
    sentences = []
    if "a" in variables_of(_product_of(derivation)):
        sentences.append(
            "Through the output: by the formula, a value in the derivative is written in a."
        )
    if derivation.needs_preactivation:
        kept = kept_values(_product_of(derivation))
        told = [
            (left, right)
            for left, right in derivation.told_by_output
            if left in kept and size(right) <= _LONGEST_TOLD
        ]
        sentences += _on_output_alone(derivation, kept, told)
        equations += [
            Equation((per_unit(left), per_unit(as_shown(right))), "from the output")
            for left, right in told
        ]
        if alone is not None and (not _is_told(kept, told) or size(alone) <= _LONGEST_WHOLE):
            e = equation(partial(J, Z_J), per_unit(as_shown(alone)))
            equations.append(Equation(e.sides, "through the output alone"))
            sentences += _on_counts(excluded_counts(alone, dict(derivation.formula.parameters)))
    sentences += layer_kink_sentences(derivation.layer_kinks)
    return Section("Simplification", tuple(sentences), tuple(equations))


def _on_output_alone(
    derivation: Derivation,
    kept: tuple[Expression, ...],
    told: list[tuple[Expression, Expression]],
) -> list[str]:
    """Say whether the output alone tells the derivative, and what is needed besides."""
    if _is_told(kept, told):
        return [
            "What the layer shares can be had from the output, as below, so that a form through "
            "the output alone exists; where that loses digits, what is shared is better kept."
        ]
    if derivation.product_from_output is not None:
        return [
            "What the derivative needs of z can be had from the output, as below, so that a form "
            "through the output alone exists; where that loses digits, z is better kept."
        ]
    if _is_told(kept, derivation.told_by_output):
        return [
            "What the layer shares can be had from the output, so that a form through the output "
            "alone exists; it is too long to be shown."
        ]
    witness = derivation.layer_witness
    if derivation.determined_by_output:
        sentences = [
            "No form through the output alone was found, although the output determines the "
            f"derivative (proved: {derivation.determined_by_output})."
        ]
    elif witness is not None:
        sentences = [
            f"There is no form through the output alone: {witness}. The output does not tell the "
            "derivative."
        ]
    else:
        sentences = [
            "No form through the output alone was found, nor two layers with the same outputs and "
            "different derivatives, which would exclude one."
        ]
    if kept and Z not in kept:
        values = ", ".join(text_of(per_unit(e)) for e in kept)
        sentences.append(f"With the output and {values} kept, one value a layer, z is not needed.")
    elif len(kept) > 1:
        values = ", ".join(text_of(per_unit(e)) for e in kept if e != Z)
        sentences.append(f"What the layer shares, {values}, is kept besides z.")
    return sentences


def _on_counts(counts: tuple[int, ...]) -> list[str]:
    """Say for which numbers of units the form through the output alone is none."""
    if not counts:
        return []
    written = " or ".join(map(str, counts))
    return [
        f"In a layer of {written} unit{'s' * (counts != (1,))} the form through the output alone "
        "divides by 0: there z is kept."
    ]


def _is_told(kept: tuple[Expression, ...], told: Sequence[tuple[Expression, Expression]]) -> bool:
    """Tell whether the output tells all that is kept besides."""
    return bool(told) and {left for left, _ in told} == set(kept)


def _value(stages: tuple[Stage, ...], k: int, unit: str) -> Expression:
    """Return the name of what the first k stages make of z."""
    if k in (0, len(stages)):
        return symbol(f"{'z' if k == 0 else 'a'}_{unit}")
    return symbol(f"h_{unit}" if len(stages) == 2 else f"h_{{{k},{unit}}}")


def _of_stage(e: Expression, stages: tuple[Stage, ...], k: int, unit: str = "j") -> Expression:
    """Write an expression of stage k for one unit, with k for the units of a reduction."""
    names: dict[Expression, Expression] = {
        Z: _value(stages, k, unit),
        A: _value(stages, k + 1, unit),
        SEED: partial(J, _value(stages, k + 1, unit)),
    }
    if e in names:
        return names[e]
    if not isinstance(e, Apply):
        return e
    if e.operation in REDUCTIONS:
        index = inner_index(unit)
        return reduction_over(index, e.operation, _of_stage(e.arguments[0], stages, k, index))
    return Apply(e.operation, tuple(_of_stage(part, stages, k, unit) for part in e.arguments))


def _stages_section(stages: tuple[Stage, ...]) -> Section:
    """Show a composition: each stage forward, then backward, the last first."""
    equations = [
        Equation((_value(stages, k + 1, "j"), _of_stage(stage.definition, stages, k)))
        for k, stage in enumerate(stages)
    ]
    for k in range(len(stages) - 1, -1, -1):
        left = partial(J, _value(stages, k, "j"))
        equations.append(equation(left, _of_stage(as_shown(stages[k].product), stages, k)))
    sentence = (
        "The values h lie on every path between z and a, so that each stage has its own backward "
        "pass; the last stage comes first."
    )
    return Section("In stages", (sentence,), tuple(equations))


def _assembled(derivation: Derivation) -> Expression:
    """Return ∂J/∂z_j, from the first stage where the whole is long."""
    product, stages = _product_of(derivation), derivation.stages
    if stages and size(product) > _LONGEST_WHOLE:
        return _of_stage(as_shown(stages[0].product), stages, 0)
    return per_unit(as_shown(product))


def _product_of(derivation: Derivation) -> Expression:
    """Return ∂J/∂z through the output, or as the chain rule gives it."""
    if derivation.product is not None:
        return derivation.product
    return rebuilt(backward_graph(derivation.graph)[0].expression())


def coupled_matrix_form(derivation: Derivation) -> Section:
    product, stages = _product_of(derivation), derivation.stages
    equations = [Equation((MATRIX_A, batch_form(derivation.formula.expression)))]
    if stages and size(product) > _LONGEST_WHOLE:
        equations += _matrix_stages(stages)
    else:
        equations.append(Equation((partial(J, MATRIX_Z), batch_form(as_shown(product)))))
    return Section(
        "Matrix form",
        ("The axis is that of the units: 0 where columns are examples, 1 where rows are.",),
        tuple(equations),
    )


def _matrix_stages(stages: tuple[Stage, ...]) -> list[Equation]:
    last = len(stages)

    def matrix(k: int) -> Expression:
        if k in (0, last):
            return MATRIX_Z if k == 0 else MATRIX_A
        return symbol("H" if last == 2 else f"H_{k}")

    def written(e: Expression, k: int) -> Expression:
        named: dict[Expression, Expression] = {MATRIX_Z: matrix(k), MATRIX_A: matrix(k + 1)}
        return substitute(batch_form(e), named.get)

    forward = [Equation((matrix(k + 1), written(stages[k].definition, k))) for k in range(last - 1)]
    backward = [
        Equation((partial(J, matrix(k)), written(as_shown(stages[k].product), k)))
        for k in range(last - 1, -1, -1)
    ]
    return [*forward, *backward]
