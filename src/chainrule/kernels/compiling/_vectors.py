"""Native code over vectors of the processor's full width, several at once.

LLVM halves its vectors on processors with AVX-512, since the first of them slow down while they use
the whole width. The later ones do not. And it computes one vector after the other where that takes
more than a few instructions: a polynomial then waits for itself at every step.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Any

from llvmlite import binding, ir
from numba.core import config
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler_machinery import register_pass
from numba.core.lowering import Lower
from numba.core.typed_passes import NativeLowering

from chainrule.kernels.compiling._parts import PlainCompiler

_SLOWED_BY_WIDE = ("skylake-avx512", "cascadelake", "cooperlake")
_WIDEST = 512
AT_ONCE = 4  # of 32 registers, each chain of operations needs a few
_OF_ROWS, _DOUBLES_OF_ROWS = 1, 2  # 16 elements: what is left of a row takes as long as they


@cache
def _prefers_wide() -> bool:
    """Tell whether this processor has vectors of 512 bits at no cost in its frequency."""
    if config.CPU_NAME or config.CPU_FEATURES:
        return False  # code for another processor
    has_wide = bool(binding.get_host_cpu_features().get("avx512vl"))
    return has_wide and binding.get_host_cpu_name() not in _SLOWED_BY_WIDE


class _WideLower(Lower):
    """Marks a function for the full width, and loops for how many vectors they take at once.

    Where loops lie inside of others a kernel goes over rows, most of which have few vectors.
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
        at_once = getattr(self.func_ir.func_id.func, "at_once", AT_ONCE)
        loops = self._loops()
        innermost = [own for own in loops if not any(own.holds(other) for other in loops)]
        are_nested = len(innermost) < len(loops)
        for own in innermost:
            of_rows = _DOUBLES_OF_ROWS if own.has_doubles() else _OF_ROWS
            count = of_rows if are_nested else at_once
            own.jump.set_metadata("llvm.loop", _several_at_once(self.module, count))
        return end

    def _loops(self) -> list[_Loop]:
        """Return the loops: what ends with a jump to what stands further up."""
        places = {block: place for place, block in self.blkmap.items()}
        place = -1
        of_places: dict[int, list[ir.Block]] = {}
        jumps = []
        for block in self.function.blocks:
            # A block of the source is made of several, which bear its place in their names.
            place = int(block.name.split(".")[0][1:]) if block.name.startswith("B") else place
            of_places.setdefault(place, []).append(block)
            jump = block.terminator
            if isinstance(jump, ir.Branch):
                first = places.get(jump.operands[0], math.inf)
                if first <= place:
                    jumps.append((first, place, jump))
        return [
            _Loop([b for p, own in of_places.items() if first <= p <= last for b in own], jump)
            for first, last, jump in jumps
        ]


@dataclass(frozen=True)
class _Loop:
    """A loop's blocks, and the jump from its end to its start."""

    blocks: list[ir.Block]
    jump: ir.Branch

    def holds(self, other: _Loop) -> bool:
        """Tell whether another loop lies inside of this one."""
        return self is not other and other.blocks[0] in self.blocks

    def has_doubles(self) -> bool:
        """Tell whether anything in it is computed in float64, not but read."""
        return any(
            isinstance(step.type, ir.DoubleType) and not isinstance(step, ir.LoadInstr)
            for b in self.blocks
            for step in b.instructions
        )


def _several_at_once(module: ir.Module, number: int) -> ir.MDValue:
    """Return a name of a loop of which a number of vectors are to be computed at a time."""
    count = ir.Constant(ir.IntType(32), number)
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


class KernelCompiler(PlainCompiler):
    """Numba's compiler; with vectors of full width where the processor is good for them."""

    lowering = _KernelLowering
