"""Arrays of every layout go in and out; those that do not fit are refused with the remedy."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule.catalogue import activation_formula
from chainrule.formulas import ChainruleError
from chainrule.kernels import ArrayError, as_float_array, backward, forward

SIGMOID, SOFTMAX = activation_formula("sigmoid"), activation_formula("softmax")
RNG = np.random.default_rng(11)
BOTH = pytest.mark.parametrize("formula", [SIGMOID, SOFTMAX], ids=["sigmoid", "softmax"])


@BOTH
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_layouts(formula, dtype):
    """Fortran order, strides, negative strides and views give what a fresh array gives."""
    whole = RNG.normal(size=(8, 12)).astype(dtype)
    seeds = RNG.normal(size=(8, 12)).astype(dtype)
    views = [
        lambda x: np.asfortranarray(x),
        lambda x: x[::2, 1::3],
        lambda x: x[::-1, ::-1],
        lambda x: x.T,
        lambda x: x[:, None, :].transpose(2, 1, 0),
        lambda x: np.broadcast_to(x[0], (3, 12)),
    ]
    for view in views:
        z, g = view(whole), view(seeds)
        kept = whole.copy()
        np.testing.assert_array_equal(forward(formula, z), forward(formula, z.copy()))
        np.testing.assert_array_equal(
            backward(formula, g, z), backward(formula, g.copy(), z.copy())
        )
        np.testing.assert_array_equal(whole, kept)


@BOTH
def test_zero_dimensions(formula):
    """A number in an array stays one; a layer of one unit."""
    a = forward(formula, np.float32(0.5))
    assert isinstance(a, np.ndarray)
    assert (a.shape, a.dtype) == ((), np.float32)
    dz = backward(formula, np.float64(1), np.array(0.5))
    assert dz.shape == ()
    assert forward(formula, 2).dtype == np.float64
    assert forward(formula, np.array(0.5), axis=0).shape == ()


@BOTH
@pytest.mark.parametrize("shape", [(0,), (0, 5), (5, 0), (2, 0, 3)])
def test_empty_arrays(formula, shape):
    """No units or no examples give an empty result."""
    assert forward(formula, np.empty(shape)).shape == shape
    assert backward(formula, np.empty(shape), np.empty(shape)).shape == shape
    out = np.empty(shape)
    assert forward(formula, np.empty(shape), out=out) is out


@pytest.mark.parametrize(
    "values", [[[1, -2], [3, 4]], range(4), np.arange(4, dtype=np.uint8), (1.5,)]
)
def test_integers_and_lists_become_float64(values):
    """Lists of numbers are arrays like any other."""
    a = forward(SIGMOID, values)
    assert a.dtype == np.float64
    np.testing.assert_array_equal(a, forward(SIGMOID, np.array(values, dtype=float)))


@BOTH
@pytest.mark.parametrize("axis", [0, -1])
@pytest.mark.parametrize("layout", ["C", "F", "strided"])
def test_out_receives_the_result(formula, axis, layout):
    """Of any layout; it is what is returned, and nothing around it is touched."""
    z, g = RNG.normal(size=(2, 6, 4))
    around = np.full((12, 12), 7.0)
    out = {"C": np.empty((6, 4)), "F": np.empty((6, 4), order="F"), "strided": around[::2, 2:10:2]}[
        layout
    ]
    assert forward(formula, z, axis=axis, out=out) is out
    np.testing.assert_array_equal(out, forward(formula, z, axis=axis))
    assert backward(formula, g, z, axis=axis, out=out) is out
    np.testing.assert_array_equal(out, backward(formula, g, z, axis=axis))
    if layout == "strided":
        assert (around[1::2] == 7).all()
        assert (around[:, :2] == 7).all()
        assert (around[:, 10:] == 7).all()


@pytest.mark.parametrize("name", ["sigmoid", "mish", "softmax", "log_softmax", "layer_norm"])
@pytest.mark.parametrize("axis", [0, 1])
def test_out_may_be_an_input_itself(name, axis):
    """Forward over z; backward over da or z: in place, with the same result."""
    formula = activation_formula(name)
    z, g = RNG.normal(size=(2, 5, 7))
    a, dz = forward(formula, z, axis=axis), backward(formula, g, z, axis=axis)
    over = z.copy()
    forward(formula, over, axis=axis, out=over)
    np.testing.assert_array_equal(over, a)
    over = g.copy()
    backward(formula, over, z, axis=axis, out=over)
    np.testing.assert_array_equal(over, dz)
    over = z.copy()
    backward(formula, g, over, axis=axis, out=over)
    np.testing.assert_array_equal(over, dz)


@pytest.mark.parametrize("name", ["sigmoid", "softmax"])
def test_out_may_overlap_an_input(name):
    """A shifted or turned view of the input is read before it is overwritten."""
    formula = activation_formula(name)
    memory = RNG.normal(size=(9, 6))
    kept = memory.copy()
    forward(formula, memory[:-1], out=memory[1:])
    np.testing.assert_array_equal(memory[1:], forward(formula, kept[:-1]))
    memory = kept.copy()
    forward(formula, memory, out=memory[::-1])
    np.testing.assert_array_equal(memory[::-1], forward(formula, kept))
    square = RNG.normal(size=(6, 6))
    kept = square.copy()
    forward(formula, square, out=square.T)
    np.testing.assert_array_equal(square.T, forward(formula, kept))


@pytest.mark.parametrize(
    ("out", "says"),
    [
        (np.empty((3, 4), np.float32), "float32"),
        (np.empty((4, 3)), r"\(4, 3\)"),
        (np.empty(12), r"\(12,\)"),
        (np.empty((3, 4), np.int64), "int64"),
        ([[0.0] * 4] * 3, "list"),
        (3.0, "float"),
    ],
)
def test_an_out_that_does_not_fit_is_refused(out, says):
    """The message says what was given and what was expected."""
    with pytest.raises(ArrayError, match=says):
        forward(SIGMOID, np.zeros((3, 4)), out=out)
    with pytest.raises(ArrayError, match=says):
        backward(SIGMOID, np.zeros((3, 4)), np.zeros((3, 4)), out=out)


def test_an_out_that_is_read_only_is_refused_and_not_written():
    """Neither a frozen array nor a broadcast view can be written."""
    out = np.zeros((3, 4))
    out.flags.writeable = False
    for refused in (out, np.broadcast_to(np.zeros(4), (3, 4))):
        with pytest.raises(ArrayError, match="read-only"):
            forward(SIGMOID, np.ones((3, 4)), out=refused)
        assert (refused == 0).all()


@pytest.mark.parametrize(
    "values",
    [
        np.zeros(3, np.float16), np.zeros(3, np.longdouble), np.zeros(3, complex),
        np.zeros(3, bool), np.array(["1.0"]), np.array([1.0, None], dtype=object),
        np.zeros(3, ">f8"), np.zeros(3, ">f4"), np.array(["2020-01-01"], "M8[D]"),
        [[1.0], [1.0, 2.0]], None, "z", {1.0}, [1.0, "a"], np.zeros(2, [("x", float)]),
    ],
    ids=str,
)  # fmt: skip
def test_other_types_are_refused_with_the_remedy(values):
    """An ArrayError that names the array; never a wrong number."""
    with pytest.raises(ArrayError, match=r"^z "):
        forward(SIGMOID, values)
    with pytest.raises(ArrayError, match=r"^da "):
        backward(SIGMOID, values, np.zeros(3))
    assert issubclass(ArrayError, ChainruleError)
    assert issubclass(ArrayError, ValueError)


def test_da_must_be_like_z():
    """Shapes are not broadcast and types not mixed silently."""
    z = np.zeros((3, 4))
    for wrong in (
        np.zeros(4),
        np.zeros((4, 3)),
        np.zeros((3, 1)),
        np.zeros((3, 4), np.float32),
        1.0,
    ):
        with pytest.raises(ArrayError, match="da has shape"):
            backward(SIGMOID, wrong, z)


@pytest.mark.parametrize("axis", [2, -3, 100])
@BOTH
def test_an_axis_out_of_range_is_refused(axis, formula):
    """For element-wise functions too, where it would not matter."""
    with pytest.raises(ArrayError, match=f"axis {axis} is out of range"):
        forward(formula, np.zeros((3, 4)), axis=axis)
    with pytest.raises(ArrayError):
        backward(formula, np.zeros((3, 4)), np.zeros((3, 4)), axis=axis)


def test_float_arrays_are_not_copied():
    """float32 and float64 stay what they are."""
    for dtype in (np.float32, np.float64):
        array = np.zeros(3, dtype)
        assert as_float_array(array, "z") is array


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 9, 31, 64, 1000])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_results_do_not_depend_on_the_place_in_the_array(size, dtype):
    """The remainder of a vectorised loop computes what its vectors compute."""
    z = RNG.normal(size=size).astype(dtype)
    for name in ("tanh", "softplus", "gelu"):
        formula = activation_formula(name)
        whole = forward(formula, z)
        single = np.array([forward(formula, z[k : k + 1])[0] for k in range(size)][:20], dtype)
        np.testing.assert_array_equal(whole[:20], single)
        np.testing.assert_array_equal(forward(formula, z[::-1].copy())[::-1], whole)
