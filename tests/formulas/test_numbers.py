"""Numbers as text: exact, short, and read again as they were."""

from fractions import Fraction

import pytest

from chainrule.documents import latex_of
from chainrule.formulas import constant, parse, to_text


@pytest.mark.parametrize(
    ("number", "text", "latex"),
    [
        ("1/3", "1/3", r"\frac{1}{3}"),
        ("1/30", "1/30", r"\frac{1}{30}"),
        ("1.702", "1.702", "1.702"),
        ("0.000001", "0.000001", "0.000001"),
        ("1e300", "1e300", "10^{300}"),
        ("1.5e-300", "1.5e-300", r"1.5 \cdot 10^{-300}"),
        ("1234567890123456.789", "1234567890123456.789", "1234567890123456.789"),
        ("1234567890123456789012345678", *["1234567890123456789012345678"] * 2),
        ("1000000", "1000000", "1000000"),
        ("1/2", "1/2", r"\frac{1}{2}"),
    ],
)
def test_numbers_are_written_exactly(number, text, latex):
    """Neither rounded nor spelled out in hundreds of zeros."""
    value = constant(Fraction(number))
    assert to_text(value) == text
    assert latex_of(value) == latex
    assert parse(f"z*({text})").expression.arguments[1] == value
