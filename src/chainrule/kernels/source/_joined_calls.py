"""Calls that are made for either sign of z, made once: of what the sign chooses."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence

from chainrule.kernels.source._lines import ELEMENTARY
from chainrule.kernels.source._rational import replaced

LEFT, RIGHT = "_left", "_right"
# The arguments of waves are looked at by what writes them.
_JOINED = frozenset(ELEMENTARY) - {"sin", "cos", "power"}


def with_joined_calls(lines: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Return lines that call a function once for both signs, and new names of what they compute.

    Parameters
    ----------
    lines : sequence of str
        Assignments. The names of what counts for one sign alone end in `LEFT` or `RIGHT`.

    Examples
    --------
    >>> with_joined_calls(["x = abs(z)", "f_left = erf(x)", "f_right = erf(2.0 + x)"])
    (['x = abs(z)', 'f = erf((2.0 + x) if z >= 0.0 else (x))'], {'f_left': 'f', 'f_right': 'f'})
    """
    values = dict(line.split(" = ", 1) for line in lines)
    joined: dict[str, str] = {}
    while (name := _called_for_both(values)) is not None:
        left, right = (values.pop(name + side) for side in (LEFT, RIGHT))
        function = left.partition("(")[0]
        left, right = (call[len(function) + 1 : -1] for call in (left, right))
        argument = left if left == right else f"({right}) if z >= 0.0 else ({left})"
        values[name] = f"{function}({argument})"
        joined |= {name + LEFT: name, name + RIGHT: name}
        values = {own: replaced(value, joined) for own, value in values.items()}
    if not joined:
        return list(lines), joined
    return [f"{own} = {values[own]}" for own in _in_order(values)], joined


def _called_for_both(values: Mapping[str, str]) -> str | None:
    """Return a name, without its side, of which both sides are calls of the same function."""
    for own, value in values.items():
        name = own.removesuffix(LEFT)
        other = values.get(name + RIGHT)
        if name != own and other is not None and name not in values:
            function = _function(value)
            if function and function == _function(other):
                return name
    return None


def _function(value: str) -> str:
    """Return which function of one number a value is a call of, if it is one."""
    match ast.parse(value, mode="eval").body:
        case ast.Call(func=ast.Name(id=function), args=[_]) if function in _JOINED:
            return function
    return ""


def _in_order(values: Mapping[str, str]) -> list[str]:
    """Return names so that each stands after those that its value is made of."""
    order: dict[str, None] = {}

    def add(name: str) -> None:
        used = {n.id for n in ast.walk(ast.parse(values[name])) if isinstance(n, ast.Name)}
        for other in values:
            if other in used and other not in order:
                add(other)
        order[name] = None

    for name in values:
        if name not in order:
            add(name)
    return list(order)
