"""Source of sine and cosine of lines in `z` that float64 cannot hold, see `elementary.turns`.

Before it gets its tier, generated source has ``sin_at("9/10*z", z)``; in a module the table of the
line is a constant, ``turns.sin(z, wave0)``.
"""

from __future__ import annotations

import ast
import re

from chainrule.formulas import Expression, to_text
from chainrule.kernels.elementary.turns import line_of

_AT = {"sin_at": "sin", "cos_at": "cos"}
_CALLED = re.compile(r"\b(sin|cos)_at\((\"[^\"]*\"|'[^']*'), z\)")


def wave_source(operation: str, argument: Expression) -> str | None:
    """Return source of a sine or cosine, or None where plain source of its argument is exact.

    Examples
    --------
    >>> from chainrule.formulas import parse
    >>> wave_source("sin", parse("z*0.9").expression)
    'sin_at("z*(9/10)", z)'
    >>> wave_source("sin", parse("2*z").expression)
    """
    if operation not in _AT.values():
        return None
    line = line_of(argument)
    if line is None or line.is_exact:
        return None
    return f'{operation}_at("{to_text(argument)}", z)'


def with_tables(text: str) -> tuple[list[str], str]:
    """Return the definitions of the tables of lines, and source that uses them."""
    names: dict[str, str] = {}
    for _, line in _CALLED.findall(text):
        names.setdefault(line[1:-1], f"wave{len(names)}")
    tables = [f'{name} = turns.wave("{line}")' for line, name in names.items()]
    return tables, _CALLED.sub(lambda m: f"turns.{m[1]}(z, {names[m[2][1:-1]]})", text)


class _Plain(ast.NodeTransformer):
    """Writes sine and cosine of lines as of any other argument."""

    def __init__(self, tree: ast.AST) -> None:
        self.lines: dict[str, str] = {}
        for node in ast.walk(tree):
            match node:
                case ast.Assign(
                    targets=[ast.Name(id=name)],
                    value=ast.Call(
                        func=ast.Attribute(value=ast.Name(id="turns"), attr="wave"),
                        args=[ast.Constant(value=str() as line)],
                    ),
                ):
                    self.lines[name] = line

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        match node:
            case ast.Call(func=ast.Name(id=name), args=[ast.Constant(value=str() as line), _]):
                return _plain_call(_AT[name], line)
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="turns"), attr=name),
                args=[_, ast.Name(id=table)],
            ):
                return _plain_call(name.removeprefix("near_"), self.lines[table])
        return node


def _plain_call(name: str, line: str) -> ast.expr:
    return ast.parse(f"{name}({line})", mode="eval").body


def with_plain_waves(tree: ast.Module) -> ast.Module:
    """Return source in which waves of lines are called with their arguments, as mathematics."""
    plain = _Plain(tree)
    changed = plain.visit(tree)
    assert isinstance(changed, ast.Module)
    return ast.fix_missing_locations(changed)
