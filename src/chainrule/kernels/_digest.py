"""A digest of the code that a kernel's results depend on."""

from __future__ import annotations

import ast
import copy
import hashlib
import importlib
import inspect
import sys
from functools import cache

_ROOM = "chainrule.kernels.elementary"


def code_digest(source: str) -> str:
    """Return a digest of generated source and of the elementary functions that it uses.

    What those call counts with it, definition by definition; comments, whatever they do not call,
    and how many vectors a loop takes at a time do not.

    Parameters
    ----------
    source : str
        A generated module.
    """
    tree = ast.parse(source)
    own = [ast.unparse(_without_docstring(node)) for node in tree.body if not _is_text(node)]
    parts = [*own, *(text for _, text in sorted(_needed(tree).items()))]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def _needed(tree: ast.Module) -> dict[tuple[str, str], str]:
    """Return the definitions of the elementary room that a source reaches, by module and name."""
    todo = [
        (module, name)
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(_ROOM)
        for module, name in _imported(node, tree)
    ]
    found: dict[tuple[str, str], str] = {}
    while todo:
        place = todo.pop()
        if place in found:
            continue
        module, name = place
        node = _definitions(module).get(name)
        if node is None:
            continue
        if isinstance(node, ast.ImportFrom):
            if (node.module or "").startswith(_ROOM):
                original = next(a.name for a in node.names if (a.asname or a.name) == name)
                todo += _targets(node.module or "", original, ast.Module([], []))
            continue
        found[place] = ast.unparse(_without_docstring(node))
        todo += [(module, used.id) for used in ast.walk(node) if isinstance(used, ast.Name)]
    return found


def _imported(node: ast.ImportFrom, tree: ast.Module) -> list[tuple[str, str]]:
    return [
        place for alias in node.names for place in _targets(node.module or "", alias.name, tree)
    ]


def _targets(module: str, name: str, tree: ast.Module) -> list[tuple[str, str]]:
    """Return what an imported name stands for: a definition, or the functions used of a module."""
    try:
        importlib.import_module(f"{module}.{name}")
    except ModuleNotFoundError:
        return [(module, name)]
    return [
        (f"{module}.{name}", node.attr)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == name
    ]


@cache
def _definitions(module: str) -> dict[str, ast.stmt]:
    """Return the statements of a module that give names their meaning."""
    importlib.import_module(module)
    found: dict[str, ast.stmt] = {}
    for node in ast.parse(inspect.getsource(sys.modules[module])).body:
        match node:
            case ast.FunctionDef(name=name):
                found[name] = node
            case ast.ImportFrom(names=names) | ast.Import(names=names):
                found |= {alias.asname or alias.name: node for alias in names}
            case ast.Assign(targets=targets):
                for target in targets:
                    found |= {n.id: node for n in ast.walk(target) if isinstance(n, ast.Name)}
            case ast.AnnAssign(target=ast.Name(id=name)):
                found[name] = node
    return found


def _without_docstring(node: ast.stmt) -> ast.stmt:
    if isinstance(node, ast.FunctionDef) and _is_text(node.body[0]):
        bare = copy.copy(node)
        bare.body = node.body[1:]
        bare.decorator_list = [_without_number(call) for call in node.decorator_list]
        return bare
    return node


def _without_number(decorator: ast.expr) -> ast.expr:
    match decorator:
        case ast.Call(func=ast.Name(id="native") as native, args=arguments):
            return ast.Call(native, arguments, [])
    return decorator


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
