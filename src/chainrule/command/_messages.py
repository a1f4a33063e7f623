"""What is said on the terminal: results on stdout, notes and errors on stderr."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from chainrule.formulas import ChainruleError

if TYPE_CHECKING:
    from rich.console import Console

_LONGEST_MESSAGE = 2_000
_MOST_LISTED = 8


class CommandError(ChainruleError, ValueError):
    """An option, a file or a table that a command cannot work with."""


def printable(text: str) -> str:
    """Escape what could steer a terminal: names and values come from files of others."""
    return "".join(
        character if character.isprintable() or character == "\n" else ascii(character)[1:-1]
        for character in text
    )


def quoted(name: object, longest: int = 60) -> str:
    """Return a name from a file, short enough for a sentence."""
    text = str(name)
    return repr(text if len(text) <= longest else text[:longest] + "...")


def listed(names: Iterable[object]) -> str:
    """Return names separated by commas, the first few where there are many."""
    every = [str(name) for name in names]
    more = len(every) - _MOST_LISTED
    return ", ".join(every[:_MOST_LISTED]) + (f" and {more} more" if more > 0 else "")


def counted(count: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun, as "1 row" and "2,000 rows"."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def say(text: str = "") -> None:
    """Print a line of a result."""
    print(printable(text), flush=True)


def heading(text: str) -> None:
    """Print a heading, bold where there is a terminal."""
    from rich.text import Text

    console(error=False).print(Text(f"\n{printable(text)}", style="bold"), soft_wrap=True)


def note(text: str) -> None:
    """Print what a person should know although nothing failed."""
    _styled(f"Note: {text}", "yellow")


def fail(text: str) -> None:
    """Print an error in red."""
    shown = text if len(text) <= _LONGEST_MESSAGE else text[:_LONGEST_MESSAGE] + " ..."
    _styled(f"Error: {shown}", "red")


def say_interrupted() -> None:
    """Print that Ctrl-C ended the command."""
    _styled("Interrupted.", "yellow")


def describe(error: Exception) -> str:
    """Return an error as a message: what was given, what was expected, what to do."""
    if isinstance(error, OSError) and error.strerror:
        return _file_error(error)
    if isinstance(error, MemoryError):
        return f"out of memory {error}\nGive fewer rows or columns, or smaller layers.".strip()
    return str(error) or type(error).__name__


def is_broken_pipe(error: Exception) -> bool:
    """Tell whether the reader of our output has gone, as ``head`` does."""
    return isinstance(error, OSError) and error.errno == errno.EPIPE


def leave_quietly() -> None:
    """Keep Python from complaining about a broken pipe when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _file_error(error: OSError) -> str:
    name = "" if error.filename is None else str(error.filename)
    remedies: dict[type[OSError], str] = {
        FileNotFoundError: f"there is no file {name}\nCheck the path.",
        IsADirectoryError: f"{name} is a folder\nName a file.",
        NotADirectoryError: f"a part of {name} is a file, not a folder\nCheck the path.",
        PermissionError: f"{name} may not be read or written\nCheck its permissions.",
    }
    return remedies.get(type(error), f"{error.strerror}: {name}".removesuffix(": "))


def _styled(text: str, style: str) -> None:
    from rich.text import Text

    sys.stdout.flush()
    console(error=True).print(Text(printable(text), style=style), soft_wrap=True)


def console(*, error: bool) -> Console:
    """Return where styled text is printed."""
    from rich.console import Console

    return Console(stderr=error, highlight=False, markup=False)
