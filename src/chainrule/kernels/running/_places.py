"""On which processors workers run: not on that of the thread whose call they share.

A worker that is woken may be put where the thread runs that woke it, and stay there, ready to run,
while another processor idles: for seconds, since a worker that waits steps back for others. A call
then takes as long as without workers.
"""

from __future__ import annotations

import ctypes
import os

from numba import types

from chainrule.kernels.compiling._parts import inner
from chainrule.kernels.running._memory import get, load_int64, put, store_int64, words
from chainrule.kernels.running._plan import MISSED, NEXT, OF_THREAD, THREAD, VACATED, WORKERS

CAN_MOVE = hasattr(os, "sched_setaffinity") and hasattr(ctypes.CDLL(None), "sched_getcpu")
_PATIENCE = 4  # plans in a row of which some worker has seen nothing
_MASK = 16  # words: for 1024 processors

_processor = types.ExternalFunction("sched_getcpu", types.int32())
_processors_of = types.ExternalFunction(
    "sched_getaffinity", types.int32(types.int32, types.intp, types.intp)
)
_move = types.ExternalFunction(
    "sched_setaffinity", types.int32(types.int32, types.intp, types.intp)
)
_new_mask = words(_MASK)


@inner()
def keep_apart(pool: int, are_missing: bool) -> None:
    """Send workers to other processors than this thread's, if they leave all work to it.

    Parameters
    ----------
    pool : int
    are_missing : bool
        Whether some have not come to a plan of which this thread has done its own part. Several
        times in a row count. Workers may come back to a processor once the thread has left it.
    """
    if not CAN_MOVE:
        return
    workers = load_int64(pool + WORKERS)
    missed = load_int64(pool + MISSED) + 1 if are_missing else 0
    store_int64(pool + MISSED, missed)
    if missed < _PATIENCE:
        return
    here, before = _processor(), load_int64(pool + VACATED) - 1
    if here == before or here < 0 or here >= 64 * _MASK:
        return
    store_int64(pool + VACATED, here + 1)
    mask = _new_mask()
    for k in range(1, workers + 1):
        thread = types.int32(load_int64(pool + NEXT + OF_THREAD * k + THREAD))
        if _processors_of(thread, 8 * _MASK, mask) != 0:
            continue
        if before >= 0:
            put(mask, before // 64, get(mask, before // 64) | (1 << (before % 64)))
        put(mask, here // 64, get(mask, here // 64) & ~(1 << (here % 64)))
        left = 0
        for word in range(_MASK):
            left |= get(mask, word)
        if left != 0:
            _move(thread, 8 * _MASK, mask)
