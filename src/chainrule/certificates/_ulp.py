"""Floating-point formats, and distances measured in them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from mpmath import libmp

from chainrule.formulas import ChainruleError
from chainrule.references import FORMATS, Format
from chainrule.references._ball import Raw, magnitude


class CertificateError(ChainruleError, ValueError):
    """Something that cannot be certified, with the remedy."""


def format_of(dtype: Any) -> Format:
    """Return the format of a NumPy type, or say which there are."""
    try:
        name = np.dtype(dtype).name
    except TypeError:
        name = repr(dtype)
    if name not in FORMATS:
        raise CertificateError(
            f"no certificate for {name}: kernels run in float32 and float64\n"
            "Pass dtype=numpy.float32 or dtype=numpy.float64."
        )
    return FORMATS[name]


def distance_in_ulp(computed: float, true: Raw, form: Format, *, scale: int | None = None) -> float:
    """Measure a computed number against the true one, in units of the format's last place.

    The unit is the spacing of the format at the true value; below the normal numbers it is the
    smallest subnormal. Beyond the largest number the format continues to infinity, which stands
    one spacing beyond it: where the true value overflows, infinity is at distance 0.

    Parameters
    ----------
    computed : float
        A number of the format.
    true : tuple
        The true value, one of mpmath's raw floats.
    form : Format
        The format.
    scale : int, optional
        Binary magnitude at which to take the spacing, if not that of the true value.

    Returns
    -------
    float
        Infinity if the computed number is not a number, though the true value is one.
    """
    if true == libmp.fnan:
        return 0.0 if math.isnan(computed) else math.inf
    if math.isnan(computed):
        return math.inf
    limit = libmp.mpf_shift(libmp.fone, form.largest_exponent)
    ends = libmp.mpf_neg(limit), limit
    clipped = _clip(true, *ends)
    shown = _clip(libmp.from_float(computed), *ends)
    if abs(computed) == math.inf and form.overflows(true) and clipped[0] == shown[0]:
        return 0.0
    unit = form.spacing_exponent(magnitude(clipped) if scale is None else scale)
    gap = libmp.mpf_sub(shown, clipped, 53, "n")
    return _to_float(libmp.mpf_shift(libmp.mpf_abs(gap), -unit))


def from_sides(
    computed: float, left: Raw, right: Raw, form: Format, *, scale: int | None = None
) -> tuple[float, Raw]:
    """Return the distance to the interval between two one-sided derivatives, and its nearer end."""
    if left == right:
        return distance_in_ulp(computed, left, form, scale=scale), left
    if not math.isnan(computed):
        low, high = (left, right) if libmp.mpf_lt(left, right) else (right, left)
        number = libmp.from_float(computed)
        if libmp.mpf_ge(number, low) and libmp.mpf_le(number, high):
            return 0.0, number
    return min((distance_in_ulp(computed, side, form, scale=scale), side) for side in (left, right))


def _clip(value: Raw, low: Raw, high: Raw) -> Raw:
    if libmp.mpf_gt(value, high):
        return high
    return low if libmp.mpf_lt(value, low) else value


def to_number(value: Raw) -> float:
    """Return the double nearest to a raw float; infinity beyond the largest."""
    if value == libmp.fnan:
        return math.nan
    return math.copysign(_to_float(libmp.mpf_abs(value)), -1.0 if value[0] else 1.0)


def _to_float(value: Raw) -> float:
    if value == libmp.finf or magnitude(value) > 1024:
        return math.inf
    try:
        return float(libmp.to_float(value, rnd="n"))
    except OverflowError:
        return math.inf
