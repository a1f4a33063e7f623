"""Source of comparisons of z with places that need not be numbers of its format.

A place that is rounded to the nearest number may come to lie beyond that number, which then is
taken for what is on its other side. So it is rounded to one side: ``z > t`` is true of the same
numbers as ``z > (the largest number up to t)``.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Collection, Iterator, Sequence
from fractions import Fraction
from itertools import takewhile
from typing import Any

import mpmath
import numpy as np

from chainrule.derivations import evaluate
from chainrule.formulas import Constant
from chainrule.kernels.source._reading import EXACT, read_body

# Which number stands for a place with which one is compared that is greater, say, or not.
_BESIDE = {
    "greater": "up_to", "less_equal": "up_to", "greater_equal": "from", "less": "from",
    "equal": "at", "not_equal": "at",
}  # fmt: skip
_COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Gt: "greater", ast.LtE: "less_equal", ast.GtE: "greater_equal", ast.Lt: "less",
    ast.Eq: "equal", ast.NotEq: "not_equal",
}  # fmt: skip
_OPERATIONS: dict[type[ast.operator], str] = {
    ast.Add: "add", ast.Sub: "subtract", ast.Mult: "multiply", ast.Div: "divide",
}  # fmt: skip
_DIGITS = 60
_FORMATS: dict[str, Any] = {"single": np.float32, "double": np.float64}
_PARAMETER = re.compile(r"\bp_(?=\w)")
_EXACT = re.compile(rf"\b{EXACT}(\w+)")


def place_beside(node: ast.Compare, form: str) -> str | None:
    """Return source of the number with which z is compared, for its comparison with a place.

    Parameters
    ----------
    node : ast.Compare
    form : {"single", "double"}
        Of z, and of the number.

    Returns
    -------
    str or None
        None where another value than z is compared, or with one that is no place, or where the
        nearest number is on the right side.
    """
    match node:
        case ast.Compare(left=ast.Name(id="z"), ops=[op], comparators=[place]):
            names = {part.id for part in ast.walk(place) if isinstance(part, ast.Name)}
            names -= {"sqrt", "exp", "log", "inf", "power"}
        case _:
            return None
    side = _BESIDE[_COMPARISONS[type(op)]]
    if not names:
        return _number(place, side, form)
    if not all(map(_PARAMETER.match, names)):
        return None
    return f"thresholds.{form}_{side}({_place(place, form)})"


def threshold(operation: str, is_first: bool, name: str, leaf: Any, form: str) -> str:
    """Return source of the number with which a value is compared, for its comparison with a place.

    Parameters
    ----------
    operation : str
        The comparison, of which the place is the first argument or the second.
    is_first : bool
    name : str
        The place in float64.
    leaf : Expression or None
        What it is, if it is no result of operations.
    form : {"single", "double"}
        Of the value, and of the number.
    """
    side = _BESIDE[operation]
    if is_first:
        side = {"up_to": "from", "from": "up_to"}.get(side, side)
    if isinstance(leaf, Constant):
        return number_beside(leaf.value, side, form)
    if form == "double":
        return name
    return f"thresholds.single_{side}(thresholds.exact(np.float64({name})))"


def with_places(line: str) -> str:
    """Return a line of source in float64 whose comparisons are with numbers beside their places."""
    if not re.search(r"\bz [<>=!]", line):
        return line
    text, mark, comment = line.partition("  # ")
    try:
        compared = list(_comparisons(text.strip()))
    except SyntaxError:  # the head of a loop, or of a function
        return line
    indent = len(text) - len(text.lstrip())
    for node in sorted(compared, key=lambda node: -node.col_offset):
        place = node.comparators[0]
        if _is_plain(place) or (beside := place_beside(node, "double")) is None:
            continue
        start, end = place.col_offset + indent, (place.end_col_offset or 0) + indent
        # The brackets around the place, if any, remain.
        text = f"{text[:start]}{beside}{text[end:]}"
    return f"{text}{mark}{comment}"


def _comparisons(text: str) -> Iterator[ast.Compare]:
    return (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Compare))


def _is_plain(place: ast.expr) -> bool:
    """Tell whether a place is plus or minus a number or a parameter: a float64."""
    match place:
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return _is_plain(operand)
    return isinstance(place, ast.Constant | ast.Name)


def _plain_number(place: ast.expr) -> float | None:
    match place:
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=float() as value)):
            return -value
        case ast.Constant(value=float() as value):
            return value
    return None


def _number(place: ast.expr, side: str, form: str) -> str | None:
    if (plain := _plain_number(place)) is not None:
        beside, nearest = (number_beside(plain, which, form) for which in (side, "nearest"))
        return beside if beside != nearest else None
    with mpmath.workdps(_DIGITS):
        try:
            exact = evaluate(read_body([f"return {ast.unparse(place)}"])[0].value, {})
        except (ValueError, KeyError):
            return None
        return number_beside(exact, side, form)


def number_beside(exact: Any, side: str, form: str) -> str:
    """Return source of the number of a format at a place, or beside it.

    Parameters
    ----------
    exact : float, Fraction or mpf
    side : {"up_to", "from", "at", "nearest"}
        Which number is wanted of a place between two: the one below or above, NaN, or the nearest.
    form : {"single", "double"}
    """
    kind = _FORMATS[form]
    rounded = kind(float(exact))
    number = Fraction if isinstance(exact, Fraction) else mpmath.mpf  # no difference is rounded
    if math.isfinite(rounded) and (beyond := number(float(rounded)) - exact) != 0:
        if side == "at":
            return "np.nan"
        if side == ("up_to" if beyond > 0 else "from"):
            rounded = np.nextafter(rounded, kind(-np.inf if beyond > 0 else np.inf))
    text = repr(float(rounded))
    return f"np.float32({text})" if form == "single" else text


def _place(node: ast.expr, form: str) -> str:
    """Return source of a place of parameters as a pair of float64."""
    match node:
        case ast.Constant(value=int() | float() as value):
            high = float(value)
            low = float(Fraction(repr(value)) - Fraction(high))
            return f"({high!r}, {low!r})"
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return f"thresholds.negate({_place(operand, form)})"
        case ast.BinOp(left=left, op=op, right=right):
            return (
                f"thresholds.{_OPERATIONS[type(op)]}({_place(left, form)}, {_place(right, form)})"
            )
        case ast.Call(func=ast.Name(id="sqrt"), args=[argument]):
            return f"thresholds.square_root({_place(argument, form)})"
        case ast.Call(func=ast.Name()):
            text = f"double.{ast.unparse(node)}"
        case _:
            text = ast.unparse(node)
    if form == "single":
        text = _PARAMETER.sub(EXACT, text)
    return f"thresholds.exact({text})"


def with_exact_parameters(lines: Sequence[str], in_floats: Collection[str]) -> list[str]:
    """Return generated source that hands its functions unrounded what their places are made of.

    Parameters
    ----------
    lines : sequence of str
        Function after function, in their tiers. Where places are of float32, parameters in them
        are called by what they are before they are rounded; here they are handed over as that.
    in_floats : collection of str
        The functions in float32.
    """
    exact = dict.fromkeys(_EXACT.findall("\n".join(lines)))
    if not exact:
        return list(lines)
    one_of = f"p_({'|'.join(exact)})"
    result: list[str] = []
    rounded: list[str] = []
    for k, line in enumerate(lines):
        head = re.match(r"def (\w+)\(", line)
        if head is not None and head[1] in in_floats and lines[k - 1].startswith("@njit"):
            body = "\n".join(takewhile(lambda text: text[:1] != "@", lines[k + 1 :]))
            used = [name for name in exact if re.search(rf"(?<!float32\()\bp_{name}\b", body)]
            result.append(re.sub(rf"\b{one_of}\b", rf"{EXACT}\1", line))
            rounded = [f"    p_{name} = np.float32({EXACT}{name})" for name in used]
        else:
            line = re.sub(rf"^(    {one_of} = )np\.float32\((numbers\[\d+\])\)$", r"\1\3", line)
            result.append(re.sub(rf"np\.float32\({one_of}\)", rf"{EXACT}\1", line))
            if line.startswith('    """'):
                result += rounded
            rounded = []
    return result
