"""Numbers that a whole index chooses, and polynomials whose coefficients it chooses.

A vector of indices chooses from sixteen numbers, which a register holds, in one step where the
processor has such an instruction. LLVM does not find that: it is told what takes the place of a
choice for one index where a loop becomes one over vectors. Elsewhere the numbers are compared for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from llvmlite import binding, ir
from numba import types
from numba.core import config
from numba.extending import intrinsic

from chainrule.kernels.elementary._words import float_to_bits, inlined

MOST = 16
_FLOAT, _INTEGER = ir.FloatType(), ir.IntType(32)
_LANES = {16: ("avx512f", "llvm.x86.avx512.permvar.sf.512"), 8: ("avx2", "llvm.x86.avx2.permps")}
_PURE = ("nounwind", "willreturn", "memory(none)")


def table(values: tuple[float, ...]) -> Callable[[Any], Any]:
    """Return the compiled function of an index, a whole float32, that gives the number there."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _chosen(builder, values, builder.fptosi(arguments[0], _INTEGER))

    def typed(typing_context: Any, index: Any) -> Any:
        """Generate the choice."""
        return (index(index), generate) if index == types.float32 else None

    compiled: Callable[[Any], Any] = intrinsic(typed)
    return compiled


def piecewise(rows: tuple[tuple[float, ...], ...]) -> Callable[[Any, Any], Any]:
    """Return the compiled polynomial in x with those of several coefficients that an index chooses.

    They stand lowest power first, and are as many for each index. Horner's scheme.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        x, index = arguments[0], builder.fptosi(arguments[1], _INTEGER)
        own = [_chosen(builder, column, index) for column in zip(*rows, strict=True)]
        value = own[-1]
        for coefficient in own[-2::-1]:
            value = builder.fma(value, x, coefficient)
        return value

    def typed(typing_context: Any, x: Any, index: Any) -> Any:
        """Generate the polynomial's value."""
        return (x(x, index), generate) if x == index == types.float32 else None

    compiled: Callable[[Any, Any], Any] = intrinsic(typed)
    return compiled


@inlined
def half_octaves(x: Any, exponent: int) -> Any:
    """Return in which interval a positive float32 lies, as one.

    The first ends at ``2**exponent``, the next ones at ``1.5 * 2**exponent``, ``2 * 2**exponent``,
    ``3 * 2**exponent`` and so on: an exponent and the first digit after it.
    """
    steps = np.int32((float_to_bits(x) >> 22) - 2 * (exponent + 127) + 1)
    return np.float32(steps) if steps > 0 else np.float32(0.0)


def _chosen(builder: Any, values: tuple[float, ...], index: Any) -> Any:
    """Generate the choice of a number."""
    numbers = [float(np.float32(value)) for value in values]
    lanes = _lanes()
    if not lanes or len(set(numbers)) == 1:
        chosen = ir.Constant(_FLOAT, numbers[0])
        for place in (k for k in range(1, len(numbers)) if numbers[k] != numbers[k - 1]):
            is_there = builder.icmp_signed(">=", index, _INTEGER(place))
            chosen = builder.select(is_there, ir.Constant(_FLOAT, numbers[place]), chosen)
        return chosen
    numbers += numbers[-1:] * (MOST - len(numbers))
    name = f"chainrule_table_{hashlib.sha256(repr(numbers).encode()).hexdigest()[:24]}"
    if name not in builder.module.globals:
        _define(builder.module, name, numbers, lanes)
    call = builder.call(builder.module.globals[name], [index])
    variants = ",".join(f"_ZGV_LLVM_N{count}v_{name}({name}_{count})" for count in lanes)
    # llvmlite knows attributes that are words; this one has a value.
    set.add(call.attributes, f'"vector-function-abi-variant"="{variants}"')
    return call


@cache
def _lanes() -> tuple[int, ...]:
    """Return how many indices at once this processor takes."""
    if config.CPU_NAME or config.CPU_FEATURES:
        return ()  # code for another processor
    features = binding.get_host_cpu_features()
    return tuple(lanes for lanes, (feature, _) in _LANES.items() if features.get(feature))


def is_quick() -> bool:
    """Tell whether this processor chooses for several indices in a step."""
    return bool(_lanes())


def _define(module: Any, name: str, numbers: list[float], lanes: tuple[int, ...]) -> None:
    """Define the choice for one index, and for as many as fill a vector."""
    kept = ir.GlobalVariable(module, ir.ArrayType(_FLOAT, MOST), f"{name}_numbers")
    kept.initializer = ir.Constant(kept.value_type, numbers)
    kept.global_constant, kept.linkage = True, "linkonce_odr"
    one = _function(module, name, ir.FunctionType(_FLOAT, [_INTEGER]))
    # Inlined it would be a load, which LLVM gathers number by number.
    one.attributes.add("noinline")
    builder = ir.IRBuilder(one.append_basic_block())
    place = builder.gep(kept, [_INTEGER(0), one.args[0]], inbounds=True)
    builder.ret(builder.load(place))
    for count in lanes:
        some, indices = ir.VectorType(_FLOAT, count), ir.VectorType(_INTEGER, count)
        several = _function(module, f"{name}_{count}", ir.FunctionType(some, [indices]))
        several.attributes.add("alwaysinline")
        builder = ir.IRBuilder(several.append_basic_block())
        choice = module.declare_intrinsic(
            _LANES[count][1], fnty=ir.FunctionType(some, [some, indices])
        )
        parts = [
            builder.call(choice, [ir.Constant(some, numbers[k : k + count]), several.args[0]])
            for k in range(0, MOST, count)
        ]
        if len(parts) == 2:
            last = builder.icmp_unsigned(
                "<", several.args[0], ir.Constant(indices, [count] * count)
            )
            parts = [builder.select(last, *parts)]
        builder.ret(parts[0])


def _function(module: Any, name: str, kind: ir.FunctionType) -> ir.Function:
    function = ir.Function(module, kind, name)
    function.linkage = "weak_odr"  # it is named in an attribute alone until loops are vectors
    for attribute in _PURE:
        set.add(function.attributes, attribute)
    return function
