"""Derivations as text for terminals: Unicode symbols, one equation a line."""

from __future__ import annotations

import re
import textwrap

from chainrule.documents._blocks import block_lines
from chainrule.documents._content import Equation, Section
from chainrule.documents._notation import is_negated, sign_first
from chainrule.documents._symbols import REDUCED_OVER
from chainrule.formulas import Apply, Constant, Expression, Parameter, Pi, Variable, to_text

_SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
_INFIX = {
    "greater": (" > ", 0),
    "less": (" < ", 0),
    "greater_equal": (" ≥ ", 0),
    "less_equal": (" ≤ ", 0),
    "equal": (" = ", 0),
    "not_equal": (" ≠ ", 0),
    "add": (" + ", 1),
    "subtract": (" - ", 1),
    "hadamard": (" ⊙ ", 2),
    "multiply": ("·", 2),
    "divide": ("/", 2),
    "matrix_product": (" ", 2),
}
_WORDS = {"maximum": "max", "minimum": "min", "indicator": "I"}
_SUMS = {
    "others": "Σ_{p≠j} ",
    "others_max": "max_{p≠j} ",
    "others_min": "min_{p≠j} ",
    "sum": "Σ_k ",
    "max": "max_k ",
    "min": "min_k ",
    "mean": "mean_k ",
    "sum_units": "Σ_p ",
    "sum_other_units": "Σ_{p≠j} ",
    "sum_axis": "Σ_axis ",
    "mean_axis": "mean_axis ",
    "max_axis": "max_axis ",
    "min_axis": "min_axis ",
    **{
        f"{name}_axis_{axis}": f"{sign}_{{axis={axis}}} "
        for name, sign in (("sum", "Σ"), ("mean", "mean"), ("max", "max"), ("min", "min"))
        for axis in (0, 1)
    },
    "sum_examples": "Σ_i ",
    "sum_next_units": "Σ_j ",
    **{
        f"{name}_{index}": f"{sign}_{index} "
        for index in REDUCED_OVER
        for name, sign in (("sum", "Σ"), ("mean", "mean"), ("max", "max"), ("min", "min"))
    },
}
_RELATION = re.compile(r"\b(\w{1,3}) ([=<>≤≥≠]) (?=-?[\w.]{1,12}\b)")
_BREAKS = (" + ", " - ", " ⊙ ")
_ATOM = 9


def text_of(expression: Expression) -> str:
    """Return an expression in the notation of a derivation.

    Examples
    --------
    >>> from chainrule.formulas import parse
    >>> text_of(parse("-exp(-z)/(1 + exp(-z))**2").expression)
    '-exp(-z)/(1 + exp(-z))²'
    """
    return _text(expression)[0]


def _text(e: Expression) -> tuple[str, int]:
    if isinstance(e, Constant | Pi):
        text = "π" if isinstance(e, Pi) else to_text(e)
        return text, (_ATOM if text[0] != "-" and "/" not in text else 1 if text[0] == "-" else 2)
    if isinstance(e, Variable | Parameter):
        return e.name, _ATOM
    x = e.arguments
    if e.operation in ("multiply", "divide") and is_negated(x[0]):
        return _text(sign_first(e))
    if e.operation in _INFIX:
        sign, level = _INFIX[e.operation]
        right_level = level + 1 if e.operation in ("subtract", "divide") else level
        if e.operation == "divide":
            return f"{_factor(x[0], level)}/{_at(x[1], right_level)}", level
        left = _factor if e.operation == "multiply" else _at
        return f"{left(x[0], level)}{sign}{_right(x[1], right_level)}", level
    match e.operation:
        case "negate":
            return f"-{_summand(x[0])}", 1
        case "power":
            return _power(e), 5
        case "partial":
            return f"∂{text_of(x[0])}/∂{text_of(x[1])}", 4
        case "partial_twice":
            by = f"∂{text_of(x[1])}²" if len(x) == 2 else "".join(f"∂{text_of(u)}" for u in x[1:])
            return f"∂²{text_of(x[0])}/{by}", 4
        case "count":
            return "n", _ATOM
        case "polynomial":
            return f"P{text_of(x[0])}({text_of(x[1])})", _ATOM
        case "abs":
            return f"|{text_of(x[0])}|", _ATOM
        case "transpose":
            return f"{_at(x[0], _ATOM)}ᵀ", _ATOM
        case "broadcast":
            return f"broadcast({text_of(x[0])})", _ATOM
    if e.operation in _SUMS:
        return f"{_SUMS[e.operation]}{_summand(x[0])}", 1
    arguments = ", ".join(text_of(part) for part in x)
    return f"{_WORDS.get(e.operation, e.operation)}({arguments})", _ATOM


def _at(e: Expression, level: int) -> str:
    text, own = _text(e)
    return text if own >= level else f"({text})"


def _summand(e: Expression) -> str:
    """Write what is summed or negated; a sum there reaches to the end."""
    is_sum = isinstance(e, Apply) and e.operation in _SUMS
    return text_of(e) if is_sum else _at(e, 2)


def _factor(e: Expression, level: int) -> str:
    """Write a left factor or a dividend; a sum at its end would seem to hold what follows."""
    match e:
        case Apply("multiply", (x, Apply(operation) as last)) if operation in _SUMS:
            if not is_negated(x):
                return f"{_factor(x, level)}·({text_of(last)})"
    return _at(e, level)


def _right(e: Expression, level: int) -> str:
    """Write a right operand; a sum there reaches to the end, as it does on paper."""
    if isinstance(e, Apply) and e.operation in _SUMS:
        return text_of(e)
    return _at(e, level)


def _power(e: Apply) -> str:
    base, exponent = e.arguments
    if isinstance(exponent, Constant) and exponent.value.denominator == 1:
        return _at(base, 6) + str(exponent.value.numerator).translate(_SUPERSCRIPTS)
    return f"{_at(base, 6)}^{_at(exponent, 6)}"


def equation_text(e: Equation) -> str:
    """Return an equation on one line."""
    text = " = ".join(text_of(side) for side in e.sides)
    return f"{text}    {e.remark}" if e.remark else text


def sections_text(title: str, sections: tuple[Section, ...], width: int = 100) -> str:
    """Return a whole derivation; equations too long for a line go on under their first sign."""
    lines = [title, "=" * min(len(title), width)]
    for number, section in enumerate(sections, 1):
        lines += ["", f"{number}. {section.title}"]
        for sentence in section.sentences:
            lines += [f"   {line}" for line in _sentence_lines(sentence, max(20, width - 3))]
        for e in section.equations:
            lines += [f"      {line}" for line in _wrapped(e, width - 6)]
        for block in section.blocks:
            lines += ["", *(f"   {line}" for line in block_lines(block, max(20, width - 3)))]
    return "\n".join(lines)


def _sentence_lines(sentence: str, width: int) -> list[str]:
    """Break a sentence between words, and a short relation such as ``z > 0`` nowhere."""
    kept = _RELATION.sub("\\1\u00a0\\2\u00a0", sentence)
    return [line.replace("\u00a0", " ") for line in textwrap.wrap(kept, width)]


def _wrapped(e: Equation, width: int) -> list[str]:
    line = equation_text(e)
    if len(line) <= width or len(e.sides) < 2:
        return [line]
    left, *rights = (text_of(side) for side in e.sides)
    margin = " " * (len(left) + 3)
    lines: list[str] = []
    for right in rights:
        first, *further = _broken(right, width - len(margin))
        before = " " * len(left) if lines else left
        lines += [f"{before} = {first}", *(margin + part for part in further)]
    if e.remark and len(lines[-1]) + 4 + len(e.remark) <= width:
        lines[-1] += f"    {e.remark}"
    elif e.remark:
        lines.append(f"{margin}{e.remark}")
    return lines


def _broken(text: str, width: int) -> list[str]:
    """Break before signs: outside brackets first, sums before products, as late as fits.

    What goes on within a bracket stands below its first operand.
    """
    lines: list[str] = []
    open_columns: list[int] = []
    while True:
        indent = min(open_columns[-1], width // 2) if open_columns else 0
        if indent + len(text) <= width:
            break
        columns = list(open_columns)
        places: list[tuple[int, int, int, tuple[int, ...]]] = []
        for position, character in enumerate(text[: width - indent + 1]):
            if character in "([{":
                columns.append(indent + position + 1)
            elif character in ")]}" and columns:
                columns.pop()
            rank = _rank_of_sign(text, position)
            if position and rank is not None:
                places.append((len(columns), rank, -position, tuple(columns)))
        if not places:
            break
        _, rank, position, found = min(places)
        lines.append(" " * indent + text[:-position].rstrip())
        text = text[-position:].lstrip()
        open_columns = list(found)
    return [*lines, " " * indent + text]


def _rank_of_sign(text: str, position: int) -> int | None:
    """Return how well a line may begin with the sign at a place: sums best."""
    if text[position : position + 3] in _BREAKS:
        return 1 if text[position + 1] == "⊙" else 0
    return {"·": 2, "/": 3}.get(text[position]) if text[position - 1] == ")" else None
