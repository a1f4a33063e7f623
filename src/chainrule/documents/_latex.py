"""Expressions as LaTeX."""

from __future__ import annotations

import re

from chainrule.documents._notation import is_negated, sign_first
from chainrule.documents._symbols import GREEK_LETTERS
from chainrule.formulas import (
    Apply,
    Constant,
    Expression,
    Parameter,
    Pi,
    Variable,
    exact_decimal,
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
_NAMED = {"exp", "log", "tanh", "sinh", "cosh", "sin", "cos", "max", "min"}
_WORDS = {"maximum": "max", "minimum": "min", "atan": "arctan", "indicator": "I"}
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
}
_MATRICES = frozenset("AZY")
_ATOM = 9


def latex_of(expression: Expression) -> str:
    r"""Return an expression as LaTeX, in the form in which it stands.

    Examples
    --------
    >>> from chainrule.formulas import parse
    >>> print(latex_of(parse("1/(1 + exp(-z))").expression))
    \frac{1}{1 + e^{-z}}
    """
    return _latex(expression)[0]


def _latex(e: Expression) -> tuple[str, int]:
    if isinstance(e, Constant):
        return _number(e)
    if isinstance(e, Pi):
        return r"\pi", _ATOM
    if isinstance(e, Variable | Parameter):
        return name_latex(e.name), _ATOM
    x = e.arguments
    if e.operation in ("multiply", "divide") and is_negated(x[0]):
        return _latex(sign_first(e))
    if e.operation in _INFIX:
        sign, level = _INFIX[e.operation]
        right = level + 1 if e.operation == "subtract" else level
        if e.operation == "multiply" and isinstance(x[1], Constant):
            sign = r" \cdot "
        return f"{_at(x[0], level)}{sign}{_right(x[1], right)}", level
    match e.operation:
        case "negate":
            return f"-{_at(x[0], 2)}", 1
        case "divide":
            return rf"\frac{{{latex_of(x[0])}}}{{{latex_of(x[1])}}}", 3
        case "power":
            return f"{_at(x[0], 6)}^{{{latex_of(x[1])}}}", 5
        case "exp":
            return f"e^{{{latex_of(x[0])}}}", 5
        case "sqrt":
            return rf"\sqrt{{{latex_of(x[0])}}}", _ATOM
        case "abs":
            return rf"\left|{latex_of(x[0])}\right|", _ATOM
        case "partial":
            of, by = (latex_of(part) for part in x)
            return rf"\frac{{\partial {of}}}{{\partial {by}}}", 4
        case "partial_twice":
            of, *units = (latex_of(part) for part in x)
            below = r" \partial ".join(units) + ("^2" if len(units) == 1 else "")
            return rf"\frac{{\partial^2 {of}}}{{\partial {below}}}", 4
        case "count":
            return "n", _ATOM
        case "transpose":
            return rf"{_at(x[0], _ATOM)}^{{\top}}", 5
        case "broadcast":
            return rf"\operatorname{{broadcast}}\left({latex_of(x[0])}\right)", _ATOM
        case "where":
            condition, yes, no = (latex_of(part) for part in x)
            return (
                rf"\begin{{cases}} {yes} & \text{{if }} {condition}, \\ "
                rf"{no} & \text{{otherwise}} \end{{cases}}"
            ), 2
    if e.operation in _SUMS:
        return f"{_SUMS[e.operation]}{_at(x[0], 2)}", 1
    name = _WORDS.get(e.operation, e.operation)
    arguments = ", ".join(latex_of(part) for part in x)
    if name == "I":
        return rf"I({arguments})", _ATOM
    if name in _NAMED or name == "arctan":
        return rf"\{name}\left({arguments}\right)", _ATOM
    return rf"\operatorname{{{name}}}\left({arguments}\right)", _ATOM


def _at(e: Expression, level: int) -> str:
    text, own = _latex(e)
    return text if own >= level else rf"\left({text}\right)"


def _right(e: Expression, level: int) -> str:
    """Write a right operand; a sum there reaches to the end, as it does on paper."""
    if isinstance(e, Apply) and e.operation in _SUMS:
        return latex_of(e)
    return _at(e, level)


def _number(e: Constant) -> tuple[str, int]:
    value = abs(e.value)
    decimal = exact_decimal(value)
    text = rf"\frac{{{value.numerator}}}{{{value.denominator}}}"
    if decimal is not None:
        text = re.sub(r"e(-?\d+)", r" \\cdot 10^{\1}", decimal).removeprefix("1 \\cdot ")
    return (f"-{text}", 1) if e.value < 0 else (text, _ATOM if text.isdigit() else 3)


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
        r"([A-Za-z]+)(?:_?\{?([-\d]+(?:,p)?|j,[ik]|k,i)\}?|_([A-Za-z0-9]+))?", name
    )
    words = re.fullmatch(r"([A-Za-z]+?)(\d*)_(\w+)", name)
    if match is None and words is not None and name.isascii():
        letter, number, rest = words.groups()
        index = ", ".join(part for part in (number, rest.replace("_", " ")) if part)
        return rf"{name_latex(letter)}_{{\text{{{index}}}}}"
    if match is None:
        return rf"\text{{{name.replace('_', ' ')}}}"
    base, number, index = match.groups()
    if base in GREEK_LETTERS and base != "pi":
        base = f"\\{base}"
    elif len(base) > 1:
        base = rf"\mathrm{{{base}}}"
    subscript = number or index
    return f"{base}_{{{subscript}}}" if subscript else base
