"""The backward pass from the output alone: equations (2), (4), (6), (8) in A, and its refusals."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule.catalogue import activation_formula
from chainrule.derivations import NoOutputFormError
from chainrule.formulas import parse
from chainrule.kernels import ArrayError, backward, backward_from_output, forward
from chainrule.kernels.stable_forms._roundings import is_right_in_floats

RNG = np.random.default_rng(12)
IN_OUTPUT = {
    "relu": lambda dA, A: dA * (A > 0),
    "sigmoid": lambda dA, A: dA * A * (1 - A),
    "tanh": lambda dA, A: dA * (1 - A * A),
    "softmax": lambda dA, A: A * (dA - np.sum(dA * A, axis=0, keepdims=True)),
    "elu": lambda dA, A: dA * np.where(A > 0, 1, A + 1),
    "softplus": lambda dA, A: dA * (1 - np.exp(-A)),
    "log_softmax": lambda dA, A: dA - np.exp(A) * np.sum(dA, axis=0, keepdims=True),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", IN_OUTPUT)
def test_the_equations_in_the_output(name, dtype):
    """On an (n, m) array with axis=0, as they stand."""
    formula = activation_formula(name)
    Z, dA = RNG.normal(size=(2, 7, 5)).astype(dtype)
    A = forward(formula, Z, axis=0)
    got = backward_from_output(formula, dA, A, axis=0)
    wanted = IN_OUTPUT[name](dA.astype(np.longdouble), A.astype(np.longdouble))
    assert got.dtype == dtype
    bound = 8 * np.finfo(dtype).eps
    np.testing.assert_allclose(got, wanted.astype(float), rtol=bound, atol=4 * bound)
    rows = backward_from_output(formula, dA.T.copy(), A.T.copy())
    np.testing.assert_array_equal(rows.T, got)
    # For moderate z it is the backward pass through z.
    np.testing.assert_allclose(got, backward(formula, dA, Z, axis=0), rtol=1e-4, atol=32 * bound)


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@pytest.mark.parametrize("units", [1, 10, 100, 4099])
def test_float32_arithmetic_is_within_its_bound(name, units):
    """At most 4 ulp of the sum of the absolute values of the terms, for any number of units."""
    formula = activation_formula(name)
    Z, dA = RNG.normal(size=(2, 50, units)).astype(np.float32) * np.float32(4)
    A = forward(formula, Z)
    got = backward_from_output(formula, dA, A)
    g, a = dA.astype(np.longdouble), A.astype(np.longdouble)
    wanted = IN_OUTPUT[name](g.T, a.T).T
    share = a if name == "softmax" else np.exp(a)
    factor = np.abs(a * g) if name == "softmax" else np.abs(g)
    terms = factor + share * factor.sum(axis=1, keepdims=True)
    bound = 4 * np.spacing(terms.astype(np.float32))
    assert (np.abs(got - wanted) <= bound).all()


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "softsign", "leaky_relu", "elu", "selu"])
def test_products_are_within_their_bound_in_float32(name):
    """At most 4 ulp of the product with the slope that belongs to the output, as it was rounded."""
    formula = activation_formula(name)
    Z = (RNG.standard_t(2, size=200_000) * 3).astype(np.float32)
    dA, A = RNG.normal(size=Z.shape).astype(np.float32), forward(formula, Z)
    got = backward_from_output(formula, dA, A)
    wanted = backward_from_output(formula, dA.astype(np.float64), A.astype(np.float64))
    assert (np.abs(got - wanted) <= 4 * np.spacing(np.abs(wanted).astype(np.float32))).all()


@pytest.mark.parametrize(
    ("text", "is_right"),
    [
        ("g*(a*(1 - a))", True),
        ("g*((1 - a)*(a + 1))", True),
        ("g*where(a <= 0, (1 + a)**2, (1 - a)**2)", True),
        ("g*where(a <= 0, alpha, 1)", True),
        ("g*where(a <= 0, a + alpha, 1)", False),  # the parameter's rounding would remain at 0
        ("g*(1 - a*a)", False),
        ("g*(0.1 - a)", False),
        ("g*(a*a)", False),  # may vanish where the whole does not
        ("g*(a*(a*(1 - a)))", False),
        ("g*exp(-a)", False),
        ("g*(1 + a)**9", False),
    ],
)
def test_float32_serves_where_few_roundings_add_up(text, is_right):
    """Terms of sums are exact, so that what is left of them has all its digits."""
    values = {"alpha": 1.3} if "alpha" in text else {}
    assert is_right_in_floats(parse(text, values, variables=("a", "g")).expression) == is_right


def test_the_gradient_is_lost_where_the_output_has_rounded():
    """Why the form through z is the default."""
    sigmoid = activation_formula("sigmoid")
    z = np.array([40.0], np.float32)
    a = forward(sigmoid, z)
    assert backward_from_output(sigmoid, np.ones_like(z), a)[0] == 0
    assert backward(sigmoid, np.ones_like(z), z)[0] > 0


@pytest.mark.parametrize("name", ["silu", "gelu", "mish", "z/sqrt(sum(z**2))"])
def test_functions_without_such_a_form_refuse(name):
    """With the reason and the remedy."""
    with pytest.raises(NoOutputFormError, match="backward"):
        backward_from_output(activation_formula(name), np.ones(2), np.ones(2))


@pytest.mark.parametrize(
    ("text", "at_zero"),
    [
        ("atan(z)", 1.0), ("z**3", 0.0), ("asinh(z)", 1.0), ("2*atan(tanh(z/2))", 1.0),
        ("tanh(tanh(z))", 1.0), ("z**3 + z", 1.0), ("1 - exp(-exp(z))", np.exp(-1)),
        ("where(z > 0, log(cosh(z)), z)", 1.0), ("-max(z, z/4)", -1.0),
    ],
)  # fmt: skip
def test_forms_found_by_inverting_are_compiled(text, at_zero):
    """They agree with the backward pass through z, and at 0 with the slope by hand."""
    formula = parse(text)
    z = np.concatenate([[0.0], RNG.normal(size=50)])
    a = forward(formula, z)
    got = backward_from_output(formula, np.ones_like(z), a)
    np.testing.assert_allclose(got[0], at_zero, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(got, backward(formula, np.ones_like(z), z), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(
    ("text", "row", "expected"),
    [
        ("z/(1 + sqrt(sum(z**2)))", [0, 0, 0], [1, -2, 0.5]),
        ("z*sqrt(sum(z**2))", [0, 0, 0], [0, 0, 0]),
        ("max(z, 0)*mean(max(z, 0))", [-1, -2, -3], [0, 0, 0]),
    ],
)
def test_rows_whose_outputs_are_all_0_have_their_slope_both_ways(text, row, expected):
    """By hand: of x·h(s) at 0 with a root s that vanishes there it is h(0)."""
    formula, g = parse(text), np.array([[1.0, -2.0, 0.5]])
    z = np.array([row], dtype=float)
    np.testing.assert_array_equal(backward(formula, g, z), [expected])
    np.testing.assert_array_equal(backward_from_output(formula, g, forward(formula, z)), [expected])


def test_the_refusal_shows_a_witness():
    """Two places with one output and two slopes."""
    with pytest.raises(NoOutputFormError, match=r"f\(-1\.7\) = f\(-0\.92.*slopes"):
        backward_from_output(activation_formula("silu"), np.ones(2), np.ones(2))


def test_arrays_that_do_not_fit_are_refused():
    """As in the other passes."""
    tanh = activation_formula("tanh")
    with pytest.raises(ArrayError, match="da has shape"):
        backward_from_output(tanh, np.ones(3), np.ones(2))
    with pytest.raises(ArrayError, match="float16"):
        backward_from_output(tanh, np.ones(2), np.ones(2, np.float16))
    out = np.empty(2)
    assert backward_from_output(tanh, np.ones(2), np.zeros(2), out=out) is out
    assert (out == 1).all()
