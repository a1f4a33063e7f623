"""Vector instructions that Numba's loops do not reach: tiles of a product, and transposition.

A tile keeps a small block of the product in registers over the whole depth, and asks for memory
only once an element. Edges are masked, so that no array needs padding.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
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
        """Store a vector: all of it where there is no mask."""
        if mask is None:
            self.builder.store(value, self.pointer(address), align=1)
            return
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


@dataclass(frozen=True)
class _Matrix:
    """Where a matrix lies, and how far its rows are apart, in bytes: values of the builder."""

    place: Any
    apart: Any

    def from_row(self, builder: Any, row: Any) -> _Matrix:
        return _Matrix(builder.add(self.place, builder.mul(row, self.apart)), self.apart)


def strip(
    heights: tuple[int, ...],
    vectors: int,
    *,
    down: bool,
    whole: bool = False,
    a_apart: tuple[int, int] | None = None,
) -> Callable[..., None]:
    """Return a compiled function that fills rows of ``C = start + A @ B``, as wide as a tile.

    All of it is one piece of generated code: as functions of Numba's, tiles of several heights
    would take a second to compile.

    Parameters
    ----------
    heights : tuple of int
        Of the tiles, descending to 1: each is taken as often as it fits into what is left.
    vectors : int
        The tiles' width in registers.
    down : bool
        Whether the elements of a row of A lie below one another: A is a transposed matrix.
    whole : bool
        Whether rows of B are as wide as the tile, if those of C are not: a masked load takes the
        place of a multiplication.
    a_apart : tuple of (int, int), optional
        The distance of A, in elements and bytes that are added, where it is always the same: then
        no instructions compute addresses.

    Returns
    -------
    callable
        Its first argument is any number of the elements' type. The others are the rows and columns
        of C and the depth, at least 1; then addresses and distances in bytes: A with its distance
        from a row of C to the next, and from row to row or, for a transposed matrix, from one depth
        to the next; B, C and start, each with its distance from row to row.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        rows, columns, depth, a, a_row, a_distance, *others = arguments[1:]
        lanes = _Lanes(builder, signature.args[0])
        if a_apart is not None:
            a_distance = _number(a_apart[0] * lanes.item + a_apart[1])
        masks = [lanes.mask(columns, lanes.count * v) for v in range(vectors)]
        B, C, start = (_Matrix(*others[k : k + 2]) for k in (0, 2, 4))
        done = _number(0)
        for height in heights:
            before = builder.block
            another, inside, after = map(builder.append_basic_block, ("another", "tile", "after"))
            builder.branch(another)
            builder.position_at_end(another)
            row = builder.phi(_WORD)
            row.add_incoming(done, before)
            following = builder.add(row, _number(height))
            builder.cbranch(builder.icmp_signed("<=", following, rows), inside, after)
            builder.position_at_end(inside)
            A = _Matrix(builder.add(a, builder.mul(row, a_row)), a_distance)
            from_row = (M.from_row(builder, row) for M in (C, start))
            _fill_tile(lanes, height, masks, depth, A, B, *from_row, down=down, whole=whole)
            row.add_incoming(following, builder.block)
            builder.branch(another)
            builder.position_at_end(after)
            done = row
        return context.get_dummy_value()

    def typed(  # one name for each argument: Numba reads the signature
        typing_context: Any, kind: Any, rows: Any, columns: Any, depth: Any, a: Any, a_row: Any,
        a_apart: Any, b: Any, b_apart: Any, c: Any, c_apart: Any, start: Any, start_apart: Any,
    ) -> Any:  # fmt: skip
        return types.void(kind, *[types.intp] * 12), generate

    made: Callable[..., None] = intrinsic(typed)
    return made


def _fill_tile(
    lanes: _Lanes, rows: int, masks: list[Any], depth: Any, A: _Matrix, B: _Matrix, C: _Matrix,
    start: _Matrix, *, down: bool, whole: bool,
) -> None:  # fmt: skip
    """Generate a tile that stays in registers for all terms."""
    builder, vectors = lanes.builder, len(masks)

    def places(M: _Matrix) -> list[Any]:
        lines = [M.from_row(builder, _number(r)).place for r in range(rows)]
        return [builder.add(x, _number(REGISTER * v)) for x in lines for v in range(vectors)]

    across = masks * rows
    first = [lanes.load(place, mask) for place, mask in zip(places(start), across, strict=True)]
    before, loop = builder.block, builder.append_basic_block("depth")
    builder.branch(loop)
    builder.position_at_end(loop)
    k = builder.phi(_WORD)
    sums = [builder.phi(lanes.vector) for _ in first]
    of_row = B.from_row(builder, k).place
    of_b = [
        lanes.load(builder.add(of_row, _number(REGISTER * v)), None if whole else mask)
        for v, mask in enumerate(masks)
    ]
    results = []
    for r in range(rows):
        if down:
            place = builder.add(A.from_row(builder, k).place, _number(r * lanes.item))
        else:
            row = A.from_row(builder, _number(r)).place
            place = builder.add(row, builder.mul(k, _number(lanes.item)))
        of_a = lanes.everywhere(place)
        for v in range(vectors):
            results.append(lanes.multiply_add(of_a, of_b[v], sums[r * vectors + v]))
    following = builder.add(k, _number(1))
    for phi, initial, result in [
        (k, _number(0), following),
        *zip(sums, first, results, strict=True),
    ]:
        phi.add_incoming(initial, before)
        phi.add_incoming(result, loop)
    done = builder.append_basic_block("done")
    builder.cbranch(builder.icmp_signed("<", following, depth), loop, done)
    builder.position_at_end(done)
    for result, place, mask in zip(results, places(C), across, strict=True):
        lanes.store(result, place, mask)


def _number(value: int) -> Any:
    return ir.Constant(_WORD, value)


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


def _turn(*, whole: bool) -> Callable[..., None]:
    """Return a compiled function that copies a square as wide as a register, rows as columns.

    Its arguments are any number of the elements' type; the addresses of source and destination,
    each with its distance from row to row in bytes; how many rows and columns of the source there
    are, all of them where the square is whole.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source, source_apart, destination, destination_apart, rows, columns = arguments[1:]
        lanes = _Lanes(builder, signature.args[0])
        count = lanes.count
        nothing = ir.Constant(lanes.truths, [0] * count)
        of_source = None if whole else lanes.mask(columns, 0)
        of_destination = None if whole else lanes.mask(rows, 0)

        def mask(row: int, rows: Any, of_row: Any) -> Any:
            if whole:
                return None
            is_there = builder.icmp_signed("<", _number(row), rows)
            return builder.select(is_there, of_row, nothing)

        here, there = _Matrix(source, source_apart), _Matrix(destination, destination_apart)
        vectors = [
            lanes.load(here.from_row(builder, _number(r)).place, mask(r, rows, of_source))
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
            place = there.from_row(builder, _number(r)).place
            lanes.store(vector, place, mask(r, columns, of_destination))
        return context.get_dummy_value()

    def typed(
        typing_context: Any, kind: Any, source: Any, source_apart: Any, destination: Any,
        destination_apart: Any, rows: Any, columns: Any,
    ) -> Any:  # fmt: skip
        return types.void(kind, *[types.intp] * 6), generate

    made: Callable[..., None] = intrinsic(typed)
    return made


copy_row: Callable[..., None] = intrinsic(_copy_row)
turn, turn_whole = _turn(whole=False), _turn(whole=True)
