"""The finished fits of a comparison in a file of JSON lines: what is kept when it is cut off."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from chainrule.command._json import entries, mapping, number, text, truth
from chainrule.command._messages import CommandError, listed
from chainrule.formulas import Formula
from chainrule.networks import ModelFileError

_FORMAT = "chainrule comparison 1"
Key = tuple[str, int, int]


def name_of(formula: Formula) -> str:
    """Return what an activation is known by: its formula with its parameters to the last digit."""
    values = ", ".join(f"{name}={value!r}" for name, value in formula.parameters)
    return f"{formula.text} with {values}" if values else formula.text


@dataclass(frozen=True)
class Fit:
    """What came of one activation on one fold.

    Parameters
    ----------
    activation : str
        The formula with its parameters.
    repeat, fold : int
    score : float
        Accuracy or R² on the rows held out; not to be used where there was a problem.
    seconds : float
    epochs : int
    converged : bool
        Whether training ended before all epochs were used.
    problem : str
        Why there is no score: training diverged. Empty where there is one.
    """

    activation: str
    repeat: int
    fold: int
    score: float
    seconds: float
    epochs: int
    converged: bool
    problem: str

    @property
    def key(self) -> Key:
        """What there is one fit for."""
        return self.activation, self.repeat, self.fold


def open_state(path: Path, settings: dict[str, Any]) -> dict[Key, Fit]:
    """Return the fits that a file keeps, or begin one.

    Parameters
    ----------
    path : Path
    settings : dict
        All that scores depend on besides the activation: the digest of the table among it.

    Raises
    ------
    CommandError
        The file keeps fits of another table or with other settings, or is damaged.
    """
    if not path.exists():
        _begin(path, settings)
    lines = _whole_lines(path)
    remedy = f"Give another --output, or remove {path} to begin anew."
    try:
        header = entries(json.loads(lines[0]), ("format", "settings")) if lines else {}
        kept = mapping(header.get("settings"))
        if header["format"] != _FORMAT:
            raise ModelFileError(f"its format is {header['format']!r:.60}")
        fits = [_fit(json.loads(line)) for line in lines[1:]]
    except (ValueError, RecursionError) as error:
        raise CommandError(
            f"{path} keeps no comparison, or is damaged: {error!s:.200}\n{remedy}"
        ) from None
    other = [
        f"{name} was {_shown(kept.get(name))}, now {_shown(settings.get(name))}"
        for name in dict.fromkeys([*settings, *kept])
        if kept.get(name) != settings.get(name)
    ]
    if other:
        raise CommandError(f"{path} keeps another comparison: {listed(other)}\n{remedy}")
    return {fit.key: fit for fit in fits}


def keep(path: Path, fit: Fit) -> None:
    """Add a fit; what is written at once and on the disk survives whatever comes."""
    line = json.dumps(asdict(fit), allow_nan=False) + "\n"
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
    try:
        os.write(descriptor, line.encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _begin(path: Path, settings: dict[str, Any]) -> None:
    unfinished = path.with_name(path.name + ".new")
    header = {"format": _FORMAT, "settings": settings}
    unfinished.write_text(json.dumps(header) + "\n", encoding="utf-8")
    unfinished.replace(path)


def _whole_lines(path: Path) -> list[bytes]:
    """Return the lines that were written to their end; cut off what was not."""
    content = path.read_bytes()
    end = content.rfind(b"\n") + 1
    if end < len(content) and content.startswith(b'{"format"'):
        os.truncate(path, end)
    return content[:end].splitlines()


def _fit(value: Any) -> Fit:
    data = entries(value, [field.name for field in fields(Fit)])
    counts = [data["repeat"], data["fold"], data["epochs"]]
    if not all(isinstance(count, int) and not isinstance(count, bool) for count in counts):
        raise ModelFileError("a repeat, a fold or a number of epochs is no whole number")
    return Fit(
        text(data["activation"]), data["repeat"], data["fold"], number(data["score"]),
        number(data["seconds"]), data["epochs"], truth(data["converged"]), text(data["problem"]),
    )  # fmt: skip


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(map(str, value)) or "nothing"
    shown = "automatic" if value is None else str(value)
    return shown if len(shown) <= 20 else shown[:12] + "…"
