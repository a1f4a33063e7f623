"""Kernels beside peers: ``python -m benchmarks kernels [--functions …] [--sizes …] …``.

Each library runs in a process of its own and they take turns, case by case and round by round;
shown are medians, and how many times as long as chainrule every other one takes.
"""

from __future__ import annotations

import json
import math
import statistics
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks._libraries import LIBRARIES

FUNCTIONS = (
    "relu", "leaky_relu", "elu", "selu", "softplus", "sigmoid", "log_sigmoid", "hard_sigmoid",
    "tanh", "softsign", "silu", "hard_swish", "gelu", "gelu_tanh", "mish", "erf", "softmax",
    "log_softmax", "layer_norm", "rms_norm",
)  # fmt: skip
SIZES = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
# A step is both passes: forward with what the library keeps for it, and backward. The backward
# pass is that of a step: from the output, from the slope, or from z, whichever step is fastest.
DIRECTIONS = ("forward", "backward", "step")
PAUSE = 0.05  # seconds in which the threads of the library before come to rest


@dataclass(frozen=True)
class Result:
    """Median microseconds of one case, by library; NaN where it has no such function."""

    function: str
    direction: str
    size: int
    dtype: str
    microseconds: dict[str, float]

    def ratio(self, library: str) -> float:
        """How many times as long as chainrule a library takes."""
        return self.microseconds[library] / self.microseconds["chainrule"]

    @property
    def fastest_ratio(self) -> float:
        """The same of the fastest peer."""
        peers = [
            self.ratio(name) for name in self.microseconds if name not in ("chainrule", "copy")
        ]
        return min((r for r in peers if not math.isnan(r)), default=math.nan)


def measure(
    functions: tuple[str, ...],
    sizes: tuple[int, ...],
    dtypes: tuple[str, ...],
    libraries: tuple[str, ...],
    rounds: int,
    seconds: float,
) -> list[Result]:
    """Measure all cases, library after library, in turns."""
    workers = {
        name: subprocess.Popen(
            [sys.executable, "-m", "benchmarks._worker", name],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )
        for name in libraries
    }  # fmt: skip
    results = []
    cases = [
        (function, direction, size, dtype)
        for dtype in dtypes
        for function in functions
        for direction in DIRECTIONS
        for size in sizes
    ]
    try:
        for function, direction, size, dtype in cases:
            times: dict[str, list[float]] = {name: [] for name in libraries}
            for _ in range(rounds):
                for name, worker in workers.items():
                    assert worker.stdin is not None
                    assert worker.stdout is not None
                    worker.stdin.write(f"{function} {direction} {size} {dtype} {seconds}\n")
                    worker.stdin.flush()
                    times[name].append(float(worker.stdout.readline().split()[0]))
                    time.sleep(PAUSE)
            medians = {name: statistics.median(found) for name, found in times.items()}
            results.append(Result(function, direction, size, dtype, medians))

    finally:
        for worker in workers.values():
            worker.kill()
    return results


def available(libraries: tuple[str, ...]) -> tuple[str, ...]:
    """Return the libraries that are installed."""
    module = {"torch.compile": "torch", "copy": "numpy"}
    return tuple(name for name in libraries if find_spec(module.get(name, name)) is not None)


def tables(results: list[Result]) -> list[Table]:
    """Return all results, a table for each dtype and pass: 80 columns are enough for it."""
    libraries = [name for name in results[0].microseconds if name != "chainrule"]
    headings = [name.removeprefix("torch.") for name in libraries]
    shown = []
    for dtype, direction in dict.fromkeys((r.dtype, r.direction) for r in results):
        title = f"{direction}, {dtype}: µs, and how many times as long others take"
        own = Table("function", "size", "µs", *headings, "fastest", title=title, box=None,
                    padding=(0, 1, 0, 0))  # fmt: skip
        for r in results:
            if (r.dtype, r.direction) == (dtype, direction):
                ratios = (f"{r.ratio(name):.2f}" for name in libraries)
                case = (r.function, f"{r.size:.0e}".replace("e+0", "e"))
                ours = f"{r.microseconds['chainrule']:.3g}"
                own.add_row(*case, ours, *ratios, f"{r.fastest_ratio:.2f}")
        shown.append(own)
    return shown


def summary(results: list[Result]) -> list[str]:
    """Return the figures that the whole comes down to."""
    lines = []
    for dtype in dict.fromkeys(r.dtype for r in results):
        own = [r for r in results if r.dtype == dtype]
        slower = [r for r in own if r.fastest_ratio < 1]
        lines.append(
            f"{dtype}: {len(own) - len(slower)} of {len(own)} cases at least as fast as the "
            f"fastest peer; the least ratio is {min(r.fastest_ratio for r in own):.2f}"
        )
        large = [r.ratio("torch") for r in own if r.size >= 100_000 and "torch" in r.microseconds]
        large = [ratio for ratio in large if not math.isnan(ratio)]
        if large:
            mean = math.exp(statistics.fmean(map(math.log, large)))
            lines.append(f"{dtype}: geometric mean against torch eager from 10⁵ up: {mean:.2f}")
        copies = [r.ratio("copy") for r in own if r.size >= 10_000_000 and "copy" in r.microseconds]
        if copies:
            lines.append(
                f"{dtype}: of a copy's speed at 10⁷: {statistics.median(copies):.2f} (median), "
                f"{min(copies):.2f} (least)"
            )
    return lines


def picture(results: list[Result], path: Path) -> None:
    """Draw the ratio against the fastest peer, a panel for each dtype and pass."""
    from matplotlib.figure import Figure

    dtypes = list(dict.fromkeys(r.dtype for r in results))
    functions = list(dict.fromkeys(r.function for r in results))
    sizes = sorted({r.size for r in results})
    figure = Figure(figsize=(17, 4.6 * len(dtypes)), layout="constrained")
    axes = figure.subplots(len(dtypes), len(DIRECTIONS), squeeze=False, sharey=True)
    for row, dtype in zip(axes, dtypes, strict=True):
        for panel, direction in zip(row, DIRECTIONS, strict=True):
            for k, size in enumerate(sizes):
                chosen = [
                    (functions.index(r.function), r.fastest_ratio)
                    for r in results
                    if (r.dtype, r.direction, r.size) == (dtype, direction, size)
                ]
                label = f"10^{round(math.log10(size))}"
                panel.plot(*zip(*chosen, strict=True), "o", ms=5, label=label, color=f"C{k}")
            panel.axhline(1.0, color="0.4", lw=1)
            panel.set(yscale="log", title=f"{direction}, {dtype}")
            panel.set_xticks(range(len(functions)), functions, rotation=60, ha="right")
            panel.grid(axis="y", alpha=0.3)
        row[0].set_ylabel("time of the fastest peer / time of chainrule")
    axes[0][0].legend(title="elements", fontsize=8)
    figure.savefig(path, dpi=110)


def run(
    functions: tuple[str, ...], sizes: tuple[int, ...], dtypes: tuple[str, ...],
    libraries: tuple[str, ...], rounds: int, seconds: float, folder: Path,
) -> None:  # fmt: skip
    """Measure, print, and keep the figures, the table and the picture."""
    results = measure(functions, sizes, dtypes, available(libraries), rounds, seconds)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "kernels.json").write_text(json.dumps([asdict(r) for r in results], indent=1))
    with (folder / "kernels.txt").open("w", encoding="utf-8") as file:
        for console in (Console(), Console(file=file, width=80)):
            for table in tables(results):
                console.print(table)
                console.print()
            for line in summary(results):
                console.print(line)
    picture(results, folder / "kernels.png")


ALL_LIBRARIES = tuple(LIBRARIES)
