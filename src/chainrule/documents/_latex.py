"""Expressions as LaTeX."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum

from chainrule.documents._notation import is_negated, sign_first
from chainrule.documents._symbols import GREEK_COMMANDS, REDUCED_OVER
from chainrule.formulas import (
    Apply,
    Constant,
    Expression,
    Parameter,
    Pi,
    Variable,
    exact_decimal,
    to_text,
)

_INFIX = {
    "greater": (" > ", 0),
    "less": (" < ", 0),
    "greater_equal": (r" \ge ", 0),
    "less_equal": (r" \le ", 0),
    "equal": (" = ", 0),
    "not_equal": (r" \ne ", 0),
    "add": (" + ", 1),
    "subtract": (" - ", 1),
    "hadamard": (r" \odot ", 2),
    "multiply": (r" \, ", 2),
    "matrix_product": (r" \, ", 2),
}
_NAMED = {"exp", "log", "tanh", "sinh", "cosh", "sin", "cos", "max", "min", "arctan"}
_WORDS = {"maximum": "max", "minimum": "min", "atan": "arctan"}
_SUMS = {
    "others": r"\sum_{p \ne j} ",
    "others_max": r"\max_{p \ne j} ",
    "others_min": r"\min_{p \ne j} ",
    "sum": r"\sum_{k} ",
    "max": r"\max_{k} ",
    "min": r"\min_{k} ",
    "mean": r"\frac{1}{n} \sum_{k} ",
    "sum_units": r"\sum_{p} ",
    "sum_other_units": r"\sum_{p \ne j} ",
    "sum_axis": r"\sum_{\mathrm{axis}} ",
    "mean_axis": r"\operatorname{mean}_{\mathrm{axis}} ",
    "max_axis": r"\max_{\mathrm{axis}} ",
    "min_axis": r"\min_{\mathrm{axis}} ",
    **{
        f"{name}_axis_{axis}": rf"{sign}_{{\mathrm{{axis}}={axis}}} "
        for name, sign in (
            ("sum", r"\sum"),
            ("mean", r"\operatorname{mean}"),
            ("max", r"\max"),
            ("min", r"\min"),
        )
        for axis in (0, 1)
    },
    "sum_examples": r"\sum_{i} ",
    "sum_next_units": r"\sum_{j} ",
    **{
        f"{name}_{index}": rf"{sign}_{{{index}}} "
        for index in REDUCED_OVER
        for name, sign in (
            ("sum", r"\sum"),
            ("mean", r"\frac{1}{n} \sum"),
            ("max", r"\max"),
            ("min", r"\min"),
        )
    },
}
_WRITTEN_OTHERWISE = {
    *_INFIX, *_SUMS, "negate", "divide", "power", "sqrt", "polynomial", "abs", "partial",
    "partial_twice", "count", "transpose", "where", "indicator",
}  # fmt: skip
_MATRICES = frozenset("AHZY")
_ATOM = 9
Cases = tuple[tuple[Expression, Expression | None], ...]
_LONGEST_EXPONENT = 20  # characters: a longer one is written on the line
_TALL = (r"\frac", r"\sum", r"\begin", r"\left", r"\max_", r"\min_")


class _Style(Enum):
    """Where an expression stands: fractions nested in fractions become too small to read."""

    DISPLAY = 0
    LINE = 1  # they are written with a slash


def latex_of(expression: Expression) -> str:
    r"""Return an expression as LaTeX, in the form in which it stands.

    Examples
    --------
    >>> from chainrule.formulas import parse
    >>> print(latex_of(parse("1/(1 + exp(-z))").expression))
    \frac{1}{1 + e^{-z}}
    >>> print(latex_of(parse("exp(-z**2/2)").expression))
    e^{-z^{2}/2}
    """
    return _latex(expression, _Style.DISPLAY)[0]


def is_long_exponent(e: Expression) -> bool:
    """Tell whether ``exp(e)`` is better read on the line."""
    return len(to_text(e)) > _LONGEST_EXPONENT


def parenthesised(text: str) -> str:
    r"""Return LaTeX in parentheses, which grow where something in them is tall."""
    if is_tall(text):
        return rf"\left({text}\right)"
    return f"({text})"


def is_tall(text: str) -> bool:
    """Tell whether LaTeX is higher than a line."""
    return any(command in text for command in _TALL)


def sum_latex(operation: str) -> str | None:
    """Return the sign of a reduction over units or examples."""
    return _SUMS.get(operation)


def applied_latex(operation: str) -> str | None:
    """Return the name of what is written with its arguments in brackets after it."""
    name = _WORDS.get(operation, operation)
    if name in _NAMED:
        return rf"\{name}"
    return None if operation in _WRITTEN_OTHERWISE else rf"\operatorname{{{name}}}"


def cases_of(e: Expression) -> Cases:
    """Return the values of ``where(c, x, where(d, y, …))`` with their conditions, in order."""
    if not (isinstance(e, Apply) and e.operation == "where"):
        return ((e, None),)
    condition, yes, no = e.arguments
    return ((yes, condition), *cases_of(no))


def conditions_latex(cases: Cases) -> Iterator[str]:
    """Yield what stands beside each of some cases."""
    for number, (_, condition) in enumerate(cases):
        if condition is None:
            yield r"\text{otherwise}"
        else:
            word = "else if" if number else "if"
            yield rf"\text{{{word} }} {_latex(condition, _Style.LINE)[0]},"


def _latex(e: Expression, style: _Style) -> tuple[str, int]:
    if isinstance(e, Constant):
        return _number(e, style)
    if isinstance(e, Pi):
        return r"\pi", _ATOM
    if isinstance(e, Variable | Parameter):
        return name_latex(e.name), _ATOM
    x = e.arguments
    if e.operation in ("multiply", "divide") and is_negated(x[0]):
        return _latex(sign_first(e), style)
    if e.operation in _INFIX:
        sign, level = _INFIX[e.operation]
        right = level + 1 if e.operation == "subtract" else level
        if e.operation == "multiply" and isinstance(x[1], Constant):
            sign = r" \cdot "
        left = _factor if e.operation == "multiply" else _at
        return f"{left(x[0], level, style)}{sign}{_right(x[1], right, style)}", level
    match e.operation:
        case "negate":
            return f"-{_summand(x[0], style)}", 1
        case "divide":
            return _quotient(x[0], x[1], style)
        case "power":
            return f"{_at(x[0], 6, style)}^{{{_latex(x[1], _Style.LINE)[0]}}}", 5
        case "exp" if is_long_exponent(x[0]):
            return rf"\exp {parenthesised(_latex(x[0], style)[0])}", 5
        case "exp":
            return f"e^{{{_latex(x[0], _Style.LINE)[0]}}}", 5
        case "sqrt":
            return rf"\sqrt{{{_latex(x[0], style)[0]}}}", _ATOM
        case "polynomial":
            return f"P_{{{latex_of(x[0])}}}({_latex(x[1], style)[0]})", _ATOM
        case "abs":
            inner, _ = _latex(x[0], style)
            if is_tall(inner):
                return rf"\left|{inner}\right|", _ATOM
            return rf"{{\lvert {inner} \rvert}}", _ATOM
        case "partial":
            of, by = (latex_of(part) for part in x)
            return _derivative(rf"\partial {of}", rf"\partial {by}", style)
        case "partial_twice":
            of, *units = (latex_of(part) for part in x)
            below = r" \partial ".join(units) + ("^2" if len(units) == 1 else "")
            return _derivative(rf"\partial^2 {of}", rf"\partial {below}", style)
        case "count":
            return "n", _ATOM
        case "transpose":
            return rf"{_at(x[0], _ATOM, style)}^{{\top}}", 5
        case "where":
            cases = cases_of(e)
            body = r" \\ ".join(
                f"{_latex(value, _Style.LINE)[0]} & {when}"
                for (value, _), when in zip(cases, conditions_latex(cases), strict=True)
            )
            return rf"\begin{{cases}} {body} \end{{cases}}", 2
        case "indicator":
            return f"I({_latex(x[0], _Style.LINE)[0]})", _ATOM
    if e.operation in _SUMS:
        return f"{_SUMS[e.operation]}{_summand(x[0], style)}", 1
    arguments = ", ".join(_latex(part, style)[0] for part in x)
    return f"{applied_latex(e.operation)}{parenthesised(arguments)}", _ATOM


def _quotient(above: Expression, below: Expression, style: _Style) -> tuple[str, int]:
    if style is _Style.LINE:
        return f"{_at(above, 2, style)}/{_at(below, 3, style)}", 2
    inner = (_latex(part, _Style.LINE)[0] for part in (above, below))
    return r"\frac{{{}}}{{{}}}".format(*inner), 3


def _derivative(above: str, below: str, style: _Style) -> tuple[str, int]:
    return (
        (rf"\frac{{{above}}}{{{below}}}", 4) if style is _Style.DISPLAY else (f"{above}/{below}", 2)
    )


def _at(e: Expression, level: int, style: _Style) -> str:
    text, own = _latex(e, style)
    return text if own >= level else parenthesised(text)


def _summand(e: Expression, style: _Style) -> str:
    """Write what is summed or negated; a sum there reaches to the end."""
    is_sum = isinstance(e, Apply) and e.operation in _SUMS
    return _latex(e, style)[0] if is_sum else _at(e, 2, style)


def _factor(e: Expression, level: int, style: _Style) -> str:
    """Write a left factor; a sum at its end would seem to hold what follows."""
    match e:
        case Apply("multiply", (x, Apply(operation) as last)) if operation in _SUMS:
            if not is_negated(x):
                sign, _ = _INFIX["multiply"]
                total = parenthesised(_latex(last, style)[0])
                return f"{_factor(x, level, style)}{sign}{total}"
    return _at(e, level, style)


def _right(e: Expression, level: int, style: _Style) -> str:
    """Write a right operand; a sum there reaches to the end, as it does on paper."""
    if isinstance(e, Apply) and e.operation in _SUMS:
        return _latex(e, style)[0]
    return _at(e, level, style)


def _number(e: Constant, style: _Style) -> tuple[str, int]:
    value = abs(e.value)
    decimal = exact_decimal(value)
    text = rf"\frac{{{value.numerator}}}{{{value.denominator}}}"
    if style is _Style.LINE:
        text = f"{value.numerator}/{value.denominator}"
    if decimal is not None:
        text = re.sub(r"e(-?\d+)", r" \\cdot 10^{\1}", decimal).removeprefix("1 \\cdot ")
    level = _ATOM if text.isdigit() else 2 if "/" in text else 3
    return (f"-{text}", 1) if e.value < 0 else (text, level)


def name_latex(name: str) -> str:
    r"""Return a name as LaTeX: ``u3 -> u_{3}``, ``alpha -> \alpha``, matrices in bold."""
    if name in _MATRICES:
        return rf"\mathbf{{{name}}}"
    layer = re.fullmatch(r"([A-Za-z])\[([-\w]+)\]", name)
    if layer is not None:
        base, index = layer.groups()
        letter = base if base == "n" else rf"\mathbf{{{base}}}"
        return rf"{{{letter}^{{[{index}]}}}}"  # in braces, so that a power may follow
    match = re.fullmatch(
        r"([A-Za-z]+)(?:_?\{?([-\d]+(?:,[a-z])?|j,[ik]|k,i)\}?|_([A-Za-z0-9]+))?", name
    )
    words = re.fullmatch(r"([A-Za-z]+?)(\d*)_(\w+)", name)
    if match is None and words is not None and name.isascii():
        letter, number, rest = words.groups()
        index = ", ".join(part for part in (number, rest.replace("_", " ")) if part)
        return rf"{name_latex(letter)}_{{\text{{{index}}}}}"
    if match is None:
        return rf"\text{{{name.replace('_', ' ')}}}"
    base, number, index = match.groups()
    if base in GREEK_COMMANDS:
        base = GREEK_COMMANDS[base]
    elif base in _MATRICES and base != "A":
        base = rf"\mathbf{{{base}}}"
    elif len(base) > 1:
        base = rf"\mathrm{{{base}}}"
    subscript = number or index
    return f"{base}_{{{subscript}}}" if subscript else base
