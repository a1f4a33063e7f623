"""Every named activation is derived in good time, and its backward pass is right to 25 digits."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from tests.cases import bounded
from tests.catalogue.definitions import ELEMENTWISE, LAYER_COUPLED
from tests.formulas.language import UndefinedError, central_difference, layer_values, value_at

from chainrule.catalogue import activation_formula
from chainrule.derivations import derive

LONGEST = 5.0


def places(kinks: tuple[float, ...]) -> list[float]:
    drawn = np.random.default_rng(11).uniform(-6, 6, 25).tolist()
    return [z for z in (*drawn, -30.0, 30.0) if all(abs(z - kink) > 1e-3 for kink in kinks)]


@pytest.mark.long
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_the_derivative_of_a_function_is_that_of_its_definition(name):
    """Differences of the definition, which stands in these tests, at places between the kinks."""
    definition, formula = ELEMENTWISE[name], activation_formula(name)
    with bounded(LONGEST):
        derivation = derive(formula)
        derivation.document.to_text()
    edges = [b.place for b in derivation.pieces.breakpoints]
    compared = 0
    with mpmath.workdps(90):
        for z in map(mpmath.mpf, places(definition.kinks)):
            wanted = central_difference(definition.function, z)
            piece = derivation.pieces.pieces[sum(z > edge for edge in edges)]
            try:
                got = value_at(piece.derivative, z, dict(formula.parameters))
            except UndefinedError:
                continue
            assert abs(got - wanted) <= mpmath.mpf(10) ** -25 * (1 + abs(wanted)), z
            compared += 1
    assert compared >= 20


@pytest.mark.parametrize("name", LAYER_COUPLED)
def test_the_backward_pass_of_a_layer_is_that_of_its_definition(name):
    """∂J/∂z_j for a random ∂J/∂a, against differences of Σ_p ∂J/∂a_p a_p."""
    definition, formula = LAYER_COUPLED[name], activation_formula(name)
    with bounded(LONGEST):
        derivation = derive(formula)
        derivation.document.to_text()
    if name == "hardmax":  # nothing is passed back
        assert "∂J/∂Z = 0" in derivation.document.to_text()
        return
    rng = np.random.default_rng(12)
    with mpmath.workdps(90):
        for _ in range(5):
            z, g = (list(map(mpmath.mpf, rng.uniform(-3, 3, 4))) for _ in range(2))
            units = {"z": z, "a": definition(z), "g": g}
            got = layer_values(derivation.product, units, dict(formula.parameters))
            for j in range(4):

                def cost(x, z=z, g=g, j=j):
                    return mpmath.fdot(g, definition([*z[:j], x, *z[j + 1 :]]))

                wanted = central_difference(cost, z[j])
                assert abs(got[j] - wanted) <= mpmath.mpf(10) ** -25 * (1 + abs(wanted))
