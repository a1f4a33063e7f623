"""Where float64 ends, error functions have tails yet: as logarithms and as quotients."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from tests.cases import some_of

from chainrule.formulas import parse
from chainrule.kernels import backward, forward
from chainrule.kernels._elementwise import scalar_functions
from chainrule.kernels.stable_forms._tails import TailField


def _normal(x):
    """Return the normal distribution's density, cumulative, and upper tail."""
    density = mpmath.exp(-x * x / 2) / mpmath.sqrt(2 * mpmath.pi)
    return density, mpmath.erfc(-x / mpmath.sqrt(2)) / 2, mpmath.erfc(x / mpmath.sqrt(2)) / 2


def _log_of_cumulative(x):
    density, below, _ = _normal(x)
    return mpmath.log(below), density / below


def _hazard(x):
    """Return the density over the upper tail, as without constants, and its slope."""
    density, _, above = _normal(x)
    ratio = density / above
    root = mpmath.sqrt(mpmath.pi / 2)
    return root * ratio, root * ratio * (ratio - x)


def _scaled(x):
    value = mpmath.exp(x * x) * mpmath.erfc(x)
    return value, 2 * x * value - 2 / mpmath.sqrt(mpmath.pi)


def _reciprocal(x):
    above = mpmath.erfc(x)
    return 1 / above, 2 / mpmath.sqrt(mpmath.pi) * mpmath.exp(-x * x) / above**2


def _root(x):
    above = mpmath.erfc(x)
    return mpmath.sqrt(above), -mpmath.exp(-x * x) / mpmath.sqrt(mpmath.pi * above)


def _of_gauss(x):
    return -x * x + mpmath.log(1 + x * x), -2 * x + 2 * x / (1 + x * x)


TAILS = {
    "log((1 + erf(z/sqrt(2)))/2)": _log_of_cumulative,
    "exp(-z**2/2)/(1 - erf(z/sqrt(2)))": _hazard,
    "exp(z**2)*(1 - erf(z))": _scaled,
    "1/(1 - erf(z))": _reciprocal,
    "sqrt(1 - erf(z))": _root,
    "log(exp(-z**2) + z**2*exp(-z**2))": _of_gauss,
}


@pytest.mark.long
@pytest.mark.parametrize("text", TAILS)
def test_tails_of_error_functions_in_float32(text):
    """Within 2 and 4 ulp, or as many subnormal numbers, and infinite where the format ends."""
    sizes = [0.3, 2.9, 9.1, 26.4, 27.5, 38.6, 55.0, 130.0, 9e3, 2.5e9, 1.7e19, 3e25]
    z = np.array([sign * size for size in sizes for sign in (1, -1)], np.float32)
    formula = parse(text, {})
    results = forward(formula, z), backward(formula, np.ones_like(z), z)
    with mpmath.workdps(120):
        for x, *found in zip(z.tolist(), *results, strict=True):
            if abs(x) > 1e20 and x < 0:  # mpmath takes exponentials of squares up to some size
                continue
            for value, true, bound in zip(found, TAILS[text](mpmath.mpf(x)), (2, 4), strict=True):
                if abs(true) >= mpmath.mpf(2) ** 128:
                    assert np.isinf(value), (x, value)
                    assert (value > 0) == (true > 0)
                else:
                    unit = np.spacing(np.float32(abs(true)))
                    assert abs(mpmath.mpf(float(value)) - true) <= bound * unit, (x, value)


@pytest.mark.parametrize("text", some_of(TAILS, 2))
def test_tails_of_error_functions_in_float64(text):
    """Fourteen digits but for those of squares of z, which exponentials are taken of."""
    z = np.array([-30.0, -2.9, 0.3, 9.1, 27.5, 38.6, 55.0, 130.0, 9e3, 2.5e9])
    formula = parse(text, {})
    results = forward(formula, z), backward(formula, np.ones_like(z), z)
    with mpmath.workdps(400):
        for x, *found in zip(z.tolist(), *results, strict=True):
            for value, true in zip(found, TAILS[text](mpmath.mpf(x)), strict=True):
                if not 1e-300 < abs(true) < 1e300:
                    assert (abs(value) <= 1e-300) == (abs(true) <= 1e-300), x
                else:
                    assert abs(value - true) <= 1e-14 * min(1 + x * x, 1e4) * abs(true), (x, value)


def test_both_signs_of_an_argument_and_rates_share_exponentials():
    """Of exponents that are whole multiples of one another there is one exponential."""
    source = "\n".join(scalar_functions(parse("exp(-z**2/2)/(1 - erf(z))", {}), "float64"))
    assert "erfcx(x)" in source
    field = TailField({}, 1)
    field.prepare(parse("exp(-z**2/2)/(1 - erf(z))", {}).expression)
    assert len(field.generators) == 1


def _log_of_cumulative_at(x, mean, deviation):
    u = (x - mean) / deviation
    value, slope = _log_of_cumulative(u)
    return value, slope / deviation


def _two_tails(x):
    tails = [(mpmath.erfc(x - m), 2 / mpmath.sqrt(mpmath.pi) * mpmath.exp(-((x - m) ** 2)))
             for m in (40, 90)]  # fmt: skip
    (first, of_first), (second, of_second) = tails
    return mpmath.log(first / second), of_second / second - of_first / first


_NORMAL = "log((1 + erf((z - mu)/(sigma*sqrt(2))))/2)"
CENTRED = [
    (_NORMAL, {"mu": 100.0, "sigma": 2.0}, lambda x: _log_of_cumulative_at(x, 100, 2)),
    (_NORMAL, {"mu": -100.0, "sigma": 0.5}, lambda x: _log_of_cumulative_at(x, -100, 0.5)),
    ("log(1 - erf(z - 40)) - log(1 - erf(z - 90))", {}, _two_tails),
    (_NORMAL, {"mu": 10000.0, "sigma": 3.0}, lambda x: _log_of_cumulative_at(x, 10000, 3)),
]


@pytest.mark.parametrize(("text", "parameters", "truth"), some_of(CENTRED, 3))
def test_error_functions_centred_far_off_in_float32(text, parameters, truth):
    """Within 2 and 4 ulp on either side of any centre, where exp(-u**2) erfcx(u) is 0 times ∞."""
    z = np.array([-1e10, -3e3, -99.3, -0.3, 0.0, 0.7, 20.2, 39.5, 41.0, 66.7, 69.1, 88.8,
                  91.2, 99.1, 117.2, 118.7, 3e3, 9.99e3, 1.01e4, 2e6], np.float32)  # fmt: skip
    formula = parse(text, parameters)
    results = forward(formula, z), backward(formula, np.ones_like(z), z)
    with mpmath.workdps(40):
        for x, *found in zip(z.tolist(), *results, strict=True):
            for value, true, bound in zip(found, truth(mpmath.mpf(x)), (2, 4), strict=True):
                unit = np.spacing(np.float32(abs(true)))
                assert abs(mpmath.mpf(float(value)) - true) <= bound * unit, (x, value)


def test_what_arguments_are_divided_by_keeps_its_tail():
    """1 + erf(z) was 0 from -6 on, and tanh(z/(1 + erf(z))) then 1 in place of -1."""
    formula = parse("tanh(z/(1 + erf(z))) + z/(1 + exp(-abs(z)))", {})
    z = np.array([-3.0, -6.375, -6.5, -9.0, -30.0], np.float32)
    np.testing.assert_allclose(forward(formula, z), -1 + z / (1 + np.exp(z)), rtol=2e-7)


def test_slopes_are_known_where_a_hyperbolic_tangent_has_its_limit_first():
    """1 - tanh(sinh(z))**2 times cosh(z) was 0 times infinity."""
    formula = parse("(z/(1 + asinh(z)))*(z*tanh(sinh(z)))", {})
    z = np.array([-1e90, -9e4, -720.0, 720.0, 9e4, 1e90])
    size, below = np.abs(z), 1 + np.arcsinh(z)
    true = size / below * (2 - z / np.hypot(1, z) / below)
    np.testing.assert_allclose(backward(formula, np.ones_like(z), z), true, rtol=1e-12)
