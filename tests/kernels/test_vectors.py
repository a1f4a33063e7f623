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
    kernels = activation_kernels(activation_formula(name), np.float32)
    # What comes out of the cache has no LLVM text.
    for function in ("forward", "backward"):
        source = getattr(kernels, function).source
        fresh = source.replace("@native(SIGNATURE)", '@cfunc(SIGNATURE, error_model="numpy")')
        fresh = fresh.replace("import carray, njit", "import carray, cfunc, njit")
        assert fresh != source
        module: dict[str, object] = {}
        exec(compile(fresh, "kernel", "exec"), module)
        text = module[function].inspect_llvm()
        assert re.search(r"<(2|4|8|16) x (double|float)>", text), function
        assert not re.search(r"call [^\n]*@(exp|expm1|log|log1p|tanh|pow|erf)f?\(", text), function
