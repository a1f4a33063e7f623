"""Elementary functions in float64 whose results are rounded to float32 without cancelling before.

As in ``wide``, but the exponential and the complementary error function have relative errors of
about 2**-31 and 2**-27: shorter polynomials, and a division in float32. Arguments are those that
float32 results come from: beyond, exponentials stay where they are, far outside float32.
"""

from chainrule.kernels.elementary.narrow._error import erfc
from chainrule.kernels.elementary.narrow._exponential import exp
from chainrule.kernels.elementary.narrow._power import power
from chainrule.kernels.elementary.wide import (
    asinh,
    atan,
    cos,
    cosh,
    erf,
    erfcx,
    expm1,
    log,
    log1p,
    near_cos,
    near_sin,
    sin,
    sinh,
    tanh,
)

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
