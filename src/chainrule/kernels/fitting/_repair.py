"""Generated functions measured against true values, and mended where they lose digits.

Whatever form a function was written in, what counts is what comes out. Its source is run at
places of every size; where the result is off by more than the format shows, a fit to true values
takes over (see `_fit`), and at ±infinity the limit. A fit that is no better is not used.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import mpmath
import numpy as np

from chainrule.derivations import TimeLimitError, time_limit
from chainrule.formulas import Formula
from chainrule.kernels.fitting._exact_places import Source, runnable, with_exact_places
from chainrule.kernels.fitting._judge import (
    Judge,
    Place,
    as_float,
    domains,
    more_places,
    places_between,
)
from chainrule.kernels.source._fit import Fit, fitted, fitted_by_size, power_of_tail
from chainrule.kernels.source._interpreter import interpreted
from chainrule.kernels.source._joined_fits import joined
from chainrule.kernels.source._lines import number
from chainrule.references import FORMATS, Format

_SECONDS = 18.0
_BITS = {"float32": 34, "float64": 55}
_GAP = 5
_REACH = 10  # places beyond the outermost errors
_DEEPEST_CUT = 4
_NEAR_ZERO = 0.25  # of a cut, there is no tail yet
_TRIALS = 24
_NEXT_TO_ZERO = 1e-4
_HARMLESS = {"float32": 10.0, "float64": 1.5}  # times what is allowed
Method = Callable[[Callable[[Any], Any], float, float, int, float], Fit | None]
# One after the other, where the one before left digits lost.
_METHODS: dict[str, tuple[Method, ...]] = {
    "float32": (fitted, fitted_by_size),
    "float64": (fitted,),
}


def repaired(
    formula: Formula,
    source: Source,
    edges: Sequence[float],
    dtype: str,
    *,
    slope: bool,
    for_other_values: bool = False,
) -> Source:
    """Return the source of a value or slope, mended where it loses digits.

    Parameters
    ----------
    formula : Formula
        Of one unit.
    source : list of str, str
        Statements, and the expression of the result after them.
    edges : sequence of float
        Where pieces of the function meet: no fit reaches across.
    dtype : str
        The format whose digits are to be kept.
    slope : bool
        Whether the source computes the derivative.
    for_other_values : bool
        Whether parameters will have other values, too: then nothing is fitted for the given ones.
    """
    try:
        with time_limit(_SECONDS), mpmath.workdps(40), np.errstate(all="ignore"):
            if for_other_values:
                judge = Judge(formula, FORMATS[dtype], slope=slope)
                return with_exact_places(source, judge, formula, for_other_values=True)
            return _repaired(formula, source, edges, FORMATS[dtype], slope)
    except (TimeLimitError, ArithmeticError, ValueError):
        return source


def loses_nothing(formula: Formula, source: Source, dtype: str, *, slope: bool) -> bool:
    """Tell whether nothing in the source of a value or slope is to be mended; see `repaired`."""
    try:
        with time_limit(_SECONDS), mpmath.workdps(40), np.errstate(all="ignore"):
            judge = Judge(formula, FORMATS[dtype], slope=slope)
            computed = runnable(source, formula)
            if _loses(judge, computed):
                return False
            exact = with_exact_places(source, judge, formula)
            return exact == source and _with_limits(source[1], judge, computed) == source[1]
    except (TimeLimitError, ArithmeticError, ValueError):
        return False


def _loses(judge: Judge, computed: Callable[[float], float]) -> bool:
    places = (judge.at(z) for z in places_between(judge, -math.inf, math.inf))
    return any(p is not None and p.excess(computed(p.z)) > 1 for p in places)


def _repaired(
    formula: Formula, source: Source, edges: Sequence[float], form: Format, slope: bool
) -> Source:
    judge = Judge(formula, form, slope=slope)
    computed = runnable(source, formula)
    fits: list[Fit] = []
    ends = [-math.inf, *sorted(set(edges)), math.inf]
    for method in _METHODS[form.name]:
        if method is fitted_by_size and not fits and not _loses(judge, computed):
            break
        mended = _with_fits(source, fits)
        for low, high in pairwise(ends):
            fits += _better_fits(judge, low, high, mended, formula, method)
    lines, result = list(source[0]), source[1]
    if form.name == "float64":  # float32 takes its fits into other tiers
        added, fitted_result, condition, fits = joined(fits)
        lines += added
        result = f"({fitted_result}) if {condition} else ({result})" if added else result
    fits = _without_gaps(fits, judge, runnable(_with_fits((lines, result), fits), formula))
    lines, result = _with_fits((lines, result), fits)
    lines, result = with_exact_places((lines, result), judge, formula)
    return lines, _with_limits(result, judge, runnable((lines, result), formula))


def _better_fits(
    judge: Judge, low: float, high: float, source: Source, formula: Formula, method: Method
) -> list[Fit]:
    """Return fits by a method where a source loses digits between two edges."""
    computed = runnable(source, formula)
    intervals, sample = _lossy, places_between
    if method is fitted_by_size:
        intervals, sample = _lossy_sides, more_places

    def better(start: float, end: float, places: Sequence[Place], cuts: int) -> Iterator[Fit]:
        inside = [p for p in places if start < p.z < end]
        for fit in _fits(judge, start, end, inside, computed, method):
            if _is_better(fit, judge, inside, computed, formula):
                yield fit
            elif cuts < _DEEPEST_CUT and math.isfinite(fit.low) and math.isfinite(fit.high):
                # Where little is lost it may lose more: the rest has another one.
                middle = _cut(fit.low, fit.high)
                yield from better(fit.low, middle, inside, cuts + 1)
                yield from better(middle, fit.high, inside, cuts + 1)

    return [
        fit
        for first, last, places in domains(judge, low, high, sample)
        for start, end in intervals(places, computed, first, last)
        for fit in better(start, end, places, 0)
    ]


def _without_gaps(
    fits: Sequence[Fit], judge: Judge, computed: Callable[[float], float]
) -> list[Fit]:
    """Return fits of which one has the place where two meet, if digits are lost there."""
    ends = {fit.high for fit in fits}
    closed = []
    for fit in fits:
        place = judge.at(fit.low) if fit.low in ends and math.isfinite(fit.low) else None
        if place is not None and place.excess(computed(place.z)) > 1:
            before = np.nextafter(np.asarray(fit.low, judge.form.dtype), -np.inf)
            fit = replace(fit, low=float(before))
        closed.append(fit)
    return closed


def _with_fits(source: Source, fits: Sequence[Fit]) -> Source:
    """Return source in which the last fit of those that hold a place is taken there."""
    lines, result = list(source[0]), source[1]
    for k, fit in enumerate(fits):
        added, fitted_result = fit.source(f"fit{k}")
        lines += added
        result = f"({fitted_result}) if {fit.condition()} else ({result})"
    return lines, result


def _with_limits(result: str, judge: Judge, computed: Callable[[float], float]) -> str:
    for direction in (1, -1):
        limit, infinite = judge.limit(direction), direction * math.inf
        if limit is None or math.isclose(computed(infinite), limit, rel_tol=1e-14, abs_tol=0.0):
            continue
        result = f"{number(limit)} if z == {number(infinite)} else ({result})"
    return result


def _lossy(
    places: Sequence[Place], computed: Callable[[float], float], low: float, high: float
) -> Iterator[tuple[float, float]]:
    """Yield the intervals on which results are off by more than is allowed."""
    bad = [k for k, place in enumerate(places) if place.excess(computed(place.z)) > 1]
    runs: list[list[int]] = []
    for k in bad:
        # Where the truth rounds to 0 nothing can be lost; that parts no intervals.
        if runs and sum(p.is_visible for p in places[runs[-1][-1] + 1 : k]) < _GAP:
            runs[-1].append(k)
        else:
            runs.append([k])
    for run in runs:
        first, last = run[0], run[-1]
        start, end = low, high
        if any(p.is_visible for p in places[:first]):
            start = places[first - 1].z
        if any(p.is_visible for p in places[last + 1 :]):
            end = places[last + 1].z
        sizes = sorted((abs(start), abs(end)))
        if start * end > 0 and sizes[0] < _NEXT_TO_ZERO * sizes[1] < math.inf:
            # Digits are relative: what reaches this near to 0 has to be fitted across it.
            start, end = (start, -start) if end < 0 else (-end, end)
            start, end = max(start, low), min(end, high)
        if start < 0 < end and 0.2 < -start / end < 5:
            start, end = -max(-start, end), max(-start, end)
            if not low <= start < end <= high:
                continue
        yield start, end


def _lossy_sides(
    places: Sequence[Place], computed: Callable[[float], float], low: float, high: float
) -> Iterator[tuple[float, float]]:
    """Yield what of either side of 0 reaches from the first to the last place of errors, and more.

    Far out some results are right by chance, and what lies between places is not.
    """
    for first, last in ((low, min(high, 0.0)), (max(low, 0.0), high)):
        own = [place for place in places if first < place.z < last]
        bad = [k for k, place in enumerate(own) if place.excess(computed(place.z)) > 1]
        if bad:
            start, end = bad[0] - _REACH, bad[-1] + _REACH
            yield own[start].z if start >= 0 else first, own[end].z if end < len(own) else last


def _fits(
    judge: Judge,
    low: float,
    high: float,
    places: Sequence[Place],
    computed: Callable[[float], float],
    method: Method,
    cuts: int = 0,
) -> list[Fit]:
    """Return the fits that cover an interval, or what of it can be covered."""
    if method is fitted_by_size:
        largest = math.ldexp(1.0, judge.form.largest_exponent)
        low, high = max(low, -largest), min(high, largest)
    bits = _BITS[judge.form.name]
    centre = next((z for z in judge.gaps if low < z < high), 0.0)
    fit = method(judge, low, high, bits, centre)
    if fit is not None and _holds(fit, judge, places, computed):
        return [fit]
    tail = _constant_tail(judge, low, high, [p for p in places if low < p.z < high])
    if tail is not None:
        rest = (low, tail.low) if math.isinf(high) else (tail.high, high)
        return [tail, *_fits(judge, *rest, places, computed, method, cuts)]
    lossy = any(p.excess(computed(p.z)) > 1 for p in places if low <= p.z <= high)
    if cuts == _DEEPEST_CUT or not (lossy or method is fitted_by_size):
        return []
    middle = _cut(low, high)
    if method is fitted_by_size and not low * high:
        smallest = math.ldexp(1.0, judge.form.smallest_exponent)
        middle = _cut(low or smallest, high or -smallest)
    parts = [*_fits(judge, low, middle, places, computed, method, cuts + 1)]
    return [*parts, *_fits(judge, middle, high, places, computed, method, cuts + 1)]


def _holds(
    fit: Fit, judge: Judge, places: Sequence[Place], computed: Callable[[float], float]
) -> bool:
    """Tell whether a fit does no harm at the places on its interval: its nodes may miss a bend."""
    replaced = interpreted(*fit.source("u"), {})
    harmless = _HARMLESS[judge.form.name]
    return all(
        p.excess(replaced(p.z)) <= max(harmless, p.excess(computed(p.z)))
        for p in places
        if fit.low < p.z < fit.high
    )


def _cut(low: float, high: float) -> float:
    if math.isinf(low) and math.isinf(high):
        return 0.0
    if math.isinf(high):
        return 2 * low if low > _NEAR_ZERO else 4.0
    if math.isinf(low):
        return 2 * high if high < -_NEAR_ZERO else -4.0
    if low < 0 < high:
        return 0.0
    if low and high and not 0.25 < low / high < 4:
        return math.copysign(math.sqrt(low * high), high)
    return (low + high) / 2


def _constant_tail(judge: Judge, low: float, high: float, places: Sequence[Place]) -> Fit | None:
    """Return where a tail has become 0 or infinite in a format, faster than any power."""
    if math.isinf(low) == math.isinf(high):
        return None
    if power_of_tail(judge, 1 if math.isinf(high) else -1) is not None:
        return None
    outward = places if math.isinf(high) else places[::-1]
    smallest = mpmath.ldexp(1, judge.form.smallest_exponent - 10)

    def rounded(value: Any) -> float | None:
        nearest = as_float(value)
        if math.isinf(nearest):
            return nearest
        return 0.0 if abs(value) < smallest else None

    if not outward or (settled := rounded(outward[-1].value)) is None:
        return None
    first = next(k for k, p in enumerate(outward) if rounded(p.value) == settled)
    if any(rounded(p.value) != settled for p in outward[first:]):
        return None
    inner = outward[first - 1].z if first else (low if math.isinf(high) else high)
    outer = outward[first].z
    for _ in range(40):
        middle = (inner + outer) / 2
        value = judge(middle)
        if value is None or rounded(value) != settled:
            inner = middle
        else:
            outer = middle
    ends = (outer, math.inf) if math.isinf(high) else (-math.inf, outer)
    return Fit(*ends, "", (settled,))


def _is_better(
    fit: Fit,
    judge: Judge,
    places: Sequence[Place],
    computed: Callable[[float], float],
    formula: Formula,
) -> bool:
    """Tell whether a fit is nearer to the truth than what it replaces, at places old and new."""
    replaced = runnable(fit.source("u"), formula)
    low, high = fit.low, fit.high
    low, high = (min(high * 1e4, -1e4), high) if math.isinf(low) else (low, high)
    low, high = (low, max(low * 1e4, 1e4)) if math.isinf(high) else (low, high)
    random = np.random.default_rng(6)
    new = random.uniform(low, high, _TRIALS).tolist()
    new += [z for z in np.outer([low, high], 10.0 ** -random.uniform(0, 30, _TRIALS)).ravel()
            if low < z < high]  # fmt: skip
    inside = [p for p in places if fit.low < p.z < fit.high]
    inside += [p for z in new if (p := judge.at(z)) is not None]
    errors = [(p.excess(computed(p.z)), p.excess(replaced(p.z))) for p in inside]
    unharmed = all(after <= max(before, _HARMLESS[judge.form.name]) for before, after in errors)
    return unharmed and max((a for _, a in errors), default=0.0) < max(
        (b for b, _ in errors), default=0.0
    )
