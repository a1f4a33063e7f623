"""Functions of one number that LLVM replaces by others where a loop becomes one over vectors.

It finds an instruction of the processor for a vector only where it knows what that does. Here it is
told, call by call, what takes the place of a function for so many numbers at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from llvmlite import binding, ir
from numba.core import config

_PURE = ("nounwind", "willreturn", "memory(none)")


@cache
def has(feature: str) -> bool:
    """Tell whether code is for this processor, and the processor has a set of instructions."""
    if config.CPU_NAME or config.CPU_FEATURES:
        return False  # code for another processor
    return bool(binding.get_host_cpu_features().get(feature))


def define_one(module: Any, name: str, kind: ir.FunctionType) -> ir.IRBuilder:
    """Define what stands for one number, and return where its body is to be written."""
    # Inlined it would be no call that could be replaced.
    return _defined(module, name, kind, "noinline")


def define_several(module: Any, name: str, kind: ir.FunctionType) -> ir.IRBuilder:
    """Define what stands for as many as fill a vector, likewise."""
    return _defined(module, name, kind, "alwaysinline")


def call(
    builder: Any, name: str, arguments: Sequence[Any], several: Mapping[int, str]
) -> ir.CallInstr:
    """Generate a call of the function for one number.

    Parameters
    ----------
    builder : llvmlite.ir.IRBuilder
    name : str
        Of the function, which the builder's module has.
    arguments : sequence of llvmlite.ir.Value
    several : mapping of int to str
        Names of those for vectors, by how many numbers these hold.
    """
    call = builder.call(builder.module.globals[name], arguments)
    places = "v" * len(arguments)
    variants = ",".join(f"_ZGV_LLVM_N{n}{places}_{name}({other})" for n, other in several.items())
    # llvmlite knows attributes that are words; this one has a value.
    set.add(call.attributes, f'"vector-function-abi-variant"="{variants}"')
    return call


def _defined(module: Any, name: str, kind: ir.FunctionType, inlining: str) -> ir.IRBuilder:
    function = ir.Function(module, kind, name)
    function.linkage = "weak_odr"  # it is named in an attribute alone until loops are vectors
    for attribute in _PURE:
        set.add(function.attributes, attribute)
    function.attributes.add(inlining)
    return ir.IRBuilder(function.append_basic_block())
