"""Functions that only compiled functions call: linked into them, never compiled for themselves.

Numba would optimise each on its own and again in all that calls it, make machine code of it, and
wrap it twice for callers outside. A first use takes twice as long that way.
"""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from numba import njit
from numba._dynfunc import make_function
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import register_pass
from numba.core.typed_passes import NativeLowering, NopythonRewrites
from numba.core.types.misc import unliteral
from numba.core.untyped_passes import InlineClosureLikes

# What Python would call: it calls in turn what stands for the function, which cannot be called.
_NOT_CALLABLE = ctypes.cast(ctypes.pythonapi.PyObject_Call, ctypes.c_void_p).value


def inner(*, makes_arrays: bool = False, **options: Any) -> Callable[[Any], Any]:
    """Return ``njit`` for functions that only compiled functions call.

    They are optimised and turned into machine code once, as part of what calls them; and compiled
    once for a type, not again for each constant of it. See `counting`.
    """

    def decorate(function: Any) -> Any:
        dispatcher = njit(
            nogil=True,
            no_cpython_wrapper=True,
            no_cfunc_wrapper=True,
            pipeline_class=_Inner,
            **counting(makes_arrays),
            **options,
        )(function)
        template = dispatcher.get_call_template
        dispatcher.get_call_template = lambda arguments, named: template(
            tuple(map(unliteral, arguments)), {key: unliteral(k) for key, k in named.items()}
        )
        return dispatcher

    return decorate


def counting(makes_arrays: bool) -> dict[str, Any]:
    """Return Numba's option for functions that make arrays, or only look at those of others.

    These outlive the call. To count references to them takes two atomic additions for every slice:
    a quarter of the time of a small network's step.
    """
    return {"_nrt": makes_arrays}


class _Part(JITCodeLibrary):
    """Code that is only ever linked into other code."""

    def _optimize_final_module(self) -> None:
        pass

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()
        self._finalized = True


@register_pass(mutates_CFG=True, analysis_only=False)
class _LowerPart(NativeLowering):
    _name = "chainrule_lower_part"

    def run_pass(self, state: Any) -> bool:
        context, name = state.targetctx, state.func_id.func_qualname
        state.library, state.flags.no_compile = _Part(context.codegen(), name), True
        super().run_pass(state)
        description = state.cr.fndesc
        key = make_function(
            description.lookup_module(), name.split(".")[-1], "", _NOT_CALLABLE, state.cr.env,
            (state.library,),
        )  # fmt: skip
        context.insert_user_function(key, description, [state.library])
        state.cr = state.cr._replace(cfunc=key)
        return True


class PlainCompiler(CompilerBase):
    """Numba's compiler for loops over numbers: without closures and expressions of whole arrays."""

    lowering: type[NativeLowering] = NativeLowering

    def compile_extra(self, function: Any) -> Any:
        """Compile a function, with all that it calls."""
        with _without_collections():
            return super().compile_extra(function)

    def define_pipelines(self) -> list[Any]:
        """Return Numba's passes: none that would find nothing, and our lowering."""
        pipeline = DefaultPassBuilder.define_nopython_pipeline(self.state)
        pipeline.passes = [
            (self.lowering if made is NativeLowering else made, says)
            for made, says in pipeline.passes
            if made not in (InlineClosureLikes, NopythonRewrites)
        ]
        pipeline.finalize()
        return [pipeline]


class _Inner(PlainCompiler):
    lowering = _LowerPart


@contextmanager
def _without_collections() -> Iterator[None]:
    """Let Python look for no garbage: there is little, and much else to look through each time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
