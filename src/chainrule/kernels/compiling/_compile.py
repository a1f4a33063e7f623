"""Generated source: written to the user's cache folder, compiled there, found again."""

from __future__ import annotations

import atexit
import hashlib
import importlib.util
import json
import os
import shutil
import stat
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import ModuleType

from chainrule.formulas import ChainruleError
from chainrule.kernels.compiling._upkeep import forget_unused, note_use

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


class CacheError(ChainruleError, OSError):
    """The folder for generated kernels cannot be used."""


@cache
def cache_folder() -> Path:
    """Return the folder that holds generated source and compiled code.

    ``CHAINRULE_CACHE`` names it; else it lies where the system keeps caches of a user. It belongs
    to its user alone. Where it cannot be written, a folder for this process serves instead.
    """
    chosen = os.environ.get("CHAINRULE_CACHE")
    try:
        folder = Path(chosen) if chosen else _user_cache() / "chainrule"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _check_owner(folder)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except CacheError:
        raise
    except (OSError, RuntimeError) as error:  # the latter from Path.home(): there is no home
        folder = Path(tempfile.mkdtemp(prefix="chainrule-"))
        atexit.register(_remove, folder, os.getpid())
        warnings.warn(
            f"generated kernels cannot be kept ({error}); they are compiled anew in this process. "
            "Set CHAINRULE_CACHE to a folder that can be written.",
            stacklevel=2,
        )
    return folder


def _remove(folder: Path, process: int) -> None:
    if os.getpid() == process:
        shutil.rmtree(folder, ignore_errors=True)


def _user_cache() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def _check_owner(folder: Path) -> None:
    if not hasattr(os, "getuid"):
        return
    found = folder.stat()
    if found.st_uid != os.getuid() or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise CacheError(
            f"the cache folder {folder} belongs to another user or can be written by others; "
            "code in it is not run. Remove it, or set CHAINRULE_CACHE to a folder of your own."
        )


@cache
def generator_digest() -> str:
    """Return a digest of the code that generates kernels: another version finds other files."""
    package = Path(__file__).parents[2]
    digest = hashlib.sha256()
    for room in ("formulas", "derivations", "references", "kernels"):
        for path in sorted((package / room).rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()


@contextmanager
def alone(question: str) -> Iterator[None]:
    """Let one process at a time generate and compile the answer to a question.

    The others wait and find it, rather than doing the same work side by side. Where the system has
    no such locks they all do it, and the last one's files, which are the same, remain.
    """
    forget_unused(cache_folder())
    if fcntl is None:
        yield
        return
    with (cache_folder() / f"{_entry(question).stem}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def first_alone(question: str) -> Iterator[None]:
    """Let the first process that compiles something do so alone; once it is kept none waits."""
    if _read_entry(question):
        yield
        return
    with alone(question):
        yield
    keep_entry(question, ["compiled"])


def find_modules(question: str) -> tuple[str, ...]:
    """Return the names of the modules generated for a question before; none if one is damaged."""
    lines = _read_entry(question)
    names = lines[0].split() if lines else []
    return tuple(names) if all(map(_whole, names)) else ()


def note_of(question: str) -> str:
    """Return what was noted when the modules for a question were kept."""
    return "\n".join(_read_entry(question)[1:])


def _read_entry(question: str) -> list[str]:
    path = _entry(question)
    note_use(path)
    try:
        return path.read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        return []


def _entry(question: str) -> Path:
    key = hashlib.sha256(f"{generator_digest()}\n{question}".encode()).hexdigest()
    return cache_folder() / f"{key[:32]}.entry"


def _whole(name: str) -> bool:
    try:
        text = (cache_folder() / f"{name}.py").read_bytes()
    except OSError:
        return False
    return name == _name(text)


def _name(text: bytes) -> str:
    return f"kernel_{hashlib.sha256(text).hexdigest()[:32]}"


def keep_source(source: str) -> str:
    """Write generated source under the name of its content; return the module's name."""
    # Compiled code holds what it calls: the same source from another version is another file.
    text = f"# Written by chainrule, generator {generator_digest()[:16]}.\n{source}".encode()
    name = _name(text)
    if not _whole(name):
        _write(cache_folder() / f"{name}.py", text)
    return name


def kept_modules() -> set[str]:
    """Return the names of all modules that are kept."""
    return {path.stem for path in cache_folder().glob("kernel_*.py")}


def keep_entry(question: str, names: Sequence[str], note: str = "") -> None:
    """Note which modules answer a question."""
    _write(_entry(question), f"{' '.join(names)}\n{note}".encode())


def kept_answer(question: str, find: Callable[[], float | None]) -> float | None:
    """Return the number that answers a question, or that there is none, found and kept if need be.

    To find it takes derivations, which take longer to import than a small network to train.
    """
    try:
        _, text = _read_entry(question)
        answer: float | None = json.loads(text)
    except ValueError:  # it is not kept, or not whole
        answer = find()
        keep_entry(question, (), json.dumps(answer))
    return answer


def discard(name: str) -> None:
    """Remove a module that is not needed, with what Numba compiled of it."""
    folder = cache_folder()
    sys.modules.pop(f"chainrule_{name}", None)
    for path in (folder / f"{name}.py", *folder.glob(f"*/{name}.*")):
        path.unlink(missing_ok=True)


def _write(path: Path, content: bytes) -> None:
    """Write a file so that others see all of it or nothing."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.stem)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


@cache
def load(name: str) -> ModuleType:
    """Import a generated module; Numba compiles it, or finds it compiled."""
    specification = importlib.util.spec_from_file_location(f"chainrule_{name}", source_path(name))
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    # Numba asks for the module by name when it loads compiled code.
    sys.modules[module.__name__] = module
    try:
        specification.loader.exec_module(module)
    except BaseException:
        del sys.modules[module.__name__]
        raise
    return module


def source_of(name: str) -> str:
    """Return the source of a generated module, as it is compiled."""
    return source_path(name).read_text(encoding="utf-8")


def source_path(name: str) -> Path:
    """Return where a generated module lies."""
    return cache_folder() / f"{name}.py"
