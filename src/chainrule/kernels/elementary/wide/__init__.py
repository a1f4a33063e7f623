"""Elementary functions in float64 whose results will be rounded to float32.

Relative errors are at most 2**-38, near zeros of a function too, for arguments of the whole range
of float64; results below 1e-300 may be zero. Shorter than ``double`` in every polynomial, and
without its compensations: about twice as fast.
"""

from chainrule.kernels.elementary.wide._error import erf, erfc, erfcx
from chainrule.kernels.elementary.wide._exponential import cosh, exp, expm1, sinh, tanh
from chainrule.kernels.elementary.wide._logarithm import asinh, log, log1p
from chainrule.kernels.elementary.wide._power import power
from chainrule.kernels.elementary.wide._trigonometric import atan, cos, near_cos, near_sin, sin

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
