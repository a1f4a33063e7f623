"""Vector instructions that Numba's loops do not reach: tiles of a product, and transposition.

A tile keeps a small block of the product in registers over the whole depth, and asks for memory
only once an element. Edges are masked, so that no array needs padding.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

_WORD, _COUNT, _TRUTH = ir.IntType(64), ir.IntType(32), ir.IntType(1)
_HAS_LONG_REGISTERS = bool(llvm.get_host_cpu_features().get("avx512f"))

REGISTER = 64 if _HAS_LONG_REGISTERS else 32  # bytes
VECTORS = 2  # registers across a tile
ROWS = (12, 8, 4, 2, 1) if _HAS_LONG_REGISTERS else (6, 4, 2, 1)  # heights of tiles
WIDTH = VECTORS * REGISTER  # bytes across a tile


class _Lanes:
    """The vectors of one element type, and what can be done with them."""

    def __init__(self, builder: Any, kind: Any) -> None:
        self.builder = builder
        self.item = item = kind.bitwidth // 8
        self.count = REGISTER // item
        self.element = ir.FloatType() if item == 4 else ir.DoubleType()
        self.vector = ir.VectorType(self.element, self.count)
        self.truths = ir.VectorType(_TRUTH, self.count)
        self.suffix = f"v{self.count}f{8 * item}"
        self.zero = ir.Constant(self.vector, [0.0] * self.count)
        self.unaligned = ir.Constant(_COUNT, 1)

    def _intrinsic(self, name: str, result: Any, arguments: list[Any]) -> Any:
        known = self.builder.module.globals.get(name)
        return known or ir.Function(self.builder.module, ir.FunctionType(result, arguments), name)

    def pointer(self, address: Any) -> Any:
        return self.builder.inttoptr(address, self.vector.as_pointer())

    def mask(self, count: Any, first: int) -> Any:
        """Return which lanes, counted from `first`, are among the first `count`."""
        numbers = ir.VectorType(_COUNT, self.count)
        places = ir.Constant(numbers, [first + k for k in range(self.count)])
        limit = self._repeated(self.builder.trunc(count, _COUNT), numbers)
        return self.builder.icmp_signed("<", places, limit)

    def load(self, address: Any, mask: Any) -> Any:
        """Load a vector: all of it where there is no mask."""
        if mask is None:
            return self.builder.load(self.pointer(address), align=1)
        name = f"llvm.masked.load.{self.suffix}.p0"
        kinds = [self.vector.as_pointer(), _COUNT, self.truths, self.vector]
        function = self._intrinsic(name, self.vector, kinds)
        given = [self.pointer(address), self.unaligned, mask, self.zero]
        return self.builder.call(function, given)

    def store(self, value: Any, address: Any, mask: Any) -> None:
        name = f"llvm.masked.store.{self.suffix}.p0"
        kinds = [self.vector, self.vector.as_pointer(), _COUNT, self.truths]
        function = self._intrinsic(name, ir.VoidType(), kinds)
        self.builder.call(function, [value, self.pointer(address), self.unaligned, mask])

    def everywhere(self, address: Any) -> Any:
        """Load one element into all lanes."""
        one = self.builder.load(
            self.builder.inttoptr(address, self.element.as_pointer()), align=self.item
        )
        return self._repeated(one, self.vector)

    def multiply_add(self, x: Any, y: Any, z: Any) -> Any:
        name = f"llvm.fmuladd.{self.suffix}"
        function = self._intrinsic(name, self.vector, [self.vector] * 3)
        return self.builder.call(function, [x, y, z])

    def _repeated(self, value: Any, kind: Any) -> Any:
        undefined = ir.Constant(kind, ir.Undefined)
        first = self.builder.insert_element(undefined, value, ir.Constant(_COUNT, 0))
        zeros = ir.Constant(ir.VectorType(_COUNT, self.count), [0] * self.count)
        return self.builder.shuffle_vector(first, undefined, zeros)


def tile(
    rows: int, vectors: int, *, down: bool, whole: bool, a_apart: tuple[int, int] | None
) -> Callable[..., None]:
    """Return a compiled function that fills a tile of ``C = start + A @ B``.

    Parameters
    ----------
    rows : int
        The height of the tile.
    vectors : int
        Its width in registers.
    down : bool
        Whether the elements of a row of A lie below one another: A is a transposed matrix.
    whole : bool
        Whether rows of B are as wide as the tile, if those of C are not: a masked load takes the
        place of a multiplication.
    a_apart : tuple of (int, int) or None
        The distance of A, in elements and bytes that are added, where it is always the same: then
        no instructions compute addresses. None if it is an argument.

    Returns
    -------
    callable
        Its first argument is any number of the elements' type. The others are addresses and
        distances in bytes: A and its distance, from row to row or,
        for a transposed matrix, from one depth to the next; B, C and start, each with its distance
        from row to row; then the depth, at least 1, and the number of columns.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        a, a_distance, b, b_apart, c, c_apart, start, start_apart, depth, columns = arguments[1:]
        lanes = _Lanes(builder, signature.args[0])
        if a_apart is not None:
            a_distance = ir.Constant(_WORD, a_apart[0] * lanes.item + a_apart[1])
        masks = [lanes.mask(columns, lanes.count * v) for v in range(vectors)]

        def number(value: int) -> Any:
            return ir.Constant(_WORD, value)

        def places(base: Any, apart: Any) -> list[Any]:
            lines = [builder.add(base, builder.mul(apart, number(r))) for r in range(rows)]
            return [builder.add(x, number(REGISTER * v)) for x in lines for v in range(vectors)]

        across = masks * rows
        first = [
            lanes.load(place, mask)
            for place, mask in zip(places(start, start_apart), across, strict=True)
        ]
        before, loop = builder.block, builder.append_basic_block("depth")
        builder.branch(loop)
        builder.position_at_end(loop)
        k = builder.phi(_WORD)
        sums = [builder.phi(lanes.vector) for _ in first]
        of_row = builder.add(b, builder.mul(k, b_apart))
        of_b = [
            lanes.load(builder.add(of_row, number(REGISTER * v)), None if whole else mask)
            for v, mask in enumerate(masks)
        ]
        results = []
        for r in range(rows):
            if down:
                line = builder.add(a, builder.mul(k, a_distance))
                place = builder.add(line, number(r * lanes.item))
            else:
                row = builder.add(a, builder.mul(a_distance, number(r)))
                place = builder.add(row, builder.mul(k, number(lanes.item)))
            of_a = lanes.everywhere(place)
            for v in range(vectors):
                results.append(lanes.multiply_add(of_a, of_b[v], sums[r * vectors + v]))
        following = builder.add(k, number(1))
        for phi, initial, result in [
            (k, number(0), following),
            *zip(sums, first, results, strict=True),
        ]:
            phi.add_incoming(initial, before)
            phi.add_incoming(result, loop)
        done = builder.append_basic_block("done")
        builder.cbranch(builder.icmp_signed("<", following, depth), loop, done)
        builder.position_at_end(done)
        for result, place, mask in zip(results, places(c, c_apart), across, strict=True):
            lanes.store(result, place, mask)
        return context.get_dummy_value()

    def typed(  # one name for each argument: Numba reads the signature
        typing_context: Any, kind: Any, a: Any, a_apart: Any, b: Any, b_apart: Any, c: Any,
        c_apart: Any, start: Any, start_apart: Any, depth: Any, columns: Any,
    ) -> Any:  # fmt: skip
        return types.void(kind, *[types.intp] * 10), generate

    made: Callable[..., None] = intrinsic(typed)
    return made


def _copy_row(typing_context: Any, kind: Any, source: Any, destination: Any, columns: Any) -> Any:
    """Generate: copy the start of a row, as wide as a tile; what lies beyond `columns` becomes 0.

    Arguments: any number of the elements' type, two addresses, and the number of columns.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _, source, destination, columns = arguments
        lanes = _Lanes(builder, signature.args[0])
        everywhere = ir.Constant(lanes.truths, [1] * lanes.count)
        for v in range(VECTORS):
            step = ir.Constant(_WORD, REGISTER * v)
            values = lanes.load(builder.add(source, step), lanes.mask(columns, lanes.count * v))
            lanes.store(values, builder.add(destination, step), everywhere)
        return context.get_dummy_value()

    return types.void(kind, types.intp, types.intp, types.intp), generate


def _turn(
    typing_context: Any, kind: Any, source: Any, source_apart: Any, destination: Any,
    destination_apart: Any, rows: Any, columns: Any,
) -> Any:  # fmt: skip
    """Generate: copy a square as wide as a register, rows becoming columns.

    Arguments: any number of the elements' type; the addresses of source and destination, each with
    its distance from row to row in bytes; how many rows and columns of the source there are.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source, source_apart, destination, destination_apart, rows, columns = arguments[1:]
        lanes = _Lanes(builder, signature.args[0])
        count = lanes.count
        nothing = ir.Constant(lanes.truths, [0] * count)

        def line(base: Any, apart: Any, row: int) -> Any:
            return builder.add(base, builder.mul(apart, ir.Constant(_WORD, row)))

        def mask(row: int, rows: Any, of_row: Any) -> Any:
            is_there = builder.icmp_signed("<", ir.Constant(_WORD, row), rows)
            return builder.select(is_there, of_row, nothing)

        of_source, of_destination = lanes.mask(columns, 0), lanes.mask(rows, 0)
        vectors = [
            lanes.load(line(source, source_apart, r), mask(r, rows, of_source))
            for r in range(count)
        ]
        # Blocks of `half` rows and columns change places across the diagonal, halving each time.
        half = count // 2
        while half:
            low = [k if k % (2 * half) < half else k - half + count for k in range(count)]
            high = [k + half if k % (2 * half) < half else k + count for k in range(count)]
            for r in range(count):
                if r % (2 * half) < half:
                    pair = vectors[r], vectors[r + half]
                    for place, order in ((r, low), (r + half, high)):
                        numbers = ir.Constant(ir.VectorType(_COUNT, count), order)
                        vectors[place] = builder.shuffle_vector(*pair, numbers)
            half //= 2
        for r, vector in enumerate(vectors):
            place = line(destination, destination_apart, r)
            lanes.store(vector, place, mask(r, columns, of_destination))
        return context.get_dummy_value()

    return types.void(kind, *[types.intp] * 6), generate


copy_row: Callable[..., None] = intrinsic(_copy_row)
turn: Callable[..., None] = intrinsic(_turn)
