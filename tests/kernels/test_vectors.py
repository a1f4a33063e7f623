"""Generated loops run in vector registers."""

from __future__ import annotations

import re

import numpy as np
import pytest
from numba.core import sigutils
from numba.core.ccallback import CFunc

from chainrule.catalogue import activation_formula
from chainrule.formulas import parse
from chainrule.kernels import activation_kernels, code_digest
from chainrule.kernels._modules import kernel_module
from chainrule.kernels.compiling import _vectors

FORMULA = parse("z*exp(-z**2/7)", {})


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


@pytest.mark.parametrize(("at_once", "elements"), [(None, 64), (2, 32)])
def test_several_vectors_are_computed_at_once(at_once, elements):
    """In element-wise loops, on processors whose registers of 512 bits do not slow them down."""
    if not _vectors._prefers_wide():
        pytest.skip("this processor's registers are narrower")
    source = kernel_module(FORMULA, "float32", "activation", "single", at_once=at_once)
    fresh = source.replace("@native(SIGNATURE", "@cfunc(SIGNATURE, pipeline_class=compiler")
    module: dict[str, object] = {"cfunc": _made, "compiler": _vectors.KernelCompiler}
    exec(compile(fresh, "kernel", "exec"), module)
    text = module["forward"]._library.get_llvm_str()
    assert re.search(rf"add nuw i64 %index, {elements}\b", text)


def test_how_many_vectors_are_taken_at_once_does_not_change_what_is_swept():
    """The results are the same, so that the certificate is."""
    one, four = (
        kernel_module(FORMULA, "float32", "activation", "single", at_once=count) for count in (1, 4)
    )
    assert one != four
    assert code_digest(one) == code_digest(four)


def _made(signature, pipeline_class, at_once=_vectors.AT_ONCE):
    """Compile as ``native`` does, but take nothing out of a cache."""

    def decorate(function):
        function.at_once = at_once
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
