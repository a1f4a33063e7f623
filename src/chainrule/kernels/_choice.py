"""The cheapest arithmetic that keeps the promised accuracy, found by measuring.

Candidates are compared with the same functions in double precision, whose own accuracy the
certificate measures against a reference of many digits, over inputs from the whole range.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.kernels._tiers import TIERS

Array = NDArray[Any]
Functions = Callable[[str, Array], Array]

# In units in the last place; some below the bounds of 2 and 4, since not all inputs are tried.
VALUE_BOUND, SLOPE_BOUND = 1.9, 3.8
_STEP = 1013  # every so many bit patterns: a prime, so that all digits of them vary


@dataclass(frozen=True)
class Choice:
    """A tier for each function, and what was measured of it.

    Parameters
    ----------
    tiers : dict of str to str
        By the names ``activation`` and ``derivative``.
    ulp : dict of str to float
        The worst deviation from double precision that was met.
    """

    tiers: dict[str, str]
    ulp: dict[str, float]

    def __str__(self) -> str:
        return ", ".join(
            f"{name} in {tier} ({self.ulp[name]:.2f} ulp from double)"
            for name, tier in self.tiers.items()
        )


def choose(build: Callable[[dict[str, str]], Functions]) -> Choice:
    """Try tiers in order of cost until both functions are within their bounds.

    Parameters
    ----------
    build : callable
        Compiles both functions in given tiers; returns what evaluates one of them on an array.
    """
    bounds = {"activation": VALUE_BOUND, "derivative": SLOPE_BOUND}
    z = inputs()
    exact = build(dict.fromkeys(bounds, "double"))
    wanted = {name: exact(name, z.astype(np.float64)) for name in bounds}
    tiers = dict.fromkeys(bounds, TIERS[0])
    worst = dict.fromkeys(bounds, 0.0)
    while True:
        tried = build(tiers)
        for name, bound in bounds.items():
            if tiers[name] != "double":
                worst[name] = deviation(tried(name, z), wanted[name])
            else:
                worst[name] = 0.5
        failed = [name for name, bound in bounds.items() if not worst[name] <= bound]
        if not failed:
            return Choice(tiers, worst)
        for name in failed:
            tiers = {**tiers, name: TIERS[TIERS.index(tiers[name]) + 1]}


@cache
def inputs() -> Array:
    """Return float32 numbers from the whole range, dense where functions change, and ±0, ±inf."""
    patterns = np.arange(0, 2**32, _STEP, dtype=np.uint32).view(np.float32)
    near = np.linspace(-120.0, 120.0, 200_003, dtype=np.float32)
    special = np.array([0.0, -0.0, np.inf, -np.inf], np.float32)
    every = np.concatenate([patterns[np.isfinite(patterns)], near, special])
    return every


def deviation(got: Array, wanted: Array) -> float:
    """Return the largest distance of float32 results from float64 ones, in ulp of the former."""
    with np.errstate(all="ignore"):
        rounded = wanted.astype(np.float32)
        unit = np.spacing(np.abs(rounded)).astype(np.float64)
        apart = np.abs(got.astype(np.float64) - wanted) / unit
    ends = ~np.isfinite(rounded)
    agree = (got == rounded) | (np.isnan(got) & np.isnan(rounded))
    apart[ends] = np.where(agree[ends], 0.0, np.inf)
    apart[np.isnan(apart)] = np.inf
    return float(apart.max())
