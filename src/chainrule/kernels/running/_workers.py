"""The workers that share large calls: threads that sleep in native code between calls."""

from __future__ import annotations

import atexit
import ctypes
import os
import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.kernels.running._plan import (
    ADDRESS,
    AWAKE,
    BED,
    BELL,
    BUSY,
    COUPLED,
    DONE,
    GATE,
    HEADER_SIZE,
    IN_TILES,
    ITEM,
    LEAST_ASLEEP,
    LEAST_AWAKE,
    MISSED,
    MUTEX,
    NEXT,
    OF_THREAD,
    PARAMETERS,
    POOL,
    THREAD,
    TYPE,
    VACATED,
    WORKERS,
    WRITES_SECOND,
    pool_size,
)
from chainrule.kernels.running._processors import available_processors

# Bytes of output from which on workers help, if they are awake or asleep: half of the one, and a
# sixteenth of the other, pays for one more of them.
_AWAKE, _ASLEEP = 2**16, 2**20


class WorkerPool:
    """The threads of this process; started at the first call that is large enough.

    What they share lies at ``address``, as ``_plan`` describes it. A process made by ``fork``
    begins without workers and starts its own.
    """

    def __init__(self) -> None:
        self.wanted = available_processors() - 1
        self.shared = np.zeros(pool_size(1 + self.wanted) // 8 + 8, np.int64)
        self.address = -(-self.shared.ctypes.data // 64) * 64
        self.threads: list[threading.Thread] = []
        self.lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        """Forget all workers, of which a forked process has none."""
        self.lock = threading.Lock()
        self.threads = []
        self.shared[:] = 0
        native = ctypes.CDLL(None)
        native.pthread_mutex_init(ctypes.c_void_p(self.address + MUTEX), None)
        native.pthread_cond_init(ctypes.c_void_p(self.address + DONE), None)
        for number in range(1 + self.wanted):
            bed = self.address + BED + OF_THREAD * number
            native.pthread_mutex_init(ctypes.c_void_p(bed), None)
            native.pthread_cond_init(ctypes.c_void_p(bed + BELL), None)
        self._set(WORKERS, -1 if self.wanted > 0 else 0)
        self.help_from()

    def help_from(self, awake: int = _AWAKE, asleep: int = _ASLEEP) -> None:
        """Let workers help from so many bytes of output on, if they are awake or asleep."""
        self._set(LEAST_AWAKE, awake)
        self._set(LEAST_ASLEEP, max(awake, asleep))

    def _set(self, place: int, value: int) -> None:
        self.shared[(self.address - self.shared.ctypes.data + place) // 8] = value

    def provide_tiles(self) -> None:
        """Let calls find what goes through tiles; it is compiled at the first use on a machine."""
        from chainrule.kernels.running._tiles import in_tiles

        self._set(IN_TILES, in_tiles.address)

    def start(self) -> None:
        """Start the workers, unless they run."""
        with self.lock:
            if self.threads or self.wanted <= 0:
                return
            from chainrule.kernels.running._tiles import serve

            self.provide_tiles()
            self._set(MISSED, 0)
            self._set(VACATED, 0)
            for number in range(self.wanted):
                thread = threading.Thread(
                    target=serve,
                    args=(self.address, 1 + number),
                    name=f"chainrule worker {number}",
                    daemon=True,
                )
                thread.start()
                self._set(NEXT + OF_THREAD * (1 + number) + THREAD, thread.native_id or 0)
                self.threads.append(thread)
            self._set(WORKERS, len(self.threads))

    def stop(self) -> None:
        """End all workers; the next large call starts them again."""
        with self.lock:
            if not self.threads:
                return
            from chainrule.kernels.running._tiles import dismiss

            dismiss(self.address)
            for thread in self.threads:
                thread.join()
            self.threads = []
            self._set(AWAKE, 0)
            self._set(WORKERS, -1)
            self._set(GATE, 0)
            self._set(BUSY, 0)


pool = WorkerPool()
atexit.register(pool.stop)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=pool.reset)


def call_header(
    address: int,
    parameters: NDArray[np.float64],
    dtype: np.dtype[Any],
    *,
    coupled: bool,
    writes_second: bool,
) -> NDArray[np.int64]:
    """Return what a call over arrays needs of a kernel, as ``_plan`` describes it."""
    header = np.zeros(HEADER_SIZE, np.int64)
    header[ADDRESS] = address
    header[PARAMETERS] = parameters.ctypes.data
    header[TYPE] = id(dtype)  # NumPy keeps one object for each of its own types
    header[ITEM] = dtype.itemsize
    header[COUPLED] = coupled
    header[WRITES_SECOND] = writes_second
    header[POOL] = pool.address
    return header
