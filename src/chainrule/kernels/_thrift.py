"""Which rounding errors need not be kept: operations on pairs take several times as long."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from chainrule.kernels.source._tiers import but

# About how many instructions an operation on pairs takes more than one on numbers.
_MORE = {
    "add": 7, "subtract": 7, "add_smaller": 4, "subtract_smaller": 4, "product": 1, "scaled": 2,
    "multiply": 3, "doubled": 1, "divide": 6, "divide_by_constant": 3, "square_root": 10,
    "quotient": 6, "bounded_quotient": 5, "quotient_of_sum": 6, "bounded_quotient_of_sum": 4,
    "rounded": 1,
}  # fmt: skip
_ON_PAIRS = re.compile(r"\bpairs\.(\w+)\(")
_WORTH = 0.8  # of the instructions: a smaller gain is not worth that much error


def with_fewer_kept(tier: str, source: Callable[[str], str], passes: Callable[[str], bool]) -> str:
    """Return the tier less as many of its rounding errors as are not needed, or as it is.

    One after another is left out, those first that save most.

    Parameters
    ----------
    tier : str
        One that keeps rounding errors.
    source : callable
        Returns the function's source in a tier.
    passes : callable
        Tells whether the function keeps its promises in a tier.
    """
    whole = source(tier)
    left_out: list[int] = []
    for work, k in sorted((_work(text), k) for k, text in enumerate(_without_one(tier, source))):
        trial = sorted([*left_out, k])
        if work < _work(whole) and passes(but(tier, trial)):
            left_out = trial
    thrifty = but(tier, left_out)
    return thrifty if _work(source(thrifty)) <= _WORTH * _work(whole) else tier


def _without_one(tier: str, source: Callable[[str], str]) -> Iterator[str]:
    """Yield the source without the error of each operation."""
    whole, k = source(tier), 0
    while (text := source(but(tier, [k]))) != whole:
        yield text
        k += 1


def _work(source: str) -> int:
    return sum(_MORE.get(name, 0) for name in _ON_PAIRS.findall(source))
