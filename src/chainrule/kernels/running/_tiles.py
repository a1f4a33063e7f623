"""Kernels over tiles of arrays, on one thread or several: what contiguous small arrays do not need.

What is laid out otherwise than in contiguous rows goes through tiles that fit in the nearest cache:
gathered, computed, scattered, so that nothing of the array's size is copied. The calling thread and
the workers, which sleep between calls, have a share of the tiles each, the same at every call: what
a processor has computed lies in its caches. Who is done takes of the others'.

It is compiled when it is first wanted, and found by the driver in the pool's memory.
"""

from __future__ import annotations

from numba import types

from chainrule.kernels._call import call_in_tiles, call_kernel
from chainrule.kernels._native import compiled, native
from chainrule.kernels.compiling._compile import first_alone
from chainrule.kernels.compiling._parts import inner
from chainrule.kernels.running._gate import (
    CLOSED,
    await_all,
    await_turn,
    finish,
    joined,
    joined_so_far,
    offer,
)
from chainrule.kernels.running._integers import least
from chainrule.kernels.running._memory import (
    atomic_add,
    atomic_load,
    atomic_store,
    copy_bytes,
    exchange,
    get,
    load_int32,
    load_int64,
    put,
    store_int32,
    store_int64,
    words,
)
from chainrule.kernels.running._places import keep_apart
from chainrule.kernels.running._plan import (
    AWAKE,
    BUSY,
    CALLED,
    CALLER,
    COLUMNS,
    DIMENSION_COUNT,
    FLAT,
    HEIGHT,
    IN_TILES,
    ITEM_SIZE,
    JUMPS,
    LENGTHS,
    MOST_DIMENSIONS,
    NEXT,
    NUMBERS,
    OF_THREAD,
    PLAN_SIZE,
    ROWS,
    SECOND_IS_WRITTEN,
    SHARED_BY,
    STARTS,
    STEPS,
    THROUGH_BUFFER,
    TILES,
    WIDTH,
    WORKERS,
)

_CACHE_LINE = 64  # bytes

_native = types.ExternalFunction
_yield = _native("sched_yield", types.int32())
_allocate = _native("malloc", types.intp(types.intp))
_free = _native("free", types.void(types.intp))
_three_words, _one_word, _new_plan = words(3), words(1), words(PLAN_SIZE)


@inner()
def _copy_item(item: int, source: int, destination: int) -> None:
    if item == 4:
        store_int32(destination, load_int32(source))
    else:
        store_int64(destination, load_int64(source))


@inner()
def _move(
    plan: int, operand: int, row: int, rows: int, column: int, columns: int,
    buffer: int, starts: int, out: bool,
) -> None:  # fmt: skip
    """Copy a tile of an operand into a buffer, row after row, or out of it.

    `starts` are words for where its rows start, which are found here.
    """
    item, step = get(plan, ITEM_SIZE), get(plan, STEPS + operand)
    dimensions = get(plan, DIMENSION_COUNT)
    for r in range(rows):
        place, index = get(plan, STARTS + operand) + column * step, row + r
        for d in range(dimensions - 1, -1, -1):
            length = get(plan, LENGTHS + d)
            place += (index % length) * get(plan, JUMPS + MOST_DIMENSIONS * operand + d)
            index //= length
        put(starts, r, place)
    if rows > 1 and abs(get(starts, 1) - get(starts, 0)) < abs(step):
        for j in range(columns):
            for r in range(rows):
                here, there = buffer + (r * columns + j) * item, get(starts, r) + j * step
                _copy_item(item, here if out else there, there if out else here)
    else:
        for r in range(rows):
            for j in range(columns):
                here, there = buffer + (r * columns + j) * item, get(starts, r) + j * step
                _copy_item(item, here if out else there, there if out else here)


@inner()
def _next_tile(tiles: int, shares: int, own: int, taken: int) -> int:
    """Take a tile of one's own share, else of another one; -1 where none is left."""
    for k in range(shares):
        share = (own + k) % shares
        first, last = share * tiles // shares, (share + 1) * tiles // shares
        place = taken + OF_THREAD * share
        # What is only read lies in all caches at once.
        if first + atomic_load(place) < last:
            tile: int = first + atomic_add(place, 1)
            if tile < last:
                return tile
    return -1


@inner()
def _work(plan: int, shares: int, own: int, taken: int) -> bool:
    """Take tiles until none is left; tell whether there was memory to do so."""
    item, height, width = get(plan, ITEM_SIZE), get(plan, HEIGHT), get(plan, WIDTH)
    rows, columns = get(plan, ROWS), get(plan, COLUMNS)
    tiles, flat = get(plan, TILES), get(plan, FLAT) != 0
    across = (columns + width - 1) // width
    same = get(plan, SECOND_IS_WRITTEN) == 0 and _is_first_again(plan)
    reads_second = get(plan, SECOND_IS_WRITTEN) == 0 and not same
    places = _three_words()
    buffered = 0
    for operand in range(3):
        buffered += get(plan, THROUGH_BUFFER + operand)
    size = (height * width * item + _CACHE_LINE - 1) // _CACHE_LINE * _CACHE_LINE
    memory = _allocate(buffered * size + _CACHE_LINE + 8 * height)
    if memory == 0:
        return False
    buffer = (memory + _CACHE_LINE - 1) // _CACHE_LINE * _CACHE_LINE
    starts = buffer + buffered * size
    tile = _next_tile(tiles, shares, own, taken)
    while tile >= 0:
        row, column = tile // across * height, tile % across * width
        count, long = least(height, rows - row), least(width, columns - column)
        place = buffer
        for operand in range(3):
            if get(plan, THROUGH_BUFFER + operand):
                put(places, operand, place)
                if not flat and (operand == 0 or (operand == 1 and reads_second)):
                    _move(plan, operand, row, count, column, long, place, starts, False)
                place += size
            else:
                put(places, operand, get(plan, STARTS + operand) + row * columns * item)
        if same:
            put(places, 1, get(places, 0))
        a, b, c = get(places, 0), get(places, 1), get(places, 2)
        call_kernel(get(plan, CALLED), a, b, c, count, long, get(plan, NUMBERS))
        for operand in range(1, 3):
            is_written = operand == 2 or get(plan, SECOND_IS_WRITTEN)
            if get(plan, THROUGH_BUFFER + operand) and is_written:
                here = get(places, operand)
                if flat:
                    there = get(plan, STARTS + operand) + row * columns * item
                    copy_bytes(here, there, count * columns * item)
                else:
                    _move(plan, operand, row, count, column, long, here, starts, True)
        tile = _next_tile(tiles, shares, own, taken)
    _free(memory)
    return True


@inner()
def _is_first_again(plan: int) -> bool:
    """Tell whether the second operand is the first one, and not its transpose, say."""
    same = bool(get(plan, STARTS) == get(plan, STARTS + 1))
    if get(plan, FLAT):
        return same
    same = same and get(plan, STEPS) == get(plan, STEPS + 1)
    for d in range(get(plan, DIMENSION_COUNT)):
        same = same and get(plan, JUMPS + d) == get(plan, JUMPS + MOST_DIMENSIONS + d)
    return same


with first_alone("tiles"):

    @native(types.intp(types.intp, types.intp, types.intp))
    def in_tiles(pool: int, plan: int, own: int) -> int:
        """Do one's part of a plan; return whether there was memory for it.

        `own` is a worker's number; ``CALLER``, who shares the plan if there are workers that are
        not busy; or ``ALONE``.
        """
        is_shared = own == CALLER and get(plan, SHARED_BY) > 1 and exchange(pool + BUSY, 0, 1)
        shares, share, taken = 1, 0, _one_word()
        put(taken, 0, 0)
        if is_shared or own > CALLER:
            shares, share, taken = get(plan, SHARED_BY), own, pool + NEXT
        if is_shared:
            offer(pool, plan, shares)
        done = _work(plan, shares, share, taken)
        if is_shared:
            keep_apart(pool, joined_so_far(pool) < shares - 1)
            await_all(pool)
            atomic_store(pool + BUSY, 0)
        return 1 if done else 0

    @compiled()
    def serve(pool: int, own: int) -> None:
        """Take part in every plan that is offered, until a plan at address 0 is: a worker's life.

        `own` is the number of its share of the tiles; that of the calling thread is 0.
        """
        turn = 0
        atomic_add(pool + AWAKE, 1)
        while True:
            turn = await_turn(pool, own, turn)
            address = joined(pool, own, turn)
            if address == 0:
                return
            if address != CLOSED:
                plan = _new_plan()
                for k in range(LENGTHS if get(address, FLAT) else PLAN_SIZE):
                    put(plan, k, get(address, k))
                call_in_tiles(load_int64(pool + IN_TILES), pool, plan, own)
                finish(pool)

    @compiled()
    def dismiss(pool: int) -> None:
        """Offer what ends the workers' lives, and let calls do without them."""
        while not exchange(pool + BUSY, 0, 1):
            _yield()
        offer(pool, 0, 1 + load_int64(pool + WORKERS))

    serve.compile((types.intp, types.intp))
    dismiss.compile((types.intp,))
