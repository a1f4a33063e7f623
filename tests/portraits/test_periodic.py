"""Portraits of functions with infinitely many kinks, against dense sampling."""

import math

import mpmath
import numpy as np
import pytest

import chainrule
from chainrule.derivations import evaluate

_PERIODIC = {
    "abs(sin(z))": (math.pi, "even"),
    "max(sin(z), cos(z))": (2 * math.pi, "neither"),
    "max(sin(3*z), 0.5)": (2 * math.pi / 3, "neither"),
    "max(abs(sin(z)) - 0.5, 0)": (math.pi, "even"),
    "max(cos(2*z), -0.3) + sin(z)/4": (2 * math.pi, "neither"),
    "z + abs(sin(z))": (math.pi, "neither"),
    "abs(sin(z)) + abs(cos(z))": (math.pi / 2, "even"),
    "z + sin(z)*max(abs(sin(z)), 0.5)": (2 * math.pi, "odd"),
}


def _portrait(text):
    return chainrule.activation(text).portrait()


def _sampled(text, low, high, count=4001):
    formula = chainrule.activation(text).formula
    places = np.linspace(low, high, count)[1:-1]
    return places, [float(evaluate(formula.expression, {"z": mpmath.mpf(z)})) for z in places]


@pytest.mark.parametrize("text", _PERIODIC)
def test_range_and_slope_of_one_period(text):
    """Values and difference quotients on three periods agree with what is stated."""
    length, _ = _PERIODIC[text]
    known = _portrait(text)
    places, values = _sampled(text, -length, 2 * length)
    (lowest,), (highest,) = known.about("infimum"), known.about("supremum")
    (steepest,) = known.about("largest slope")
    quotients = np.abs(np.diff(values) / np.diff(places))
    if math.isfinite(lowest.bounds[0]):
        assert abs(lowest.bounds[0] - min(values)) < 2e-3
        assert abs(highest.bounds[1] - max(values)) < 2e-3
    assert lowest.bounds[0] <= min(values)
    assert max(values) <= highest.bounds[1]
    assert max(quotients) <= steepest.bounds[1] + 1e-12
    assert abs(max(quotients) - steepest.bounds[0]) < 2e-2


@pytest.mark.parametrize("text", _PERIODIC)
def test_period_symmetry_and_stretches(text):
    """What is stated of stretches holds on each of them, and again a period further on."""
    length, symmetry = _PERIODIC[text]
    known = _portrait(text)
    (period,), (mirrored,) = known.about("period"), known.about("symmetry")
    assert str(period.text).startswith("f(z + ")
    assert mirrored.text.startswith(symmetry)
    for subject, order in (("monotone", 1), ("convexity", 2)):
        total = 0.0
        for stretch in known.about(subject):
            assert stretch.proved
            low, high = stretch.bounds
            if math.isinf(low):
                low, high, total = -length, 2 * length, length
            else:
                total += high - low
            for shift in (0, length):
                differences = np.diff(_sampled(text, low + shift, high + shift, 201)[1], order)
                word = stretch.text.split()[0]
                if word in ("increasing", "convex"):
                    assert min(differences) > -1e-12
                elif word in ("decreasing", "concave"):
                    assert max(differences) < 1e-12
                else:
                    assert max(abs(differences)) < 1e-12
        assert total == pytest.approx(length)


def test_values_and_slopes_that_grow_from_period_to_period():
    """A factor z makes the swings of a wave ever larger."""
    known = _portrait("z*abs(sin(z))")
    assert [known.about(s)[0].text for s in ("symmetry", "infimum", "supremum", "monotone")] == [
        "odd: f(-z) = -f(z)", "-∞", "∞", "rises and falls for ever towards -∞ and ∞",
    ]  # fmt: skip
    assert known.about("largest slope")[0].bounds == (math.inf, math.inf)
    assert all(s.text.endswith("others grow without bound") for s in known.about("limit"))


def test_steps_that_grow_from_period_to_period():
    """The slope is 1 or 0 for ever, while the function jumps ever farther."""
    known = _portrait("where(sin(z) > 0, z, 0)")
    assert [s.text.split(" on ")[0] for s in known.about("monotone")] == ["increasing", "constant"]
    assert known.about("largest slope")[0].text.startswith("∞: there is no Lipschitz constant")
    assert known.about("supremum")[0].text == "∞"


def test_jumps_of_a_square_wave():
    """A sign of a sine jumps twice in each period, and is constant between."""
    known = _portrait("sign(sin(z))")
    assert [s.text for s in known.about("jump")] == [
        "at z = 0 and again every 2*pi: from -1 on the left to 1 on the right, 0 there",
        "at z = 3.141592654 and again every 2*pi: from 1 on the left to -1 on the right, 0 there",
    ]
    assert known.about("period")[0].text == "f(z + 2*pi) = f(z)"
    assert {s.bounds for s in known.about("infimum") + known.about("supremum")} == {
        (-1, -1),
        (1, 1),
    }
