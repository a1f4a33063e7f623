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
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from chainrule.kernels.elementary import _variants
from chainrule.kernels.elementary._words import bits_to_float, float_to_bits, inlined, truncated

MOST = 16
_FLOAT, _INTEGER = ir.FloatType(), ir.IntType(32)
_LANES = {16: ("avx512f", "llvm.x86.avx512.permvar.sf.512"), 8: ("avx2", "llvm.x86.avx2.permps")}


def table(values: tuple[float, ...]) -> Callable[[Any], Any]:
    """Return the compiled function of an index that gives the number there.

    Of an index, an int32, the last four bits count.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _chosen(builder, values, arguments[0])

    def typed(typing_context: Any, index: Any) -> Any:
        """Generate the choice."""
        return (types.float32(index), generate) if index == types.int32 else None

    compiled: Callable[[Any], Any] = intrinsic(typed)
    return compiled


def piecewise(rows: tuple[tuple[float, ...], ...]) -> Callable[[Any, Any], Any]:
    """Return the compiled polynomial in x with those of several coefficients that an index chooses.

    They stand lowest power first, and are as many for each index. Horner's scheme.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        x, index = arguments
        own = [_chosen(builder, column, index) for column in zip(*rows, strict=True)]
        value = own[-1]
        for coefficient in own[-2::-1]:
            value = builder.fma(value, x, coefficient)
        return value

    def typed(typing_context: Any, x: Any, index: Any) -> Any:
        """Generate the polynomial's value."""
        of_both = x == types.float32 and index == types.int32
        return (x(x, index), generate) if of_both else None

    compiled: Callable[[Any, Any], Any] = intrinsic(typed)
    return compiled


@inlined
def even_steps(x: Any, per_unit: Any, last: Any) -> Any:
    """Return in which interval a positive float32 lies, of as many for each unit.

    What lies beyond the last one, and what is no number, counts as in it.
    """
    steps = x * per_unit
    return truncated(steps if steps < last else last)


@inlined
def half_octaves(x: Any, exponent: int) -> Any:
    """Return in which interval a positive float32 lies, as one.

    The first ends at ``2**exponent``, the next ones at ``1.5 * 2**exponent``, ``2 * 2**exponent``,
    ``3 * 2**exponent`` and so on: an exponent and the first digit after it.
    """
    first: Any = bits_to_float(np.int32((2 * (exponent + 127) - 1) << 22))
    return np.int32((float_to_bits(first if x < first else x) >> 22) - (2 * (exponent + 127) - 1))


def _chosen(builder: Any, values: tuple[float, ...], index: Any) -> Any:
    """Generate the choice of a number."""
    numbers = [float(np.float32(value)) for value in values]
    lanes = _lanes()
    if not lanes or len(set(numbers)) == 1:
        index = builder.and_(index, _INTEGER(MOST - 1))
        chosen = ir.Constant(_FLOAT, numbers[0])
        for place in (k for k in range(1, len(numbers)) if numbers[k] != numbers[k - 1]):
            is_there = builder.icmp_signed(">=", index, _INTEGER(place))
            chosen = builder.select(is_there, ir.Constant(_FLOAT, numbers[place]), chosen)
        return chosen
    numbers += numbers[-1:] * (MOST - len(numbers))
    name = f"chainrule_table_{hashlib.sha256(repr(numbers).encode()).hexdigest()[:24]}"
    if name not in builder.module.globals:
        _define(builder.module, name, numbers, lanes)
    return _variants.call(builder, name, [index], {n: f"{name}_{n}" for n in lanes})


@cache
def _lanes() -> tuple[int, ...]:
    """Return how many indices at once this processor takes."""
    return tuple(lanes for lanes, (feature, _) in _LANES.items() if _variants.has(feature))


def is_quick() -> bool:
    """Tell whether this processor chooses for several indices in a step."""
    return bool(_lanes())


def _define(module: Any, name: str, numbers: list[float], lanes: tuple[int, ...]) -> None:
    """Define the choice for one index, and for as many as fill a vector."""
    kept = ir.GlobalVariable(module, ir.ArrayType(_FLOAT, MOST), f"{name}_numbers")
    kept.initializer = ir.Constant(kept.value_type, numbers)
    kept.global_constant, kept.linkage = True, "linkonce_odr"
    builder = _variants.define_one(module, name, ir.FunctionType(_FLOAT, [_INTEGER]))
    index = builder.and_(builder.function.args[0], _INTEGER(MOST - 1))
    builder.ret(builder.load(builder.gep(kept, [_INTEGER(0), index], inbounds=True)))
    for count in lanes:
        some, indices = ir.VectorType(_FLOAT, count), ir.VectorType(_INTEGER, count)
        kind = ir.FunctionType(some, [indices])
        builder = _variants.define_several(module, f"{name}_{count}", kind)
        index = builder.function.args[0]
        choice = module.declare_intrinsic(
            _LANES[count][1], fnty=ir.FunctionType(some, [some, indices])
        )
        parts = [
            builder.call(choice, [ir.Constant(some, numbers[k : k + count]), index])
            for k in range(0, MOST, count)
        ]
        if len(parts) == 2:
            # All but the last digits of an index go unread, here and by the processor.
            half = builder.and_(index, ir.Constant(indices, [count] * count))
            last = builder.icmp_unsigned("==", half, ir.Constant(indices, [0] * count))
            parts = [builder.select(last, *parts)]
        builder.ret(parts[0])
