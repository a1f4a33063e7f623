"""Kernels over arrays of any layout, on one thread or several: the compiled part.

A kernel works on contiguous rows. What is laid out otherwise goes through tiles that fit in the
nearest cache: gathered, computed, scattered, so that nothing of the array's size is copied. The
calling thread and the workers, which sleep between calls, have a share of the tiles each, the same
at every call: what a processor has computed lies in its caches. Who is done takes of the others'.

Arrays come by the addresses of their Python objects: to look at ``shape``, ``strides`` and data
from Python would take longer than a kernel of a thousand elements. The fields are those of
``PyArrayObject`` in NumPy's C interface, which do not move between its versions.

All of it stands in one file, because Numba's cache watches only the file of the function that is
called.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from chainrule.kernels._call import call_kernel
from chainrule.kernels._compile import first_alone
from chainrule.kernels._memory import (
    atomic_add,
    atomic_load,
    atomic_store,
    copy_bytes,
    exchange,
    load_int32,
    load_int64,
    store_int32,
    store_int64,
)
from chainrule.kernels._native import compiled
from chainrule.kernels._parts import inner

# Fields of PyArrayObject, after the object's own head.
_HEAD = object.__basicsize__
DATA, _DIMENSIONS, SHAPE, _STRIDES, _TYPE, _FLAGS = (_HEAD + k for k in (0, 8, 16, 24, 40, 48))
_C_ORDER, _FORTRAN_ORDER, _ALIGNED, _WRITEABLE = 0x1, 0x2, 0x100, 0x400

# A call's header: what it needs of a kernel.
ADDRESS, PARAMETERS, TYPE, ITEM, COUPLED, LEAST_FOR_WORKERS, POOL, WRITES_SECOND = range(8)
HEADER_SIZE = 8

# A plan: what every thread needs of a call. The last five are lists.
_ADDRESS, _PARAMETERS, _ITEM, _FLAT, _TILES, _ROWS, _COLUMNS, _HEIGHT, _WIDTH = range(9)
_WRITES_SECOND, _DIMENSION_COUNT, _STARTS, _STEPS, _THROUGH_BUFFER = 9, 10, 11, 14, 17
_LENGTHS, _JUMPS = 20, 52
_PLAN_SIZE = 52 + 3 * 32

# What the threads of a pool share: places in bytes, apart by more than a cache line but for what is
# read with the generation. From ``NEXT`` on there is one for each thread: how many tiles of its
# share have been taken.
_LINE = 128
MUTEX, WORK, DONE, GENERATION, JOINED, FINISHED, BUSY, WORKERS, NEXT = (_LINE * k for k in range(9))
OPEN, PLAN = GENERATION + 8, GENERATION + 16

FINISHED_CALL, NOT_TAKEN, WORKERS_WANTED = range(3)

_FLAT_TILE = 8192  # elements that a thread takes at once
_GATHERED_TILE = 2048
_STRIDE = 64  # elements that a loop takes at once, at most
_TOGETHER = 16  # rows whose elements lie in the same cache lines
_LARGEST_TILE = 262144
_SPINS = 100000  # some 50 µs: the time between a network's layers
_SPINS_BETWEEN_YIELDS = 1000

_native = types.ExternalFunction
_lock = _native("pthread_mutex_lock", types.int32(types.intp))
_try_lock = _native("pthread_mutex_trylock", types.int32(types.intp))
_unlock = _native("pthread_mutex_unlock", types.int32(types.intp))
_yield = _native("sched_yield", types.int32())
_wait = _native("pthread_cond_wait", types.int32(types.intp, types.intp))
_signal = _native("pthread_cond_signal", types.int32(types.intp))
_broadcast = _native("pthread_cond_broadcast", types.int32(types.intp))


def pool_size(threads: int) -> int:
    """Return how many bytes a pool of so many threads shares."""
    return NEXT + _LINE * threads


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
def _copy_item(item: int, source: int, destination: int) -> None:
    if item == 4:
        store_int32(destination, load_int32(source))
    else:
        store_int64(destination, load_int64(source))


@inner()
def _move(
    plan: Any, operand: int, row: int, rows: int, column: int, columns: int, buffer: int, out: bool
) -> None:
    """Copy a tile of an operand into a buffer, row after row, or out of it."""
    item, step, dimensions = plan[_ITEM], plan[_STEPS + operand], plan[_DIMENSION_COUNT]
    starts = np.empty(rows, np.int64)
    for r in range(rows):
        place, index = plan[_STARTS + operand] + column * step, row + r
        for d in range(dimensions - 1, -1, -1):
            length = plan[_LENGTHS + d]
            place += (index % length) * plan[_JUMPS + 32 * operand + d]
            index //= length
        starts[r] = place
    if rows > 1 and abs(starts[1] - starts[0]) < abs(step):
        for j in range(columns):
            for r in range(rows):
                here, there = buffer + (r * columns + j) * item, starts[r] + j * step
                _copy_item(item, here if out else there, there if out else here)
    else:
        for r in range(rows):
            for j in range(columns):
                here, there = buffer + (r * columns + j) * item, starts[r] + j * step
                _copy_item(item, here if out else there, there if out else here)


@inner()
def _next_tile(tiles: int, shares: int, own: int, taken: int) -> int:
    """Take a tile of one's own share, else of another one; -1 where none is left."""
    for k in range(shares):
        share = (own + k) % shares
        first, last = share * tiles // shares, (share + 1) * tiles // shares
        tile: int = first + atomic_add(taken + _LINE * share, 1)
        if tile < last:
            return tile
    return -1


@inner()
def _work(plan: Any, shares: int, own: int, taken: int) -> None:
    """Take tiles until none is left."""
    item, height, width = plan[_ITEM], plan[_HEIGHT], plan[_WIDTH]
    rows, columns, tiles, flat = plan[_ROWS], plan[_COLUMNS], plan[_TILES], plan[_FLAT] != 0
    across = (columns + width - 1) // width
    same = plan[_WRITES_SECOND] == 0 and _is_first_again(plan)
    reads_second = plan[_WRITES_SECOND] == 0 and not same
    places = np.empty(3, np.int64)
    buffered = 0
    for operand in range(3):
        buffered += plan[_THROUGH_BUFFER + operand]
    size = (height * width * item + 63) // 64 * 64
    buffer = np.empty(buffered * size + 64, np.uint8)
    start = (buffer.ctypes.data + 63) // 64 * 64
    tile = _next_tile(tiles, shares, own, taken)
    while tile >= 0:
        row, column = tile // across * height, tile % across * width
        count, long = min(height, rows - row), min(width, columns - column)
        place = start
        for operand in range(3):
            if plan[_THROUGH_BUFFER + operand]:
                places[operand] = place
                place += size
                if not flat and (operand == 0 or (operand == 1 and reads_second)):
                    _move(plan, operand, row, count, column, long, places[operand], False)
            else:
                places[operand] = plan[_STARTS + operand] + row * columns * item
        if same:
            places[1] = places[0]
        call_kernel(plan[_ADDRESS], places[0], places[1], places[2], count, long, plan[_PARAMETERS])
        for operand in range(1, 3):
            if plan[_THROUGH_BUFFER + operand] and (operand == 2 or plan[_WRITES_SECOND]):
                if flat:
                    there = plan[_STARTS + operand] + row * columns * item
                    copy_bytes(places[operand], there, count * columns * item)
                else:
                    _move(plan, operand, row, count, column, long, places[operand], True)
        tile = _next_tile(tiles, shares, own, taken)
    buffer[0] = 0  # it must live until here: nothing else shows that it is in use


@inner()
def _is_first_again(plan: Any) -> bool:
    """Tell whether the second operand is the first one, and not its transpose, say."""
    same = bool(plan[_STARTS] == plan[_STARTS + 1])
    if plan[_FLAT]:
        return same
    same = same and plan[_STEPS] == plan[_STEPS + 1]
    for d in range(plan[_DIMENSION_COUNT]):
        same = same and plan[_JUMPS + d] == plan[_JUMPS + 32 + d]
    return same


@inner()
def _lay_out(plan: Any, header: int, axis: int, arrays: Any) -> bool:
    """Write where rows lie; tell whether all is contiguous, rows and all."""
    coupled = load_int64(header + 8 * COUPLED)
    count = load_int32(arrays[2] + _DIMENSIONS)
    shape = load_int64(arrays[2] + SHAPE)
    orders = _C_ORDER | _FORTRAN_ORDER
    for operand in range(3):
        plan[_STARTS + operand] = load_int64(arrays[operand] + DATA)
        plan[_THROUGH_BUFFER + operand] = 0
        orders &= load_int32(arrays[operand] + _FLAGS)
    units = count - 1
    flat = orders != 0
    if coupled:
        units = axis if axis >= 0 else axis + count
        flat = orders & _C_ORDER != 0 and units == count - 1
    size = 1
    for d in range(count):
        size *= load_int64(shape + 8 * d)
    # What is written where something is read goes through a buffer: LLVM's vector loops are for
    # memory that does not overlap.
    a, b, c = plan[_STARTS], plan[_STARTS + 1], plan[_STARTS + 2]
    plan[_WRITES_SECOND] = load_int64(header + 8 * WRITES_SECOND)
    if plan[_WRITES_SECOND]:
        plan[_THROUGH_BUFFER + 1] = a == b
        plan[_THROUGH_BUFFER + 2] = a == c
    else:
        plan[_THROUGH_BUFFER + 2] = c in (a, b)
    if count == 0:
        plan[_ROWS], plan[_COLUMNS], plan[_DIMENSION_COUNT] = 1, 1, 0
        return True
    plan[_COLUMNS] = load_int64(shape + 8 * units)
    if flat:
        if not coupled:
            plan[_COLUMNS] = 1
        plan[_ROWS] = size // max(plan[_COLUMNS], 1)
        return True
    plan[_ROWS] = size // max(plan[_COLUMNS], 1)
    plan[_DIMENSION_COUNT] = count - 1
    for operand in range(3):
        plan[_THROUGH_BUFFER + operand] = 1
        strides = load_int64(arrays[operand] + _STRIDES)
        plan[_STEPS + operand] = load_int64(strides + 8 * units)
        kept = 0
        for d in range(count):
            if d != units:
                plan[_LENGTHS + kept] = load_int64(shape + 8 * d)
                plan[_JUMPS + 32 * operand + kept] = load_int64(strides + 8 * d)
                kept += 1
    return False


@inner()
def _fits(header: int, axis: int, arrays: Any) -> bool:
    """Tell whether the arrays are what a kernel takes; what is not is for Python to explain."""
    count = load_int32(arrays[2] + _DIMENSIONS)
    if count > 32 or not -max(count, 1) <= axis < max(count, 1):
        return False
    for operand in range(3):
        array = arrays[operand]
        flags = load_int32(array + _FLAGS)
        if load_int64(array + _TYPE) != load_int64(header + 8 * TYPE):
            return False
        if load_int32(array + _DIMENSIONS) != count or not flags & _ALIGNED:
            return False
        for d in range(count):
            here, there = load_int64(array + SHAPE), load_int64(arrays[2] + SHAPE)
            if load_int64(here + 8 * d) != load_int64(there + 8 * d):
                return False
    if load_int64(header + 8 * WRITES_SECOND) and not load_int32(arrays[1] + _FLAGS) & _WRITEABLE:
        return False
    return load_int32(arrays[2] + _FLAGS) & _WRITEABLE != 0


@inner()
def _extent(array: int, item: int) -> tuple[int, int]:
    """Return the first byte of an array's elements and the first one after them."""
    low = load_int64(array + DATA)
    high = low + item
    shape, strides = load_int64(array + SHAPE), load_int64(array + _STRIDES)
    for d in range(load_int32(array + _DIMENSIONS)):
        reach = (load_int64(shape + 8 * d) - 1) * load_int64(strides + 8 * d)
        low += min(reach, 0)
        high += max(reach, 0)
    return low, high


@inner()
def _overlap(array: int, output: int, item: int) -> bool:
    """Tell whether an input may share memory with the output without being the same elements."""
    if array == output:
        return False
    low, high = _extent(array, item)
    first, last = _extent(output, item)
    if high <= first or last <= low:
        return False
    same = load_int64(array + DATA) == load_int64(output + DATA)
    here, there = load_int64(array + _STRIDES), load_int64(output + _STRIDES)
    for d in range(load_int32(output + _DIMENSIONS)):
        same = same and load_int64(here + 8 * d) == load_int64(there + 8 * d)
    return not same


@inner()
def _evened(rows: int, height: int, shares: int, of_one: bool) -> int:
    """Return the height of tiles, not above another one, of which all shares have as many."""
    rounds = (rows + height * shares - 1) // (height * shares)
    even = (rows + rounds * shares - 1) // (rounds * shares)
    if of_one:  # whole vectors, several at once
        even = (even + _STRIDE - 1) // _STRIDE * _STRIDE
    return min(even, height)


@inner()
def _share(pool: int, plan: Any) -> None:
    """Offer a plan to the workers, work on it, and wait for those who have joined."""
    shares = 1 + load_int64(pool + WORKERS)
    for share in range(shares):
        atomic_store(pool + NEXT + _LINE * share, 0)
    atomic_store(pool + JOINED, 0)
    atomic_store(pool + FINISHED, 0)
    _enter(pool + MUTEX)
    atomic_store(pool + PLAN, plan.ctypes.data)
    atomic_store(pool + OPEN, 1)
    atomic_add(pool + GENERATION, 1)
    _broadcast(pool + WORK)
    _unlock(pool + MUTEX)
    _work(plan, shares, 0, pool + NEXT)
    _enter(pool + MUTEX)
    atomic_store(pool + OPEN, 0)
    _unlock(pool + MUTEX)
    spins = 0
    while spins < _SPINS and atomic_load(pool + FINISHED) < atomic_load(pool + JOINED):
        spins = _spun(spins)
    _enter(pool + MUTEX)
    while atomic_load(pool + FINISHED) < atomic_load(pool + JOINED):
        _wait(pool + DONE, pool + MUTEX)
    _unlock(pool + MUTEX)
    plan[_ADDRESS] = 0  # as above


@compiled()
def apply(header: int, axis: int, first: int, second: int, output: int) -> int:
    """Run a kernel over arrays, which are given by the addresses of their objects.

    Returns ``FINISHED_CALL``; or, with nothing done, ``NOT_TAKEN`` where an array does not fit or
    overlaps the output, and ``WORKERS_WANTED`` where workers would help and have not been started.
    """
    arrays = (first, second, output)
    item = load_int64(header + 8 * ITEM)
    if not _fits(header, axis, arrays):
        return NOT_TAKEN
    if _overlap(first, output, item) or _overlap(second, output, item):
        return NOT_TAKEN
    if load_int64(header + 8 * WRITES_SECOND) and (
        _overlap(first, second, item) or load_int64(second + DATA) == load_int64(output + DATA)
    ):
        return NOT_TAKEN
    plan = np.empty(_PLAN_SIZE, np.int64)
    plan[_ADDRESS] = load_int64(header + 8 * ADDRESS)
    plan[_PARAMETERS] = load_int64(header + 8 * PARAMETERS)
    plan[_ITEM] = item
    flat = _lay_out(plan, header, axis, arrays)
    plan[_FLAT] = flat
    rows, columns = plan[_ROWS], plan[_COLUMNS]
    size = rows * columns
    if size == 0:
        return FINISHED_CALL
    pool = load_int64(header + 8 * POOL)
    shared = pool != 0 and size >= load_int64(header + 8 * LEAST_FOR_WORKERS)
    direct = flat and plan[_THROUGH_BUFFER + 1] == 0 and plan[_THROUGH_BUFFER + 2] == 0
    if direct and not shared:
        a, b, c = plan[_STARTS], plan[_STARTS + 1], plan[_STARTS + 2]
        call_kernel(plan[_ADDRESS], a, b, c, rows, columns, plan[_PARAMETERS])
        return FINISHED_CALL
    if flat:
        height = max(1, min(rows, (_FLAT_TILE if direct else _GATHERED_TILE) // columns))
        if shared:
            height = _evened(rows, height, 1 + max(load_int64(pool + WORKERS), 0), columns == 1)
        plan[_WIDTH], plan[_HEIGHT] = columns, height
        plan[_TILES] = (rows + height - 1) // height
    else:
        coupled = load_int64(header + 8 * COUPLED) != 0
        width = columns if coupled else min(columns, _GATHERED_TILE)
        height = max(_GATHERED_TILE // width, _TOGETHER if coupled else 1)
        height = max(1, min(height, rows, max(1, _LARGEST_TILE // width)))
        plan[_WIDTH], plan[_HEIGHT] = width, height
        plan[_TILES] = (rows + height - 1) // height * ((columns + width - 1) // width)
    if shared and load_int64(pool + WORKERS) < 0:
        return WORKERS_WANTED
    if (
        shared
        and plan[_TILES] > 1
        and load_int64(pool + WORKERS) > 0
        and exchange(pool + BUSY, 0, 1)
    ):
        _share(pool, plan)
        atomic_store(pool + BUSY, 0)
    else:
        alone = np.zeros(1, np.int64)
        _work(plan, 1, 0, np.int64(alone.ctypes.data))
        alone[0] = 0  # as above
    return FINISHED_CALL


@compiled()
def serve(pool: int, own: int) -> None:
    """Take part in every plan that is offered, until a plan at address 0 is: a worker's life.

    `own` is the number of its share of the tiles; that of the calling thread is 0.
    """
    seen = 0
    while True:
        spins = 0
        while spins < _SPINS and atomic_load(pool + GENERATION) == seen:
            spins = _spun(spins)
        _enter(pool + MUTEX)
        while atomic_load(pool + GENERATION) == seen:
            _wait(pool + WORK, pool + MUTEX)
        seen = atomic_load(pool + GENERATION)
        address = atomic_load(pool + PLAN)
        joined = atomic_load(pool + OPEN) == 1
        if joined and address != 0:
            atomic_add(pool + JOINED, 1)
        _unlock(pool + MUTEX)
        if joined and address == 0:
            return
        if joined:
            plan = np.empty(_PLAN_SIZE, np.int64)
            for k in range(_LENGTHS if load_int64(address + 8 * _FLAT) else _PLAN_SIZE):
                plan[k] = load_int64(address + 8 * k)
            _work(plan, 1 + load_int64(pool + WORKERS), own, pool + NEXT)
            _enter(pool + MUTEX)
            atomic_add(pool + FINISHED, 1)
            _signal(pool + DONE)
            _unlock(pool + MUTEX)


with first_alone("the driver"):
    apply.compile((types.intp,) * 5)
    serve.compile((types.intp, types.intp))

# Without the dispatcher, which would look at the types of the five integers at every call.
apply_directly = next(iter(apply.overloads.values())).entry_point
