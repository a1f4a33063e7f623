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


def _mean_of(text, variance, power):
    """Integrate between all places where |z| < 8 standard deviations at which waves may meet."""
    formula, step = chainrule.activation(text).formula, math.pi / 36
    nodes, weights = (np.array(x) for x in np.polynomial.legendre.leggauss(8))
    count = math.ceil(8 * math.sqrt(variance) / step)
    total = 0.0
    for low in np.arange(-count, count) * step:
        places = low + step / 2 * (1 + nodes)
        values = [float(evaluate(formula.expression, {"z": mpmath.mpf(z)})) for z in places]
        density = np.exp(-(places**2) / (2 * variance)) / math.sqrt(2 * math.pi * variance)
        total += step / 2 * float(np.sum(weights * np.array(values) ** power * density))
    return total


@pytest.mark.parametrize(
    "text",
    [
        "max(sin(z), cos(z))", "max(sin(3*z), 0.5)", "z + abs(sin(z))", "z*abs(sin(z))",
        "where(sin(z) > 0, z, 0)", "sqrt(1 + abs(sin(z)))", "max(sin(z), 0)*tanh(z)",
    ],
)  # fmt: skip
def test_gain_with_infinitely_many_kinks(text):
    """E f(z)² agrees with Gauss's rule between all kinks within reach."""
    (gain,) = _portrait(text).about("gain")
    low, high = gain.bounds
    assert gain.proved
    assert low - 1e-9 <= 1 / math.sqrt(_mean_of(text, 1, 2)) <= high + 1e-9
    assert high - low < 1e-9


def test_statistics_of_the_absolute_sine_by_hand():
    """``E sin(z)² = (1 - exp(-2ν))/2``, and its slope's square has what is left of 1."""
    known = _portrait("abs(sin(z))")
    square = (1 - math.exp(-2)) / 2
    (gain,), (slope,) = known.about("gain"), known.about("slope moment")
    assert gain.bounds[0] <= 1 / math.sqrt(square) <= gain.bounds[1]
    assert slope.bounds[0] <= 1 - square <= slope.bounds[1]
    for subject in ("fixed point of mean and variance", "fixed point of E f(z)²"):
        (none,) = known.about(subject)
        assert none.proved
        assert none.text.startswith("none with")


@pytest.mark.parametrize("text", ["max(sin(z), cos(z))", "exp(abs(sin(z)))"])
def test_a_fixed_point_with_infinitely_many_kinks(text):
    """The second moment at the fixed point is the fixed point, by quadrature."""
    point, others = _portrait(text).about("fixed point of E f(z)²")
    assert point.proved
    assert others.text.startswith("no other")
    q = sum(point.bounds) / 2
    assert _mean_of(text, q, 2) == pytest.approx(q, abs=1e-9)


def test_a_square_wave_keeps_a_variance_of_1():
    known = _portrait("sign(sin(z))")
    point, _ = known.about("fixed point of mean and variance")
    assert point.bounds[0] <= 1 <= point.bounds[1]
    assert known.about("gain")[0].bounds[0] <= 1 <= known.about("gain")[0].bounds[1]


def test_kinks_too_close_for_moments_are_not_summed():
    known = _portrait("max(sin(300*z), 0.5)")
    assert known.about("gain")[0].text == "not settled: too many kinks within reach"
