"""Time that does not depend on the machine: seconds in which a usual machine does the same work.

The speed of a processor that is shared with others changes by half from one second to the next.
So it is measured by a small piece of reference work, again and again while others are timed.
"""

from __future__ import annotations

import gc
import os
import threading
import time
from collections.abc import Callable
from typing import Any

_USUAL = 28e-6  # seconds which the reference work takes on a usual machine
_REPEATS = 3  # the least counts, since interruptions and cold caches only add
_FRESH = 0.04  # seconds for which a measurement holds
_OLDEST = 2  # generation of objects; to look for garbage in it is to look through all


def undisturbed() -> threading.RLock:
    """Return the gate: while it is held, no thread is interrupted."""
    return _gate


class WorkClock:
    """The work of the thread that made it, in seconds of a usual machine; any thread reads it.

    A whole garbage collection is no work: it takes as long as the process is large, which may be a
    second, and comes to whoever makes an object just then.
    """

    def __init__(self) -> None:
        self._processor = _processor_of_this_thread()
        self._before = self._processor()
        self._total = 0.0
        self._collected = 0.0
        self._collecting_since: float | None = None

    def now(self) -> float:
        """Return the work since the clock was made."""
        with _gate:
            now = self._processor() - self._collected
            step = (now - self._before) * _speed.now
            self._before, self._total = now, self._total + step
            return self._total

    def begin_collection(self) -> None:
        """Stand still, since objects are looked through."""
        self._collecting_since = self._processor()

    def end_collection(self) -> None:
        """Go on."""
        if self._collecting_since is not None:
            self._collected += self._processor() - self._collecting_since
            self._collecting_since = None


def work_clock() -> WorkClock:
    """Return the clock of this thread, with the machine's speed measured lately."""
    _speed.renew()
    if not hasattr(_own, "clock"):
        _own.clock = WorkClock()
    clock: WorkClock = _own.clock
    return clock


def renew_speed() -> None:
    """Measure the machine's speed again, unless that was done lately."""
    _speed.renew()


class _Speed:
    """How fast the machine is beside a usual one."""

    def __init__(self) -> None:
        self.now = 1.0
        self._fresh_until = -1.0

    def renew(self) -> None:
        """Measure again, unless that was done lately."""
        if time.monotonic() < self._fresh_until:
            return
        least = float("inf")
        for _ in range(_REPEATS):
            began = time.perf_counter()
            _reference_work()
            least = min(least, time.perf_counter() - began)
        self.now = _USUAL / max(least, 1e-9)
        self._fresh_until = time.monotonic() + _FRESH


class _Item:
    """Something that is hashed and compared by its parts, as expressions are."""

    __slots__ = ("parts",)

    def __init__(self, *parts: object) -> None:
        self.parts = parts

    def __hash__(self) -> int:
        return hash(self.parts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Item) and self.parts == other.parts


def _reference_work() -> list[int]:
    """Do a little of what algebra does most: make, hash, compare and sort small objects."""
    counts: dict[_Item, int] = {}
    for k in range(40):
        item = _Item(k % 7, (k, "z"))
        counts[item] = counts.get(item, 0) + k
    return sorted(counts.values())


def _processor_of_this_thread() -> Callable[[], float]:
    """Return the thread's processor time, for other threads to read."""
    if hasattr(time, "pthread_getcpuclockid"):
        clock = time.pthread_getcpuclockid(threading.get_ident())
        return lambda: time.clock_gettime(clock)
    offset = time.thread_time() - time.monotonic()
    return lambda: time.monotonic() + offset


def _leave_collection_out(phase: str, info: dict[str, Any]) -> None:
    """Stop and start the clock of the thread that collects garbage of all generations."""
    clock: WorkClock | None = getattr(_own, "clock", None)
    if clock is None or info["generation"] < _OLDEST:
        return
    if phase == "start":
        clock.begin_collection()
    else:
        clock.end_collection()


def _begin_anew() -> None:
    """Forget, in a child process, the clocks of its parent, and the thread that held the gate."""
    global _gate, _own
    _gate, _own = threading.RLock(), threading.local()


_gate = threading.RLock()
_speed = _Speed()
_own = threading.local()
gc.callbacks.append(_leave_collection_out)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)
