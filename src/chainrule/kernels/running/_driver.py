"""Kernels over arrays of any layout: the compiled part of every call.

Arrays come by the addresses of their Python objects: to look at ``shape``, ``strides`` and data
from Python would take longer than a kernel of a thousand elements. Small contiguous arrays go to
the kernel at once; what is laid out otherwise, or large enough for several threads, goes through
tiles (see `_tiles`).
"""

from __future__ import annotations

import time
from typing import Any

from numba import types

from chainrule.kernels._call import call_in_tiles, call_kernel
from chainrule.kernels._native import compiled
from chainrule.kernels.compiling._compile import first_alone
from chainrule.kernels.compiling._parts import inner
from chainrule.kernels.running._integers import least, most
from chainrule.kernels.running._memory import (
    atomic_load,
    get,
    load_int32,
    load_int64,
    put,
    store_int64,
    words,
)
from chainrule.kernels.running._plan import (
    ADDRESS,
    ALIGNED,
    ALONE,
    AWAKE,
    C_ORDER,
    CALLED,
    CALLER,
    COLUMNS,
    COUPLED,
    DATA,
    DIMENSION_COUNT,
    DIMENSIONS,
    ENDED,
    FINISHED_CALL,
    FLAGS,
    FLAT,
    FORTRAN_ORDER,
    HEIGHT,
    IN_TILES,
    ITEM,
    ITEM_SIZE,
    JUMPS,
    KIND,
    LEAST_ASLEEP,
    LEAST_AWAKE,
    LENGTHS,
    MOST_DIMENSIONS,
    NO_MEMORY,
    NOT_TAKEN,
    NUMBERS,
    PARAMETERS,
    PLAN_SIZE,
    POOL,
    ROWS,
    SECOND_IS_WRITTEN,
    SHAPE,
    SHARED_BY,
    STARTS,
    STEPS,
    STRIDES,
    THROUGH_BUFFER,
    TILES,
    TILES_WANTED,
    TYPE,
    WIDTH,
    WORKERS,
    WORKERS_WANTED,
    WRITEABLE,
    WRITES_SECOND,
)

_FLAT_TILE = 8192  # elements that a thread takes at once
_GATHERED_TILE = 2048
_STRIDE = 64  # elements that a loop takes at once, at most
_CACHE_LINE = 64  # bytes
_ALIGNED_SIZE = 8192  # elements, from which on it pays to begin where a cache line does
_TOGETHER = 16  # rows whose elements lie in the same cache lines
_LARGEST_TILE = 262144

_SOON = 50_000  # nanoseconds, which workers stay awake, too
_CLOCK = time.CLOCK_MONOTONIC

_clock = types.ExternalFunction("clock_gettime", types.int32(types.int32, types.intp))
_new_plan, _two_words = words(PLAN_SIZE), words(2)


@inner()
def _lay_out(plan: int, header: int, axis: int, arrays: Any) -> bool:
    """Write where rows lie; tell whether all is contiguous, rows and all."""
    coupled = get(header, COUPLED)
    count = load_int32(arrays[2] + DIMENSIONS)
    shape = load_int64(arrays[2] + SHAPE)
    orders = C_ORDER | FORTRAN_ORDER
    for operand in range(3):
        put(plan, STARTS + operand, load_int64(arrays[operand] + DATA))
        put(plan, THROUGH_BUFFER + operand, 0)
        orders &= load_int32(arrays[operand] + FLAGS)
    units = count - 1
    flat = orders != 0
    if coupled:
        units = axis if axis >= 0 else axis + count
        flat = orders & C_ORDER != 0 and units == count - 1
    size = 1
    for d in range(count):
        size *= get(shape, d)
    # What is written where something is read goes through a buffer: LLVM's vector loops are for
    # memory that does not overlap.
    a, b, c = get(plan, STARTS), get(plan, STARTS + 1), get(plan, STARTS + 2)
    put(plan, SECOND_IS_WRITTEN, get(header, WRITES_SECOND))
    if get(plan, SECOND_IS_WRITTEN):
        put(plan, THROUGH_BUFFER + 1, a == b)
        put(plan, THROUGH_BUFFER + 2, a == c)
    else:
        put(plan, THROUGH_BUFFER + 2, (c == a) | (c == b))
    if count == 0:
        put(plan, ROWS, 1)
        put(plan, COLUMNS, 1)
        put(plan, DIMENSION_COUNT, 0)
        return True
    put(plan, COLUMNS, get(shape, units))
    if flat:
        if not coupled:
            put(plan, COLUMNS, 1)
        put(plan, ROWS, size // most(get(plan, COLUMNS), 1))
        return True
    put(plan, ROWS, size // most(get(plan, COLUMNS), 1))
    put(plan, DIMENSION_COUNT, count - 1)
    for operand in range(3):
        put(plan, THROUGH_BUFFER + operand, 1)
        strides = load_int64(arrays[operand] + STRIDES)
        put(plan, STEPS + operand, get(strides, units))
        kept = 0
        for d in range(count):
            if d != units:
                put(plan, LENGTHS + kept, get(shape, d))
                put(plan, JUMPS + MOST_DIMENSIONS * operand + kept, get(strides, d))
                kept += 1
    return False


@inner()
def _fits(header: int, axis: int, arrays: Any) -> bool:
    """Tell whether the arrays are what a kernel takes; what is not is for Python to explain."""
    count = load_int32(arrays[2] + DIMENSIONS)
    if count > 32 or not -most(count, 1) <= axis < most(count, 1):
        return False
    for operand in range(3):
        array = arrays[operand]
        flags = load_int32(array + FLAGS)
        if load_int64(array + KIND) != get(header, TYPE):
            return False
        if load_int32(array + DIMENSIONS) != count or not flags & ALIGNED:
            return False
        for d in range(count):
            here, there = load_int64(array + SHAPE), load_int64(arrays[2] + SHAPE)
            if get(here, d) != get(there, d):
                return False
    if get(header, WRITES_SECOND) and not load_int32(arrays[1] + FLAGS) & WRITEABLE:
        return False
    return load_int32(arrays[2] + FLAGS) & WRITEABLE != 0


@inner()
def _extent(array: int, item: int) -> tuple[int, int]:
    """Return the first byte of an array's elements and the first one after them."""
    low = load_int64(array + DATA)
    high = low + item
    shape, strides = load_int64(array + SHAPE), load_int64(array + STRIDES)
    for d in range(load_int32(array + DIMENSIONS)):
        reach = (get(shape, d) - 1) * get(strides, d)
        if reach < 0:
            low += reach
        else:
            high += reach
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
    here, there = load_int64(array + STRIDES), load_int64(output + STRIDES)
    for d in range(load_int32(output + DIMENSIONS)):
        same = same and get(here, d) == get(there, d)
    return not same


@inner()
def _evened(rows: int, height: int, shares: int, of_one: bool) -> int:
    """Return the height of tiles, not above another one, of which all shares have as many."""
    rounds = (rows + height * shares - 1) // (height * shares)
    even = (rows + rounds * shares - 1) // (rounds * shares)
    if of_one:  # whole vectors, several at once
        even = (even + _STRIDE - 1) // _STRIDE * _STRIDE
    return even if even < height else height


@inner()
def _ends_done(plan: int) -> int:
    """Compute both ends of flat arrays; return the number of elements left between them.

    What is left begins where a cache line of the output does, as a vector that lies in two of them
    takes longer to store, and is a whole number of vectors. Elements at its ends are computed
    twice, to the same.
    """
    item, rows = get(plan, ITEM_SIZE), get(plan, ROWS)
    lead = -get(plan, STARTS + 2) % _CACHE_LINE // item
    left = (rows - lead) // _STRIDE * _STRIDE
    if lead > 0:
        _on_part(plan, 0, _STRIDE, 1)
    if lead + left < rows:
        _on_part(plan, rows - _STRIDE, _STRIDE, 1)
    for operand in range(3):
        put(plan, STARTS + operand, get(plan, STARTS + operand) + lead * item)
    put(plan, ROWS, left)
    return left


@inner()
def _shares(pool: int, size: int) -> int:
    """Return in how many shares so many bytes of output are worth being computed.

    Workers that are asleep are woken for much, or where one call follows upon another.
    """
    awake, asleep = load_int64(pool + LEAST_AWAKE), load_int64(pool + LEAST_ASLEEP)
    workers = load_int64(pool + WORKERS)
    if size < awake or workers == 0:
        return 1
    own = awake // 2
    if atomic_load(pool + AWAKE) == 0 and _now() - load_int64(pool + ENDED) >= _SOON:
        if size < asleep:
            return 1
        own = most(own, asleep // 16)
    count: int = most(2, least(1 + workers, size // most(own, 1)))
    return count


@inner()
def _note_end(pool: int, size: int) -> None:
    """Note when a call ended with which awake workers would have helped."""
    if size >= load_int64(pool + LEAST_AWAKE) and load_int64(pool + WORKERS) != 0:
        store_int64(pool + ENDED, _now())


@inner()
def _now() -> int:
    """Return a time in nanoseconds."""
    seconds = _two_words()
    _clock(_CLOCK, seconds)
    return 1_000_000_000 * get(seconds, 0) + get(seconds, 1)


@inner()
def _on_part(plan: int, start: int, rows: int, columns: int) -> None:
    """Run a kernel over a part of contiguous arrays."""
    skipped = start * columns * get(plan, ITEM_SIZE)
    a, b, c = get(plan, STARTS), get(plan, STARTS + 1), get(plan, STARTS + 2)
    call_kernel(
        get(plan, CALLED), a + skipped, b + skipped, c + skipped, rows, columns, get(plan, NUMBERS)
    )


@compiled()
def apply(header: int, axis: int, first: int, second: int, output: int) -> int:
    """Run a kernel over arrays, which are given by the addresses of their objects.

    Returns ``FINISHED_CALL``; or, with nothing done, ``NOT_TAKEN`` where an array does not fit or
    overlaps the output, ``WORKERS_WANTED`` where workers would help and have not been started, and
    ``TILES_WANTED`` where code for tiles has not been provided; or, where they had no memory,
    ``NO_MEMORY``.
    """
    arrays = (first, second, output)
    item = get(header, ITEM)
    if not _fits(header, axis, arrays):
        return NOT_TAKEN
    if _overlap(first, output, item) or _overlap(second, output, item):
        return NOT_TAKEN
    if get(header, WRITES_SECOND) and (
        _overlap(first, second, item) or load_int64(second + DATA) == load_int64(output + DATA)
    ):
        return NOT_TAKEN
    plan = _new_plan()
    put(plan, CALLED, get(header, ADDRESS))
    put(plan, NUMBERS, get(header, PARAMETERS))
    put(plan, ITEM_SIZE, item)
    flat = _lay_out(plan, header, axis, arrays)
    put(plan, FLAT, flat)
    rows, columns = get(plan, ROWS), get(plan, COLUMNS)
    size = rows * columns
    if size == 0:
        return FINISHED_CALL
    pool = get(header, POOL)
    shares = _shares(pool, size * item)
    shared = shares > 1
    direct = flat and get(plan, THROUGH_BUFFER + 1) == 0 and get(plan, THROUGH_BUFFER + 2) == 0
    if direct and columns == 1 and size >= _ALIGNED_SIZE:
        rows = _ends_done(plan)
    if direct and not shared:
        _on_part(plan, 0, rows, columns)
        _note_end(pool, size * item)
        return FINISHED_CALL
    if flat:
        height = most(1, least(rows, (_FLAT_TILE if direct else _GATHERED_TILE) // columns))
        if shared:
            height = _evened(rows, height, shares, columns == 1)
        put(plan, WIDTH, columns)
        put(plan, HEIGHT, height)
        put(plan, TILES, (rows + height - 1) // height)
    else:
        coupled = get(header, COUPLED) != 0
        width = columns if coupled else least(columns, _GATHERED_TILE)
        height = most(_GATHERED_TILE // width, _TOGETHER if coupled else 1)
        height = most(1, least(least(height, rows), most(1, _LARGEST_TILE // width)))
        put(plan, WIDTH, width)
        put(plan, HEIGHT, height)
        put(plan, TILES, (rows + height - 1) // height * ((columns + width - 1) // width))
    if shared and load_int64(pool + WORKERS) < 0:
        return WORKERS_WANTED
    put(plan, SHARED_BY, least(shares, get(plan, TILES)))
    tiles = load_int64(pool + IN_TILES)
    if tiles == 0:
        return TILES_WANTED
    done = call_in_tiles(tiles, pool, plan, CALLER if shared else ALONE)
    if not shared:
        _note_end(pool, size * item)
    return FINISHED_CALL if done else NO_MEMORY


with first_alone("the driver"):
    apply.compile((types.intp,) * 5)

# Without the dispatcher, which would look at the types of the five integers at every call.
apply_directly = next(iter(apply.overloads.values())).entry_point
