"""Lines of generated source, marked with the nodes of the derivation that they compute.

A line may compute a node in another form than the derivation writes it. Whether the two are the
same function is found by comparing their values in many digits at places of either sign of z; what
agrees on one sign only is marked so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import mpmath

from chainrule.derivations import (
    Graph,
    TimeLimitError,
    computation_graph,
    evaluate,
    node_names,
    node_values,
    time_limit,
)
from chainrule.documents import partial, symbol, text_of
from chainrule.formulas import (
    COMPARISONS,
    Apply,
    Expression,
    Formula,
    Parameter,
    Variable,
    constant,
    subexpressions,
    substitute,
)
from chainrule.kernels.source._lines import parameter_name
from chainrule.kernels.source._reading import Statement, on_side, read_body

DIGITS = 40
_SAME = mpmath.mpf(10) ** -11  # the source's constants are doubles
_SIDES = (
    (" (z >= 0)", ("0.1129", "0.3137", "0.7291", "1.6183", "2.7512", "4.2137")),
    (" (z < 0)", ("-0.1371", "-0.3391", "-0.8011", "-1.4142", "-2.5182", "-4.1237")),
)
_FEWEST, _MOST = 3, 4
LARGEST_GRAPH = 300
SECONDS = 2.0

Values = tuple[Any, ...]
Quantities = dict[str, Values]


def marked(body: Sequence[str], formula: Formula, *, slope: bool) -> list[str]:
    """Return the lines of a scalar function, each with a comment that names what it computes.

    Examples
    --------
    >>> from chainrule.formulas import parse
    >>> for line in marked(["t = exp(-z)", "return 1.0 / (1.0 + t)"],
    ...                    parse("1/(1 + exp(-z))"), slope=False):
    ...     print(line)
    t = exp(-z)  # u2
    return 1.0 / (1.0 + t)  # u4
    """
    graph = computation_graph(formula.expression)
    if len(graph.order) > LARGEST_GRAPH:
        return list(body)
    try:
        with mpmath.workdps(DIGITS), time_limit(SECONDS):
            statements = tuple(replace(s, value=as_mathematics(s.value)) for s in read_body(body))
            own, varied = (
                _matches(statements, graph, parameters, slope=slope)
                for parameters in parameter_sets(formula)
            )
    except (ArithmeticError, KeyError, ValueError, TimeLimitError):
        return list(body)  # a line without a name computes the same
    return [_commented(line, kept(own[k], varied[k])) for k, line in enumerate(body)]


def parameter_sets(formula: Formula) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the parameters, and others nearby: at ``alpha = 1`` much is equal by chance."""
    values = {name: mpmath.mpf(value) for name, value in formula.parameters}
    nearby = {name: value * (1 + mpmath.mpf(k + 1) / 97) for k, (name, value) in
              enumerate(values.items())}  # fmt: skip
    return values, nearby


def kept(own: list[Any], varied: list[Any]) -> list[Any]:
    """Keep what agrees for other parameters too, if anything does."""
    return [match for match in own if match in varied] or own


def _matches(
    statements: tuple[Statement, ...], graph: Graph, parameters: Mapping[str, Any], *, slope: bool
) -> list[list[tuple[str, str]]]:
    """Return, line by line, the names of what is computed, each with the sign of z."""
    found: list[list[tuple[str, str]]] = [[] for _ in range(1 + max(s.line for s in statements))]
    result = text_of(node_names(graph)[graph.output])
    if slope:
        result = text_of(partial(symbol("a"), symbol("u0")))
    source_values = {parameter_name(name): value for name, value in parameters.items()}
    for side, places in _SIDES:
        known = _quantities(graph, parameters, places, slope=slope)
        computed: dict[int, list[Any]] = {s.line: [] for s in statements}
        for place in places:
            values = {**source_values, "z": mpmath.mpf(place)}
            for s in statements:
                values[s.name] = evaluate(s.value, values)
                computed[s.line].append(values[s.name])
        for line, results in computed.items():
            if line == statements[-1].line:  # the result is one quantity, be it 1 on one side
                names = [result] * _same(tuple(results), known[result], shared=True)
            else:
                names = names_of(tuple(results), known, shared=False)
            found[line] += [(name, side) for name in names]
    return found


def _quantities(
    graph: Graph, parameters: Mapping[str, Any], places: Sequence[str], *, slope: bool
) -> Quantities:
    """Return the values of all nodes, and of ∂a/∂u at them, at some places."""
    at = [node_values(graph, {**parameters, "z": mpmath.mpf(place)}) for place in places]
    names = node_names(graph)
    known = {text_of(name): tuple(v.forward[k] for v in at) for k, name in names.items()}
    if slope:
        for k in reversed(graph.order):
            label = text_of(partial(symbol("a"), names[k]))
            known[label] = tuple(v.backward[k] for v in at)
    return known


@dataclass(frozen=True)
class StepLines:
    """Where the source computes a step of the derivation, beyond what its comments name.

    Parameters
    ----------
    name : str
        Of the node, or of the derivative by it.
    lines : tuple of int
        Lines that have its value on the way, perhaps with the other sign, or as that of another.
    reason : str
        Why no line need compute it.
    """

    name: str
    lines: tuple[int, ...] = ()
    reason: str = ""


def lines_of_steps(
    formula: Formula, functions: Mapping[str, Sequence[Statement]]
) -> tuple[StepLines, ...]:
    """Find where the lines of element-wise source have the steps that no comment names.

    Parameters
    ----------
    formula : Formula
    functions : mapping of str to sequence of Statement
        ``activation`` and ``derivative``, as `read_functions` reads them.
    """
    graph = computation_graph(formula.expression)
    if len(graph.order) > LARGEST_GRAPH:
        return ()
    parameters = parameter_sets(formula)[1]
    lines: dict[str, set[int]] = {}
    values: Quantities = {}
    try:
        with mpmath.workdps(DIGITS), time_limit(SECONDS):
            for _, places in _SIDES:
                known = _quantities(graph, parameters, places, slope=True)
                for name, found in known.items():
                    values[name] = (*values.get(name, ()), *found)
                for function, statements in functions.items():
                    nodes = {n: v for n, v in known.items() if function == "derivative" or
                             not n.startswith("∂")}  # fmt: skip
                    for line, found in _parts(statements, parameters, places):
                        for name in _names_up_to_sign(found, nodes):
                            lines.setdefault(name, set()).add(line)
    except (ArithmeticError, KeyError, ValueError, TimeLimitError):
        return ()
    return tuple(
        StepLines(name, tuple(sorted(lines.get(name, ()))), _reason(found))
        for name, found in values.items()
    )


def _reason(values: Values) -> str:
    """Say why no line may be needed for a quantity."""
    first = values[0]
    if any(value != first for value in values):
        return "no line: another form is computed"
    if first == 1:
        return "no line: a factor of 1 costs nothing"
    return "no line: nothing passes" if first == 0 else "no line: a constant"


def _parts(
    statements: Sequence[Statement], parameters: Mapping[str, Any], places: Sequence[str]
) -> Iterator[tuple[int, Values]]:
    """Yield what the lines compute on the way to their values, at places of one sign."""
    at: list[dict[str, Any]] = [
        {**{parameter_name(n): v for n, v in parameters.items()}, "z": mpmath.mpf(place)}
        for place in places
    ]
    is_right = not places[0].startswith("-")
    for s in statements:
        value = on_side(as_mathematics(s.value), right=is_right)
        for part in subexpressions(value):
            if part == Variable("z") or (
                isinstance(part, Apply) and part.operation not in COMPARISONS
            ):
                yield s.line, tuple(evaluate(part, values) for values in at)
        for values in at:
            values[s.name] = evaluate(value, values)


def _names_up_to_sign(results: Values, known: Quantities) -> list[str]:
    opposite = tuple(-x for x in results)
    return [
        name
        for name, wanted in known.items()
        if _same(results, wanted, shared=False) or _same(opposite, wanted, shared=False)
    ]


def names_of(results: Values, known: Quantities, *, shared: bool) -> list[str]:
    """Return the names of the quantities that have these values: nodes, else derivatives.

    Without `shared`, what is the same at every place has no name: too much equals 1.
    """
    names = [name for name, wanted in known.items() if _same(results, wanted, shared=shared)]
    nodes = [name for name in names if "∂" not in name]
    return (nodes or names)[:_MOST]


def _same(results: Values, wanted: Values, *, shared: bool) -> bool:
    pairs = [
        (x, y)
        for x, y in zip(results, wanted, strict=True)
        if mpmath.isfinite(x) and mpmath.isfinite(y)
    ]
    return (
        len(pairs) >= _FEWEST
        and (shared or any(y != pairs[0][1] for _, y in pairs))
        and all(abs(x - y) <= _SAME * abs(y) for x, y in pairs)
    )


def _commented(line: str, found: list[tuple[str, str]]) -> str:
    """Append names: those that hold for both signs of z, then the others with their sign."""
    sides: dict[str, list[str]] = {}
    for name, side in found:
        sides.setdefault(name, []).append(side)
    both = [name for name, held in sides.items() if len(held) == 2]
    # One line in one form is the same node on both sides, or it is two.
    one = [] if both else [name + held[0] for name, held in sides.items()]
    return f"{line}  # {', '.join(both + one)}" if both or one else line


def as_mathematics(e: Expression) -> Expression:
    """Write what only the source knows by functions that have values in many digits."""

    def known(part: Expression) -> Expression | None:
        match part:
            case Apply("held", (inner,)):
                return as_mathematics(inner)
            case Apply("erfc", (inner,)):
                return Apply("subtract", (constant(1), Apply("erf", (as_mathematics(inner),))))
            case Apply("erfcx", (inner,)):
                square = Apply("power", (inner, constant(2)))
                return as_mathematics(
                    Apply("multiply", (Apply("exp", (square,)), Apply("erfc", (inner,))))
                )
            case Parameter(name):
                return Variable(parameter_name(name))
        return None

    return substitute(e, known)
