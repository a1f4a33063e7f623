"""Native code over vectors of the processor's full width, several at once.

LLVM halves its vectors on processors with AVX-512, since the first of them slow down while they use
the whole width. The later ones do not. And it computes one vector after the other where that takes
more than a few instructions: a polynomial then waits for itself at every step.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

from llvmlite import binding, ir
from numba.core import config
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase
from numba.core.compiler_machinery import register_pass
from numba.core.lowering import Lower
from numba.core.typed_passes import NativeLowering

from chainrule.kernels._parts import pipeline_with

_SLOWED_BY_WIDE = ("skylake-avx512", "cascadelake", "cooperlake")
_WIDEST = 512
_AT_ONCE = 4  # of 32 registers, each chain of operations needs a few


@cache
def _prefers_wide() -> bool:
    """Tell whether this processor has vectors of 512 bits at no cost in its frequency."""
    if config.CPU_NAME or config.CPU_FEATURES:
        return False  # code for another processor
    has_wide = bool(binding.get_host_cpu_features().get("avx512vl"))
    return has_wide and binding.get_host_cpu_name() not in _SLOWED_BY_WIDE


class _WideLower(Lower):
    """Marks a function for the full width, and an element-wise kernel's loop for several vectors.

    A kernel with loops inside of loops goes over rows, most of which have few vectors.
    """

    def setup_function(self, fndesc: Any) -> None:
        super().setup_function(fndesc)
        attributes = self.function.attributes
        # llvmlite knows attributes that are words; this one has a value.
        set.add(attributes, f'"prefer-vector-width"="{_WIDEST}"')
        # Inlined into its wrapper it would lose the mark.
        attributes.add("noinline")

    def lower_function_body(self) -> Any:
        end = super().lower_function_body()
        for jump in self._jumps_of_loops():
            jump.set_metadata("llvm.loop", _several_at_once(self.module))
        return end

    def _jumps_of_loops(self) -> list[ir.Branch]:
        """Return the jumps to what stands further up, which end a loop; none where loops nest."""
        places = {block: place for place, block in self.blkmap.items()}
        found, place, last = [], -1, -1
        for block in self.function.blocks:
            # A block of the source is made of several, which bear its place in their names.
            place = int(block.name.split(".")[0][1:]) if block.name.startswith("B") else place
            jump = block.terminator
            if isinstance(jump, ir.Branch) and places.get(jump.operands[0], math.inf) <= place:
                if places[jump.operands[0]] <= last:
                    return []
                found.append(jump)
                last = place
        return found


def _several_at_once(module: ir.Module) -> ir.MDValue:
    """Return a name of a loop of which several vectors are to be computed at a time."""
    count = ir.Constant(ir.IntType(32), _AT_ONCE)
    hint = module.add_metadata([ir.MetaDataString(module, "llvm.loop.interleave.count"), count])
    name = ir.MDValue(module, (), name=str(len(module.metadata)))
    name.operands = (name, hint)  # LLVM tells such a name by its holding itself
    return name


class _KernelCode(JITCodeLibrary):
    """Code in which what LLVM has put in the place of scalar calls is inlined, as tables are."""

    def _optimize_final_module(self) -> None:
        super()._optimize_final_module()
        tuning = binding.create_pipeline_tuning_options(0)
        builder = binding.create_pass_builder(self._codegen._tm, tuning)
        passes = binding.create_new_module_pass_manager()
        passes.add_always_inliner_pass()
        passes.run(self._final_module, builder)


@register_pass(mutates_CFG=True, analysis_only=False)
class _KernelLowering(NativeLowering):
    _name = "kernel_lowering"

    @property
    def lowering_class(self) -> type[Lower]:
        return _WideLower if _prefers_wide() else Lower

    def run_pass(self, state: Any) -> bool:
        state.library = _KernelCode(state.targetctx.codegen(), state.func_id.func_qualname)
        state.library.enable_object_caching()
        return bool(super().run_pass(state))


class KernelCompiler(CompilerBase):
    """Numba's compiler; with vectors of full width where the processor is good for them."""

    def define_pipelines(self) -> list[Any]:
        """Return Numba's own passes, with lowering for the width that is preferred."""
        return [pipeline_with(_KernelLowering, self.state)]
