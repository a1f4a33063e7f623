"""Places without a value: what both sides tend to is the value there, poles and jumps have none."""

from __future__ import annotations

import math

import pytest
from mpmath import libmp

from chainrule.certificates._ulp import format_of, to_number
from chainrule.formulas import parse
from chainrule.references import Reference, Truth


def truth(text: str, z: float, dtype: str) -> Truth:
    return Reference(parse(text, {}), format_of(dtype)).at(libmp.from_float(z))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("text", "z", "value", "slope"),
    [
        ("sin(z)/z", 0.0, 1.0, 0.0),
        ("(exp(z) - 1)/z", 0.0, 1.0, 0.5),
        ("log(1 + z)/z", 0.0, 1.0, -0.5),
        ("(tanh(z) - z)/z**3", 0.0, -1 / 3, 0.0),
        ("(sin(z) - z + z**3/6)/z**5", 0.0, 1 / 120, 0.0),
        ("(z**2 - 1)/(z - 1)", 1.0, 2.0, 1.0),
        ("(tanh(z - 1) - (z - 1))/(z - 1)**2", 1.0, 0.0, -1 / 3),
        ("1/(z + 0.5) - 1/sinh(z + 0.5)", -0.5, 0.0, 1 / 6),
        ("exp(-1/z**2)", 0.0, 0.0, 0.0),
        ("z**2*sin(1/z)", 0.0, 0.0, 0.0),
    ],
)
def test_both_sides_tend_to_one_number(
    text: str, z: float, value: float, slope: float, dtype: str
) -> None:
    """Values and slopes from their series, where the formula itself divides by 0."""
    found = truth(text, z, dtype)
    assert found.is_limit
    assert not found.is_kink
    assert found.value is not None
    assert found.left is not None
    assert to_number(found.value) == pytest.approx(value, rel=1e-15, abs=1e-60)
    assert to_number(found.left) == pytest.approx(slope, rel=1e-15, abs=1e-60)
    assert Reference(parse(text, {}), format_of(dtype)).value(libmp.from_float(z)) == found.value


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "text",
    ["1/z", "1/z**2", "abs(z)/z", "tanh(1/z)", "sin(1/z)", "exp(1/z)", "sin(sqrt(z))/sqrt(z)",
     "z/z**2", "z/(z - z)"],
)  # fmt: skip
def test_poles_jumps_waves_and_ends_have_no_value(text: str, dtype: str) -> None:
    """The sides do not tend to one finite number, or there is one side alone."""
    found = truth(text, 0.0, dtype)
    assert found.value == libmp.fnan
    assert found.left == found.right == libmp.fnan
    assert not found.is_limit


def test_sides_may_meet_with_two_slopes_or_with_none() -> None:
    """sin(z)**2/abs(z) is like abs(z) at 0; z*sin(1/z) tends to 0, its slope to nothing."""
    kink = truth("sin(z)**2/abs(z)", 0.0, "float32")
    assert kink.value is not None
    assert kink.left is not None
    assert kink.right is not None
    assert to_number(kink.value) == pytest.approx(0.0, abs=1e-60)
    assert to_number(kink.left) == pytest.approx(-1.0)
    assert to_number(kink.right) == pytest.approx(1.0)
    wave = truth("z*sin(1/z)", 0.0, "float32")
    assert wave.value is not None
    assert math.isclose(to_number(wave.value), 0.0, abs_tol=1e-60)
    assert wave.left == libmp.fnan
