"""Threads that train one network together: who does what next, and where they wait for each other.

All threads run the same compiled code. A phase's work is cut into tiles that do not depend on the
number of threads, and each result is computed by one thread in one order: so it is, bit for bit,
the same however many take part.

A team is known by the address of its shared words.
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

from chainrule.kernels.compiling._parts import inner
from chainrule.kernels.running._memory import atomic_add, atomic_load, atomic_store, load_int64

# Places in bytes, apart by more than a cache line.
_THREADS, _NEXT, _ARRIVED, _TURN, _STOPPED, _REQUESTED = (128 * k for k in range(6))
_SPINS = 100_000  # some 50 µs; a thread that waits longer sleeps
_NAP = 20  # µs: who yields to other programs instead is behind all of them, at every meeting
_FLUSH = 0x8040  # of MXCSR: subnormal results and operands count as zero
_IS_X86 = platform.machine() in ("x86_64", "AMD64")

_sleep = types.ExternalFunction("usleep", types.int32(types.uint32))


def new_team(threads: int) -> NDArray[np.int64]:
    """Return the shared words of a team."""
    words = np.zeros(6 * 16, np.int64)
    words[_THREADS // 8] = threads
    return words


def request_stop(words: NDArray[np.int64]) -> None:
    """Ask a team to stop after its batch; its first thread decides, so that all agree."""
    words[_REQUESTED // 8] = 1


@inner()
def threads_of(team: int) -> int:
    """Return how many threads there are."""
    return load_int64(team + _THREADS)


@inner()
def has_several(team: int) -> bool:
    """Tell whether there is more than one thread."""
    return load_int64(team + _THREADS) > 1


@inner()
def is_requested(team: int) -> bool:
    """Tell whether somebody outside asked the team to stop."""
    return atomic_load(team + _REQUESTED) == 1


@inner()
def take(team: int) -> int:
    """Return the number of the next tile that nobody has taken since the threads last met."""
    return atomic_add(team + _NEXT, 1)


@inner()
def meet(team: int) -> None:
    """Wait until all threads are here; then tiles are counted from 0 again."""
    threads = load_int64(team + _THREADS)
    if threads == 1:
        atomic_store(team + _NEXT, 0)
        return
    turn = atomic_load(team + _TURN)
    if atomic_add(team + _ARRIVED, 1) == threads - 1:
        atomic_store(team + _ARRIVED, 0)
        atomic_store(team + _NEXT, 0)
        atomic_store(team + _TURN, turn + 1)
        return
    spins = 0
    while atomic_load(team + _TURN) == turn:
        spins += 1
        if spins > _SPINS:
            _sleep(types.uint32(_NAP))


@inner()
def stop(team: int) -> None:
    """Tell all threads to go no further than the next place where they ask."""
    atomic_store(team + _STOPPED, 1)


@inner()
def is_stopped(team: int) -> bool:
    """Tell whether the team was stopped."""
    return atomic_load(team + _STOPPED) == 1


def _flush_subnormals(typing_context: Any) -> Any:
    """Generate: let this thread count subnormal numbers as zero; return what was set before.

    Gradients below the smallest normal number change no parameter, but cost a hundred times as
    much: near a minimum, an epoch takes eight times as long with them.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        word = ir.IntType(32)
        if not _IS_X86:
            return ir.Constant(word, 0)
        before = _control(builder, "stmxcsr")
        _set_control(builder, builder.or_(before, ir.Constant(word, _FLUSH)))
        return before

    return types.uint32(), generate


def _restore_subnormals(typing_context: Any, before: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        if _IS_X86:
            _set_control(builder, arguments[0])
        return context.get_dummy_value()

    return types.void(types.uint32), generate


def _control(builder: Any, name: str) -> Any:
    place = cgutils.alloca_once(builder, ir.IntType(32))
    builder.call(_instruction(builder, name), [builder.bitcast(place, ir.IntType(8).as_pointer())])
    return builder.load(place)


def _set_control(builder: Any, value: Any) -> None:
    place = cgutils.alloca_once_value(builder, value)
    pointer = builder.bitcast(place, ir.IntType(8).as_pointer())
    builder.store(value, place)
    builder.call(_instruction(builder, "ldmxcsr"), [pointer])


def _instruction(builder: Any, name: str) -> Any:
    kind = ir.FunctionType(ir.VoidType(), [ir.IntType(8).as_pointer()])
    return cgutils.get_or_insert_function(builder.module, kind, f"llvm.x86.sse.{name}")


flush_subnormals: Callable[[], int] = intrinsic(_flush_subnormals)
restore_subnormals: Callable[[int], None] = intrinsic(_restore_subnormals)
