"""Elementary functions of one float64, to the last places of float64.

Results are within 1.5 units in the last place (most within 1) over the whole range of float64,
subnormal numbers, infinities, NaN and signed zeros included.
"""

from chainrule.kernels.elementary.double._error import erf as erf
from chainrule.kernels.elementary.double._error import erfc as erfc
from chainrule.kernels.elementary.double._exponential import cosh as cosh
from chainrule.kernels.elementary.double._exponential import exp as exp
from chainrule.kernels.elementary.double._exponential import expm1 as expm1
from chainrule.kernels.elementary.double._exponential import sinh as sinh
from chainrule.kernels.elementary.double._exponential import tanh as tanh
from chainrule.kernels.elementary.double._logarithm import asinh as asinh
from chainrule.kernels.elementary.double._logarithm import log as log
from chainrule.kernels.elementary.double._logarithm import log1p as log1p
from chainrule.kernels.elementary.double._trigonometric import atan as atan
from chainrule.kernels.elementary.double._trigonometric import cos as cos
from chainrule.kernels.elementary.double._trigonometric import sin as sin

__all__ = [
    "asinh",
    "atan",
    "cos",
    "cosh",
    "erf",
    "erfc",
    "exp",
    "expm1",
    "log",
    "log1p",
    "sin",
    "sinh",
    "tanh",
]
