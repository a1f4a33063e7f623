"""How far training is, where somebody can see it: a bar, or now and then a line in a log."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from chainrule.networks.training._callbacks import Epoch

if TYPE_CHECKING:
    from rich.console import Console

Report = Callable[[Epoch], None]
_LINES = 2  # the verbosity from which on there are lines in logs
_SECONDS_BETWEEN_LINES = 10.0
_BAR, _WITH_BAR = 20, 95  # characters, and from how many on there is room for it


@contextmanager
def progress(
    epochs: int, verbosity: int, done: int = 0, seconds: float = _SECONDS_BETWEEN_LINES
) -> Iterator[Report]:
    """Yield a function that is told of every epoch.

    Parameters
    ----------
    epochs : int
        How many there are at most.
    verbosity : int
        0 is silent. From 1 on a bar is drawn in terminals and notebooks; elsewhere lines are
        printed from 2 on.
    done : int
        How many epochs were done before.
    seconds : float
        At least so much time lies between two lines; the first epoch and the last always have one.
    """
    console = _console() if verbosity else None
    if console is None:
        yield _ignore
    elif console.is_terminal or console.is_jupyter:
        with _bar(console, epochs, done) as report:
            yield report
    elif verbosity >= _LINES:
        with _lines(epochs, done, seconds) as report:
            yield report
    else:
        yield _ignore


@contextmanager
def _bar(console: Console, epochs: int, done: int) -> Iterator[Report]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining

    columns: tuple[ProgressColumn, ...] = (
        TextColumn("epoch"), MofNCompleteColumn(), TextColumn("{task.description}"), Remaining(),
    )  # fmt: skip
    room = console.width - len("epoch  0:00:00 ") - len(f" {epochs}/{epochs} ")
    if room >= _WITH_BAR:
        columns = (*columns[:2], BarColumn(bar_width=_BAR), *columns[2:])
        room -= _BAR + 1
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("", total=epochs, completed=done)
        yield lambda epoch: bar.update(
            task, completed=epoch.number, description=_numbers(epoch, room)
        )


@contextmanager
def _lines(epochs: int, done: int, seconds: float) -> Iterator[Report]:
    begun = time.perf_counter()
    last: Epoch | None = None
    printed, due = 0, -math.inf

    def show(epoch: Epoch, passed: float) -> None:
        ahead = passed / (epoch.number - done) * (epochs - epoch.number)
        left = f"  at most {_duration(ahead)} left" if ahead else ""
        print(f"epoch {epoch.number}/{epochs}  {_numbers(epoch)}{left}", flush=True)

    def report(epoch: Epoch) -> None:
        nonlocal last, printed, due
        passed = time.perf_counter() - begun
        last = epoch
        if passed >= due:
            show(epoch, passed)
            printed, due = epoch.number, passed + seconds

    try:
        yield report
    finally:
        if last is not None and last.number != printed:
            show(last, time.perf_counter() - begun)


def _numbers(epoch: Epoch, room: float = math.inf) -> str:
    """Return what there is to tell of an epoch, the first things first, as far as there is room."""
    parts = [f"loss {epoch.loss:.5f}"]
    parts += [f"{name} loss {loss:.5f}" for name, loss in epoch.validation_losses.items()]
    if epoch.score is not None:
        parts.append(f"validation score {epoch.score:.4f}")
    parts.append(f"rate {epoch.learning_rate:.3g}")
    while len(parts) > 1 and len("  ".join(parts)) > room:
        parts.pop()
    return "  ".join(parts)


def _duration(seconds: float) -> str:
    for unit, length in (("h", 3600.0), ("min", 60.0)):
        if seconds >= length:
            return f"{seconds / length:.1f} {unit}"
    return f"{math.ceil(seconds)} s"


def _ignore(epoch: Epoch) -> None:
    pass


def _console() -> Console:
    from rich.console import Console

    return Console()
