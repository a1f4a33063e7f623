"""What holds for the package as a whole."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import chainrule

SOURCE = Path(chainrule.__file__).parent
HEAVY = ("numpy", "sympy", "numba", "sklearn", "mpmath", "matplotlib", "polars", "scipy", "rich")


def run(code: str) -> str:
    """Run code in a fresh interpreter and return what it prints."""
    return interpreted("-c", code)


def interpreted(*arguments: str) -> str:
    """Return what the interpreter prints."""
    result = subprocess.run(
        [sys.executable, *arguments], check=True, capture_output=True, text=True, timeout=120
    )
    return result.stdout.strip()


def test_import_is_light():
    """``import chainrule`` loads no scientific package."""
    code = f"import chainrule, sys; print([name for name in {HEAVY} if name in sys.modules])"
    assert run(code) == "[]"


def test_catalogue_derives_nothing():
    """Reading the whole catalogue loads no scientific package either."""
    code = (
        "from chainrule.catalogue import activations, activation_formula; import sys; "
        "[activation_formula(entry.name) for entry in activations()]; "
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    assert run(code) == "[]"


def test_the_command_line_is_a_module_too():
    """For who has several interpreters, or no folder of scripts in the path."""
    assert interpreted("-m", "chainrule", "--version") == f"chainrule {chainrule.__version__}"


def test_public_names_exist():
    """Every name that the package lists is there."""
    for name in chainrule.__all__:
        assert getattr(chainrule, name) is not None


def test_no_text_is_executed():
    """No file of the package calls eval, exec, compile or sympify."""
    forbidden = {"eval", "exec", "compile", "sympify", "parse_expr"}
    for path in SOURCE.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in forbidden, f"{path}:{node.lineno}"


def test_docstring_examples_run():
    """The examples in docstrings and in the README run as they stand."""
    import doctest
    import importlib
    import pkgutil

    names = [m.name for m in pkgutil.walk_packages(chainrule.__path__, "chainrule.")]
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    for name in ("chainrule", *names):
        failures, _ = doctest.testmod(importlib.import_module(name), optionflags=flags)
        assert failures == 0, name
    readme = SOURCE.parents[1] / "README.md"
    if readme.exists():
        failures, _ = doctest.testfile(str(readme), module_relative=False, optionflags=flags)
        assert failures == 0
