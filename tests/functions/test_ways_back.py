"""What backward passes keep in memory, and where the rounded output still tells the slope."""

from __future__ import annotations

import re

import numpy as np
import pytest

import chainrule

THREE_DIGITS = 1e-3


def from_output(name, dtype=np.float32):
    return chainrule.activation(name).ways_back(dtype=dtype)[2]


@pytest.mark.parametrize(("dtype", "digits"), [(np.float32, 24), (np.float64, 53)])
def test_the_sigmoid_loses_its_slope_where_one_minus_the_output_has_rounded(dtype, digits):
    """1 - a = exp(-z) is off by half of the last place below 1; tanh's is 4 exp(-2z)."""
    rounding = 2.0 ** -(digits + 1)
    low, high = from_output("sigmoid", dtype).inputs
    assert low == -np.inf
    assert high == pytest.approx(-np.log(rounding / THREE_DIGITS), abs=1.0)
    low, high = from_output("tanh", dtype).inputs
    assert high == -low == pytest.approx(-np.log(rounding / THREE_DIGITS / 2) / 2, abs=1.0)


@pytest.mark.parametrize("name", ["relu", "softplus", "log_sigmoid", "log(z)"])
def test_outputs_that_never_round_to_a_limit_tell_every_slope(name):
    """As far as the function has a value."""
    assert from_output(name).inputs == (-np.inf, np.inf)


def test_a_softplus_that_has_vanished_still_has_its_slope():
    """1 - exp(-a) is a there, not 0."""
    softplus, z = chainrule.activation("softplus"), np.array([-80.0, -30.0], np.float32)
    slope = softplus.backward_from_output(np.ones_like(z), softplus(z))
    np.testing.assert_allclose(slope, np.exp(z.astype(np.float64)), rtol=4e-7)


def test_ways_that_do_not_exist_say_why():
    """With a witness; units that are coupled have no slope of their own."""
    kept, slopes, output = chainrule.activation("gelu").ways_back()
    assert (kept.numbers, slopes.numbers, output.numbers) == (1, 1, 0)
    assert not kept.refusal
    assert "does not tell the slope" in str(output)
    _, slopes, output = chainrule.activation("softmax").ways_back()
    assert "matrix" in str(slopes)
    assert str(output) == "backward_from_output: keeps nothing; slopes are as exact as the outputs"


def test_a_norm_that_the_output_tells_by_a_small_difference_loses_its_digits():
    """Layer normalisation divides by 1 - mean(a²), which is as small as eps."""
    assert "lose their digits" in str(from_output("layer_norm"))
    assert str(from_output("z/(1 + sum(abs(z)))")).endswith("slopes are as exact as the outputs")


def test_the_page_states_the_memory():
    """In bytes for each unit of each example."""
    page = chainrule.activation("tanh").derivation().to_html()
    shown = re.sub("<[^>]+>", "", page[page.rindex("Ways back") :])
    assert "backwardz, 4 bytes" in shown
    assert "slopes keep three digits for z above −5.58 and below 5.58" in shown
