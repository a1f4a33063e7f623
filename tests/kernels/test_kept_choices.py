"""Choices that come with the package are taken where they are of the very code that runs."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from chainrule.catalogue import activation_formula
from chainrule.kernels import _choice, _kept_choices, _kernels, activation_kernels
from chainrule.kernels.compiling import _compile
from chainrule.kernels.fitting._kept_pieces import kept_pieces
from chainrule.kernels.fitting._piece_fits import in_pieces

NAME = "arctan"


@pytest.fixture
def empty_folder(monkeypatch, tmp_path):
    """Nothing has been generated yet."""
    folder = tmp_path / "cache"
    folder.mkdir(mode=0o700)
    for module in (_compile, _kernels):
        if hasattr(module, "cache_folder"):
            monkeypatch.setattr(module, "cache_folder", lambda: folder)
    _kernels._activation_kernels.cache_clear()
    yield
    _kernels._activation_kernels.cache_clear()


@pytest.mark.parametrize("name", ["sigmoid", "gelu", "gelu_tanh", "logish", "softmax", NAME])
def test_what_is_kept_is_of_the_code_that_runs(name):
    """``tools/choose_arithmetic.py`` chooses again where it is not."""
    formula = activation_formula(name)
    kept = _kept_choices.kept_choice(_kernels.exactly(formula))
    kernels = activation_kernels(formula, np.float32)
    assert kept is not None
    choice, code = kept
    assert choice == kernels.choice
    assert code == _kernels.code_digest(kernels.source)


def test_nothing_is_measured_where_a_choice_is_kept(monkeypatch, empty_folder):
    """A first call compiles one module."""

    def refuse(*arguments, **keywords):
        raise AssertionError("measured")

    monkeypatch.setattr(_choice, "choose", refuse)
    activation_kernels(activation_formula(NAME), np.float32)


def test_a_choice_of_other_code_is_not_taken(monkeypatch, empty_folder):
    """It is measured anew, whatever was kept."""
    formula = activation_formula(NAME)
    real = _kernels.kept_choice
    tiers = dict.fromkeys(("activation", "derivative"), "double")

    def stale(question):
        choice, code = real(question)
        return dataclasses.replace(choice, tiers=tiers), code

    monkeypatch.setattr(_kernels, "kept_choice", stale)
    assert activation_kernels(formula, np.float32).choice.tiers != tiers


@pytest.mark.parametrize(
    "name", ["tanh", *(pytest.param(n, marks=pytest.mark.long) for n in ("gelu", "phish", "lisht"))]
)
def test_kept_pieces_are_those_that_are_fitted(name):
    """Every number of them, of value and slope."""
    formula = activation_formula(name)
    tiers = activation_kernels(formula, np.float32).choice.tiers
    assert "pieces" in tiers.values()
    for function, slope in (("activation", False), ("derivative", True)):
        kept = kept_pieces(formula, slope=slope)
        assert (kept is not None) == (tiers[function] == "pieces")
        assert kept is None or kept == in_pieces(formula, slope=slope)
