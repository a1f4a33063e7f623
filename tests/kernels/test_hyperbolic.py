"""Hyperbolic functions of what is no line in z cancel before they overflow."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from tests.cases import some_of

from chainrule.formulas import parse
from chainrule.kernels import backward, forward
from chainrule.kernels.fitting._polynomials import Target

_CLOSEST = 3e-15  # next to 1, relative; z itself is rounded, which what grows fast multiplies


def _log_cosh(u, slope):
    return mpmath.log(mpmath.cosh(u)), mpmath.tanh(u) * slope


def _tanh(u, slope):
    return mpmath.tanh(u), mpmath.sech(u) ** 2 * slope


def _bump(x):
    return (
        mpmath.exp(-x * x) * mpmath.erf(x / 2),
        mpmath.exp(-5 * x * x / 4) / mpmath.sqrt(mpmath.pi)
        - 2 * x * mpmath.exp(-x * x) * mpmath.erf(x / 2),
    )


FORMULAS = {
    "log(cosh(exp(-z**2)*erf(z/2)))": lambda x: _log_cosh(*_bump(x)),
    "log(cosh(expm1(z + 1)))": lambda x: _log_cosh(mpmath.expm1(x + 1), mpmath.exp(x + 1)),
    "log(cosh(sinh(z)))": lambda x: _log_cosh(mpmath.sinh(x), mpmath.cosh(x)),
    "log(cosh(z**3))": lambda x: _log_cosh(x**3, 3 * x * x),
    "sinh(exp(z))/cosh(exp(z))": lambda x: _tanh(mpmath.exp(x), mpmath.exp(x)),
    "(cosh(sinh(z))**2 - 1)/(sinh(sinh(z))*cosh(sinh(z)))": lambda x: _tanh(
        mpmath.sinh(x), mpmath.cosh(x)
    ),
}
PLACES = [-40.0, -6.1, -2.3, -1.0, -0.7, -1e-3, -1e-9, 1e-12, 2e-5, 0.03, 0.8, 1.9, 4.4, 6.3, 12.0]


@pytest.mark.parametrize("text", some_of(FORMULAS, 3))
def test_hyperbolic_functions_cancel_in_float64(text):
    """cosh(u) is infinite from 710 on, and 1 next to 0, where its logarithm is neither."""
    z, formula = np.array(PLACES), parse(text, {})
    results = forward(formula, z), backward(formula, np.ones_like(z), z)
    for x, *found in zip(z.tolist(), *results, strict=True):
        with mpmath.workdps(200):
            values = FORMULAS[text](mpmath.mpf(x))
        for value, true in zip(found, values, strict=True):
            if abs(true) < 1e-300:
                assert abs(value) <= 1e-300, x
            else:
                off = 1 + 4 * mpmath.exp(min(abs(x), 12)) + 2 * x * x
                assert abs(value - true) <= _CLOSEST * off * abs(true), (x, value, true)


@pytest.mark.parametrize(
    "text", ["expm1(z + 1)**2", "log(1 + expm1(z + 1)**2)", "expm1((z - 3)/2)**2"]
)
def test_an_exponential_that_passes_one_away_from_zero_loses_nothing(text):
    """exp(1)*exp(z) - 1 was 1e-17 at z = -1 and had one digit next to it."""
    formula = parse(text, {})
    zero = -1.0 if "z + 1" in text else 3.0
    z = zero + np.array([-1e-3, -1e-9, 0.0, 1e-14, 1e-6])
    results = forward(formula, z), backward(formula, np.ones_like(z), z)
    for x, value, slope in zip(z.tolist(), *results, strict=True):
        with mpmath.workdps(50):
            rate = 1 if zero < 0 else mpmath.mpf("0.5")
            square = mpmath.expm1((mpmath.mpf(x) - zero) * rate)
            of_square = 2 * square * (square + 1) * rate
            square **= 2
            if "log" in text:
                square, of_square = mpmath.log1p(square), of_square / (1 + square)
            assert abs(value - square) <= 2e-15 * square, x
            assert abs(slope - of_square) <= 2e-15 * abs(of_square), x


def test_no_polynomial_is_sought_through_what_has_no_number():
    """LAPACK's least squares never came back from a matrix with infinities in it."""
    target = Target(np.zeros_like, mpmath.mpf, 1.0)
    with np.errstate(all="ignore"):
        assert target.on(0.0, 1.0).fitted(4) is None


def _softplus(u, slope):
    return mpmath.log1p(mpmath.exp(u)), slope / (1 + mpmath.exp(-u))


SOFTPLUS = {
    "log(1 + exp(exp(-z)))": lambda x: _softplus(mpmath.exp(-x), -mpmath.exp(-x)),
    "log(1 + exp((z + 1)/z))": lambda x: _softplus(1 + 1 / x, -1 / x**2),
    "log(1 + exp(sinh(z)))": lambda x: _softplus(mpmath.sinh(x), mpmath.cosh(x)),
}


@pytest.mark.parametrize("text", some_of(SOFTPLUS, 2))
def test_sums_with_exponentials_of_what_grows_do_not_overflow(text):
    """exp(exp(7)) is infinite, and its logarithm is 1097."""
    z, formula = (
        np.array([-9.0, -7.0, -2.3, -1e-4, 1e-9, 1e-4, 0.03, 1.9, 7.1, 9.0]),
        parse(text, {}),
    )
    results = forward(formula, z), backward(formula, np.ones_like(z), z)
    for x, *found in zip(z.tolist(), *results, strict=True):
        with mpmath.workdps(40):
            values = SOFTPLUS[text](mpmath.mpf(x))
        for value, true in zip(found, values, strict=True):
            off = 1 + mpmath.exp(min(abs(x), 12)) + min(1 / abs(x), 700)
            if abs(true) < 1e-300:
                assert abs(value) <= 1e-300, x
            else:
                assert abs(value - true) <= _CLOSEST * off * abs(true), (x, value, true)
