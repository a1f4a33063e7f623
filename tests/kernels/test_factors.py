"""Next to its zeros a function keeps its digits: sums that cancel there are written as products."""

from __future__ import annotations

from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.derivations import evaluate
from chainrule.formulas import parse, to_text
from chainrule.kernels import backward
from chainrule.kernels.stable_forms._rewrite import rewrite

WAVES = ["1 + cos(3*z)", "cos(z) + 1", "1 - cos(z - 1)", "1 + sin(2*z)", "1 - sin(z)",
         "1 - 1/2*sin(2*z)*2", "1 + 2*sin(z)*cos(z)", "1 - sin(z/3)*(2*cos(z/3))"]  # fmt: skip


def value(expression, z):
    """Evaluate in 60 digits."""
    with mpmath.workdps(60):
        return evaluate(expression, {"z": mpmath.mpf(z)})


@pytest.mark.parametrize("text", WAVES)
@pytest.mark.parametrize("z", ["-2.75", "0.1", "5.5"])
def test_waves_become_squares(text, z):
    """The square is the same function."""
    e = parse(text).expression
    assert "**2" in to_text(rewrite(e))
    assert abs(value(rewrite(e), z) - value(e, z)) < 1e-50


@given(
    st.lists(st.fractions(-9, 9, max_denominator=12), min_size=1, max_size=3),
    st.fractions(-5, 5, max_denominator=7).filter(bool),
)
def test_polynomials_vanish_exactly_at_their_rational_zeros(zeros, scale):
    """Written out term by term and read as a user would write it, then factored."""
    coefficients = [scale]
    for zero in zeros:
        coefficients = [
            a - zero * b
            for a, b in zip([*coefficients, Fraction(0)], [Fraction(0), *coefficients], strict=True)
        ]
    degree = len(coefficients) - 1
    text = " + ".join(f"({c})*z**{degree - k}" for k, c in enumerate(coefficients) if k < degree)
    e = parse(f"{text} + ({coefficients[-1]})").expression
    factored = rewrite(e)
    for zero in zeros:
        with mpmath.workdps(60):
            place = mpmath.mpf(zero.numerator) / zero.denominator
        assert abs(value(factored, place)) < 1e-50
    for z in ("0.25", "-4.75"):
        assert abs(value(factored, z) - value(e, z)) < 1e-45


@pytest.mark.parametrize("text", ["z**2 + 1", "z + 44715/1000000*z**3", "1 - z", "z**2 - 2"])
def test_what_has_no_rational_zero_but_0_stays(text):
    """Nothing would be gained."""
    e = parse(text).expression
    assert rewrite(e) == e


@pytest.mark.long
@pytest.mark.parametrize(
    ("text", "zero"),
    [("z + sin(z)", np.pi), ("z - sin(2*z + 1)/2", -0.5), ("z + sin(z)**2", 0.75 * np.pi),
     ("z*(z + 3)/6", -1.5), ("z + z**3/3 - z**2", 1.0)],
)  # fmt: skip
def test_slopes_next_to_their_zeros(text, zero):
    """In float32, and of every neighbour of the zero: against mpmath's own derivative."""
    formula = parse(text)
    near = np.float32(zero)
    z = (near.view(np.int32) + np.arange(-20, 21)).astype(np.int32).view(np.float32)
    got = backward(formula, np.ones_like(z), z)
    with mpmath.workdps(60):
        for place, slope in zip(z.tolist(), got.tolist(), strict=True):
            true = mpmath.diff(lambda x: evaluate(formula.expression, {"z": x}), mpmath.mpf(place))
            size = max(mpmath.frexp(true)[1], -125) if abs(true) > 1e-30 else -125
            assert abs(slope - true) <= 4 * mpmath.mpf(2) ** (size - 24)
