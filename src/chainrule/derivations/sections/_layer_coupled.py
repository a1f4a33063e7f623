"""The sections of a layer-coupled formula's derivation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainrule.derivations._arithmetic import ONE, ZERO, power, rebuilt
from chainrule.derivations._chain_rule import node_names
from chainrule.derivations._example import example
from chainrule.derivations._graph import Graph
from chainrule.derivations._vector_jacobian import SEED, backward_graph
from chainrule.derivations.sections._elementwise import (
    A_J,
    A_P,
    MATRIX_A,
    MATRIX_Z,
    Z_J,
    A,
    J,
    assembly_section,
    batch_form,
    formula_section,
    graph_equations,
    indexed,
    per_unit,
    step_equations,
)
from chainrule.documents import Equation, Section, equation, partial, text_of
from chainrule.formulas import REDUCTIONS, Apply, Expression, Variable, constant, variables_of

if TYPE_CHECKING:
    from chainrule.derivations._derivation import Derivation


def coupled_sections(derivation: Derivation) -> tuple[Section, ...]:
    """Return the sections of a layer-coupled formula's derivation."""
    sections = [formula_section(derivation.formula)]
    if derivation.unit_graphs:
        for graph, output, title, prefix in zip(
            derivation.unit_graphs,
            (A_J, A_P),
            ("unit j by z_j", "unit p ≠ j by z_j"),
            ("", "p ≠ j: "),
            strict=True,
        ):
            followed = example(graph.graph, dict(derivation.formula.parameters))
            sections.append(
                Section(
                    f"Computation graph: {title}",
                    (),
                    graph_equations(graph.graph, graph.names, output, prefix),
                )
            )
            sections.append(
                Section(
                    f"Chain rule, outside first: {title}",
                    (),
                    step_equations(graph.steps, graph.names, output, followed, prefix),
                )
            )
    else:
        sections += _layer_sections(derivation)
    sections.append(_coupled_simplification(derivation))
    sections.append(assembly_section(per_unit(_product_of(derivation))))
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
        others = {k: v for k, v in known.items() if k != adjoints[index]}
        if index != graph.output:
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


def _coupled_simplification(derivation: Derivation) -> Section:
    product = derivation.product
    in_z: list[Expression | None] = [None, None]
    if derivation.unit_graphs:
        in_z = [
            graph.steps[-1].in_variables if graph.steps else ZERO
            for graph in derivation.unit_graphs
        ]
    through = (None, None) if product is None else jacobian_entries(product)
    equations = []
    for output, written, short, remark in zip(
        (A_J, A_P), in_z, through, ("", "for p ≠ j"), strict=True
    ):
        sides = [side for side in (written, short) if side is not None]
        if sides:
            e = equation(partial(output, Z_J), *sides)
            equations.append(Equation(e.sides, remark))
    sentences = (
        ("Through the output: the equation for a is solved for one value, which is then put in.",)
        if product is not None
        else ("No form through the output alone was found.",)
    )
    return Section("Simplification", sentences, tuple(equations))


def jacobian_entries(product: Expression) -> tuple[Expression, Expression]:
    """Return ∂a_j/∂z_j and ∂a_p/∂z_j from ∂J/∂z_j: its value where g is 1 at one unit, 0 elsewhere.

    ``product`` is linear in g; a sum over the units that holds g keeps the term of that unit.
    """

    def entry(unit: str) -> Expression:
        own: Expression = ONE if unit == "j" else ZERO

        def write(e: Expression) -> Expression:
            if e == SEED:
                return own
            if not isinstance(e, Apply):
                return indexed(e, "j")
            if e.operation in REDUCTIONS:
                inner = e.arguments[0]
                if SEED.name not in variables_of(inner):
                    return per_unit(e)
                chosen = _rebuild(inner, {SEED: ONE})
                return indexed(chosen, unit)
            return _simplified(e.operation, tuple(write(part) for part in e.arguments))

        return write(product)

    return entry("j"), entry("p")


def _rebuild(e: Expression, values: dict[Expression, Expression]) -> Expression:
    if e in values:
        return values[e]
    if not isinstance(e, Apply):
        return e
    return _simplified(e.operation, tuple(_rebuild(part, values) for part in e.arguments))


def _simplified(operation: str, parts: tuple[Expression, ...]) -> Expression:
    if operation == "multiply" and parts[0] == parts[1] and isinstance(parts[0], Variable):
        return power(parts[0], constant(2))
    return rebuilt(Apply(operation, parts))


def _product_of(derivation: Derivation) -> Expression:
    """Return ∂J/∂z through the output, or as the chain rule gives it."""
    if derivation.product is not None:
        return derivation.product
    return rebuilt(backward_graph(derivation.graph)[0].expression())


def coupled_matrix_form(derivation: Derivation) -> Section:
    equations = [Equation((MATRIX_A, batch_form(derivation.formula.expression)))]
    equations.append(Equation((partial(J, MATRIX_Z), batch_form(_product_of(derivation)))))
    return Section(
        "Matrix form",
        ("The axis is that of the units: 0 where columns are examples, 1 where rows are.",),
        tuple(equations),
    )
