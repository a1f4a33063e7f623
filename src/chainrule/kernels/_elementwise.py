"""Source of scalar functions: an element-wise activation and its derivative."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache, partial

import mpmath

from chainrule.derivations import (
    Breakpoint,
    Piece,
    Pieces,
    TooManyPiecesError,
    computation_graph,
    derivative_in_variables,
    evaluate,
    has_no_value,
    smooth_pieces,
    time_budget,
)
from chainrule.formulas import (
    Apply,
    Constant,
    Expression,
    Formula,
    subexpressions,
    to_text,
    variables_of,
)
from chainrule.kernels.fitting._repair import loses_nothing, repaired
from chainrule.kernels.source._annotations import marked
from chainrule.kernels.source._joined_calls import with_joined_calls
from chainrule.kernels.source._lines import number, operation, parameter_name, written
from chainrule.kernels.source._rational import Lines, replaced
from chainrule.kernels.source._smooth import stable_form
from chainrule.kernels.source._thresholds import number_beside
from chainrule.kernels.source._written_out import direct, slope_through_nodes
from chainrule.kernels.stable_forms._branches import Branches, Choice, branches_of
from chainrule.kernels.stable_forms._rewrite import (
    difference_of_roots,
    log_of_sum_with_root,
    rewrite,
    root_of_square,
)

_SECONDS = 24.0  # far above what formulas take, so that every run makes the same kernels
_TRIED = (1.0, 0.61, 1.37)  # times the values of parameters
_ARITHMETIC = ("add", "subtract", "multiply", "divide", "negate")
_SIGN = "copysign(1.0, z)"  # zeros have one too
DECORATOR = '@njit(forceinline=True, error_model="numpy", fastmath={"contract", "nsz"})'


def scalar_function(
    formula: Formula,
    dtype: str,
    *,
    slope: bool,
    name: str = "",
    for_other_values: bool = False,
) -> list[str]:
    """Return the source of a function of `z` and the parameters, or of its slope, line by line.

    Without a name of its own it is ``activation`` or ``derivative``, of the function that is
    derived: its lines name the derivation's nodes. It is right `for_other_values` of the
    parameters, too, if nothing in it has been fitted for the given ones.
    """
    arguments = ["z", *(parameter_name(name) for name, _ in formula.parameters)]
    with time_budget(_SECONDS):
        body = _body(formula, dtype, slope=slope, for_other_values=for_other_values)
    if not name:
        name, body = "derivative" if slope else "activation", marked(body, formula, slope=slope)
    return _function(name, arguments, body, "∂a/∂z" if slope else f"a = {formula.text}")


def scalar_functions(
    formula: Formula,
    dtype: str,
    value_name: str = "",
    slope_name: str = "",
    *,
    for_other_values: bool = False,
) -> list[str]:
    """Return the source of a function and of its slope; see `scalar_function`."""
    made = partial(scalar_function, formula, dtype, for_other_values=for_other_values)
    return [
        *made(slope=False, name=value_name), "", "", *made(slope=True, name=slope_name)
    ]  # fmt: skip


def _function(name: str, arguments: Sequence[str], body: Sequence[str], says: str) -> list[str]:
    head = f"def {name}({', '.join(arguments)}):"
    return [DECORATOR, head, f'    """{says}"""', *(f"    {line}" for line in body)]


def _body(formula: Formula, dtype: str, *, slope: bool, for_other_values: bool) -> list[str]:
    mended = partial(repaired, slope=slope, for_other_values=for_other_values)
    formula = replace(formula, expression=rewrite(formula.expression, rules=(root_of_square,)))
    try:
        pieces = smooth_pieces(formula)
    except TooManyPiecesError:
        lines, result = mended(formula, _uncut(formula, slope=slope), [], dtype)
        return [*lines, f"return {result}"]
    statements, result = _unrepaired(formula, pieces, slope=slope)
    places = [b.place for b in pieces.breakpoints]
    source = [*statements], result
    if dtype == "float64" and len(pieces.pieces) == 1:
        written_out = direct(_as_written(pieces.pieces[0], slope=slope), "")
        if not loses_nothing(formula, source, dtype, slope=slope) and loses_nothing(
            formula, written_out, dtype, slope=slope
        ):
            source = written_out
    lines, chosen = mended(formula, source, places, dtype)
    if not slope and _has_constants(pieces):
        chosen = f"z if z != z else ({chosen})"
    return [*lines, f"return {chosen}"]


def _uncut(formula: Formula, *, slope: bool) -> tuple[list[str], str]:
    """Compute a formula that is not cut into pieces by its branches, or along its graph."""
    if (found := _over_branches(formula, slope=slope)) is not None:
        return found
    return direct(slope_through_nodes(formula) if slope else formula.expression, "")


def _has_constants(pieces: Pieces) -> bool:
    values = [piece.expression for piece in pieces.pieces]
    return len(values) > 1 and any("z" not in variables_of(e) for e in values)


@lru_cache(maxsize=8)
def _unrepaired(formula: Formula, pieces: Pieces, *, slope: bool) -> tuple[tuple[str, ...], str]:
    """Return statements and the result before they are mended for a dtype."""
    values = dict(formula.parameters)
    expressions = [_before_algebra(piece, slope=slope) for piece in pieces.pieces]
    if (shared := _shared_by_sides(pieces, expressions, values)) is not None:
        return shared
    places = [float("-inf"), *(b.place for b in pieces.breakpoints), float("inf")]
    lines: list[str] = []
    results = []
    for k, expression in enumerate(expressions):
        if len(expressions) > 1 and has_no_value(
            pieces.pieces[k].expression, values, places[k], places[k + 1]
        ):
            # Not even a slope: 1/z has a value where log(z) has none.
            results.append("np.nan")
            continue
        sides = (places[k] < 0, places[k + 1] > 0)
        suffix = f"{k}" if len(expressions) > 1 else ""
        is_line = not slope and "z" not in variables_of(pieces.pieces[k].derivative)
        line = _line(expression, values, suffix) if is_line else None
        source = pieces.pieces[k].expression if slope else None
        added, result = line or _smooth(expression, values, sides, suffix, source)
        lines += [line for line in added if line not in lines]
        results.append(result)
    chosen = results[-1]
    for k in range(len(pieces.breakpoints) - 1, -1, -1):
        chosen = _joined(pieces.breakpoints[k], results[k], chosen, slope=slope)
    return tuple(lines), chosen


def _before_algebra(piece: Piece, *, slope: bool) -> Expression:
    """Return a piece's value or slope with rewritings of roots that no algebra of them finds.

    Beside a logarithm there is an inverse hyperbolic sine; where two roots cancel, so would those
    in the slope.
    """
    without = rewrite(piece.expression, rules=(difference_of_roots,))
    expression = without
    if slope:
        is_same = without == piece.expression
        expression = piece.derivative if is_same else derivative_in_variables(without)
    return rewrite(expression, rules=(log_of_sum_with_root,))


def _shared_by_sides(
    pieces: Pieces, expressions: Sequence[Expression], values: dict[str, float]
) -> tuple[tuple[str, ...], str] | None:
    """Return two fractions that meet at 0 over |z|, which often differ in a sign alone."""
    if [b.place for b in pieces.breakpoints] != [0.0]:
        return None
    before, after = expressions
    if not _agree_at_zero(before, after, values):
        return None
    sides = ((-math.inf, 0.0), (0.0, math.inf))
    if any(
        has_no_value(piece.expression, values, *ends)
        for piece, ends in zip(pieces.pieces, sides, strict=True)
    ):
        return None
    if (right := stable_form(after, values, 1)) is None:
        return None
    left = stable_form(before, values, -1)
    if left is None or left.denominator != right.denominator:
        return None
    lines, result = _two_sided(left, right, "")
    return tuple(lines), result


def _agree_at_zero(left: Expression, right: Expression, values: dict[str, float]) -> bool:
    """Tell whether two expressions have the same value at 0, for other parameters too."""
    try:
        others = ({name: mpmath.mpf(value * k) for name, value in values.items()} for k in _TRIED)
        places = [{"z": mpmath.mpf(0), **parameters} for parameters in others]
        return all(evaluate(left, place) == evaluate(right, place) for place in places)
    except (ArithmeticError, ValueError):
        return False


def _joined(at: Breakpoint, left: str, right: str, *, slope: bool) -> str:
    owner = at.slope_from if slope else at.value_from
    sign = "<=" if owner == "left" else "<"
    place = written(at.location, lambda e: None)
    if isinstance(at.location, Constant) and float(at.location.value) != at.location.value:
        # It is no number of either format: which owns it makes no difference.
        place = number_beside(at.location.value, "up_to" if owner == "left" else "from", "double")
    elif owner == "own":
        own = number(at.slope) if slope else written(at.value, lambda e: None)
        right = f"({own} if z == {place} else ({right}))"
    if slope:
        # A NaN is on no side of a kink: I(NaN > 0) = 0, as in the equations.
        turned = ">" if owner == "left" else ">="
        return f"({right}) if z {turned} {place} else ({left})"
    return f"({left}) if z {sign} {place} else ({right})"


def _line(
    expression: Expression, values: dict[str, float], suffix: str
) -> tuple[list[str], str] | None:
    """Return a line as one fraction: ``z/w + 1/2`` is ``(2 z + w) / (2 w)``, exact at its zero."""
    if not any(
        isinstance(e, Apply) and e.operation == "divide" for e in subexpressions(expression)
    ):
        return None
    form = stable_form(expression, values, None, always=True)
    return None if form is None else _renamed(form, suffix)


def _smooth(
    expression: Expression,
    values: dict[str, float],
    sides: tuple[bool, bool],
    suffix: str,
    source: Expression | None,
) -> tuple[list[str], str]:
    """Return statements and the result for one smooth expression; (left, right) of zero needed.

    `source` is the function of which it is the slope, if it is one.
    """
    both = stable_form(expression, values, None)
    if both is not None:
        return _renamed(both, suffix)
    right = stable_form(expression, values, 1) if sides[1] else None
    left = stable_form(expression, values, -1) if sides[0] else None
    if (right is None) == sides[1] or (left is None) == sides[0]:
        return direct(expression if source is None else _shorter(expression, source), suffix)
    if right is None or left is None:
        only = right or left
        assert only is not None
        statements, result = _renamed(only, suffix)
        return ["x = abs(z)", *statements], result
    return _two_sided(left, right, suffix)


def _as_written(piece: Piece, *, slope: bool) -> Expression:
    return _shorter(piece.derivative, piece.expression) if slope else piece.expression


def _shorter(slope: Expression, source: Expression) -> Expression:
    """Return a slope as it is derived and shown, where fewer functions are in it."""
    if not variables_of(slope):
        return slope
    return min(slope, derivative_in_variables(source), key=_functions_in)


def _functions_in(e: Expression) -> int:
    """Count the different calls in an expression, arithmetic apart."""
    graph = computation_graph(rewrite(e))
    nodes = (graph.nodes[k] for k in graph.reached())
    return sum(node.leaf is None and node.operation not in _ARITHMETIC for node in nodes)


def _two_sided(left: Lines, right: Lines, suffix: str) -> tuple[list[str], str]:
    """Share what both signs of z need, and divide once."""
    lines = ["x = abs(z)"]
    parts = {}
    for side, form in (("left", left), ("right", right)):
        renamed = _own_names(form, right if side == "left" else left, f"{suffix}_{side}")
        lines += [replaced(line, renamed) for line in form.statements]
        parts[side] = (replaced(form.numerator, renamed), replaced(form.denominator, renamed))
    lines, joined = with_joined_calls(list(dict.fromkeys(lines)))
    (left_above, left_below), (right_above, right_below) = (
        [replaced(text, joined) for text in parts[side]] for side in ("left", "right")
    )
    if not suffix and left_below == right_below and _are_opposite(left_above, right_above):
        # What has another argument on either side of 0 has the right one's at both zeros.
        vanishes = "x" in right_above.removeprefix("-").split(" * ")
        sign = _SIGN if vanishes or not joined else "(1.0 if z >= 0.0 else -1.0)"
        if right_below == "1.0":
            return lines, f"({right_above}) * {sign}"
        lines += [f"numerator = {right_above}", f"denominator = {right_below}"]
        return lines, f"numerator / denominator * {sign}"
    above = f"(({right_above}) if z >= 0.0 else ({left_above}))"
    if left_above == right_above:
        above = f"({left_above})"
    if left_below == right_below == "1.0":
        return lines, above
    below = f"({right_below}) if z >= 0.0 else ({left_below})"
    if left_below == right_below:
        below = left_below
    if suffix:  # one piece of several: computed only where it is chosen
        return lines, f"{above} / ({below})"
    lines += [f"numerator = {above[1:-1]}", f"denominator = {below}"]
    return lines, "numerator / denominator"


def _are_opposite(left: str, right: str) -> bool:
    """Tell whether two products are seen to differ in their signs alone."""
    is_sum = re.search(r" [+-] | if ", left)
    return is_sum is None and (left == f"-{right}" or right == f"-{left}")


def _own_names(form: Lines, other: Lines, suffix: str) -> dict[str, str]:
    """Return new names for what this side computes otherwise than the other one."""
    renamed: dict[str, str] = {}
    for line in form.statements:
        name = line.split(" = ")[0]
        if line not in other.statements or replaced(line, renamed) != line:
            renamed[name] = name + suffix
    return renamed


def _renamed(form: Lines, suffix: str) -> tuple[list[str], str]:
    own = form.renamed(suffix)
    return [*own.statements], own.value


def _over_branches(formula: Formula, *, slope: bool) -> tuple[list[str], str] | None:
    """Compute every branch in its own stable form; None where no branch has one."""
    values = dict(formula.parameters)
    lines: list[str] = []
    known: dict[Expression, str] = {}
    is_stable = False

    def smooth(e: Expression, source: Expression | None = None) -> str:
        nonlocal is_stable
        if e not in known:
            suffix = f"{len(known)}"
            added, result = _smooth(e, values, (True, True), suffix, source)
            is_stable = is_stable or (added, result) != direct(e, suffix)
            assigned = {line.split(" = ")[0] for line in added} - {"x"}
            own = {name for name in assigned if not name.endswith(f"_{suffix}")}
            names = {name: f"{name}_{suffix}" for name in own}
            lines.extend(text for line in added if (text := replaced(line, names)) not in lines)
            known[e] = f"branch{suffix}"
            lines.append(f"{known[e]} = {replaced(result, names)}")
        return known[e]

    def written_out(part: Branches | None) -> str:
        if part is None:
            return "np.nan"
        if not isinstance(part, Choice):
            piece = Piece(part, derivative_in_variables(part) if slope else part)
            return smooth(_before_algebra(piece, slope=slope), part if slope else None)
        condition = operation(
            part.comparison.operation, tuple(map(smooth, part.comparison.arguments))
        )
        yes, no = written_out(part.yes), written_out(part.no)
        return f"({yes} if {condition} else {no})"

    if (branches := branches_of(formula.expression)) is None:
        return None
    result = written_out(branches)
    return (lines, result[1:-1]) if is_stable else None


def two_sided_function(
    name: str, expression: Expression, values: dict[str, float], parameters: Sequence[str]
) -> list[str] | None:
    """Return the source of a stable function of `z` and `y`, if there is such a form."""
    right, left = (stable_form(expression, values, side) for side in (1, -1))
    if right is None or left is None:
        return None
    lines, result = _two_sided(left, right, "")
    arguments = ["z", "y", *(parameter_name(p) for p in parameters)]
    return _function(name, arguments, [*lines, f"return {result}"], to_text(expression))
