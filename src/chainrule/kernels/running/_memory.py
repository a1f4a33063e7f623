"""Memory by address: what compiled code reads and writes outside of arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic


def _load(kind: Any) -> Any:
    def load(typing_context: Any, address: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            kind_there = context.get_value_type(kind).as_pointer()
            # Unaligned: a stride need not be a multiple of the item's size.
            return builder.load(builder.inttoptr(arguments[0], kind_there), align=1)

        return kind(types.intp), generate

    return intrinsic(load)


def _store(kind: Any) -> Any:
    def store(typing_context: Any, address: Any, value: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            kind_there = context.get_value_type(kind).as_pointer()
            builder.store(arguments[1], builder.inttoptr(arguments[0], kind_there), align=1)
            return context.get_dummy_value()

        return types.void(types.intp, kind), generate

    return intrinsic(store)


load_int32: Callable[[int], int] = _load(types.int32)
load_int64: Callable[[int], int] = _load(types.int64)
store_int32: Callable[[int, int], None] = _store(types.int32)
store_int64: Callable[[int, int], None] = _store(types.int64)


def _get(typing_context: Any, address: Any, number: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = builder.inttoptr(arguments[0], ir.IntType(64).as_pointer())
        return builder.load(builder.gep(place, [arguments[1]]))

    return types.int64(types.intp, types.intp), generate


def _put(typing_context: Any, address: Any, number: Any, value: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = builder.inttoptr(arguments[0], ir.IntType(64).as_pointer())
        builder.store(arguments[2], builder.gep(place, [arguments[1]]))
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, types.int64), generate


def words(count: int) -> Callable[[], int]:
    """Return a function that gives the address of so many words, which live as long as its caller.

    Parameters
    ----------
    count : int
        How many words of 64 bits.
    """

    def allocate(typing_context: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            place = cgutils.alloca_once(builder, ir.ArrayType(ir.IntType(64), count))
            return builder.ptrtoint(place, ir.IntType(64))

        return types.intp(), generate

    found: Callable[[], int] = intrinsic(allocate)
    return found


def _atomic_add(typing_context: Any, address: Any, value: Any) -> Any:
    """Generate an addition that no other thread sees half done; returns what was there before."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = builder.inttoptr(arguments[0], ir.IntType(64).as_pointer())
        return builder.atomic_rmw("add", place, arguments[1], "seq_cst")

    return types.int64(types.intp, types.int64), generate


def _atomic_load(typing_context: Any, address: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = builder.inttoptr(arguments[0], ir.IntType(64).as_pointer())
        return builder.load_atomic(place, "seq_cst", 8)

    return types.int64(types.intp), generate


def _atomic_store(typing_context: Any, address: Any, value: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = builder.inttoptr(arguments[0], ir.IntType(64).as_pointer())
        builder.store_atomic(arguments[1], place, "seq_cst", 8)
        return context.get_dummy_value()

    return types.void(types.intp, types.int64), generate


def _copy_bytes(typing_context: Any, source: Any, destination: Any, count: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        here, there = (builder.inttoptr(a, ir.IntType(8).as_pointer()) for a in arguments[:2])
        cgutils.raw_memcpy(builder, there, here, arguments[2], 1)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, types.intp), generate


def _ask_for(typing_context: Any, address: Any) -> Any:
    """Generate: ask for the cache line at an address that is read soon; any address will do."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        count, place = ir.IntType(32), ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [place, count, count, count])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        to_read, keep, of_data = (ir.Constant(count, k) for k in (0, 3, 1))
        builder.call(function, [builder.inttoptr(arguments[0], place), to_read, keep, of_data])
        return context.get_dummy_value()

    return types.void(types.intp), generate


def _exchange(typing_context: Any, address: Any, old: Any, new: Any) -> Any:
    """Generate: put `new` where `old` stands, and tell whether it stood there."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = builder.inttoptr(arguments[0], ir.IntType(64).as_pointer())
        pair = builder.cmpxchg(place, arguments[1], arguments[2], "seq_cst", "seq_cst")
        return builder.extract_value(pair, 1)

    return types.boolean(types.intp, types.int64, types.int64), generate


def _pointer(typing_context: Any, address: Any, kind: Any) -> Any:
    """Generate: an address as a pointer to numbers of the kind of a given one."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

    return types.CPointer(kind)(types.intp, kind), generate


get: Callable[[int, int], int] = intrinsic(_get)  # of words, by their number
put: Callable[[int, int, int], None] = intrinsic(_put)
atomic_add: Callable[[int, int], int] = intrinsic(_atomic_add)
atomic_load: Callable[[int], int] = intrinsic(_atomic_load)
atomic_store: Callable[[int, int], None] = intrinsic(_atomic_store)
copy_bytes: Callable[[int, int, int], None] = intrinsic(_copy_bytes)
ask_for: Callable[[int], None] = intrinsic(_ask_for)
exchange: Callable[[int, int, int], bool] = intrinsic(_exchange)
pointer: Callable[[int, Any], Any] = intrinsic(_pointer)
