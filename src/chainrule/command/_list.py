"""``chainrule list``: the named functions."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from chainrule.catalogue import Entry, activations, costs, entries_named
from chainrule.command._messages import heading, say
from chainrule.command._options import Kind

_WIDE = 120  # columns of a terminal from which on all four columns have room
_NAME = 29


def list_catalogue(kind: Kind | None) -> None:
    """Print the catalogue, or one part of it."""
    parts: dict[Kind, tuple[str, Iterable[Entry]]] = {
        Kind.ACTIVATIONS: ("Activations, in the pre-activation z", activations()),
        Kind.COSTS: ("Costs of one example, in the output a and the target y", costs()),
    }
    console = _console()
    for part, (title, entries) in parts.items():
        if kind in (None, part):
            heading(title)
            table = _table if console.width >= _WIDE else _narrow_table
            console.print(table(entries))
    say('\nAny other function is written as a formula, such as "z/(1 + exp(-z))".')
    say("chainrule list NAME tells all about one.")


def describe(name: str) -> None:
    """Print all that the catalogue holds of the functions of a name."""
    for entry in entries_named(name):
        heading(entry.name)
        table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
        table.add_column(no_wrap=True, style="dim")
        table.add_column(overflow="fold")
        for label, text in _lines(entry):
            table.add_row(label, escape(text))
        _console().print(table)


def _lines(entry: Entry) -> Iterator[tuple[str, str]]:
    yield "formula", entry.formula
    if entry.parameters:
        yield "parameters", _parameters(entry)
    if entry.assumption:
        yield "assumes", entry.assumption
    if entry.aliases:
        yield "also", ", ".join(entry.aliases)
    yield "source", entry.source
    for framework, peer in entry.elsewhere.items():
        yield framework, str(peer)


def _console() -> Console:
    # Where nobody looks at a screen, lines are as long as they need to be: grep finds them whole.
    return Console(highlight=False) if sys.stdout.isatty() else Console(width=1_000)


def _parameters(entry: Entry) -> str:
    return ", ".join(f"{name}={value:g}" for name, value in entry.parameters.items())


def _narrow_table(entries: Iterable[Entry]) -> Table:
    """Set what belongs to a formula below it: four columns would break formulas to pieces."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("name", overflow="fold", max_width=_NAME)
    table.add_column("formula", overflow="fold")
    for entry in entries:
        shown = Text(entry.formula)
        also = f"also {', '.join(entry.aliases)}" if entry.aliases else ""
        details = "; ".join(part for part in (_parameters(entry), also) if part)
        if details:
            shown.append(f"\n{details}", style="dim")
        table.add_row(entry.name, shown)
    return table


def _table(entries: Iterable[Entry]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("name", no_wrap=True)
    table.add_column("formula", overflow="fold")
    table.add_column("parameters", overflow="fold")
    table.add_column("also", overflow="fold", style="dim")
    for entry in entries:
        also = ", ".join(entry.aliases)
        table.add_row(entry.name, entry.formula, _parameters(entry), also)
    return table
