"""Waves of lines in `z` that float64 cannot hold: right at every size of z."""

from __future__ import annotations

from fractions import Fraction

import mpmath
import numpy as np
import pytest
from tests.cases import some_of

from chainrule.certificates import certify
from chainrule.formulas import parse, to_text
from chainrule.kernels import activation_kernels, backward, forward
from chainrule.kernels.elementary.turns import Line, exactly, line_of
from chainrule.kernels.source._interpreter import interpreted
from chainrule.kernels.source._reading import read_functions
from chainrule.kernels.source._waves import wave_source

PI = mpmath.pi
# Value and slope, by hand.
WAVES = {
    "sin(0.9*z)": lambda z: (mpmath.sin(9 * z / 10), 9 * mpmath.cos(9 * z / 10) / 10),
    "cos(pi*z)": lambda z: (mpmath.cospi(z), -PI * mpmath.sinpi(z)),
    "sin(2*pi*z/3)": lambda z: (mpmath.sinpi(2 * z / 3), 2 * PI / 3 * mpmath.cospi(2 * z / 3)),
    "cos(1 - z/3)": lambda z: (mpmath.cos(1 - z / 3), mpmath.sin(1 - z / 3) / 3),
    "sin(z - pi/4)": lambda z: (mpmath.sin(z - PI / 4), mpmath.cos(z - PI / 4)),
}


def _places(dtype):
    random = np.random.default_rng(0)
    sizes = 10.0 ** random.uniform(-30, 38, 40) * random.choice([-1, 1], 40)
    whole = np.arange(-6, 7) / 2
    zeros = np.arange(1, 9) * np.pi / 0.9  # the next float of either format
    return np.concatenate([random.normal(size=20) * 10, sizes, whole, zeros]).astype(dtype)


@pytest.mark.parametrize("text", some_of(WAVES, 3))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_waves_keep_their_digits_at_every_size(text, dtype):
    """From 1e9 on, a rounded product says nothing about the sine; next to zeros, before."""
    z, formula = _places(dtype), parse(text)
    found = forward(formula, z), backward(formula, np.ones_like(z), z)
    smallest = mpmath.mpf(2) ** -149  # what is 0 at a large z of float64 is hardly more
    with mpmath.workdps(500):
        for k, place in enumerate(z.tolist()):
            wanted = WAVES[text](mpmath.mpf(place))
            for got, true, allowed in zip(found, wanted, (2, 4), strict=True):
                last = max(mpmath.mpf(float(np.spacing(dtype(abs(true))))), smallest)
                assert abs(mpmath.mpf(float(got[k])) - true) <= allowed * last, (place, got[k])


@pytest.mark.parametrize("dtype", some_of([np.float64, np.float32], 2))
def test_zeros_of_sines_have_the_signs_of_an_odd_function(dtype):
    """At -0.0 the sine of a line through 0 is -0.0; that of whole turns has the sign of `z`."""
    z = np.array([-0.0, 0.0] * 9 + [2.0, -2.0], dtype)
    for text, factor in (("sin(0.7*z)", 1.0), ("sin(-z/3)", -1.0), ("sin(pi*z)", 1.0)):
        found = forward(parse(text), z)
        zeros = slice(None) if text == "sin(pi*z)" else slice(18)
        assert not found[zeros].any()
        np.testing.assert_array_equal(np.signbit(found), np.signbit(factor * z))
    assert str(exactly("sin", "-z/3")(0.0)) == str(exactly("sin", "pi*z")(-2.0)) == "-0.0"


@pytest.mark.parametrize("text", some_of(["max(0, sin(0.7*z))", "z*cos(0.9*z)"], 2))
def test_the_certificate_of_a_wave_of_a_product_passes(text):
    """Infinite z and all that float32 has: the sampled certificate finds nothing."""
    assert certify(parse(text)).passed


def test_what_float64_holds_is_written_as_it_stands():
    """A factor of few digits times a float32 is exact; so are no sums."""
    assert wave_source("sin", parse("3*z/4").expression) is None
    assert wave_source("sin", parse("z/3").expression) == 'sin_at("z/3", z)'
    assert wave_source("cos", parse("z + 1").expression) == 'cos_at("z + 1", z)'
    assert wave_source("sin", parse("alpha*z", {"alpha": 0.9}).expression) is None
    assert wave_source("exp", parse("z/3").expression) is None
    assert line_of(parse("(1 - z)*2*pi/3").expression) == Line(
        Fraction(-2, 3), Fraction(2, 3), slope_in_pi=True, offset_in_pi=True
    )
    for text in ("z**2", "z*z", "pi*pi*z", "pi*z + z", "z*0", "1/z"):
        assert line_of(parse(text).expression) is None


def test_source_of_waves_reads_as_the_mathematics():
    """Mending and the comments on lines know the functions by their arguments."""
    value = interpreted(['v0 = cos_at("pi*z", z)'], "v0", {})
    assert [value(z) for z in (0.0, 0.5, 1.0, 1e30, 1 / 3)] == [1, 0, -1, 1, pytest.approx(0.5)]
    assert np.isnan(value(np.inf))
    source = activation_kernels(parse("z*sin(0.9*z)"), np.float64).source
    assert "turns.sin(z, wave0)  # u2" in source
    assert 'turns.wave("9/10*z")' in source
    statements = read_functions(source.split("\n\n\n\n")[0], ("activation",))["activation"]
    assert to_text(statements[0].value) == "sin(9/10*z)"
