"""Generated loops run in vector registers."""

from __future__ import annotations

import re

import numpy as np
import pytest

from chainrule.catalogue import activation_formula
from chainrule.kernels import activation_kernels


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "softplus", "relu", "silu"])
def test_elementwise_loops_vectorise(name):
    """Forward and backward hold vector arithmetic and call no library function in their loops."""
    source = activation_kernels(activation_formula(name), np.float32).forward.source
    fresh = source.replace("cache=True, ", "")  # what comes out of Numba's cache has no LLVM text
    assert fresh != source
    module: dict[str, object] = {}
    exec(compile(fresh, "kernel", "exec"), module)
    for function in ("forward", "backward"):
        text = module[function].inspect_llvm()
        assert re.search(r"<[248] x (double|float)>", text), function
        assert not re.search(r"call [^\n]*@(exp|expm1|log|log1p|tanh|pow|erf)f?\(", text), function
