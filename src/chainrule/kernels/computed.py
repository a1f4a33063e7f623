"""What the generated source computes, written as equations that its lines can be linked with."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from chainrule.derivations import (
    Graph,
    TooManyPiecesError,
    backward_graph,
    computation_graph,
    smooth_pieces,
    time_budget,
)
from chainrule.documents import Equation, partial, symbol
from chainrule.formulas import (
    COMPARISONS,
    Apply,
    Expression,
    Formula,
    Variable,
    substitute,
    variables_of,
)
from chainrule.kernels.source._annotations import StepLines, lines_of_steps
from chainrule.kernels.source._displayed import displayed_equations
from chainrule.kernels.source._displayed import is_rounded as is_rounded
from chainrule.kernels.source._reading import (
    RESULT,
    Statement,
    assigned_names,
    read_functions,
)
from chainrule.kernels.stable_forms._layer_form import layer_form
from chainrule.kernels.stable_forms._rewrite import Rewriting, rewrite

_INLINED = ("numerator", "denominator")
_SECONDS = 12.0


@dataclass(frozen=True)
class Computed:
    """One function of the generated source.

    Parameters
    ----------
    function : str
        Its name there.
    rewritings : tuple of Rewriting
        The steps from the formula to what is computed.
    equations : tuple of Equation
        What is computed, name by name; each equation is called ``function-name``.
    """

    function: str
    rewritings: tuple[Rewriting, ...]
    equations: tuple[Equation, ...]


def computed(formula: Formula, source: str) -> tuple[Computed, ...]:
    """Read what an activation's generated source computes, forward and backward.

    Parameters
    ----------
    formula : Formula
    source : str
        The source of its kernels.
    """
    if formula.is_layer_coupled:
        return _of_layer(formula)
    results = {"activation": symbol("a"), "derivative": partial(symbol("a"), symbol("z"))}
    read = read_functions(source, tuple(results))
    rewritings = _rewritings(formula)
    return tuple(
        Computed(
            name,
            rewritings[name] if _is_direct(statements) else (),
            _equations(name, statements, results[name]),
        )
        for name, statements in read.items()
    )


def line_names(source: str) -> tuple[tuple[int, str], ...]:
    """Return, line by line, what a line computes: ``function-name``, and its comment's names."""
    lines = source.splitlines()
    found: list[tuple[int, str]] = []
    for number, function, name in assigned_names(source):
        found.append((number, f"{function}-{name}"))
        _, _, comment = lines[number - 1].partition("  # ")
        found += [(number, part.partition(" (")[0]) for part in comment.split(", ") if comment]
    return tuple(found)


def step_lines(formula: Formula, source: str) -> tuple[StepLines, ...]:
    """Return where the source has the steps of the derivation of an element-wise formula."""
    if formula.is_layer_coupled:
        return ()
    return lines_of_steps(formula, read_functions(source, ("activation", "derivative")))


def _is_direct(statements: tuple[Statement, ...]) -> bool:
    """Tell whether a function goes along a graph, node by node, and not over decaying terms."""
    return any(re.fullmatch(r"v\d+(_\d+)?", s.name) for s in statements)


def _rewritings(formula: Formula) -> dict[str, tuple[Rewriting, ...]]:
    try:
        with time_budget(_SECONDS):
            pieces = smooth_pieces(formula).pieces
    except TooManyPiecesError:
        return {"activation": (), "derivative": ()}
    expressions = {
        "activation": [piece.expression for piece in pieces],
        "derivative": [piece.derivative for piece in pieces],
    }
    applied: dict[str, tuple[Rewriting, ...]] = {}
    for name, parts in expressions.items():
        steps: list[Rewriting] = []
        for part in parts:
            rewrite(part, steps)
        applied[name] = tuple(dict.fromkeys(steps))
    return applied


def _equations(
    function: str, statements: tuple[Statement, ...], result: Expression
) -> tuple[Equation, ...]:
    inlined: dict[Expression, Expression] = {}
    shown = []
    for s in statements:
        value = substitute(s.value, inlined.get)
        if s.name != RESULT and (s.name in _INLINED or _is_inlined(s.value)):
            inlined[Variable(s.name)] = value
        else:
            shown.append(Statement(s.name, value, s.line))
    return displayed_equations(function, _needed(shown), result)


def _is_inlined(value: Expression) -> bool:
    """Tell whether a value is no more than a name, or a condition."""
    return isinstance(value, Variable) or (
        isinstance(value, Apply) and value.operation in COMPARISONS
    )


def _needed(statements: Sequence[Statement]) -> tuple[Statement, ...]:
    """Leave out names that no later line uses: they serve where |z| is very large."""
    kept: list[Statement] = []
    used: frozenset[str] = frozenset()
    for s in reversed(statements):
        if s.name == RESULT or s.name in used:
            kept.insert(0, s)
            used |= variables_of(s.value)
    return tuple(kept)


def _of_layer(formula: Formula) -> tuple[Computed, ...]:
    forward: list[Rewriting] = []
    backward: list[Rewriting] = []
    values = computation_graph(layer_form(formula, sharp=True, applied=forward))
    differentiated = computation_graph(layer_form(formula, sharp=False, applied=backward))
    slopes = backward_graph(differentiated)[0]
    return (
        Computed("forward", _without_marks(forward), _along(values, "forward", symbol("a_j"))),
        Computed(
            "backward",
            _without_marks(backward),
            _along(slopes, "backward", partial(symbol("J"), symbol("z_j"))),
        ),
    )


def _without_marks(steps: list[Rewriting]) -> tuple[Rewriting, ...]:
    """Leave out what only differentiation asks: that an extreme is held as a constant."""
    return tuple(Rewriting(_unheld(r.before), _unheld(r.after), r.reason) for r in steps)


def _unheld(e: Expression) -> Expression:
    def known(part: Expression) -> Expression | None:
        match part:
            case Apply("held", (inner,)):
                return _unheld(inner)
        return None

    return substitute(e, known)


def _along(graph: Graph, function: str, result: Expression) -> tuple[Equation, ...]:
    names: dict[int, Expression] = {k: Variable(f"v{k}") for k in graph.order}
    equations = []
    for index in graph.reached():
        if index in names:
            sides = (names[index], _shown(graph.definition(index, names)))
            last = (result,) if index == graph.output else ()
            equations.append(Equation((*sides, *last), "", f"{function}-v{index}"))
    return tuple(equations)


def _shown(e: Expression) -> Expression:
    names: dict[Expression, Expression] = {
        Variable("g"): partial(symbol("J"), symbol("a_j")),
        Variable("z"): symbol("z_j"),
    }
    return substitute(_unheld(e), names.get)
