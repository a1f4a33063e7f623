"""Source of several fits as one polynomial whose coefficients z chooses, see `elementary.fits`.

A loop over vectors computes all fits and then chooses; joined they cost little more than one.
Before it gets its tier, generated source has ``fits_at(((low, high, (...)), ...), z)``; in a module
the intervals and coefficients are a constant, ``fits0(z)``.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable, Sequence
from itertools import groupby

import numpy as np

from chainrule.kernels.elementary.fits import MOST, variable_of
from chainrule.kernels.source._fit import Fit
from chainrule.kernels.source._lines import number

_FEWEST = 3
_VALUE, _RAISED = "fitted", "fitted_exp"
_CALLED = re.compile(rf"\b{_VALUE} = fits_at\((\(.*\)), z\)")
_Row = tuple[float, float, tuple[float, ...]]


def joined(fits: Sequence[Fit]) -> tuple[list[str], str, str, list[Fit]]:
    """Return source of fits as one polynomial, and the fits that are not among them.

    Parameters
    ----------
    fits : sequence of Fit

    Returns
    -------
    lines : list of str
        Statements; none where there are too few fits for it.
    result, condition : str
        The value, and source that is true where it is meant.
    others : list of Fit
    """
    own: list[Fit] = []
    for fit in sorted((fit for fit in fits if _is_plain(fit)), key=lambda fit: fit.low):
        if len(own) < MOST and (not own or fit.low >= own[-1].high):
            own.append(fit)
    if len(own) < _FEWEST:
        return [], "", "", list(fits)
    rows = ", ".join(
        f"({number(fit.low)}, {number(fit.high)}, ({', '.join(map(number, fit.coefficients))},))"
        for fit in own
    )
    lines = [f"{_VALUE} = fits_at(({rows}), z)"]
    if any(fit.sign for fit in own):
        lines.append(f"{_RAISED} = exp({_VALUE})")
    return lines, _by_sign(own), _where(own), [fit for fit in fits if fit not in own]


def _is_plain(fit: Fit) -> bool:
    """Tell whether a fit is a polynomial between two ends, or the exponential of one."""
    is_between = math.isfinite(fit.low) and math.isfinite(fit.high)
    return is_between and bool(fit.variable) and not fit.is_even and not fit.power


def _by_sign(fits: Sequence[Fit]) -> str:
    """Return source of the value: in order of z, what the polynomial is the logarithm of."""
    values = {0: _VALUE, 1: _RAISED, -1: f"-{_RAISED}"}
    runs = [(sign, list(run)) for sign, run in groupby(fits, key=lambda fit: fit.sign)]
    result = values[runs[-1][0]]
    for sign, run in runs[-2::-1]:
        result = f"{values[sign]} if z <= {number(run[-1].high)} else ({result})"
    return result


def _where(fits: Sequence[Fit]) -> str:
    """Return source that is true on the intervals; what lies between two that meet belongs."""
    ends = [fits[0].low]
    for fit, following in zip(fits, [*fits[1:], None], strict=True):
        if following is None or following.low != fit.high:
            ends += [fit.high] if following is None else [fit.high, following.low]
    runs = zip(ends[::2], ends[1::2], strict=True)
    return " or ".join(f"(z > {number(low)} and z < {number(high)})" for low, high in runs)


def with_fits_called(text: str) -> tuple[list[str], str]:
    """Return the definitions of joined fits, and source that calls them."""
    names = {rows: f"fits{k}" for k, rows in enumerate(dict.fromkeys(_CALLED.findall(text)))}
    definitions = []
    for rows, name in names.items():
        shown = "".join(f"    {row},\n" for row in ast.literal_eval(rows))
        definitions.append(f"{name} = fits.on_intervals((\n{shown}))")
    return definitions, _CALLED.sub(lambda m: f"{_VALUE} = {names[m[1]]}(z)", text)


def value_at(rows: tuple[_Row, ...]) -> Callable[[float], float]:
    """Return the joined polynomial as a function of z, for source that is not compiled."""
    starts = np.array([low for low, _, _ in rows])

    def value(z: float) -> float:
        row = rows[max(int(np.searchsorted(starts, z)) - 1, 0)]
        centre, scale = variable_of(row)
        u, total = (z - centre) * scale, np.float64(0.0)
        for coefficient in reversed(row[2]):
            total = total * u + coefficient
        return float(total)

    return value


def is_joined(name: str) -> bool:
    """Tell whether a variable of generated source holds what joined fits give."""
    return name in (_VALUE, _RAISED)
