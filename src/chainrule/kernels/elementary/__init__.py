"""Elementary functions and powers, written so that a loop over an array vectorises.

A call of the C library inside a loop forces the compiler to treat one element at a time. The
functions here are straight-line arithmetic: both sides of every choice are computed and one is
selected, so LLVM inlines them into a kernel's loop and widens it to the vectors of the processor.

There are four sets with the same names:

- ``double``: float64 to float64, to the last places;
- ``wide``: float64 for results that will be rounded to float32, at about half the cost;
- ``narrow``: the same for what is rounded at once, with shorter exponentials;
- ``single``: float32 to float32, in float32 arithmetic.

The constants come from ``tools/derive_constants.py``. ``tests/kernels`` measures the errors
against mpmath; ``make sweep-elementary`` tries every float32.
"""

from chainrule.kernels.elementary._words import (
    at_place,
    bits_to_float,
    float_to_bits,
    fma,
    is_moderate,
    larger,
    place,
    smaller,
)
from chainrule.kernels.elementary.double import (
    asinh,
    atan,
    cos,
    cosh,
    erf,
    erfc,
    erfcx,
    exp,
    expm1,
    log,
    log1p,
    power,
    sin,
    sinh,
    tanh,
)

__all__ = [
    "asinh",
    "at_place",
    "atan",
    "bits_to_float",
    "cos",
    "cosh",
    "erf",
    "erfc",
    "erfcx",
    "exp",
    "expm1",
    "float_to_bits",
    "fma",
    "is_moderate",
    "larger",
    "log",
    "log1p",
    "place",
    "power",
    "sin",
    "sinh",
    "smaller",
    "tanh",
]
