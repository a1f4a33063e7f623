"""The cache folder forgets what nobody uses, and nothing else."""

from __future__ import annotations

import os
import time

import pytest

from chainrule.kernels.compiling._upkeep import forget_unused, note_use

DAY = 86400


def aged(path, days, text=""):
    """Write a file that was last used so many days ago."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    os.utime(path, (time.time() - days * DAY,) * 2)
    return path


@pytest.fixture
def folder(tmp_path):
    """Kernels that are used, and some that are not; modules are as old as the first use."""
    for name, days in (("used", 5), ("left", 120)):
        aged(tmp_path / f"{name}.entry", days, f"kernel_{name}\na note")
        aged(tmp_path / f"{name}.lock", 120)
        aged(tmp_path / f"kernel_{name}.py", 120)
        aged(tmp_path / "compiled" / f"kernel_{name}.forward.code", days)
    aged(tmp_path / "kernel_never_asked_for.py", 120)
    aged(tmp_path / "of somebody else.txt", 500)
    return tmp_path


def names(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_what_is_unused_goes_and_what_is_used_stays(folder):
    """A module that an entry leads to stays, however old its file is."""
    forget_unused(folder)
    assert names(folder) == [
        "kernel_used.forward.code", "kernel_used.py", "last-upkeep", "of somebody else.txt",
        "used.entry", "used.lock",
    ]  # fmt: skip


def test_it_looks_once_in_a_while(folder):
    """Not at every kernel that is made."""
    mark = aged(folder / "last-upkeep", 9)
    forget_unused(folder)
    assert "left.entry" in names(folder)
    aged(mark, 11)
    forget_unused(folder)
    assert "left.entry" not in names(folder)


def test_a_use_is_noted_once_a_day(folder):
    """So that reading need not write each time; what is not there is no error."""
    old, fresh = folder / "left.entry", aged(folder / "new.entry", 0.5)
    before = fresh.stat().st_mtime
    for path in (old, fresh, folder / "none"):
        note_use(path)
    assert time.time() - old.stat().st_mtime < DAY
    assert fresh.stat().st_mtime == before
    forget_unused(folder)
    assert "left.entry" in names(folder)
