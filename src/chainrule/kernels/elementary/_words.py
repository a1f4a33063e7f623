"""What all the sets are made of: bits of numbers, fused operations, polynomials.

Everything here works for float64 with int64 and for float32 with int32, whichever it is called
with. Accuracy rests on sums and products whose rounding errors are recovered exactly, so nothing
may be reassociated, and ``fma`` is called by name. Processors without that instruction get right
results, slowly.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

# By this name for the digests of the functions: what is swept does not depend on how it is linked.
from chainrule.kernels.compiling._parts import inner as njit
from chainrule.kernels.elementary import _variants

Compiled = TypeVar("Compiled", bound=Callable[..., Any])
Number = TypeVar("Number")

# Whether one instruction multiplies by a power of two, subnormal results included.
HAS_SCALING = _variants.has("avx512vl")
_BITS_OF = {types.float64: types.int64, types.float32: types.int32}
# How many numbers at once the processor multiplies by powers of two, and its name for their type.
_SCALED_AT_ONCE = {"float": (16, 8), "double": (8, 4)}
_SCALED_AS = {"float": "ps", "double": "pd"}
_FLOAT_OF = {bits: number for number, bits in _BITS_OF.items()}


def inlined(function: Compiled) -> Compiled:
    """Compile a function to be inlined, with IEEE arithmetic as written."""
    compiled: Compiled = njit(forceinline=True, error_model="numpy")(function)
    return compiled


def _fma(typing_context: Any, a: Any, b: Any, c: Any) -> Any:
    """Generate a * b + c, rounded once."""
    if a not in _BITS_OF or a != b or b != c:
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.fma(*arguments)

    return a(a, b, c), generate


def _float_to_bits(typing_context: Any, value: Any) -> Any:
    """Generate the integer that has the bits of a number."""
    if value not in _BITS_OF:
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], context.get_value_type(signature.return_type))

    return _BITS_OF[value](value), generate


def _bits_to_float(typing_context: Any, bits: Any) -> Any:
    """Generate the number that has the bits of an integer."""
    if bits not in _FLOAT_OF:
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], context.get_value_type(signature.return_type))

    return _FLOAT_OF[bits](bits), generate


def _truncated(typing_context: Any, value: Any) -> Any:
    """Generate the integer of as many bits as a number, without what follows its point."""
    if value not in _BITS_OF:
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.fptosi(arguments[0], context.get_value_type(signature.return_type))

    return _BITS_OF[value](value), generate


def _generated(name: str) -> Callable[..., Any]:
    """Return what generates a call of LLVM's own function of numbers of one type."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        number = arguments[0].type
        declaration = builder.module.declare_intrinsic(
            name, [number], ir.FunctionType(number, [number] * len(arguments))
        )
        return builder.call(declaration, arguments)

    return generate


def _of_one(name: str) -> Any:
    """Return a function of one number, which LLVM provides."""

    def typed(typing_context: Any, value: Any) -> Any:
        """Generate the call."""
        return (value(value), _generated(name)) if value in _BITS_OF else None

    return intrinsic(typed)


def _of_two(name: str) -> Any:
    """Return a function of two numbers of one type, which LLVM provides."""

    def typed(typing_context: Any, a: Any, b: Any) -> Any:
        """Generate the call."""
        return (a(a, b), _generated(name)) if a in _BITS_OF and a == b else None

    return intrinsic(typed)


def _times_power_of_two(typing_context: Any, value: Any, exponent: Any) -> Any:
    """Generate value * 2**exponent, where the exponent is a whole number of the same type."""
    if value != exponent or value not in _BITS_OF:
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        number = arguments[0].type
        name = f"chainrule_{number}_times_power_of_two"
        several = {lanes: f"{name}_{lanes}" for lanes in _SCALED_AT_ONCE[str(number)]}
        if name not in builder.module.globals:
            _define_scaling(builder.module, name, number, several)
        return _variants.call(builder, name, arguments, several)

    return value(value, exponent), generate


def _define_scaling(module: Any, name: str, number: Any, several: Mapping[int, str]) -> None:
    """Define it for one number, and for vectors: LLVM would have made integers of the exponents."""
    integer = ir.IntType(32)
    of_one = ir.FunctionType(number, [number, number])
    builder = _variants.define_one(module, name, of_one)
    value, exponent = builder.function.args
    scaling = module.declare_intrinsic(
        "llvm.ldexp", [number, integer], ir.FunctionType(number, [number, integer])
    )
    builder.ret(builder.call(scaling, [value, builder.fptosi(exponent, integer)]))
    widest = max(several)
    for lanes, own in several.items():
        some, mask = ir.VectorType(number, lanes), ir.IntType(max(lanes, 8))
        builder = _variants.define_several(module, own, ir.FunctionType(some, [some, some]))
        rounding = [integer(4)] if lanes == widest else []  # as it is set
        others = [ir.Constant(some, ir.Undefined), mask(-1), *rounding]
        instruction = module.declare_intrinsic(
            f"llvm.x86.avx512.mask.scalef.{_SCALED_AS[str(number)]}.{512 * lanes // widest}",
            fnty=ir.FunctionType(some, [some, some, *(other.type for other in others)]),
        )
        builder.ret(builder.call(instruction, [*builder.function.args, *others]))


# Numba's intrinsics are untyped; compiled code calls them with these types.
fma: Callable[[Number, Number, Number], Number] = intrinsic(_fma)
float_to_bits: Callable[[float], int] = intrinsic(_float_to_bits)
bits_to_float: Callable[[Any], float] = intrinsic(_bits_to_float)
truncated: Callable[[float], int] = intrinsic(_truncated)
nearest_integer: Callable[[Number], Number] = _of_one("llvm.rint")
with_sign_of: Callable[[Number, Number], Number] = _of_two("llvm.copysign")
times_power_of_two: Callable[[float, float], float] = intrinsic(_times_power_of_two)
# NaN where one is NaN. Unlike a comparison and a choice, these vectorise where an array is reduced.
larger: Callable[[Number, Number], Number] = _of_two("llvm.maximum")
smaller: Callable[[Number, Number], Number] = _of_two("llvm.minimum")


def polynomial(coefficients: tuple[float, ...], chains: int = 1) -> Callable[[Number], Number]:
    """Return the compiled polynomial with these coefficients, lowest power first.

    Horner's scheme runs in one chain, or for more parallelism in two (even and odd powers) or
    four; every step is one fused multiply-add in the type of the argument.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        x = arguments[0]
        powers = {1: x}
        for power in (2, 4):
            if power <= chains:
                powers[power] = builder.fmul(powers[power // 2], powers[power // 2])

        def chain(start: int) -> Any:
            own = [ir.Constant(x.type, c) for c in coefficients[start::chains]]
            value = own[-1]
            for coefficient in own[-2::-1]:
                value = builder.fma(value, powers[chains], coefficient)
            return value

        values = [chain(start) for start in range(chains)]
        power = 1
        while len(values) > 1:
            pairs = zip(values[::2], values[1::2], strict=True)
            values = [builder.fma(powers[power], odd, even) for even, odd in pairs]
            power *= 2
        return values[0]

    def typed(typing_context: Any, x: Any) -> Any:
        """Generate the polynomial's value."""
        return (x(x), generate) if x in _BITS_OF else None

    compiled: Callable[[Number], Number] = intrinsic(typed)
    return compiled


@inlined
def rounding_error(a: Any, b: Any, total: Any) -> float:
    """Return (a + b) - total exactly, where total is the rounded sum."""
    part = total - a
    error: float = (a - (total - part)) + (b - part)
    return error


@inlined
def is_moderate(x: float) -> bool:
    """Tell whether a number is 0 or so that float32 has room for products with it."""
    return 2.0**-100 < abs(x) < 2.0**100 or x == 0.0


@inlined
def place(x: Any) -> Any:
    """Return a float32's place among all of them as an int32, NaN at either end.

    The largest of integers is found in any order, element by element in one step each.
    """
    bits = float_to_bits(x)
    return np.int32(bits ^ np.int32(np.int32(bits >> 31) & 0x7FFFFFFF))


@inlined
def at_place(place: Any) -> Any:
    """Return the float32 at a place."""
    return bits_to_float(np.int32(place ^ np.int32(np.int32(place >> 31) & 0x7FFFFFFF)))
