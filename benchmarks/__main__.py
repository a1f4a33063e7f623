"""Run the measurements: ``make bench``, or ``python -m benchmarks kernels|training [options]``.

Each library runs in a process of its own and they take turns; tables show medians over the rounds
and how many times as long as chainrule every other library takes.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import kernels, training
from chainrule.catalogue import activations

RESULTS = Path(__file__).parent / "results"


def measure_training(library: str, case: str) -> float:
    """Run one fit in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.training", library, case]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(result.stdout.split()[-1])


def training_table(rounds: int) -> Table:
    """Measure all cases of training and return the table."""
    libraries = [name for name in training.LIBRARIES if find_spec(name) is not None]
    headings = (*libraries, *(f"{x} ×" for x in libraries[1:]))
    shown = Table("case", *headings, title="training: seconds")
    for case in training.CASES:
        times: dict[str, list[float]] = {name: [] for name in libraries}
        for _ in range(rounds):
            for library in libraries:
                times[library].append(measure_training(library, case))
        medians = [statistics.median(times[name]) for name in libraries]
        ratios = [f"{m / medians[0]:.2f}" for m in medians[1:]]
        shown.add_row(case, *(f"{m:.3g}" for m in medians), *ratios)
    return shown


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="?", choices=("all", "kernels", "training"), default="all")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=0.1, help="for each library and case")
    parser.add_argument("--functions", default=",".join(kernels.FUNCTIONS), help="names, or all")
    parser.add_argument("--sizes", default=",".join(map(str, kernels.SIZES)))
    parser.add_argument("--dtypes", default="float32,float64")
    parser.add_argument("--libraries", default=",".join(kernels.ALL_LIBRARIES))
    parser.add_argument("--folder", type=Path, default=RESULTS, help="for figures and picture")
    chosen = parser.parse_args()
    if chosen.what in ("all", "kernels"):
        names = [entry.name for entry in activations()]
        kernels.run(
            tuple(names if chosen.functions == "all" else chosen.functions.split(",")),
            tuple(map(int, chosen.sizes.split(","))),
            tuple(chosen.dtypes.split(",")),
            tuple(chosen.libraries.split(",")),
            chosen.rounds,
            chosen.seconds,
            chosen.folder,
        )
    if chosen.what in ("all", "training"):
        Console().print(training_table(chosen.rounds))


if __name__ == "__main__":
    main()
