"""Layer-coupled formulas as one would write them down: no sum overflows, no difference cancels."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from tests.cases import some_of

import chainrule
from chainrule.derivations import evaluate_layer
from chainrule.formulas import parse, substitute
from chainrule.kernels.stable_forms._layer_form import layer_form
from chainrule.references import FORMATS
from chainrule.references._reference import Reference

DIGITS = 700  # twice what the rows' spread takes, for difference quotients
STEP = mpmath.mpf(10) ** -200
ROWS = {
    "plain": [0.3, -1.25, 0.75, 2.5],
    "one dominant": [0.5, 40.25, -1.0, 1.5],
    "one far above": [0.5, 70.5, -0.25, 1.5],
    "large": [1000.5, 999.25, 1001.75, 1000.0],
    "spread": [-40.0, 30.0, -30.5, 50.0],
    "near": [0.5, 0.5 + 2**-20, 0.5 - 2**-19, 0.5 + 2**-21],
}
LARGEST = np.finfo(np.float32).max
WEIGHTS = [0.75, -1.5, 0.625, 1.25]


def exponentials(z):
    return [mpmath.exp(x) for x in z]


def softmax(z):
    total = mpmath.fsum(exponentials(z))
    return [mpmath.exp(x) / total for x in z]


def mean(z):
    return mpmath.fsum(z) / len(z)


def normalised(z):
    deviation = mpmath.sqrt(mean([(x - mean(z)) ** 2 for x in z]))
    return [(x - mean(z)) / deviation for x in z]


def shares(parts):
    return [part / mpmath.fsum(map(abs, parts)) for part in parts]


def gated(z):
    return [x / (1 + mpmath.exp(-mean(z))) for x in z]


FORMULAS = {
    "log(exp(z)/sum(exp(z)))": lambda z: [mpmath.log(a) for a in softmax(z)],
    "exp(z)/sum(exp(z))*log(exp(z)/sum(exp(z)))": lambda z: [a * mpmath.log(a) for a in softmax(z)],
    "1 - exp(z)/sum(exp(z))": lambda z: [1 - a for a in softmax(z)],
    "log(1 - exp(z)/sum(exp(z)))": lambda z: [mpmath.log(1 - a) for a in softmax(z)],
    "log(sum(exp(z)) - exp(z))": lambda z: [
        mpmath.log(mpmath.fsum(exponentials(z)) - e) for e in exponentials(z)
    ],
    "sum(z*exp(z))/sum(exp(z))": lambda z: [mpmath.fdot(z, softmax(z))] * len(z),
    "z*exp(z)/sum(exp(z))": lambda z: [x * a for x, a in zip(z, softmax(z), strict=True)],
    "exp(z - mean(z))/sum(exp(z - mean(z)))": softmax,
    "exp(-z**2)/sum(exp(-z**2))": lambda z: softmax([-(x**2) for x in z]),
    "(z - mean(z))/sqrt(mean(z**2) - mean(z)**2)": normalised,
    "log(1 + exp(z))/sum(log(1 + exp(z)))": lambda z: shares(
        [mpmath.log(1 + e) for e in exponentials(z)]
    ),
    "1/(1 + exp(-z))/sum(1/(1 + exp(-z)))": lambda z: shares([1 / (1 + mpmath.exp(-x)) for x in z]),
    "tanh(z)/sum(abs(tanh(z)))": lambda z: shares(list(map(mpmath.tanh, z))),
    "z - sum(z*exp(z))/sum(exp(z))": lambda z: [x - mpmath.fdot(z, softmax(z)) for x in z],
    "sum(exp(z))/sum(exp(-z))": lambda z: (
        [mpmath.fsum(exponentials(z)) / mpmath.fsum(1 / e for e in exponentials(z))] * len(z)
    ),
    "exp(z)/max(exp(z))": lambda z: [mpmath.exp(x - max(z)) for x in z],
    "log(mean(exp(z)))": lambda z: [mpmath.log(mean(exponentials(z)))] * len(z),
    "z/(1 + exp(-mean(z)))": gated,
}


# Of one formula alone; None where the last place of z is more than 4 ulp of what is left of it.
OF_ONE = {
    "z - sum(z*exp(z))/sum(exp(z))": {"near": None},
    "1/(1 + exp(-z))/sum(1/(1 + exp(-z)))": {"far below": [-1000.5, -999.25, -1001.75, -1000.0]},
    "exp(z)/max(exp(z))": {"tiny": [1e-30, -2e-30, 3e-31, 1.5e-30]},
    "sum(exp(z))/sum(exp(-z))": {"wide": [-1000.0, 999.5, 0.25, -3.0]},
    "log(mean(exp(z)))": {"tiny": [1e-30, -2e-30, 3e-31, 1.5e-30]},
}


def truth(function, row):
    """Return values and products with the Jacobian."""
    z = [mpmath.mpf(float(x)) for x in row]
    products = []
    for j in range(len(z)):
        ends = [[x + side * STEP * (k == j) for k, x in enumerate(z)] for side in (1, -1)]
        above, below = map(function, ends)
        slopes = [(a - b) / (2 * STEP) for a, b in zip(above, below, strict=True)]
        products.append(mpmath.fdot(WEIGHTS, slopes))
    return function(z), products


def magnitudes_of_terms(text, row):
    """Return those of the product's terms, in which a unit's effect on itself may be split."""
    exact = [[mpmath.mpf(float(x))._mpf_ for x in part] for part in (row, WEIGHTS)]
    return Reference(parse(text), FORMATS["float32"]).layer(*exact).terms


def units_apart(computed, true, magnitude):
    """Return the distance in ulp of float32 at a binary magnitude."""
    unit = mpmath.ldexp(1, max(magnitude - 24, -149))
    return float(abs(mpmath.mpf(float(computed)) - true) / unit)


@pytest.mark.parametrize("text", some_of(FORMULAS, 6))
def test_a_plainly_written_layer_keeps_its_digits(text):
    """Values within 4 ulp, products with the Jacobian within 4 ulp of their terms."""
    activation = chainrule.activation(text)
    weights = np.array([WEIGHTS], dtype=np.float32)
    for name, row in {**ROWS, **OF_ONE.get(text, {})}.items():
        if row is None:
            continue
        z = np.array([row], dtype=np.float32)
        computed, passed_back = activation(z)[0], activation.backward(weights, z)[0]
        scales = magnitudes_of_terms(text, z[0])
        with mpmath.workdps(DIGITS):
            values, products = truth(FORMULAS[text], z[0])
            for j in range(4):
                if abs(values[j]) > LARGEST:
                    continue
                own = mpmath.frexp(values[j])[1]
                assert units_apart(computed[j], values[j], own) <= 4, name
                assert units_apart(passed_back[j], products[j], scales[j]) <= 4, name


def without_marks(e):
    """Leave out what only differentiation asks for."""
    return (
        substitute(e.arguments[0], without_marks) if getattr(e, "operation", "") == "held" else None
    )


@pytest.mark.parametrize("text", FORMULAS)
def test_what_is_computed_is_the_formula(text):
    """Over the real numbers nothing has changed."""
    formula = parse(text)
    with mpmath.workdps(50):
        row = {"z": [mpmath.mpf(x) for x in ("0.3", "-1.7", "0.9", "2.2")]}
        plain = evaluate_layer(formula.expression, row)
        for sharp in (True, False):
            form = substitute(layer_form(formula, sharp=sharp), without_marks)
            found = evaluate_layer(form, row)
            assert all(abs(x - y) < 1e-45 for x, y in zip(plain, found, strict=True))


@pytest.mark.parametrize("text", ["max(z) - log(sum(exp(z)))", "log(sum(exp(z))) - max(z)"])
def test_the_slope_of_a_largest_unit_is_what_the_others_have(text):
    """1 less its share, which is lost beside 1 where it leads by 40."""
    layer = chainrule.activation(text)
    z, sign = np.array([[0.5, 40.5, -3.0]]), -1 if text.startswith("log") else 1
    powers = [mpmath.exp(mpmath.mpf(x) - 40.5) for x in z[0].tolist()]
    total = mpmath.fsum(powers)
    wanted = [-p / total for p in powers]
    wanted[1] = (powers[0] + powers[2]) / total
    got = layer.backward(np.array([[1.0, 0.0, 0.0]]), z)[0] * sign
    np.testing.assert_allclose(got, [float(x) for x in wanted], rtol=1e-14)
    ties = layer.backward(np.array([[1.0, 0.0, 0.0]]), np.array([[2.0, 2.0, 1.0]]))[0] * sign
    share = 1 / (2 + np.exp(-1.0))
    np.testing.assert_allclose(ties, [0.5 - share, 0.5 - share, -(1 - 2 * share)], rtol=1e-14)


@pytest.mark.parametrize("row", [(1e-12, -3e-13, 2e-13), (1.0, -50.0, 700.0), (-1e4, -1e4, -2e4)])
def test_exponentials_less_their_mean_keep_their_digits(row):
    """Near 0 each is 1 and a little, and the difference is of the little."""
    expression = parse("(exp(z) - mean(exp(z)))/sum(exp(z))").expression
    with mpmath.workdps(50):
        wanted = evaluate_layer(expression, {"z": [mpmath.mpf(x) for x in row]})
        got = chainrule.activation("(exp(z) - mean(exp(z)))/sum(exp(z))")(np.array([row]))[0]
        for x, true in zip(got.tolist(), wanted, strict=True):
            assert abs(x - true) <= mpmath.mpf(10) ** -14 * abs(true) + mpmath.mpf(10) ** -300


@pytest.mark.parametrize(("power", "times"), [("2", 2.0), ("0.25", 0.25), ("1/alpha", 2.0)])
def test_shares_of_powers_of_shares_are_those_of_multiples(power, times):
    """Temperatures are written so. No slope of a small share is lost beside that of a large one."""
    share = f"(exp(z)/sum(exp(z)))**({power})"
    parameters = {"alpha": 0.5} if "alpha" in power else {}
    layer = chainrule.activation(f"{share}/sum({share})", **parameters)
    z, da = [0.5, 40.5, -3.0, -40.0], [1.0, 0.0, 0.0, 0.0]
    with mpmath.workdps(80):
        powers = [mpmath.exp(times * mpmath.mpf(x)) for x in z]
        shares = [x / mpmath.fsum(powers) for x in powers]
        received = mpmath.fsum(g * a for g, a in zip(da, shares, strict=True))
        slopes = [times * a * (g - received) for a, g in zip(shares, da, strict=True)]
    value = layer(np.array([z]))[0]
    slope = layer.backward(np.array([da]), np.array([z]))[0]
    np.testing.assert_allclose(value, [float(x) for x in shares], rtol=1e-13)
    np.testing.assert_allclose(slope, [float(x) for x in slopes], rtol=1e-13)
