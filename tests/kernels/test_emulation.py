"""Generated source over NumPy arrays gives what compiled code gives."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule.catalogue import activation_formula
from chainrule.kernels import _choice
from chainrule.kernels._arrays import apply_kernel
from chainrule.kernels._choice import choose
from chainrule.kernels._kept_choices import FUNCTIONS, Choice
from chainrule.kernels._kernels import activation_kernels, kernels_in
from chainrule.kernels._modules import work_in_pieces
from chainrule.kernels.source._emulation import NotEmulatedError, emulated
from chainrule.kernels.source._tiers import format_of


def places():
    generator = np.random.default_rng(11)
    sizes = np.ldexp(generator.uniform(1, 2, 276), np.arange(-150, 126))
    near = generator.normal(size=2000) * 6
    ends = [0.0, -0.0, np.inf, -np.inf, np.nan]
    return np.concatenate([sizes, -sizes, near, ends]).astype(np.float32)


@pytest.mark.parametrize(
    ("name", "tier"),
    [
        ("silu", "single"),
        ("silu", "compensated"),
        ("tanh", "divided"),
        ("gelu", "pieces"),
        ("mish", "wide"),
        ("asinh", "narrow"),
        ("selu", "narrow"),
        ("sine", "single"),
        ("gcu", "double"),
    ],
)
def test_it_is_what_compiled_code_gives(name, tier):
    """Bit for bit in nearly all places: products and sums at once may round otherwise."""
    formula, z = activation_formula(name), places()
    kernels = kernels_in(formula, "float32", Choice(dict.fromkeys(FUNCTIONS, tier), {}, ""))
    called = "activation_in_pieces" if tier == "pieces" else "activation"
    values = [value for _, value in formula.parameters]
    kind = np.float32 if format_of(tier) == "single" else np.float64
    got = emulated(kernels.source, called, z.astype(kind), values).astype(np.float32)
    wanted = np.empty_like(z)
    apply_kernel(kernels.forward, z, z, wanted)
    if name == "sine":  # what is near has another loop
        np.testing.assert_allclose(got, wanted, rtol=2e-7, atol=1e-45)
    else:
        # Of a polynomial in one piece every step is a product and a sum at once.
        nearly_all = 0.98 if tier == "pieces" else 0.99
        assert np.mean((got == wanted) | (np.isnan(got) & np.isnan(wanted))) > nearly_all
        np.testing.assert_allclose(got, wanted, rtol=4e-7, atol=1e-44)


def test_what_is_no_function_of_arrays_says_so():
    """A loop, say: then the candidate is compiled and measured."""
    source = "def f(z):\n    for k in range(3):\n        z = z + k\n    return z\n"
    with pytest.raises(NotEmulatedError, match="for k in range"):
        emulated(source, "f", np.zeros(3), ())
    with pytest.raises(NotEmulatedError, match="unknown"):
        emulated("def f(z):\n    return unknown(z)\n", "f", np.zeros(3), ())


@pytest.mark.long
def test_what_it_shows_to_be_wrong_is_not_compiled(monkeypatch):
    """Of mish the tiers in float32 lose digits that a few places show; the choice is the same."""
    formula = activation_formula("mish")
    exact, tried = activation_kernels(formula, np.float64), []

    def candidate(tiers, zeros):
        kernels = kernels_in(formula, "float32", Choice(dict(tiers), zeros, ""))
        tried.append(kernels)
        return kernels

    def work(name):
        return work_in_pieces(formula, name)

    choice = choose(exact, candidate, coupled=False, work_in_pieces=work)[1]
    assert choice.tiers == activation_kernels(formula, np.float32).choice.tiers
    rejected = [k for k in tried if k.choice.tiers["activation"] != choice.tiers["activation"]]
    assert any("forward" not in vars(k) for k in rejected)
    assert any("forward" in vars(k) for k in tried)

    def refuses(*_):
        raise NotEmulatedError

    monkeypatch.setattr(_choice, "emulated", refuses)
    again = choose(exact, candidate, coupled=False, work_in_pieces=work)[1]
    assert again.tiers == choice.tiers
