"""``chainrule list``: the named functions."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from rich.console import Console
from rich.table import Table

from chainrule.catalogue import Entry, activations, costs
from chainrule.command._messages import heading, say
from chainrule.command._options import Kind


def list_catalogue(kind: Kind | None) -> None:
    """Print the catalogue, or one part of it."""
    parts: dict[Kind, tuple[str, Iterable[Entry]]] = {
        Kind.ACTIVATIONS: ("Activations, in the pre-activation z", activations()),
        Kind.COSTS: ("Costs of one example, in the output a and the target y", costs()),
    }
    # Where nobody looks at a screen, lines are as long as they need to be: grep finds them whole.
    console = Console() if sys.stdout.isatty() else Console(width=1_000)
    for part, (title, entries) in parts.items():
        if kind in (None, part):
            heading(title)
            console.print(_table(entries))
    say('\nAny other function is written as a formula, such as "z/(1 + exp(-z))".')


def _table(entries: Iterable[Entry]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("name", no_wrap=True)
    table.add_column("formula", overflow="fold")
    table.add_column("parameters", overflow="fold")
    table.add_column("source", overflow="fold", style="dim")
    for entry in entries:
        names = ", ".join((entry.name, *entry.aliases))
        values = ", ".join(f"{name}={value:g}" for name, value in entry.parameters.items())
        table.add_row(names, entry.formula, values, entry.source)
    return table
