"""Choices of arithmetic: what a cache entry notes, and what comes with the package.

Of the catalogue's functions the choices are kept, so that a first call need not measure. One is
taken only where the source that it leads to is, with all it calls, the very code that was measured.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib import resources
from typing import Any

FILE = "choices.json"
FUNCTIONS = ("activation", "derivative")

Pairs = tuple[tuple[float, float], ...]
Zeros = dict[str, Pairs]


@dataclass(frozen=True)
class Choice:
    """The arithmetic of a formula's functions.

    Parameters
    ----------
    tiers : dict of str to str
        By the names in `FUNCTIONS`.
    zeros : dict of str to tuple
        The neighbours between which these have zeros, where the tier fits polynomials there.
    says : str
        In which arithmetic they run, and what was measured.
    at_once : dict of str to int
        How many vectors their kernels take at a time, where that was measured.
    """

    tiers: dict[str, str]
    zeros: Zeros
    says: str
    at_once: dict[str, int] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The choice as one line."""
        return json.dumps(asdict(self))


def read_choice(text: str) -> Choice:
    """Return the choice that a line stands for."""
    return _choice(json.loads(text))


def kept_choice(question: str) -> tuple[Choice, str] | None:
    """Return the choice that comes with the package for a formula, and the digest of its code."""
    found = _kept().get(question)
    return None if found is None else (_choice(found), found["code"])


def _choice(data: Mapping[str, Any]) -> Choice:
    zeros = {name: tuple((a, b) for a, b in pairs) for name, pairs in data["zeros"].items()}
    return Choice(data["tiers"], zeros, data["says"], data.get("at_once", {}))


@cache
def _kept() -> dict[str, Any]:
    file = resources.files("chainrule.kernels").joinpath(FILE)
    return dict(json.loads(file.read_text(encoding="utf-8")))
