"""Forms compared with the chain rule at many layers, whose outputs are the same for every form."""

from __future__ import annotations

import random
from functools import lru_cache
from itertools import product as product_of
from typing import Any

import mpmath

from chainrule.derivations._evaluate import LayerProgram
from chainrule.derivations._scales import scales_of
from chainrule.derivations.layers._boundaries import layers_of_every_choice
from chainrule.derivations.layers._vector_jacobian import SEED
from chainrule.formulas import Apply, Expression, Formula, subexpressions

_COUNTS, _OF_MANY_UNITS = (2, 3, 5), ((0.3, 2, 600), (0.3, -2, 600))
_SCALES, _MOVED, _DIGITS = (0.3, 3.0, 20.0), (0, 2, -2, 9, -9), 120


def agrees_at_many(formula: Formula, form: Expression, product: Expression) -> bool:
    """Compare with the chain rule at layers near and far, moved up and down.

    Whether a layer of the output has the same derivative may depend on where the layer lies: on
    which side of a number, say, its units are; so every choice is made either way. And a sum over
    many units may outweigh what it is added to, which one over a few does not.
    """
    parameters = dict(formula.parameters)
    written = LayerProgram(form)
    checked = 0
    with mpmath.workdps(_DIGITS):
        for k in range(len(_layers_and_slopes(formula))):
            a, g, wanted = _passed_back(formula, product, k)
            if not all(map(mpmath.isfinite, (*a, *wanted))):
                continue
            got = written({**parameters, SEED: g, "a": a})
            size_of = 1 + max(map(abs, wanted))
            if not all(abs(x - y) < 1e-12 * size_of for x, y in zip(got, wanted, strict=True)):
                return False
            checked += 1
    return checked > 0


@lru_cache(maxsize=4)
def _layers_and_slopes(formula: Formula) -> list[tuple[list[Any], list[Any]]]:
    """Return layers near and far, moved up and down, and ∂J/∂a for each."""
    parameters = dict(formula.parameters)
    parts = subexpressions(formula.expression)
    has_sum = any(isinstance(e, Apply) and e.operation == "sum" for e in parts)
    many = _OF_MANY_UNITS if has_sum else ()
    drawn = random.Random(0)
    far = product_of(scales_of(formula.expression, parameters), (0, 1), (2, 3))
    layers = [
        [mpmath.mpf(shift + scale * drawn.gauss(0, 1)) for _ in range(units)]
        for scale, shift, units in (*product_of(_SCALES, _MOVED, _COUNTS), *many, *far)
    ]
    layers += layers_of_every_choice(formula)
    return [(z, [mpmath.mpf(drawn.gauss(0, 1)) for _ in z]) for z in layers]


@lru_cache(maxsize=256)
def _passed_back(
    formula: Formula, product: Expression, k: int
) -> tuple[list[Any], list[Any], list[Any]]:
    """Return outputs of the k-th layer, ∂J/∂a, and ∂J/∂z: the same for every form of it."""
    parameters = dict(formula.parameters)
    z, g = _layers_and_slopes(formula)[k]
    a = _program(formula.expression)({**parameters, "z": z})
    return a, g, _program(product)({**parameters, SEED: g, "z": z, "a": a})


_program = lru_cache(maxsize=8)(LayerProgram)
