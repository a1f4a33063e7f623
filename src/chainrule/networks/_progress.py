"""A progress bar over epochs, where somebody can see it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

Report = Callable[[int, float, float | None], None]


@contextmanager
def progress(epochs: int, show: bool) -> Iterator[Report]:
    """Yield a function that takes the finished epochs, the mean cost and the validation score.

    The bar is drawn only in a terminal or a notebook; elsewhere nothing is printed.
    """
    console = _console() if show else None
    if console is None:
        yield _ignore
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining

    columns = (
        TextColumn("epoch"), MofNCompleteColumn(), BarColumn(), TextColumn("{task.description}"),
        Remaining(),
    )  # fmt: skip
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("", total=epochs)

        def report(epoch: int, loss: float, score: float | None) -> None:
            shown = "" if score is None else f"  validation score {score:.4f}"
            bar.update(task, completed=epoch, description=f"loss {loss:.5f}{shown}")

        yield report


def _ignore(epoch: int, loss: float, score: float | None) -> None:
    pass


def _console() -> Console | None:
    from rich.console import Console

    console = Console()
    return console if console.is_terminal or console.is_jupyter else None
