"""The digest of a kernel's source follows what the kernel calls, and nothing else."""

from __future__ import annotations

import ast
import sys

import pytest

from chainrule.certificates._sweep import source_digest
from chainrule.formulas import parse
from chainrule.kernels import _digest

ROOM = "chainrule.kernels.elementary"
USED, OTHER = parse("exp(z)"), parse("atan(z)")


@pytest.fixture
def changed(monkeypatch):
    """Return a function that puts other text in the place of a definition."""
    from chainrule import kernels

    for formula in (USED, OTHER):
        kernels.activation_kernels(formula, "float32")
    real = _digest._definitions

    def change(module, name, text):
        (node,) = ast.parse(text).body

        def definitions(asked):
            found = dict(real(asked))
            if asked == f"{ROOM}.{module}":
                assert name in found
                found[name] = node
            return found

        monkeypatch.setattr(_digest, "_definitions", definitions)

    return change


def test_a_constant_far_below_what_is_called_counts(changed):
    """``exp`` rests on a polynomial's coefficients; ``atan`` does not."""
    before = source_digest(USED), source_digest(OTHER)
    changed("single._constants", "SHORT_EXPONENTIAL", "SHORT_EXPONENTIAL = (1.0,)")
    assert source_digest(USED) != before[0]
    assert source_digest(OTHER) == before[1]


def test_comments_and_docstrings_do_not_count(monkeypatch):
    """Nothing is measured anew because it is explained better."""
    before = source_digest(USED)
    module = sys.modules[f"{ROOM}.single._exponential"]
    real = _digest.inspect.getsource

    def with_remarks(asked):
        text = real(asked)
        if asked is module:
            text = "# Another remark.\n" + text.replace('"""Return', '"""Yield', 20)
            assert text != "# Another remark.\n" + real(asked)
        return text

    monkeypatch.setattr(_digest.inspect, "getsource", with_remarks)
    _digest._definitions.cache_clear()
    assert source_digest(USED) == before
    _digest._definitions.cache_clear()


def test_another_formula_has_another_digest():
    """The generated lines count."""
    assert source_digest(parse("exp(2*z)")) != source_digest(USED)
