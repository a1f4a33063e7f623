"""Loops of their own for waves of what is near, which need no table of 2/π.

Sine and cosine of a number of any size look up 2/π times its power of two, element by element. So
a kernel takes all for near first, and finds how far the arguments of its waves reach; where some
are not near, another loop follows. What is read is never what is written.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from itertools import takewhile

from chainrule.kernels.elementary._quarter_turns import LAST_NEAR

_WAVES = ("sin", "cos")
_CALLED = re.compile(rf"\b(\w+)\.({'|'.join(_WAVES)})\(")
_LOOP = "    for i in range(size):"


def with_near_loops(lines: Sequence[str]) -> list[str]:
    """Return a module's source in its tiers, with two loops in kernels of waves.

    Where the arguments of waves are no sums, products or quotients of `z`, it stays as it is: to
    find how far they reach would take as long as the rest.
    """
    if _LOOP not in lines:
        return list(lines)
    functions = list(_functions(lines))
    reaches: dict[str, list[str]] = {}
    for own in functions:
        if not own[0].startswith("@njit"):
            continue
        name, reach = _name(own), _reach_source(own, reaches)
        if reach is None:
            return list(lines)
        if reach:
            reaches[name] = [*reach, "", "", *_near_source(own, reaches.keys() | {name})]
    if not reaches:
        return list(lines)
    result = []
    for own in functions:
        added = reaches.get(_name(own))
        result += [*own, *added, "", ""] if added else _with_two_loops(own, reaches)
    return result


def _functions(lines: Sequence[str]) -> Iterator[list[str]]:
    """Yield function after function, from its decorator on."""
    starts = [k for k, line in enumerate(lines) if line.startswith("@")]
    for start, stop in zip(starts, [*starts[1:], len(lines)], strict=True):
        yield list(lines[start:stop])


def _name(own: Sequence[str]) -> str:
    return own[1].removeprefix("def ").partition("(")[0]


def _reach_source(own: Sequence[str], known: dict[str, list[str]]) -> list[str] | None:
    """Return a function of how far arguments reach; nothing without waves, None if it is dear."""
    function = ast.parse("\n".join(own)).body[0]
    assert isinstance(function, ast.FunctionDef)
    dear: set[str] = set()
    kept, reaches = [], []
    for statement in function.body:
        match statement:
            case ast.Assign(targets=[target], value=value):
                name = ast.unparse(target)
            case ast.Return(value=ast.expr() as value):
                name = ""
            case _:
                continue
        for wave in (node for node in ast.walk(value) if _is_wave(node, known)):
            assert isinstance(wave, ast.Call)
            if any(_is_dear(argument, dear) for argument in wave.args):
                return None
            reaches.append(_reach(wave))
        if _is_dear(value, dear):
            dear.add(name)
        elif name:
            kept.append(f"    {ast.unparse(statement)}")
    if not reaches:
        return []
    farthest, *others = dict.fromkeys(reaches)
    for other in others:
        farthest = f"larger({farthest}, {other})"
    head = own[1].replace(f"def {function.name}(", f"def {_reach_of(function.name)}(")
    return [own[0], head, *kept, f"    return {farthest}"]


def _reach_of(name: str) -> str:
    return f"reach_of_{name}"


def _is_wave(node: ast.AST, known: dict[str, list[str]]) -> bool:
    match node:
        case ast.Call(func=ast.Attribute(attr=name)):
            return name in _WAVES
        case ast.Call(func=ast.Name(id=name)):
            return name in known
    return False


def _reach(wave: ast.Call) -> str:
    if isinstance(wave.func, ast.Name):
        arguments = ", ".join(map(ast.unparse, wave.args))
        return f"{_reach_of(wave.func.id)}({arguments})"
    return f"abs({ast.unparse(wave.args[0])})"


def _is_dear(e: ast.expr, dear: set[str]) -> bool:
    """Tell whether an expression calls more than conversions, or takes what does."""
    for node in ast.walk(e):
        match node:
            case ast.Name(id=name) if name in dear:
                return True
            case ast.Call(func=func) if ast.unparse(func) not in (
                "abs",
                "np.float32",
                "np.float64",
            ):
                return True
    return False


def _near_source(own: Sequence[str], names: set[str]) -> list[str]:
    """Return a function once more, of near arguments; what its lines compute is said above."""
    return [_near(line.partition("  # ")[0], names) for line in own if line]


def _near(line: str, names: set[str]) -> str:
    line = _CALLED.sub(r"\1.near_\2(", line)
    return re.sub(rf"(?<![\w.])({'|'.join(names)})\(", r"near_\1(", line)


def _with_two_loops(own: Sequence[str], reaches: dict[str, list[str]]) -> list[str]:
    if _LOOP not in own:
        return list(own)
    start = own.index(_LOOP)
    body = list(takewhile(lambda line: line.startswith("        "), own[start + 1 :]))
    called = re.findall(
        rf"(?<![\w.])(?:{'|'.join(reaches)})\((?:[^()]|\([^()]*\))*\)", "\n".join(body)
    )
    if not called:
        return list(own)
    names = set(reaches)
    chosen = [_near(line, names) for line in body]
    one_by_one = list(body)
    for call in called:
        # What is near has the same value whatever stands beside it.
        choice = f"({_near(call, names)} if {_reach_of(call)} < {LAST_NEAR} else {call})"
        one_by_one = [line.replace(call, choice) for line in one_by_one]
    return [
        *own[:start],
        "    farthest = place(np.float32(0.0))",
        _LOOP,
        *chosen,
        *(
            f"        farthest = max(farthest, place(np.float32({_reach_of(call)})))"
            for call in called
        ),
        f"    if farthest >= place(np.float32({LAST_NEAR})):",
        *(f"    {line}" for line in [_LOOP, *one_by_one]),
        *own[start + 1 + len(body) :],
    ]
