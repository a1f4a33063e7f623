"""``chainrule certify``: how near a function's kernels come to the truth."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict

from chainrule.command._display import terminal_width
from chainrule.command._messages import CommandError, say
from chainrule.command._options import Precision
from chainrule.functions import activation, cost


def certify(
    formula: str,
    parameters: dict[str, float],
    cost_source: str | None,
    cost_parameters: dict[str, float],
    precision: Precision,
    as_json: bool,
) -> bool:
    """Print a certificate, of the cost behind the function if one is given; tell if it passed."""
    if cost_source is None:
        certificate = activation(formula, **parameters).certify(dtype=precision.value)
    else:
        behind = cost(cost_source, **cost_parameters)
        function = activation(formula, **parameters)
        certificate = behind.certify(function, dtype=precision.value)
    if as_json:
        say(json.dumps(certificate.to_dict(), indent=2, allow_nan=False))
    else:
        say(certificate.to_text(terminal_width()))
    return certificate.passed


def sweep(formula: str, parameters: dict[str, float], precision: Precision, as_json: bool) -> bool:
    """Print what a sweep over all inputs finds; tell whether it is passed."""
    from chainrule.certificates import sweep as sweep_formula
    from chainrule.kernels import cache_folder

    if precision is not Precision.FLOAT32:
        raise CommandError(
            "a sweep goes through all numbers of a format, and float64 has too many\n"
            "Leave --dtype out, or leave --sweep out."
        )
    read = activation(formula, **parameters).formula
    name = hashlib.sha256(str(read).encode()).hexdigest()[:32]
    with _progress(f"sweeping {read.title}") as advance:
        result = sweep_formula(read, state=cache_folder() / f"{name}.sweep", progress=advance)
    say(json.dumps(asdict(result), indent=2) if as_json else str(result))
    return result.passed


@contextmanager
def _progress(text: str) -> Iterator[Callable[[int, int], None]]:
    """Show how far a sweep is, on the error stream of a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining

    console = Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), Remaining()
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(text)
        yield lambda done, of: bar.update(task, completed=done, total=of)
