"""What compiled code over arrays reads: arrays, headers of kernels, plans, the memory of a pool.

All of it is found by address. Words of headers and plans are numbered; the fields of arrays, which
are those of ``PyArrayObject`` in NumPy's C interface and do not move between its versions, and the
places of a pool are told in bytes.
"""

from __future__ import annotations

# Fields of PyArrayObject, after the object's own head.
_HEAD = object.__basicsize__
DATA, DIMENSIONS, SHAPE, STRIDES, KIND, FLAGS = (_HEAD + k for k in (0, 8, 16, 24, 40, 48))
C_ORDER, FORTRAN_ORDER, ALIGNED, WRITEABLE = 0x1, 0x2, 0x100, 0x400

# A call's header: what it needs of a kernel.
ADDRESS, PARAMETERS, TYPE, ITEM, COUPLED, POOL, WRITES_SECOND = range(7)
HEADER_SIZE = 7

# A plan: what every thread needs of a call. The last five are lists.
CALLED, NUMBERS, ITEM_SIZE, FLAT, TILES, ROWS, COLUMNS, HEIGHT, WIDTH = range(9)
SECOND_IS_WRITTEN, DIMENSION_COUNT, STARTS, STEPS, THROUGH_BUFFER = 9, 10, 11, 14, 17
LENGTHS, JUMPS, MOST_DIMENSIONS = 20, 52, 32
PLAN_SIZE = JUMPS + 3 * MOST_DIMENSIONS

# What the threads of a pool share: places in bytes, apart by more than a cache line but for what is
# read or written together. ``IN_TILES`` is where the function of this name lies, once it is
# compiled, beside the bytes of output from which on workers help that are awake, or asleep;
# ``AWAKE``, how many of them are; ``MISSED``, in how many plans in a row some worker had no part;
# ``VACATED``, one more than the number of the processor that workers left to the caller; ``ENDED``,
# when a call ended that workers who are awake would have shared. From ``NEXT`` on there is one for
# each thread: how many tiles of its share have been taken, and the system's number of it.
LINE = 128
MUTEX, WORK, DONE, GENERATION, JOINED, FINISHED, BUSY, WORKERS, IN_TILES, AWAKE, MISSED, NEXT = (
    LINE * k for k in range(12)
)
OPEN, PLAN = GENERATION + 8, GENERATION + 16
LEAST_AWAKE, LEAST_ASLEEP = IN_TILES + 8, IN_TILES + 16
VACATED, ENDED, THREAD = MISSED + 8, MISSED + 16, 8
ALONE, CALLER = -1, 0  # in place of a worker's number

FINISHED_CALL, NOT_TAKEN, TILES_WANTED, WORKERS_WANTED, NO_MEMORY = range(5)


def pool_size(threads: int) -> int:
    """Return how many bytes a pool of so many threads shares."""
    return NEXT + LINE * threads
