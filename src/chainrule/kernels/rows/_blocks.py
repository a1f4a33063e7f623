"""Loops over the rows of a batch: one after another, or stage by stage in blocks of them."""

from __future__ import annotations

import re
from collections.abc import Sequence

_ROWS = 16
_ELEMENTS = 1600  # of a block, which stay in the nearest cache


def over_rows(
    stages: Sequence[Sequence[str]], shared: Sequence[str], buffers: Sequence[str], size: str
) -> list[str]:
    """Return source that does for each row what several stages do.

    Parameters
    ----------
    stages : sequence of sequence of str
        Lines for a row ``i``; a stage goes through a block of rows before the next one begins.
    shared : sequence of str
        Names of what the units of a row share, which may be found in one stage and needed later.
    buffers : sequence of str
        Names of arrays in which a row keeps what is known of unit ``j``.
    size : str
        Source of their length and their type.
    """
    if len(stages) == 1:
        return [
            *(f"{name} = np.empty({size})" for name in buffers),
            "for i in range(rows):",
            *indented(stages[0]),
        ]
    stages = [[re.sub(r"\b(kept_\d+)\[j\]", r"\1[i - start, j]", x) for x in s] for s in stages]
    length, kind = size.rsplit(", ", 1)
    waiting: dict[str, int] = {}  # of which stage
    for name in shared:
        made = [k for k, stage in enumerate(stages) if has(stage, f"^{name} = ")]
        if made and any(has(stage, rf"\b{name}\b") for stage in stages[made[0] + 1 :]):
            waiting[name] = made[0]
    place = {name: f"of_rows[{k}, i - start]" for k, name in enumerate(waiting)}
    lines = ["stop = min(start + block, rows)"]
    for k, stage in enumerate(stages):
        body = [
            *(f"{x} = {place[x]}" for x in waiting if waiting[x] < k and has(stage, rf"\b{x}\b")),
            *stage,
            *(f"{place[x]} = {x}" for x in waiting if waiting[x] == k),
        ]
        lines += ["for i in range(start, stop):", *indented(body)]
    return [
        f"block = max(1, min({_ROWS}, {_ELEMENTS} // max(columns, 1)))",
        *(f"{name} = np.empty((block, {length}), {kind})" for name in buffers),
        f"of_rows = np.empty(({len(waiting)}, {_ROWS}))",
        "for start in range(0, rows, block):",
        *indented(lines),
    ]


def indented(lines: Sequence[str]) -> list[str]:
    """Return lines as those of a loop."""
    return [f"    {line}" for line in lines]


def has(lines: Sequence[str], pattern: str) -> bool:
    """Tell whether a pattern occurs in one of the lines."""
    return any(re.search(pattern, line) for line in lines)
