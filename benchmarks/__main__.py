"""Run the measurements: ``make bench``, or ``python -m benchmarks [kernels|training] [ROUNDS]``.

Each library runs in a process of its own and they take turns; the table shows medians over the
rounds and, for peers, how many times their median is that of chainrule.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
from importlib.util import find_spec

from rich.console import Console
from rich.table import Table

from benchmarks import kernels, training


def available(libraries: tuple[str, ...]) -> list[str]:
    """Return the libraries that are installed."""
    return [name for name in libraries if find_spec(name) is not None]


def measure(module: str, library: str, *arguments: str) -> float:
    """Run one measurement in a process of its own."""
    command = [sys.executable, "-m", f"benchmarks.{module}", library, *arguments]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(result.stdout.split()[-1])


def table(
    title: str, module: str, libraries: list[str], cases: list[tuple[str, ...]], rounds: int
) -> Table:
    """Measure all cases and return the table."""
    shown = Table("case", *libraries, *(f"{x} ×" for x in libraries[1:]), title=title)
    for case in cases:
        times: dict[str, list[float]] = {name: [] for name in libraries}
        for _ in range(rounds):
            for library in libraries:
                times[library].append(measure(module, library, *case))
        medians = [statistics.median(times[name]) for name in libraries]
        ratios = [f"{m / medians[0]:.2f}" for m in medians[1:]]
        shown.add_row(" ".join(case), *(f"{m:.3g}" for m in medians), *ratios)
    return shown


def main() -> None:
    """Measure and print."""
    chosen = sys.argv[1] if len(sys.argv) > 1 else "all"
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    console = Console()
    if chosen in ("all", "kernels"):
        cases = [
            (function, direction, str(size))
            for function in kernels.FUNCTIONS
            for direction in ("forward", "backward")
            for size in (1_000, 1_000_000)
        ]
        libraries = available(kernels.LIBRARIES)
        console.print(table("kernels, float32: µs a call (numpy is a plain copy)", "kernels",
                            libraries, cases, rounds))  # fmt: skip
    if chosen in ("all", "training"):
        libraries = available(training.LIBRARIES)
        cases = [(name,) for name in training.CASES]
        console.print(table("training: seconds", "training", libraries, cases, rounds))


if __name__ == "__main__":
    main()
