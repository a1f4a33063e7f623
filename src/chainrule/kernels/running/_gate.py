"""How a thread and its workers meet: a plan is offered, workers join, the thread waits for them.

One word, the *gate*, tells which plan is offered (its *turn*), whether workers may still join, and
how many have. Who joins changes it in one step and locks nothing: fifteen workers that enter one
after the other would take longer than what they do. Workers look at it for a while, then sleep.
"""

from __future__ import annotations

from numba import types

from chainrule.kernels.compiling._parts import inner
from chainrule.kernels.running._memory import (
    atomic_add,
    atomic_load,
    atomic_store,
    exchange,
    load_int64,
    store_int64,
)
from chainrule.kernels.running._plan import (
    AWAKE,
    BED,
    BELL,
    DONE,
    FINISHED,
    GATE,
    MUTEX,
    NEXT,
    OF_THREAD,
    PLAN,
    SHARES,
    SLEEPS,
    WAITS,
)

CLOSED = -1
_TURN, _OPEN = 32, 1 << 31  # of the gate: from which bit on, which bit; below, how many joined
_SPINS = 100000  # some 50 µs: the time between a network's layers
_SPINS_BETWEEN_YIELDS = 1000
_WOKEN = 4  # by each thread: sixteen are awake after two rounds

_native = types.ExternalFunction
_lock = _native("pthread_mutex_lock", types.int32(types.intp))
_try_lock = _native("pthread_mutex_trylock", types.int32(types.intp))
_unlock = _native("pthread_mutex_unlock", types.int32(types.intp))
_yield = _native("sched_yield", types.int32())
_wait = _native("pthread_cond_wait", types.int32(types.intp, types.intp))
_signal = _native("pthread_cond_signal", types.int32(types.intp))


@inner()
def _enter(mutex: int) -> None:
    """Lock; who is in is out again before the system would have put this thread to sleep."""
    for _ in range(_SPINS_BETWEEN_YIELDS):
        if _try_lock(mutex) == 0:
            return
    _lock(mutex)


@inner()
def _spun(spins: int) -> int:
    """Count a look at what is waited for; let others that have no processor run now and then."""
    spins += 1
    if spins % _SPINS_BETWEEN_YIELDS == 0:
        _yield()
    return spins


@inner()
def offer(pool: int, plan: int, shares: int) -> None:
    """Offer a plan in so many shares, that of the offering thread among them."""
    for share in range(shares):
        store_int64(pool + NEXT + OF_THREAD * share, 0)
    store_int64(pool + FINISHED, 0)
    store_int64(pool + SHARES, shares)
    store_int64(pool + PLAN, plan)
    atomic_store(pool + GATE, ((atomic_load(pool + GATE) >> _TURN) + 1 << _TURN) + _OPEN)
    wake(pool, 0, shares)


@inner()
def wake(pool: int, own: int, shares: int) -> None:
    """Wake the few that are one's own to wake; those wake others in turn.

    To wake one takes as long as a kernel takes for some hundred thousand bytes; until it runs, as
    long again or longer.
    """
    for other in range(_WOKEN * own + 1, _WOKEN * (own + 1) + 1):
        bed = pool + BED + OF_THREAD * other
        if other < shares and atomic_load(bed + SLEEPS):
            _enter(bed)
            _signal(bed + BELL)
            _unlock(bed)


@inner()
def await_turn(pool: int, own: int, seen: int) -> int:
    """Return the turn after one that is known, once there is one: a look, then sleep."""
    spins = 0
    while spins < _SPINS:
        turn = atomic_load(pool + GATE) >> _TURN
        if turn != seen:
            wake(pool, own, load_int64(pool + SHARES))
            if own < load_int64(pool + SHARES):
                return turn
            seen = turn
        spins = _spun(spins)
    bed = pool + BED + OF_THREAD * own
    _enter(bed)
    atomic_add(pool + AWAKE, -1)
    atomic_store(bed + SLEEPS, 1)
    # Who has changed the gate looks for sleepers after that: no one sleeps through a turn.
    while atomic_load(pool + GATE) >> _TURN == seen:
        _wait(bed + BELL, bed)
    atomic_store(bed + SLEEPS, 0)
    atomic_add(pool + AWAKE, 1)
    _unlock(bed)
    turn = atomic_load(pool + GATE) >> _TURN
    wake(pool, own, load_int64(pool + SHARES))
    return turn


@inner()
def joined(pool: int, own: int, turn: int) -> int:
    """Join a turn; return the plan's address, or ``CLOSED``."""
    while True:
        gate = atomic_load(pool + GATE)
        shares, plan = load_int64(pool + SHARES), load_int64(pool + PLAN)
        if gate >> _TURN != turn or gate & _OPEN == 0 or own >= shares:
            return CLOSED
        if exchange(pool + GATE, gate, gate + 1):
            return plan


@inner()
def finish(pool: int) -> None:
    """Tell the thread that offered a plan that one's own part is done."""
    atomic_add(pool + FINISHED, 1)
    if atomic_load(pool + WAITS):
        _enter(pool + MUTEX)
        _signal(pool + DONE)
        _unlock(pool + MUTEX)


@inner()
def joined_so_far(pool: int) -> int:
    """Return how many workers have joined."""
    return atomic_load(pool + GATE) & (_OPEN - 1)


@inner()
def await_all(pool: int) -> None:
    """Let no more workers join, and wait for those who have."""
    while True:
        gate = atomic_load(pool + GATE)
        if exchange(pool + GATE, gate, gate & ~_OPEN):
            break
    count, spins = gate & (_OPEN - 1), 0
    while spins < _SPINS and atomic_load(pool + FINISHED) < count:
        spins = _spun(spins)
    if atomic_load(pool + FINISHED) < count:
        _enter(pool + MUTEX)
        atomic_store(pool + WAITS, 1)
        while atomic_load(pool + FINISHED) < count:
            _wait(pool + DONE, pool + MUTEX)
        atomic_store(pool + WAITS, 0)
        _unlock(pool + MUTEX)
