"""How many processors there are to use, under the limits of control groups."""

from __future__ import annotations

import math
import os

import joblib
import pytest

from chainrule.kernels import available_processors
from chainrule.kernels.running import _processors
from chainrule.kernels.running._processors import granted_processors


def granted(folder, membership, files):
    """Return what is granted where files say so."""
    (folder / "membership").write_text(membership)
    for name, text in files.items():
        (folder / "groups" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "groups" / name).write_text(text)
    return granted_processors(folder / "membership", folder / "groups")


@pytest.mark.parametrize(
    ("membership", "files", "wanted"),
    [
        ("0::/\n", {"cpu.max": "200000 100000\n"}, 2),
        ("0::/\n", {"cpu.max": "250000 100000\n"}, 3),
        ("0::/\n", {"cpu.max": "5000 100000\n"}, 1),
        ("0::/\n", {"cpu.max": "max 100000\n"}, math.inf),
        ("0::/a/b\n", {"a/cpu.max": "400000 100000\n", "a/b/cpu.max": "max 100000\n"}, 4),
        ("0::/a/b\n", {"a/cpu.max": "400000 100000\n", "a/b/cpu.max": "150000 100000\n"}, 2),
        ("0::/a\n1:cpu:/\n", {"unified/a/cpu.max": "300000 100000\n"}, 3),
        (
            "4:cpu,cpuacct:/x\n0::/\n",
            {"cpu/x/cpu.cfs_quota_us": "50000\n", "cpu/x/cpu.cfs_period_us": "10000\n"},
            5,
        ),
        (
            "4:cpu,cpuacct:/x\n",
            {"cpu/x/cpu.cfs_quota_us": "-1\n", "cpu/x/cpu.cfs_period_us": "100000\n"},
            math.inf,
        ),
        ("4:memory:/x\n", {"cpu/x/cpu.max": "100000 100000\n"}, math.inf),
        ("0::/\n", {"cpu.max": "nonsense\n"}, math.inf),
        ("", {}, math.inf),
    ],
)
def test_control_groups_limit_the_number_of_processors(tmp_path, membership, files, wanted):
    """The least limit from a group up to all of them counts, rounded up."""
    assert granted(tmp_path, membership, files) == wanted


def test_where_there_are_no_control_groups_nothing_is_limited(tmp_path):
    """As on other systems than Linux."""
    assert granted_processors(tmp_path / "nowhere", tmp_path) == math.inf


def test_a_number_of_threads_that_is_set_counts(monkeypatch):
    """Whatever the machine has; what is no number is not heard."""
    monkeypatch.setenv("CHAINRULE_THREADS", "7")
    assert available_processors() == 7
    monkeypatch.setenv("CHAINRULE_THREADS", "many")
    assert 1 <= available_processors() <= os.cpu_count()


@pytest.mark.parametrize(("text", "wanted"), [("1", 1), (" 1,4", 1), ("0", 3), ("", 3), ("-2", 3)])
def test_the_number_of_openmp_threads_is_a_limit(monkeypatch, text, wanted):
    """People set it for all that computes on several threads."""
    monkeypatch.delenv("CHAINRULE_THREADS", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2}, raising=False)
    monkeypatch.setattr(_processors, "_granted", lambda: math.inf)
    monkeypatch.setenv("OMP_NUM_THREADS", text)
    assert available_processors() == wanted


def test_processes_of_joblib_share_the_processors(monkeypatch):
    """Each trains on its part of them."""
    monkeypatch.delenv("CHAINRULE_THREADS", raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    whole = joblib.cpu_count()
    found = joblib.Parallel(n_jobs=2)(joblib.delayed(available_processors)() for _ in range(2))
    assert found == [max(whole // 2, 1)] * 2
