"""Native code over vectors of the processor's full width.

LLVM halves its vectors on processors with AVX-512, since the first of them slow down while they use
the whole width. The later ones do not.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from llvmlite import binding
from numba.core import config
from numba.core.compiler import CompilerBase
from numba.core.compiler_machinery import register_pass
from numba.core.lowering import Lower
from numba.core.typed_passes import NativeLowering

from chainrule.kernels._parts import pipeline_with

_SLOWED_BY_WIDE = ("skylake-avx512", "cascadelake", "cooperlake")
_WIDEST = 512


@cache
def _prefers_wide() -> bool:
    """Tell whether this processor has vectors of 512 bits at no cost in its frequency."""
    if config.CPU_NAME or config.CPU_FEATURES:
        return False  # code for another processor
    has_wide = bool(binding.get_host_cpu_features().get("avx512vl"))
    return has_wide and binding.get_host_cpu_name() not in _SLOWED_BY_WIDE


class _WideLower(Lower):
    """Marks a function for the full width."""

    def setup_function(self, fndesc: Any) -> None:
        super().setup_function(fndesc)
        attributes = self.function.attributes
        # llvmlite knows attributes that are words; this one has a value.
        set.add(attributes, f'"prefer-vector-width"="{_WIDEST}"')
        # Inlined into its wrapper it would lose the mark.
        attributes.add("noinline")


@register_pass(mutates_CFG=True, analysis_only=False)
class _WideLowering(NativeLowering):
    _name = "wide_lowering"

    @property
    def lowering_class(self) -> type[Lower]:
        return _WideLower


class KernelCompiler(CompilerBase):
    """Numba's compiler; with vectors of full width where the processor is good for them."""

    def define_pipelines(self) -> list[Any]:
        """Return Numba's own passes, with lowering for the width that is preferred."""
        lowering = _WideLowering if _prefers_wide() else NativeLowering
        return [pipeline_with(lowering, self.state)]
