"""Elementary functions of one number, written so that a loop over an array vectorises.

A call of the C library inside a loop forces the compiler to treat one element at a time. The
functions here are straight-line arithmetic: both sides of every choice are computed and one is
selected, so LLVM inlines them into a kernel's loop and widens it to the vectors of the processor.

There are three sets with the same names:

- ``double``: float64 to float64, to the last places;
- ``wide``: float64 for results that will be rounded to float32, at about half the cost;
- ``single``: float32 to float32, in float32 arithmetic.

The constants come from ``tools/derive_constants.py``. ``tests/kernels`` measures the errors
against mpmath; ``make sweep-elementary`` tries every float32.
"""

from chainrule.kernels.elementary._words import bits_to_float as bits_to_float
from chainrule.kernels.elementary._words import float_to_bits as float_to_bits
from chainrule.kernels.elementary._words import fma as fma
from chainrule.kernels.elementary.double import asinh as asinh
from chainrule.kernels.elementary.double import atan as atan
from chainrule.kernels.elementary.double import cos as cos
from chainrule.kernels.elementary.double import cosh as cosh
from chainrule.kernels.elementary.double import erf as erf
from chainrule.kernels.elementary.double import erfc as erfc
from chainrule.kernels.elementary.double import exp as exp
from chainrule.kernels.elementary.double import expm1 as expm1
from chainrule.kernels.elementary.double import log as log
from chainrule.kernels.elementary.double import log1p as log1p
from chainrule.kernels.elementary.double import sin as sin
from chainrule.kernels.elementary.double import sinh as sinh
from chainrule.kernels.elementary.double import tanh as tanh
