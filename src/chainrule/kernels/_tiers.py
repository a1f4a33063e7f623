"""In which arithmetic generated functions run.

A *tier* is a format and a set of elementary functions: ``single`` computes in float32, ``wide`` in
float64 with functions good for results that are rounded to float32, ``double`` in float64 to its
last places. Source is written without a tier; here it gets one, function by function.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

TIERS = ("single", "wide", "double")  # in order of cost

ELEMENTARY = (
    "exp", "expm1", "log", "log1p", "tanh", "sinh", "cosh", "sin", "cos", "atan", "asinh", "erf",
    "erfc",
)  # fmt: skip
_CALLS = re.compile(rf"(?<![\w.])({'|'.join(ELEMENTARY)})\(")
_NUMBERS = re.compile(r"(?<![\w.])(\d+\.\d+(?:e[+-]?\d+)?|\d+e[+-]?\d+|inf|nan)(?![\w.])")
_READS = re.compile(r"\bnumbers\[\d+\]")
_LARGEST_POWER = 1e30  # of float32, with room for a square


def in_tiers(lines: Sequence[str], tiers: Mapping[str, str], others: str) -> list[str]:
    """Return generated source with every function in its tier.

    Parameters
    ----------
    lines : sequence of str
        Function after function, each from its decorator on.
    tiers : mapping of str to str
        By the functions' names.
    others : str
        The tier of functions that are not named.
    """
    result: list[str] = []
    tier = others
    for line in lines:
        head = re.match(r"def (\w+)\(", line)
        if head is not None:
            tier = tiers.get(head.group(1), others)
        result.append(line if _is_text(line) else _in_tier(line, tier))
    return result


def tiers_of(text: str) -> list[str]:
    """Return the tiers whose functions a source calls."""
    return [tier for tier in TIERS if re.search(rf"\b{tier}\.\w", text)]


def _is_text(line: str) -> bool:
    return line.lstrip().startswith(('"""', "@", "#", "def "))


def _in_tier(line: str, tier: str) -> str:
    line = _CALLS.sub(rf"{tier}.\1(", line)
    if tier != "single":
        return line
    line = _NUMBERS.sub(lambda match: f"np.float32({_bounded(match.group(1))})", line)
    line = _READS.sub(lambda match: f"np.float32({match.group(0)})", line)
    return line.replace("np.float64(", "np.float32(")


def _bounded(number: str) -> str:
    """Return a number that float32 can hold, of those by which infinite `z` is bounded too."""
    return repr(_LARGEST_POWER) if _LARGEST_POWER < float(number) < float("inf") else number
