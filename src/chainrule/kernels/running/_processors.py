"""How many processors this process may use.

Beside those on which it may run, a control group may grant it time of fewer: a container with
``--cpus=2`` on a machine of 64. Threads beyond that only take the time from one another.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

_MEMBERSHIP, _GROUPS = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")


def available_processors() -> int:
    """Return of how many processors this process may make use.

    ``CHAINRULE_THREADS`` sets their number. Else ``OMP_NUM_THREADS``, which joblib sets for its
    processes such that together they use each processor once, is an upper limit.
    """
    if chosen := _number("CHAINRULE_THREADS"):
        return chosen
    allowed = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        allowed = len(os.sched_getaffinity(0))
    return int(min(allowed, _granted(), _number("OMP_NUM_THREADS") or allowed))


def _number(variable: str) -> int:
    """Return a positive number from the environment, the first one of several; 0 for none."""
    text = os.environ.get(variable, "").split(",")[0].strip()
    return int(text) if text.isdecimal() else 0


@cache
def _granted() -> int | float:
    return granted_processors(_MEMBERSHIP, _GROUPS)


def granted_processors(membership: Path, groups: Path) -> int | float:
    """Return of how many processors control groups grant the time; infinity if they set no limit.

    Parameters
    ----------
    membership : Path
        The file that tells the groups of this process: ``number:controllers:path`` in each line.
    groups : Path
        Where the groups lie as folders: of the second version at once, of the first one by
        controller.
    """
    least = math.inf
    with suppress(OSError):
        for line in membership.read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers and "cpu" not in controllers.split(","):
                continue
            for top in (groups, groups / "unified") if not controllers else (groups / "cpu",):
                own = top / path.lstrip("/")
                for folder in (own, *own.parents):
                    least = min(least, *_limits(folder))
                    if folder == top:
                        break
    return max(1, math.ceil(least)) if least < math.inf else least


def _limits(folder: Path) -> Iterator[float]:
    """Yield the limits that a group sets: processor time over time."""
    yield math.inf
    with suppress(OSError, ValueError, ZeroDivisionError):
        time, period = (folder / "cpu.max").read_text().split()
        yield float(time) / float(period)  # "max" for none
    with suppress(OSError, ValueError, ZeroDivisionError):
        time, period = ((folder / f"cpu.cfs_{x}_us").read_text() for x in ("quota", "period"))
        if float(time) > 0:
            yield float(time) / float(period)
