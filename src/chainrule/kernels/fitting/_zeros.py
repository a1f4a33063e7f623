"""Functions in float32 next to their zeros, where a formula's terms cancel.

At a zero away from 0, ``f(z) = (z - zero) p(z - zero)``: with the zero in two parts and a short
polynomial from true values this loses no digits, where the formula would need twice as many.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import mpmath
import numpy as np
from numpy.polynomial import chebyshev

from chainrule.derivations import TimeLimitError, time_limit
from chainrule.formulas import Formula
from chainrule.kernels.fitting._judge import Judge
from chainrule.kernels.source._fit import series_of, terms_that_count
from chainrule.kernels.source._lines import number
from chainrule.references import FORMATS

MOST_ZEROS = 2
_MOST_TERMS = 10
_NARROWEST = 2.0**-6  # of the zero's own size
_ALLOWED = 2.0**-29
_SECONDS = 6.0


@dataclass(frozen=True)
class ZeroFit:
    """A function on an interval around its zero.

    Parameters
    ----------
    high, low : float
        The zero, as a float32 and what that leaves of it.
    reach : float
        How far the interval reaches to both sides.
    coefficients : tuple of float
        Of p, lowest power first.
    """

    high: float
    low: float
    reach: float
    coefficients: tuple[float, ...]

    def source(self, name: str, decorator: str) -> list[str]:
        """Return a function of `z`."""
        text = number(self.coefficients[-1])
        for coefficient in self.coefficients[-2::-1]:
            text = f"{number(coefficient)} + u * ({text})"
        return [
            decorator,
            f"def {name}(z):",
            f'    """The function next to its zero at z = {self.high + self.low!r}."""',
            f"    u = z - {number(self.high)}",
            f"    return (u - {number(self.low)}) * ({text})",
            "",
            "",
        ]

    def condition(self) -> str:
        """Return source that is true on the interval."""
        ends = (number(float(np.float32(self.high + s * self.reach))) for s in (-1, 1))
        return "z > {} and z < {}".format(*ends)


@lru_cache(maxsize=16)
def fits_at_zeros(
    formula: Formula, places: tuple[tuple[float, float], ...], *, slope: bool
) -> tuple[ZeroFit, ...]:
    """Return fits at zeros away from 0, where there are few; without those that are not found.

    Parameters
    ----------
    formula : Formula
        Of one unit.
    places : tuple of pairs of float
        Neighbours between which the zeros lie.
    slope : bool
        Whether they are those of the derivative.
    """
    away = [pair for pair in places if pair[0] * pair[1] > 0]
    if not 0 < len(away) <= MOST_ZEROS:
        return ()
    judge = Judge(formula, FORMATS["float64"], slope=slope)
    try:
        with time_limit(_SECONDS), mpmath.workdps(40):
            found = [_fit(judge, *pair) for pair in away]
    except (TimeLimitError, ArithmeticError, ValueError, TypeError):
        return ()
    return tuple(fit for fit in found if fit is not None)


def _fit(judge: Judge, first: float, last: float) -> ZeroFit | None:
    zero = mpmath.findroot(judge, (first, last), solver="illinois", tol=1e-30, verify=False)
    if not first <= zero <= last:
        return None
    high = float(np.float32(float(zero)))

    def over_distance(u: float) -> mpmath.mpf | None:
        value = judge(zero + u)
        return None if value is None else value / u

    # From half of the zero to its double, z less its rounded value is exact.
    reach = abs(high) / 2
    while reach > _NARROWEST * abs(high):
        found = series_of(over_distance, -reach, reach)
        if found is not None:
            series, smallest = found
            count = terms_that_count(series, smallest * _ALLOWED)
            if count <= _MOST_TERMS:
                plain = chebyshev.cheb2poly(series[:count])
                return ZeroFit(
                    high,
                    float(zero - high),
                    reach,
                    tuple(float(c / reach**k) for k, c in enumerate(plain)),
                )
        reach /= 2
    return None


def with_fits(
    lines: Sequence[str], fits: Mapping[str, Sequence[ZeroFit]], decorator: str
) -> list[str]:
    """Return generated source whose functions call their fits next to zeros.

    Parameters
    ----------
    lines : sequence of str
        Function after function, each from its decorator on.
    fits : mapping of str to sequence of ZeroFit
        By the functions' names.
    decorator : str
        Of the functions that are added.
    """
    result: list[str] = []
    own: Sequence[ZeroFit] = ()
    name = ""
    for line in lines:
        if line.startswith("def "):
            name = line[4:].partition("(")[0]
            own = fits.get(name, ())
            added = [
                text
                for k, fit in enumerate(own)
                for text in fit.source(name_of_fit(name, k), decorator)
            ]
            result[-1:-1] = added  # before the decorator
        text, mark, comment = line.partition("  # ")
        if own and text.startswith("    return "):
            value = text.removeprefix("    return ")
            for k, fit in enumerate(own):
                value = f"{name_of_fit(name, k)}(z) if {fit.condition()} else ({value})"
            line = f"    return {value}{mark}{comment}"
        result.append(line)
    return result


def name_of_fit(function: str, k: int) -> str:
    """Return the name of the function that is called next to a zero."""
    return f"{function}_near_zero{k}"
