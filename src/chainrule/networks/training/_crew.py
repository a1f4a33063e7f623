"""The threads of a training run, and the workspace that they share."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.networks.compiled import PANEL_SIZE, new_team, request_stop
from chainrule.networks.compiled import tables as columns

_LINE = 64  # bytes
_GLANCE = 0.05  # seconds


class Crew:
    """Threads that run one compiled function together, each with its own view of the workspace.

    Parameters
    ----------
    threads : int
        How many; one stands for the caller alone.
    size : int
        Elements of the shared workspace.
    dtype : dtype
        Of the workspace.
    tiles, learned : int
        How many tiles there are at most in a phase that sums, and how many sums at once.
    """

    def __init__(
        self, threads: int, size: int, dtype: np.dtype[Any], *, tiles: int, learned: int
    ) -> None:
        self.team = new_team(threads)
        self.work = aligned(size, dtype)
        self.work[:] = 0.0
        self.panels = [aligned(PANEL_SIZE, np.dtype(np.uint8)) for _ in range(threads)]
        sums = np.zeros((max(tiles, 1), max(learned, 1)))
        self.spaces = tuple(
            columns.Workspace(self.team.ctypes.data, number, self.work, sums, panel.ctypes.data)
            for number, panel in enumerate(self.panels)
        )
        self.threads = threads
        self.pool = self._new_pool()
        self.gathering = Lock()

    def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a compiled function in all threads, and return what the first one returns.

        Several threads are led by one of their own: an interrupt, which reaches the caller alone,
        cannot leave some of them waiting for one that never came.
        """
        self.team[1:] = 0
        pool = self.pool
        if pool is None:
            return function(self.spaces[0], *arguments)
        try:
            led = pool.submit(self._lead, pool, function, *arguments)
            # A signal that the system hands to another thread does not wake this one.
            while not wait([led], _GLANCE).done:
                pass
            return led.result()
        except BaseException:
            request_stop(self.team)
            raise

    def _new_pool(self) -> ThreadPoolExecutor | None:
        """Return a pool, whose threads begin with their first work; none for the caller alone."""
        return ThreadPoolExecutor(self.threads, "chainrule training") if self.threads > 1 else None

    def _lead(self, pool: ThreadPoolExecutor, function: Callable[..., Any], *arguments: Any) -> Any:
        with self.gathering:  # all of them or none: a part would wait for the rest
            others = [pool.submit(function, space, *arguments) for space in self.spaces[1:]]
        result = function(self.spaces[0], *arguments)
        wait(others)
        return result

    def dismiss(self) -> None:
        """End the threads, when they have come to the end of their batch; others may follow."""
        if self.pool is not None:
            with self.gathering:
                self.pool.shutdown(wait=False)
            self.pool.shutdown()
            self.pool = self._new_pool()


def aligned(size: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return an array, not filled, that begins at the start of a cache line."""
    raw = np.empty(size * dtype.itemsize + _LINE, np.uint8)
    start = -raw.ctypes.data % _LINE
    return raw[start : start + size * dtype.itemsize].view(dtype)
