"""Functions that either sign of z calls are called once, of what the sign chooses."""

from __future__ import annotations

import re

import mpmath
import numpy as np
import pytest

import chainrule
from chainrule.formulas import parse, to_text
from chainrule.kernels import activation_kernels
from chainrule.kernels.computed import computed
from chainrule.kernels.source._joined_calls import with_joined_calls

TRUTHS = {
    "z*erf(log(1 + exp(z)))": lambda z: z * mpmath.erf(mpmath.log1p(mpmath.exp(z))),
    "atan(log(1 + exp(z)))": lambda z: mpmath.atan(mpmath.log1p(mpmath.exp(z))),
    "z*asinh(log(1 + exp(z)))": lambda z: z * mpmath.asinh(mpmath.log1p(mpmath.exp(z))),
}


OUTER = dict(zip(TRUTHS, ("erf", "atan", "asinh"), strict=True))


@pytest.mark.parametrize("text", TRUTHS)
def test_one_call_serves_both_signs(text):
    """Values and slopes in float64 are those of mpmath on either side, and at both zeros."""
    function = chainrule.activation(text)
    source = activation_kernels(parse(text), np.float64).forward.source
    called = re.findall(r"(\w+)\(\(.*\) if z >= 0.0 else", source.split("def activation")[1])
    assert [name for name in called if name in ("erf", "atan", "asinh")] == [OUTER[text]]
    z = np.array([-3.7, -2.2, -0.6, -1e-9, -0.0, 0.0, 1e-9, 0.6, 3.7, 5.1])
    with mpmath.workdps(60):
        values = [TRUTHS[text](mpmath.mpf(float(x))) for x in z]
        slopes = [mpmath.diff(TRUTHS[text], mpmath.mpf(float(x))) for x in z]
    np.testing.assert_allclose(function(z), np.array(values, float), rtol=1e-15)
    got = function.backward(np.ones_like(z), z)
    np.testing.assert_allclose(got, np.array(slopes, float), rtol=2e-15)


def test_pages_show_a_call_for_either_sign():
    """In what is computed stand two equations, one line of the source beside them."""
    formula = parse("atan(log(1 + exp(z)))")
    (value, _) = computed(formula, activation_kernels(formula, np.float64).source)
    outer = [e for e in value.equations if "atan" in to_text(e.sides[1])]
    assert [(to_text(e.sides[1]), e.remark) for e in outer] == [
        ("atan(x + q1)", "for z ≥ 0"),
        ("atan(q1)", "for z < 0"),
    ]
    assert [bool(e.name) for e in outer] == [True, False]


def test_lines_stand_after_what_they_need():
    """A call for both signs needs what was computed for either."""
    lines = ["s_left = z + 1.0", "f_left = erf(s_left)", "g_left = log(f_left)",
             "s_right = z - 1.0", "f_right = erf(s_right)", "g_right = exp(f_right)"]  # fmt: skip
    joined, names = with_joined_calls(lines)
    assert names == {"f_left": "f", "f_right": "f"}
    assert joined.index("f = erf((s_right) if z >= 0.0 else (s_left))") == 2
    assert joined[3:] == ["g_left = log(f)", "g_right = exp(f)"]


@pytest.mark.parametrize(
    "lines",
    [
        ["f_left = erf(z)", "f_right = exp(z)"],
        ["f_left = erf(z)*2.0", "f_right = erf(z)*3.0"],
        ["f_left = sin(z)", "f_right = sin(2.0*z)"],
        ["f = z", "f_left = erf(f)", "f_right = erf(-f)"],
    ],
)
def test_what_is_no_call_of_the_same_function_stays(lines):
    assert with_joined_calls(lines) == (lines, {})


@pytest.mark.parametrize("text", ["tanh(1 - asinh(z))", "erf(2 - z/(1 + abs(z)))"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_both_zeros_have_one_value(text, dtype):
    """A call of another argument on either side is no odd function, though both look alike."""
    values = chainrule.activation(text)(np.array([0.0, -0.0], dtype=dtype))
    assert values[0] == values[1] > 0.7
