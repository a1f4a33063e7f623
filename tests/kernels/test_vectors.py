"""Generated loops run in vector registers."""

from __future__ import annotations

import re

import numpy as np
import pytest
from numba.core import sigutils
from numba.core.ccallback import CFunc

from chainrule.catalogue import activation_formula
from chainrule.formulas import parse
from chainrule.kernels import _vectors, activation_kernels


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


def test_several_vectors_are_computed_at_once():
    """In element-wise loops, on processors whose registers of 512 bits do not slow them down."""
    if not _vectors._prefers_wide():
        pytest.skip("this processor's registers are narrower")
    formula = parse("z*exp(-z**2/7)", {})
    source = activation_kernels(formula, np.float32).forward.source
    fresh = source.replace("@native(SIGNATURE)", "@cfunc(SIGNATURE, pipeline_class=compiler)")
    module: dict[str, object] = {"cfunc": _made, "compiler": _vectors.KernelCompiler}
    exec(compile(fresh, "kernel", "exec"), module)
    text = module["forward"]._library.get_llvm_str()
    assert re.search(r"add nuw i64 %index, 64\b", text)


def _made(signature, pipeline_class):
    """Compile as ``native`` does, but take nothing out of a cache."""

    def decorate(function):
        made = CFunc(
            function,
            sigutils.normalize_signature(signature),
            locals={},
            options={"error_model": "numpy"},
            pipeline_class=pipeline_class,
        )
        made.compile()
        return made

    return decorate
