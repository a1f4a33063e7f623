"""Layers some of whose entries are -infinity, as masks are made: these have no part in anything."""

import numpy as np
import pytest
from tests.cases import some_of
from tests.kernels.native import call

import chainrule
from chainrule.kernels import cost_kernels

SOFTMAX = "exp(z)/sum(exp(z))"
ROW = (1.0, -np.inf, 2.0, 0.5)
HERE = [0, 2, 3]
SHARED = f"-sum({SOFTMAX}*log({SOFTMAX}))"
FORMULAS = [
    "z*exp(z)/sum(exp(z))",
    "z**2*exp(z)/sum(exp(z))",
    "tanh(z)*exp(z)/sum(exp(z))",
    "sum(z*exp(z))/sum(exp(z))",
    f"{SOFTMAX}*log({SOFTMAX})",
    f"sqrt({SOFTMAX})",
    f"({SOFTMAX})**1.5",
    SHARED,
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("text", some_of(FORMULAS, 3))
def test_masked_units_have_no_part_in_a_layer(text: str, dtype: str) -> None:
    """Value and slope of the others are as they are without them, and their own are 0."""
    layer = chainrule.activation(text)
    z, da = np.array([ROW], dtype), np.array([[1.0, -0.5, 3.0, 0.25]], dtype)
    is_shared = text.startswith(("sum", "-sum"))
    if is_shared:  # what every unit receives comes from the masked one, too
        da[0, 1] = 0
    value, slope = layer(z), layer.backward(da, z)
    without = z[:, HERE].copy(), da[:, HERE].copy()
    tolerance = 8 * np.finfo(dtype).eps
    np.testing.assert_allclose(value[:, HERE], layer(without[0]), rtol=tolerance)
    np.testing.assert_allclose(
        slope[:, HERE], layer.backward(without[1], without[0]), rtol=tolerance, atol=tolerance
    )
    assert slope[0, 1] == 0
    assert is_shared or value[0, 1] == 0


def test_a_unit_that_is_no_number_reaches_its_whole_row() -> None:
    """What is left out of a product is infinite, never NaN."""
    layer = chainrule.activation("z*exp(z)/sum(exp(z))")
    z = np.array([[1.0, np.nan, 2.0], [0.5, 1.0, 1.5]])
    assert np.isnan(layer(z)).tolist() == [[True] * 3, [False] * 3]
    assert np.isnan(layer.backward(np.ones_like(z), z)).tolist() == [[True] * 3, [False] * 3]


def test_a_cost_of_masked_units_is_that_of_the_others() -> None:
    """Here one with an entropy of the shares that reach it."""
    softmax, cost = chainrule.activation("softmax"), chainrule.cost("sum(a*log(a) + (a - y)**2)")
    kernels = cost_kernels(softmax.formula, cost.formula, np.float64)
    z, y = np.array([ROW]), np.array([[0.25, 0.0, 0.25, 0.5]])
    without = z[:, HERE].copy(), y[:, HERE].copy()
    both = (kernels.value, kernels.gradient)
    value, slope = (call(kernel, z, y, np.empty_like(z)) for kernel in both)
    others = [call(kernel, *without, np.empty_like(without[0])) for kernel in both]
    np.testing.assert_allclose(value.flat[0], others[0].flat[0], rtol=1e-14)
    np.testing.assert_allclose(slope[:, HERE], others[1], rtol=1e-14)
    assert slope[0, 1] == 0
