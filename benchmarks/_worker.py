"""One library in a process of its own: reads cases line by line, answers with times.

``python -m benchmarks._worker LIBRARY``; a line ``sigmoid forward 1000 float32 0.2`` is answered by
the median microseconds of a call over that many seconds, or by ``nan`` and the reason.
"""

from __future__ import annotations

import statistics
import sys
import time
import warnings
from collections.abc import Callable

from benchmarks._libraries import LIBRARIES


def median_microseconds(call: Callable[[], object], seconds: float) -> float:
    """Return the median time of a call."""
    warm = time.perf_counter() + seconds / 4
    for _ in range(3):
        call()
    while time.perf_counter() < warm:
        call()
    times: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 5:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return 1e6 * statistics.median(times)


def main() -> None:
    """Answer until the input ends."""
    warnings.simplefilter("ignore")
    make = LIBRARIES[sys.argv[1]]
    calls: dict[str, Callable[[], object]] = {}
    for line in sys.stdin:
        function, direction, size, dtype, seconds = line.split()
        case = f"{function} {direction} {size} {dtype}"
        try:
            if case not in calls:
                calls.clear()  # one case in memory at a time
                calls[case] = make(function, direction, int(size), dtype)
            print(median_microseconds(calls[case], float(seconds)), flush=True)
        except Exception as error:
            print(f"nan {type(error).__name__}: {str(error).splitlines()[:1]}", flush=True)


if __name__ == "__main__":
    main()
