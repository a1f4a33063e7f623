"""The face of the library: one value that computes, derives and certifies."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
import sympy

import chainrule
from chainrule.catalogue import CatalogueError
from chainrule.derivations import NoOutputFormError

RANDOM = np.random.default_rng(11)


def test_name_text_and_sympy_give_the_same_function():
    """A name, its formula as text, and the same SymPy expression are one function."""
    z = RANDOM.normal(size=(3, 4))
    x = sympy.Symbol("x")
    expected = 1 / (1 + np.exp(-z))
    for source in ("sigmoid", "logistic", "1/(1 + exp(-z))", 1 / (1 + sympy.exp(-x))):
        np.testing.assert_allclose(chainrule.activation(source)(z), expected, rtol=1e-15)


def test_activation_passes_through():
    """An activation is accepted where a formula is."""
    mish = chainrule.activation("mish")
    assert chainrule.activation(mish) == mish


def test_parameters_by_name():
    """Parameters are given by name, and named functions have defaults."""
    z = np.array([-2.0, 3.0])
    np.testing.assert_array_equal(chainrule.activation("leaky_relu")(z), [-0.02, 3.0])
    np.testing.assert_array_equal(chainrule.activation("leaky_relu", alpha=0.25)(z), [-0.5, 3.0])
    np.testing.assert_array_equal(
        chainrule.activation("max(alpha*z, z)", alpha=0.5)(z), [-1.0, 3.0]
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equations_of_the_essay(dtype):
    """Equations (1) to (8) hold as they stand, with units in rows and axis=0."""
    Z = (4 * RANDOM.normal(size=(5, 7))).astype(dtype)
    dA = RANDOM.normal(size=(5, 7)).astype(dtype)
    wide, slopes = Z.astype(np.float64), dA.astype(np.float64)
    sigmoid = 1 / (1 + np.exp(-wide))
    tanh = (np.exp(wide) - np.exp(-wide)) / (np.exp(wide) + np.exp(-wide))
    softmax = np.exp(wide) / np.exp(wide).sum(axis=0)
    expected = {
        "relu": (np.maximum(0, wide), slopes * (wide > 0)),
        "sigmoid": (sigmoid, slopes * sigmoid * (1 - sigmoid)),
        "tanh": (tanh, slopes * (1 - tanh * tanh)),
        "softmax": (softmax, softmax * (slopes - (slopes * softmax).sum(axis=0))),
    }
    scale = 8 * np.finfo(dtype).eps
    for name, (A, dZ) in expected.items():
        activation = chainrule.activation(name)
        np.testing.assert_allclose(activation(Z, axis=0), A, rtol=scale, atol=scale)
        np.testing.assert_allclose(activation.backward(dA, Z, axis=0), dZ, rtol=scale, atol=scale)
        through = activation.backward_from_output(dA, activation(Z, axis=0), axis=0)
        np.testing.assert_allclose(through, dZ, rtol=1e3 * scale, atol=10 * scale)


def test_gradient_survives_where_the_output_saturates():
    """From z the sigmoid's slope at 63.75 is right in float32; from the output it is lost."""
    z = np.array([63.75], np.float32)
    one = np.ones(1, np.float32)
    sigmoid = chainrule.activation("sigmoid")
    assert sigmoid.backward(one, z)[0] == pytest.approx(2.0596e-28, rel=1e-3)
    assert sigmoid.backward_from_output(one, sigmoid(z))[0] == 0.0


@pytest.mark.parametrize("name", ["silu", "gelu", "mish", "z/sqrt(sum(z**2))"])
def test_backward_from_output_says_why_it_does_not_exist(name):
    """Where the output does not determine the slope, the error gives the reason and the remedy."""
    with pytest.raises(NoOutputFormError, match=r"backward\(da, z\)"):
        chainrule.activation(name).backward_from_output(np.ones(3), np.ones(3))


def test_unknown_name_suggests_a_known_one():
    """A misspelt name gets the closest known one."""
    with pytest.raises(CatalogueError, match="Did you mean softplus"):
        chainrule.activation("sofplus")


def test_derivation_prints_and_exports(tmp_path):
    """A derivation prints, and renders as LaTeX, as a page and in a notebook."""
    activation = chainrule.activation("z/(1 + abs(z))")
    derivation = activation.derivation()
    assert "∂J/∂Z" in str(derivation)
    assert r"\begin{align*}" in derivation.to_latex()
    derivation.to_html(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>")
    assert "<script" not in page
    assert "http" not in page
    assert "<math" in activation._repr_html_()


def test_source_is_readable_and_names_the_formula():
    """The generated source says which formula it computes."""
    source = chainrule.activation("z*exp(-z**2)").source()
    assert "z*exp(-z**2)" in source
    assert "def forward(" in source
    assert "def backward(" in source


def test_cost_derivation_is_a_minus_y():
    """∂J/∂Z = (A - Y)/m is derived for the three pairs of the essay."""
    for cost, output in (
        ("half_squared_error", "identity"),
        ("binary_cross_entropy", "sigmoid"),
        ("categorical_cross_entropy", "softmax"),
    ):
        assert "∂J/∂Z = (A - Y)/m" in str(chainrule.cost(cost).derivation(output))


def test_cost_says_what_it_assumes():
    """The short form of the cross-entropy needs targets that sum to one, and says so."""
    softmax = chainrule.cost("categorical_cross_entropy").derivation("softmax")
    assert "= 1 in every example" in str(softmax)
    sigmoid = chainrule.cost("binary_cross_entropy").derivation("sigmoid")
    assert "in every example" not in str(sigmoid)


def test_cost_must_be_one_number():
    """A cost without a reduction over the outputs is refused with the remedy."""
    with pytest.raises(chainrule.FormulaError, match=r"sum\(\(a - y\)\*\*2\)"):
        chainrule.cost("(a - y)**2")


def test_derivation_bears_the_name_it_was_asked_for_by():
    """The same formula with and without a name is derived under its own title."""
    assert str(chainrule.activation("sigmoid").derivation()).startswith("sigmoid: a = ")
    assert str(chainrule.activation("1/(1 + exp(-z))").derivation()).startswith("a = 1/(1")


def test_pickled_formula_equals_its_like_in_another_process():
    """A formula from another process, with other hashes of text, is found as a dictionary's key."""
    code = (
        "import pickle, sys, chainrule; formula = chainrule.activation('mish').formula; "
        "hash(formula); sys.stdout.buffer.write(pickle.dumps(formula))"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "1"}
    sent = subprocess.run(
        [sys.executable, "-c", code], env=environment, check=True, capture_output=True
    ).stdout
    assert pickle.loads(sent) in {chainrule.activation("mish").formula: 1}
