"""Slopes where values are too large to be computed."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from mpmath import libmp

from chainrule.references._ball import EXACT, Raw
from chainrule.references._format import Format
from chainrule.references._program import Program


def infinite_slope(program: Program, z: Raw, shifts: Sequence[int], form: Format) -> Raw | None:
    """Return an infinity where quotients on both sides leave the format, at steps ``2**shift``.

    Parameters
    ----------
    program : Program
    z : tuple
        A raw float.
    shifts : sequence of int
    form : Format

    Returns
    -------
    tuple or None
        None where one of the quotients may be a number of the format, or their signs differ.
    """
    slopes = set()
    for shift in shifts:
        change = libmp.mpf_shift(libmp.fone, shift)
        precision = form.precision + abs(shift) + form.largest_exponent
        places = [libmp.mpf_sub(z, change), z, libmp.mpf_add(z, change)]
        for below, above in pairwise((place, EXACT) for place in places):
            rise = program.rise(below, above, precision)
            if rise is None or rise[1] - shift <= form.largest_exponent:
                return None
            slopes.add(libmp.finf if rise[0] > 0 else libmp.fninf)
    return slopes.pop() if len(slopes) == 1 else None
