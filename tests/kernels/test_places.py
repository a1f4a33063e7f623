"""Workers are moved away from the processor of the thread whose calls they share."""

from __future__ import annotations

import os
import threading

import numpy as np
import pytest
from numba import types

from chainrule.kernels._native import compiled
from chainrule.kernels.running import _plan
from chainrule.kernels.running._places import CAN_MOVE, keep_apart

pytestmark = pytest.mark.skipif(
    not CAN_MOVE or len(os.sched_getaffinity(0)) < 2, reason="workers have nowhere else to go"
)


@compiled()
def keep_them_apart(pool, is_missing):
    """Do what a caller does at the end of its part of a plan."""
    keep_apart(pool, is_missing)


class Pool:
    """A pool with one worker, a thread that sleeps."""

    def __init__(self):
        self.words = np.zeros(_plan.pool_size(2) // 8 + 1, np.int64)
        self.done = threading.Event()
        self.thread = threading.Thread(target=self.done.wait)
        self.thread.start()
        self[_plan.WORKERS] = 1
        self[_plan.NEXT + _plan.OF_THREAD + _plan.THREAD] = self.thread.native_id

    def __setitem__(self, place, value):
        self.words[place // 8] = value

    def ends_plans(self, count, without=True):
        for _ in range(count):
            keep_them_apart(self.words.ctypes.data, without)

    @property
    def processors(self):
        return os.sched_getaffinity(self.thread.native_id)


@pytest.fixture
def pool():
    made, allowed = Pool(), os.sched_getaffinity(0)
    keep_them_apart.compile((types.intp, types.boolean))
    yield made
    os.sched_setaffinity(0, allowed)
    made.done.set()
    made.thread.join()


def test_a_worker_that_leaves_all_work_to_the_caller_goes_elsewhere(pool):
    """It may come back to a processor that the caller has left."""
    allowed = pool.processors
    for here in sorted(allowed)[:2]:
        os.sched_setaffinity(0, {here})
        pool.ends_plans(8)
        assert pool.processors == allowed - {here}


def test_a_worker_that_is_late_once_or_takes_part_stays_where_it_is(pool):
    """Only several plans in a row without it count."""
    allowed = pool.processors
    os.sched_setaffinity(0, {min(allowed)})
    for _ in range(4):
        pool.ends_plans(3)
        pool.ends_plans(1, without=False)
    assert pool.processors == allowed


def test_a_worker_with_one_processor_keeps_it(pool):
    """A thread cannot be without any."""
    here = min(pool.processors)
    os.sched_setaffinity(pool.thread.native_id, {here})
    os.sched_setaffinity(0, {here})
    pool.ends_plans(8)
    assert pool.processors == {here}
