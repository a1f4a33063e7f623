"""Elementary functions of one float32, in float32 arithmetic.

Results are within 1 unit in the last place for every float32, subnormal arguments and results,
infinities, NaN and signed zeros included: ``make sweep-elementary`` tries them all. Sine, cosine
and powers alone compute in float64; for sines and cosines of arguments below 768 ``near_sin`` and
``near_cos`` stand in.
"""

from chainrule.kernels.elementary.single._difference import exp_below as exp_below
from chainrule.kernels.elementary.single._difference import factor_below as factor_below
from chainrule.kernels.elementary.single._difference import (
    multiple_of_exp_below as multiple_of_exp_below,
)
from chainrule.kernels.elementary.single._difference import (
    multiple_of_scaled_exp_below as multiple_of_scaled_exp_below,
)
from chainrule.kernels.elementary.single._difference import scaled_exp_below as scaled_exp_below
from chainrule.kernels.elementary.single._error import erf, erfc, erfcx
from chainrule.kernels.elementary.single._exponential import (
    cosh,
    exp,
    expm1,
    sinh,
    tanh,
)
from chainrule.kernels.elementary.single._exponential import (
    exp_below_one as exp_below_one,
)
from chainrule.kernels.elementary.single._exponential import (
    expm1_below_zero as expm1_below_zero,
)
from chainrule.kernels.elementary.single._exponential import (
    raised_exp as raised_exp,
)
from chainrule.kernels.elementary.single._exponential import (
    raised_exp_below_one as raised_exp_below_one,
)
from chainrule.kernels.elementary.single._logarithm import asinh, log, log1p
from chainrule.kernels.elementary.single._power import power
from chainrule.kernels.elementary.single._trigonometric import atan, cos, near_cos, near_sin, sin

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
