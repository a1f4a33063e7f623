"""When workers help with a call: it depends on whether they are awake."""

from __future__ import annotations

import time

import numpy as np
import pytest
from numba import types

from chainrule.kernels._native import compiled
from chainrule.kernels.running import _driver, _plan

AWAKE, ASLEEP = 1000, 50_000


@compiled()
def number_of_shares(pool, size):
    """Ask as the driver does."""
    return _driver._shares(pool, size)


@compiled()
def note_end(pool, size):
    """Note the end of a call as the driver does."""
    _driver._note_end(pool, size)


class Pool:
    """The words of a pool whose workers are asleep."""

    def __init__(self, workers=1):
        number_of_shares.compile((types.intp, types.intp))
        note_end.compile((types.intp, types.intp))
        self.words = np.zeros(_plan.pool_size(2) // 8 + 1, np.int64)
        self[_plan.WORKERS] = workers
        self[_plan.LEAST_AWAKE], self[_plan.LEAST_ASLEEP] = AWAKE, ASLEEP

    def __setitem__(self, place, value):
        self.words[place // 8] = value

    def shares(self, size):
        return number_of_shares(self.words.ctypes.data, size)

    def ends(self, size):
        note_end(self.words.ctypes.data, size)


@pytest.mark.parametrize(
    ("size", "asleep", "awake"),
    [(AWAKE - 1, 1, 1), (AWAKE, 1, 2), (ASLEEP - 1, 1, 2), (ASLEEP, 2, 2)],
)  # fmt: skip
def test_workers_that_are_asleep_are_woken_for_much(size, asleep, awake):
    """Those that are awake help with less, and nobody helps with little."""
    pool = Pool()
    assert pool.shares(size) == asleep
    pool[_plan.AWAKE] = 1
    assert pool.shares(size) == awake
    pool[_plan.WORKERS] = 0
    assert pool.shares(size) == 1


@pytest.mark.parametrize(
    ("size", "asleep", "awake"),
    [(AWAKE, 1, 2), (5 * AWAKE, 1, 10), (ASLEEP, 16, 16), (10**9, 16, 16)],
)
def test_of_many_workers_as_many_help_as_have_something_to_do(size, asleep, awake):
    """Half of what is worth sharing is worth one more of them; a sixteenth, where they sleep."""
    pool = Pool(workers=15)
    assert pool.shares(size) == asleep
    pool[_plan.AWAKE] = 1
    assert pool.shares(size) == awake


def test_workers_are_woken_where_one_call_follows_upon_another():
    """A call for itself is over before a worker would have come."""
    pool = Pool()
    pool.ends(AWAKE - 1)
    assert pool.shares(AWAKE) == 1
    for _ in range(50):  # whatever else the machine does
        pool.ends(AWAKE)
        if pool.shares(AWAKE) == 2:
            break
    else:
        pytest.fail("no call followed soon enough")
    time.sleep(0.001)
    assert pool.shares(AWAKE) == 1
