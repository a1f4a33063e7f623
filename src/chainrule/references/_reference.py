"""True values and derivatives of a formula, to more digits than any format holds.

Nothing here knows a rule of differentiation. A derivative is the limit of difference quotients,
taken at steps so small, and with so many digits, that what remains of the step is far below the
format's last place. Where the quotients to the left and to the right stay apart as the step
shrinks, the point is a kink and has two derivatives. Where a formula has no value at a single place
and both sides tend to the same finite one, that is its value there, and likewise the slope.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise

from mpmath import libmp

from chainrule.formulas import Formula
from chainrule.references import _ball
from chainrule.references._ball import (
    EXACT,
    NO_NUMBER,
    NOTHING,
    Ball,
    Raw,
    is_far,
    magnitude,
    multiply,
)
from chainrule.references._format import Format
from chainrule.references._gaps import truth_in_gap
from chainrule.references._overflow import infinite_slope
from chainrule.references._program import Program
from chainrule.references._truth import LayerTruth, Truth

_BEYOND_FORMAT = 60
_PATIENCE = 10
# Binary exponents of places by which a limit is told, and what makes them fractions: a falling
# power of z has left float64 at the last three.
_FAR = ((60, 3), (120, 5), (240, 7), (480, 11), (1200, 13), (1500, 17), (1900, 19))
# Where there are waves, some of which are 0 half of the time: more of the last.
_FAR_OF_WAVES = tuple((1900 + k, k) for k in range(23, 53, 2))
_FIRST_OF_TAIL = 4
NUDGE_BITS = 40
_ROUGHLY = 32


def _nudged(values: Sequence[Raw]) -> list[Raw]:
    """Return values a little off, by uneven signs: no change that a normalisation ignores."""
    changed = []
    for k, value in enumerate(values):
        change = libmp.mpf_shift(value, k % 3 - NUDGE_BITS)
        changed.append((libmp.mpf_add if k * k % 5 < 2 else libmp.mpf_sub)(value, change))
    return changed


class Reference:
    """A formula evaluated with as many digits as its result in a format needs.

    Parameters
    ----------
    formula : Formula
        An activation in `z`.
    form : Format
        The format whose last place must be known.
    """

    def __init__(self, formula: Formula, form: Format) -> None:
        self.program = Program(formula)
        self.form = form
        self._digits = form.precision + _BEYOND_FORMAT
        self._ground = form.smallest_exponent - _BEYOND_FORMAT
        self._step = self._digits // 2 + 20
        self._precision = 2 * self._digits
        span = form.largest_exponent - form.smallest_exponent
        self._cap = 2 * span + 600
        self._misses = 0

    # -- how many digits are missing ---------------------------------------------------------

    def _missing(self, ball: Ball, scale: int | None = None) -> int | None:
        """Return how many bits a ball lacks (negative: to spare), or None if nobody can tell."""
        value, error = ball
        if value == libmp.fnan:
            return None
        if is_far(ball):
            return self.form.largest_exponent + 1 - error
        wanted = (magnitude(value) if scale is None else scale) - self._digits
        return error - max(wanted, self._ground)

    def _refine(
        self, attempt: Callable[[int], tuple[list[Ball], list[int | None]]], cap: int | None = None
    ) -> list[Ball] | None:
        """Repeat an attempt with more digits until its balls are small enough.

        The attempt returns the balls and what each lacks. The precision that sufficed is where
        the next point begins, for neighbours need about the same.
        """
        cap = self._cap if cap is None else cap
        precision = min(self._precision, cap)
        while True:
            balls, missing = attempt(precision)
            known = [bits for bits in missing if bits is not None]
            short = max(known, default=0)
            if len(known) == len(missing) and short <= 0:
                self._precision = max(2 * self._digits, precision + short + 8)
                return balls
            if precision >= cap or any(_hopeless(ball) for ball in balls):
                return None
            grown = 2 * precision if len(known) < len(missing) else precision + short + 8
            precision = min(max(grown, precision + precision // 8), cap)

    # -- one unit ------------------------------------------------------------------------------

    def value(self, z: Raw, cap: int | None = None) -> Raw | None:
        """Return the true activation at an exact pre-activation; see `Truth.value`."""

        def attempt(precision: int) -> tuple[list[Ball], list[int | None]]:
            ball = self.program.at((z, EXACT), precision)
            return [ball], [0 if ball == _ball.UNDEFINED else self._missing(ball)]

        found = self._refine(attempt, cap)
        if found == [_ball.UNDEFINED] and (limit := self._in_gap(z)) is not None:
            return limit.value
        return None if found is None else found[0][0]

    def _in_gap(self, z: Raw) -> Truth | None:
        shift = min(self._scale(z) - self._step, self._ground - 10)
        return truth_in_gap(self.program, z, shift, self._digits, self._ground)

    def at(self, z: Raw, cap: int | None = None) -> Truth:
        """Return the true activation and its derivatives at an exact pre-activation."""
        limit = cap or (self._cap if self._misses < _PATIENCE else self._precision + 64)
        step, before = self._step, None
        while True:
            found = self._quotients(z, step, limit)
            if found is None:
                value, slope = self.value(z, limit), None
                if value is not None and _is_infinite(value):
                    shifts = [self._scale(z) - length for length in (step, 2 * step)]
                    slope = infinite_slope(self.program, z, shifts, self.form)
                self._misses += cap is None and slope is None
                return Truth(value, slope, slope)
            middle, left, right = found
            if middle == libmp.fnan:
                return self._in_gap(z) or Truth(middle, middle, middle)
            if left == libmp.fnan or right == libmp.fnan:
                return Truth(middle, libmp.fnan, libmp.fnan)
            settled: tuple[Raw | None, Raw | None] = (None, None)
            if before is not None:
                settled = (
                    self._settled(before[0], left, step),
                    self._settled(before[1], right, step),
                )
                if all(end is not None and _is_infinite(end) for end in settled):
                    return self._beside(z, middle, step, limit)
            may_leap = before is None and self._may_leap(found, self._scale(z) - step)
            if not may_leap and self._agree(left, right):
                slope = self._mean(left, right)
                bend = magnitude(libmp.mpf_sub(right, left, 53, "n")) + step - self._scale(z)
                place = magnitude(z)
                return Truth(middle, slope, slope, place + magnitude(slope), place + bend)
            if None not in settled:
                return Truth(middle, *settled)
            if step > 2 * (self._digits - self._ground):
                return Truth(middle)
            before, step = (left, right), 2 * step

    def _may_leap(self, found: tuple[Raw, Raw, Raw], shift: int) -> bool:
        """Tell whether a function changes by much of its value within ``2**shift``."""
        middle, left, right = found
        change = max(magnitude(left), magnitude(right)) + shift
        return change > magnitude(middle) - self._digits // 4

    def _beside(self, z: Raw, middle: Raw, step: int, cap: int) -> Truth:
        """Return the slopes next to a place where the function leaps; none where it is vertical."""
        distance = libmp.mpf_shift(libmp.fone, self._scale(z) - step + 1)
        slopes = []
        for place in (libmp.mpf_sub(z, distance), libmp.mpf_add(z, distance)):
            found = self._quotients(place, step, cap)
            if found is None or not self._agree(*found[1:]):
                return Truth(middle)
            slopes.append(self._mean(*found[1:]))
        left, right = slopes
        return Truth(middle, left, left if self._agree(left, right) else right)

    def _quotients(self, z: Raw, step: int, cap: int) -> tuple[Raw, Raw, Raw] | None:
        """Return the value and the difference quotients to the left and to the right."""
        shift = self._scale(z) - step
        change = libmp.mpf_shift(libmp.fone, shift)
        below, above = (libmp.mpf_sub(z, change), EXACT), (libmp.mpf_add(z, change), EXACT)

        def attempt(precision: int) -> tuple[list[Ball], list[int | None]]:
            middle = self.program.at((z, EXACT), precision)
            if middle == _ball.UNDEFINED:
                return [middle] * 3, [0] * 3
            balls = [middle]
            for first, second in (
                (self.program.at(below, precision), middle),
                (middle, self.program.at(above, precision)),
            ):
                balls.append(_quotient(first, second, shift, precision))
            return balls, [0 if b == _ball.UNDEFINED else self._missing(b) for b in balls]

        found = self._refine(attempt, cap)
        return None if found is None else (found[0][0], found[1][0], found[2][0])

    def _scale(self, z: Raw) -> int:
        """Return the binary magnitude of the length over which the function may change."""
        return max(min(magnitude(z) - 1, 0), self.form.smallest_exponent)

    def _agree(self, left: Raw, right: Raw, scale: int | None = None) -> bool:
        """Tell whether two quotients differ so little that their mean is right.

        Their relative difference is that of the step and the function's length; the mean's error
        is of the square.
        """
        gap = magnitude(libmp.mpf_sub(left, right, 53, "n"))
        largest = max(magnitude(left), magnitude(right)) if scale is None else scale
        return gap <= max(largest - self._digits // 2 - 2, self._ground)

    def _mean(self, left: Raw, right: Raw) -> Raw:
        # Rounded: the exact sum of exp(-1e60) and exp(-2e60) fills the memory.
        total: Raw = libmp.mpf_add(left, right, 2 * self._digits, "n")
        return total if not total[1] else (total[0], total[1], total[2] - 1, total[3])

    def _settled(self, before: Raw, now: Raw, step: int) -> Raw | None:
        """Return the limit of a one-sided quotient from two steps, infinities included."""
        gap = magnitude(libmp.mpf_sub(before, now, 53, "n"))
        if gap <= max(magnitude(now) - 30, self._ground):
            return now
        if magnitude(now) - magnitude(before) > step // 8:
            return _infinity(now)
        return None

    # -- a layer -------------------------------------------------------------------------------

    def layer(
        self,
        z: Sequence[Raw],
        weights: Sequence[Raw],
        given: Sequence[Raw] = (),
        nearby: Sequence[Raw] = (),
    ) -> LayerTruth | None:
        """Return what is true for a row of a layer-coupled function.

        Parameters
        ----------
        z : sequence of tuple
            The pre-activations of the layer, raw floats.
        weights : sequence of tuple
            The derivatives of the cost by the activations.
        given : sequence of tuple
            The targets, where the formula is a cost behind an activation.
        nearby : sequence of tuple
            Targets as good, 2**-NUDGE_BITS of the first away.

        Returns
        -------
        LayerTruth or None
            None where the reference could not be had.
        """
        found = self._smooth_layer(z, weights, given)
        if found is None:
            return None
        moved = self._smooth_layer(_nudged(z), weights, nearby)
        changes = [NOTHING] * len(z)
        if moved is not None and found.left == found.right and moved.left == moved.right:
            for k, ends in enumerate(zip(found.left, moved.left, strict=True)):
                changes[k] = magnitude(libmp.mpf_sub(*ends, 53, "n")) + NUDGE_BITS
        return replace(found, derivative_changes=changes)

    def _smooth_layer(
        self, z: Sequence[Raw], weights: Sequence[Raw], given: Sequence[Raw]
    ) -> LayerTruth | None:
        """Return the truth from at most two lengths of the step, averaging sides that agree."""
        found = self._layer(z, weights, given, self._step)
        if found is None or not all(self._agreements(found)):
            found = self._layer(z, weights, given, 2 * self._step)
        if found is None:
            return None
        left, right = list(found.left), list(found.right)
        for j, agree in enumerate(self._agreements(found)):
            if agree:
                left[j] = right[j] = self._mean(left[j], right[j])
        return replace(found, left=left, right=right)

    def _agreements(self, found: LayerTruth) -> list[bool]:
        sides = zip(found.left, found.right, found.terms, strict=True)
        return [self._agree(left, right, scale) for left, right, scale in sides]

    def _layer(
        self, z: Sequence[Raw], weights: Sequence[Raw], given: Sequence[Raw], step: int
    ) -> LayerTruth | None:
        """Return values and one-sided quotients, taken at one length of the step."""
        count = len(z)
        exact = [(unit, EXACT) for unit in z]
        factors = [(weight, EXACT) for weight in weights]
        run = partial(self.program.over, given=[(target, EXACT) for target in given])

        def attempt(precision: int) -> tuple[list[Ball], list[int | None]]:
            memory: dict[tuple[object, ...], Ball] = {}
            reductions: dict[int, Ball] = {}
            middle = run(exact, precision, memory, reductions)
            left, right, terms = [], [], []
            reaches = [_ball.ZERO] * count
            for j in range(count):
                shift = self._scale(z[j]) - step
                change = libmp.mpf_shift(libmp.fone, shift)
                above = [*exact[:j], (libmp.mpf_add(z[j], change), EXACT), *exact[j + 1 :]]
                below = [*exact[:j], (libmp.mpf_sub(z[j], change), EXACT), *exact[j + 1 :]]
                before = run(below, precision, memory)
                after = run(above, precision, memory)
                alone = run(above, precision, memory, reductions, hold=True)[j]
                falls = _quotients(before, middle, shift, precision)
                rises = _quotients(middle, after, shift, precision)
                left.append(_weighted(falls, factors, precision))
                right.append(_weighted(rises, factors, precision))
                for p, rise in enumerate(rises):
                    reaches[p] = _summed(reaches[p], multiply(rise, exact[j], _ROUGHLY))
                # What unit j does to itself splits in two: with the reductions held, and the rest.
                itself = _quotient(middle[j], alone, shift, precision)
                through = _quotient(alone, after[j], shift, precision)
                pairs = [*zip(rises, factors, strict=True), (through, factors[j])]
                pairs[j] = (itself, factors[j])
                total = _ball.ZERO
                for rise, factor in pairs:
                    total = _summed(total, multiply(rise, factor, _ROUGHLY))
                terms.append(total)
            missing = [self._missing(ball) for ball in middle]
            for ball, term in zip(left + right, 2 * terms, strict=True):
                missing.append(self._missing(ball, magnitude(term[0])))
            return middle + left + right + terms + reaches, missing

        found = self._refine(attempt)
        if found is None or any(_ball.is_special(ball[0]) for ball in found):
            return None
        values, left, right, terms, reaches = (
            [ball[0] for ball in found[k * count : (k + 1) * count]] for k in range(5)
        )
        reach, scale = [magnitude(r) for r in reaches], [magnitude(t) for t in terms]
        return LayerTruth(values, reach, left, right, scale)

    # -- far away ------------------------------------------------------------------------------

    def limits(self, direction: int) -> tuple[Raw | None, Raw | None]:
        """Return the limits of value and derivative as `z` goes to plus or minus infinity.

        A limit is a raw float, an infinity included; it is not a number where there is none (the
        sine), and None where the reference could not be had.
        """
        values: list[Raw | None] = []
        slopes: list[Raw | None] = []
        places = (*_FAR, *_FAR_OF_WAVES) if self.program.has_waves else _FAR
        for exponent, divisor in places:
            # A fraction, and another each time, so that sin(pi*z) is not seen at integers only.
            ratio = libmp.from_rational((divisor + 1) * direction, divisor, exponent + 100, "n")
            truth = self.at(libmp.mpf_shift(ratio, exponent), cap=8000)
            values.append(truth.value)
            slopes.append(None if truth.is_kink else truth.right)
        return self._limit(values), self._limit(slopes)

    def _limit(self, values: list[Raw | None]) -> Raw | None:
        known = [value for value in values if value is not None]
        if len(known) < len(values):
            return None
        tail = known[_FIRST_OF_TAIL:]
        if libmp.fnan in tail:
            return NO_NUMBER
        last = known[-1]
        if any(value in (libmp.finf, libmp.fninf) for value in known[-2:]):
            return last if known[-2][0] == last[0] and _is_infinite(last) else NO_NUMBER
        gaps = [magnitude(libmp.mpf_sub(x, y, 53, "n"))
                for x, y in pairwise(tail)]  # fmt: skip
        near = max(magnitude(last) - self.form.precision - 10, self._ground)
        if max(gaps) <= near:
            return last
        growing = all(
            x[0] == y[0] and libmp.mpf_lt(libmp.mpf_abs(x), libmp.mpf_abs(y))
            for x, y in pairwise(known)
        )
        if growing and gaps[-1] >= gaps[0] - 1:
            return _infinity(last)
        return NO_NUMBER


def _is_infinite(value: Raw) -> bool:
    return value in (libmp.finf, libmp.fninf)


def _infinity(like: Raw) -> Raw:
    infinite: Raw = libmp.fninf if like[0] else libmp.finf
    return infinite


def _hopeless(ball: Ball) -> bool:
    """Tell whether a number is so far away that no precision brings it back."""
    return is_far(ball) and ball[1].bit_length() > _ball.LARGEST - 100


def _quotient(below: Ball, above: Ball, shift: int, precision: int) -> Ball:
    """Return ``(above - below) / 2**shift``."""
    value, error = _ball.subtract(above, below, precision)
    if _ball.is_special(value):
        return value, error
    return libmp.mpf_shift(value, -shift), error - shift


def _quotients(below: list[Ball], above: list[Ball], shift: int, precision: int) -> list[Ball]:
    return [_quotient(*pair, shift, precision) for pair in zip(below, above, strict=True)]


def _weighted(slopes: list[Ball], factors: list[Ball], precision: int) -> Ball:
    total = _ball.ZERO
    for slope, factor in zip(slopes, factors, strict=True):
        total = _ball.add(total, multiply(slope, factor, precision), precision)
    return total


def _summed(total: Ball, term: Ball) -> Ball:
    """Return the total and the term's magnitude, to a few digits."""
    return _ball.add(total, _ball.absolute(term, _ROUGHLY), _ROUGHLY)
