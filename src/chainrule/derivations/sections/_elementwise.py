"""The sections of a derivation: formula, graph, chain rule, simplification, assembly, matrices."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from chainrule.derivations._chain_rule import Step, node_names
from chainrule.derivations._example import Example, example
from chainrule.derivations._graph import Graph
from chainrule.derivations._operations import indicator
from chainrule.derivations.algebra._arithmetic import ONE, ZERO
from chainrule.derivations.algebra._written_products import numbers_first
from chainrule.derivations.layers._vector_jacobian import DIRECTION, SEED
from chainrule.derivations.output_forms._output_form import OutputForm
from chainrule.derivations.sections._repeated import repeated_simplification
from chainrule.derivations.sections._simplification import simplification_section
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
    Formula,
    Variable,
    constant,
    subexpressions,
    substitute,
    variables_of,
)

if TYPE_CHECKING:
    from chainrule.derivations._derivation import Derivation

A, J, Z = symbol("a"), symbol("J"), symbol("z")
A_J, A_P, Z_J = symbol("a_j"), symbol("a_p"), symbol("z_j")
MATRIX_A, MATRIX_Z = symbol("A"), symbol("Z")
Y = symbol("y")
_MATRIX = {Z: MATRIX_Z, A: MATRIX_A, Y: symbol("Y"), SEED: partial(J, MATRIX_A)}


def elementwise_sections(derivation: Derivation) -> tuple[Section, ...]:
    """Return the sections of an element-wise formula's derivation."""
    return (
        formula_section(derivation.formula),
        Section(
            "Computation graph",
            ("Each node is one elementary operation; a value that is used twice is one node.",),
            graph_equations(derivation.graph, node_names(derivation.graph), A),
        ),
        Section(
            "Chain rule, outside first",
            (),
            step_equations(
                derivation.steps,
                node_names(derivation.graph),
                A,
                example(derivation.graph, dict(derivation.formula.parameters)),
            ),
        ),
        (repeated_simplification if derivation.period else simplification_section)(derivation),
        Section(
            "Cross terms",
            ("A unit's activation depends on its own pre-activation alone.",),
            (Equation((partial(A_P, Z_J), ZERO), "for p ≠ j"),),
        ),
        _assembly(derivation),
        elementwise_matrix_form(derivation),
    )


def formula_section(formula: Formula) -> Section:
    values = ", ".join(f"{name} = {value:.12g}" for name, value in formula.parameters)
    sentences = (f"Parameters: {values}.",) if values else ()
    kind = (
        "Layer-coupled: a unit's activation depends on all units of its layer."
        if formula.is_layer_coupled
        else "Element-wise: every unit by itself."
    )
    shown = per_unit(formula.expression) if formula.is_layer_coupled else formula.expression
    left = A_J if formula.is_layer_coupled else A
    return Section("Formula", (kind, *sentences), (Equation((left, shown)),))


def graph_equations(
    graph: Graph,
    names: dict[int, Expression],
    output: Expression,
    prefix: str = "",
    derived: Expression | None = None,
) -> tuple[Equation, ...]:
    """Write a node a line; `prefix` tells the graphs of one document apart.

    ``derived`` is what the chain rule differentiates by the nodes, if not the output.
    """
    equations = []
    for index, name in names.items():
        sides = [name, graph.definition(index, names)]
        if index == graph.output:
            sides.append(output)
        remark = "for all p ≠ j" if isinstance(name, Variable) and ",p" in name.name else ""
        own, step = text_of(name), text_of(partial(derived or output, name))
        equations.append(Equation(tuple(sides), remark, f"{prefix}{own}", see=(f"{prefix}{step}",)))
    return tuple(equations)


def step_equations(
    steps: tuple[Step, ...],
    names: dict[int, Expression],
    output: Expression,
    followed: Example | None,
    prefix: str = "",
) -> tuple[Equation, ...]:
    """Write a step a line; it rests on the local derivatives, and has a value at the example."""
    equations = []
    for step in steps:
        left = partial(output, names[step.node])
        chain: Expression = ZERO
        local = []
        for user, derivative in step.contributions:
            by_argument = partial(names[user], names[step.node])
            local.append(Equation((by_argument, derivative), "local derivative"))
            term = Apply("multiply", (partial(output, names[user]), by_argument))
            chain = term if chain == ZERO else Apply("add", (chain, term))
        sides = [chain] if step.contributions else []
        written = (numbers_first(e) for e in (step.through_nodes, step.in_variables))
        whole = equation(left, *sides, *written)
        if followed is not None:
            value = f"≈ {followed.backward(step.node)} at {followed.place}"
            local.append(Equation((left,), value))
        name, see = text_of(left), text_of(names[step.node])
        equations.append(
            replace(whole, name=f"{prefix}{name}", details=tuple(local), see=(f"{prefix}{see}",))
        )
    return tuple(equations)


def _derivative_in_z(derivation: Derivation) -> Expression:
    """Return the derivative in z; for pieces, as one expression with indicators."""
    return derivation.steps[-1].in_variables


def shortest_slope(derivation: Derivation) -> Expression:
    """Return the derivative through the output where the formula has one smooth piece."""
    forms = derivation.output_forms
    if len(forms) == 1 and isinstance(forms[0], OutputForm):
        return forms[0].derivative
    indicators = _indicator_form(derivation)
    return indicators if indicators is not None else _derivative_in_z(derivation)


def _indicator_form(derivation: Derivation) -> Expression | None:
    """Write a derivative that is constant on each of two pieces with one indicator."""
    pieces = derivation.pieces
    if pieces is None or len(pieces.pieces) != 2:
        return None
    left, right = (piece.derivative for piece in pieces.pieces)
    at = pieces.breakpoints[0]
    if left != ZERO or right != ONE or at.slope_from == "own":
        return None
    sign = "greater" if at.slope_from == "left" else "greater_equal"
    return indicator(Apply(sign, (Z, at.location)))


def _assembly(derivation: Derivation) -> Section:
    return assembly_section(_times(partial(J, A_J), indexed(shortest_slope(derivation), "j")))


def assembly_section(result: Expression) -> Section:
    """Sum over the activations that z_j reaches, its own apart from the others, and the result."""
    left = partial(J, Z_J)
    own = term_of(partial(J, A_J), partial(A_J, Z_J))
    cross = term_of(partial(J, A_P), partial(A_P, Z_J))
    equations = (
        Equation((left, Apply("sum_units", (cross,)))),
        Equation((left, Apply("add", (own, Apply("sum_other_units", (cross,)))))),
        equation(left, result),
    )
    return Section("Assembly for one unit", (), equations)


def term_of(x: Expression, y: Expression) -> Expression:
    return Apply("multiply", (x, y))


def _times(x: Expression, y: Expression) -> Expression:
    return x if y == ONE else ZERO if y == ZERO else Apply("multiply", (x, y))


def indexed(e: Expression, index: str) -> Expression:
    names: dict[Expression, Expression] = {
        Z: symbol(f"z_{index}"),
        A: symbol(f"a_{index}"),
    }
    return substitute(e, names.get)


def elementwise_matrix_form(derivation: Derivation) -> Section:
    forward = Equation((MATRIX_A, batch_form(derivation.formula.expression)))
    received = partial(J, MATRIX_A)
    short = shortest_slope(derivation)
    product = received if short == ONE else hadamard(received, batch_form(short))
    equations = [forward, Equation((partial(J, MATRIX_Z), product))]
    sentences = ["Examples are rows, or columns: nothing here couples the units."]
    if "a" in variables_of(short):
        in_z = batch_form(_derivative_in_z(derivation))
        equations.append(
            Equation((partial(J, MATRIX_Z), hadamard(received, in_z)), "what is computed")
        )
        sentences.append(
            "The form through A saves memory, but where A saturates it rounds, and the gradient "
            "with it. What is computed is the form through Z, which keeps the gradient."
        )
    return Section("Matrix form", tuple(sentences), tuple(equations))


def hadamard(x: Expression, y: Expression) -> Expression:
    """Return the element-wise product of two matrices."""
    if isinstance(y, Apply) and y.operation == "hadamard":
        return Apply("hadamard", (Apply("hadamard", (x, y.arguments[0])), y.arguments[1]))
    return Apply("hadamard", (x, y))


def batch_form(e: Expression) -> Expression:
    """Write an expression of units for the whole batch: products become element-wise."""
    if e in _MATRIX:
        return _MATRIX[e]
    if not isinstance(e, Apply):
        return e
    parts = tuple(batch_form(part) for part in e.arguments)
    both = all(_isbatch_form(part) for part in parts)
    if e.operation == "multiply" and both:
        return Apply("hadamard", parts)
    if e.operation == "power" and e.arguments == (A, constant(2)):
        return Apply("hadamard", (parts[0], parts[0]))
    if e.operation in REDUCTIONS:
        return Apply("broadcast", (Apply(f"{e.operation}_axis", parts),))
    return Apply(e.operation, parts)


def _isbatch_form(e: Expression) -> bool:
    return any(
        isinstance(part, Variable) and part.name in ("A", "Z", "Y") for part in subexpressions(e)
    )


def per_unit(e: Expression, own: str = "j") -> Expression:
    """Write a layer-coupled expression for unit j, with k for the units of a reduction."""
    names: dict[Expression, Expression] = {
        Z: symbol(f"z_{own}"),
        A: symbol(f"a_{own}"),
        Y: symbol(f"y_{own}"),
        SEED: partial(J, symbol(f"a_{own}")),
        DIRECTION: symbol(f"v_{own}"),
    }
    if e in names:
        return names[e]
    if not isinstance(e, Apply):
        return e
    if e.operation in REDUCTIONS:
        index = inner_index(own)
        return reduction_over(index, e.operation, per_unit(e.arguments[0], index))
    return Apply(e.operation, tuple(per_unit(part, own) for part in e.arguments))
