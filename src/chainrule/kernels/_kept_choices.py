"""Choices of arithmetic that come with the package, so that a first call need not measure.

A choice is taken only where the source that it leads to is, with all it calls, the very code that
was measured.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import cache
from importlib import resources
from typing import Any

from chainrule.kernels._choice import Zeros

FILE = "choices.json"


@dataclass(frozen=True)
class KeptChoice:
    """What was chosen for a formula.

    Parameters
    ----------
    tiers : dict of str to str
        By the names ``activation`` and ``derivative``.
    zeros : dict of str to tuple
        The neighbours between which these have zeros, where the tier fits polynomials there.
    says : str
        What was measured.
    code : str
        The digest of what was measured.
    """

    tiers: dict[str, str]
    zeros: Zeros
    says: str
    code: str

    def plain(self) -> dict[str, Any]:
        """Return the choice as plain data."""
        return asdict(self)


def kept_choice(question: str) -> KeptChoice | None:
    """Return the choice that comes with the package for a question about a formula, if any."""
    found = _kept().get(question)
    if found is None:
        return None
    zeros = {name: tuple((a, b) for a, b in pairs) for name, pairs in found["zeros"].items()}
    return KeptChoice(found["tiers"], zeros, found["says"], found["code"])


@cache
def _kept() -> dict[str, Any]:
    file = resources.files("chainrule.kernels").joinpath(FILE)
    return dict(json.loads(file.read_text(encoding="utf-8"))) if file.is_file() else {}
