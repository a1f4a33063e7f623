"""Sweeps: what they count, how they go on, and that the kept ones still hold."""

from __future__ import annotations

import json

import mpmath
import numpy as np
import pytest

from chainrule.catalogue import activation_formula
from chainrule.certificates import CertificateError, sweep
from chainrule.certificates._sweep import PART, SAMPLE, kept_sweeps, source_digest
from chainrule.formulas import parse

SIGMOID = "1/(1 + exp(-z))"
WHOLE_SAMPLE = ("relu", "sigmoid", "tanh", "silu", "mish", "gelu", "gelu_tanh", "elu", "softplus")


def test_a_part_is_compared_input_by_input():
    """The worst place that is named has the error that is named, by mpmath."""
    from chainrule.kernels import forward

    result = sweep(parse(SIGMOID), parts=[256])
    assert result.value.inputs == PART
    z = np.float32(result.value.at)
    with mpmath.workdps(40):
        true = 1 / (1 + mpmath.exp(-mpmath.mpf(float(z))))
        got = mpmath.mpf(float(forward(parse(SIGMOID), np.array([z]))[0]))
        error = abs(got - true) / mpmath.mpf(2) ** (mpmath.floor(mpmath.log(true, 2)) - 23)
    assert float(error) == pytest.approx(result.value.ulp, abs=1e-6)
    assert result.passed


def test_a_wrong_kernel_does_not_pass(monkeypatch):
    """Kernels of another formula stand in for the float32 ones."""
    from chainrule import kernels

    right = kernels.activation_kernels

    def wrong(formula, dtype):
        other = parse("1/(1 + exp(-1.0000002*z))")
        return right(other if np.dtype(dtype) == np.float32 else formula, dtype)

    monkeypatch.setattr(kernels, "activation_kernels", wrong)
    result = sweep(parse(SIGMOID), parts=[766])
    assert not result.passed
    assert result.value.ulp > 2


def test_a_sweep_that_was_cut_off_goes_on(tmp_path):
    """What is kept in the file is not computed again, and the end is the same."""
    state = tmp_path / "state"
    done = []
    whole = sweep(parse(SIGMOID), parts=[0, 1, 255])
    sweep(parse(SIGMOID), parts=[0, 1], state=state)
    again = sweep(
        parse(SIGMOID), parts=[0, 1, 255], state=state, progress=lambda n, of: done.append((n, of))
    )
    assert again == whole
    assert done == [(3, 3)]
    assert sorted(json.loads(state.read_text())["done"]) == [0, 1, 255]


def test_functions_that_couple_units_have_no_sweep():
    """The error says what to do instead."""
    with pytest.raises(CertificateError, match=r"certify\(\)"):
        sweep(activation_formula("softmax"))


@pytest.mark.parametrize("name", sorted(kept_sweeps()))
def test_a_kept_sweep_is_of_the_kernels_that_run(name):
    """Other kernels ask for another sweep: ``make sweep``."""
    kept = kept_sweeps()[name]
    assert kept["source"] == source_digest(activation_formula(name))
    for what, bound in (("value", 2), ("derivative", 4)):
        assert kept[what]["ulp"] + kept[what]["truth_ulp"] <= bound
        assert not kept[what]["not_a_number"]


@pytest.mark.long
@pytest.mark.parametrize("name", sorted(kept_sweeps()))
def test_the_sample_of_a_kept_sweep_is_met_again(name):
    """Kernels that became worse, by another compiler say, are noticed: all over, or here and there.

    Of most functions three parts of the sample are enough.
    """
    kept, whole = kept_sweeps()[name], name in WHOLE_SAMPLE
    found = sweep(activation_formula(name), parts=SAMPLE if whole else SAMPLE[4::5])
    for what in ("value", "derivative"):
        new, old = getattr(found, what), kept["sample"][what]
        assert new.ulp <= old["ulp"] + 1e-6
        if whole:
            assert new.inputs == old["inputs"]
            assert (new.not_a_number, new.wrong_sign) == (old["not_a_number"], old["wrong_sign"])
        assert new.not_a_number == 0
        assert old["ulp"] <= kept[what]["ulp"]


def test_the_truth_of_a_sweep_is_checked(monkeypatch):
    """Two kernels that lose the same digits agree with one another, not with the reference.

    Next to pi, 1 + cos(z) vanishes twice: both formats lose it where it is computed as it stands.
    """
    from chainrule.kernels.compiling import _compile
    from chainrule.kernels.stable_forms import _rewrite

    wave, other = parse("z + sin(z) + 0*0.12345"), f"{_compile.generator_digest()} without rules"
    monkeypatch.setattr(_rewrite, "RULES", ())
    monkeypatch.setattr(_compile, "generator_digest", lambda: other)
    part = int(np.float32(np.pi).view(np.uint32)) // PART
    result = sweep(wave, parts=[part])
    assert result.derivative.truth_ulp > 1000
    assert not result.passed


def test_between_the_slopes_of_a_kink_every_slope_is_true():
    """The slope of the absolute value at 0 is taken as 0."""
    result = sweep(parse("abs(z)"), parts=[0])
    assert result.passed
    assert result.derivative.truth_ulp == 0
