"""Layers that their output tells, by what a shift of all units does to it, or by those that are on.

What is claimed is attacked: by the sign of the Jacobian's determinant at many layers, of equal
units too, and by layers that are moved where the outputs do not show it.
"""

from __future__ import annotations

import random

import mpmath
import pytest
from tests.cases import some_of
from tests.formulas.language import layer_values

from chainrule.catalogue import activation_formula
from chainrule.derivations import backward_graph, derive, evaluate_layer
from chainrule.derivations.output_forms.layer_forms import _rectified_layers
from chainrule.derivations.pieces._pieces import TooManyPiecesError

_ADDED = [  # one number to all units
    "z/2 - log(1 + sum(exp(where(z > 0, z, exp(z) - 1))))/2",
    "z + 1/(1 + mean(z)**2)",
    "z*abs(z) + 1/(1 + mean(z**2)**2)",
    "log(1 + exp(z)) + 1/(1 + mean(tanh(z))**2)",
    "exp(z) - 1/(1 + max(exp(-z**2))**2)",
    "sinh(z) + sqrt(1 + mean(abs(z))**2)",
    "z - log(1 + mean(z**2))",
]
_MULTIPLIED = [
    "exp(z)*(1/2 + sinh(z))*sum(cosh(z))",
    "z*(2 + tanh(mean(z)))",
    "erf(z)/(1 + mean(erf(z)**2))",
    "tanh(z)*log(mean(cosh(z)))",
    "sinh(z)*(2 - mean(tanh(z)))",
    "sinh(z)/(1 + sum(abs(z)))",
    "z*abs(z)*sqrt(1 + mean(z)**2)",
    "z*abs(z)/exp(mean(tanh(z)))",
    "exp(z)/sqrt(1 + mean(exp(-z**2))**2)",
    "z/(1 + abs(z))/(1 + min(tanh(z)))",
    "max(z, z/10)*exp(min(exp(z)))",
    "sinh(z)/min(exp(z))",
    "(1 - 1/exp(sqrt(sum(z**2))))*(z/(sqrt(sum(z**2)) + 1/10))",
    "z*sqrt(1 + max(z) - min(z))",
    "z*tanh(sqrt(sum(z**2) + 1/100000))/sqrt(sum(z**2) + 1/100000)",
]
_DIVIDED = [  # by what grows more slowly than the dividend
    "sinh(z)/sum(cosh(z))",
    "z/(1 + sum(sqrt(1 + z**2)))",
    "(z + z**3)/(2 + mean(log(1 + z**2)))",
]
_SHARES = [  # of a sum or an extreme, which the output tells
    "exp(z)/(sum(exp(z)) + exp(-z))",
    "exp(2*z)/(1 + exp(z) + mean(exp(z)))",
    "exp(2*z)/(sum(exp(2*z)) + exp(z))",
    "z*exp(z/(1 + sqrt(sum(z**2))))",
    "z*exp(z/(1 + max(abs(z))))",
]
_OFF_TOGETHER = [  # all units, or none
    "exp(z)*max(mean(z) - 1, 0)",
    "max(0, max(z))/(1 + exp(-z))",
    "max(sum(z**3), 0)/(1 + exp(-z))",
    "exp(-z)*min(sum(z), 0)",
    "exp(z)*max(sum(exp(z)) - 3, 0)**2",
    "sinh(z)*max(mean(abs(z)) - 1, 0)",
    "tanh(z)*max(max(z**2) - 1/4, 0)**2",
    "atan(z)*max(sum(log(1 + z**2)) - 2, 0)",
]
_ZERO_WITH_ONE_UNIT = ["z**3*min(abs(z))", "(z + sin(z)/2)*min(max(z, 0))"]
_CENTRED = [  # of units around their mean or an extreme
    "tanh(z - mean(z)) + mean(z)",
    "tanh(z - mean(z)) - mean(z)/3 + 2*max(z - mean(z))",
    "erf(z - max(z)) + 3*max(z) - sum((z - max(z))**2)",
]
_RECTIFIED = [  # told by the units that are on
    "max(z + z**3 - max(z), 0)",
    "max(max(z, z/10) - (1 + max(tanh(z))), 0)",
    "max(z*abs(z) - exp(max(tanh(z))), 0)",
    "max(-z - z**3 - max(-z), 0)",
    "max(z*abs(z) - sqrt(1 + max(max(z, 0))**2), 0)",
]
_NEVER_ON = [
    "max(tanh(z) - (1 + max(exp(z))), 0)",
    "max(exp(-abs(z)) - (1 + max(z**2)), 0)",
    "max(1/(1 + exp(-z)) - exp(mean(exp(-z**2))), 0)",
    "max(z/(1 + abs(z)) - sum(exp(z))/2, 0)",
    "max(z - max(z), 0)",
    "max(min(max(z, -1), 1) - sqrt(1 + min(exp(z))**2), 0)",
]
_NOT_TOLD = [
    # One root for small layers, another for large ones, told apart by no layer of usual size.
    "z/(1/10000 + sum(z**2))",
    "z/(10000 + sum(z**2))",
    "z/(1000000 + mean(z**2))",
    "z/(1/1000000 + max(abs(z))**2)",
    "tanh(z - mean(z)) + sin(mean(z))",  # of which a shift changes the derivative
    "sin(z - mean(z)) + mean(z)",
    "max(z + 1 - max(where(z >= 0, z, 0))/2, 0)",  # a zero passes a slope back
    "z + 2/(1 + mean(z)**2)",  # falls where the mean is about 1/2
    "z - 2/(1 + mean(z)**2)",
    "z/(1 + mean(z**2))",
    "z/(1 + sum(z**2)/9)",
    "tanh(z)/(1 + 4*mean(tanh(z)**2))",
    "z + 3*tanh(min(-z))",
    "z*(1 + tanh(3*mean(z)))",
    "exp(z) + 3/(1 + max(z**2))",
    "z*where(max(z) >= 0, max(z), -max(z))",  # where the largest is 0, its slope is not
    "z*max(where(z >= 0, z, 0))",
    "where(z == 0, 5, z) + mean(z)",  # a unit that is 0 gives out what another does
    "z*(1 + where(max(abs(z)) == 1, 5, max(abs(z))))",
    "z + where(mean(z) == 1, 5, mean(z))",
    "max(z - mean(tanh(z))/2, 0)",  # units that are off have a part in the mean
    "max(z - max(z**2), 0)",
    "max(tanh(z) - max(max(z, -1)), 0)",
    "exp(z)*max(1 - mean(z), 0)",  # as all units grow, outputs grow and fall
    "z*exp(2*z/(1 + max(abs(z))))",
    "sinh(z)*max(1 - mean(abs(z)), 0)",
    "sinh(z)*(mean(abs(z)) - 1)",
    "tanh(z)*max(mean(z) - 1, 0)",
    "cosh(z)*max(mean(abs(z)) - 1, 0)",
    "exp(z)*sqrt(max(mean(z) - 1, 0))",  # with an infinite slope where all units go off
]


def _jacobian(expression, z):
    step, columns = mpmath.mpf("1e-15"), []
    for j in range(len(z)):
        one, other = (
            layer_values(expression, {"z": [x + h * (k == j) for k, x in enumerate(z)]})
            for h in (step, -step)
        )
        columns.append([(x - y) / (2 * step) for x, y in zip(one, other, strict=True)])
    return mpmath.matrix(columns).T


@pytest.mark.parametrize(
    "text", [*some_of([*_ADDED, *_MULTIPLIED, *_CENTRED], 3), *_DIVIDED, *_SHARES]
)
def test_no_fold_lies_where_it_is_claimed_that_outputs_tell_the_layer(text):
    """The determinant of the Jacobian, by differences, has one sign at any layer."""
    formula = activation_formula(text)
    derivation = derive(formula)
    assert derivation.product_from_output is not None or derivation.determined_by_output
    assert derivation.layer_witness is None
    drawn, signs = random.Random(6), set()
    with mpmath.workdps(150):
        for units in (1, 2, 3, 6):
            for scale in (0.2, 1, 3) * 4:
                z = [mpmath.mpf(drawn.gauss(scale - 1, scale)) for _ in range(units)]
                signs.add(int(mpmath.sign(mpmath.det(_jacobian(formula.expression, z)))))
        for place in range(-60, 60):
            z = [mpmath.mpf(place + 0.3) / 12] * 2
            signs.add(int(mpmath.sign(mpmath.det(_jacobian(formula.expression, z)))))
    assert len(signs) == 1


@pytest.mark.parametrize("text", _OFF_TOGETHER)
def test_layers_of_which_all_units_are_off_have_no_slope_and_others_no_fold(text):
    """The determinant of the Jacobian has one sign where outputs are not 0."""
    formula = activation_formula(text)
    derivation = derive(formula)
    proof = derivation.determined_by_output
    assert derivation.product_from_output is not None or "not 0" in proof or "all 0" in proof
    drawn, signs = random.Random(7), set()
    with mpmath.workdps(80):
        for units in (1, 2, 3, 6) * 8:
            z = [mpmath.mpf(drawn.gauss(0, 2)) for _ in range(units)]
            jacobian = _jacobian(formula.expression, z)
            if any(layer_values(formula.expression, {"z": z})):
                signs.add(int(mpmath.sign(mpmath.det(jacobian))))
            else:
                assert not any(jacobian)
                signs.add(0)
    assert len(signs) == 2
    assert 0 in signs


@pytest.mark.parametrize("text", _RECTIFIED)
def test_units_that_are_on_are_told_by_their_outputs(text):
    """Among layers of two units, on a grid, outputs of two that are on are never the same."""
    formula = activation_formula(text)
    derivation = derive(formula)
    assert derivation.determined_by_output
    assert derivation.layer_witness is None
    grid, found = [mpmath.mpf(k) / 7 for k in range(-25, 26)], {}
    for x in grid:
        for y in grid:
            outputs = layer_values(formula.expression, {"z": [x, y]})
            if all(outputs):
                key = tuple(mpmath.nstr(a, 12) for a in outputs)
                assert key not in found, (found[key], (x, y))
                found[key] = x, y
    assert found


@pytest.mark.parametrize("text", _RECTIFIED)
def test_units_that_are_off_may_be_anywhere(text):
    """They change neither an output nor a slope; a sign turns round what is meant by off."""
    expression = activation_formula(text).expression
    side = -1 if "-z" in text else 1
    drawn, on = random.Random(8), 0
    with mpmath.workdps(45):
        for _ in range(60):
            z = [mpmath.mpf(side * drawn.gauss(1, 1.5)) for _ in range(3)]
            outputs = layer_values(expression, {"z": z})
            moved = [x if a else x - side for x, a in zip(z, outputs, strict=True)]
            on += any(outputs) and moved != z
            assert layer_values(expression, {"z": moved}) == outputs
            assert mpmath.norm(_jacobian(expression, moved) - _jacobian(expression, z)) < 1e-9
    assert on


@pytest.mark.parametrize("text", _ZERO_WITH_ONE_UNIT)
def test_one_unit_that_is_zero_makes_all_outputs_zero_with_their_slopes(text):
    """As slopes at kinks are taken: sign(0) = 0. Elsewhere the determinant keeps its sign."""
    formula = activation_formula(text)
    derivation = derive(formula)
    assert derivation.determined_by_output
    assert derivation.layer_witness is None
    product = backward_graph(derivation.graph)[0].expression()
    drawn, signs = random.Random(9), set()
    with mpmath.workdps(45):
        for _ in range(40):
            z = [mpmath.mpf(drawn.gauss(0.7, 1)) for _ in range(3)]
            if any(layer_values(formula.expression, {"z": z})):
                signs.add(int(mpmath.sign(mpmath.det(_jacobian(formula.expression, z)))))
            z[0], g = mpmath.mpf(0), [mpmath.mpf(k + 1) for k in range(3)]
            assert not any(layer_values(formula.expression, {"z": z}))
            assert not any(evaluate_layer(product, {"z": z, "g": g}))
    assert len(signs) == 1


@pytest.mark.parametrize("text", _NEVER_ON)
def test_layers_that_are_never_on_have_no_slope(text):
    formula = activation_formula(text)
    form = derive(formula).product_from_output
    assert form is not None
    assert str(derive(formula))
    drawn = random.Random(7)
    for units in (1, 2, 5, 40):
        for scale in (0.1, 1, 5, 20):
            z = [mpmath.mpf(drawn.gauss(0, scale)) for _ in range(units)]
            assert not any(layer_values(formula.expression, {"z": z}))
            known = {"a": [mpmath.mpf(0)] * units, "g": [mpmath.mpf(1)] * units}
            assert not any(layer_values(form, known))


@pytest.mark.long
@pytest.mark.parametrize("text", _NOT_TOLD)
def test_what_is_not_told_is_not_claimed_to_be(text):
    derivation = derive(activation_formula(text))
    assert derivation.product_from_output is None
    assert not derivation.determined_by_output


def test_a_layer_that_has_too_many_pieces_is_not_told(monkeypatch):
    """Nothing is claimed of it, and nothing raised."""

    def too_many(formula):
        raise TooManyPiecesError

    monkeypatch.setattr(_rectified_layers, "smooth_pieces", too_many)
    expression = activation_formula("max(z + z**3 - max(z), 0)").expression
    assert not _rectified_layers.is_never_on(expression, {})
    assert not _rectified_layers.is_told_by_those_on(expression, {})
