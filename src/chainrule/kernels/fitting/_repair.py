"""Generated functions measured against true values, and mended where they lose digits.

Whatever form a function was written in, what counts is what comes out. Its source is run at
places of every size; where the result is off by more than the format shows, a fit to true values
takes over (see `_fit`), and at ±infinity the limit. A fit that is no better is not used.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

import mpmath
import numpy as np
from mpmath import libmp

from chainrule.derivations import TimeLimitError, time_limit
from chainrule.formulas import Apply, Formula, subexpressions
from chainrule.kernels.source._fit import Fit, fitted, power_of_tail
from chainrule.kernels.source._interpreter import interpreted
from chainrule.kernels.source._joined_fits import joined
from chainrule.kernels.source._lines import number, parameter_name
from chainrule.kernels.stable_forms._factors import polynomial_of
from chainrule.references import FORMATS, Format, Reference, Truth

_SECONDS = 18.0
# In units of the format's last place: what is mended.
_TOLERATED = {"float32": 0.02, "float64": 3.0}
_BITS = {"float32": 34, "float64": 55}
# Of the reference: where more are needed, nothing is mended.
_MOST_BITS = {"float32": 600, "float64": 2600}
_GAP = 5
_DEEPEST_CUT = 4
_NEAR_ZERO = 0.25  # of a cut, there is no tail yet
_TRIALS = 24
_NEXT_TO_ZERO = 1e-4
_HARMLESS = {"float32": 10.0, "float64": 1.5}  # times what is allowed
_ROUNDED = ("exp", "log", "tanh", "sinh", "cosh", "erf", "atan", "asinh", "sin", "cos")
Source = tuple[list[str], str]


@dataclass(frozen=True)
class _Place:
    """What is true at one place, and by how much a result may differ."""

    z: float
    value: Any
    allowed: float

    @property
    def is_visible(self) -> bool:
        """Whether the truth is more than what may be lost of it."""
        return bool(abs(self.value) > self.allowed)

    def excess(self, computed: float) -> float:
        """Return an error in units of what is allowed."""
        if not math.isfinite(computed):
            return 0.0 if _as_float(self.value) == computed else math.inf
        if not mpmath.isfinite(self.value):
            return math.inf
        return float(min(abs(mpmath.mpf(computed) - self.value) / self.allowed, 1e300))


class Judge:
    """True values or slopes of a formula in a format."""

    def __init__(self, formula: Formula, form: Format, *, slope: bool) -> None:
        self.form, self.slope = form, slope
        self.reference, self.known = _reference(formula, form)

    def __call__(self, z: Any) -> Any:
        """Return the true value, or None where it is not known or not a number."""
        raw = mpmath.mpf(z)._mpf_
        if not self.slope:
            found = self.reference.value(raw, _MOST_BITS[self.form.name])
        else:
            truth = self.reference.at(raw, _MOST_BITS[self.form.name])
            found = None if truth.is_kink else truth.left
        return None if found is None or found == libmp.fnan else mpmath.make_mpf(found)

    def at(self, z: float) -> _Place | None:
        """Return what is known of a place."""
        if z not in self.known:
            self.known[z] = self.reference.at(libmp.from_float(z), _MOST_BITS[self.form.name])
        truth = self.known[z]
        found = (None if truth.is_kink else truth.left) if self.slope else truth.value
        if found is None or found == libmp.fnan:
            return None
        value = mpmath.make_mpf(found)
        change = truth.derivative_change if self.slope else truth.value_change
        if not mpmath.isfinite(value):
            return _Place(z, value, 1.0)
        size = max(int(mpmath.mag(value)) if value else change, change - 1)
        # Results of subnormal exponentials have no more digits than those.
        unit = max(self.form.spacing_exponent(size), -1060)
        return _Place(z, value, _TOLERATED[self.form.name] * 2.0**unit)

    def limit(self, direction: int) -> float | None:
        """Return the limit at plus or minus infinity, where there is one and it is known."""
        found = self.reference.limits(direction)[self.slope]
        return None if found is None or found == libmp.fnan else _as_float(mpmath.make_mpf(found))


@lru_cache(maxsize=2)
def _reference(formula: Formula, form: Format) -> tuple[Reference, dict[float, Truth]]:
    """Return the reference and what it has told: value and slope are asked for in turn."""
    return Reference(formula, form), {}


def repaired(
    formula: Formula, source: Source, edges: Sequence[float], dtype: str, *, slope: bool
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
    """
    try:
        with time_limit(_SECONDS), mpmath.workdps(40), np.errstate(all="ignore"):
            return _repaired(formula, source, edges, FORMATS[dtype], slope)
    except (TimeLimitError, ArithmeticError, ValueError):
        return source


def loses_nothing(formula: Formula, source: Source, dtype: str, *, slope: bool) -> bool:
    """Tell whether nothing in the source of a value or slope is to be mended; see `repaired`."""
    try:
        with time_limit(_SECONDS), mpmath.workdps(40), np.errstate(all="ignore"):
            judge = Judge(formula, FORMATS[dtype], slope=slope)
            computed = _runnable(source, formula)
            places = (judge.at(z) for z in _sample(judge.form, -math.inf, math.inf))
            if any(p is not None and p.excess(computed(p.z)) > 1 for p in places):
                return False
            exact = _with_exact(source[1], judge, computed, formula)
            return _with_limits(exact, judge, computed) == source[1]
    except (TimeLimitError, ArithmeticError, ValueError):
        return False


def _repaired(
    formula: Formula, source: Source, edges: Sequence[float], form: Format, slope: bool
) -> Source:
    judge = Judge(formula, form, slope=slope)
    computed = _runnable(source, formula)
    fits: list[Fit] = []
    for low, high in pairwise([-math.inf, *sorted(set(edges)), math.inf]):
        places = [p for z in _sample(form, low, high) if (p := judge.at(z)) is not None]
        for start, end in _lossy(places, computed, low, high):
            inside = [p for p in places if start < p.z < end]
            fits += [
                fit
                for fit in _fits(judge, start, end, inside, computed)
                if _is_better(fit, judge, inside, computed, formula)
            ]
    lines, result = list(source[0]), source[1]
    if form.name == "float64":  # float32 takes its fits into other tiers
        added, fitted_result, condition, fits = joined(fits)
        lines += added
        result = f"({fitted_result}) if {condition} else ({result})" if added else result
    for k, fit in enumerate(fits):
        added, fitted_result = fit.source(f"fit{k}")
        lines += added
        result = f"({fitted_result}) if {fit.condition()} else ({result})"
    result = _with_exact(result, judge, _runnable((lines, result), formula), formula)
    return lines, _with_limits(result, judge, _runnable((lines, result), formula))


def _with_exact(
    result: str, judge: Judge, computed: Callable[[float], float], formula: Formula
) -> str:
    """Take what is true where a logarithm is infinite, and zeros that rounding leaves open.

    ``z*log(z)`` is 0 at 0, no product; ``2 - exp(z - 1) - z`` is 0 at 1, which ``e * exp(-z)``
    is not when it is added in one step with what it cancels; nor is what two functions cancel
    in the middle between their centres.
    """
    for z in _zeros_in_functions(formula):
        place = judge.at(z)
        if place is None or not mpmath.isfinite(place.value):
            continue
        is_zero = abs(place.value) < mpmath.ldexp(1, judge.form.smallest_exponent - 60)
        if math.isnan(computed(z)) or (is_zero and (z or computed(z) != 0.0)):
            value = 0.0 if is_zero else _as_float(place.value)
            result = f"{number(value)} if z == {number(z)} else ({result})"
    return result


def _zeros_in_functions(formula: Formula) -> list[float]:
    """Return where arguments that are linear are 0, and the middle between two such places.

    With 0 where there is a logarithm.
    """
    parts = [e for e in subexpressions(formula.expression) if isinstance(e, Apply)]
    inner = [polynomial_of(e.arguments[0]) for e in parts if e.operation in _ROUNDED]
    lines = [line for line in inner if line is not None and line.degree() == 1]
    centres = {-line.coeff(1) / line.LC for line in lines}
    zeros = {(one + other) / 2 for one in centres for other in centres}
    exact = {float(zero) for zero in zeros if zero.denominator & (zero.denominator - 1) == 0}
    return sorted(exact | ({0.0} if any(e.operation == "log" for e in parts) else set()))


def _with_limits(result: str, judge: Judge, computed: Callable[[float], float]) -> str:
    for direction in (1, -1):
        limit, infinite = judge.limit(direction), direction * math.inf
        if limit is None or math.isclose(computed(infinite), limit, rel_tol=1e-14, abs_tol=0.0):
            continue
        result = f"{number(limit)} if z == {number(infinite)} else ({result})"
    return result


def _runnable(source: Source, formula: Formula) -> Callable[[float], float]:
    values = {parameter_name(name): value for name, value in formula.parameters}
    return interpreted(*source, values)


def _sample(form: Format, low: float, high: float) -> list[float]:
    """Return numbers of a format between two ends: of every size, and dense where things bend."""
    random = np.random.default_rng(5)
    first, last = form.smallest_exponent, form.largest_exponent
    sizes = sorted({*range(-30, 31), *range(first, last, 1 + (last - first) // 32), last - 1})
    powers = np.ldexp(random.uniform(1.0, 1.99, len(sizes)), sizes)
    widest = math.log(2.0) * (last + form.precision)
    found = np.concatenate(
        [powers, -powers, np.linspace(-16, 16, 97), np.linspace(-widest, widest, 41)]
    )
    rounded = np.unique((found + 0.0).astype(form.dtype).astype(np.float64))
    return [float(z) for z in rounded if low < z < high and z and math.isfinite(z)]


def _lossy(
    places: Sequence[_Place], computed: Callable[[float], float], low: float, high: float
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


def _fits(
    judge: Judge,
    low: float,
    high: float,
    places: Sequence[_Place],
    computed: Callable[[float], float],
    cuts: int = 0,
) -> list[Fit]:
    """Return the fits that cover an interval, or what of it can be covered."""
    bits = _BITS[judge.form.name]
    fit = fitted(judge, low, high, bits)
    if fit is not None and _holds(fit, judge, places, computed):
        return [fit]
    tail = _constant_tail(judge, low, high, [p for p in places if low < p.z < high])
    if tail is not None:
        rest = (low, tail.low) if math.isinf(high) else (tail.high, high)
        return [tail, *_fits(judge, *rest, places, computed, cuts)]
    lossy = any(p.excess(computed(p.z)) > 1 for p in places if low <= p.z <= high)
    if cuts == _DEEPEST_CUT or not lossy:
        return []
    middle = _cut(low, high)
    parts = [*_fits(judge, low, middle, places, computed, cuts + 1)]
    return [*parts, *_fits(judge, middle, high, places, computed, cuts + 1)]


def _holds(
    fit: Fit, judge: Judge, places: Sequence[_Place], computed: Callable[[float], float]
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


def _constant_tail(judge: Judge, low: float, high: float, places: Sequence[_Place]) -> Fit | None:
    """Return where a tail has become 0 or infinite in a format, faster than any power."""
    if math.isinf(low) == math.isinf(high):
        return None
    if power_of_tail(judge, 1 if math.isinf(high) else -1) is not None:
        return None
    outward = places if math.isinf(high) else places[::-1]
    smallest = mpmath.ldexp(1, judge.form.smallest_exponent - 10)

    def rounded(value: Any) -> float | None:
        nearest = _as_float(value)
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
    places: Sequence[_Place],
    computed: Callable[[float], float],
    formula: Formula,
) -> bool:
    """Tell whether a fit is nearer to the truth than what it replaces, at places old and new."""
    replaced = _runnable(fit.source("u"), formula)
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


def _as_float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.copysign(math.inf, value)
