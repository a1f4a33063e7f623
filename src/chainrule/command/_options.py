"""What several commands read from their options."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

from chainrule.command._messages import CommandError, quoted


class TextFormat(StrEnum):
    """How a derivation is printed."""

    TEXT = "text"
    LATEX = "latex"


class Precision(StrEnum):
    """The floating-point formats of kernels."""

    FLOAT32 = "float32"
    FLOAT64 = "float64"


class Kind(StrEnum):
    """The parts of the catalogue."""

    ACTIVATIONS = "activations"
    COSTS = "costs"


class Task(StrEnum):
    """What a network learns."""

    AUTO = "auto"
    CLASSIFICATION = "classification"
    REGRESSION = "regression"


class Impute(StrEnum):
    """What takes the place of missing values."""

    NONE = "none"
    MEAN = "mean"
    MEDIAN = "median"
    MOST_FREQUENT = "most-frequent"


class Against(StrEnum):
    """What activations are compared against."""

    FIRST = "first"
    BEST = "best"


def activation_sources(lists: Sequence[str]) -> list[str]:
    """Return formulas from lists of them: commas inside of brackets separate arguments.

    Examples
    --------
    >>> activation_sources(["relu, max(0, z)", "gelu"])
    ['relu', 'max(0, z)', 'gelu']
    """
    found: list[str] = []
    for text in lists:
        depth, parts = 0, [""]
        for character in text:
            depth += (character in "([{") - (character in ")]}")
            if character == "," and depth <= 0:
                parts.append("")
            else:
                parts[-1] += character
        if not all(part.strip() for part in parts):
            raise CommandError(
                f"{quoted(text)} has nothing before or after one of its commas\n"
                'Expected formulas or names separated by commas, such as relu,gelu,"max(0, z)".'
            )
        found += [part.strip() for part in parts]
    return found


def parameter_values(texts: Sequence[str], option: str = "--parameter") -> dict[str, float]:
    """Return the values of parameters given as ``name=value``.

    Examples
    --------
    >>> parameter_values(["alpha=0.2", "beta = 1e-3"])
    {'alpha': 0.2, 'beta': 0.001}
    """
    values: dict[str, float] = {}
    for text in texts:
        name, equals, number = (part.strip() for part in text.partition("="))
        try:
            value = float(number)
        except ValueError:
            value = None
        if not equals or not name.isidentifier() or value is None:
            raise CommandError(
                f"{option} {quoted(text)} is not a name with a number\n"
                f"Expected name=number, such as {option} alpha=0.2."
            )
        if name in values:
            raise CommandError(f"{option} gives {name} twice\nGive every parameter once.")
        values[name] = value
    return values


def layer_widths(text: str) -> tuple[int, ...]:
    """Return the numbers of units of the hidden layers from text such as ``64,32``.

    Examples
    --------
    >>> layer_widths("64, 32")
    (64, 32)
    """
    parts = [part.strip() for part in text.split(",")]
    if not all(re.fullmatch(r"[0-9]{1,6}", part) and int(part) > 0 for part in parts):
        raise CommandError(
            f"--hidden {quoted(text)} does not give the units of the hidden layers\n"
            "Expected positive whole numbers separated by commas, such as --hidden 64,32."
        )
    return tuple(int(part) for part in parts)


def check_source(path: Path) -> None:
    """Refuse a file that is not there, before libraries are loaded to read it."""
    path.stat()  # opening it would take the beginning of a pipe


def check_destination(path: Path, *inputs: Path) -> None:
    """Refuse a file that could not be written, before time is spent on what goes into it."""
    if path.is_dir():
        raise CommandError(f"{path} is a folder\nName a file to write to.")
    if not path.parent.is_dir():
        raise CommandError(
            f"there is no folder {path.parent} to write {path.name} to\n"
            "Create it, or name another file."
        )
    if path.exists() and any(given.exists() and path.samefile(given) for given in inputs):
        raise CommandError(f"{path} would replace what is read\nName another file to write to.")
