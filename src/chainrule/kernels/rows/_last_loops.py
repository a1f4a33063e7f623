"""Loops that end a row in float32, where each unit's result is a sum of products.

Each of the few roundings counts next to a term of that sum. A difference from what all units share
would lose more: that is taken in two steps.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from chainrule.kernels.source._tiers import in_single

LINEAR = ("add", "subtract", "negate", "multiply")
_READS = re.compile(r"\s*(v\d+) = np\.float64\((\w+\[i, j\])\)(?: - (np\.float64\(z\[i, 0\]\)))?")
_DIFFERENCE = re.compile(r"(?<= = )(v\d+) - (v\d+)")


def with_loop_in_floats(loop: Sequence[str], names: Collection[str]) -> list[str]:
    """Return a loop over units as two: in float32, or as it is where that would leave its range.

    Parameters
    ----------
    loop : sequence of str
        All it computes is sums and products.
    names : collection of str
        Of what all units have in common.
    """
    shared = [name for name in names if any(re.search(rf"\b{name}\b", line) for line in loop)]
    reads = {m.group(1): m.group(2, 3) for line in loop if (m := _READS.match(line))}
    before = {name: [f"near_{name} = np.float32({name})"] for name in shared}

    def difference(match: re.Match[str]) -> str:
        x, number = match.groups()
        if x not in reads or number not in shared:
            return match.group(0)
        place, origin = reads[x]
        before[number] = [
            f"taken = {f'{origin} + ' * (origin is not None)}{number}",
            f"high_{number} = np.float32(taken)",
            f"low_{number} = np.float32(taken - np.float64(high_{number}))",
        ]
        return f"({place} - high_{number}) - low_{number}"

    in_floats = []
    for line in loop:
        taken = _DIFFERENCE.sub(difference, line)
        if taken == line:
            taken = re.sub(rf"\b({'|'.join(shared)})\b", r"near_\1", in_single(line))
        in_floats.append(taken)
    return [
        f"if {' and '.join(f'is_moderate({name})' for name in shared)}:",
        *(f"    {line}" for lines in before.values() for line in lines),
        *(f"    {line}" for line in in_floats),
        "else:",
        *(f"    {line}" for line in loop),
    ]
