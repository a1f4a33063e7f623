"""Elementary functions and powers of float64, to the last places of float64.

Results are within 1.5 units in the last place (most within 1) over the whole range of float64,
subnormal numbers, infinities, NaN and signed zeros included.
"""

from chainrule.kernels.elementary.double._error import erf, erfc, erfcx
from chainrule.kernels.elementary.double._exponential import cosh, exp, expm1, sinh, tanh
from chainrule.kernels.elementary.double._logarithm import asinh, log, log1p
from chainrule.kernels.elementary.double._power import power
from chainrule.kernels.elementary.double._trigonometric import atan, cos, near_cos, near_sin, sin

__all__ = [
    "asinh",
    "atan",
    "cos",
    "cosh",
    "erf",
    "erfc",
    "erfcx",
    "exp",
    "expm1",
    "log",
    "log1p",
    "near_cos",
    "near_sin",
    "power",
    "sin",
    "sinh",
    "tanh",
]
