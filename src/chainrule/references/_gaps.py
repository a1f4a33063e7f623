"""Places where a formula has no value while both sides tend to the same one, as of ``sin(z)/z``.

By the rule of the house this is the value there, and what the slopes of both sides tend to is the
slope. Both are read off at places beside it, so near that what remains of the distance is below
everything a format shows, and once more at places nearer by far, where nothing may have changed:
poles, jumps and waves without end have no such limit.
"""

from __future__ import annotations

from mpmath import libmp

from chainrule.references import _ball
from chainrule.references._ball import EXACT, Ball, Raw, magnitude
from chainrule.references._program import Program
from chainrule.references._truth import Truth

_NEARER = 37  # bits; no power of two, or waves would look the same
_MOST_DIGITS = 8  # times what the distance has: what cancels may go like its seventh power
_FEW_DIGITS = 128

_Ends = tuple[Raw, Raw]
_Sides = tuple[_Ends, _Ends]  # value and slope on the left and on the right


def truth_in_gap(program: Program, z: Raw, shift: int, digits: int, ground: int) -> Truth | None:
    """Return what both sides of a place tend to, or None where that is not one finite number.

    Parameters
    ----------
    program : Program
        Of a formula that has no value at `z`.
    z : tuple
        A raw float.
    shift : int
        Binary exponent of the distance to the places beside it.
    digits, ground : int
        How many bits must agree, and the binary exponent of what is next to nothing.
    """

    def agree(one: Raw, other: Raw, bits: int) -> bool:
        apart = magnitude(libmp.mpf_sub(one, other, 53, "n"))
        return apart <= max(magnitude(one) - bits, magnitude(other) - bits, ground)

    def mean(left: Raw, right: Raw) -> Raw:
        total: Raw = libmp.mpf_shift(libmp.mpf_add(left, right, 2 * digits, "n"), -1)
        return total

    far = _sides(program, z, shift, digits, ground)
    near = None if far is None else _sides(program, z, shift - _NEARER, digits, ground)
    if far is None or near is None:
        return None
    (value, right_value), (left, right) = near
    if not all(agree(value, other, digits - 4) for other in (right_value, *far[0])):
        return None
    value = mean(value, right_value)
    half = digits // 2 + 2
    if not (agree(left, far[1][0], half) and agree(right, far[1][1], half)):
        return Truth(value, libmp.fnan, libmp.fnan, is_limit=True)
    if not agree(left, right, half):
        return Truth(value, left, right, is_limit=True)
    slope = mean(left, right)
    bend = magnitude(libmp.mpf_sub(left, right, 53, "n")) - shift + _NEARER
    place = magnitude(z)
    return Truth(value, slope, slope, place + magnitude(slope), place + bend, is_limit=True)


def _sides(program: Program, z: Raw, shift: int, digits: int, ground: int) -> _Sides | None:
    """Return value and slope as they are continued from two places on either side."""

    def beside(steps: int) -> Raw:
        place: Raw = libmp.mpf_add(z, libmp.mpf_shift(libmp.from_int(steps), shift))
        return place

    def is_known(ball: Ball) -> bool:
        return ball[1] <= max(magnitude(ball[0]) - digits, ground)

    if program.at((beside(-1), EXACT), _FEW_DIGITS) == _ball.UNDEFINED:
        return None
    precision = 2 * digits
    while precision <= _MOST_DIGITS * (digits - shift):
        balls = [program.at((beside(steps), EXACT), precision) for steps in (-2, -1, 1, 2)]
        if any(ball == _ball.UNDEFINED or _ball.is_far(ball) for ball in balls):
            return None
        if _ball.UNKNOWN not in balls:
            first, left, right, last = balls
            rises = [_ball.subtract(*pair, precision) for pair in ((left, first), (last, right))]
            before = _ball.add(left, rises[0], precision)
            after = _ball.subtract(right, rises[1], precision)
            falls, grows = ((libmp.mpf_shift(rise, -shift), e - shift) for rise, e in rises)
            if all(map(is_known, (before, after, falls, grows))):
                return (before[0], after[0]), (falls[0], grows[0])
        precision *= 2
    return None
