"""Long sides of equations, broken where a typesetter would break them."""

from __future__ import annotations

import re
from fractions import Fraction

from chainrule.documents._latex import (
    Cases,
    applied_latex,
    cases_of,
    conditions_latex,
    is_long_exponent,
    is_tall,
    latex_of,
    sum_latex,
)
from chainrule.documents._notation import is_negated, sign_first
from chainrule.documents._symbols import GREEK_LETTERS
from chainrule.formulas import Apply, Constant, Expression, Parameter, Pi, Variable, to_text

WIDTH = 58.0  # letters of a line of text, beside the left side and the sign of equality
_SMALLER = 0.72
_SHORTEST, _NARROWEST_CASE = 13.0, 18.0  # what is shorter is not worth a break

Piece = tuple[str, float]


def side_lines(e: Expression, width: float = WIDTH) -> list[str]:
    r"""Return a side of an equation as lines of LaTeX, each filled with pieces.

    Examples
    --------
    >>> from chainrule.formulas import parse
    >>> side_lines(parse("exp(z) + z").expression)
    ['e^{z} + z']
    >>> side_lines(parse("exp(z) + log(1 + z)*tanh(z)").expression, 14)
    ['e^{z}', '+ \\log(1 + z)', '\\cdot \\tanh(z)']
    """
    return [text for text, _ in sized_lines(e, width)]


def sized_lines(e: Expression, width: float = WIDTH) -> list[Piece]:
    """Return a side of an equation as lines of LaTeX, and about how wide each is."""
    lines: list[Piece] = []
    for text, size in pieces(e, width):
        if lines and lines[-1][1] + size <= width:
            before, filled = lines.pop()
            lines.append((f"{before} {text}", filled + size))
        else:
            lines.append((text, size))
    return lines


def pieces(e: Expression, width: float = WIDTH) -> list[Piece]:
    """Return what may stand on a line of its own, in order, as LaTeX, and about how wide it is.

    Sums break first, then products and quotients, then what stands in the brackets of a function.
    """
    if letters(e) <= max(width, _SHORTEST) or not isinstance(e, Apply):
        return [(latex_of(e), letters(e))]
    x = e.arguments
    if e.operation in ("multiply", "divide") and is_negated(x[0]):
        return pieces(sign_first(e), width)
    match e.operation:
        case "add" | "subtract":
            sign = "+" if e.operation == "add" else "-"
            if _is_negative(x[1]) or (e.operation == "subtract" and _is_sum(x[1])):
                right = _bracketed(x[1], width)
            else:
                right = pieces(x[1], width)
            return [*pieces(x[0], width), *_preceded(f"{sign} ", right)]
        case "negate":
            return _preceded("-", _factor(x[0], width))
        case "multiply" | "hadamard" | "matrix_product":
            sign = {"hadamard": r"\odot ", "multiply": r"\cdot "}.get(e.operation, "")
            return [*_factor(x[0], width), *_preceded(sign, _factor(x[1], width))]
        case "divide":
            below = pieces(x[1], width) if _is_below(x[1]) else _bracketed(x[1], width)
            return [*_factor(x[0], width), *_preceded(r"\big/ ", below)]
        case "exp" if is_long_exponent(x[0]):
            return _preceded(r"\exp", _bracketed(x[0], width))
        case "power" if letters(x[1]) < 4:
            base = pieces(x[0], width) if _is_bound(x[0]) else _bracketed(x[0], width)
            return _raised(base, x[1])
        case "sqrt":
            return _raised(_bracketed(x[0], width), Constant(Fraction(1, 2)))
        case "abs":
            return _bracketed(x[0], width, "|", "|")
        case "where":
            return [_cases(e, width)]
    of_units = sum_latex(e.operation)
    if of_units is not None:
        return _preceded(of_units, _factor(x[0], width))
    name = applied_latex(e.operation)
    if name is None:
        return [(latex_of(e), letters(e))]
    *others, last = (pieces(part, width) for part in x)
    inner = [piece for part in others for piece in _followed(part, ",")]
    return _preceded(name, _enclosed([*inner, *last], "(", ")"))


def _cases(e: Apply, width: float) -> Piece:
    """Return cases each of which may take several lines."""
    cases = cases_of(e)
    beside = _room_of_conditions(cases)
    is_stacked = width - beside < _NARROWEST_CASE
    room = max(width - 2.0, _SHORTEST) if is_stacked else width - beside
    rows = []
    for (value, _), when in zip(cases, conditions_latex(cases), strict=True):
        first, *further = side_lines(value, room)
        if is_stacked:
            rows += [first, *(rf"\quad {line}" for line in [*further, when])]
        else:
            rows += [f"{first} & {when}", *(rf"\quad {line}" for line in further)]
    body = r" \\ ".join(rows)
    widest = min(max(letters(value, slashed=True) for value, _ in cases), room)
    size = max(widest, beside) if is_stacked else widest + beside
    return rf"\begin{{cases}} {body} \end{{cases}}", size


def _room_of_conditions(cases: Cases) -> float:
    return 4.0 + max(letters(c, slashed=True) + 2.0 if c else 5.0 for _, c in cases)


def _factor(e: Expression, width: float) -> list[Piece]:
    return _bracketed(e, width) if _is_sum(e) else pieces(e, width)


def _is_sum(e: Expression) -> bool:
    return isinstance(e, Apply) and e.operation in ("add", "subtract", "negate")


def _is_negative(e: Expression) -> bool:
    return is_negated(e) or (
        isinstance(e, Apply)
        and e.operation in ("multiply", "divide")
        and is_negated(e.arguments[0])
    )


def _is_bound(e: Expression) -> bool:
    """Tell whether a power or a slash before an expression takes hold of all of it."""
    return not isinstance(e, Apply) or applied_latex(e.operation) is not None


def _is_below(e: Expression) -> bool:
    """Tell whether an expression stands after a slash without brackets."""
    return _is_bound(e) or (
        isinstance(e, Apply) and e.operation in ("sqrt", "abs", "exp", "power", "count")
    )


def _bracketed(e: Expression, width: float, left: str = "(", right: str = ")") -> list[Piece]:
    return _enclosed(pieces(e, width), left, right)


def _enclosed(inner: list[Piece], left: str, right: str) -> list[Piece]:
    """Return pieces in brackets as high as the highest of them."""
    big = "bigg" if any(is_tall(text) for text, _ in inner) else "big"
    return _followed(_preceded(rf"\{big}l{left}", inner), rf"\{big}r{right}")


def _raised(inner: list[Piece], exponent: Expression) -> list[Piece]:
    *first, (last, size) = inner
    power = latex_of(Apply("power", (Variable("z"), exponent))).removeprefix("z")
    return [*first, (last + power, size + letters(exponent))]


def _preceded(sign: str, inner: list[Piece]) -> list[Piece]:
    (text, size), *rest = inner
    return [(sign + text, size + 2), *rest]


def _followed(inner: list[Piece], sign: str) -> list[Piece]:
    *rest, (text, size) = inner
    return [*rest, (text + sign, size + 1)]


def letters(e: Expression, *, slashed: bool = False) -> float:
    """Return about how many letters wide an expression is set, maybe with slashes only."""
    if not isinstance(e, Apply):
        return _letters_of_atom(e)
    match e.operation:
        case "divide" if not slashed:
            return max(letters(part, slashed=True) for part in e.arguments)
        case "power":
            base, exponent = e.arguments
            raised = _SMALLER * letters(exponent, slashed=True)
            return letters(base, slashed=slashed) + raised + 2.0 * _is_sum(base)
        case "exp" if not is_long_exponent(e.arguments[0]):
            return 1.0 + _SMALLER * letters(e.arguments[0], slashed=True)
        case "where":
            cases = cases_of(e)
            widest = max(letters(value, slashed=True) for value, _ in cases)
            return widest + _room_of_conditions(cases)
    # Looked at for these alone: what looked at all parts in two ways would take ages where deep.
    x = [letters(part, slashed=slashed) for part in e.arguments]
    brackets = 2.0 * sum(map(_is_sum, e.arguments))
    match e.operation:
        case "divide":
            return sum(x) + 1.0 + brackets
        case "partial" | "partial_twice":
            return max(x[0], sum(x[1:])) + 1.0
        case "exp":
            return 4.0 + x[0]
        case "negate":
            return 1.5 + x[0]
        case "multiply":
            return sum(x) + 0.5 + brackets
        case "add" | "subtract" | "hadamard":
            return sum(x) + 2.5
        case "sqrt" | "abs":
            return 1.5 + x[0]
    if sum_latex(e.operation) is not None:
        return (7.5 if "mean" in e.operation else 6.0) + x[0]
    return 2.0 + min(len(e.operation), 9) + sum(x) + len(x)


def _letters_of_atom(e: Constant | Pi | Variable | Parameter) -> float:
    if isinstance(e, Constant):
        return float(len(to_text(e)))
    if isinstance(e, Pi):
        return 1.0
    letter, _, index = re.sub(r"(?<=[A-Za-z])_?(?=[\d\[])", "_", e.name).partition("_")
    return (1.0 if letter in GREEK_LETTERS else len(letter)) + 0.6 * len(index)
