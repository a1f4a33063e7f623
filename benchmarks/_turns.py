"""Libraries in processes of their own, taking turns; medians as text, CSV and a picture."""

from __future__ import annotations

import csv
import math
import statistics
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from rich.console import Console
from rich.table import Table

_FLOOR = "products"
_MODULES = {"torch.compile": "torch", "products": "numpy", "estimator": "chainrule"}
_LIMIT = 600  # seconds of one measurement


@dataclass(frozen=True)
class Outcome:
    """Median seconds and what was reached, of one library in one case; NaN where it failed."""

    case: str
    library: str
    seconds: float
    loss: float


def installed(libraries: Iterable[str]) -> list[str]:
    """Return the libraries that can be measured here."""
    return [name for name in libraries if find_spec(_MODULES.get(name, name)) is not None]


def measured(
    module: str, libraries: Sequence[str], cases: Sequence[str], rounds: int
) -> Iterator[list[Outcome]]:
    """Measure every case by every library, one after the other, round by round.

    Yields the outcomes so far after every case.
    """
    outcomes: list[Outcome] = []
    for case in cases:
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in libraries}
        for _ in range(rounds):
            for name in libraries:
                found[name].append(_measure(module, name, case))
        for name, pairs in found.items():
            seconds, losses = zip(*pairs, strict=True)
            outcomes.append(
                Outcome(case, name, statistics.median(seconds), statistics.median(losses))
            )
        yield outcomes


def _measure(module: str, library: str, case: str) -> tuple[float, float]:
    command = [sys.executable, "-m", module, library, case]
    try:
        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=_LIMIT)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        return math.nan, math.nan
    seconds, loss = done.stdout.split()[-2:]
    return float(seconds), float(loss)


def ratios(outcomes: Sequence[Outcome], to: str) -> dict[tuple[str, str], float]:
    """Return how many times as long as one library every other one takes, by case and library."""
    base = {o.case: o.seconds for o in outcomes if o.library == to}
    return {(o.case, o.library): o.seconds / base[o.case] for o in outcomes if o.case in base}


def tables(outcomes: Sequence[Outcome], title: str) -> list[Table]:
    """Return a table of the ratios, and one of all figures; 80 columns are enough for either."""
    libraries = list(dict.fromkeys(o.library for o in outcomes))
    cases = list(dict.fromkeys(o.case for o in outcomes))
    to_ours, to_floor = ratios(outcomes, "chainrule"), ratios(outcomes, _FLOOR)
    short = Table(
        "", *(name.removeprefix("torch.") for name in libraries if name != "chainrule"),
        title=f"{title}: how many times as long as chainrule", box=None, padding=(0, 1, 0, 0),
    )  # fmt: skip
    for case in cases:
        short.add_row(
            case.replace(" batch ", " ×").replace(" of ", "/"),
            *(f"{to_ours[case, name]:.2f}" for name in libraries if name != "chainrule"),
        )
    whole = Table(
        "", "time", "× chainrule", "× products", "loss", title=f"{title}: medians", box=None
    )
    for case in cases:
        whole.add_row(case)
        for o in outcomes:
            if o.case == case:
                loss = "" if math.isnan(o.loss) or o.library == _FLOOR else f"{o.loss:.4f}"
                whole.add_row(
                    f"  {o.library}", _duration(o.seconds), f"{to_ours[case, o.library]:.2f}",
                    f"{to_floor.get((case, o.library), math.nan):.2f}", loss,
                )  # fmt: skip
    return [short, whole]


def _duration(seconds: float) -> str:
    for unit, factor in (("s", 1.0), ("ms", 1e3), ("µs", 1e6)):
        if seconds * factor >= 1.0:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs"


def picture(outcomes: Sequence[Outcome], path: Path) -> None:
    """Draw the ratios to chainrule, a line of dots for each case."""
    from matplotlib.figure import Figure

    libraries = list(dict.fromkeys(o.library for o in outcomes))
    cases = list(dict.fromkeys(o.case for o in outcomes))
    to_ours = ratios(outcomes, "chainrule")
    figure = Figure(figsize=(10, 1.4 + 0.45 * len(cases)), layout="constrained")
    axes = figure.subplots()
    for k, name in enumerate(libraries):
        points = [(to_ours[case, name], place) for place, case in enumerate(cases)]
        marker = "|" if name == "chainrule" else "D" if name == _FLOOR else "o"
        axes.plot(*zip(*points, strict=True), marker, ms=8, color=f"C{k}", label=name)
    axes.axvline(1.0, color="0.4", lw=1, zorder=0)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_yticks(range(len(cases)), cases)
    axes.set_ylim(len(cases) - 0.5, -0.5)
    axes.set_xlabel("time / time of chainrule; to the right chainrule is faster")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, ncols=len(libraries), loc="lower center", bbox_to_anchor=(0.5, 1.0))
    figure.savefig(path, dpi=110)


def run(
    name: str, libraries: Iterable[str], cases: Sequence[str], rounds: int, folder: Path
) -> None:
    """Measure ``benchmarks.NAME``, print, and keep the figures, the tables and the picture."""
    folder.mkdir(parents=True, exist_ok=True)
    outcomes: list[Outcome] = []
    for outcomes in measured(f"benchmarks.{name}", installed(libraries), cases, rounds):
        _keep(outcomes, name, folder)
    for table in tables(outcomes, name):
        Console().print(table, "")


def _keep(outcomes: Sequence[Outcome], name: str, folder: Path) -> None:
    with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("case", "library", "seconds", "loss"))
        writer.writerows((o.case, o.library, o.seconds, o.loss) for o in outcomes)
    with (folder / f"{name}.txt").open("w", encoding="utf-8") as file:
        for table in tables(outcomes, name):
            Console(file=file, width=80).print(table, "")
    picture(outcomes, folder / f"{name}.png")
