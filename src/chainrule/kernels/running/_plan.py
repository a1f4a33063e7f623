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
CALLED, NUMBERS, ITEM_SIZE, FLAT, TILES, ROWS, COLUMNS, HEIGHT, WIDTH, SHARED_BY = range(10)
SECOND_IS_WRITTEN, DIMENSION_COUNT, STARTS, STEPS, THROUGH_BUFFER = 10, 11, 12, 15, 18
LENGTHS, JUMPS, MOST_DIMENSIONS = 21, 53, 32
PLAN_SIZE = JUMPS + 3 * MOST_DIMENSIONS

# What the threads of a pool share: places in bytes, apart by more than a cache line but for what is
# read or written together. ``GATE`` is what `_gate` describes, beside the plan that is offered and
# in how many shares; ``WAITS``, whether the thread that offers it sleeps on ``DONE`` until workers
# have ``FINISHED``. ``IN_TILES`` is where the function of this name lies, once it is compiled,
# beside the bytes of output from which on workers help that are awake, or asleep; ``AWAKE``, how
# many of them are; ``MISSED``, in how many plans in a row some worker had no part; ``VACATED``, one
# more than the number of the processor that workers left to the caller; ``ENDED``, when a call
# ended that workers who are awake would have shared.
LINE = 128
MUTEX, DONE, WAITS, GATE, FINISHED, BUSY, WORKERS, IN_TILES, AWAKE, MISSED, NEXT = (
    LINE * k for k in range(11)
)
PLAN, SHARES = GATE + 8, GATE + 16
LEAST_AWAKE, LEAST_ASLEEP = IN_TILES + 8, IN_TILES + 16
VACATED, ENDED = MISSED + 8, MISSED + 16
# Of each thread there is, from ``NEXT`` on, how many tiles of its share have been taken, and the
# system's number of it; from ``BED`` on, what it sleeps on: a mutex, a condition, whether it does.
OF_THREAD, THREAD, BED = 2 * LINE, 8, NEXT + LINE
BELL, SLEEPS = 48, 104
ALONE, CALLER = -1, 0  # in place of a worker's number

FINISHED_CALL, NOT_TAKEN, TILES_WANTED, WORKERS_WANTED, NO_MEMORY = range(5)


def pool_size(threads: int) -> int:
    """Return how many bytes a pool of so many threads shares."""
    return NEXT + OF_THREAD * threads
