"""Forgets what nobody has used for long: earlier versions leave their kernels in the cache."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

_DAY = 24 * 60 * 60.0  # seconds
_KEPT, _BETWEEN = 100 * _DAY, 10 * _DAY
_MARK = "last-upkeep"


def note_use(path: Path) -> None:
    """Note by its time that a file is used, once a day: many systems do not."""
    with suppress(OSError):
        if time.time() - path.stat().st_mtime > _DAY:
            os.utime(path)


def forget_unused(folder: Path) -> None:
    """Remove what has not been used for a hundred days; look for it every ten.

    A generated module lives as long as an entry leads to it. Its own time tells Numba whether
    compiled code fits, and is left alone.
    """
    mark, now = folder / _MARK, time.time()
    if mark.exists() and now - mark.stat().st_mtime < _BETWEEN:
        return
    mark.touch(mode=0o600)
    used = set()
    for entry in folder.glob("*.entry"):
        with suppress(OSError, UnicodeDecodeError):
            if _is_old(entry, now):
                entry.unlink()
                entry.with_suffix(".lock").unlink(missing_ok=True)
            else:
                used.update(entry.read_text(encoding="ascii").partition("\n")[0].split())
    for path in (*folder.glob("kernel_*.py"), *folder.glob("*/*.code")):
        with suppress(OSError):
            if path.stem not in used and _is_old(path, now):
                path.unlink()


def _is_old(path: Path, now: float) -> bool:
    return now - path.stat().st_mtime > _KEPT
