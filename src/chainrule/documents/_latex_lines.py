"""Long sides of equations in LaTeX, broken where a typesetter would break them."""

from __future__ import annotations

from chainrule.documents._latex import is_long_exponent, latex_of
from chainrule.formulas import Apply, Constant, Expression, Parameter, Pi, Variable, to_text

WIDTH = 58.0  # letters of a line of text, beside the left side and the sign of equality
_SMALLER = 0.72
_OPEN, _CLOSE = r"\bigl(", r"\bigr)"

Piece = tuple[str, float]


def side_lines(e: Expression, width: float = WIDTH) -> list[str]:
    r"""Return a side of an equation as lines; sums break first, then products and quotients.

    Examples
    --------
    >>> from chainrule.formulas import parse
    >>> side_lines(parse("exp(z) + z").expression)
    ['e^{z} + z']
    >>> side_lines(parse("exp(z) + z").expression, 2.5)
    ['e^{z}', '+ z']
    """
    if letters(e) <= width:
        return [latex_of(e)]
    lines: list[str] = []
    filled = 0.0
    for text, size in _pieces(e, width):
        if lines and filled + size <= width:
            lines[-1] += f" {text}"
            filled += size
        else:
            lines.append(text)
            filled = size
    return lines


def _pieces(e: Expression, width: float) -> list[Piece]:
    """Return what may stand on a line of its own, in order."""
    if letters(e) <= width or not isinstance(e, Apply):
        return [(latex_of(e), letters(e))]
    x = e.arguments
    match e.operation:
        case "add" | "subtract":
            sign = "+" if e.operation == "add" else "-"
            bracketed = e.operation == "subtract" and _is_sum(x[1])
            right = _bracketed(x[1], width) if bracketed else _pieces(x[1], width)
            return [*_pieces(x[0], width), *_preceded(f"{sign} ", right)]
        case "negate":
            return _preceded("-", _factor(x[0], width))
        case "multiply" | "hadamard":
            sign = r"\odot " if e.operation == "hadamard" else r"\cdot "
            return [*_factor(x[0], width), *_preceded(sign, _factor(x[1], width))]
        case "divide":
            return [*_factor(x[0], width), *_preceded(r"\big/ ", _bracketed(x[1], width))]
        case "exp" if is_long_exponent(x[0]):
            return _preceded(r"\exp", _bracketed(x[0], width))
        case "power" if letters(x[1]) < 4:
            *first, (last, size) = _bracketed(x[0], width)
            return [*first, (f"{last}^{{{latex_of(x[1])}}}", size + letters(x[1]))]
    return [(latex_of(e), letters(e))]


def _factor(e: Expression, width: float) -> list[Piece]:
    return _bracketed(e, width) if _is_sum(e) else _pieces(e, width)


def _is_sum(e: Expression) -> bool:
    return isinstance(e, Apply) and e.operation in ("add", "subtract", "negate")


def _bracketed(e: Expression, width: float) -> list[Piece]:
    pieces = _preceded(_OPEN, _pieces(e, width))
    text, size = pieces[-1]
    return [*pieces[:-1], (text + _CLOSE, size + 1)]


def _preceded(sign: str, pieces: list[Piece]) -> list[Piece]:
    (text, size), *rest = pieces
    return [(sign + text, size + 2), *rest]


def letters(e: Expression) -> float:
    """Return about how many letters wide an expression is set."""
    match e:
        case Constant():
            return float(len(to_text(e)))
        case Pi():
            return 1.0
        case Variable(name) | Parameter(name):
            return 1.0 + (0.6 * (len(name) - 1) if "_" in name or name[1:].isdigit() else 0.0)
        case Apply("divide", (above, below)):
            return max(letters(above), letters(below))
        case Apply("partial" | "partial_twice", (of, *by)):
            return max(letters(of), sum(map(letters, by))) + 1.0
        case Apply("power", (base, exponent)):
            return letters(base) + _SMALLER * letters(exponent) + 2.0 * _is_sum(base)
        case Apply("exp", (exponent,)) if is_long_exponent(exponent):
            return 4.0 + letters(exponent)
        case Apply("exp", (exponent,)):
            return 1.0 + _SMALLER * letters(exponent)
        case Apply("negate", (inner,)):
            return 1.5 + letters(inner)
        case Apply("where", (condition, yes, no)):
            return max(letters(yes), letters(no)) + letters(condition) + 5.0
        case Apply("multiply", (x, y)):
            return letters(x) + letters(y) + 0.5 + 2.0 * (_is_sum(x) + _is_sum(y))
        case Apply("add" | "subtract" | "hadamard", (x, y)):
            return letters(x) + letters(y) + 2.5
        case Apply(operation, arguments):
            return 2.0 + min(len(operation), 9) + sum(letters(part) + 1.0 for part in arguments)
