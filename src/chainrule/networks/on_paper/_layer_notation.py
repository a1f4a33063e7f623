"""How the matrices of a network are written: names with their layer, shapes, products."""

from __future__ import annotations

from dataclasses import dataclass

from chainrule.documents import symbol
from chainrule.formulas import REDUCTIONS, Apply, Expression, Variable, constant, substitute

UNITS_OF_BLOCK = symbol("n_k")


@dataclass(frozen=True)
class Notation:
    """The notation of a network's matrices.

    Parameters
    ----------
    sizes : tuple of int
    batch : int or None
        The number of examples; None leaves it `m`.
    axis : int
        The axis of the units: -1 where rows are examples, 0 where columns are.
    has_blocks : bool
        Whether the output layer falls into several blocks, each with a number of units of its own.
    """

    sizes: tuple[int, ...]
    batch: int | None
    axis: int
    has_blocks: bool = False

    @property
    def examples_are_columns(self) -> bool:
        """Whether an example is a column."""
        return self.axis == 0

    def matrix(self, name: str, layer: str) -> Variable:
        """Return ``Z[l]`` and the like."""
        return symbol(f"{name}[{layer}]")

    def units(self, layer: str) -> str:
        """Return the number of units of a layer, or its symbol in a general equation."""
        return str(self.sizes[int(layer)]) if layer.isdigit() else f"n[{layer}]"

    def shape(self, name: str, layer: str) -> str:
        """Return the shape of a matrix, as ``200×64``."""
        width = self.units(layer)
        batch = "m" if self.batch is None else str(self.batch)
        other = {"W": self.units(before(layer)), "b": "1"}.get(name, batch)
        return f"{width}×{other}" if self.examples_are_columns else f"{other}×{width}"

    def product(self, left: Expression, right: Expression) -> Expression:
        """Return a matrix product, given in the order in which it stands for columns."""
        ordered = (left, right) if self.examples_are_columns else (right, left)
        return Apply("matrix_product", ordered)

    def over_units(self, operation: str) -> str:
        """Name a reduction over the units by its axis."""
        return f"{operation}_{'0' if self.examples_are_columns else '1'}"

    def sum_over_examples(self, e: Expression) -> Expression:
        """Return the sum over the examples."""
        return Apply(f"sum_axis_{'1' if self.examples_are_columns else '0'}", (e,))

    def of_layer(self, expression: Expression, layer: str) -> Expression:
        """Name the matrices of a derivation's equation after a layer."""

        def named(e: Expression) -> Expression | None:
            if isinstance(e, Variable) and (e.name in ("A", "Z") or e.name.startswith("H")):
                return self.matrix(e.name, layer)
            if isinstance(e, Apply) and e.operation == "count":
                if self.has_blocks and layer == str(len(self.sizes) - 1):
                    return UNITS_OF_BLOCK
                width = self.units(layer)
                return constant(int(width)) if width.isdigit() else symbol(width)
            if isinstance(e, Apply) and e.operation.removesuffix("_axis") in REDUCTIONS:
                inner = substitute(e.arguments[0], named)
                return Apply(self.over_units(e.operation), (inner,))
            return None

        return substitute(expression, named)


def before(layer: str) -> str:
    """Return the layer before: ``2 -> 1``, ``l -> l-1``."""
    return str(int(layer) - 1) if layer.isdigit() else f"{layer}-1"
