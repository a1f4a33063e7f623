"""Value and slope in one pass, and the backward pass from the slope that was kept."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.cases import some_of

import chainrule
from chainrule.derivations import evaluate
from chainrule.kernels import ArrayError, NoSlopeError

NAMES = ["sigmoid", "tanh", "mish", "gelu", "elu", "relu", "softplus", "swish_beta", "isru"]
MANY = 300_003


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", some_of(NAMES, 3))
def test_both_are_what_the_two_passes_give(name, dtype):
    """Bit for bit: they are the same functions, computed side by side."""
    function = chainrule.activation(name)
    z = np.random.default_rng(3).normal(scale=4, size=(37, 11)).astype(dtype)
    z.flat[:5] = 0, np.inf, -np.inf, np.nan, -0.0
    a, slope = function.forward_with_slope(z)
    np.testing.assert_array_equal(a, function(z))
    np.testing.assert_array_equal(slope, function.backward(np.ones_like(z), z))


def test_the_slope_is_the_derivative():
    """A formula nobody named, against differences in 50 digits."""
    function = chainrule.activation("z*exp(-alpha*z**2) + log(1 + exp(z))", alpha=0.3)
    z = np.linspace(-9, 9, 41)
    _, slope = function.forward_with_slope(z)
    with mpmath.workdps(50):
        alpha = {"alpha": mpmath.mpf(0.3)}
        for place, got in zip(z.tolist(), slope.tolist(), strict=True):
            true = mpmath.diff(
                lambda x: evaluate(function.formula.expression, {"z": x, **alpha}), place
            )
            assert got == pytest.approx(float(true), rel=1e-14, abs=1e-15)


@pytest.mark.parametrize("size", [1, 7, 2048, MANY])
@pytest.mark.parametrize("name", ["mish", "elu"])
def test_the_slope_may_take_the_place_of_z(name, size):
    """The memory of `z` serves for both passes; or the activation takes its place."""
    function = chainrule.activation(name)
    z = np.random.default_rng(4).normal(size=size).astype(np.float32)
    a, slope = function.forward_with_slope(z)
    kept = z.copy()
    out, over = function.forward_with_slope(kept, slope_out=kept)
    assert over is kept
    np.testing.assert_array_equal(out, a)
    np.testing.assert_array_equal(over, slope)
    kept = z.copy()
    over, slopes = function.forward_with_slope(kept, out=kept)
    assert over is kept
    np.testing.assert_array_equal(over, a)
    np.testing.assert_array_equal(slopes, slope)
    da = np.random.default_rng(5).normal(size=size).astype(np.float32)
    np.testing.assert_array_equal(function.backward_from_slope(da, slope), da * slope)
    wanted = da * slope
    assert function.backward_from_slope(da, slope, out=slope) is slope
    np.testing.assert_array_equal(slope, wanted)


@settings(deadline=None)  # the first example compiles
@given(st.data())
def test_any_layout_gives_what_a_copy_gives(data):
    """Strided, transposed and reversed views, for the input and both results."""
    function = chainrule.activation("tanh")
    views = [lambda x: x, lambda x: x.T, lambda x: x[::-1], lambda x: x[:, ::2][:, ::-1]]
    pick = st.sampled_from(views[:3])
    z = np.random.default_rng(6).normal(size=(9, 9))
    first, second, third = (data.draw(pick) for _ in range(3))
    out, slope = second(np.empty((9, 9))), third(np.empty((9, 9)))
    a, d = function.forward_with_slope(first(z), out=out, slope_out=slope)
    wanted, change = function.forward_with_slope(np.ascontiguousarray(first(z)))
    np.testing.assert_array_equal(a, wanted)
    np.testing.assert_array_equal(d, change)


def test_results_that_share_memory_are_refused():
    """Each would overwrite the other."""
    function, z = chainrule.activation("tanh"), np.zeros(8)
    both = np.empty(8)
    with pytest.raises(ArrayError, match="two arrays"):
        function.forward_with_slope(z, out=both, slope_out=both)
    shifted = np.empty(9)
    with pytest.raises(ArrayError, match="two arrays"):
        function.forward_with_slope(z, out=shifted[1:], slope_out=shifted[:-1])


def test_results_that_overlap_the_input_elsewhere_are_right():
    """They go through a copy."""
    function = chainrule.activation("tanh")
    memory = np.random.default_rng(7).normal(size=20)
    wanted, change = function.forward_with_slope(memory[:10].copy())
    out = np.empty(10)
    _, slope = function.forward_with_slope(memory[:10], out=out, slope_out=memory[3:13])
    np.testing.assert_array_equal(out, wanted)
    np.testing.assert_array_equal(slope, change)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"slope_out": np.empty(3)}, "slope_out has shape"),
        ({"out": np.empty(4, np.float32)}, "out has shape"),
        ({"slope_out": [1.0]}, "NumPy array"),
        ({"slope_out": np.broadcast_to(np.zeros(1), (4,))}, "slope_out is read-only"),
    ],
)
def test_results_that_do_not_fit_are_refused(arguments, says):
    """As for the other passes."""
    with pytest.raises(ArrayError, match=says):
        chainrule.activation("tanh").forward_with_slope(np.zeros(4), **arguments)


def test_units_that_are_coupled_have_no_slope():
    """The error names what to keep instead."""
    with pytest.raises(NoSlopeError, match="backward_from_output"):
        chainrule.activation("softmax").forward_with_slope(np.zeros((2, 3)))
    with pytest.raises(NoSlopeError, match="couples the units"):
        chainrule.activation("softmax").backward_from_slope(np.zeros((2, 3)), np.zeros((2, 3)))


@pytest.mark.parametrize("text", ["expm1(exp(1.702*z))", "exp(exp(z/1.3)/0.7)"])
def test_slopes_are_finite_to_the_end_of_their_format(text):
    """Numbers above and below a quotient are one number, whose product is no larger than it."""
    layer = chainrule.activation(text)
    with mpmath.workdps(50):
        inside = chainrule.activation(text.partition("(")[2].rpartition(")")[0]).formula.expression
        # Where the inner exponential is 702, its derivatives times that of the outer one are 1e308.
        z = float(
            mpmath.findroot(lambda x: evaluate(inside, {"z": x}) - mpmath.mpf(701), (3.0, 9.0))
        )
        wanted = mpmath.diff(lambda x: evaluate(layer.formula.expression, {"z": x}), z)
        got = float(layer.backward(np.ones(1), np.array([z]))[0])
        assert abs(got - wanted) < mpmath.mpf(10) ** -12 * wanted
