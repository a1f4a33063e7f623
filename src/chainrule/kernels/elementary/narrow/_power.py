"""Powers: the exponential of a multiple of a logarithm."""

from __future__ import annotations

from chainrule.kernels.elementary._signs import with_sign_of_power
from chainrule.kernels.elementary._words import inlined
from chainrule.kernels.elementary.narrow._exponential import exp
from chainrule.kernels.elementary.wide._logarithm import log


@inlined
def power(x: float, y: float) -> float:
    """Return x**y, as IEEE 754 has it: NaN where x < 0 and y is no integer, 1 where y is 0.

    Worst measured: 2**-31.
    """
    a = abs(x)
    size = exp(y * log(a))
    size = 1.0 if a == 1.0 or y == 0.0 else size
    return with_sign_of_power(size, x, y)
