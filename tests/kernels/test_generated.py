"""Kernels of formulas that nobody has written before."""

from __future__ import annotations

import re

import mpmath
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from tests.formulas.language import (
    PARAMETERS,
    UndefinedError,
    bracketed,
    central_difference,
    elementwise,
    layer_coupled,
    layer_gradient,
    layer_values,
    value_at,
)

from chainrule.catalogue import activation_formula
from chainrule.formulas import parse, subexpressions
from chainrule.kernels import activation_kernels, backward, forward

FEW = settings(
    deadline=None, max_examples=12, suppress_health_check=list(HealthCheck), derandomize=True
)
PLACES = np.array([-5.3, -2.1, -0.7, -0.11, 0.13, 0.6, 1.7, 4.9])


def formula_of(expression):
    text = bracketed(expression)
    return parse(text, {name: value for name, value in PARAMETERS.items() if name in text})


def size_of(expression, place) -> float:
    """Return the largest value that a part of an expression takes: what roundings scale with."""
    sizes = [1.0]
    for part in subexpressions(expression):
        try:
            sizes.append(abs(float(value_at(part, place, PARAMETERS))))
        except (TypeError, OverflowError, UndefinedError):
            continue
    return max(sizes)


def check_elementwise(formula, places) -> int:
    """Compare value and slope in float64 where both are defined and tame; count the places."""
    a = forward(formula, places)
    slopes = backward(formula, np.ones_like(places), places)
    parameters = dict(formula.parameters)
    compared = 0
    for place, got, slope in zip(places, a, slopes, strict=True):

        def function(t):
            return value_at(formula.expression, t, parameters)

        with mpmath.workdps(60):
            try:
                value, true = function(mpmath.mpf(place)), central_difference(function, place)
                near = [central_difference(function, place + h) for h in (-1e-9, 1e-9)]
                size = size_of(formula.expression, place)
            except UndefinedError:
                continue
            # Close to a kink, a pole or a jump, or where parts are huge, floats cannot follow.
            bend = max(abs(n - true) for n in near) * 1e9
            if bend > 1e6 or size > 1e8 or max(abs(value), abs(true)) > 1e8:
                continue
            assert abs(got - value) <= 1e-13 * size * (1 + abs(true)), place
            assert abs(slope - true) <= 1e-12 * size * size * (1 + bend + abs(true)), place
            compared += 1
    return compared


@FEW
@given(elementwise(leaves=5))
def test_any_elementwise_formula(expression):
    """Value and slope agree with mpmath's value and central difference."""
    check_elementwise(formula_of(expression), PLACES)


@FEW
@given(layer_coupled(leaves=4))
def test_any_layer_coupled_formula(expression):
    """Values and products agree with mpmath's, on layers of several sizes at once."""
    formula = formula_of(expression)
    parameters = dict(formula.parameters)
    rng = np.random.default_rng(1)
    for units in (1, 3):
        z, g = rng.normal(size=(2, 2, units)) * 1.5
        a, dz = forward(formula, z), backward(formula, g, z)
        for i in range(2):
            with mpmath.workdps(60):
                layer, seeds = [mpmath.mpf(x) for x in z[i]], [mpmath.mpf(x) for x in g[i]]
                try:
                    wanted = layer_values(formula.expression, {"z": layer}, parameters)
                    slopes = layer_gradient(formula.expression, layer, seeds, parameters)
                    shaken = layer_gradient(
                        formula.expression, [x * (1 + 1e-12) for x in layer], seeds, parameters
                    )
                except UndefinedError:
                    continue
                size = max(abs(x) for x in (*wanted, *slopes, 1))
                bend = max(abs(x - y) for x, y in zip(slopes, shaken, strict=True)) * 1e12
                if size > 1e6 or bend > 1e6:
                    continue
                for j in range(units):
                    assert abs(a[i, j] - wanted[j]) <= 1e-12 * size * (1 + size)
                    assert abs(dz[i, j] - slopes[j]) <= 1e-11 * (size * size + bend)


@pytest.mark.parametrize(
    ("text", "layer"),
    [
        ("where(sum(z) != 3, z, z**0.7)", (-1.0, 2.0, 0.5)),
        ("where(z > 0, z, exp(z) - 1) - mean(z)", (800.0, -2.0, 1.0)),
        ("where(z > 0, z*log(z), where(z < -2, sqrt(-z - 2), 0)) - mean(z)", (-3.0, -1.0, 1.0)),
        ("where(z > 0, z*log(sum(z)), z**2)", (-3.0, 5.0, 1.0)),
        ("where(z < 0, log(-mean(where(z < 0, z, sqrt(z)))), z)", (-3.0, -5.0, 1.0)),
    ],
)
def test_a_branch_that_is_not_taken_passes_back_nothing(text, layer):
    """Also where its slope is infinite or undefined, which 0 times it would not be rid of."""
    formula, g = parse(text), np.array([1.0, 2.0, -0.5])
    dz = backward(formula, g, np.array(layer))
    with mpmath.workdps(60):
        z, seeds = [mpmath.mpf(x) for x in layer], [mpmath.mpf(x) for x in g]
        for got, wanted in zip(dz, layer_gradient(formula.expression, z, seeds), strict=True):
            assert abs(got - wanted) <= 1e-13 * (1 + abs(wanted))


@pytest.mark.long
@pytest.mark.parametrize(
    ("text", "parameters"),
    [
        ("z*tanh(log(1 + exp(z)))**2", {}),
        ("where(z > 0, log(1 + z), -log(1 - z))", {}),
        ("max(min(z, 1), -1) + 0.1*z", {}),
        ("sin(z)*exp(-z**2/(2*alpha**2))", {"alpha": 1.5}),
        ("1 - exp(-exp(z))", {}),
        ("z*min(1, exp(z))", {}),
        ("where(abs(z) < 1, z**2/2, abs(z) - 1/2)", {}),
        ("asinh(alpha*z)/alpha", {"alpha": 3.0}),
        ("z - tanh(z)", {}),
        ("sqrt(z**2 + 1) - 1", {}),
        ("log(cosh(z))", {}),
        ("z/2 + abs(z)**1.5", {}),
        ("max(sin(z), 0.999)", {}),
        ("max(1/z, 0)", {}),
        ("min(sqrt(z**2 + 1), 3)", {}),
        ("2**z - 3**-z", {}),
        ("abs(sin(3*z))", {}),
        ("where(z == 0, 1, sin(z)/z)", {}),
        ("max(z**2 + 1, 0)", {}),
        ("z**3 - 2*z**-3 + z**5", {}),
        ("(z**2)**0.5", {}),
        ("expm1(z) - log1p(z**2)", {}),
        ("alpha*alpha*z + beta_1**2", {"alpha": 0.5, "beta_1": 3.0}),
    ],
)
def test_formulas_outside_the_catalogue(text, parameters):
    """Typical inventions, with kinks, parameters, and joins."""
    assert check_elementwise(parse(text, parameters), PLACES) >= 5


def _tanh_exp_and_angle(z):
    return z * mpmath.tanh(mpmath.exp(z)) + mpmath.atan(z) / z


@pytest.mark.long
@pytest.mark.parametrize(
    ("text", "place", "function"),
    [
        ("log(1 + z**2)", 1e-8, lambda z: mpmath.log1p(z * z)),
        ("exp(z**3) - 1", 1e-4, lambda z: mpmath.expm1(z**3)),
        ("1 - exp(-z**2)", 1e-5, lambda z: -mpmath.expm1(-z * z)),
        ("1 + erf(z**3)", -2.0, lambda z: mpmath.erfc(-(z**3))),
        ("1 - 1/(1 + z**2)", 1e-6, lambda z: z * z / (1 + z * z)),
        ("tanh(z**3)", 3.0, lambda z: mpmath.tanh(z**3)),
        ("1 - exp(-exp(z))", -30.0, lambda z: -mpmath.expm1(-mpmath.exp(z))),
        ("log(sinh(z)**2 + 1)", 1000.0, lambda z: mpmath.log1p(mpmath.sinh(z) ** 2)),
        ("log(1 + exp(3*z))/3", 500.0, lambda z: mpmath.log1p(mpmath.exp(3 * z)) / 3),
        ("exp(z)/(1 + exp(z))**2", 700.0, lambda z: mpmath.exp(z) / (1 + mpmath.exp(z)) ** 2),
        ("log(z + sqrt(z**2 + 1))", -1e10, mpmath.asinh),
        ("log(sqrt(4 + z*z) - z)", 1e200, lambda z: mpmath.log(2) - mpmath.asinh(z / 2)),
        ("log(2*z + sqrt(1 + 4*z**2))", -1e5, lambda z: mpmath.asinh(2 * z)),
        ("sqrt(1 + exp(z))", 1000.0, lambda z: mpmath.sqrt(1 + mpmath.exp(z))),
        ("(1 + exp(-2*z))**1.5", -200.0, lambda z: (1 + mpmath.exp(-2 * z)) ** 1.5),
        ("log(1 - exp(-abs(z)))", 1e-30, lambda z: mpmath.log(-mpmath.expm1(-z))),
        ("log(1 - exp(-abs(z)))", -50.5, lambda z: mpmath.log(-mpmath.expm1(z))),
        ("log(tanh(abs(z)))", 3e-25, lambda z: mpmath.log(mpmath.tanh(z))),
        ("sqrt(tanh(abs(z)))", -2e-25, lambda z: mpmath.sqrt(mpmath.tanh(-z))),
        ("z*tanh(exp(z)) + atan(z)/z", 128.00001525878906, _tanh_exp_and_angle),
        ("z*tanh(exp(z)) + atan(z)/z", 740.25, _tanh_exp_and_angle),
        (
            "z*tanh(exp(z))*cosh(z)",
            373.5,
            lambda z: z * mpmath.tanh(mpmath.exp(z)) * mpmath.cosh(z),
        ),
        (
            "sqrt(1 + exp(2*z)) - exp(z)",
            40.0,
            lambda z: 1 / (mpmath.sqrt(1 + mpmath.exp(2 * z)) + mpmath.exp(z)),
        ),
    ],
)
def test_inventions_neither_cancel_nor_overflow(text, place, function):
    """As a person writes them, values and slopes have all but a few of float64's digits."""
    formula, z = parse(text), np.array([place])
    with mpmath.workdps(1000):
        value, slope = function(mpmath.mpf(place)), central_difference(function, place, 1000)
        assert abs(forward(formula, z)[0] - value) <= 1e-14 * abs(value)
        assert abs(backward(formula, np.ones(1), z)[0] - slope) <= 1e-14 * abs(slope)


@pytest.mark.long
@pytest.mark.parametrize(
    ("text", "function"),
    [
        ("exp(-z**2/2)/(1 - erf(z/sqrt(2)))", lambda z: mpmath.exp(-z * z / 2) / _survival(z)),
        ("(erf(z/sqrt(2)) + 1)*exp(-z)", lambda z: _survival(-z) * mpmath.exp(-z)),
        ("exp(z**2/2)*(1 - erf(z/sqrt(2)))", lambda z: mpmath.exp(z * z / 2) * _survival(z)),
    ],
)
def test_tails_of_the_normal_distribution_have_all_digits_of_float32(text, function):
    """Where float64 has neither the tail nor what it is divided by."""
    z = np.array([-60, -30.5, -4.25, 0.5, 9.75, 33.25, 70.5, 3e4], np.float32)
    with mpmath.workdps(80):
        values = [function(mpmath.mpf(float(place))) for place in z]
        largest = float(np.finfo(np.float32).max)
        known = [k for k, value in enumerate(values) if 1e-37 < abs(value) < largest]
        got = forward(parse(text), z)
        assert len(known) >= 4
        for k in known:
            assert abs(got[k] - values[k]) <= 2.5e-7 * abs(values[k])


def _survival(z):
    return mpmath.erfc(z / mpmath.sqrt(2))


def test_parameters_with_the_names_of_python_and_of_kernels():
    """A parameter may be called anything the language lets it be called."""
    names = (
        *("lambda_", "np", "i", "j", "z0", "x", "t", "da", "first", "output", "rows", "columns"),
        *("size", "inf", "njit", "carray", "numbers", "v0", "range", "p_z", "parameters", "float"),
        *("accumulate", "None_", "print", "kept_1", "activation", "derivative", "SIGNATURE"),
    )
    values = {name: float(k) for k, name in enumerate(names)}
    formula = parse(" + ".join(f"{name}*z" for name in names), values)
    total = sum(values.values())
    assert forward(formula, np.array([1.5]))[0] == pytest.approx(1.5 * total)
    assert backward(formula, np.ones(1), np.array([1.5]))[0] == pytest.approx(total)
    coupled = parse(" + ".join(f"{name}*sum(z)" for name in names), values)
    assert forward(coupled, np.array([1.5]))[0] == pytest.approx(1.5 * total)
    short = parse("t*log(x + exp(i*z))/tanh1 + e1", {"t": 2, "x": 3, "i": 0.5, "tanh1": 4, "e1": 5})
    wanted = 2 * np.log(3 + np.exp(0.75)) / 4 + 5
    assert forward(short, np.array([1.5]))[0] == pytest.approx(wanted)


def test_parameter_values_of_any_size_and_sign():
    """Kinks and stable forms follow the values."""
    for alpha in (-2.0, 0.0, 1e-8, 3.5):
        formula = parse("max(alpha*z, z)", {"alpha": alpha})
        z = np.array([-3.0, 2.0])
        np.testing.assert_allclose(forward(formula, z), np.maximum(alpha * z, z))
        slopes = np.where(alpha * z > z, alpha, 1.0)
        np.testing.assert_allclose(backward(formula, np.ones(2), z), slopes)
    for alpha in (-3.0, 40.0):
        formula = parse("z/(1 + exp(-alpha*z))", {"alpha": alpha})
        z = np.array([-30.0, -1.0, 0.0, 2.0, 50.0])
        with mpmath.workdps(200):
            wanted = [
                float(mpmath.mpf(x) / (1 + mpmath.exp(-mpmath.mpf(alpha) * mpmath.mpf(x))))
                for x in z
            ]
        np.testing.assert_allclose(forward(formula, z), wanted, rtol=1e-13, atol=1e-300)


def test_one_source_serves_a_formula_and_names_what_it_computes():
    """The generated source is readable Python that says which formula it is for."""
    formula = activation_formula("sigmoid")
    kernels = activation_kernels(formula, np.float32)
    assert activation_kernels(formula, "float32") is kernels
    source = kernels.source
    for own in (kernels.forward.source, kernels.backward.source):
        assert own in source
        assert "1/(1 + exp(-z))" in own
    assert "float32" in source
    compile(source, "kernel", "exec")
    assert not re.search(r"\b(eval|exec|open|__import__|os|sys|subprocess)\b", source)
    assert "sigmoid" not in source, "one formula has one source, whatever it is called"


def test_text_of_a_formula_cannot_leave_its_docstring():
    """Titles are names of the catalogue or printed formulas; a hostile name stays inert."""
    formula = parse("z*z", name='"""\nraise SystemExit("ran")\n"""')
    assert forward(formula, np.array([3.0]))[0] == 9.0
