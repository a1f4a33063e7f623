"""Narrow rows of a batch side by side: each lane of a vector has a row of its own.

A row of few units fills no vector, and what they share is known late. A block of rows is turned, so
that a unit of all of them lies together, and each step of a row is one over these.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from itertools import groupby

from chainrule.kernels.rows._blocks import has, indented

WIDEST = 15  # units of a row; wider ones fill vectors of their own
_ROWS = 32  # of a block, which stay in the nearest cache
_LANES = 8
_READ = re.compile(r"np\.float64\((\w+)\[i, j\]\)")
_KEPT = re.compile(r"\b(kept_\d+)\[j\]")
_RESULT = re.compile(r"\b(\w+)\[(i|i, j)\](?= = )")
_LOOP = "for j in range(columns):"


def in_lanes(lines: Sequence[str], shared: Collection[str]) -> list[str]:
    """Return source that does for all rows what is given for one.

    Lanes beyond the last row have that row once more.

    Parameters
    ----------
    lines : sequence of str
        For a row ``i``: loops over its units ``j``, and what stands between them.
    shared : collection of str
        Names of what the units of a row share.
    """
    text = "\n".join(lines)
    inputs = list(dict.fromkeys(_READ.findall(text)))
    results = dict(_RESULT.findall(text))
    parts = list(_parts(lines))
    waiting = [x for x in shared if sum(has(part, rf"\b{x}\b") for _, part in parts) > 1]
    of_rows = [*waiting, *(name for name, index in results.items() if index == "i")]
    kept = dict.fromkeys(_KEPT.findall(text))
    of_units = [*inputs, *kept, *(name for name, index in results.items() if index == "i, j")]
    place = {name: f"lanes[{k}, i]" for k, name in enumerate(of_rows)}
    place |= {
        name: f"lanes[{len(of_rows)} + {k} * columns + j, i]" for k, name in enumerate(of_units)
    }
    body = [
        f"filled = (min({_ROWS}, rows - start) + {_LANES - 1}) // {_LANES} * {_LANES}",
        "for i in range(filled):",
        "    row = min(start + i, rows - 1)",
        f"    {_LOOP}",
        *(f"        {place[name]} = np.float64({name}[row, j])" for name in inputs),
    ]
    for is_loop, part in parts:
        own = [x for x in waiting if has(part, rf"\b{x}\b")]
        inside = [
            *(f"{x} = {place[x]}" for x in own if _is_read(part, x)),
            *(_moved(line, place) for line in part),
            *(f"{place[x]} = {x}" for x in own if _is_set(part, x)),
        ]
        step = ["for i in range(filled):", *indented(inside)]
        body += [_LOOP, *indented(step)] if is_loop else step
    body.append(f"for i in range(min({_ROWS}, rows - start)):")
    for name, index in results.items():
        end = f"{name}[start + {index}] = {place[name]}"
        body += [f"    {_LOOP}", f"        {end}"] if index == "i, j" else [f"    {end}"]
    return [
        f"lanes = np.empty(({len(of_rows)} + {len(of_units)} * columns, {_ROWS}))",
        f"for start in range(0, rows, {_ROWS}):",
        *indented(body),
    ]


def _moved(line: str, place: dict[str, str]) -> str:
    """Let a line read and write its row's lane."""
    for pattern in (_READ, _KEPT, _RESULT):
        line = pattern.sub(lambda match: place[match.group(1)], line)
    return line


def _parts(lines: Sequence[str]) -> Iterator[tuple[bool, list[str]]]:
    """Yield loops over units, without their heads, and the lines between two of them."""
    for is_loop, part in groupby(lines, lambda line: line == _LOOP or line.startswith(" ")):
        some = list(part)
        if not is_loop:
            yield False, some
        while is_loop and some:
            end = some.index(_LOOP, 1) if _LOOP in some[1:] else len(some)
            yield True, [line[4:] for line in some[1:end]]
            some = some[end:]


def _is_set(lines: Sequence[str], name: str) -> bool:
    return any(line.startswith(f"{name} = ") for line in lines)


def _is_read(lines: Sequence[str], name: str) -> bool:
    """Tell whether a name is read before it is set."""
    pattern = rf"\b{name}\b"
    first = next(k for k, line in enumerate(lines) if has([line], pattern))
    head, _, value = lines[first].partition(" = ")
    return head != name or has([value], pattern)
