"""Polynomials of several intervals as one, in float64: that of the interval in which z lies.

A loop over vectors would compute all of them and choose. Where the processor chooses numbers by
indices for a whole vector, one polynomial with chosen coefficients takes their place.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from itertools import zip_longest
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from chainrule.kernels.elementary import _variants

MOST = 16
_NUMBER, _INDEX = ir.DoubleType(), ir.IntType(64)
_CHAINS_FROM = 6  # terms: shorter polynomials wait for no chain
_Row = tuple[float, float, tuple[float, ...]]


def on_intervals(rows: tuple[_Row, ...]) -> Callable[[float], float]:
    """Return the compiled polynomial of z whose interval and coefficients z chooses.

    Parameters
    ----------
    rows : tuple of (float, float, tuple of float)
        The ends of up to sixteen intervals that do not overlap, in increasing order, and for each
        the coefficients, lowest power first, of a polynomial in what is -1 and 1 at the ends.

    Returns
    -------
    callable
        Of a float64. Outside all intervals the result is any number, or none.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        (z,) = arguments
        index = _INDEX(0)
        for start in (low for low, _, _ in rows[1:]):
            is_past = builder.fcmp_ordered(">", z, _NUMBER(start))
            index = builder.add(index, builder.zext(is_past, _INDEX))
        centre, scale = (
            _chosen(builder, values, index) for values in zip(*map(variable_of, rows), strict=True)
        )
        u = builder.fmul(builder.fsub(z, centre), scale)
        columns = zip_longest(*(coefficients for _, _, coefficients in rows), fillvalue=0.0)
        return _polynomial(builder, [_chosen(builder, column, index) for column in columns], u)

    def typed(typing_context: Any, z: Any) -> Any:
        """Generate the polynomial's value."""
        return (types.float64(z), generate) if z == types.float64 else None

    compiled: Callable[[float], float] = intrinsic(typed)
    return compiled


def variable_of(row: _Row) -> tuple[float, float]:
    """Return c and s of the variable (z - c) s that is -1 and 1 at the ends of an interval."""
    low, high, _ = row
    return (low + high) / 2, 2 / (high - low)


def _polynomial(builder: Any, coefficients: Sequence[Any], u: Any) -> Any:
    """Generate a polynomial's value, in two chains of every other power where it is long."""
    chains = 2 if len(coefficients) >= _CHAINS_FROM else 1
    step = u if chains == 1 else builder.fmul(u, u)
    values = []
    for k in range(chains):
        own = coefficients[k::chains]
        value = own[-1]
        for coefficient in own[-2::-1]:
            value = builder.fma(value, step, coefficient)
        values.append(value)
    return values[0] if chains == 1 else builder.fma(values[1], u, values[0])


def _chosen(builder: Any, values: Sequence[float], index: Any) -> Any:
    """Generate the choice of a number."""
    if len(set(values)) == 1:
        return _NUMBER(values[0])
    lanes = _lanes()
    if not lanes:
        chosen = _NUMBER(values[0])
        for place in range(1, len(values)):
            is_there = builder.icmp_signed(">=", index, _INDEX(place))
            chosen = builder.select(is_there, _NUMBER(values[place]), chosen)
        return chosen
    name = f"chainrule_fits_{hashlib.sha256(repr(tuple(values)).encode()).hexdigest()[:24]}"
    if name not in builder.module.globals:
        _define(builder.module, name, values, lanes)
    return _variants.call(builder, name, [index], {n: f"{name}_{n}" for n in lanes})


def _lanes() -> tuple[int, ...]:
    """Return how many indices at once this processor takes."""
    return (8, 4) if _variants.has("avx512vl") else ()


def _define(module: Any, name: str, values: Sequence[float], lanes: Sequence[int]) -> None:
    """Define the choice for one index, and for as many as fill a vector."""
    numbers = [*values, *[values[-1]] * (MOST - len(values))]
    kept = ir.GlobalVariable(module, ir.ArrayType(_NUMBER, MOST), f"{name}_numbers")
    kept.initializer = ir.Constant(kept.value_type, numbers)
    kept.global_constant, kept.linkage = True, "linkonce_odr"
    builder = _variants.define_one(module, name, ir.FunctionType(_NUMBER, [_INDEX]))
    place = [_INDEX(0), builder.function.args[0]]
    builder.ret(builder.load(builder.gep(kept, place, inbounds=True)))
    for count in lanes:
        some, indices = ir.VectorType(_NUMBER, count), ir.VectorType(_INDEX, count)
        kind = ir.FunctionType(some, [indices])
        builder = _variants.define_several(module, f"{name}_{count}", kind)
        index = builder.function.args[0]
        used = numbers[: next(n for n in (count, 2 * count, MOST) if n >= len(values))]
        halves = [
            _from_registers(module, builder, used[k : k + 2 * count], index, count)
            for k in range(0, len(used), 2 * count)
        ]
        chosen = halves[0]
        if len(halves) == 2:
            is_second = builder.icmp_signed(">=", index, ir.Constant(indices, [2 * count] * count))
            chosen = builder.select(is_second, halves[1], halves[0])
        builder.ret(chosen)


def _from_registers(
    module: Any, builder: Any, numbers: Sequence[float], index: Any, count: int
) -> Any:
    """Generate the choice from one register or two; of an index its last digits count."""
    some = ir.VectorType(_NUMBER, count)
    registers = [
        ir.Constant(some, list(numbers[k : k + count])) for k in range(0, len(numbers), count)
    ]
    name, arguments = "permvar.df", [registers[0], index]
    if len(registers) == 2:
        name, arguments = "vpermi2var.pd", [registers[0], index, registers[1]]
    choice = module.declare_intrinsic(
        f"llvm.x86.avx512.{name}.{64 * count}",
        fnty=ir.FunctionType(some, [argument.type for argument in arguments]),
    )
    return builder.call(choice, arguments)
