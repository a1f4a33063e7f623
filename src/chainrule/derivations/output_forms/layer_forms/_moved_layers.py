"""Layers that are another one moved by a number: ``layer(z) + bias`` and ``bias - layer(z)``.

What is found of the other layer holds with ``a - bias`` for ``a``; sought of the whole, it would
be sought among powers of ``a - bias`` multiplied out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from chainrule.derivations.algebra._arithmetic import (
    ZERO,
    add,
    multiply,
    negate,
    rebuilt,
    signs_outside,
    subtract,
    sums_joined,
    terms_of,
    total,
    written_length,
)
from chainrule.derivations.output_forms.layer_forms._affine_layers import affine_parts, is_number
from chainrule.formulas import Apply, Expression, Variable, substitute

_A = Variable("a")


@dataclass(frozen=True)
class MovedLayer:
    """A layer moved by a number, or taken from one.

    Parameters
    ----------
    layer : Expression
        In `z`.
    shift : Expression
        Without variables.
    is_taken : bool
        Whether the layer is taken from the number instead of added to it.
    """

    layer: Expression
    shift: Expression
    is_taken: bool = False

    def moved(self, layer: Expression) -> Expression:
        """Return the whole, with another way to write the layer."""
        return sums_joined(subtract(self.shift, layer) if self.is_taken else add(layer, self.shift))

    def of_output(self, e: Expression) -> Expression:
        """Return what is written in the layer's output in that of the whole."""
        inside = subtract(_A, self.shift)
        if not self.is_taken:
            return _written(e, inside)
        ways = (_written(e, negate(inside)), _written(e, subtract(self.shift, _A)))
        return min(ways, key=written_length)

    def product(self, product: Expression) -> Expression:
        """Return ∂J/∂z of the whole from that of the layer."""
        return self.of_output(negate(product) if self.is_taken else product)


def _written(e: Expression, output: Expression) -> Expression:
    known: dict[Expression, Expression] = {_A: output}
    return sums_joined(signs_outside(rebuilt(substitute(e, known.get))))


def moved_layer(e: Expression) -> MovedLayer | None:
    """Return the layer that an expression moves by a number; None if there is no such number.

    Examples
    --------
    >>> from chainrule.formulas import parse, to_text
    >>> moved = moved_layer(parse("2 - 3*exp(z)/sum(exp(z))").expression)
    >>> to_text(moved.layer), to_text(moved.of_output(Variable("a")))
    ('3*exp(z)/sum(exp(z))', '2 - a')
    """
    terms = list(terms_of(e))
    numbers = list(filter(is_number, terms))
    if not numbers:
        layer, factor, shift = affine_parts(e)
        return None if shift == ZERO else MovedLayer(multiply(factor, layer), shift)
    number, rest = total(numbers), total(term for term in terms if term not in numbers)
    inner = moved_layer(rest)
    if inner is not None:
        return replace(inner, shift=add(inner.shift, number))
    match rest:
        case Apply("negate", (layer,)):
            return MovedLayer(layer, number, is_taken=True)
    return MovedLayer(rest, number)
