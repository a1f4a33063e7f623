"""Numba's decorators, with what they compile kept in our cache folder and checked when read.

Numba keeps compiled code beside the source or in a home folder, fails where neither can be written,
and where a file of it is damaged.
"""

from __future__ import annotations

import hashlib
import inspect
import os
import pickle
import re
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numba
from numba import njit
from numba.core import serialize, sigutils
from numba.core.caching import (
    CompileResultCacheImpl,
    FunctionCache,
    UserProvidedCacheLocator,
)
from numba.core.ccallback import CFunc

from chainrule.kernels.compiling._compile import cache_folder
from chainrule.kernels.compiling._parts import PlainCompiler, counting
from chainrule.kernels.compiling._upkeep import note_use
from chainrule.kernels.compiling._vectors import AT_ONCE, KernelCompiler

_IMPORTS = re.compile(r"^from (chainrule[\w.]*) import", re.MULTILINE)


def compiled(*, makes_arrays: bool = False, **options: Any) -> Callable[[Any], Any]:
    """Return ``njit`` without the interpreter's lock, for functions of the package's own files.

    See `counting`. The cache watches the file of the function that is called, and those it takes
    functions from.
    """

    def decorate(function: Any) -> Any:
        dispatcher = njit(
            nogil=True,
            no_cfunc_wrapper=True,
            pipeline_class=PlainCompiler,
            **counting(makes_arrays),
            **options,
        )(function)
        dispatcher._cache = _cache_of(function, _tell)
        return dispatcher

    return decorate


def native(signature: Any, *, at_once: int = AT_ONCE) -> Callable[[Any], Any]:
    """Return ``cfunc`` with NumPy's rules of arithmetic, for functions of generated files.

    Parameters
    ----------
    signature : numba signature
    at_once : int
        How many vectors a loop takes at a time.
    """

    def decorate(function: Any) -> Any:
        function.at_once = at_once
        made: Any = CFunc(
            function,
            sigutils.normalize_signature(signature),
            locals={},
            options={"error_model": "numpy"},
            pipeline_class=KernelCompiler,
        )
        made._cache = _cache_of(function)
        made.compile()
        return made

    return decorate


class _Place(UserProvidedCacheLocator):
    """A folder of ours, whatever Numba's own settings are: these are the whole process's."""

    def get_cache_path(self) -> str:
        return str(cache_folder() / self.get_suitable_cache_subpath(self._py_file))

    def ensure_cache_path(self) -> None:
        with suppress(OSError):  # as for what cannot be written there
            os.makedirs(self.get_cache_path(), exist_ok=True)

    @classmethod
    def from_function(cls, function: Any, file: str) -> _Place:
        place = cls(function, file)
        place.ensure_cache_path()
        return place


class _Implementation(CompileResultCacheImpl):
    _locator_classes = (_Place,)


class _Cache(FunctionCache):
    _impl_class = _Implementation


@cache
def _tell() -> None:
    """Say once why nothing seems to happen, where somebody looks at it."""
    if sys.stderr and (sys.stderr.isatty() or "ipykernel" in sys.modules):
        print("chainrule: compiling for this machine, once; some seconds", file=sys.stderr)


def _cache_of(function: Any, tell: Callable[[], None] = lambda: None) -> FunctionCache:
    cache = _Cache(function)
    place = _Place.from_function(function, inspect.getfile(function))
    stamp = place.get_source_stamp(), _stamps(function.__module__)
    name = cache._impl.filename_base
    cache._cache_file = _KeptCode(Path(place.get_cache_path()), name, stamp, tell)
    return cache


@cache
def _stamps(module: str) -> tuple[tuple[str, int, int], ...]:
    """Return name, time and size of every file of ours from which a module takes what it uses.

    Its functions and its numbers are part of the code that is compiled.
    """
    todo, found = [module], dict[str, os.stat_result]()
    while todo:
        name = todo.pop()
        file = getattr(sys.modules.get(name), "__file__", None)
        if name in found or not file:
            continue
        found[name] = os.stat(file)
        todo += _IMPORTS.findall(Path(file).read_text(encoding="utf-8"))
    return tuple((name, found[name].st_mtime_ns, found[name].st_size) for name in sorted(found))


class _KeptCode:
    """One file for each signature: a digest of the rest, then what Numba wants to find again.

    What cannot be read, or is not what was written, counts as not there; what cannot be written is
    compiled again in the next process.
    """

    def __init__(self, folder: Path, name: str, stamp: object, tell: Callable[[], None]) -> None:
        self.folder, self.name, self.tell = folder, name, tell
        self.stamp = (numba.__version__, stamp)

    def flush(self) -> None:
        for path in self.folder.glob(f"{self.name}.*.code"):
            path.unlink(missing_ok=True)

    def load(self, key: object) -> Any:
        note_use(self._path(key))
        with suppress(OSError):
            content = self._path(key).read_bytes()
            digest, code = content[:32], content[32:]
            if digest == hashlib.sha256(code).digest():
                return pickle.loads(code)
        self.tell()
        return None

    def save(self, key: object, data: Any) -> None:
        code = serialize.dumps(data)
        with suppress(OSError):
            handle, temporary = tempfile.mkstemp(dir=self.folder, prefix=self.name)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(hashlib.sha256(code).digest() + code)
                os.replace(temporary, self._path(key))
            except OSError:
                Path(temporary).unlink(missing_ok=True)

    def _path(self, key: object) -> Path:
        text = repr((self.stamp, key))
        return self.folder / f"{self.name}.{hashlib.sha256(text.encode()).hexdigest()[:16]}.code"
