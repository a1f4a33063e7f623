"""Formulas whose choices repeat themselves for ever: one period tells all their kinks."""

from __future__ import annotations

from itertools import pairwise

import mpmath
import pytest

from chainrule.derivations import NoOutputForm, OutputForm, derive, evaluate
from chainrule.formulas import parse, to_text

_FORMULAS = [
    ("abs(sin(z))", {}, 2 * mpmath.pi, 2),
    ("max(sin(z), cos(z))", {}, 2 * mpmath.pi, 2),
    ("where(sin(z) > 0, z, 0)", {}, 2 * mpmath.pi, 2),
    ("max(sin(3*z), 0.5)", {}, 2 * mpmath.pi / 3, 2),
    ("max(abs(sin(z)) - 0.5, 0)", {}, 2 * mpmath.pi, 4),
    ("z*abs(sin(z + 1))", {}, 2 * mpmath.pi, 2),
    ("max(sin(alpha*z), beta)", {"alpha": -2.0, "beta": 0.3}, mpmath.pi, 2),
    ("max(sin(z), sin(3*z))", {}, 2 * mpmath.pi, 6),
    ("where(sin(pi*z) >= 1, 1, cos(z))", {}, 2, 1),
    ("max(sin(100*z), 0.999)", {}, mpmath.pi / 50, 2),
    ("min(cos(z/2), sin(z/3))", {}, 12 * mpmath.pi, 6),
    ("z + abs(cos(2*z))", {}, mpmath.pi, 2),
]


@pytest.mark.parametrize(("text", "parameters", "length", "count"), _FORMULAS)
def test_period(text: str, parameters: dict[str, float], length: object, count: int) -> None:
    """The pieces of one period are the formula on every period, and slopes are its slopes."""
    formula = parse(text, parameters)
    found = derive(formula).period
    assert found is not None
    assert abs(found.length - length) < 1e-12
    assert len(found.once.pieces) == count
    for piece, (low, high) in zip(found.once.pieces, pairwise(found.places), strict=True):
        for shift in (-40, -1, 0, 3, 1000):
            for share in ("0.01", "0.37", "0.99"):
                z = low + (high - low) * mpmath.mpf(share) + shift * mpmath.mpf(length)
                with mpmath.workdps(60):

                    def value(x: object) -> object:
                        return evaluate(formula.expression, {**parameters, "z": x})

                    at = {**parameters, "z": z}
                    assert abs(evaluate(piece.expression, at) - value(z)) < 1e-30
                    step = mpmath.mpf(10) ** -20
                    slope = (value(z + step) - value(z - step)) / (2 * step)
                    assert abs(evaluate(piece.derivative, at) - slope) < 1e-15 * (1 + abs(z))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("abs(sin(z))", "At z = π·k the slope jumps from -1 to 1; taken there: 0"),
        ("max(sin(z), cos(z))", "At z = π/4 + 2·π·k the slope jumps from -0.707107 to 0.707107"),
        ("where(sin(z) > 0, z, 0)", "At z = π + 2·π·k the formula goes over from z to 0"),
        ("max(sin(3*z), 0.5)", "∂a/∂z = 3·cos(3·z)    where π/18 + 2·π·k/3 < z < 5·π/18 + 2·π·k/3"),
        ("z*abs(sin(z))", "its slope from -sin(z) - z·cos(z) to sin(z) + z·cos(z); taken there: 0"),
        ("z + abs(sin(z))", "At z = π·k the slope jumps from 0 to 2; taken there: 1"),
        ("abs(sin(z))", "∂²a/∂z² = sin(z)    where π + 2·π·k < z < 2·π + 2·π·k"),
    ],
)
def test_kinks_are_stated_as_a_family(text: str, said: str) -> None:
    """A reader sees all the kinks at once, and where each form of the slope holds."""
    page = str(derive(parse(text)))
    assert said in page or said in page.replace("\n   ", " ")


@pytest.mark.parametrize(
    "text",
    [
        "abs(sin(z))",
        "max(sin(z), cos(z))",
        "max(sin(3*z), 0.5)",
        "z*abs(sin(z))",
        "max(z*sin(z), 0)",
        "where(z > 0, abs(sin(20*z)), 0)",
    ],
)
def test_witnesses(text: str) -> None:
    """Two places with one output and two slopes exclude a form, as difference quotients show."""
    formula = parse(text)
    forms = [form for form in derive(formula).output_forms if isinstance(form, NoOutputForm)]
    witnesses = [form.witness for form in forms if form.witness is not None]
    assert witnesses

    def value(z: object) -> object:
        return evaluate(formula.expression, {"z": z})

    with mpmath.workdps(40):
        for witness in witnesses:
            places = [
                mpmath.mpf(place.numerator) / place.denominator
                for place in (witness.first, witness.second[0])
            ]
            outputs = list(map(value, places))
            step = mpmath.mpf(10) ** -12
            slopes = [(value(z + step) - value(z - step)) / (2 * step) for z in places]
            assert abs(outputs[0] - outputs[1]) < 1e-20
            assert abs(slopes[0] - slopes[1]) > 1e-3
            assert all(abs(a - b) < 1e-8 for a, b in zip(slopes, witness.slopes, strict=True))


def test_waves_without_a_common_measure() -> None:
    """Nothing is claimed of a period where there is none."""
    assert derive(parse("max(sin(z), cos(sqrt(2)*z))")).period is None
    assert derive(parse("max(z*sin(z), 0)")).period is None


@pytest.mark.parametrize(
    ("text", "forms"),
    [
        ("where(cos(z) > 0, sin(z), 0)", {"0", "sqrt(1 - a**2)"}),
        ("where(cos(z) < 0, sin(z), 0)", {"0", "-sqrt(1 - a**2)"}),
        ("where(sin(z) > 0, cos(z), 0)", {"0", "-sqrt(1 - a**2)"}),
        ("where(sin(z) < 0, cos(z), 0)", {"0", "sqrt(1 - a**2)"}),
        ("where(sin(z) > 0.5, tanh(z), z)", {"1 - a**2", "1"}),
        ("where(cos(3*z) > 0, exp(sin(3*z)), sin(z)*0)", {"0", "3*a*sqrt(1 - log(a)**2)"}),
    ],
)
def test_forms_between_kinks(text: str, forms: set[str]) -> None:
    """On a stretch where a wave rises, or falls, it tells its slope, whichever period it is."""
    found = derive(parse(text)).output_forms
    assert {to_text(form.derivative) for form in found if isinstance(form, OutputForm)} == forms
    assert all(isinstance(form, OutputForm) for form in found)
