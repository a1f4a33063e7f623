"""Floating-point formats."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from mpmath import libmp

from chainrule.references._ball import Raw


@dataclass(frozen=True)
class Format:
    """A binary floating-point format.

    Parameters
    ----------
    name : str
        Its name in NumPy.
    precision : int
        Bits of the significand, the hidden one included.
    largest_exponent : int
        Every finite number is below ``2**largest_exponent``.
    smallest_exponent : int
        The smallest subnormal number is ``2**smallest_exponent``.
    """

    name: str
    precision: int
    largest_exponent: int
    smallest_exponent: int

    @property
    def dtype(self) -> np.dtype[Any]:
        """The format as a NumPy type."""
        return np.dtype(self.name)

    def spacing_exponent(self, scale: int) -> int:
        """Return e such that numbers of magnitude `scale` lie ``2**e`` apart."""
        scale = min(scale, self.largest_exponent)
        return max(scale - self.precision, self.smallest_exponent)

    def overflows(self, value: Raw) -> bool:
        """Tell whether a value rounds to an infinity."""
        if value in (libmp.finf, libmp.fninf):
            return True
        half = libmp.from_man_exp((1 << self.precision + 1) - 1,
                                  self.largest_exponent - self.precision - 1)  # fmt: skip
        return bool(libmp.mpf_ge(libmp.mpf_abs(value), half))


FORMATS = {
    "float32": Format("float32", 24, 128, -149),
    "float64": Format("float64", 53, 1024, -1074),
}
