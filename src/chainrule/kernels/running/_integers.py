"""The smaller and the larger of two integers: Numba's own take three times as long to compile."""

from __future__ import annotations

from chainrule.kernels.compiling._parts import inner


@inner()
def least(a: int, b: int) -> int:
    """Return the smaller one."""
    return a if a < b else b


@inner()
def most(a: int, b: int) -> int:
    """Return the larger one."""
    return a if a > b else b
